// Which nodes a plain gang of whole GPUs gets where the usual demand is not known: the tightest place of the smallest
// tier, the fewest domains, the lowest index. Arrays of numbers, everything looked at, no index.

import Model
public import Packing

/// The GPUs on each node of a pool that a gang gets, by rising node.
public struct ReferencePlace: Equatable, Sendable {
    public var pool: Int
    public var masks: [NodeMask]

    public init(pool: Int, masks: [NodeMask]) {
        self.pool = pool
        self.masks = masks
    }

    public struct NodeMask: Equatable, Sendable {
        public var node: Int
        public var gpuMask: UInt16

        public init(node: Int, gpuMask: UInt16) {
            self.node = node
            self.gpuMask = gpuMask
        }
    }
}

extension ReferencePacker {
    /// The place for a gang of one group of whole GPUs without any rule, in the pools of one rank.
    public func choice(_ form: GangForm, _ candidates: [Candidate]) -> ReferencePlace? {
        typealias Key = (cost: Int64, tier: Tier, slack: Int, price: Int64, pool: Int)
        var best: (key: Key, candidate: Candidate)?
        for candidate in candidates {
            guard case .fits(let fit) = fit(form, candidate), let cost = fit.cost, let needs = needs(form, candidate)
            else { continue }
            // Of the place of this tier that would be left with least.
            let rooms = room(form, 0, candidate, tier: fit.tier).filter { $0 >= needs[0].least }
            let slack = ((rooms.min() ?? 0) - needs[0].least) * needs[0].need.gpus
            let key = (cost, fit.tier, slack, candidate.priceMicroUSDPerGPUHour, candidate.pool)
            if best.map({ key < $0.key }) ?? true { best = (key, candidate) }
        }
        guard let best else { return nil }
        return place(form, best.candidate, tier: best.key.tier)
    }

    /// The place for a gang as above in one pool. Precondition: some place of this tier holds it, and none of a smaller one.
    func place(_ form: GangForm, _ candidate: Candidate, tier: Tier) -> ReferencePlace? {
        guard let needs = needs(form, candidate), let pool = fleet.pools[candidate.pool] else { return nil }
        let domainOfNode = pool.nodes.map(\.domain)
        let fits = Fits(
            nodes: room(form, 0, candidate, tier: .node), domains: room(form, 0, candidate, tier: .domain),
            blocks: room(form, 0, candidate, tier: .block), domainOfNode: domainOfNode,
            opens: pool.nodes.map { pool.spec.billing == .node && $0.isEmpty(pool.spec.node) })
        let blockOfDomain = Dictionary(pool.nodes.map { ($0.domain, $0.block) }) { $1 }
        let counts = fits.counts(needs[0].least, tier: tier, blockOfDomain: blockOfDomain)
        let masks = counts.indices.filter { counts[$0] > 0 }.map { node in
            ReferencePlace.NodeMask(
                node: node, gpuMask: lowest(counts[node] * needs[0].need.gpus, of: pool.nodes[node].freeMask))
        }
        return ReferencePlace(pool: candidate.pool, masks: masks)
    }

    /// The price of the nodes that one plain group opens in a pool billed by the node; nil where it is not known which.
    func openingPrice(_ form: GangForm, _ candidate: Candidate, tier: Tier) -> Int64? {
        guard let needs = needs(form, candidate), let pool = fleet.pools[candidate.pool], form.isPlain else {
            return nil
        }
        let node = Int64(pool.spec.node.gpus) * candidate.priceMicroUSDPerGPUHour
        if tier == .node {
            let rooms = room(form, 0, candidate, tier: .node)
            let isOpen = rooms.indices.contains {
                rooms[$0] >= needs[0].least && !pool.nodes[$0].isEmpty(pool.spec.node)
            }
            return isOpen ? 0 : node
        }
        if needs[0].need.isShare || needs[0].need.gpus == 0 { return nil }
        return place(form, candidate, tier: tier).map { place in
            node * Int64(place.masks.count { pool.nodes[$0.node].isEmpty(pool.spec.node) })
        }
    }

