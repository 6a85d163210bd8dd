// Free capacity of the nodes of one pool, as columns, and the layout they follow.

import Model

/// Counts and boundaries of a pool's tree, as the core reads them.
struct Layout: ~Copyable {
    let nodes: Int
    let domains: Int
    let blocks: Int
    /// Nodes of the largest domain.
    let largestDomain: Int
    /// Nodes of every domain where all have equally many, else 0.
    private let uniformDomain: UInt32
    /// Shape [nodes] where domains differ in size, else nothing.
    private let domainOfNode: Column<UInt32>
    /// Shapes [domains + 1] and [blocks + 1], as in `PoolLayout`.
    private let domainStart: Column<UInt32>
    private let blockStart: Column<UInt32>
    /// Shape [domains].
    private let blockOfDomain: Column<UInt32>

    init(_ tree: PoolLayout) {
        nodes = tree.nodeCount
        domains = tree.domainCount
        blocks = tree.blockCount
        domainStart = Column(count: domains + 1)
        blockStart = Column(count: blocks + 1)
        blockOfDomain = Column(count: domains)
        for domain in 0...domains { domainStart[domain] = tree.domainStart[domain] }
        for block in 0...blocks { blockStart[block] = tree.blockStart[block] }
        for block in 0..<blocks {
            blockOfDomain.fill(Int(blockStart[block])..<Int(blockStart[block + 1]), with: UInt32(block))
        }
        var largest: UInt32 = 0
        var smallest = UInt32.max
        for domain in 0..<domains {
            let count = domainStart[domain + 1] - domainStart[domain]
            largest = max(largest, count)
            smallest = min(smallest, count)
        }
        largestDomain = Int(largest)
        uniformDomain = largest == smallest ? largest : 0
        domainOfNode = Column(count: uniformDomain > 0 ? 0 : nodes)
        if uniformDomain > 0 { return }
        for domain in 0..<domains {
            domainOfNode.fill(Int(domainStart[domain])..<Int(domainStart[domain + 1]), with: UInt32(domain))
        }
    }

    @inline(__always)
    func domain(of node: Int) -> Int {
        uniformDomain > 0 ? Int(UInt32(truncatingIfNeeded: node) / uniformDomain) : Int(domainOfNode[node])
    }

    @inline(__always)
    func block(of domain: Int) -> Int { Int(blockOfDomain[domain]) }

    @inline(__always)
    func nodeRange(_ domain: Int) -> Range<Int> { Int(domainStart[domain])..<Int(domainStart[domain + 1]) }

    @inline(__always)
    func domainRange(_ block: Int) -> Range<Int> { Int(blockStart[block])..<Int(blockStart[block + 1]) }
}

/// What is free on a node.
struct NodeFree {
    var gpuMask: UInt16
    var cpuMillis: UInt32
    var memoryMiB: UInt32
    var isSchedulable: Bool
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
        freeGPUs.fill(0..<nodes, with: UInt16(truncatingIfNeeded: (1 << UInt32(shape.gpus)) - 1))
        freeCPUMillis.fill(0..<nodes, with: UInt32(shape.cpuMillis))
        freeMemoryMiB.fill(0..<nodes, with: UInt32(shape.memoryMiB))
    }

    @inline(__always)
    subscript(node: Int) -> NodeFree {
        NodeFree(
            gpuMask: freeGPUs[node], cpuMillis: freeCPUMillis[node], memoryMiB: freeMemoryMiB[node],
            isSchedulable: isSchedulable(node))
    }

    /// The end of the nodes from `start` on that are in the same state as it, at most `end`.
    @inline(__always)
    func endOfEqual(from start: Int, upTo end: Int) -> Int {
        if end == start + 1 { return end }
        var end = freeGPUs.endOfEqual(from: start, upTo: end)
        end = freeCPUMillis.endOfEqual(from: start, upTo: end)
        end = freeMemoryMiB.endOfEqual(from: start, upTo: end)
        return unschedulable.endOfEqual(from: start, upTo: end)
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
