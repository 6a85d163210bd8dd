// What a gang could have were nothing else placed: on all nodes of a pool, or on those that are ready now.
// Counts nodes by place and lays groups out on equal empty nodes; reads no free capacity.

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

    /// The most nodes of one place of the form's scope that its gang may use.
    func most(for form: GangForm, ready isReady: Bool) -> Int {
        let sizes = isReady ? ready : all
        return (form.usesSpares ? sizes.with : sizes.without).most(form.scope)
    }
}

extension Engine {
    /// Whether the least gang, or with a split the least that one pool may hold of it, would fit one place of its scope in
    /// a target were nothing else there: on all nodes, or on those that are ready now.
    /// Rules that span nodes are not asked; `Packer.mostWhenEmpty` knows those. Cost: the groups.
    mutating func couldHold(_ key: ShapeKey, _ gang: Gang, target: Int, ready isReady: Bool) -> Bool {
        let pool = gang.targets[target].pool
        while idleNodes.count <= pool { idleNodes.append(nil) }
        if idleNodes[pool]?.revision != state.pools[pool].revision { idleNodes[pool] = IdleNodes(state.pools[pool]) }
        var bench = NodeBench(
            state.pools[pool].spec.node, nodes: idleNodes[pool]?.most(for: gang.form, ready: isReady) ?? 0)
        if gang.form.split != nil {
            let lead = gang.form.groups[gang.lead]
            return bench.take(gang.targets[target].workers, of: lead, gang.targets[target].need)
        }
        for group in gang.form.leadFirst {
            guard let need = packer.need(of: gang.form.groups[group].demand, pool: pool),
                bench.take(leastWorkers(key, group, pool: pool), of: gang.form.groups[group], need)
            else { return false }
        }
        return true
    }

    /// The least workers of a group in a pool that may hold the gang, at the speed of its accelerator.
    func leastWorkers(_ key: ShapeKey, _ group: Int, pool: Int) -> Int {
        let speed = key.accelerators.preference(for: state.pools[pool].spec.accelerator)?.speedMilli ?? 1000
        return key.form.workers(group, speedMilli: speed).lowerBound
    }
}

extension GangForm {
    /// The groups in the order in which they are placed: the lead, then by falling capacity.
    fileprivate var leadFirst: [Int] {
        func milli(_ group: Int) -> Int { groups[group].count * groups[group].demand.totalMilli }
        return [lead]
            + groups.indices.filter { $0 != lead }.sorted { (milli($1), $0) < (milli($0), $1) }
    }
}

/// Equal nodes on which groups are laid out one after the other, the fullest nodes first.
private struct NodeBench {
    private struct Free {
        var nodes: Int
        var gpus: Int
        var cpuMillis: Int
        var memoryMiB: Int

        func fit(_ group: GangForm.Group, _ need: WorkerNeed) -> Int {
            var fit = min(group.spread.workersPerNode ?? .max, group.spread.workersPerDomain ?? .max)
            if need.gpus > 0 { fit = min(fit, gpus / need.gpus * need.sharesPerGPU) }
            if need.cpuMillis > 0 { fit = min(fit, cpuMillis / need.cpuMillis) }
            if need.memoryMiB > 0 { fit = min(fit, memoryMiB / need.memoryMiB) }
            guard let segment = group.segment, segment.tier == .node else { return fit }
            return fit / segment.size * segment.size
        }

        func without(_ workers: Int, of need: WorkerNeed, nodes: Int) -> Free {
            let taken = (workers + need.sharesPerGPU - 1) / need.sharesPerGPU * need.gpus
            return Free(
                nodes: nodes, gpus: gpus - taken, cpuMillis: cpuMillis - workers * need.cpuMillis,
                memoryMiB: memoryMiB - workers * need.memoryMiB)
        }
    }

    private var free: [Free]

    init(_ shape: NodeShape, nodes: Int) {
        free = [Free(nodes: nodes, gpus: shape.gpus, cpuMillis: shape.cpuMillis, memoryMiB: shape.memoryMiB)]
    }

    /// Takes workers of a group, or says that they do not fit.
    mutating func take(_ workers: Int, of group: GangForm.Group, _ need: WorkerNeed) -> Bool {
        var left = workers
        for at in free.indices.reversed() {
            let fit = free[at].fit(group, need)
            if fit == 0 || left == 0 { continue }
            let whole = min(free[at].nodes, left / fit)
            if whole > 0 {
                free.append(free[at].without(fit, of: need, nodes: whole))
                free[at].nodes -= whole
                left -= whole * fit
            }
            if left > 0 && left < fit && free[at].nodes > 0 {
                free.append(free[at].without(left, of: need, nodes: 1))
                free[at].nodes -= 1
                left = 0
            }
        }
        return left == 0
    }
}

extension WorkerNeed {
    fileprivate var sharesPerGPU: Int { isShare ? 1000 / gpuMilli : 1 }
}
