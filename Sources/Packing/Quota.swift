// The rules of one group that span nodes: how many of its workers a domain or block may hold, and in what multiples.
// Rules within a node are the index's own (`IndexKey`).

import Model

/// What a domain or block may hold of one group.
struct Quota {
    /// The most workers in one domain.
    var mostPerDomain = Int.max
    /// Workers in one domain are a multiple of this.
    var domainQuantum = 1
    /// Workers in one block are a multiple of this.
    var blockQuantum = 1
    /// Only places of this tier without other work count.
    var exclusive: Tier?

    init(_ group: GangForm.Group, exclusive: Tier?) {
        mostPerDomain = group.spread.workersPerDomain ?? .max
        if let segment = group.segment {
            // Of segments that fill nodes, a domain holds whole ones only.
            if segment.tier <= .domain { domainQuantum = segment.size }
            if segment.tier == .block { blockQuantum = segment.size }
        }
        self.exclusive = exclusive
    }

    private init() {}

    /// No rule at all.
    static let plain = Quota()

    /// Whether all workers that fit may be used.
    var isPlain: Bool { mostPerDomain == .max && domainQuantum == 1 && blockQuantum == 1 && exclusive == nil }

    /// Workers that a domain of this fit may hold.
    @inline(__always)
    func usable(_ fit: Int) -> Int { min(fit, mostPerDomain) / domainQuantum * domainQuantum }

    /// The smallest fit of a domain that may hold so many.
    @inline(__always)
    func leastFit(for workers: Int) -> Int? {
        let rounded = (workers + domainQuantum - 1) / domainQuantum * domainQuantum
        return rounded > mostPerDomain / domainQuantum * domainQuantum ? nil : rounded
    }
}

extension PoolPacker {
    /// Whether a gang that is exclusive in places of `tier` may use a domain: nothing else stands in that place.
    @inline(__always)
    func isOpen(_ domain: Int, to exclusive: Tier?) -> Bool {
        guard let exclusive else { return true }
        if isOwn[domain] == 1 { return true }
        if exclusive != .block { return usedInDomain[domain] == 0 && !isKept(domain) }
        let block = layout.block(of: domain)
        return usedInBlock[block] == 0 && (keptInBlock.count == 0 || keptInBlock[block] == 0)
    }

    /// Whether nothing is taken of the place of an exclusive gang with a domain, whomever it is kept for.
    func isIdle(_ domain: Int, for exclusive: Tier?) -> Bool {
        exclusive == .block ? usedInBlock[layout.block(of: domain)] == 0 : usedInDomain[domain] == 0
    }

    /// Workers that the group may have in one domain now.
    @inline(__always)
    func room(_ index: borrowing DemandIndex, _ quota: Quota, domain: Int) -> Int {
        isOpen(domain, to: quota.exclusive) ? quota.usable(index.domainFit(domain)) : 0
    }

    /// Cost: nothing for a plain quota, else the domains of the block; for an exclusive one those that are open.
    func room(_ index: borrowing DemandIndex, _ quota: Quota, block: Int) -> Int {
        if quota.isPlain { return Int(index.blockFit[block]) }
        if index.blockFit[block] == 0 { return 0 }
        // A block that is not open has no open domain.
        if quota.exclusive == .block, !isOpen(layout.domainRange(block).lowerBound, to: .block) { return 0 }
        var total = 0
        let domains = layout.domainRange(block)
        if quota.exclusive != nil {
            var next = openDomains.first(row: 0, from: domains.lowerBound)
            while let domain = next, domain < domains.upperBound {
                total += room(index, quota, domain: domain)
                next = openDomains.first(row: 0, from: domain + 1)
            }
            return total / quota.blockQuantum * quota.blockQuantum
        }
        for domain in domains { total += room(index, quota, domain: domain) }
        return total / quota.blockQuantum * quota.blockQuantum
    }

    /// Workers that the group may have in the whole pool now.
    func room(_ index: borrowing DemandIndex, _ quota: Quota) -> Int {
        if quota.isPlain { return index.total }
        var total = 0
        if quota.exclusive == nil && quota.blockQuantum == 1 && index.isExact {
            var fit = index.buckets.first(row: 0, from: 1)
            while let size = fit {
                total += index.byFit.members(size) * quota.usable(size)
                fit = index.buckets.first(row: 0, from: size + 1)
            }
            return total
        }
        for block in 0..<layout.blocks { total += room(index, quota, block: block) }
        return total
    }

    /// The most workers that one place of a tier may have now. Tiers from the pool up are the pool.
    func mostRoom(_ index: borrowing DemandIndex, _ quota: Quota, tier: Tier) -> Int {
        switch tier {
        case .node:
            if quota.exclusive == nil { return min(index.largestNodeFit(layout), quota.usable(.max)) }
            var most = 0
            for domain in 0..<layout.domains where isOpen(domain, to: quota.exclusive) {
                if index.domainFit(domain) <= most { continue }
                for node in layout.nodeRange(domain) { most = max(most, Int(index.nodeFit[node])) }
            }
            return min(most, quota.usable(.max))
        case .domain:
            if quota.exclusive == nil && index.isExact {
                return quota.usable(index.buckets.last(row: 0, from: index.buckets.width - 1) ?? 0)
            }
            var most = 0
            for domain in 0..<layout.domains { most = max(most, room(index, quota, domain: domain)) }
            return most
        case .block:
            var most = 0
            for block in 0..<layout.blocks { most = max(most, room(index, quota, block: block)) }
            return most
        case .pool, .region, .provider, .fleet: return room(index, quota)
        }
    }

