// What the packing core must answer, said as plainly as possible: arrays of structs, no index, everything looked at.
// Shares no code with the core. Slow on purpose.

public import Model

/// A node, with what is free on it.
public struct ReferenceNode: Sendable {
    public let domain: Int
    public let block: Int
    public var gpuMask: UInt16
    public var cpuMillis: Int
    public var memoryMiB: Int
    public var isSchedulable = true

    /// How many workers fit, found by putting one after another.
    func fit(gpus: Int, cpuMillis: Int, memoryMiB: Int) -> Int {
        if !isSchedulable { return 0 }
        var workers = 0
        while (workers + 1) * gpus <= gpuMask.nonzeroBitCount && (workers + 1) * cpuMillis <= self.cpuMillis
            && (workers + 1) * memoryMiB <= self.memoryMiB
        {
            workers += 1
        }
        return workers
    }
}

/// A place for a gang: the GPUs on each node, with what made it the best.
public struct ReferencePlace: Equatable, Sendable {
    public var pool: Int
    public var tier: Tier
    /// GPUs that the tightest place of this tier would leave to workers like these.
    public var slackGPUs: Int
    /// By rising node.
    public var masks: [NodeMask]

    public struct NodeMask: Equatable, Sendable {
        public var node: Int
        public var gpuMask: UInt16

        public init(node: Int, gpuMask: UInt16) {
            self.node = node
            self.gpuMask = gpuMask
        }
    }
}

public struct ReferencePool: Sendable {
    public let shape: NodeShape
    public private(set) var nodes: [ReferenceNode] = []

    init(_ layout: PoolLayout, shape: NodeShape) {
        self.shape = shape
        grow(to: layout)
    }

    fileprivate mutating func grow(to layout: PoolLayout) {
        for block in 0..<layout.blockCount {
            for domain in Int(layout.blockStart[block])..<Int(layout.blockStart[block + 1]) {
                for node in Int(layout.domainStart[domain])..<Int(layout.domainStart[domain + 1])
                where node >= nodes.count {
                    nodes.append(
                        ReferenceNode(
                            domain: domain, block: block, gpuMask: UInt16((1 << UInt32(shape.gpus)) - 1),
                            cpuMillis: shape.cpuMillis, memoryMiB: shape.memoryMiB))
                }
            }
        }
    }

    fileprivate mutating func change(_ node: Int, _ body: (inout ReferenceNode) -> Void) { body(&nodes[node]) }

    /// What one worker takes here, or nil where an empty node holds none.
    public func need(of demand: Demand) -> (gpus: Int, cpuMillis: Int, memoryMiB: Int)? {
        let cpuMillis = demand.cpuMillis ?? shape.cpuMillis * demand.gpus / shape.gpus
        let memoryMiB = demand.memoryMiB ?? shape.memoryMiB * demand.gpus / shape.gpus
        if demand.gpus > shape.gpus || cpuMillis > shape.cpuMillis || memoryMiB > shape.memoryMiB { return nil }
        return (demand.gpus, cpuMillis, memoryMiB)
    }

    /// Workers that fit in each node.
    func fits(_ demand: Demand) -> [Int] {
        guard let need = need(of: demand) else { return nodes.map { _ in 0 } }
        return nodes.map { $0.fit(gpus: need.gpus, cpuMillis: need.cpuMillis, memoryMiB: need.memoryMiB) }
    }

    /// Workers that fit in each place of `scope`.
    public func fits(_ demand: Demand, scope: Scope) -> [Int] {
        var sums = [Int](repeating: 0, count: nodes.count + 1)
        for (node, fit) in fits(demand).enumerated() {
            switch scope {
            case .node: sums[node] += fit
            case .domain: sums[nodes[node].domain] += fit
            case .block: sums[nodes[node].block] += fit
            case .pool: sums[0] += fit
            }
        }
        return sums
    }

    /// The place for a gang, the pool's number left at 0; nil where it does not fit.
    public func place(workers: Int, demand: Demand, scope: Scope) -> ReferencePlace? {
        let fits = fits(demand)
        for tier in Scope.allCases where tier.rawValue <= scope.rawValue {
            let holding = self.fits(demand, scope: tier).enumerated().filter { $0.element >= workers }
            guard let tightest = holding.map(\.element).min() else { continue }
            let domainFits = self.fits(demand, scope: .domain)
            var counts = [Int](repeating: 0, count: nodes.count)
            switch tier {
            case .node:
                let best = holding.map(\.offset).min {
                    (fits[$0], domainFits[nodes[$0].domain], $0) < (fits[$1], domainFits[nodes[$1].domain], $1)
                }
                if let best { counts[best] = workers }
            case .domain:
                let best = holding.map(\.offset).min { (domainFits[$0], $0) < (domainFits[$1], $1) }
                if let best { fill(best, workers, fits, &counts) }
            case .block:
                let blockFits = self.fits(demand, scope: .block)
                let best = holding.map(\.offset).min {
                    (fewestDomains(workers, in: domains(ofBlock: $0), domainFits), blockFits[$0], $0)
                        < (fewestDomains(workers, in: domains(ofBlock: $1), domainFits), blockFits[$1], $1)
                }
                if let best { spread(workers, over: domains(ofBlock: best), fits, domainFits, &counts) }
            case .pool: spread(workers, over: domains(ofBlock: nil), fits, domainFits, &counts)
            }
            return ReferencePlace(
                pool: 0, tier: tier.tier, slackGPUs: (tightest - workers) * demand.gpus,
                masks: counts.indices.filter { counts[$0] > 0 }.map {
                    ReferencePlace.NodeMask(node: $0, gpuMask: lowest(counts[$0] * demand.gpus, of: nodes[$0].gpuMask))
                })
        }
        return nil
    }

