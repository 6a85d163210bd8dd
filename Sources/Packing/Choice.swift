// Where in one pool a gang goes: the tightest place of the smallest tier that holds it, in the fewest domains,
// leaving whole domains whole. Reads the indexes and writes runs; changes nothing.
// Ties break on the lowest index everywhere, so that one state has one answer.

import Model

/// How well a gang fits a pool: a smaller tier first, then less left over in the place that would be used.
struct Fit: Comparable {
    /// tier << 32 | GPUs left over that workers of this gang's kind could use.
    var key: UInt64

    /// Worse than any fit.
    static let none = Fit(key: .max)

    init(tier: Tier, slackGPUs: Int) { key = UInt64(tier.rawValue) << 32 | UInt64(slackGPUs) }

    private init(key: UInt64) { self.key = key }

    @inline(__always)
    var tier: Tier { Tier(rawValue: UInt8(truncatingIfNeeded: key >> 32)) ?? .pool }

    @inline(__always)
    static func < (left: Fit, right: Fit) -> Bool { left.key < right.key }
}

extension PoolPacker {
    /// How well `workers` fit, or `Fit.none` where they do not, or not better than `limit`. At the tier of blocks this is
    /// the fit of the tightest block, though the gang may go to another one where it needs fewer domains.
    /// Cost: a few words, and the blocks where no domain holds the gang.
    @inline(__always)
    func fit(_ id: NeedID, workers: Int, scope: Scope, below limit: Fit) -> Fit {
        indexes[id.index].fit(workers: workers, scope: scope, below: limit)
    }
}

extension DemandIndex {
    @inline(__always)
    func fit(workers: Int, scope: Scope, below limit: Fit) -> Fit {
        if let fit = tightestNodeFit(atLeast: workers) {
            return Fit(tier: .node, slackGPUs: (fit - workers) * need.gpus)
        }
        if scope == .node || total < workers || limit < Fit(tier: .domain, slackGPUs: 0) { return .none }
        if let fit = tightestDomainFit(atLeast: workers) {
            return Fit(tier: .domain, slackGPUs: (fit - workers) * need.gpus)
        }
        if scope == .domain || limit < Fit(tier: .block, slackGPUs: 0) { return .none }
        if let fit = blockFit.smallest(atLeast: UInt32(workers)) {
            return Fit(tier: .block, slackGPUs: (Int(fit) - workers) * need.gpus)
        }
        if scope == .block { return .none }
        return Fit(tier: .pool, slackGPUs: (total - workers) * need.gpus)
    }
}

extension PoolPacker {
    /// Writes the runs of `workers` at the tier that `fit` found. Cost: the nodes used and the buckets walked.
    func choose(_ id: NeedID, workers: Int, tier: Tier, into runs: inout [NodeRun]) {
        choose(indexes[id.index], workers: workers, tier: tier, into: &runs)
    }

    private func choose(_ index: borrowing DemandIndex, workers: Int, tier: Tier, into runs: inout [NodeRun]) {
        switch tier {
        case .node:
            guard let fit = index.tightestNodeFit(atLeast: workers) else { preconditionFailure("no node fits") }
            let domain = tightestDomain(withNodeFit: fit, index)
            for node in layout.nodeRange(domain) where Int(index.nodeFit[node]) == fit {
                append(node, workers: workers, index, to: &runs)
                return
            }
            preconditionFailure("the index names a node fit that no node has")
        case .domain:
            guard let fit = index.tightestDomainFit(atLeast: workers), let domain = index.byFit.first(fit)
            else { preconditionFailure("no domain fits") }
            fill(domain, workers: workers, index, into: &runs)
        case .block:
            spread(workers, over: layout.domainRange(bestBlock(for: workers, index)), index, into: &runs)
        case .pool, .region, .provider, .fleet:
            spread(workers, over: 0..<layout.domains, index, into: &runs)
        }
    }

    /// Among domains that have a node of exactly this fit, the fullest one, so that emptier domains stay whole.
    private func tightestDomain(withNodeFit nodeFit: Int, _ index: borrowing DemandIndex) -> Int {
        var domainFit = index.fits.first(row: 0, from: nodeFit)
        while let fit = domainFit {
            if let domain = index.byFit.firstCommon(fit, with: index.hasNode, otherRow: nodeFit) { return domain }
            domainFit = index.fits.first(row: 0, from: fit + 1)
        }
        preconditionFailure("the index names a node fit that no domain has")
    }

    /// The block in which the gang touches the fewest domains; among those the one with least room.
    private func bestBlock(for workers: Int, _ index: borrowing DemandIndex) -> Int {
        let fewest = (workers + layout.largestDomain * index.perNode - 1) / (layout.largestDomain * index.perNode)
        var best: (domains: Int, fit: UInt32, block: Int)?
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
        var fit = index.fits.last(row: 0, from: index.fits.width - 1)
        while left > 0, let size = fit, size > 0 {
            let count = index.byFit.count(size, in: domains)
            let used = min(count, (left + size - 1) / size)
            needed += used
            left -= used * size
            fit = index.fits.last(row: 0, from: size - 1)
        }
        return needed
    }

