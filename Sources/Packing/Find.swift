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
        var bestPrice: Int64 = 0
        var bestNode: (node: Int, gpuMilli: Int)?
        let preferred = gang.form.preferred
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            let workers = gang.workers(at)
            // Nothing of a higher rank counts once a place is found.
            if best.fit.key != Fit.none.key && gang.targets[bestAt].rank != target.rank { break }
            let price = Cost.price(milli: workers * target.need.totalMilli, microUSDPerGPUHour: target.price)
            if target.index < 0 {
                guard let found = pools[target.pool].scoring[0].best(target.need) else { continue }
                let fragmentation = Cost.fragmentation(found.rise, microUSDPerGPUHour: target.price)
                let merit = Merit(
                    total: price + fragmentation, rise: found.rise, fit: Fit(tier: .node, slackMilli: 0))
                if merit < best, !isHeld(target.pool) {
                    (best, bestAt, bestPrice, bestNode) = (merit, at, price, (found.node, found.gpuMilli))
                }
                continue
            }
            // No cost is below the price, and nothing beats an exact fit of a node.
            if price > best.total || price == best.total && best.fit.isPerfect && best.rise <= 0 { continue }
            // Only where price decides alone does a better fit matter within an equal price.
            let limit = price == best.total && best.rise == 0 && preferred == nil ? best.fit : Fit.none
            let fit = pools[target.pool].fit(target.index, workers: workers, scope: gang.form.scope, below: limit)
            if fit.key == Fit.none.key { continue }
            let merit = Merit(
                total: price + Cost.topology(fit.tier, preferred: preferred, price: price), rise: 0, fit: fit)
            if merit < best, !isHeld(target.pool) {
                (best, bestAt, bestPrice, bestNode) = (merit, at, price, nil)
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
            placement.cost = PlacementCost(price: bestPrice, topology: best.total - bestPrice)
            pools[target.pool].choose(
                target.index, workers: gang.workers(bestAt), tier: best.fit.tier, into: &placement.runs)
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

    /// The most workers of the lead group that one place of the gang's scope could take now in one of its targets.
    public func largestFit(_ gang: borrowing Gang, target at: Int) -> Int {
        let target = gang.targets[at]
        if target.index < 0 { return pools[target.pool].scoring[0].best(target.need) == nil ? 0 : 1 }
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        return pools[target.pool].mostRoom(pools[target.pool].indexes[target.index], quota, tier: gang.form.scope)
    }

    /// The most workers of a group that one empty place of the gang's scope could hold in one of its targets.
    public func mostWhenEmpty(_ gang: borrowing Gang, target at: Int, group: Int) -> Int {
        let form = gang.form.groups[group]
        let key = IndexKey(form, need: gang.group(group, target: at).need, usesSpares: gang.form.usesSpares)
        return pools[gang.targets[at].pool].mostRoomWhenEmpty(
            key, Quota(form, exclusive: gang.form.exclusive), tier: gang.form.scope)
    }
}
