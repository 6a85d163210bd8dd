// Worker -> node and GPUs, for a whole gang, in twelve bytes a run of equal neighbours; and what that place costs.

/// A pool's place in the state's table; never given to another pool.
public struct PoolSlot: Hashable, Comparable, Sendable {
    public var index: Int

    public init(_ index: Int) { self.index = index }

    public static func < (left: PoolSlot, right: PoolSlot) -> Bool { left.index < right.index }
}

/// What one worker takes from a node of a certain pool, with CPU and memory resolved.
public struct WorkerNeed: Hashable, Sendable {
    public var gpus: Int
    /// Of its one GPU, in thousandths; 1000 where GPUs are taken whole.
    public var gpuMilli: Int
    public var cpuMillis: Int
    public var memoryMiB: Int

    public init(gpus: Int, gpuMilli: Int = 1000, cpuMillis: Int, memoryMiB: Int) {
        self.gpus = gpus
        self.gpuMilli = gpuMilli
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }

    /// Whether a worker takes a part of one GPU.
    public var isShare: Bool { gpus == 1 && gpuMilli < 1000 }
    public var totalMilli: Int { gpus * gpuMilli }
}

/// Neighbouring nodes of a pool on each of which a gang holds the same GPUs for equally many workers.
public struct NodeRun: Hashable, Sendable {
    /// Index of the first node in its pool.
    public var node: UInt32
    public var nodeCount: UInt16
    /// One bit a GPU, bit 0 for GPU 0: those of all workers of a node. One bit for shares of that GPU, none for workers
    /// without GPUs.
    public var gpuMask: UInt16
    /// On each of the nodes.
    public var workers: UInt16

    public init(node: UInt32, nodeCount: UInt16, gpuMask: UInt16, workers: UInt16) {
        self.node = node
        self.nodeCount = nodeCount
        self.gpuMask = gpuMask
        self.workers = workers
    }

    public var nodes: Range<Int> { Int(node)..<Int(node) + Int(nodeCount) }
}

/// The workers of one group in one pool.
public struct PlacementPart: Hashable, Sendable {
    /// Index of the job's worker group.
    public var group: Int
    public var pool: PoolSlot
    public var need: WorkerNeed
    /// The end of this part's runs among those of the placement; they begin where those of the part before end.
    public var runEnd: Int

    public init(group: Int, pool: PoolSlot, need: WorkerNeed, runEnd: Int) {
        self.group = group
        self.pool = pool
        self.need = need
        self.runEnd = runEnd
    }
}

/// What a place costs, by the terms that chose it, in micro-USD per hour.
public struct PlacementCost: Hashable, Sendable {
    /// What the placement adds to the bill, at its pools' prices: the GPUs taken; in a pool billed by the node all GPUs of the
    /// nodes that it opens, of which nothing was taken before, and 0 for others; for an exclusive gang all GPUs that it keeps
    /// from others, however the pool is billed. Told once: it does not change when others come to its nodes or leave them.
    public var price: Int64
    /// The capacity around it that the demand which usually comes can use no more, at its pool's price. Below zero where the
    /// place uses what others could not, so that the total may be below the price. Where one worker opens a node that is billed
    /// as a whole, also what demand to come would cost on such nodes beyond the cheapest of the job's pools of that kind.
    public var fragmentation: Int64
    /// For a tier larger than preferred.
    public var topology: Int64

    public init(price: Int64 = 0, fragmentation: Int64 = 0, topology: Int64 = 0) {
        self.price = price
        self.fragmentation = fragmentation
        self.topology = topology
    }

    public static let zero = PlacementCost()

    public var total: Int64 { price + fragmentation + topology }
}

/// Where a gang runs: parts by group, then pool, and their runs of nodes. The workers of a group are numbered from 0 in
/// the order of its parts, runs, nodes and GPUs: a worker of g whole GPUs holds the next g set bits of its node's mask.
public struct Placement: Hashable, Sendable {
    /// The smallest tier that holds the whole gang here.
    public var tier: Tier
    /// Domain or block: the places of this tier in which the gang stands are kept from other jobs.
    public var exclusive: Tier?
    public var cost: PlacementCost
    public var parts: [PlacementPart]
    public var runs: [NodeRun]

    public init(
        tier: Tier, exclusive: Tier? = nil, cost: PlacementCost = .zero, parts: [PlacementPart] = [],
        runs: [NodeRun] = []
    ) {
        self.tier = tier
        self.exclusive = exclusive
        self.cost = cost
        self.parts = parts
        self.runs = runs
    }

    /// A placement that holds nothing, to be written over.
    public static let none = Placement(tier: .node)

    /// The runs of one part.
    public func runRange(_ part: Int) -> Range<Int> { (part == 0 ? 0 : parts[part - 1].runEnd)..<parts[part].runEnd }

    /// Workers of one part.
    public func workerCount(_ part: Int) -> Int {
        var count = 0
        for run in runRange(part) { count += Int(runs[run].nodeCount) * Int(runs[run].workers) }
        return count
    }

    public var workerCount: Int { runs.reduce(0) { $0 + Int($1.nodeCount) * Int($1.workers) } }

    /// GPU capacity that one part takes, in thousandths of a GPU.
    public func gpuMilli(_ part: Int) -> Int { workerCount(part) * parts[part].need.totalMilli }

    public var gpuMilli: Int { parts.indices.reduce(0) { $0 + gpuMilli($1) } }

    public func holds(node: Int, of pool: PoolSlot) -> Bool {
        for part in parts.indices where parts[part].pool == pool {
            for run in runRange(part) where runs[run].nodes.contains(node) { return true }
        }
        return false
    }
}
