// For one kind of worker in one pool: how many of them fit in each node, domain and block right now,
// with domains in buckets by that count. Most decisions read only this and touch no node column.

import Model

/// What an index counts: workers of one need under the rules that hold within one node.
struct IndexKey: Hashable {
    var need: WorkerNeed
    /// The most workers of a group that may stand in one node.
    var mostPerNode = Bounds.workersPerNode
    /// Workers that must stand in one node together; fits are multiples of it.
    var quantum = 1
    /// Whether spare nodes count.
    var usesSpares = false
}

/// The index of one kind of worker over the nodes of one pool.
///
/// Shapes: `nodeFit` [nodes], `domainRows` [domains, classes], `blockFit` [blocks], `byFit` a bucket of domains for
/// each fit of a domain (for several where they are many), `hasNode` a row of domains for each class of fits of a node.
/// A fit is a count of workers. Memory: two bytes a node and about a bit a GPU.
struct DemandIndex: ~Copyable {
    /// Bit c is set while some node fits a count of class c.
    private(set) var nodeFits: UInt64 = 0
    /// Workers that fit in the whole pool.
    private(set) var total = 0
    /// Workers that fit in an empty node.
    let perNode: Int
    let key: IndexKey
    /// Of the fits of a node, with 0.
    let classes: Int
    /// A domain's bucket is its fit shifted by this: 0 for whole GPUs.
    let shift: Int
    /// The GPUs of an empty node where workers use them up, else 0.
    let fullMask: UInt16
    /// Rising with each use, to let the one longest unused go.
    var lastUse: UInt64 = 0
    /// Which buckets have members.
    let buckets: BitRows
    let blockFit: Column<UInt32>
    let nodeFit: Column<UInt16>
    /// Domains in buckets by their fit.
    private(set) var byFit: Buckets
    let hasNode: BitRows
    /// Shape [domains, classes]: the domain's fit, then how many of its nodes have a fit of each class from 1 on.
    private let domainRows: Column<UInt32>
    private let poolNodesByClass: Column<UInt32>
    /// Workers by free GPUs, where CPU and memory suffice.
    private var gpuFit: InlineArray<17, UInt16>

    /// Most buckets of an index whose fits may be large.
    private static let mostBuckets = 1 << 14

    init(key: IndexKey, perNode: Int, layout: borrowing Layout, shape: NodeShape) {
        precondition(perNode > 0, "no node can hold a worker")
        let need = key.need
        self.key = key
        self.perNode = perNode
        classes = FitClass.of(perNode) + 1
        fullMask =
            !need.isShare && need.gpus > 0 && perNode * need.gpus == shape.gpus
            ? UInt16(truncatingIfNeeded: (1 << UInt32(shape.gpus)) - 1) : 0
        nodeFit = Column(count: layout.nodes)
        blockFit = Column(count: layout.blocks)
        domainRows = Column(count: layout.domains * classes)
        poolNodesByClass = Column(count: classes)
        let largest = layout.largestDomain * perNode
        var shift = 0
        if perNode > FitClass.exact { while largest >> shift >= Self.mostBuckets { shift += 1 } }
        self.shift = shift
        byFit = Buckets(count: largest >> shift + 1, width: layout.domains)
        hasNode = BitRows(rows: classes, width: layout.domains)
        buckets = BitRows(rows: 1, width: largest >> shift + 1)
        gpuFit = InlineArray(repeating: 0)
        for free in 0...16 {
            gpuFit[free] = UInt16(
                need.gpus == 0 ? key.mostPerNode : min(free / need.gpus, key.mostPerNode) / key.quantum * key.quantum)
        }
        for domain in 0..<layout.domains { _ = byFit.insert(domain, bucket: 0) }
        if layout.domains > 0 { buckets.insert(0, row: 0) }
    }

    init(copying other: borrowing DemandIndex) {
        nodeFits = other.nodeFits
        total = other.total
        perNode = other.perNode
        key = other.key
        classes = other.classes
        shift = other.shift
        fullMask = other.fullMask
        lastUse = other.lastUse
        buckets = BitRows(copying: other.buckets)
        blockFit = Column(copying: other.blockFit)
        nodeFit = Column(copying: other.nodeFit)
        byFit = Buckets(copying: other.byFit)
        hasNode = BitRows(copying: other.hasNode)
        domainRows = Column(copying: other.domainRows)
        poolNodesByClass = Column(copying: other.poolNodesByClass)
        gpuFit = other.gpuFit
    }

