// The slow and obvious truth about a fleet: what every GPU, CPU and memory of every node has left, and who keeps which
// places to itself. Shares no code with the core and trusts nothing that it is handed.

public import Model

/// A node, with what is free on it.
public struct ShadowNode: Equatable, Sendable {
    public let domain: Int
    public let block: Int
    public let isSpare: Bool
    public var isSchedulable = true
    /// Free thousandths of each GPU.
    public var gpuMilli: [Int]
    public var cpuMillis: Int
    public var memoryMiB: Int

    public var freeMask: UInt16 {
        gpuMilli.indices.reduce(0) { $0 | (gpuMilli[$1] == 1000 ? 1 << UInt16($1) : 0) }
    }

    /// Nothing is taken from it.
    public func isEmpty(_ shape: NodeShape) -> Bool {
        gpuMilli.allSatisfy { $0 == 1000 } && cpuMillis == shape.cpuMillis && memoryMiB == shape.memoryMiB
    }

    /// How many workers of one kind its free capacity holds.
    public func fit(_ need: WorkerNeed) -> Int {
        var fit = Bounds.workersPerNode
        if need.isShare {
            fit = gpuMilli.reduce(0) { $0 + $1 / need.gpuMilli }
        } else if need.gpus > 0 {
            fit = gpuMilli.count { $0 == 1000 } / need.gpus
        }
        if need.cpuMillis > 0 { fit = min(fit, cpuMillis / need.cpuMillis) }
        if need.memoryMiB > 0 { fit = min(fit, memoryMiB / need.memoryMiB) }
        return fit
    }
}

/// A node, domain or block of a pool by its number there, or the pool itself as number 0.
public struct ShadowPlace: Hashable, Sendable {
    public var pool: Int
    public var tier: Tier
    public var index: Int
}

public struct ShadowPool: Sendable {
    public var spec: PoolSpec
    public let layout: PoolLayout
    public var nodes: [ShadowNode] = []

    init(_ spec: PoolSpec, _ layout: PoolLayout) {
        self.spec = spec
        self.layout = layout
        for block in 0..<layout.blockCount {
            for domain in Int(layout.blockStart[block])..<Int(layout.blockStart[block + 1]) {
                let (first, end) = (Int(layout.domainStart[domain]), Int(layout.domainStart[domain + 1]))
                for node in first..<end {
                    nodes.append(
                        ShadowNode(
                            domain: domain, block: block, isSpare: node >= end - spec.sparesPerDomain,
                            gpuMilli: Array(repeating: 1000, count: spec.node.gpus), cpuMillis: spec.node.cpuMillis,
                            memoryMiB: spec.node.memoryMiB))
                }
            }
        }
    }

    /// The number of the place of a tier in which a node stands. Tiers from the pool up are the pool.
    public func place(_ tier: Tier, ofNode node: Int) -> Int {
        switch tier {
        case .node: node
        case .domain: nodes[node].domain
        case .block: nodes[node].block
        case .pool, .region, .provider, .fleet: 0
        }
    }

    public func nodes(in tier: Tier, _ place: Int) -> [Int] {
        nodes.indices.filter { self.place(tier, ofNode: $0) == place }
    }

    /// What one worker takes here; nil where an empty node holds none.
    public func need(of demand: Demand) -> WorkerNeed? {
        let isShare = demand.gpus == 1 && demand.gpuMilli < 1000
        if demand.gpus > spec.node.gpus || isShare && !spec.allowsGPUShares { return nil }
        let milli = demand.gpus * (isShare ? demand.gpuMilli : 1000)
        let need = WorkerNeed(
            gpus: demand.gpus, gpuMilli: isShare ? demand.gpuMilli : 1000,
            cpuMillis: demand.cpuMillis ?? spec.node.cpuMillis * milli / (1000 * spec.node.gpus),
            memoryMiB: demand.memoryMiB ?? spec.node.memoryMiB * milli / (1000 * spec.node.gpus))
        return need.cpuMillis > spec.node.cpuMillis || need.memoryMiB > spec.node.memoryMiB ? nil : need
    }
}

/// Pools by number, as `Packer` holds them.
public struct ShadowFleet: Sendable {
    public private(set) var pools: [ShadowPool?] = []
    /// Domains and blocks that exclusive gangs keep to themselves.
    public private(set) var kept: Set<ShadowPlace> = []

    public init() {}

    /// Puts an empty pool, or grows the one there, whose nodes are the first of the new one.
    public mutating func put(pool number: Int, layout: PoolLayout, spec: PoolSpec) {
        while pools.count <= number { pools.append(nil) }
        var pool = ShadowPool(spec, layout)
        if let smaller = pools[number] {
            for node in smaller.nodes.indices { pool.nodes[node] = smaller.nodes[node] }
        }
        pools[number] = pool
    }

    public mutating func remove(pool number: Int) { pools[number] = nil }

    public mutating func setSchedulable(pool: Int, node: Int, _ isSchedulable: Bool) {
        pools[pool]?.nodes[node].isSchedulable = isSchedulable
    }