    func domains(ofBlock block: Int?) -> [Int] {
        var domains: [Int] = []
        for node in nodes where (block == nil || node.block == block) && domains.last != node.domain {
            domains.append(node.domain)
        }
        return domains
    }

    /// The roomiest domains first give the fewest.
    func fewestDomains(_ workers: Int, in domains: [Int], _ domainFits: [Int]) -> Int {
        var left = workers
        var count = 0
        for fit in domains.map({ domainFits[$0] }).sorted(by: >) where left > 0 && fit > 0 {
            left -= fit
            count += 1
        }
        return count
    }

    /// The roomiest domain whole, again and again, until one domain holds the rest: the tightest such.
    private func spread(
        _ workers: Int, over domains: [Int], _ fits: [Int], _ domainFits: [Int], _ counts: inout [Int]
    ) {
        var left = workers
        var unused = domains
        while left > 0 {
            let holding = unused.filter { domainFits[$0] >= left }
            let next = holding.min { (domainFits[$0], $0) < (domainFits[$1], $1) }
            let roomiest = unused.min { (-domainFits[$0], $0) < (-domainFits[$1], $1) }
            guard let domain = next ?? roomiest else { return }
            let used = min(left, domainFits[domain])
            fill(domain, used, fits, &counts)
            left -= used
            unused.removeAll { $0 == domain }
        }
    }

    /// The roomiest nodes whole as long as they are needed whole, then the tightest node that holds the rest.
    private func fill(_ domain: Int, _ workers: Int, _ fits: [Int], _ counts: inout [Int]) {
        var left = workers
        let all = nodes.indices.filter { nodes[$0].domain == domain }
        for node in all.sorted(by: { (-fits[$0], $0) < (-fits[$1], $1) }) where fits[node] <= left {
            counts[node] = fits[node]
            left -= fits[node]
        }
        let holding = all.filter { counts[$0] == 0 && fits[$0] >= left }
        if left > 0, let last = holding.min(by: { (fits[$0], $0) < (fits[$1], $1) }) { counts[last] = left }
    }

    private func lowest(_ count: Int, of mask: UInt16) -> UInt16 {
        var chosen: UInt16 = 0
        for gpu in 0..<16 where mask >> UInt16(gpu) & 1 == 1 && chosen.nonzeroBitCount < count {
            chosen |= 1 << UInt16(gpu)
        }
        return chosen
    }
}

/// Pools by number, as `Packer` holds them.
public struct ReferencePacker: Sendable {
    public private(set) var pools: [ReferencePool?] = []

    public init() {}

    /// Puts an empty pool, or grows the one there.
    public mutating func put(pool number: Int, layout: PoolLayout, shape: NodeShape) {
        while pools.count <= number { pools.append(nil) }
        if pools[number] == nil {
            pools[number] = ReferencePool(layout, shape: shape)
        } else {
            pools[number]?.grow(to: layout)
        }
    }

    public mutating func remove(pool number: Int) { pools[number] = nil }

    public mutating func setSchedulable(pool: Int, node: Int, _ isSchedulable: Bool) {
        pools[pool]?.change(node) { $0.isSchedulable = isSchedulable }
    }

    /// The lowest rank that holds the gang, in it the smallest tier, then the least left over, then the lowest pool.
    public func find(
        workers: Int, demand: Demand, scope: Scope, pools candidates: [(pool: Int, rank: Int)]
    ) -> ReferencePlace? {
        var best: (rank: Int, place: ReferencePlace)?
        for (number, rank) in candidates {
            guard var place = pools[number]?.place(workers: workers, demand: demand, scope: scope) else { continue }
            place.pool = number
            let key = (rank, place.tier, place.slackGPUs, number)
            if let best, (best.rank, best.place.tier, best.place.slackGPUs, best.place.pool) <= key { continue }
            best = (rank, place)
        }
        return best?.place
    }

    public mutating func take(_ placement: Placement) { change(placement, sign: -1) }

    public mutating func give(_ placement: Placement) { change(placement, sign: 1) }

    private mutating func change(_ placement: Placement, sign: Int) {
        placement.forEachNode { node, gpuMask in
            let workers = gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
            pools[placement.pool.index]?.change(node) {
                $0.gpuMask ^= gpuMask
                $0.cpuMillis += sign * workers * Int(placement.cpuMillisPerWorker)
                $0.memoryMiB += sign * workers * Int(placement.memoryMiBPerWorker)
            }
        }
    }
}