    /// Takes the roomiest domains whole until the rest fits in one, then the tightest that holds the rest:
    /// the fewest domains possible, and none broken but the last.
    private func spread(
        _ workers: Int, over domains: Range<Int>, _ index: borrowing DemandIndex, into runs: inout [NodeRun]
    ) {
        var left = workers
        var fit = index.fits.last(row: 0, from: index.fits.width - 1)
        while left > 0, let size = fit, size > 0 {
            var from = domains.lowerBound
            while left >= size, let domain = index.byFit.first(size, from: from), domain < domains.upperBound {
                fill(domain, workers: size, index, into: &runs)
                left -= size
                from = domain + 1
            }
            // Below `size` every domain of this size is left untouched or used up; a remainder wants the tightest
            // domain that holds it, and only domains not used yet come into question.
            if left > 0, left < size {
                if let last = tightestDomain(atLeast: left, atMost: size, in: domains, unusedFrom: from, index) {
                    fill(last, workers: left, index, into: &runs)
                    return
                }
            }
            fit = index.fits.last(row: 0, from: size - 1)
        }
        precondition(left == 0, "the index promised room that is not there")
    }

    /// The lowest domain of the smallest fit that holds `workers`. Domains of fit `atMost` below `unusedFrom` are taken.
    private func tightestDomain(
        atLeast workers: Int, atMost size: Int, in domains: Range<Int>, unusedFrom: Int, _ index: borrowing DemandIndex
    ) -> Int? {
        var fit = index.fits.first(row: 0, from: workers)
        while let candidate = fit, candidate <= size {
            let from = candidate == size ? unusedFrom : domains.lowerBound
            if let domain = index.byFit.first(candidate, from: from), domain < domains.upperBound { return domain }
            fit = index.fits.first(row: 0, from: candidate + 1)
        }
        return nil
    }

    /// Puts `workers` on nodes of one domain: nodes that are used up whole first, the fullest such first,
    /// then the tightest node for the rest.
    private func fill(_ domain: Int, workers: Int, _ index: borrowing DemandIndex, into runs: inout [NodeRun]) {
        let range = layout.nodeRange(domain)
        if workers == index.domainFit(domain) {
            if index.fullMask != 0 && workers == range.count * index.perNode {
                append(range, mask: index.fullMask, to: &runs)
                return
            }
            for node in range where index.nodeFit[node] > 0 {
                append(node, workers: Int(index.nodeFit[node]), index, to: &runs)
            }
            return
        }
        var left = workers
        var fit = index.perNode
        while left > 0 && fit > 0 {
            if fit <= left && index.nodes(withFit: fit, domain: domain) > 0 {
                for node in range where Int(index.nodeFit[node]) == fit && fit <= left {
                    append(node, workers: fit, index, to: &runs)
                    left -= fit
                }
            }
            fit -= 1
        }
        if left == 0 { return }
        // Every node of a fit up to `left` is used, so some node of a larger fit is free whole and holds the rest.
        for fit in left + 1...index.perNode where index.nodes(withFit: fit, domain: domain) > 0 {
            for node in range where Int(index.nodeFit[node]) == fit && !isUsed(node, in: runs) {
                append(node, workers: left, index, to: &runs)
                return
            }
        }
        preconditionFailure("the index promised room in a domain that is not there")
    }

    /// Whether `node` is in the runs written last; only those of its own domain can hold it.
    private func isUsed(_ node: Int, in runs: [NodeRun]) -> Bool {
        let first = layout.nodeRange(layout.domain(of: node)).lowerBound
        for run in runs.reversed() {
            if Int(run.node) + Int(run.nodeCount) <= first { break }
            if Int(run.node) <= node && node < Int(run.node) + Int(run.nodeCount) { return true }
        }
        return false
    }

    /// Adds the lowest free GPUs of a node for `workers`.
    @inline(__always)
    private func append(_ node: Int, workers: Int, _ index: borrowing DemandIndex, to runs: inout [NodeRun]) {
        append(node..<node + 1, mask: Self.lowest(workers * index.need.gpus, of: columns[node].gpuMask), to: &runs)
    }

    /// Adds neighbours with equal masks, joined to the run before where they continue it.
    @inline(__always)
    private func append(_ nodes: Range<Int>, mask: UInt16, to runs: inout [NodeRun]) {
        let last = runs.count - 1
        if last >= 0, runs[last].gpuMask == mask, Int(runs[last].node) + Int(runs[last].nodeCount) == nodes.lowerBound,
            Int(runs[last].nodeCount) + nodes.count <= Int(UInt16.max)
        {
            runs[last].nodeCount += UInt16(nodes.count)
        } else {
            runs.append(NodeRun(node: UInt32(nodes.lowerBound), nodeCount: UInt16(nodes.count), gpuMask: mask))
        }
    }

    @inline(__always)
    private static func lowest(_ count: Int, of mask: UInt16) -> UInt16 {
        var rest = mask
        for _ in 0..<count { rest &= rest &- 1 }
        return mask & ~rest
    }
}