    /// Whether a gang may put new workers on a node, were there room.
    public func mayUse(pool number: Int, node: Int, usesSpares: Bool, exclusive: Tier?) -> Bool {
        guard let pool = pools[number] else { return false }
        if !pool.nodes[node].isSchedulable || pool.nodes[node].isSpare && !usesSpares || isKept(number, node) {
            return false
        }
        guard let exclusive else { return true }
        return isEmpty(ShadowPlace(pool: number, tier: exclusive, index: pool.place(exclusive, ofNode: node)))
    }

    /// Whether a node stands in a place that an exclusive gang keeps to itself.
    public func isKept(_ number: Int, _ node: Int) -> Bool {
        guard let pool = pools[number], !kept.isEmpty else { return false }
        return [Tier.domain, .block].contains {
            kept.contains(ShadowPlace(pool: number, tier: $0, index: pool.place($0, ofNode: node)))
        }
    }

    /// Whether nothing is taken in a place.
    public func isEmpty(_ place: ShadowPlace) -> Bool {
        guard let pool = pools[place.pool] else { return false }
        return pool.nodes.indices.allSatisfy {
            pool.place(place.tier, ofNode: $0) != place.index || pool.nodes[$0].isEmpty(pool.spec.node)
        }
    }

    /// The places of a tier in which a placement stands. Precondition: it stands within its pools.
    public func places(_ tier: Tier, of placement: Placement) -> Set<ShadowPlace> {
        var places: Set<ShadowPlace> = []
        for (at, part) in placement.parts.enumerated() {
            guard let pool = pools[part.pool.index] else { continue }
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes {
                    places.insert(
                        ShadowPlace(pool: part.pool.index, tier: tier, index: pool.place(tier, ofNode: node)))
                }
            }
        }
        return places
    }

    // MARK: Taking and giving back

    /// Why a placement cannot be taken; empty where it can.
    public func faults(taking placement: Placement) -> [String] {
        var after = self
        return after.change(placement, isTaking: true)
    }

    /// Takes a placement, or says why that is wrong, after which this fleet is of no more use.
    public mutating func take(_ placement: Placement) -> [String] { change(placement, isTaking: true) }

    /// Gives a placement back, or says why that is wrong, after which this fleet is of no more use.
    public mutating func give(_ placement: Placement) -> [String] { change(placement, isTaking: false) }

    private mutating func change(_ placement: Placement, isTaking: Bool) -> [String] {
        for (at, part) in placement.parts.enumerated() {
            guard part.pool.index < pools.count, let pool = pools[part.pool.index] else { return ["no such pool"] }
            for run in placement.runRange(at) where placement.runs[run].nodes.upperBound > pool.nodes.count {
                return ["a run goes beyond pool \(part.pool.index)"]
            }
        }
        let own = placement.exclusive.map { places($0, of: placement) } ?? []
        if isTaking {
            for (at, part) in placement.parts.enumerated() {
                for run in placement.runRange(at) {
                    for node in placement.runs[run].nodes where isKept(part.pool.index, node) {
                        return ["node \(node) of pool \(part.pool.index) is in a place that another gang keeps"]
                    }
                }
            }
            if let place = own.first(where: { !isEmpty($0) }) { return ["\(place) is not empty"] }
        } else if !own.isSubset(of: kept) {
            return ["a place given back was not kept"]
        }
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes {
                    let fault = change(part.pool.index, node, placement.runs[run], part.need, isTaking ? -1 : 1)
                    if let fault { return ["node \(node) of pool \(part.pool.index): \(fault)"] }
                }
            }
        }
        if isTaking { kept.formUnion(own) } else { kept.subtract(own) }
        return []
    }

    private mutating func change(
        _ number: Int, _ index: Int, _ run: NodeRun, _ need: WorkerNeed, _ sign: Int
    ) -> String? {
        guard var node = pools[number]?.nodes[index], let shape = pools[number]?.spec.node else { return "not there" }
        if need.isShare, pools[number]?.spec.allowsGPUShares == false { return "a share where GPUs are not shared" }
        let workers = Int(run.workers)
        if run.gpuMask >> UInt16(shape.gpus) != 0 && shape.gpus < 16 { return "a GPU beyond the shape" }
        let gpus = (0..<shape.gpus).filter { run.gpuMask >> UInt16($0) & 1 == 1 }
        if gpus.count != (need.isShare ? 1 : workers * need.gpus) { return "\(gpus.count) GPUs for \(workers) workers" }
        for gpu in gpus {
            node.gpuMilli[gpu] += sign * (need.isShare ? workers * need.gpuMilli : 1000)
            if !(0...1000).contains(node.gpuMilli[gpu]) { return "GPU \(gpu) has \(node.gpuMilli[gpu]) left" }
        }
        node.cpuMillis += sign * workers * need.cpuMillis
        node.memoryMiB += sign * workers * need.memoryMiB
        if !(0...shape.cpuMillis).contains(node.cpuMillis) { return "\(node.cpuMillis) CPU left" }
        if !(0...shape.memoryMiB).contains(node.memoryMiB) { return "\(node.memoryMiB) memory left" }
        pools[number]?.nodes[index] = node
        return nil
    }
}
