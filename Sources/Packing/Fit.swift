// Whether a gang of one group without further rules fits a pool, and how well, by the index alone.
// Changes nothing and touches no node column where fits are exact.

import Model

/// How well a gang fits a pool: a smaller tier first, then less left over in the place that would be used.
struct Fit: Comparable {
    /// tier << 32 | GPUs left over that workers of this gang's kind could use, in thousandths.
    var key: UInt64

    /// Worse than any fit.
    static let none = Fit(key: .max)

    init(tier: Tier, slackMilli: Int) { key = UInt64(tier.rawValue) << 48 | UInt64(slackMilli) }

    private init(key: UInt64) { self.key = key }

    @inline(__always)
    var tier: Tier { Tier(rawValue: UInt8(truncatingIfNeeded: key >> 48)) ?? .pool }

    /// Whether nothing can fit better.
    @inline(__always)
    var isPerfect: Bool { key == 0 }

    @inline(__always)
    static func < (left: Fit, right: Fit) -> Bool { left.key < right.key }
}

extension PoolPacker {
    /// How well `workers` fit within a tier, or `Fit.none` where they do not, or not better than `limit`. At the tier of
    /// blocks this is the fit of the tightest block, though the gang may go to another one where it needs fewer domains.
    /// Cost: a few words, and the blocks where no domain holds the gang.
    @inline(__always)
    func fit(_ index: Int, workers: Int, scope: Tier, below limit: Fit) -> Fit {
        indexes[index].isExact
            ? indexes[index].exactFit(workers: workers, scope: scope, below: limit)
            : looseFit(indexes[index], workers: workers, scope: scope)
    }

    private func looseFit(_ index: borrowing DemandIndex, workers: Int, scope: Tier) -> Fit {
        let milli = index.need.totalMilli
        if index.total < workers { return .none }
        if let node = tightestNode(index, atLeast: workers, in: 0..<layout.domains) {
            return Fit(tier: .node, slackMilli: (Int(index.nodeFit[node]) - workers) * milli)
        }
        if scope == .node { return .none }
        if let domain = tightestDomain(index, atLeast: workers, in: 0..<layout.domains) {
            return Fit(tier: .domain, slackMilli: (index.domainFit(domain) - workers) * milli)
        }
        if scope == .domain { return .none }
        if let fit = index.blockFit.smallest(atLeast: UInt32(workers)) {
            return Fit(tier: .block, slackMilli: (Int(fit) - workers) * milli)
        }
        return scope == .block ? .none : Fit(tier: .pool, slackMilli: (index.total - workers) * milli)
    }

    /// The lowest node of the smallest class of fits that holds `workers`, in the fullest domain where the whole pool is
    /// looked at. Exact fits: the smallest fit.
    func tightestNode(
        _ index: borrowing DemandIndex, atLeast workers: Int, in domains: Range<Int>, exclusive: Tier? = nil
    ) -> Int? {
        if workers > index.perNode { return nil }
        var classes = index.nodeFits & (~0 << UInt64(FitClass.of(workers)))
        while classes != 0 {
            let fitClass = classes.trailingZeroBitCount
            classes &= classes - 1
            var next = index.firstDomain(withClass: fitClass, from: domains.lowerBound)
            while let domain = next, domain < domains.upperBound {
                next = index.firstDomain(withClass: fitClass, from: domain + 1)
                if !isOpen(domain, to: exclusive) { continue }
                var best: Int?
                for node in layout.nodeRange(domain) {
                    let fit = Int(index.nodeFit[node])
                    if fit < workers || FitClass.of(fit) != fitClass { continue }
                    if best.map({ fit < Int(index.nodeFit[$0]) }) ?? true { best = node }
                }
                if let best { return best }
            }
        }
        return nil
    }

    /// The lowest domain of the smallest fit that holds `workers`; where buckets hold several fits, of the first bucket
    /// that has one.
    func tightestDomain(
        _ index: borrowing DemandIndex, atLeast workers: Int, in domains: Range<Int>, exclusive: Tier? = nil
    ) -> Int? {
        var bucket = index.buckets.first(row: 0, from: index.bucket(of: workers))
        while let at = bucket {
            var best: Int?
            var next = index.byFit.first(at, from: domains.lowerBound)
            while let domain = next, domain < domains.upperBound {
                next = index.byFit.first(at, from: domain + 1)
                let fit = index.domainFit(domain)
                if fit < workers || !isOpen(domain, to: exclusive) { continue }
                if best.map({ fit < index.domainFit($0) }) ?? true { best = domain }
                // Only where some domains of the bucket are too small is the tightest of the others worth a search.
                if index.leastFit(ofBucket: at) >= workers { break }
            }
            if let best { return best }
            bucket = index.buckets.first(row: 0, from: at + 1)
        }
        return nil
    }
}

extension DemandIndex {
    @inline(__always)
    func exactFit(workers: Int, scope: Tier, below limit: Fit) -> Fit {
        let milli = need.totalMilli
        if let fit = tightestNodeFit(atLeast: workers) {
            return Fit(tier: .node, slackMilli: (fit - workers) * milli)
        }
        if scope == .node || total < workers || limit < Fit(tier: .domain, slackMilli: 0) { return .none }
        if let fit = tightestDomainFit(atLeast: workers) {
            return Fit(tier: .domain, slackMilli: (fit - workers) * milli)
        }
        if scope == .domain || limit < Fit(tier: .block, slackMilli: 0) { return .none }
        if let fit = blockFit.smallest(atLeast: UInt32(workers)) {
            return Fit(tier: .block, slackMilli: (Int(fit) - workers) * milli)
        }
        if scope == .block { return .none }
        return Fit(tier: .pool, slackMilli: (total - workers) * milli)
    }
}
