// Which nodes of one place a group's workers get: the tightest place of the smallest tier that holds them, in the fewest
// domains, leaving whole domains whole. Reads the indexes and writes runs; changes nothing.
// Ties break on the lowest index everywhere, so that one state has one answer.

import Model

/// A part of a pool.
enum Place: Hashable {
    case node(Int)
    case domain(Int)
    case block(Int)
    case pool
}

extension PoolPacker {
    /// Writes the runs of `workers` where an offer for a gang without further rules said. Cost: the nodes used and the
    /// buckets walked.
    func choose(_ index: Int, workers: Int, fit: Fit, into runs: inout [NodeRun]) {
        choose(indexes[index], workers: workers, fit: fit, into: &runs)
    }

    private func choose(_ index: borrowing DemandIndex, workers: Int, fit: Fit, into runs: inout [NodeRun]) {
        let all = 0..<layout.domains
        let milli = index.need.totalMilli
        // Of the place that was offered, where fits are exact.
        let room = milli > 0 ? workers + fit.slackMilli / milli : workers
        switch fit.tier {
        case .node:
            if !index.isExact || milli == 0 {
                guard let node = tightestNode(index, atLeast: workers, in: all) else {
                    preconditionFailure("no node fits")
                }
                return append(node, workers: workers, index, to: &runs)
            }
            if isBilledByNode && room == index.perNode, let node = usedNodeLikeEmpty(index) {
                return append(node, workers: workers, index, to: &runs)
            }
            let domain = fullestDomain(withNodeFit: room, index)
            for node in layout.nodeRange(domain) where Int(index.nodeFit[node]) == room {
                return append(node, workers: workers, index, to: &runs)
            }
            preconditionFailure("the index names a node fit that no node has")
        case .domain:
            guard let domain = tightestDomain(index, atLeast: room, in: all) else {
                preconditionFailure("no domain fits")
            }
            fill(domain, workers: workers, index, into: &runs)
        case .block:
            spread(workers, over: layout.domainRange(bestBlock(for: workers, index)), index, nil, into: &runs)
        case .pool, .region, .provider, .fleet:
            spread(workers, over: all, index, nil, into: &runs)
        }
    }

    /// Writes the runs of `workers` within a place by the group's quota, or says that they do not fit there.
    func choose(
        _ index: borrowing DemandIndex, _ quota: Quota, workers: Int, in place: Place, into runs: inout [NodeRun]
    ) -> Bool {
        if workers == 0 { return true }
        switch place {
        case .node(let node):
            guard Int(index.nodeFit[node]) >= workers, isWhole(workers, quota),
                isOpen(layout.domain(of: node), to: quota.exclusive)
            else { return false }
            append(node, workers: workers, index, to: &runs)
        case .domain(let domain):
            guard room(index, quota, domain: domain) >= workers, isWhole(workers, quota) else { return false }
            if let node = tightestNode(index, atLeast: workers, in: domain..<domain + 1) {
                append(node, workers: workers, index, to: &runs)
            } else {
                fill(domain, workers: workers, index, into: &runs)
            }
        case .block(let block):
            guard room(index, quota, block: block) >= workers, workers % quota.blockQuantum == 0 else { return false }
            let domains = layout.domainRange(block)
            if !chooseOneDomain(index, quota, workers: workers, in: domains, into: &runs) {
                spread(workers, over: domains, index, quota, into: &runs)
            }
        case .pool:
            guard room(index, quota) >= workers else { return false }
            let domains = 0..<layout.domains
            if chooseOneDomain(index, quota, workers: workers, in: domains, into: &runs) { return true }
            if let block = tightestBlock(index, quota, atLeast: workers), workers % quota.blockQuantum == 0 {
                spread(workers, over: layout.domainRange(block), index, quota, into: &runs)
            } else if quota.blockQuantum == 1 {
                spread(workers, over: domains, index, quota, into: &runs)
            } else {
                spreadOverBlocks(workers, index, quota, into: &runs)
            }
        }
        return true
    }

    /// Whether so many workers may stand in one domain by the rules of segment and spread.
    private func isWhole(_ workers: Int, _ quota: Quota) -> Bool {
        quota.usable(workers) == workers && workers % quota.blockQuantum == 0
    }

    /// The tightest node of some domains, else the tightest of those domains, where one may hold the workers.
    private func chooseOneDomain(
        _ index: borrowing DemandIndex, _ quota: Quota, workers: Int, in domains: Range<Int>, into runs: inout [NodeRun]
    ) -> Bool {
        if !isWhole(workers, quota) { return false }
        if let node = tightestNode(index, atLeast: workers, in: domains, exclusive: quota.exclusive) {
            append(node, workers: workers, index, to: &runs)
            return true
        }
        if let domain = tightestDomain(index, atLeast: workers, in: domains, exclusive: quota.exclusive) {
            fill(domain, workers: workers, index, into: &runs)
            return true
        }
        return false
    }

    /// The lowest block of those with least room that hold `workers`.
    func tightestBlock(_ index: borrowing DemandIndex, _ quota: Quota, atLeast workers: Int) -> Int? {
        var best: (room: Int, block: Int)?
        for block in 0..<layout.blocks {
            let room = room(index, quota, block: block)
            if room >= workers, best.map({ room < $0.room }) ?? true { best = (room, block) }
        }
        return best?.block
    }

    /// Among domains that have a node of exactly this fit, the fullest one, so that emptier domains stay whole.
    private func fullestDomain(withNodeFit nodeFit: Int, _ index: borrowing DemandIndex) -> Int {
        var domainFit = index.buckets.first(row: 0, from: nodeFit)
        while let fit = domainFit {
            if let domain = index.firstDomain(ofBucket: fit, withClass: nodeFit) { return domain }
            domainFit = index.buckets.first(row: 0, from: fit + 1)
        }
        preconditionFailure("the index names a node fit that no domain has")
    }

    /// The block in which the gang touches the fewest domains; among those the one with least room.
    private func bestBlock(for workers: Int, _ index: borrowing DemandIndex) -> Int {
        let fewest = (workers + layout.largestDomain * index.perNode - 1) / (layout.largestDomain * index.perNode)
        var best: (domains: Int, fit: UInt64, block: Int)?
        for block in 0..<layout.blocks where index.blockFit[block] >= workers {
            let fit = index.blockFit[block]
            if let best, best.domains == fewest, best.fit <= fit { continue }
            let domains = domainsNeeded(workers, in: layout.domainRange(block), index)
            if best.map({ (domains, fit, block) < $0 }) ?? true { best = (domains, fit, block) }
        }
        guard let best else { preconditionFailure("no block fits") }
        return best.block
    }

    private func domainsNeeded(_ workers: Int, in domains: Range<Int>, _ index: borrowing DemandIndex) -> Int {
        var left = workers
        var needed = 0
        var bucket = index.buckets.last(row: 0, from: index.buckets.width - 1)
        while left > 0, let at = bucket, at > 0 {
            let count = index.byFit.count(at, in: domains)
            let size = index.leastFit(ofBucket: at)
            let used = min(count, (left + size - 1) / size)
            needed += used
            left -= used * size
            bucket = index.buckets.last(row: 0, from: at - 1)
        }
        return needed
    }
}
