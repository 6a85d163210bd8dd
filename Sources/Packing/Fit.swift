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

    @inline(__always)
    var slackMilli: Int { Int(key & (1 << 48 - 1)) }

    /// Whether nothing can fit better.
    @inline(__always)
    var isPerfect: Bool { key == 0 }

    @inline(__always)
    static func < (left: Fit, right: Fit) -> Bool { left.key < right.key }
}

/// The place that a pool offers to a gang.
struct Offer {
    var fit: Fit
    /// How much more is wasted around that place.
    var rise: Int64 = 0

    static let none = Offer(fit: .none)
}

extension PoolPacker {
    /// How well `workers` fit within a tier, or `Fit.none` where they do not, or not better than `limit`. At the tier of
    /// blocks this is the fit of the tightest block, though the gang may go to another one where it needs fewer domains.
    /// Within the tier it is the place with the least waste, then the tightest. Cost: a few words, the fits that occur where
    /// the mix is known, and the blocks where no domain holds the gang.
    @inline(__always)
    func offer(_ index: Int, workers: Int, scope: Tier, below limit: Fit) -> Offer {
        indexes[index].isExact
            ? indexes[index].exactOffer(workers: workers, scope: scope, below: limit, waste)
            : Offer(fit: looseFit(indexes[index], workers: workers, scope: scope))
    }

    /// No offer of the index to so many workers has a smaller rise. Cost: a few words.
    @inline(__always)
    func leastRise(_ index: Int, workers: Int) -> Int64 {
        if waste.isEmpty || indexes[index].need.isShare { return 0 }
        let taken = workers * indexes[index].need.gpus
        return indexes[index].isExact && indexes[index].tightestNodeFit(atLeast: workers) != nil
            ? waste.leastRiseInNode(taken: taken) : waste.leastRiseInDomain(taken: taken)
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
        if let fit = index.blockFit.smallest(atLeast: UInt64(workers)) {
            return Fit(tier: .block, slackMilli: (Int(fit) - workers) * milli)
        }
        return scope == .block ? .none : Fit(tier: .pool, slackMilli: (index.total - workers) * milli)
    }

    /// The lowest node of the smallest class of fits that holds `workers`, in the fullest domain where the whole pool is
    /// looked at. Exact fits: the smallest fit. In a pool billed by the node a used node goes before all others.
    func tightestNode(
        _ index: borrowing DemandIndex, atLeast workers: Int, in domains: Range<Int>, exclusive: Tier? = nil
    ) -> Int? {
        if isBilledByNode && exclusive == nil {
            let used = tightestNode(index, atLeast: workers, in: domains, exclusive: nil, mustBeUsed: true)
            if let used { return used }
        }
        return tightestNode(index, atLeast: workers, in: domains, exclusive: exclusive, mustBeUsed: false)
    }

    /// `mustBeUsed` says whether only nodes count of which something is taken.
    private func tightestNode(
        _ index: borrowing DemandIndex, atLeast workers: Int, in domains: Range<Int>, exclusive: Tier?,
        mustBeUsed: Bool
    ) -> Int? {
        if workers > index.perNode { return nil }
        var classes = index.nodeFits & (~0 << UInt64(FitClass.of(workers)))
        while classes != 0 {
            let fitClass = classes.trailingZeroBitCount
            classes &= classes - 1
            var next = firstDomain(index, withClass: fitClass, from: domains.lowerBound, exclusive: exclusive)
            while let domain = next, domain < domains.upperBound {
                next = firstDomain(index, withClass: fitClass, from: domain + 1, exclusive: exclusive)
                if mustBeUsed && usedInDomain[domain] == 0 { continue }
                var best: Int?
                for node in layout.nodeRange(domain) where !mustBeUsed || isUsed(node) {
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
            var next = firstDomain(index, at, from: domains.lowerBound, exclusive: exclusive)
            while let domain = next, domain < domains.upperBound {
                next = firstDomain(index, at, from: domain + 1, exclusive: exclusive)
                let fit = index.domainFit(domain)
                if fit < workers { continue }
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
    /// Most fits of domains that are looked at for the least waste.
    private static let mostFits = 64

    @inline(__always)
    func exactOffer(workers: Int, scope: Tier, below limit: Fit, _ waste: borrowing Waste) -> Offer {
        if let tightest = tightestNodeFit(atLeast: workers) {
            return nodeOffer(workers: workers, tightest: tightest, waste)
        }
        if scope == .node || total < workers || limit < Fit(tier: .domain, slackMilli: 0) { return .none }
        if let tightest = tightestDomainFit(atLeast: workers) {
            return domainOffer(workers: workers, tightest: tightest, waste)
        }
        if scope == .domain || limit < Fit(tier: .block, slackMilli: 0) { return .none }
        let milli = need.totalMilli
        if let fit = blockFit.smallest(atLeast: UInt64(workers)) {
            return Offer(fit: Fit(tier: .block, slackMilli: (Int(fit) - workers) * milli))
        }
        if scope == .block { return .none }
        return Offer(fit: Fit(tier: .pool, slackMilli: (total - workers) * milli))
    }

    @inline(__always)
    private func nodeOffer(workers: Int, tightest: Int, _ waste: borrowing Waste) -> Offer {
        var best = tightest
        var rise: Int64 = 0
        if !waste.isEmpty && !need.isShare {
            let taken = workers * need.gpus
            rise = waste.riseInNode(free: tightest * need.gpus, taken: taken)
            var others = nodeFits & (~1 << UInt64(tightest))
            while others != 0 {
                let fit = others.trailingZeroBitCount
                others &= others - 1
                let other = waste.riseInNode(free: fit * need.gpus, taken: taken)
                if other < rise { (best, rise) = (fit, other) }
            }
        }
        return Offer(fit: Fit(tier: .node, slackMilli: (best - workers) * need.totalMilli), rise: rise)
    }

    @inline(__always)
    private func domainOffer(workers: Int, tightest: Int, _ waste: borrowing Waste) -> Offer {
        var best = tightest
        var rise: Int64 = 0
        if !waste.isEmpty && !need.isShare {
            let taken = workers * need.gpus
            rise = waste.riseInDomain(free: tightest * need.gpus, taken: taken)
            let least = waste.leastRiseInDomain(taken: taken)
            var next = buckets.first(row: 0, from: tightest + 1)
            var left = Self.mostFits
            while rise > least, left > 0, let fit = next {
                let other = waste.riseInDomain(free: fit * need.gpus, taken: taken)
                if other < rise { (best, rise) = (fit, other) }
                next = buckets.first(row: 0, from: fit + 1)
                left -= 1
            }
        }
        return Offer(fit: Fit(tier: .domain, slackMilli: (best - workers) * need.totalMilli), rise: rise)
    }
}
