// Whether a gang could have a place were nothing else there: on all nodes of a pool, or on those that are ready now.
// Counts nodes by place and proves from the sizes of workers alone that some gangs need more; reads no free capacity.

import Model
import Packing

/// The most nodes that one place of each tier has.
struct PlaceSizes {
    private var domain = 0
    private var block = 0
    private var pool = 0

    /// Counts the nodes of a pool for which `counts` says yes.
    init(_ layout: PoolLayout, _ counts: (_ domain: Range<Int>) -> Int) {
        for blockIndex in 0..<layout.blockCount {
            var inBlock = 0
            for domainIndex in Int(layout.blockStart[blockIndex])..<Int(layout.blockStart[blockIndex + 1]) {
                let nodes = Int(layout.domainStart[domainIndex])..<Int(layout.domainStart[domainIndex + 1])
                let inDomain = counts(nodes)
                domain = max(domain, inDomain)
                inBlock += inDomain
            }
            block = max(block, inBlock)
            pool += inBlock
        }
    }

    func most(_ scope: Tier) -> Int {
        switch scope {
        case .node: min(pool, 1)
        case .domain: domain
        case .block: block
        case .pool, .region, .provider, .fleet: pool
        }
    }
}

/// The sizes of a pool's places, counted when first asked for after a change of the pool.
struct IdleNodes {
    let revision: UInt64
    /// With spare nodes, and without them.
    private let all: (with: PlaceSizes, without: PlaceSizes)
    private let ready: (with: PlaceSizes, without: PlaceSizes)

    init(_ record: PoolRecord) {
        revision = record.revision
        let spares = record.spec.sparesPerDomain
        func ordinary(_ domain: Range<Int>) -> Range<Int> {
            domain.lowerBound..<max(domain.lowerBound, domain.upperBound - spares)
        }
        func ready(_ nodes: Range<Int>) -> Int { record.nodeStates[nodes].count { $0 == .ready } }
        all = (PlaceSizes(record.layout) { $0.count }, PlaceSizes(record.layout) { ordinary($0).count })
        self.ready = (PlaceSizes(record.layout, ready), PlaceSizes(record.layout) { ready(ordinary($0)) })
    }

    /// All nodes of the pool that are ready.
    var readyCount: Int { ready.with.most(.pool) }

    /// The most nodes of one place of the form's scope that its gang may use.
    func most(for form: GangForm, ready isReady: Bool) -> Int {
        let sizes = isReady ? ready : all
        return (form.usesSpares ? sizes.with : sizes.without).most(form.scope)
    }
}

extension Engine {
    /// False where it is proved that the least gang, or with a split the least that one pool may hold of it, needs more nodes than
    /// one place of its scope has in a target: of all nodes, or of those that are ready now. Several groups may pass that fit
    /// each alone and not together, for only laying them out in every way would tell.
    /// Rules that span nodes are not asked; `Packer.mostWhenEmpty` knows those. Cost: the groups times a few hundred.
    mutating func couldHold(_ key: ShapeKey, _ gang: Gang, target: Int, ready isReady: Bool) -> Bool {
        let pool = gang.targets[target].pool
        let nodes = idleNodes(of: pool).most(for: gang.form, ready: isReady)
        var least = LeastNodes(state.pools[pool].spec.node)
        if gang.form.split != nil {
            let lead = gang.form.groups[gang.lead]
            return least.fits(gang.targets[target].workers, of: lead, gang.targets[target].need, nodes: nodes)
        }
        for group in gang.form.groups.indices {
            guard let need = packer.need(of: gang.form.groups[group].demand, pool: pool),
                least.fits(
                    leastWorkers(key, group, pool: pool), of: gang.form.groups[group], need, nodes: nodes)
            else { return false }
        }
        return least.fits(nodes: nodes)
    }

    /// The sizes of a pool's places. Cost: the nodes, once after a change of the pool.
    mutating func idleNodes(of pool: Int) -> IdleNodes {
        while idleNodes.count <= pool { idleNodes.append(nil) }
        if let known = idleNodes[pool], known.revision == state.pools[pool].revision { return known }
        let counted = IdleNodes(state.pools[pool])
        idleNodes[pool] = counted
        return counted
    }

