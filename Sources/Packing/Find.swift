// The place for a gang: the lowest rank of pools that holds it, in it the least cost, then the tightest fit, then the lowest
// pool. Gangs of one group without further rules are decided here, by indexes alone; others in Trial.swift.

public import Model

/// The best place so far for a gang without further rules.
struct Leader {
    var merit = Merit.none
    /// Its target, and what the gang costs there.
    var at = 0
    var price: Int64 = 0
    /// Of a GPU-hour there.
    var targetPrice: Int64 = 0
    /// The node, where nodes are weighed one by one.
    var node: (node: Int, gpuMilli: Int)?

    init() {}

    @inline(__always)
    init(merit: Merit, at: Int, price: Int64, target: Int64, node: (node: Int, gpuMilli: Int)? = nil) {
        self.merit = merit
        self.at = at
        self.price = price
        targetPrice = target
        self.node = node
    }

    @inline(__always)
    var isFound: Bool { merit.fit.key != Fit.none.key }
}

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

    private mutating func findSimple(
        _ gang: borrowing Gang, into placement: inout Placement, isHeld: (_ pool: Int) -> Bool
    ) -> Bool {
        var best = Leader()
        for at in 0..<gang.brackets.count {
            let bracket = gang.brackets[at]
            let first = bracket.targets.lowerBound
            // Nothing of a higher rank counts once a place is found.
            if best.isFound && gang.targets[best.at].rank != gang.targets[first].rank { break }
            if bracket.row < 0 {
                consider(gang, target: first, &best, isHeld)
            } else {
                consider(gang, bracket, &best, isHeld)
            }
        }
        if !best.isFound { return false }
        let target = gang.targets[best.at]
        let merit = best.merit
        if target.index >= 0 { pools[target.pool].indexes[target.index].lastUse = uses }
        placement.tier = merit.fit.tier
        placement.exclusive = nil
        placement.runs.removeAll(keepingCapacity: true)
        if let node = best.node {
            placement.cost = PlacementCost(price: best.price, fragmentation: merit.total - best.price)
            pools[target.pool].place(target.need, on: node.node, gpuMilli: node.gpuMilli, into: &placement.runs)
        } else {
            let topology = Cost.topology(merit.fit.tier, preferred: gang.form.preferred, price: best.price)
            placement.cost = PlacementCost(
                price: best.price, fragmentation: merit.total - best.price - topology, topology: topology)
            pools[target.pool].choose(
                target.index, workers: gang.workers(best.at), fit: merit.fit, into: &placement.runs)
        }
        placement.parts.removeAll(keepingCapacity: true)
        placement.parts.append(
            PlacementPart(group: 0, pool: PoolSlot(target.pool), need: target.need, runEnd: placement.runs.count))
        return true
    }

    /// Looks at all targets of a bracket. The tightest nodes of all of them are found on the board; the others, which have no
    /// node that holds the gang, are looked at one by one where it may stand on several. Cost: the fits of a node, and those.
    @inline(__always)
    private mutating func consider(
        _ gang: borrowing Gang, _ bracket: Bracket, _ best: inout Leader, _ isHeld: (_ pool: Int) -> Bool
    ) {
        let first = bracket.targets.lowerBound
        let workers = gang.workers(first)
        var others = bracket.pools
        if workers <= bracket.perNode {
            let target = gang.targets[first]
            let taken = workers * target.need.gpus
            let price = Cost.price(milli: workers * target.need.totalMilli, microUSDPerGPUHour: target.price)
            let isEven = pools[target.pool].waste.isEmpty || target.need.isShare
            for fit in workers...bracket.perNode {
                var these = board.pools(bracket.row, fit: fit, word: bracket.word) & bracket.pools
                if these == 0 { continue }
                others &= ~these
                let rise =
                    isEven ? 0 : pools[target.pool].waste.riseInNode(free: fit * target.need.gpus, taken: taken)
                let merit = Merit(
                    total: price + Cost.fragmentation(rise, microUSDPerGPUHour: target.price), rise: rise,
                    fit: Fit(tier: .node, slackMilli: (fit - workers) * target.need.totalMilli))
                while these != 0 && merit < best.merit {
                    let pool = these.trailingZeroBitCount
                    these &= these - 1
                    if isHeld(bracket.word << 6 + pool) { continue }
                    let before = bracket.pools & (1 << UInt64(pool) - 1)
                    best = Leader(merit: merit, at: first + before.nonzeroBitCount, price: price, target: target.price)
                }
            }
        }
        // Where no node holds one worker there is no place for it.
        if workers == 1 || gang.form.scope == .node { return }
        while others != 0 {
            let before = bracket.pools & (others & (~others &+ 1) &- 1)
            others &= others - 1
            consider(gang, target: first + before.nonzeroBitCount, &best, isHeld)
        }
    }

    /// Looks at one target.
    @inline(__always)
    private mutating func consider(
        _ gang: borrowing Gang, target at: Int, _ best: inout Leader, _ isHeld: (_ pool: Int) -> Bool
    ) {
        let target = gang.targets[at]
        let workers = gang.workers(at)
        var price = Cost.price(milli: workers * target.need.totalMilli, microUSDPerGPUHour: target.price)
        if target.index < 0 { return considerScored(gang, target: at, price: price, &best, isHeld) }
        let preferred = gang.form.preferred
        let offer: Offer
        if gang.isBilledByNode && pools[target.pool].isBilledByNode {
            (offer, price) = offerByNode(gang, target: at)
        } else {
            // No cost is below this, and nothing beats an exact fit of a node at it.
            let least = pools[target.pool].leastRise(target.index, workers: workers)
            let fit = best.merit.fit
            if least >= best.merit.rise && fit.isPerfect && price >= best.price && target.price == best.targetPrice {
                return
            }
            let lowest = price + Cost.fragmentation(least, microUSDPerGPUHour: target.price)
            let total = best.merit.total
            if lowest > total || lowest == total && fit.isPerfect && best.merit.rise <= least { return }
            // Only where nothing else can make a difference does a better fit matter within an equal price.
            let limit =
                price == total && best.merit.rise == 0 && preferred == nil && pools[target.pool].waste.isEmpty
                ? fit : Fit.none
            offer = pools[target.pool].offer(target.index, workers: workers, scope: gang.form.scope, below: limit)
        }
        if offer.fit.key == Fit.none.key { return }
        let total =
            price + Cost.fragmentation(offer.rise, microUSDPerGPUHour: target.price)
            + Cost.topology(offer.fit.tier, preferred: preferred, price: price)
        let merit = Merit(total: total, rise: offer.rise, fit: offer.fit)
        if merit < best.merit, !isHeld(target.pool) {
            best = Leader(merit: merit, at: at, price: price, target: target.price)
        }
    }

    /// Looks at a target whose nodes are weighed one by one.
    private mutating func considerScored(
        _ gang: borrowing Gang, target at: Int, price: Int64, _ best: inout Leader, _ isHeld: (_ pool: Int) -> Bool
    ) {
        let target = gang.targets[at]
        let isByNode = pools[target.pool].isBilledByNode
        if let found = pools[target.pool].scoring[0].best(target.need) {
            // An open node of a pool billed by the node is paid for.
            let price = isByNode ? 0 : price
            let merit = Merit(
                total: price + Cost.fragmentation(found.rise, microUSDPerGPUHour: target.price),
                rise: found.rise, fit: Fit(tier: .node, slackMilli: found.leftover))
            if merit < best.merit, !isHeld(target.pool) {
                best = Leader(
                    merit: merit, at: at, price: price, target: target.price, node: (found.node, found.gpuMilli))
            }
        }
        if isByNode, let (found, price, merit) = unusedNode(gang, target: at), merit < best.merit,
            !isHeld(target.pool)
        {
            best = Leader(
                merit: merit, at: at, price: price, target: target.price, node: (found.node, found.gpuMilli))
        }
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
