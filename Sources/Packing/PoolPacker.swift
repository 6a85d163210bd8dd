// One pool's free capacity and its indexes; takes and gives back placements and keeps every index true.
// Knows no job, no price and no other pool.

import Model

/// Refers to one `DemandIndex` of a pool; valid until that index is let go.
struct NeedID: Hashable, Sendable {
    var index: Int
}

struct PoolPacker: ~Copyable {
    let layout: Layout
    let shape: NodeShape
    let columns: NodeColumns
    private(set) var indexes = Slots<DemandIndex>()
    private(set) var gpusFree: Int
    private(set) var gpusSchedulable: Int

    init(tree: PoolLayout, shape: NodeShape) {
        layout = Layout(tree)
        self.shape = shape
        columns = NodeColumns(nodes: layout.nodes, shape: shape)
        gpusFree = layout.nodes * shape.gpus
        gpusSchedulable = gpusFree
    }

    /// A larger pool whose first nodes are those of `smaller`, with all that is taken from them.
    init(growing smaller: borrowing PoolPacker, tree: PoolLayout, shape: NodeShape) {
        precondition(shape == smaller.shape, "a pool grew nodes of another shape")
        precondition(tree.nodeCount >= smaller.layout.nodes, "a pool grew smaller")
        self.init(tree: tree, shape: shape)
        columns.copyPrefix(from: smaller.columns)
        gpusFree += smaller.gpusFree - smaller.layout.nodes * shape.gpus
        gpusSchedulable += smaller.gpusSchedulable - smaller.layout.nodes * shape.gpus
        for at in 0..<smaller.indexes.count where smaller.indexes.isFilled(at) {
            let lastUse = smaller.indexes[at].lastUse
            makeIndex(smaller.indexes[at].need, perNode: smaller.indexes[at].perNode, at: at)
            indexes[at].lastUse = lastUse
        }
    }

    // MARK: Needs

