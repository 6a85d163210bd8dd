// One pool's free capacity and its indexes; takes and gives back placements and keeps every index true.
// Knows no job, no price and no other pool.

import Model

/// Refers to one `DemandIndex` of a pool; valid until that index is let go.
struct NeedID: Hashable, Sendable {
    var index: Int
}

final class PoolPacker {
    let layout: Layout
    let shape: NodeShape
    let columns: NodeColumns
    private(set) var indexes: [DemandIndex?] = []
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
    convenience init(growing smaller: PoolPacker, tree: PoolLayout) {
        self.init(tree: tree, shape: smaller.shape)
        columns.copyPrefix(from: smaller.columns)
        gpusFree += smaller.gpusFree - smaller.layout.nodes * shape.gpus
        gpusSchedulable += smaller.gpusSchedulable - smaller.layout.nodes * shape.gpus
        for index in smaller.indexes {
            indexes.append(index.map { makeIndex($0.need, perNode: $0.perNode) })
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
    func index(for need: WorkerNeed) -> NeedID {
        var empty: Int?
        for at in indexes.indices {
            guard let index = indexes[at] else {
                empty = empty ?? at
                continue
            }
            if index.need == need { return NeedID(index: at) }
        }
        let made = makeIndex(need, perNode: perNode(need))
        if let empty {
            indexes[empty] = made
            return NeedID(index: empty)
        }
        indexes.append(made)
        return NeedID(index: indexes.count - 1)
    }

    private func makeIndex(_ need: WorkerNeed, perNode: Int) -> DemandIndex {
        let index = DemandIndex(need: need, perNode: perNode, layout: layout)
        for block in 0..<layout.blocks {
            for domain in layout.domainRange(block) {
                index.refresh(layout.nodeRange(domain), domain: domain, block: block, columns: columns)
            }
        }
        return index
    }

    @inline(__always)
    subscript(id: NeedID) -> DemandIndex {
        guard let index = indexes[id.index] else { preconditionFailure("a demand index was used after it was let go") }
        return index
    }

    var liveIndexes: Int { indexes.count { $0 != nil } }

    /// Lets go of the index longest unused that `isNeeded` does not claim. False when all are claimed.
    func dropOneIndex(unless isNeeded: (NeedID) -> Bool) -> NeedID? {
        var oldest: (use: UInt64, at: Int)?
        for (at, index) in indexes.enumerated() {
            guard let index, !isNeeded(NeedID(index: at)) else { continue }
            if oldest.map({ index.lastUse < $0.use }) ?? true { oldest = (index.lastUse, at) }
        }
        guard let oldest else { return nil }
        indexes[oldest.at] = nil
        return NeedID(index: oldest.at)
    }

    // MARK: Changes

    /// Whether all that `placement` holds is free, and stands within this pool.
    func canTake(_ placement: Placement) -> Bool {
        if placement.gpusPerWorker == 0 { return false }
        for run in placement.runs {
            if Int(run.node) + Int(run.nodeCount) > layout.nodes { return false }
            let workers = run.gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
            for node in nodes(of: run) {
                if columns.freeGPUs[node] & run.gpuMask != run.gpuMask { return false }
                if workers * Int(placement.cpuMillisPerWorker) > Int(columns.freeCPUMillis[node]) { return false }
                if workers * Int(placement.memoryMiBPerWorker) > Int(columns.freeMemoryMiB[node]) { return false }
            }
        }
        return true
    }

    /// Takes what `placement` holds. Precondition: all of it is free.
    func take(_ placement: Placement) {
        for run in placement.runs {
            let workers = run.gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
            let cpuMillis = UInt32(workers) * placement.cpuMillisPerWorker
            let memoryMiB = UInt32(workers) * placement.memoryMiBPerWorker
            for node in nodes(of: run) {
                let free = columns.freeGPUs[node]
                precondition(free & run.gpuMask == run.gpuMask, "a GPU would be given twice")
                columns.freeGPUs[node] = free & ~run.gpuMask
                columns.freeCPUMillis[node] -= cpuMillis
                columns.freeMemoryMiB[node] -= memoryMiB
                if columns.isSchedulable(node) { gpusSchedulable -= run.gpuMask.nonzeroBitCount }
            }
            gpusFree -= Int(run.nodeCount) * run.gpuMask.nonzeroBitCount
            refresh(nodes(of: run))
        }
    }

    /// Gives back what `placement` holds. Precondition: none of it is free.
    func give(_ placement: Placement) {
        for run in placement.runs {
            let workers = run.gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
            let cpuMillis = UInt32(workers) * placement.cpuMillisPerWorker
            let memoryMiB = UInt32(workers) * placement.memoryMiBPerWorker
            for node in nodes(of: run) {
                let free = columns.freeGPUs[node]
                precondition(free & run.gpuMask == 0, "a GPU would be given back twice")
                columns.freeGPUs[node] = free | run.gpuMask
                columns.freeCPUMillis[node] += cpuMillis
                columns.freeMemoryMiB[node] += memoryMiB
                if columns.isSchedulable(node) { gpusSchedulable += run.gpuMask.nonzeroBitCount }
            }
            gpusFree += Int(run.nodeCount) * run.gpuMask.nonzeroBitCount
            refresh(nodes(of: run))
        }
    }

    /// Says whether new work may come to a node. What is there stays there.
    func setSchedulable(_ node: Int, _ isSchedulable: Bool) {
        if columns.isSchedulable(node) == isSchedulable { return }
        columns.setSchedulable(node, isSchedulable)
        let free = columns.freeGPUs[node].nonzeroBitCount
        gpusSchedulable += isSchedulable ? free : -free
        refresh(node..<node + 1)
    }

    @inline(__always)
    private func nodes(of run: NodeRun) -> Range<Int> { Int(run.node)..<Int(run.node) + Int(run.nodeCount) }

    /// Brings every index up to date over neighbouring nodes, domain by domain.
    private func refresh(_ range: Range<Int>) {
        var start = range.lowerBound
        while start < range.upperBound {
            let domain = layout.domain(of: start)
            let end = min(layout.nodeRange(domain).upperBound, range.upperBound)
            let block = layout.tree.block(ofDomain: domain)
            for at in 0..<indexes.count {
                guard let index = indexes[at] else { continue }
                index.refresh(start..<end, domain: domain, block: block, columns: columns)
            }
            start = end
        }
    }
}
