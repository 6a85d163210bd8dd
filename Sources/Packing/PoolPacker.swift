// One pool: its free capacity, its indexes and how its nodes are weighed. What changes there: PoolChanges.swift.
// Knows no job, no other pool, and no rule that spans more than one node.

import Model

struct PoolPacker: ~Copyable {
    let layout: Layout
    let shape: NodeShape
    /// An empty node without flags.
    let full: NodeFree
    let columns: NodeColumns
    let shares: ShareColumns
    let sparesPerDomain: Int
    let accelerator: String
    var priceMicroUSDPerGPUHour: Int64
    /// Whether what is paid for is all GPUs of each node on which anything runs, not the GPUs that are held.
    let isBilledByNode: Bool
    private(set) var indexes = Slots<DemandIndex>()
    /// What places for whole GPUs cost in fragmentation, while nodes are not scored.
    private(set) var waste = Waste()
    /// Where single workers do least harm. Slot 0, filled only where a node is more than a count of free GPUs.
    private(set) var scoring = Slots<NodeScoring>()
    /// Wholly free GPUs.
    var gpusFree: Int
    /// Those of them where ordinary work may come.
    var gpusOpen: Int
    /// Shapes [domains] and [blocks]: nodes of which anything is taken.
    let usedInDomain: Column<UInt32>
    let usedInBlock: Column<UInt32>
    /// The same shapes: nodes that are kept for someone, so that no exclusive gang closes their places.
    /// Empty until something is.
    var keptInDomain: Column<UInt32>
    var keptInBlock: Column<UInt32>
    /// Shape [domains]: 1 for what the gang that is being laid out holds already, so that its own work stands in the way
    /// of none of its exclusive places. All 0 between decisions.
    let isOwn: Column<UInt8>
    /// One row: domains of which nothing is taken but by the gang that is being laid out, so that a gang that is exclusive
    /// in its domains finds one without a look at those in use.
    let openDomains: BitRows
    /// Where it shows which fits its nodes have, and as which pool.
    var board: FitBoard?
    var number = 0
    private let handing = HandedInPlace()

    init(tree: PoolLayout, spec: PoolSpec) {
        layout = Layout(tree)
        shape = spec.node
        full = NodeFree(spec.node)
        columns = NodeColumns(nodes: layout.nodes, full: full)
        shares = ShareColumns(nodes: layout.nodes, gpus: shape.gpus, allowsShares: spec.allowsGPUShares)
        sparesPerDomain = spec.sparesPerDomain
        accelerator = spec.accelerator
        priceMicroUSDPerGPUHour = spec.priceMicroUSDPerGPUHour
        isBilledByNode = spec.billing == .node
        gpusFree = layout.nodes * shape.gpus
        gpusOpen = gpusFree
        usedInDomain = Column(count: layout.domains)
        usedInBlock = Column(count: layout.blocks)
        keptInDomain = Column(count: 0)
        keptInBlock = Column(count: 0)
        isOwn = Column(count: layout.domains)
        openDomains = BitRows(rows: 1, width: layout.domains)
        for domain in 0..<layout.domains { openDomains.insert(domain, row: 0) }
        for domain in 0..<layout.domains where sparesPerDomain > 0 {
            for node in spareNodes(domain) { setFlag(.spare, true, node: node) }
        }
    }

    /// A larger pool, or one at another price or billed otherwise, whose first nodes are those of `smaller`, with all that is
    /// taken from them.
    init(growing smaller: borrowing PoolPacker, tree: PoolLayout, spec: PoolSpec) {
        precondition(spec.node == smaller.shape, "a pool grew nodes of another shape")
        precondition(tree.nodeCount >= smaller.layout.nodes, "a pool grew smaller")
        precondition(
            spec.allowsGPUShares != smaller.shares.isEmpty && spec.sparesPerDomain == smaller.sparesPerDomain,
            "a pool grew under other rules")
        self.init(tree: tree, spec: spec)
        columns.copyPrefix(from: smaller.columns)
        shares.copyPrefix(from: smaller.shares)
        recount()
        if smaller.isScored {
            makeScoring()
        }
        for at in 0..<smaller.indexes.count where smaller.indexes.isFilled(at) {
            let lastUse = smaller.indexes[at].lastUse
            makeIndex(smaller.indexes[at].key, perNode: smaller.indexes[at].perNode, at: at)
            indexes[at].lastUse = lastUse
        }
    }

