// The place for a gang: the lowest rank of pools that holds it, in it the least cost, then the tightest fit, then the lowest
// pool. Gangs of one group without further rules are decided here, by indexes alone; others in Trial.swift.

public import Model

extension Packer {
    /// Finds the place for a gang. False where it fits nowhere now. Pools for which `isHeld` says yes are passed over.
    /// `placement` is written over and its storage reused; nothing is taken yet.
    public mutating func find(
        _ gang: borrowing Gang, into placement: inout Placement, isHeld: (_ pool: Int) -> Bool = { _ in false }
    ) -> Bool {
        precondition(gang.generation == generation, "the gang is older than the pools")
        uses += 1
        return gang.isSimple
            ? findSimple(gang, into: &placement, isHeld: isHeld) : findByTrial(gang, into: &placement, isHeld: isHeld)
    }

    @inline(__always)
    private mutating func findSimple(
        _ gang: borrowing Gang, into placement: inout Placement, isHeld: (_ pool: Int) -> Bool
    ) -> Bool {
        var best = Merit.none
        var bestAt = 0
        var (bestPrice, bestTargetPrice) = (Int64(0), Int64(0))
        var bestNode: (node: Int, gpuMilli: Int)?
        let preferred = gang.form.preferred
        // Most pools of a rank have the price of the one before.
        var (lastMilli, lastPrice, price) = (0, Int64(0), Int64(0))
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            let workers = gang.workers(at)
            // Nothing of a higher rank counts once a place is found.
            if best.fit.key != Fit.none.key && gang.targets[bestAt].rank != target.rank { break }
            let milli = workers * target.need.totalMilli
            if milli != lastMilli || target.price != lastPrice {
                (lastMilli, lastPrice) = (milli, target.price)
                price = Cost.price(milli: milli, microUSDPerGPUHour: target.price)
            }
            if target.index < 0 {
                let isByNode = pools[target.pool].isBilledByNode
                if let found = pools[target.pool].scoring[0].best(target.need) {
                    // An open node of a pool billed by the node is paid for.
                    let price = isByNode ? 0 : price
                    let merit = Merit(
                        total: price + Cost.fragmentation(found.rise, microUSDPerGPUHour: target.price),
                        rise: found.rise, fit: Fit(tier: .node, slackMilli: found.leftover))
                    if merit < best, !isHeld(target.pool) {
                        (best, bestAt, bestPrice, bestTargetPrice) = (merit, at, price, target.price)
                        bestNode = (found.node, found.gpuMilli)
                    }
                }
                if isByNode, let (found, price, merit) = unusedNode(gang, target: at), merit < best,
                    !isHeld(target.pool)
                {
                    (best, bestAt, bestPrice, bestTargetPrice) = (merit, at, price, target.price)
                    bestNode = (found.node, found.gpuMilli)
                }
                continue
            }
            var price = price
            let offer: Offer
            if gang.isBilledByNode && pools[target.pool].isBilledByNode {
                (offer, price) = offerByNode(gang, target: at)
            } else {
                // No cost is below this, and nothing beats an exact fit of a node at it.
                let least = pools[target.pool].leastRise(target.index, workers: workers)
                if least >= best.rise && best.fit.isPerfect && price >= bestPrice && target.price == bestTargetPrice {
                    continue
                }
                let lowest = price + Cost.fragmentation(least, microUSDPerGPUHour: target.price)
                if lowest > best.total || lowest == best.total && best.fit.isPerfect && best.rise <= least { continue }
                // Only where nothing else can make a difference does a better fit matter within an equal price.
                let limit =
                    price == best.total && best.rise == 0 && preferred == nil && pools[target.pool].waste.isEmpty
                    ? best.fit : Fit.none
                offer = pools[target.pool].offer(
                    target.index, workers: workers, scope: gang.form.scope, below: limit)
            }
            if offer.fit.key == Fit.none.key { continue }
            let total =
                price + Cost.fragmentation(offer.rise, microUSDPerGPUHour: target.price)
                + Cost.topology(offer.fit.tier, preferred: preferred, price: price)
            let merit = Merit(total: total, rise: offer.rise, fit: offer.fit)
            if merit < best, !isHeld(target.pool) {
                (best, bestAt, bestPrice, bestTargetPrice, bestNode) = (merit, at, price, target.price, nil)
            }
        }
        if best.fit.key == Fit.none.key { return false }
        let target = gang.targets[bestAt]
        if target.index >= 0 { pools[target.pool].indexes[target.index].lastUse = uses }
        placement.tier = best.fit.tier
        placement.exclusive = nil
        placement.runs.removeAll(keepingCapacity: true)
        if let bestNode {
            placement.cost = PlacementCost(price: bestPrice, fragmentation: best.total - bestPrice)
            pools[target.pool].place(target.need, on: bestNode.node, gpuMilli: bestNode.gpuMilli, into: &placement.runs)
        } else {
            let topology = Cost.topology(best.fit.tier, preferred: preferred, price: bestPrice)
            placement.cost = PlacementCost(
                price: bestPrice, fragmentation: best.total - bestPrice - topology, topology: topology)
            pools[target.pool].choose(
                target.index, workers: gang.workers(bestAt), fit: best.fit, into: &placement.runs)
        }
        placement.parts.removeAll(keepingCapacity: true)
        placement.parts.append(
            PlacementPart(group: 0, pool: PoolSlot(target.pool), need: target.need, runEnd: placement.runs.count))
        return true
    }

    /// Whether the lead group of `gang` has room in one of its targets now: exact for a gang of one group, and a few words
    /// where it has no further rules.
    public func fits(_ gang: borrowing Gang, target: Int) -> Bool {
        largestFit(gang, target: target) >= gang.workers(target)
    }

    /// Whether the whole gang fits in one of its targets alone, whatever its split; for a gang without further rules a few words.
    public mutating func fitsWhole(_ gang: borrowing Gang, target: Int) -> Bool {
        if gang.isSimple { return fits(gang, target: target) }
        precondition(gang.generation == generation, "the gang is older than the pools")
        return layOutAlone(gang, target: target)
    }

    /// The most workers of the lead group that one place of the gang's scope could take now in one of its targets; at most 1
    /// for a gang of one worker where nodes are weighed one by one.
    public func largestFit(_ gang: borrowing Gang, target at: Int) -> Int {
        let target = gang.targets[at]
        if target.index < 0 { return pools[target.pool].scoring[0].holds(target.need) ? 1 : 0 }
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        return pools[target.pool].mostRoom(pools[target.pool].indexes[target.index], quota, tier: gang.form.scope)
    }

    /// The most workers of a group that one empty place of the gang's scope could hold in one of its targets.
    public func mostWhenEmpty(_ gang: borrowing Gang, target at: Int, group: Int) -> Int {
        let form = gang.form.groups[group]
        let key = IndexKey(form, need: gang.group(group, target: at).need, admits: gang.form.admits)
        return pools[gang.targets[at].pool].mostRoomWhenEmpty(
            key, Quota(form, exclusive: gang.form.exclusive), tier: gang.form.scope)
    }
}