    /// What a worker of `demand` takes from a node here, or nil where an empty node cannot hold one.
    /// CPU and memory that the demand leaves out are the node's share by GPU, rounded down.
    func need(of demand: Demand) -> WorkerNeed? {
        guard demand.gpus > 0, demand.gpus <= shape.gpus else { return nil }
        let cpuMillis = demand.cpuMillis ?? shape.cpuMillis * demand.gpus / shape.gpus
        let memoryMiB = demand.memoryMiB ?? shape.memoryMiB * demand.gpus / shape.gpus
        guard cpuMillis <= shape.cpuMillis, memoryMiB <= shape.memoryMiB else { return nil }
        return WorkerNeed(gpus: demand.gpus, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
    }

    /// The most workers of `need` that an empty node holds.
    func perNode(_ need: WorkerNeed) -> Int {
        var count = shape.gpus / need.gpus
        if need.cpuMillis > 0 { count = min(count, shape.cpuMillis / need.cpuMillis) }
        if need.memoryMiB > 0 { count = min(count, shape.memoryMiB / need.memoryMiB) }
        return count
    }

    /// The index for `need`, made from the columns where there is none yet. Cost of making: the nodes of the pool.
    /// Precondition: an empty node holds a worker.
    mutating func index(for need: WorkerNeed) -> NeedID {
        var empty = indexes.count
        for at in 0..<indexes.count {
            if !indexes.isFilled(at) {
                empty = min(empty, at)
            } else if indexes[at].need == need {
                return NeedID(index: at)
            }
        }
        makeIndex(need, perNode: perNode(need), at: empty)
        return NeedID(index: empty)
    }

    private mutating func makeIndex(_ need: WorkerNeed, perNode: Int, at: Int) {
        indexes.put(DemandIndex(need: need, perNode: perNode, layout: layout, shape: shape), at: at)
        for block in 0..<layout.blocks {
            for domain in layout.domainRange(block) {
                var start = layout.nodeRange(domain).lowerBound
                let end = layout.nodeRange(domain).upperBound
                while start < end {
                    let next = columns.endOfEqual(from: start, upTo: end)
                    let fit = indexes[at].fit(columns[start])
                    indexes[at].refresh(start..<next, from: 0, to: fit, domain: domain, block: block)
                    start = next
                }
            }
        }
    }

    var bytes: Int {
        var bytes = layout.bytes + columns.bytes
        for at in 0..<indexes.count where indexes.isFilled(at) { bytes += indexes[at].bytes }
        return bytes
    }

    var liveIndexes: Int {
        var count = 0
        for at in 0..<indexes.count where indexes.isFilled(at) { count += 1 }
        return count
    }

    /// Lets go of the index longest unused that `isNeeded` does not claim. False when all are claimed.
    mutating func dropOneIndex(unless isNeeded: (WorkerNeed) -> Bool) -> Bool {
        var oldest: (use: UInt64, at: Int)?
        for at in 0..<indexes.count where indexes.isFilled(at) && !isNeeded(indexes[at].need) {
            let use = indexes[at].lastUse
            if oldest.map({ use < $0.use }) ?? true { oldest = (use, at) }
        }
        guard let oldest else { return false }
        indexes.remove(at: oldest.at)
        return true
    }

    // MARK: Changes

    /// Whether all that `placement` holds is free, and stands within this pool.
    func canTake(_ placement: Placement) -> Bool {
        if placement.gpusPerWorker == 0 { return false }
        for run in placement.runs {
            let first = Int(run.node)
            if first + Int(run.nodeCount) > layout.nodes { return false }
            let workers = run.gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
            for node in first..<first + Int(run.nodeCount) {
                let free = columns[node]
                if free.gpuMask & run.gpuMask != run.gpuMask { return false }
                if workers * Int(placement.cpuMillisPerWorker) > Int(free.cpuMillis) { return false }
                if workers * Int(placement.memoryMiBPerWorker) > Int(free.memoryMiB) { return false }
            }
        }
        return true
    }

    /// Takes what `placement` holds. Precondition: all of it is free.
    mutating func take(_ placement: Placement) {
        for run in placement.runs { change(run, of: placement, isTaking: true) }
    }

    /// Gives back what `placement` holds. Precondition: none of it is free.
    mutating func give(_ placement: Placement) {
        for run in placement.runs { change(run, of: placement, isTaking: false) }
    }

    /// Changes the nodes of a run, domain by domain, and in each all neighbours in equal state at once: what is the same
    /// for every node stays the same, so they fit the same before and after.
    @inline(__always)
    private mutating func change(_ run: NodeRun, of placement: Placement, isTaking: Bool) {
        let gpus = run.gpuMask.nonzeroBitCount
        let workers = UInt32(gpus) / UInt32(placement.gpusPerWorker)
        let cpuMillis = workers * placement.cpuMillisPerWorker
        let memoryMiB = workers * placement.memoryMiBPerWorker
        let end = Int(run.node) + Int(run.nodeCount)
        var start = Int(run.node)
        var domain = layout.domain(of: start)
        var schedulable = 0
        let full = NodeFree(shape)
        while start < end {
            let domainEnd = min(layout.nodeRange(domain).upperBound, end)
            let block = layout.block(of: domain)
            while start < domainEnd {
                let next = columns.endOfEqual(from: start, upTo: domainEnd)
                let old = columns[start]
                let new =
                    isTaking
                    ? old.without(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
                    : old.with(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB, shape: full)
                columns.fill(start..<next, with: new)
                if old.isSchedulable {
                    schedulable += next - start
                    refresh(start..<next, from: old, to: new, domain: domain, block: block)
                }
                start = next
            }
            domain += 1
        }
        let sign = isTaking ? -gpus : gpus
        gpusFree += sign * Int(run.nodeCount)
        gpusSchedulable += sign * schedulable
    }

    /// Says whether new work may come to a node. What is there stays there.
    mutating func setSchedulable(_ node: Int, _ isSchedulable: Bool) {
        let old = columns[node]
        if old.isSchedulable == isSchedulable { return }
        var new = old
        new.isSchedulable = isSchedulable
        columns.fill(node..<node + 1, with: new)
        gpusSchedulable += isSchedulable ? old.gpus : -old.gpus
        let domain = layout.domain(of: node)
        refresh(node..<node + 1, from: old, to: new, domain: domain, block: layout.block(of: domain))
    }

    /// Brings every index up to date with nodes of one domain that all went from one state to another.
    @inline(__always)
    private func refresh(_ range: Range<Int>, from old: NodeFree, to new: NodeFree, domain: Int, block: Int) {
        for at in 0..<indexes.count where indexes.isFilled(at) {
            indexes[at].refresh(
                range, from: indexes[at].fit(old), to: indexes[at].fit(new), domain: domain, block: block)
        }
    }
}
