// Where a gang runs as the API shows it: its parts, what the place costs by terms, and each worker's node and GPUs.

import Engine
import JSON
import Model

/// How much of a placement an answer shows.
enum PlacementDetail {
    /// Pools and counts.
    case summary
    /// Also each node with its workers and GPUs.
    case nodes
}

extension JSONWriter {
    mutating func placement(_ placement: Placement, of job: Job, in state: State, _ detail: PlacementDetail) {
        guard placement.parts.allSatisfy({ $0.pool.index < state.pools.count }) else { return }
        let extent = placement.extent(of: placement.parts.indices, in: state)
        key("placement")
        object { writer in
            writer.member("tier", placement.tier.name)
            writer.member("pools", placement.slots.map { state[$0].spec.name })
            if let exclusive = placement.exclusive { writer.member("exclusive", exclusive.name) }
            writer.member("gpus", (placement.gpuMilli + 999) / 1000)
            writer.member("gpuMilli", placement.gpuMilli)
            writer.member("nodeCount", extent.nodes)
            writer.member("domainCount", extent.domains)
            writer.cost(placement.cost)
            writer.key("parts")
            writer.array { writer in
                // Workers of a group are numbered over its parts.
                var firstWorker = 0
                for index in placement.parts.indices {
                    let group = placement.parts[index].group
                    if index > 0 && placement.parts[index - 1].group != group { firstWorker = 0 }
                    writer.part(index, of: placement, job, state, detail, firstWorker: firstWorker)
                    firstWorker += placement.workerCount(index)
                }
            }
        }
    }

    mutating func cost(_ cost: PlacementCost) {
        key("cost")
        object { writer in
            writer.field("priceUSDPerHour", micros: cost.price)
            writer.field("fragmentationUSDPerHour", micros: cost.fragmentation)
            writer.field("topologyUSDPerHour", micros: cost.topology)
            writer.field("totalUSDPerHour", micros: cost.total)
        }
    }

    private mutating func part(
        _ index: Int, of placement: Placement, _ job: Job, _ state: State, _ detail: PlacementDetail, firstWorker: Int
    ) {
        let part = placement.parts[index]
        let pool = state[part.pool]
        let extent = placement.extent(of: index..<index + 1, in: state)
        object { writer in
            writer.member("group", job.spec.workers[part.group].name)
            writer.member("workers", placement.workerCount(index))
            writer.member("provider", pool.spec.provider)
            writer.member("region", pool.spec.region)
            writer.member("pool", pool.spec.name)
            writer.member("accelerator", pool.spec.accelerator)
            if !pool.spec.instanceType.isEmpty { writer.member("instanceType", pool.spec.instanceType) }
            writer.field("purchase", text: pool.spec.purchase.word)
            writer.field("billing", text: pool.spec.billing.word)
            writer.field("priceUSDPerGPUHour", micros: pool.spec.priceMicroUSDPerGPUHour)
            writer.member("gpusPerWorker", part.need.gpus)
            if part.need.isShare { writer.member("gpuMilliPerWorker", part.need.gpuMilli) }
            writer.member("cpuMillisPerWorker", part.need.cpuMillis)
            writer.member("memoryMiBPerWorker", part.need.memoryMiB)
            writer.member("nodeCount", extent.nodes)
            writer.member("domainCount", extent.domains)
            guard detail == .nodes else { return }
            writer.key("nodes")
            writer.array { writer in
                for node in placement.nodes(ofPart: index, firstWorker: firstWorker) { writer.node(node, pool) }
            }
        }
    }

    private mutating func node(_ node: NodeWorkers, _ pool: PoolRecord) {
        object { writer in
            let domain = pool.layout.domain(ofNode: node.node)
            writer.member("node", pool.spec.name + "/" + pool.layout.name(ofNode: node.node))
            writer.member("domain", pool.layout.name(ofDomain: domain))
            if let clique = pool.layout.cliqueName(ofDomain: domain) { writer.member("clique", clique) }
            if let reservation = pool.info.reservation(ofNode: node.node) { writer.member("reservation", reservation) }
            writer.key("workers")
            writer.array { writer in
                for (worker, gpuMask) in node.workers {
                    writer.object { writer in
                        writer.member("worker", worker)
                        writer.key("gpuIndexes")
                        writer.array { writer in
                            for gpu in 0..<UInt16.bitWidth where gpuMask >> gpu & 1 == 1 { writer.value(gpu) }
                        }
                    }
                }
            }
        }
    }
}

extension PoolInfo {
    /// The node's own capacity block or reservation, or its pool's.
    func reservation(ofNode node: Int) -> String? {
        layout.reservation(ofNode: node) ?? (spec.reservation.isEmpty ? nil : spec.reservation)
    }
}

/// A node and the workers of one part on it, each with its GPUs.
private struct NodeWorkers {
    var node: Int
    var workers: [(worker: Int, gpuMask: UInt16)]
}

extension Placement {
    /// The pools of its parts, each once.
    var slots: [PoolSlot] {
        var slots: [PoolSlot] = []
        for part in parts where !slots.contains(part.pool) { slots.append(part.pool) }
        return slots
    }

    /// How many nodes and domains some of its parts touch, each counted once. Cost: their runs, sorted.
    func extent(of parts: Range<Int>, in state: State) -> (nodes: Int, domains: Int) {
        var spans: [(pool: Int, first: Int, end: Int)] = []
        for part in parts {
            for run in runs[runRange(part)] {
                spans.append((self.parts[part].pool.index, run.nodes.lowerBound, run.nodes.upperBound))
            }
        }
        spans.sort { $0 < $1 }
        var extent = (nodes: 0, domains: 0)
        // Ends of what was counted in this pool.
        var counted = (pool: -1, nodes: 0, domains: 0)
        for span in spans {
            if span.pool != counted.pool { counted = (span.pool, 0, 0) }
            let first = max(span.first, counted.nodes)
            if first >= span.end { continue }
            let layout = state.pools[span.pool].layout
            let domainEnd = layout.domain(ofNode: span.end - 1) + 1
            extent.nodes += span.end - first
            extent.domains += domainEnd - max(layout.domain(ofNode: first), counted.domains)
            counted = (span.pool, span.end, domainEnd)
        }
        return extent
    }

    /// The nodes of one part in the order of its workers; a node that stands in several runs once, at its first.
    fileprivate func nodes(ofPart part: Int, firstWorker: Int) -> [NodeWorkers] {
        let need = parts[part].need
        var nodes: [NodeWorkers] = []
        var indexes: [Int: Int] = [:]
        var worker = firstWorker
        for run in runs[runRange(part)] {
            for node in run.nodes {
                var rest = run.gpuMask
                let workers = (0..<Int(run.workers)).map { offset in
                    (worker: worker + offset, gpuMask: need.isShare ? run.gpuMask : rest.takeLowest(need.gpus))
                }
                worker += workers.count
                // Only shares of several GPUs of a node make several runs.
                if need.isShare, let known = indexes.updateValue(indexes[node] ?? nodes.count, forKey: node) {
                    nodes[known].workers += workers
                } else {
                    nodes.append(NodeWorkers(node: node, workers: workers))
                }
            }
        }
        return nodes
    }
}

extension UInt16 {
    /// Takes the lowest `count` set bits out of this mask and returns them.
    fileprivate mutating func takeLowest(_ count: Int) -> UInt16 {
        var taken: UInt16 = 0
        for _ in 0..<count {
            taken |= self & (0 &- self)
            self &= self &- 1
        }
        return taken
    }
}