    /// A copy that shares nothing and shows the same on a copy of the board. Cost: its memory.
    init(copying other: borrowing PoolPacker, board: FitBoard) {
        self.board = board
        number = other.number
        layout = Layout(copying: other.layout)
        shape = other.shape
        full = other.full
        columns = NodeColumns(copying: other.columns)
        shares = ShareColumns(copying: other.shares)
        sparesPerDomain = other.sparesPerDomain
        accelerator = other.accelerator
        priceMicroUSDPerGPUHour = other.priceMicroUSDPerGPUHour
        isBilledByNode = other.isBilledByNode
        gpusFree = other.gpusFree
        gpusOpen = other.gpusOpen
        usedInDomain = Column(copying: other.usedInDomain)
        usedInBlock = Column(copying: other.usedInBlock)
        keptInDomain = Column(copying: other.keptInDomain)
        keptInBlock = Column(copying: other.keptInBlock)
        isOwn = Column(copying: other.isOwn)
        openDomains = BitRows(copying: other.openDomains)
        for at in 0..<other.indexes.count where other.indexes.isFilled(at) {
            indexes.put(DemandIndex(copying: other.indexes[at]), at: at)
        }
        waste = Waste(copying: other.waste)
        if other.isScored { scoring.put(NodeScoring(copying: other.scoring[0]), at: 0) }
    }

    /// Counts what follows from the columns again. Cost: the nodes.
    private mutating func recount() {
        gpusFree = 0
        gpusOpen = 0
        for block in 0..<layout.blocks {
            usedInBlock[block] = 0
            for domain in layout.domainRange(block) {
                usedInDomain[domain] = 0
                for node in layout.nodeRange(domain) {
                    let free = columns[node]
                    gpusFree += free.gpus
                    if free.isOpen { gpusOpen += free.gpus }
                    if free.isUsed(full: full) { usedInDomain[domain] += 1 }
                    if free.flags.contains(.reserved) { noteKept(1, true, domain: domain) }
                }
                usedInBlock[block] += usedInDomain[domain]
                noteOpen(domain)
            }
        }
    }

    // MARK: Scoring

    @inline(__always)
    var isScored: Bool { scoring.isFilled(0) }

    /// Tells the mix as this pool sees it. Nodes are scored while the mix has a share, or a worker whose CPU or memory is
    /// more than its share by GPU. Says whether that has changed; the cost then is the nodes.
    mutating func setMix(_ mix: PoolMix) -> Bool {
        let isEven = mix.entries.allSatisfy { entry in
            !entry.need.isShare
                && entry.need.cpuMillis <= shape.cpuMillis * entry.need.gpus / shape.gpus
                && entry.need.memoryMiB <= shape.memoryMiB * entry.need.gpus / shape.gpus
        }
        let wasScored = isScored
        if isEven {
            scoring.remove(at: 0)
            waste = Waste(mix.gangs, nodeGPUs: shape.gpus, domainGPUs: layout.largestDomain * shape.gpus)
            return wasScored
        }
        if !wasScored {
            waste = Waste()
            makeScoring()
        }
        scoring[0].setMix(mix)
        return !wasScored
    }

    /// An unused node, where nodes are paid for as a whole.
    private var unusedState: FreeState? { isBilledByNode ? FreeState(full, gpus: shape.gpus) : nil }

    /// Cost: the nodes; for most of those that are like the one before a few nanoseconds.
    private mutating func makeScoring() {
        scoring.put(NodeScoring(nodes: layout.nodes, unused: unusedState), at: 0)
        var start = 0
        while start < layout.nodes {
            let next = endOfEqual(from: start, upTo: layout.nodes)
            noteState(start)
            if next > start + 1 { scoring[0].note(start + 1..<next, as: start) }
            start = next
        }
    }

    /// The end of the nodes from `start` on that have the same free as it, share by share, at most `end`.
    private func endOfEqual(from start: Int, upTo end: Int) -> Int {
        let next = columns.endOfEqual(from: start, upTo: end)
        if shares.isEmpty { return next }
        var same = start + 1
        while same < next, shares.areEqual(same, start) { same += 1 }
        return same
    }

    /// Takes note of what is free on a node for the scoring.
    func noteState(_ node: Int) {
        let free = columns[node]
        let state = shares.isEmpty ? FreeState(free, gpus: shape.gpus) : FreeState(free, node: node, shares: shares)
        scoring[0].note(node, free.isOpen ? state : nil)
    }

    /// The last nodes of a domain, which ordinary work may not have.
    func spareNodes(_ domain: Int) -> Range<Int> {
        let nodes = layout.nodeRange(domain)
        return max(nodes.lowerBound, nodes.upperBound - sparesPerDomain)..<nodes.upperBound
    }