    var bytes: Int {
        buckets.bytes + byFit.bytes + hasNode.bytes + blockFit.bytes + nodeFit.bytes
            + domainRows.bytes + poolNodesByClass.bytes
    }

    @inline(__always)
    var need: WorkerNeed { key.need }

    /// Workers that fit in a node with so much free, of which `shares` fit in its GPUs where they take shares.
    @inline(__always)
    func fit(_ free: NodeFree, shares: Int = 0) -> Int {
        if !free.isOpen(toSpares: key.usesSpares) { return 0 }
        let byGPU = need.isShare ? min(shares, key.mostPerNode) : Int(gpuFit[free.gpus])
        var fit = byGPU
        if byGPU * need.cpuMillis > Int(free.cpuMillis) { fit = Int(free.cpuMillis) / need.cpuMillis }
        if fit * need.memoryMiB > Int(free.memoryMiB) { fit = Int(free.memoryMiB) / need.memoryMiB }
        return key.quantum == 1 ? fit : fit / key.quantum * key.quantum
    }

    /// Brings nodes of one domain up to date that each fitted `oldNode` workers and fit `newNode` now.
    /// Cost: a few words, and two bytes a node. The old fit is handed in because reading it here would wait for memory.
    @inline(__always)
    mutating func refresh(_ range: Range<Int>, from oldNode: Int, to newNode: Int, domain: Int, block: Int) {
        if newNode == oldNode { return }
        let nodes = range.count
        nodeFit.fill(range, with: UInt16(newNode))
        let row = domain * classes
        let change = (newNode - oldNode) * nodes
        let old = Int(domainRows[row])
        let new = old + change
        domainRows[row] = UInt32(new)
        let (oldClass, newClass) = (FitClass.of(oldNode), FitClass.of(newNode))
        if oldNode > 0 {
            let left = domainRows[row + oldClass] - UInt32(nodes)
            domainRows[row + oldClass] = left
            if left == 0 { hasNode.remove(domain, row: oldClass) }
            let leftInPool = poolNodesByClass[oldClass] - UInt32(nodes)
            poolNodesByClass[oldClass] = leftInPool
            if leftInPool == 0 { nodeFits &= ~(1 << UInt64(oldClass)) }
        }
        if newNode > 0 {
            let before = domainRows[row + newClass]
            domainRows[row + newClass] = before + UInt32(nodes)
            if before == 0 { hasNode.insert(domain, row: newClass) }
            poolNodesByClass[newClass] += UInt32(nodes)
            nodeFits |= 1 << UInt64(newClass)
        }
        blockFit[block] = UInt32(Int(blockFit[block]) + change)
        total += change
        let (oldBucket, newBucket) = (old >> shift, new >> shift)
        if oldBucket == newBucket { return }
        if byFit.remove(domain, bucket: oldBucket) { buckets.remove(oldBucket, row: 0) }
        if byFit.insert(domain, bucket: newBucket) { buckets.insert(newBucket, row: 0) }
    }

    // MARK: What fits

    @inline(__always)
    func domainFit(_ domain: Int) -> Int { Int(domainRows[domain * classes]) }

    @inline(__always)
    func nodes(withClass fitClass: Int, domain: Int) -> Int { Int(domainRows[domain * classes + fitClass]) }

    /// Nodes of the whole pool.
    @inline(__always)
    func nodes(withClass fitClass: Int) -> Int { Int(poolNodesByClass[fitClass]) }

    /// The class of the smallest fit of a node that is at least `workers`, where classes are exact.
    @inline(__always)
    func tightestNodeFit(atLeast workers: Int) -> Int? {
        if workers > perNode { return nil }
        let candidates = nodeFits & (~0 << UInt64(workers))
        return candidates == 0 ? nil : candidates.trailingZeroBitCount
    }

    /// The smallest fit of a domain that is at least `workers`, where buckets are exact.
    @inline(__always)
    func tightestDomainFit(atLeast workers: Int) -> Int? { buckets.first(row: 0, from: workers) }

    /// Whether the fits of nodes and domains are exact in classes and buckets.
    @inline(__always)
    var isExact: Bool { perNode <= FitClass.exact }
}