    /// Whether one place of a tier has room for so many workers now. Cost: a few words for each kind of room that there is;
    /// where fits are not exact, the domains of the largest ones that may or may not be enough; for blocks and pools with a
    /// quota, what is looked at before the room is found.
    func hasRoom(_ index: borrowing DemandIndex, _ quota: Quota, for workers: Int, tier: Tier) -> Bool {
        if index.total < workers { return false }
        switch tier {
        case .node:
            if quota.exclusive == nil { return mostRoom(index, quota, tier: .node) >= workers }
            if workers > quota.usable(.max) { return false }
            return tightestNode(index, atLeast: workers, in: 0..<layout.domains, exclusive: quota.exclusive) != nil
        case .domain: return hasRoomInDomain(index, quota, for: workers)
        case .block:
            for block in 0..<layout.blocks where index.blockFit[block] >= workers {
                if room(index, quota, block: block) >= workers { return true }
            }
            return false
        case .pool, .region, .provider, .fleet:
            if quota.isPlain { return true }
            if quota.exclusive == nil && quota.blockQuantum == 1 && index.isExact {
                return room(index, quota) >= workers
            }
            var total = 0
            for block in 0..<layout.blocks {
                total += room(index, quota, block: block)
                if total >= workers { return true }
            }
            return false
        }
    }

    private func hasRoomInDomain(_ index: borrowing DemandIndex, _ quota: Quota, for workers: Int) -> Bool {
        var bucket = index.buckets.last(row: 0, from: index.buckets.width - 1)
        while let at = bucket, quota.usable(index.mostFit(ofBucket: at)) >= workers {
            let isEnough = quota.usable(index.leastFit(ofBucket: at)) >= workers
            var next = firstDomain(index, at, from: 0, exclusive: quota.exclusive)
            while let domain = next {
                if isEnough || room(index, quota, domain: domain) >= workers { return true }
                next = firstDomain(index, at, from: domain + 1, exclusive: quota.exclusive)
            }
            bucket = at == 0 ? nil : index.buckets.last(row: 0, from: at - 1)
        }
        return false
    }

    /// The most workers of a kind that one empty place of a tier could have, all its nodes ready. Cost: the blocks, or the
    /// domains where there are spares or rules.
    func mostRoomWhenEmpty(_ key: IndexKey, _ quota: Quota, tier: Tier) -> Int {
        let perNode = perNode(key)
        let spares = key.admits.contains(.spare) ? 0 : sparesPerDomain
        func inDomains(_ domains: Range<Int>) -> Int {
            if domains.isEmpty { return 0 }
            if quota.isPlain && spares == 0 {
                let first = layout.nodeRange(domains.lowerBound).lowerBound
                return perNode * (layout.nodeRange(domains.upperBound - 1).upperBound - first)
            }
            var total = 0
            for domain in domains {
                total += quota.usable(perNode * max(0, layout.nodeRange(domain).count - spares))
            }
            return total / quota.blockQuantum * quota.blockQuantum
        }
        switch tier {
        case .node: return layout.largestDomain > spares ? min(perNode, quota.usable(.max)) : 0
        case .domain: return quota.usable(perNode * max(0, layout.largestDomain - spares))
        case .block, .pool, .region, .provider, .fleet:
            var (most, total) = (0, 0)
            for block in 0..<layout.blocks {
                let room = inDomains(layout.domainRange(block))
                most = max(most, room)
                total += room
            }
            return tier == .block ? most : total
        }
    }
}

extension DemandIndex {
    /// The most workers that fit in one node now. Cost: one word where fits are exact, else the nodes of the largest class.
    func largestNodeFit(_ layout: borrowing Layout) -> Int {
        if nodeFits == 0 { return 0 }
        let largest = 63 - nodeFits.leadingZeroBitCount
        if isExact { return largest }
        var most = 0
        var domain = firstDomain(withClass: largest)
        while let at = domain {
            for node in layout.nodeRange(at) { most = max(most, Int(nodeFit[node])) }
            domain = firstDomain(withClass: largest, from: at + 1)
        }
        return most
    }

    /// How many gangs of `workers` fit at once, each in one place of `tier`. For exact fits; for others a lower bound.
    func gangsThatFit(_ workers: Int, _ tier: Tier, _ layout: borrowing Layout) -> Int {
        var count = 0
        switch tier {
        case .node:
            for fitClass in 1..<classes {
                count += nodes(withClass: fitClass) * (FitClass.least(fitClass) / workers)
            }
        case .domain:
            var bucket = buckets.first(row: 0)
            while let at = bucket {
                count += byFit.members(at) * (leastFit(ofBucket: at) / workers)
                bucket = buckets.first(row: 0, from: at + 1)
            }
        case .block:
            for block in 0..<blockFit.count { count += Int(blockFit[block]) / workers }
        case .pool, .region, .provider, .fleet: count = total / workers
        }
        return count
    }
}
