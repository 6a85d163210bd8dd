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
        var best = Fit.none
        var bestAt = 0
        var bestPrice = Int64.max
        var bestTotal = Int64.max
        let preferred = gang.form.preferred
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            let workers = gang.workers(at)
            let price = Cost.price(milli: workers * target.need.totalMilli, microUSDPerGPUHour: target.price)
            if best.key != Fit.none.key {
                // Nothing of a higher rank counts once a place is found.
                if gang.targets[bestAt].rank != target.rank { break }
                // No cost is below the price, and nothing beats an exact fit of a node.
                if price > bestTotal || price == bestTotal && best.isPerfect { continue }
            }
            // Only where price decides alone does a better fit matter within an equal price.
            let limit = price == bestTotal && preferred == nil ? best : Fit.none
            let fit = pools[target.pool].fit(target.id, workers: workers, scope: gang.form.scope, below: limit)
            if fit.key == Fit.none.key { continue }
            let total = price + Cost.topology(fit.tier, preferred: preferred, price: price)
            if total < bestTotal || total == bestTotal && fit < best, !isHeld(target.pool) {
                (best, bestAt, bestPrice, bestTotal) = (fit, at, price, total)
            }
        }
        if best.key == Fit.none.key { return false }
        let target = gang.targets[bestAt]
        pools[target.pool].indexes[target.id.index].lastUse = uses
        placement.tier = best.tier
        placement.exclusive = nil
        placement.cost = PlacementCost(price: bestPrice, fragmentation: 0, topology: bestTotal - bestPrice)
        placement.runs.removeAll(keepingCapacity: true)
        pools[target.pool].choose(target.id, workers: gang.workers(bestAt), tier: best.tier, into: &placement.runs)
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
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        return pools[target.pool].mostRoom(pools[target.pool].indexes[target.id.index], quota, tier: gang.form.scope)
    }

    /// The most workers of a group that one empty place of the gang's scope could hold in one of its targets.
    public func mostWhenEmpty(_ gang: borrowing Gang, target at: Int, group: Int) -> Int {
        let form = gang.form.groups[group]
        let key = IndexKey(form, need: gang.group(group, target: at).need, usesSpares: gang.form.usesSpares)
        return pools[gang.targets[at].pool].mostRoomWhenEmpty(
            key, Quota(form, exclusive: gang.form.exclusive), tier: gang.form.scope)
    }
}