    /// The least workers of a group in a pool that may hold the gang, at the speed of its accelerator.
    func leastWorkers(_ key: ShapeKey, _ group: Int, pool: Int) -> Int {
        let speed = key.accelerators.preference(for: state.pools[pool].spec.accelerator)?.speedMilli ?? 1000
        return key.form.workers(group, speedMilli: speed).lowerBound
    }
}

/// How many equal empty nodes some groups need at least.
///
/// For each of GPUs, CPU and memory, workers are measured by functions under which what fits in a node together is never more
/// than the node: so the sum over all workers bounds the nodes from below (dual feasible functions: Fekete and Schepers, "New
/// classes of fast lower bounds for bin packing problems", 2001).
private struct LeastNodes {
    /// What some workers take each of one thing that a node has.
    private struct Item {
        let workers: Int
        let size: Int
    }

    private let shape: NodeShape
    private var milli: [Item] = []
    private var cpuMillis: [Item] = []
    private var memoryMiB: [Item] = []

    /// Beyond this rounding no worker of whole GPUs becomes larger.
    private static let mostParts = 16

    init(_ shape: NodeShape) { self.shape = shape }

    /// Adds a group. False where it alone needs more nodes.
    mutating func fits(_ workers: Int, of group: GangForm.Group, _ need: WorkerNeed, nodes: Int) -> Bool {
        milli.append(Item(workers: workers, size: need.totalMilli))
        cpuMillis.append(Item(workers: workers, size: need.cpuMillis))
        memoryMiB.append(Item(workers: workers, size: need.memoryMiB))
        let fit = fit(group, need)
        return workers == 0 || fit > 0 && (workers + fit - 1) / fit <= nodes
    }

    /// The most workers of a group in one node.
    private func fit(_ group: GangForm.Group, _ need: WorkerNeed) -> Int {
        var fit = min(group.spread.workersPerNode ?? .max, group.spread.workersPerDomain ?? .max)
        if need.gpus > 0 { fit = min(fit, shape.gpus / need.gpus * (need.isShare ? 1000 / need.gpuMilli : 1)) }
        if need.cpuMillis > 0 { fit = min(fit, shape.cpuMillis / need.cpuMillis) }
        if need.memoryMiB > 0 { fit = min(fit, shape.memoryMiB / need.memoryMiB) }
        guard let segment = group.segment, segment.tier == .node else { return fit }
        return fit / segment.size * segment.size
    }

    /// False where all groups together need more nodes.
    func fits(nodes: Int) -> Bool {
        Self.fits(milli, shape.gpus * 1000, nodes) && Self.fits(cpuMillis, shape.cpuMillis, nodes)
            && Self.fits(memoryMiB, shape.memoryMiB, nodes)
    }

    private static func fits(_ items: [Item], _ node: Int, _ nodes: Int) -> Bool {
        if node == 0 { return true }
        // What is larger than all of a node but `small` leaves room only for what is smaller than that.
        var smalls = [0]
        for item in items {
            if item.size <= node / 2 { smalls.append(item.size) }
            if node - item.size + 1 <= node / 2 { smalls.append(node - item.size + 1) }
        }
        for small in smalls {
            for parts in 0...mostParts {
                var sum = 0
                for item in items {
                    var size = item.size
                    if size < small { size = 0 } else if size > node - small { size = node }
                    sum += item.workers * rounded(size, parts, node)
                }
                if sum > nodes * node * max(1, parts) { return false }
            }
        }
        return true
    }

    /// A size in a node times `parts`: of parts + 1 equal pieces of a node, what is larger than some of them counts as so many of
    /// `parts` pieces, for no more than `parts` of them stand in a node then. With 0 parts the size itself.
    private static func rounded(_ size: Int, _ parts: Int, _ node: Int) -> Int {
        if parts == 0 { return size }
        let pieces = (parts + 1) * size
        return pieces % node == 0 ? parts * size : pieces / node * node
    }
}
