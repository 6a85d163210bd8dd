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
    /// The reasons to keep ordinary work off a node that do not matter here.
    var admits = NodeFree.Flags()
}

/// The index of one kind of worker over the nodes of one pool.
///
/// Shapes: `nodeFit` [nodes], `domainRows` [domains, classes], `blockFit` [blocks], `byFit` a bucket of domains for
/// each fit of a domain (for each class of fits where a node holds many workers), `hasNode` a row of domains for each
/// class of fits of a node. Where every domain is one node, buckets and rows would say the same, so there are no rows.
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
    /// Whether the fits of nodes are exact in classes and those of domains in buckets: they are for whole GPUs.
    let isExact: Bool
    /// Whether every domain is one node.
    let isFlat: Bool
    /// The GPUs of an empty node where workers use them up, else 0.
    let fullMask: UInt16
    /// Rising with each use, to let the one longest unused go.
    var lastUse: UInt64 = 0
    /// Its row on the packer's board, or -1.
    var row = -1
    /// Which buckets have members.
    let buckets: BitRows
    let blockFit: Column<UInt64>
    let nodeFit: Column<UInt16>
    /// Domains in buckets by their fit.
    private(set) var byFit: Buckets
    private let hasNode: BitRows
    /// Shape [domains, classes]: the domain's fit, then how many of its nodes have a fit of each class from 1 on.
    private let domainRows: Column<UInt32>
    private let stride: Int
    private let poolNodesByClass: Column<UInt32>
    /// Workers by free GPUs, where CPU and memory suffice.
    private var gpuFit: InlineArray<17, UInt16>
    private let handing = HandedInPlace()

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
        isExact = perNode <= FitClass.exact
        isFlat = layout.largestDomain == 1
        stride = isFlat ? 1 : classes
        domainRows = Column(count: layout.domains * stride)
        poolNodesByClass = Column(count: classes)
        let largest = layout.largestDomain * perNode
        let count = (isExact ? largest : FitClass.of(largest)) + 1
        byFit = Buckets(count: count, width: layout.domains)
        hasNode = BitRows(rows: isFlat ? 0 : classes, width: layout.domains)
        buckets = BitRows(rows: 1, width: count)
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
        isExact = other.isExact
        isFlat = other.isFlat
        stride = other.stride
        fullMask = other.fullMask
        lastUse = other.lastUse
        row = other.row
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
        if !free.isOpen(to: key.admits) { return 0 }
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
        let row = domain * stride
        let change = (newNode - oldNode) * nodes
        let old = Int(domainRows[row])
        let new = old + change
        domainRows[row] = UInt32(new)
        let (oldClass, newClass) = (FitClass.of(oldNode), FitClass.of(newNode))
        if oldNode > 0 {
            if !isFlat {
                let left = domainRows[row + oldClass] - UInt32(nodes)
                domainRows[row + oldClass] = left
                if left == 0 { hasNode.remove(domain, row: oldClass) }
            }
            let leftInPool = poolNodesByClass[oldClass] - UInt32(nodes)
            poolNodesByClass[oldClass] = leftInPool
            if leftInPool == 0 { nodeFits &= ~(1 << UInt64(oldClass)) }
        }
        if newNode > 0 {
            if !isFlat {
                let before = domainRows[row + newClass]
                domainRows[row + newClass] = before + UInt32(nodes)
                if before == 0 { hasNode.insert(domain, row: newClass) }
            }
            poolNodesByClass[newClass] += UInt32(nodes)
            nodeFits |= 1 << UInt64(newClass)
        }
        blockFit[block] = UInt64(Int(blockFit[block]) + change)
        total += change
        let (oldBucket, newBucket) = (bucket(of: old), bucket(of: new))
        if oldBucket == newBucket { return }
        if byFit.remove(domain, bucket: oldBucket) { buckets.remove(oldBucket, row: 0) }
        if byFit.insert(domain, bucket: newBucket) { buckets.insert(newBucket, row: 0) }
    }

    // MARK: What fits

    @inline(__always)
    func domainFit(_ domain: Int) -> Int { Int(domainRows[domain * stride]) }

    @inline(__always)
    func nodes(withClass fitClass: Int, domain: Int) -> Int {
        isFlat ? (FitClass.of(domainFit(domain)) == fitClass ? 1 : 0) : Int(domainRows[domain * stride + fitClass])
    }

    /// The lowest domain from `start` on that has a node with a fit of a class from 1 on.
    @inline(__always)
    func firstDomain(withClass fitClass: Int, from start: Int = 0) -> Int? {
        isFlat ? byFit.first(fitClass, from: start) : hasNode.first(row: fitClass, from: start)
    }

    /// The same for domains that stand in the only row of `open`.
    func firstDomain(withClass fitClass: Int, from start: Int, in open: borrowing BitRows) -> Int? {
        isFlat
            ? byFit.firstCommon(fitClass, with: open, otherRow: 0, from: start)
            : hasNode.firstCommon(row: fitClass, with: open, otherRow: 0, from: start)
    }

    /// The lowest domain of a bucket that has a node with a fit of a class from 1 on.
    @inline(__always)
    func firstDomain(ofBucket bucket: Int, withClass fitClass: Int) -> Int? {
        isFlat
            ? (bucket == fitClass ? byFit.first(bucket) : nil)
            : byFit.firstCommon(bucket, with: hasNode, otherRow: fitClass)
    }

    /// The bucket of domains of a fit.
    @inline(__always)
    func bucket(of fit: Int) -> Int { isExact ? fit : FitClass.of(fit) }

    /// The smallest fit of the domains of a bucket.
    @inline(__always)
    func leastFit(ofBucket bucket: Int) -> Int { isExact ? bucket : FitClass.least(bucket) }

    /// No domain of a bucket has a larger fit.
    @inline(__always)
    func mostFit(ofBucket bucket: Int) -> Int { isExact ? bucket : FitClass.least(bucket + 1) - 1 }

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
}