    // MARK: Needs

    /// What a worker of `demand` takes from a node here, or nil where an empty node cannot hold one.
    /// CPU and memory that the demand leaves out are the node's share by GPU, rounded down.
    func need(of demand: Demand) -> WorkerNeed? {
        guard demand.gpus <= shape.gpus else { return nil }
        if demand.gpuMilli < 1000 && demand.gpus > 0 && shares.isEmpty { return nil }
        let milli = demand.totalMilli
        let cpuMillis = demand.cpuMillis ?? shape.cpuMillis * milli / (1000 * max(1, shape.gpus))
        let memoryMiB = demand.memoryMiB ?? shape.memoryMiB * milli / (1000 * max(1, shape.gpus))
        guard cpuMillis <= shape.cpuMillis, memoryMiB <= shape.memoryMiB else { return nil }
        return WorkerNeed(
            gpus: demand.gpus, gpuMilli: demand.gpus == 1 ? demand.gpuMilli : 1000, cpuMillis: cpuMillis,
            memoryMiB: memoryMiB)
    }

    /// The most workers of a kind that an empty node holds.
    func perNode(_ key: IndexKey) -> Int {
        let need = key.need
        var count = key.mostPerNode
        if need.gpus > 0 { count = min(count, shape.gpus / need.gpus * (need.isShare ? 1000 / need.gpuMilli : 1)) }
        if need.cpuMillis > 0 { count = min(count, shape.cpuMillis / need.cpuMillis) }
        if need.memoryMiB > 0 { count = min(count, shape.memoryMiB / need.memoryMiB) }
        return count / key.quantum * key.quantum
    }

    /// The number of the index for a kind of worker, valid until that is let go, made from the columns where there is none yet. Cost of making: the nodes of the
    /// pool. Precondition: an empty node holds a worker.
    mutating func index(for key: IndexKey) -> Int {
        var empty = indexes.count
        for at in 0..<indexes.count {
            if !indexes.isFilled(at) {
                empty = min(empty, at)
            } else if indexes[at].key == key {
                return at
            }
        }
        makeIndex(key, perNode: perNode(key), at: empty)
        join(index: empty)
        return empty
    }

    private mutating func makeIndex(_ key: IndexKey, perNode: Int, at: Int) {
        indexes.put(DemandIndex(key: key, perNode: perNode, layout: layout, shape: shape), at: at)
        for block in 0..<layout.blocks {
            for domain in layout.domainRange(block) {
                var start = layout.nodeRange(domain).lowerBound
                let end = layout.nodeRange(domain).upperBound
                while start < end {
                    let next =
                        key.need.isShare
                        ? endOfEqual(from: start, upTo: end) : columns.endOfEqual(from: start, upTo: end)
                    let fit = fit(indexes[at], node: start)
                    indexes[at].refresh(start..<next, from: 0, to: fit, domain: domain, block: block)
                    start = next
                }
            }
        }
    }

    /// Workers of an index that fit in a node now, from the columns.
    @inline(__always)
    func fit(_ index: borrowing DemandIndex, node: Int) -> Int {
        index.fit(
            columns[node], shares: index.need.isShare ? shares.fit(node, size: index.need.gpuMilli) : 0)
    }

    var bytes: Int {
        var bytes =
            layout.bytes + columns.bytes + shares.bytes + usedInDomain.bytes + usedInBlock.bytes + keptInDomain.bytes
            + keptInBlock.bytes + isOwn.bytes
            + openDomains.bytes + waste.bytes
            + (isScored ? scoring[0].bytes : 0)
        for at in 0..<indexes.count where indexes.isFilled(at) { bytes += indexes[at].bytes }
        return bytes
    }

    var liveIndexes: Int {
        var count = 0
        for at in 0..<indexes.count where indexes.isFilled(at) { count += 1 }
        return count
    }

    /// Lets go of the index longest unused that `isNeeded` does not claim. False when all are claimed.
    mutating func dropOneIndex(unless isNeeded: (IndexKey) -> Bool) -> Bool {
        var oldest: (use: UInt64, at: Int)?
        for at in 0..<indexes.count where indexes.isFilled(at) && !isNeeded(indexes[at].key) {
            let use = indexes[at].lastUse
            if oldest.map({ use < $0.use }) ?? true { oldest = (use, at) }
        }
        guard let oldest else { return false }
        leave(index: oldest.at)
        indexes.remove(at: oldest.at)
        return true
    }
}
