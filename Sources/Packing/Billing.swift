// Pools that are billed by the node: a place there costs all GPUs of the nodes that it opens, of which nothing was taken
// before, and nothing for others. Knows no gang's rules and no other pool.
//
// The price of a gang is exactly that, and pools are compared by it. Within a pool it is minimised as far as the order of
// places allows: a gang without further rules that one node holds opens a node only where no used one holds it, or where that
// costs less than what it would waste of those; a gang in one domain fills the used nodes there before it opens one. The
// smallest tier goes first whatever it costs, and which domain, block or domains of a block a gang goes to is decided as in
// other pools: by waste and tightness, not by the nodes that are open there. Of several groups each chooses for itself, in
// the order in which they are placed, and how a split is shared out among pools follows the prices of their GPUs.

import Model

extension PoolPacker {
    @inline(__always)
    func isUsed(_ node: Int) -> Bool { columns[node].isUsed(full: full) }

    /// How many of some neighbours nothing is taken of.
    func unusedNodes(in nodes: Range<Int>) -> Int {
        var count = 0
        var start = nodes.lowerBound
        while start < nodes.upperBound {
            let next = columns.endOfEqual(from: start, upTo: nodes.upperBound)
            if !isUsed(start) { count += next - start }
            start = next
        }
        return count
    }

    /// How many nodes the runs of one group open.
    func nodesOpened(by runs: [NodeRun]) -> Int {
        var count = 0
        for (at, run) in runs.enumerated() {
            var nodes = run.nodes
            // Of runs that share a node, for shares of several of its GPUs, each begins where the one before ends.
            if at > 0, runs[at - 1].nodes.contains(nodes.lowerBound) { nodes = nodes.dropFirst() }
            count += unusedNodes(in: nodes)
        }
        return count
    }

    /// The price of so many whole nodes.
    func price(ofNodes nodes: Int, microUSDPerGPUHour: Int64) -> Int64 {
        Cost.price(milli: nodes * shape.gpus * 1000, microUSDPerGPUHour: microUSDPerGPUHour)
    }

    // MARK: One node

    /// The node that costs least for a gang that one node holds, by what it opens and by what is wasted, then the tightest
    /// one; nil where none holds it. `choose` goes to that node. Cost: the fits that occur; where workers leave something of
    /// an empty node, or are not exactly counted, the domains and the nodes of those in use.
    func nodeOffer(
        _ at: Int, workers: Int, microUSDPerGPUHour price: Int64
    ) -> (offer: Offer, nodesOpened: Int)? {
        let (need, perNode) = (indexes[at].need, indexes[at].perNode)
        if !indexes[at].isExact || need.totalMilli == 0 {
            guard let node = tightestNode(indexes[at], atLeast: workers, in: 0..<layout.domains) else { return nil }
            let slack = (Int(indexes[at].nodeFit[node]) - workers) * need.totalMilli
            return (Offer(fit: Fit(tier: .node, slackMilli: slack)), isUsed(node) ? 0 : 1)
        }
        guard let tightest = indexes[at].tightestNodeFit(atLeast: workers) else { return nil }
        var best: (total: Int64, rise: Int64, fit: Int, nodesOpened: Int)?
        for fit in tightest...perNode where indexes[at].nodeFits >> UInt64(fit) & 1 == 1 {
            // What holds fewer workers than an empty node is in use.
            let nodesOpened = fit == perNode && usedNodeLikeEmpty(indexes[at]) == nil ? 1 : 0
            let taken = workers * need.gpus
            let rise = waste.isEmpty || need.isShare ? 0 : waste.riseInNode(free: fit * need.gpus, taken: taken)
            let total =
                self.price(ofNodes: nodesOpened, microUSDPerGPUHour: price)
                + Cost.fragmentation(rise, microUSDPerGPUHour: price)
            if let best, (best.total, best.rise) <= (total, rise) { continue }
            best = (total, rise, fit, nodesOpened)
        }
        guard let best else { return nil }
        let slack = (best.fit - workers) * need.totalMilli
        return (Offer(fit: Fit(tier: .node, slackMilli: slack), rise: best.rise), best.nodesOpened)
    }

    /// A node in use that holds as many workers as an empty one: the lowest one in the fullest domain. Precondition: fits of
    /// nodes are exact.
    func usedNodeLikeEmpty(_ index: borrowing DemandIndex) -> Int? {
        if fillsNodes(index) { return nil }
        let fit = index.perNode
        var best: Int?
        var next = index.firstDomain(withClass: fit)
        while let domain = next {
            next = index.firstDomain(withClass: fit, from: domain + 1)
            if usedInDomain[domain] == 0 { continue }
            if let best, index.domainFit(layout.domain(of: best)) <= index.domainFit(domain) { continue }
            best = layout.nodeRange(domain).first { Int(index.nodeFit[$0]) == fit && isUsed($0) } ?? best
        }
        return best
    }

