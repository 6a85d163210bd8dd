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
/// Shapes: `nodeFit` [nodes], `nodesByFit` [domains * perNode], `domainFit` [domains], `blockFit` [blocks],
/// `byFit` a row of domains for each fit 0...largest domain fit, `hasNode` a row of domains for each fit of a node.
/// A fit is a count of workers. Memory: a byte a node and about a bit a GPU.
final class DemandIndex {
    let need: WorkerNeed
    /// Workers that fit in an empty node.
    let perNode: Int
    /// Rising with each use, to let the one longest unused go.
    var lastUse: UInt64 = 0

    let nodeFit: Column<UInt8>
    let domainFit: Column<UInt32>
    let blockFit: Column<UInt32>
    private let nodesByFit: Column<UInt16>
    private let poolNodesByFit: Column<UInt32>
    /// Bit v is set while some node fits exactly v workers.
    private(set) var nodeFits: UInt32 = 0
    let byFit: BitRows
    let hasNode: BitRows
    /// How many domains have each fit, and which fits occur.
    let domainsWithFit: Column<UInt32>
    let fits: BitRows
    private(set) var total = 0
    private let gpuFit: Column<UInt8>

    init(need: WorkerNeed, perNode: Int, layout: Layout) {
        self.need = need
        self.perNode = perNode
        nodeFit = Column(count: layout.nodes)
        domainFit = Column(count: layout.domains)
        blockFit = Column(count: layout.blocks)
        nodesByFit = Column(count: layout.domains * perNode)
        poolNodesByFit = Column(count: perNode + 1)
        let largest = layout.largestDomain * perNode
        byFit = BitRows(rows: largest + 1, width: layout.domains)
        hasNode = BitRows(rows: perNode + 1, width: layout.domains)
        domainsWithFit = Column(count: largest + 1)
        fits = BitRows(rows: 1, width: largest + 1)
        gpuFit = Column(count: 17)
        for free in 0...16 { gpuFit[free] = UInt8(free / need.gpus) }
        for domain in 0..<layout.domains { byFit.insert(domain, row: 0) }
        domainsWithFit[0] = UInt32(layout.domains)
        if layout.domains > 0 { fits.insert(0, row: 0) }
    }

    /// Workers that fit in a node with so much free.
    @inline(__always)
    func fit(freeGPUs: Int, cpuMillis: UInt32, memoryMiB: UInt32) -> Int {
        let byGPU = Int(gpuFit[freeGPUs])
        if byGPU * need.cpuMillis <= Int(cpuMillis) && byGPU * need.memoryMiB <= Int(memoryMiB) { return byGPU }
        var fit = byGPU
        if need.cpuMillis > 0 { fit = min(fit, Int(cpuMillis) / need.cpuMillis) }
        if need.memoryMiB > 0 { fit = min(fit, Int(memoryMiB) / need.memoryMiB) }
        return fit
    }

    /// Brings the nodes `range` of one domain up to date with the columns. Cost: the nodes of the range.
    @inline(__always)
    func refresh(_ range: Range<Int>, domain: Int, block: Int, columns: borrowing NodeColumns) {
        var change = 0
        for node in range {
            let old = Int(nodeFit[node])
            let new =
                columns.isSchedulable(node)
                ? fit(
                    freeGPUs: columns.freeGPUs[node].nonzeroBitCount, cpuMillis: columns.freeCPUMillis[node],
                    memoryMiB: columns.freeMemoryMiB[node])
                : 0
            if new == old { continue }
            nodeFit[node] = UInt8(new)
            change += new - old
            if old > 0 { dropNode(fit: old, domain: domain) }
            if new > 0 { addNode(fit: new, domain: domain) }
        }
        if change == 0 { return }
        let old = Int(domainFit[domain])
        let new = old + change
        domainFit[domain] = UInt32(new)
        blockFit[block] = UInt32(Int(blockFit[block]) + change)
        total += change
        byFit.remove(domain, row: old)
        byFit.insert(domain, row: new)
        domainsWithFit[old] -= 1
        if domainsWithFit[old] == 0 { fits.remove(old, row: 0) }
        domainsWithFit[new] += 1
        if domainsWithFit[new] == 1 { fits.insert(new, row: 0) }
    }

    @inline(__always)
    private func dropNode(fit: Int, domain: Int) {
        let at = domain * perNode + fit - 1
        let left = nodesByFit[at] - 1
        nodesByFit[at] = left
        if left == 0 { hasNode.remove(domain, row: fit) }
        poolNodesByFit[fit] -= 1
        if poolNodesByFit[fit] == 0 { nodeFits &= ~(1 << UInt32(fit)) }
    }

    @inline(__always)
    private func addNode(fit: Int, domain: Int) {
        let at = domain * perNode + fit - 1
        let count = nodesByFit[at] + 1
        nodesByFit[at] = count
        if count == 1 { hasNode.insert(domain, row: fit) }
        poolNodesByFit[fit] += 1
        if poolNodesByFit[fit] == 1 { nodeFits |= 1 << UInt32(fit) }
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

    func nodes(withFit fit: Int, domain: Int) -> Int { Int(nodesByFit[domain * perNode + fit - 1]) }

    func poolNodes(withFit fit: Int) -> Int { Int(poolNodesByFit[fit]) }
}
