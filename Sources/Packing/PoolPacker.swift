// One pool's free capacity and its indexes; takes and gives back the parts of placements and keeps every index true.
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
    private(set) var gpusFree: Int
    /// Those of them where ordinary work may come.
    private(set) var gpusOpen: Int
    /// Shapes [domains] and [blocks]: nodes of which anything is taken.
    let usedInDomain: Column<UInt32>
    let usedInBlock: Column<UInt32>
    /// The same shapes: nodes that are kept for someone, so that no exclusive gang closes their places.
    /// Empty until something is.
    private(set) var keptInDomain: Column<UInt32>
    private(set) var keptInBlock: Column<UInt32>
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
    private func noteState(_ node: Int) {
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

    // MARK: Changes

    /// Whether all that a run holds is free, and stands within this pool.
    func canTake(_ run: NodeRun, of need: WorkerNeed) -> Bool {
        if run.nodeCount == 0 || run.workers == 0 || run.nodes.upperBound > layout.nodes { return false }
        let workers = Int(run.workers)
        let milli = workers * need.gpuMilli
        if need.isShare && (run.gpuMask.nonzeroBitCount != 1 || shares.isEmpty || milli > 1000) { return false }
        if !need.isShare && run.gpuMask.nonzeroBitCount != workers * need.gpus { return false }
        if run.gpuMask & ~full.gpuMask != 0 { return false }
        for node in run.nodes {
            let free = columns[node]
            if workers * need.cpuMillis > Int(free.cpuMillis) { return false }
            if workers * need.memoryMiB > Int(free.memoryMiB) { return false }
            if need.isShare {
                if shares.free(node, gpu: run.gpuMask.trailingZeroBitCount) < milli { return false }
            } else if free.gpuMask & run.gpuMask != run.gpuMask {
                return false
            }
        }
        return true
    }

    /// Takes what a run holds, or gives it back. Precondition: all of it is free, or none of it.
    ///
    /// Nodes change domain by domain, and in each all neighbours in equal state at once: what is the same for every node
    /// stays the same, so they fit the same before and after.
    @inline(__always)
    mutating func change(_ run: NodeRun, of need: WorkerNeed, isTaking: Bool) {
        if need.isShare || !shares.isEmpty { return changeSharing(run, of: need, isTaking: isTaking) }
        let gpus = run.gpuMask.nonzeroBitCount
        let cpuMillis = UInt32(Int(run.workers) * need.cpuMillis)
        let memoryMiB = UInt32(Int(run.workers) * need.memoryMiB)
        let end = run.nodes.upperBound
        var start = run.nodes.lowerBound
        var domain = layout.domain(of: start)
        var open = 0
        while start < end {
            let domainEnd = min(layout.nodeRange(domain).upperBound, end)
            let block = layout.block(of: domain)
            while start < domainEnd {
                let next = columns.endOfEqual(from: start, upTo: domainEnd)
                let old = columns[start]
                let new =
                    isTaking
                    ? old.without(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
                    : old.with(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB, full: full)
                columns.fill(start..<next, with: new)
                if old.isOpen { open += next - start }
                noteUse(start..<next, from: old, to: new, domain: domain, block: block)
                refresh(start..<next, from: old, to: new, domain: domain, block: block)
                start = next
            }
            domain += 1
        }
        let sign = isTaking ? -gpus : gpus
        gpusFree += sign * Int(run.nodeCount)
        gpusOpen += sign * open
    }

    /// The same in a pool that allows shares: node by node, for equal words say nothing of shares.
    private mutating func changeSharing(_ run: NodeRun, of need: WorkerNeed, isTaking: Bool) {
        let cpuMillis = UInt32(Int(run.workers) * need.cpuMillis)
        let memoryMiB = UInt32(Int(run.workers) * need.memoryMiB)
        for node in run.nodes {
            let old = columns[node]
            var mask = run.gpuMask
            if need.isShare {
                let gpu = mask.trailingZeroBitCount
                let before = shares.free(node, gpu: gpu)
                let milli = Int(run.workers) * need.gpuMilli
                let after = before + (isTaking ? -milli : milli)
                precondition(0 <= after && after <= 1000, "a share of a GPU would be given twice")
                shares.set(node, gpu: gpu, to: after)
                // The mask holds wholly free GPUs only.
                mask = (before == 1000) != (after == 1000) ? mask : 0
            } else {
                for gpu in 0..<shape.gpus where mask >> UInt16(gpu) & 1 == 1 {
                    shares.set(node, gpu: gpu, to: isTaking ? 0 : 1000)
                }
            }
            let new =
                isTaking
                ? old.without(mask, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
                : old.with(mask, cpuMillis: cpuMillis, memoryMiB: memoryMiB, full: full)
            columns.fill(node..<node + 1, with: new)
            let gpus = new.gpus - old.gpus
            gpusFree += gpus
            if old.isOpen { gpusOpen += gpus }
            let domain = layout.domain(of: node)
            let block = layout.block(of: domain)
            noteUse(node..<node + 1, from: old, to: new, domain: domain, block: block)
            refreshSharing(node, domain: domain, block: block)
        }
    }

    @inline(__always)
    private func noteUse(_ nodes: Range<Int>, from old: NodeFree, to new: NodeFree, domain: Int, block: Int) {
        let (was, isNow) = (old.isUsed(full: full), new.isUsed(full: full))
        if was == isNow { return }
        let change = isNow ? UInt32(nodes.count) : 0 &- UInt32(nodes.count)
        let before = usedInDomain[domain]
        let after = before &+ change
        usedInDomain[domain] = after
        usedInBlock[block] &+= change
        if before == 0 || after == 0 { noteOpen(domain) }
    }

    /// Brings the row of open domains up to date with one of them.
    private func noteOpen(_ domain: Int) {
        if usedInDomain[domain] == 0 && !isKept(domain) || isOwn[domain] == 1 {
            openDomains.insert(domain, row: 0)
        } else {
            openDomains.remove(domain, row: 0)
        }
    }

    /// Marks the places in which a run of an exclusive gang stands as its own, or clears the marks.
    func setOwn(_ run: NodeRun, _ exclusive: Tier?, _ isSet: Bool) {
        let domains = layout.domain(of: run.nodes.lowerBound)...layout.domain(of: run.nodes.upperBound - 1)
        for domain in exclusiveDomains(domains, exclusive) {
            isOwn[domain] = isSet ? 1 : 0
            noteOpen(domain)
        }
    }

    /// Sets or clears one reason why new work may not come to a node. What is there stays there.
    mutating func setFlag(_ flag: NodeFree.Flags, _ isSet: Bool, node: Int) {
        let old = columns[node]
        var new = old
        if isSet { new.flags.insert(flag) } else { new.flags.remove(flag) }
        if new == old { return }
        columns.fill(node..<node + 1, with: new)
        gpusOpen += (new.isOpen ? old.gpus : 0) - (old.isOpen ? old.gpus : 0)
        let domain = layout.domain(of: node)
        let block = layout.block(of: domain)
        if flag == .reserved { noteKept(1, isSet, domain: domain) }
        if shares.isEmpty {
            refresh(node..<node + 1, from: old, to: new, domain: domain, block: block)
        } else {
            refreshSharing(node, domain: domain, block: block)
        }
    }

    /// Whether a domain has nodes that are kept for someone.
    @inline(__always)
    func isKept(_ domain: Int) -> Bool { keptInDomain.count > 0 && keptInDomain[domain] > 0 }

    private mutating func noteKept(_ nodes: Int, _ isSet: Bool, domain: Int) {
        if keptInDomain.count == 0 {
            keptInDomain = Column(count: layout.domains)
            keptInBlock = Column(count: layout.blocks)
        }
        let change = isSet ? UInt32(nodes) : 0 &- UInt32(nodes)
        keptInDomain[domain] &+= change
        keptInBlock[layout.block(of: domain)] &+= change
        noteOpen(domain)
    }

    /// The same for neighbouring nodes, all that are in equal state at once.
    mutating func setFlag(_ flag: NodeFree.Flags, _ isSet: Bool, nodes: Range<Int>) {
        var start = nodes.lowerBound
        if !shares.isEmpty {
            for node in nodes { setFlag(flag, isSet, node: node) }
            return
        }
        while start < nodes.upperBound {
            let domain = layout.domain(of: start)
            let domainEnd = min(layout.nodeRange(domain).upperBound, nodes.upperBound)
            let next = columns.endOfEqual(from: start, upTo: domainEnd)
            let old = columns[start]
            var new = old
            if isSet { new.flags.insert(flag) } else { new.flags.remove(flag) }
            if new != old {
                columns.fill(start..<next, with: new)
                if flag == .reserved { noteKept(next - start, isSet, domain: domain) }
                gpusOpen += ((new.isOpen ? old.gpus : 0) - (old.isOpen ? old.gpus : 0)) * (next - start)
                refresh(start..<next, from: old, to: new, domain: domain, block: layout.block(of: domain))
            }
            start = next
        }
    }

    /// Brings every index up to date with nodes of one domain that all went from one state to another.
    @inline(__always)
    private func refresh(_ range: Range<Int>, from old: NodeFree, to new: NodeFree, domain: Int, block: Int) {
        if isScored { for node in range { noteState(node) } }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            let fits = indexes[at].nodeFits
            indexes[at].refresh(
                range, from: indexes[at].fit(old), to: indexes[at].fit(new), domain: domain, block: block)
            if indexes[at].nodeFits != fits { note(index: at, from: fits) }
        }
    }

    private func refreshSharing(_ node: Int, domain: Int, block: Int) {
        if isScored { noteState(node) }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            let fit = fit(indexes[at], node: node)
            let fits = indexes[at].nodeFits
            indexes[at].refresh(
                node..<node + 1, from: Int(indexes[at].nodeFit[node]), to: fit, domain: domain, block: block)
            if indexes[at].nodeFits != fits { note(index: at, from: fits) }
        }
    }
}
