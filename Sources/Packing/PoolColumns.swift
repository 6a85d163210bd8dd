// Free capacity of the nodes of one pool, as columns, and the layout they follow.

import Model

/// Counts and boundaries of a pool's tree, as the core reads them.
struct Layout {
    let nodes: Int
    let domains: Int
    let blocks: Int
    /// Nodes of the largest domain.
    let largestDomain: Int
    /// Nodes of every domain where all have equally many, else 0.
    let uniformDomain: Int
    let tree: PoolLayout

    init(_ tree: PoolLayout) {
        self.tree = tree
        nodes = tree.nodeCount
        domains = tree.domainCount
        blocks = tree.blockCount
        var largest = 0
        var smallest = Int.max
        for domain in 0..<domains {
            let count = Int(tree.domainStart[domain + 1] - tree.domainStart[domain])
            largest = max(largest, count)
            smallest = min(smallest, count)
        }
        largestDomain = largest
        uniformDomain = largest == smallest ? largest : 0
    }

    @inline(__always)
    func domain(of node: Int) -> Int { uniformDomain > 0 ? node / uniformDomain : tree.domain(ofNode: node) }

    @inline(__always)
    func nodeRange(_ domain: Int) -> Range<Int> {
        uniformDomain > 0
            ? domain * uniformDomain..<(domain + 1) * uniformDomain
            : Int(tree.domainStart[domain])..<Int(tree.domainStart[domain + 1])
    }

    func domainRange(_ block: Int) -> Range<Int> { Int(tree.blockStart[block])..<Int(tree.blockStart[block + 1]) }
}

/// Free capacity by node: a mask of free GPUs, free CPU and memory, and whether new work may come. 11 bytes a node.
struct NodeColumns: ~Copyable {
    let freeGPUs: Column<UInt16>
    let freeCPUMillis: Column<UInt32>
    let freeMemoryMiB: Column<UInt32>
    private let unschedulable: Column<UInt8>

    init(nodes: Int, shape: NodeShape) {
        freeGPUs = Column(count: nodes)
        freeCPUMillis = Column(count: nodes)
        freeMemoryMiB = Column(count: nodes)
        unschedulable = Column(count: nodes)
        let all = UInt16(truncatingIfNeeded: (1 << UInt32(shape.gpus)) - 1)
        for node in 0..<nodes {
            freeGPUs[node] = all
            freeCPUMillis[node] = UInt32(shape.cpuMillis)
            freeMemoryMiB[node] = UInt32(shape.memoryMiB)
        }
    }

    @inline(__always)
    func isSchedulable(_ node: Int) -> Bool { unschedulable[node] == 0 }

    func setSchedulable(_ node: Int, _ isSchedulable: Bool) { unschedulable[node] = isSchedulable ? 0 : 1 }

    func copyPrefix(from other: borrowing NodeColumns) {
        freeGPUs.copyPrefix(from: other.freeGPUs)
        freeCPUMillis.copyPrefix(from: other.freeCPUMillis)
        freeMemoryMiB.copyPrefix(from: other.freeMemoryMiB)
        unschedulable.copyPrefix(from: other.unschedulable)
    }
}
