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
    /// Whether all domains have equally many nodes.
    var isUniform: Bool { uniformDomain > 0 }
    /// Nodes of every block where all have equally many, else 0.
    let nodesPerBlock: Int
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
        var blockSize = 0
        for block in 0..<blocks {
            let (first, end) = (Int(blockStart[block]), Int(blockStart[block + 1]))
            let size = Int(domainStart[end]) - Int(domainStart[first])
            if block == 0 { blockSize = size } else if size != blockSize { blockSize = 0 }
        }
        nodesPerBlock = blockSize
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

    init(copying other: borrowing Layout) {
        nodes = other.nodes
        domains = other.domains
        blocks = other.blocks
        largestDomain = other.largestDomain
        uniformDomain = other.uniformDomain
        nodesPerBlock = other.nodesPerBlock
        domainOfNode = Column(copying: other.domainOfNode)
        domainStart = Column(copying: other.domainStart)
        blockStart = Column(copying: other.blockStart)
        blockOfDomain = Column(copying: other.blockOfDomain)
    }

    var bytes: Int { domainOfNode.bytes + domainStart.bytes + blockStart.bytes + blockOfDomain.bytes }

    @inline(__always)
    func domain(of node: Int) -> Int {
        uniformDomain > 0 ? Int(UInt32(truncatingIfNeeded: node) / uniformDomain) : Int(domainOfNode[node])
    }

    @inline(__always)
    func block(of domain: Int) -> Int { Int(blockOfDomain[domain]) }

    func nodes(ofBlock block: Int) -> Range<Int> {
        Int(domainStart[Int(blockStart[block])])..<Int(domainStart[Int(blockStart[block + 1])])
    }

    @inline(__always)
    func nodeRange(_ domain: Int) -> Range<Int> { Int(domainStart[domain])..<Int(domainStart[domain + 1]) }

    @inline(__always)
    func domainRange(_ block: Int) -> Range<Int> { Int(blockStart[block])..<Int(blockStart[block + 1]) }
}

/// What is free on a node, in one word: two nodes of a pool without shared GPUs are in one state when their words are equal.
struct NodeFree: Equatable {
    /// From the lowest bit: free memory and free CPU of 32 bits each, the mask of wholly free GPUs of 16, then one bit for
    /// each reason why new work may not come.
    var bits: UInt128

    /// Why new work may not come to a node.
    struct Flags: OptionSet, Hashable {
        let rawValue: UInt8

        /// Cordoned, draining or down.
        static let closed = Flags(rawValue: 1)
        /// Kept out of ordinary placement.
        static let spare = Flags(rawValue: 2)
        /// In a place that an exclusive gang holds.
        static let exclusive = Flags(rawValue: 4)
        /// Kept for someone from some time on.
        static let reserved = Flags(rawValue: 8)
    }

    init(bits: UInt128) { self.bits = bits }

    init(_ shape: NodeShape) {
        let low = UInt64(UInt32(shape.cpuMillis)) << 32 | UInt64(UInt32(shape.memoryMiB))
        bits = UInt128((1 << UInt64(shape.gpus)) - 1) << 64 | UInt128(low)
    }

    @inline(__always)
    var memoryMiB: UInt32 { UInt32(truncatingIfNeeded: bits) }

