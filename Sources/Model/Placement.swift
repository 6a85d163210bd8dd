// Worker -> node and GPUs, for a whole gang, in eight bytes a run of equal neighbours.

/// A pool's place in the state's table; never given to another pool.
public struct PoolSlot: Hashable, Comparable, Sendable {
    public var index: Int

    public init(_ index: Int) { self.index = index }

    public static func < (left: PoolSlot, right: PoolSlot) -> Bool { left.index < right.index }
}

/// Neighbouring nodes of a pool on each of which a gang holds the same GPUs.
public struct NodeRun: Hashable, Sendable {
    /// Index of the first node in its pool.
    public var node: UInt32
    public var nodeCount: UInt16
    /// One bit a GPU, bit 0 for GPU 0.
    public var gpuMask: UInt16

    public init(node: UInt32, nodeCount: UInt16, gpuMask: UInt16) {
        self.node = node
        self.nodeCount = nodeCount
        self.gpuMask = gpuMask
    }
}

/// Where a gang runs: one pool, and runs of nodes. Workers are numbered in the order of runs, then nodes, then GPUs:
/// a worker of g GPUs holds the next g set bits of its node's mask.
public struct Placement: Hashable, Sendable {
    public var pool: PoolSlot
    /// The smallest tier that holds the whole gang here.
    public var tier: Tier
    public var gpusPerWorker: UInt16
    public var cpuMillisPerWorker: UInt32
    public var memoryMiBPerWorker: UInt32
    public var runs: [NodeRun]

    public init(
        pool: PoolSlot, tier: Tier, gpusPerWorker: UInt16, cpuMillisPerWorker: UInt32, memoryMiBPerWorker: UInt32,
        runs: [NodeRun] = []
    ) {
        self.pool = pool
        self.tier = tier
        self.gpusPerWorker = gpusPerWorker
        self.cpuMillisPerWorker = cpuMillisPerWorker
        self.memoryMiBPerWorker = memoryMiBPerWorker
        self.runs = runs
    }

    /// A placement that holds nothing, to be written over.
    public static let none = Placement(
        pool: PoolSlot(0), tier: .node, gpusPerWorker: 1, cpuMillisPerWorker: 0, memoryMiBPerWorker: 0)

    public var nodeCount: Int { runs.reduce(0) { $0 + Int($1.nodeCount) } }
    public var gpuCount: Int { runs.reduce(0) { $0 + Int($1.nodeCount) * $1.gpuMask.nonzeroBitCount } }
    public var workerCount: Int { gpuCount / Int(gpusPerWorker) }

    public func holds(node: Int) -> Bool {
        runs.contains { Int($0.node) <= node && node < Int($0.node) + Int($0.nodeCount) }
    }

    /// Calls `body` for each node with its mask, in worker order.
    public func forEachNode<E: Error>(_ body: (_ node: Int, _ gpuMask: UInt16) throws(E) -> Void) throws(E) {
        for run in runs {
            for offset in 0..<Int(run.nodeCount) { try body(Int(run.node) + offset, run.gpuMask) }
        }
    }
}