    /// Whether the workers of an empty node leave nothing of it, so that no node in use holds as many.
    private func fillsNodes(_ index: borrowing DemandIndex) -> Bool {
        let (need, count) = (index.need, index.perNode)
        return count * need.totalMilli == shape.gpus * 1000 && count * need.cpuMillis == shape.cpuMillis
            && count * need.memoryMiB == shape.memoryMiB
    }

    // MARK: One domain

    /// Puts `workers` on nodes of one domain as `fill` does, but on nodes in use first, which opens the fewest. Precondition:
    /// the room is there. Cost: the nodes of the domain.
    func fillUsedFirst(_ domain: Int, workers: Int, _ index: borrowing DemandIndex, into runs: inout [NodeRun]) {
        var left = workers
        for areUsed in [true, false] {
            var nodes: [(fit: Int, node: Int)] = []
            for node in layout.nodeRange(domain) where index.nodeFit[node] > 0 && isUsed(node) == areUsed {
                nodes.append((Int(index.nodeFit[node]), node))
            }
            nodes.sort { ($1.fit, $0.node) < ($0.fit, $1.node) }
            var tightest: (fit: Int, node: Int)?
            for (fit, node) in nodes {
                if fit <= left {
                    append(node, workers: fit, index, to: &runs)
                    left -= fit
                } else if tightest.map({ fit < $0.fit }) ?? true {
                    tightest = (fit, node)
                }
                if left == 0 { return }
            }
            // All that are left hold more than the rest.
            if let tightest { return append(tightest.node, workers: left, index, to: &runs) }
        }
        preconditionFailure("the index promised room in a domain that is not there")
    }
}

extension Packer {
    /// An unused node for one worker in a pool that is weighed, what it costs to open it, and how good that is. Beyond the price
    /// it counts what the next demand would cost there, as far as that is more than it would be in the cheapest of the gang's
    /// pools that are billed by the node.
    func unusedNode(
        _ gang: borrowing Gang, target at: Int
    ) -> (found: NodeScoring.Found, price: Int64, merit: Merit)? {
        let target = gang.targets[at]
        guard let (found, horizon) = pools[target.pool].scoring[0].unusedNode(target.need) else { return nil }
        let price = pools[target.pool].price(ofNodes: 1, microUSDPerGPUHour: target.price)
        let fragmentation =
            Cost.fragmentation(found.rise + horizon, microUSDPerGPUHour: target.price)
            - Cost.price(milli: PoolMix.horizonMilli, microUSDPerGPUHour: gang.leastPriceByNode ?? 0)
        let fit = Fit(tier: .node, slackMilli: found.leftover)
        return (found, price, Merit(total: Cost.sum(price, fragmentation), rise: found.rise, fit: fit))
    }

    /// What a pool that is billed by the node offers to a simple gang, and its price. Cost: that of choosing the place.
    mutating func offerByNode(_ gang: borrowing Gang, target at: Int) -> (offer: Offer, price: Int64) {
        let target = gang.targets[at]
        let (pool, workers) = (target.pool, gang.workers(at))
        if let found = pools[pool].nodeOffer(target.index, workers: workers, microUSDPerGPUHour: target.price) {
            return (found.offer, pools[pool].price(ofNodes: found.nodesOpened, microUSDPerGPUHour: target.price))
        }
        let offer = pools[pool].offer(target.index, workers: workers, scope: gang.form.scope, below: .none)
        if offer.fit.key == Fit.none.key { return (offer, 0) }
        var runs: [NodeRun] = []
        swap(&runs, &opening)
        defer { swap(&runs, &opening) }
        runs.removeAll(keepingCapacity: true)
        pools[pool].choose(target.index, workers: workers, fit: offer.fit, into: &runs)
        let nodes = pools[pool].nodesOpened(by: runs)
        return (offer, pools[pool].price(ofNodes: nodes, microUSDPerGPUHour: target.price))
    }

    /// What a placement of a gang that is not exclusive adds to the bill now. Precondition: all of it is free.
    func price(_ placement: Placement, of gang: borrowing Gang) -> Int64 {
        var price: Int64 = 0
        var run = 0
        for (at, part) in placement.parts.enumerated() {
            let pool = part.pool.index
            guard let target = gang.targets.first(where: { $0.pool == pool }) else {
                preconditionFailure("a placement is in a pool that its gang may not use")
            }
            var nodes = 0
            // Several runs may stand on one node, and only the first of them opens it.
            while run < part.runEnd {
                nodes += pools[pool].unusedNodes(in: placement.runs[run].nodes)
                pools[pool].change(placement.runs[run], of: part.need, isTaking: true)
                run += 1
            }
            price = Cost.sum(
                price,
                pools[pool].isBilledByNode
                    ? pools[pool].price(ofNodes: nodes, microUSDPerGPUHour: target.price)
                    : Cost.price(milli: placement.gpuMilli(at), microUSDPerGPUHour: target.price))
        }
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) {
                pools[part.pool.index].change(placement.runs[run], of: part.need, isTaking: false)
            }
        }
        return price
    }
}