    private func lowest(_ count: Int, of mask: UInt16) -> UInt16 {
        var chosen: UInt16 = 0
        for gpu in 0..<16 where mask >> UInt16(gpu) & 1 == 1 && chosen.nonzeroBitCount < count {
            chosen |= 1 << UInt16(gpu)
        }
        return chosen
    }
}

extension GangForm {
    /// One group without any rule beyond its scope.
    public var isPlain: Bool {
        groups.count == 1 && split == nil && exclusive == nil && groups[0].segment == nil && groups[0].spread == .none
    }
}

/// Workers that fit in each node, domain and block of a pool.
private struct Fits {
    let nodes: [Int]
    let domains: [Int]
    let blocks: [Int]
    let domainOfNode: [Int]
    /// Whether each node is empty in a pool that is billed by the node; others go before it.
    let opens: [Bool]

    /// Workers on each node of the best place of a tier. Precondition: some place of that tier holds them.
    func counts(_ workers: Int, tier: Tier, blockOfDomain: [Int: Int]) -> [Int] {
        var counts = [Int](repeating: 0, count: nodes.count)
        let allDomains = Set(domainOfNode).sorted()
        switch tier {
        case .node:
            let best = nodes.indices.filter { nodes[$0] >= workers }.min {
                (opens[$0] ? 1 : 0, nodes[$0], domains[domainOfNode[$0]], $0)
                    < (opens[$1] ? 1 : 0, nodes[$1], domains[domainOfNode[$1]], $1)
            }
            if let best { counts[best] = workers }
        case .domain:
            let best = allDomains.filter { domains[$0] >= workers }.min { (domains[$0], $0) < (domains[$1], $1) }
            if let best { fill(best, workers, &counts) }
        case .block:
            func domainsOf(_ block: Int) -> [Int] { allDomains.filter { blockOfDomain[$0] == block } }
            let best = blocks.indices.filter { blocks[$0] >= workers }.min {
                (fewestDomains(workers, in: domainsOf($0)), blocks[$0], $0)
                    < (fewestDomains(workers, in: domainsOf($1)), blocks[$1], $1)
            }
            if let best { spread(workers, over: domainsOf(best), &counts) }
        case .pool, .region, .provider, .fleet: spread(workers, over: allDomains, &counts)
        }
        return counts
    }

    /// The roomiest domains first give the fewest.
    private func fewestDomains(_ workers: Int, in domains: [Int]) -> Int {
        var left = workers
        var count = 0
        for fit in domains.map({ self.domains[$0] }).sorted(by: >) where left > 0 && fit > 0 {
            left -= fit
            count += 1
        }
        return count
    }

    /// The roomiest domain whole, again and again, until one domain holds the rest: the tightest such.
    private func spread(_ workers: Int, over some: [Int], _ counts: inout [Int]) {
        var left = workers
        var unused = some
        while left > 0 {
            let holding = unused.filter { domains[$0] >= left }
            let next = holding.min { (domains[$0], $0) < (domains[$1], $1) }
            let roomiest = unused.min { (-domains[$0], $0) < (-domains[$1], $1) }
            guard let domain = next ?? roomiest else { return }
            let used = min(left, domains[domain])
            fill(domain, used, &counts)
            left -= used
            unused.removeAll { $0 == domain }
        }
    }

    /// The roomiest nodes whole as long as they are needed whole, then the tightest node that holds the rest; nodes that the
    /// gang would open only after all others.
    private func fill(_ domain: Int, _ workers: Int, _ counts: inout [Int]) {
        var left = workers
        for areOpened in [false, true] {
            let all = nodes.indices.filter { domainOfNode[$0] == domain && opens[$0] == areOpened }
            for node in all.sorted(by: { (-nodes[$0], $0) < (-nodes[$1], $1) }) where nodes[node] <= left {
                counts[node] = nodes[node]
                left -= nodes[node]
            }
            let holding = all.filter { counts[$0] == 0 && nodes[$0] >= left }
            if left > 0, let last = holding.min(by: { (nodes[$0], $0) < (nodes[$1], $1) }) {
                counts[last] = left
                return
            }
        }
    }
}
