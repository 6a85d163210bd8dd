// For one kind of worker in one pool: how many of them fit in each node, domain and block right now,
// with domains in buckets by that count. Most decisions read only this and touch no node column.

import Model

/// What one worker takes from a node of this pool, with CPU and memory resolved.
public struct WorkerNeed: Hashable, Sendable {
    public var gpus: Int
    public var cpuMillis: Int
    public var memoryMiB: Int

    public init(gpus: Int, cpuMillis: Int, memoryMiB: Int) {
        self.gpus = gpus
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }
}

/// The index of one worker need over the nodes of one pool.
///
/// Shapes: `nodeFit` [nodes], `domainRows` [domains, 1 + perNode], `blockFit` [blocks],
/// `byFit` a bucket of domains for each fit 0...largest domain fit, `hasNode` a row of domains for each fit of a node.
/// A fit is a count of workers. Memory: a byte a node and about a bit a GPU.
struct DemandIndex: ~Copyable {
    /// Bit v is set while some node fits exactly v workers.
    private(set) var nodeFits: UInt32 = 0
    /// Workers that fit in the whole pool.
    private(set) var total = 0
    /// Workers that fit in an empty node.
    let perNode: Int
    let need: WorkerNeed
    /// The GPUs of an empty node where workers use them up, else 0.
    let fullMask: UInt16
    /// Rising with each use, to let the one longest unused go.
    var lastUse: UInt64 = 0
    /// Which fits of domains occur.
    let fits: BitRows
    let blockFit: Column<UInt32>
    let nodeFit: Column<UInt8>
    /// Domains in buckets by their fit.
    private(set) var byFit: Buckets
    let hasNode: BitRows
    /// Shape [domains, 1 + perNode]: the domain's fit, then how many of its nodes have each fit from 1 on.
    private let domainRows: Column<UInt32>
    private let poolNodesByFit: Column<UInt32>
    /// Workers by free GPUs, where CPU and memory suffice.
    private var gpuFit: InlineArray<17, UInt8>

    init(need: WorkerNeed, perNode: Int, layout: borrowing Layout, shape: NodeShape) {
        precondition(perNode > 0, "no node can hold a worker")
        self.need = need
        self.perNode = perNode
        fullMask =
            perNode * need.gpus == shape.gpus ? UInt16(truncatingIfNeeded: (1 << UInt32(shape.gpus)) - 1) : 0
        nodeFit = Column(count: layout.nodes)
        blockFit = Column(count: layout.blocks)
        domainRows = Column(count: layout.domains * (perNode + 1))
        poolNodesByFit = Column(count: perNode + 1)
        let largest = layout.largestDomain * perNode
        byFit = Buckets(count: largest + 1, width: layout.domains)
        hasNode = BitRows(rows: perNode + 1, width: layout.domains)
        fits = BitRows(rows: 1, width: largest + 1)
        gpuFit = InlineArray(repeating: 0)
        for free in 0...16 { gpuFit[free] = UInt8(free / need.gpus) }
        for domain in 0..<layout.domains { _ = byFit.insert(domain, bucket: 0) }
        if layout.domains > 0 { fits.insert(0, row: 0) }
    }

    var bytes: Int {
        fits.bytes + byFit.bytes + hasNode.bytes + blockFit.bytes + nodeFit.bytes
            + domainRows.bytes + poolNodesByFit.bytes
    }

    /// Workers that fit in a node with so much free.
    @inline(__always)
    func fit(_ free: NodeFree) -> Int {
        let byGPU = Int(gpuFit[free.gpus])
        if !free.isSchedulable { return 0 }
        if byGPU * need.cpuMillis <= Int(free.cpuMillis) && byGPU * need.memoryMiB <= Int(free.memoryMiB) {
            return byGPU
        }
        var fit = byGPU
        if need.cpuMillis > 0 { fit = min(fit, Int(free.cpuMillis) / need.cpuMillis) }
        if need.memoryMiB > 0 { fit = min(fit, Int(free.memoryMiB) / need.memoryMiB) }
        return fit
    }