    @inline(__always)
    var cpuMillis: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }

    @inline(__always)
    var gpuMask: UInt16 { UInt16(truncatingIfNeeded: bits >> 64) }

    @inline(__always)
    var gpus: Int { gpuMask.nonzeroBitCount }

    @inline(__always)
    var flags: Flags {
        get { Flags(rawValue: UInt8(truncatingIfNeeded: bits >> 80)) }
        set { bits = bits & ~(0xFF << 80) | UInt128(newValue.rawValue) << 80 }
    }

    /// Whether ordinary work may come.
    @inline(__always)
    var isOpen: Bool { bits >> 80 == 0 }

    /// Whether work may come for which some reasons against it do not matter.
    @inline(__always)
    func isOpen(to admitted: Flags) -> Bool {
        bits >> 80 == 0 || flags.isSubset(of: admitted)
    }

    /// Whether anything is taken of a node that has `full` when empty.
    @inline(__always)
    func isUsed(full: NodeFree) -> Bool { (bits ^ full.bits) << 48 != 0 }

    /// Precondition: all of it is free.
    @inline(__always)
    func without(_ gpuMask: UInt16, cpuMillis: UInt32, memoryMiB: UInt32) -> NodeFree {
        precondition(self.gpuMask & gpuMask == gpuMask, "a GPU would be given twice")
        precondition(self.cpuMillis >= cpuMillis && self.memoryMiB >= memoryMiB, "CPU or memory would be given twice")
        return NodeFree(bits: bits - Self.amount(gpuMask, cpuMillis, memoryMiB))
    }

    /// Precondition: none of it is free, and the sum is no more than `full`.
    @inline(__always)
    func with(_ gpuMask: UInt16, cpuMillis: UInt32, memoryMiB: UInt32, full: NodeFree) -> NodeFree {
        precondition(
            self.gpuMask & gpuMask == 0 && full.gpuMask & gpuMask == gpuMask, "a GPU would be given back twice")
        precondition(
            full.cpuMillis - self.cpuMillis >= cpuMillis && full.memoryMiB - self.memoryMiB >= memoryMiB,
            "CPU or memory would be given back twice")
        return NodeFree(bits: bits + Self.amount(gpuMask, cpuMillis, memoryMiB))
    }

    @inline(__always)
    private static func amount(_ gpuMask: UInt16, _ cpuMillis: UInt32, _ memoryMiB: UInt32) -> UInt128 {
        UInt128(gpuMask) << 64 | UInt128(UInt64(cpuMillis) << 32 | UInt64(memoryMiB))
    }
}

/// Free capacity by node. 16 bytes a node, in one column: a small gang touches one cache line of it where it would touch
/// one in each of four columns.
struct NodeColumns: ~Copyable {
    private let free: Column<UInt128>

    init(nodes: Int, full: NodeFree) {
        free = Column(count: nodes)
        free.fill(0..<nodes, with: full.bits)
    }

    init(copying other: borrowing NodeColumns) { free = Column(copying: other.free) }

    var bytes: Int { free.bytes }

    @inline(__always)
    subscript(node: Int) -> NodeFree { NodeFree(bits: free[node]) }

    @inline(__always)
    func fill(_ nodes: Range<Int>, with value: NodeFree) { free.fill(nodes, with: value.bits) }

    /// The end of the nodes from `start` on that are in the same state as it, at most `end`.
    @inline(__always)
    func endOfEqual(from start: Int, upTo end: Int) -> Int { free.endOfEqual(from: start, upTo: end) }

    func copyPrefix(from other: borrowing NodeColumns) { free.copyPrefix(from: other.free) }
}

/// Free thousandths of each GPU, in a pool that allows shares; nothing in others. Shape [nodes, GPUs of a node].
struct ShareColumns: ~Copyable {
    let gpus: Int
    let isEmpty: Bool
    private let milli: Column<UInt16>

    init(nodes: Int, gpus: Int, allowsShares: Bool) {
        self.gpus = gpus
        isEmpty = !allowsShares
        milli = Column(count: allowsShares ? nodes * gpus : 0)
        if allowsShares { milli.fill(0..<nodes * gpus, with: 1000) }
    }

    init(copying other: borrowing ShareColumns) {
        gpus = other.gpus
        isEmpty = other.isEmpty
        milli = Column(copying: other.milli)
    }

    var bytes: Int { milli.bytes }

    @inline(__always)
    func free(_ node: Int, gpu: Int) -> Int { Int(milli[node * gpus + gpu]) }

    @inline(__always)
    func set(_ node: Int, gpu: Int, to free: Int) { milli[node * gpus + gpu] = UInt16(free) }

    /// Whether two nodes have the same free of each of their GPUs.
    @inline(__always)
    func areEqual(_ left: Int, _ right: Int) -> Bool {
        for gpu in 0..<gpus where milli[left * gpus + gpu] != milli[right * gpus + gpu] { return false }
        return true
    }

    /// How many shares of `size` fit in the GPUs of a node.
    @inline(__always)
    func fit(_ node: Int, size: Int) -> Int {
        var fit = 0
        for gpu in 0..<gpus { fit += free(node, gpu: gpu) / size }
        return fit
    }

    func copyPrefix(from other: borrowing ShareColumns) { milli.copyPrefix(from: other.milli) }
}