    /// Brings nodes of one domain up to date that each fitted `oldNode` workers and fit `newNode` now.
    /// Cost: a few words, and a byte a node. The old fit is handed in because reading it here would wait for memory.
    @inline(__always)
    mutating func refresh(_ range: Range<Int>, from oldNode: Int, to newNode: Int, domain: Int, block: Int) {
        if newNode == oldNode { return }
        let nodes = range.count
        nodeFit.fill(range, with: UInt8(newNode))
        let row = domain * (perNode + 1)
        let change = (newNode - oldNode) * nodes
        let old = Int(domainRows[row])
        let new = old + change
        domainRows[row] = UInt32(new)
        if oldNode > 0 {
            let left = domainRows[row + oldNode] - UInt32(nodes)
            domainRows[row + oldNode] = left
            if left == 0 { hasNode.remove(domain, row: oldNode) }
            let leftInPool = poolNodesByFit[oldNode] - UInt32(nodes)
            poolNodesByFit[oldNode] = leftInPool
            if leftInPool == 0 { nodeFits &= ~(1 << UInt32(oldNode)) }
        }
        if newNode > 0 {
            let before = domainRows[row + newNode]
            domainRows[row + newNode] = before + UInt32(nodes)
            if before == 0 { hasNode.insert(domain, row: newNode) }
            poolNodesByFit[newNode] += UInt32(nodes)
            nodeFits |= 1 << UInt32(newNode)
        }
        blockFit[block] = UInt32(Int(blockFit[block]) + change)
        total += change
        if byFit.remove(domain, bucket: old) { fits.remove(old, row: 0) }
        if byFit.insert(domain, bucket: new) { fits.insert(new, row: 0) }
    }

    // MARK: What fits

    /// The most workers that fit in one node now.
    var largestNodeFit: Int { nodeFits == 0 ? 0 : 31 - nodeFits.leadingZeroBitCount }

    /// The most workers that fit in one domain now.
    var largestDomainFit: Int { fits.last(row: 0, from: fits.width - 1) ?? 0 }

    /// The most workers that fit in one block now. Cost: the blocks of the pool.
    var largestBlockFit: Int {
        var largest: UInt32 = 0
        for block in 0..<blockFit.count { largest = max(largest, blockFit[block]) }
        return Int(largest)
    }

    /// The most workers of one gang that fit in one place of `scope` now.
    func largestFit(_ scope: Scope) -> Int {
        switch scope {
        case .node: largestNodeFit
        case .domain: largestDomainFit
        case .block: largestBlockFit
        case .pool: total
        }
    }

    /// The smallest fit of a node that is at least `workers`.
    @inline(__always)
    func tightestNodeFit(atLeast workers: Int) -> Int? {
        if workers > perNode { return nil }
        let candidates = nodeFits & (~0 << UInt32(workers))
        return candidates == 0 ? nil : candidates.trailingZeroBitCount
    }

    /// The smallest fit of a domain that is at least `workers`.
    @inline(__always)
    func tightestDomainFit(atLeast workers: Int) -> Int? { fits.first(row: 0, from: workers) }

    @inline(__always)
    func domainFit(_ domain: Int) -> Int { Int(domainRows[domain * (perNode + 1)]) }

    @inline(__always)
    func nodes(withFit fit: Int, domain: Int) -> Int { Int(domainRows[domain * (perNode + 1) + fit]) }

    /// How many gangs of `workers` fit at once, each in one place of `scope`.
    func gangsThatFit(_ workers: Int, _ scope: Scope) -> Int {
        var count = 0
        switch scope {
        case .node:
            for fit in 1...perNode where fit >= workers { count += Int(poolNodesByFit[fit]) * (fit / workers) }
        case .domain:
            var fit = fits.first(row: 0, from: workers)
            while let size = fit {
                count += byFit.members(size) * (size / workers)
                fit = fits.first(row: 0, from: size + 1)
            }
        case .block:
            for block in 0..<blockFit.count { count += Int(blockFit[block]) / workers }
        case .pool: count = total / workers
        }
        return count
    }
}
