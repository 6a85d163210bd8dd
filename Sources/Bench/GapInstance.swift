// One small instance of the gap benchmark, as its script draws it, and what the packing core makes of it.
// Knows no optimum.

import JSON
import Model
import Packing

/// One instance and what the core makes of it.
struct GapInstance {
    struct Node {
        var stream: StreamNode
        var priceMicroUSDPerHour: Int64
        var domain: Int
        var block: Int

        init(_ reader: inout ObjectReader) {
            let shape = NodeShape(
                gpus: reader.integer("gpus", in: 0...Bounds.gpusPerNode),
                cpuMillis: reader.optionalInteger("cpuMillis", in: 0...Bounds.cpuMillisPerNode) ?? 1000,
                memoryMiB: reader.optionalInteger("memoryMiB", in: 0...Bounds.memoryMiBPerNode) ?? 1000)
            stream = StreamNode(name: "", shape: shape, model: reader.optionalString("model") ?? "")
            priceMicroUSDPerHour = reader.optionalInteger("priceMicroUSDPerHour", in: 0...Int64.max) ?? 0
            domain = reader.optionalInteger("domain", in: 0...Int.max) ?? 0
            block = reader.optionalInteger("block", in: 0...Int.max) ?? 0
        }
    }

    struct Pod {
        var stream: StreamPod

        init(_ reader: inout ObjectReader) {
            let gpus = reader.integer("gpus", in: 0...Bounds.gpusPerNode)
            let milli = reader.integer("gpuMilli", in: 0...1000)
            let demand = Demand(
                gpus: gpus, gpuMilli: gpus == 1 ? milli : 1000,
                cpuMillis: reader.integer("cpuMillis", in: 0...Bounds.cpuMillisPerNode),
                memoryMiB: reader.integer("memoryMiB", in: 0...Bounds.memoryMiBPerNode))
            stream = StreamPod(name: "", demand: demand, models: reader.array("models") { $0.string() })
        }
    }

    struct Gang {
        var workers: Int
        var gpus: Int
        var scope: Tier

        init(_ reader: inout ObjectReader) {
            workers = reader.integer("workers", in: 1...Bounds.workersPerJob)
            gpus = reader.integer("gpusPerWorker", in: 1...Bounds.gpusPerNode)
            let word = reader.string("scope")
            scope = Tier.allCases.first { $0.name == word } ?? .pool
        }

        private var demand: Demand { Demand(gpus: gpus, cpuMillis: 0, memoryMiB: 0) }

        var form: GangForm { GangForm(groups: [.init(count: workers, demand: demand)], scope: scope) }

        var entry: MixEntry {
            MixEntry(demand: demand, workers: workers, tier: scope, accelerators: [], weight: 0)
        }
    }

    let kind: String
    let nodes: [Node]
    let pods: [Pod]
    let gangs: [Gang]

    init(_ reader: inout ObjectReader) {
        kind = reader.string("kind")
        _ = reader.string("id")
        nodes = reader.objects("nodes") { Node(&$0) }
        pods = reader.optionalObjects("pods") { Pod(&$0) } ?? []
        gangs = reader.optionalObjects("gangs") { Gang(&$0) } ?? []
    }

    /// What the core comes to, or nil where it leaves out a pod of an instance in which all must be placed.
    func solve(_ mix: inout DemandMix) -> Int? { gangs.isEmpty ? solvePods(&mix) : solveGangs(&mix) }

    private func solvePods(_ mix: inout DemandMix) -> Int? {
        let isByPrice = kind == "cost"
        var fleet = StreamFleet(nodes.map(\.stream), prices: isByPrice ? nodes.map(\.priceMicroUSDPerHour) : nil)
        var free = nodes.reduce(0) { $0 + $1.stream.shape.gpus * 1000 }
        let all = free
        fleet.tell(&mix, freeMilli: free)
        var opened: Set<[Int]> = []
        var placement = Placement.none
        for pod in pods {
            let version = mix.version
            mix.note(MixEntry(pod.stream))
            if mix.version != version || mix.isOutdated(freeMilli: free, allMilli: all) {
                fleet.tell(&mix, freeMilli: free)
            }
            guard fleet.packer.find(fleet.gang(of: pod.stream), into: &placement) else {
                if isByPrice { return nil }
                continue
            }
            fleet.packer.take(placement)
            free -= pod.stream.demand.totalMilli
            opened.insert([placement.parts[0].pool.index, Int(placement.runs[0].node)])
        }
        if !isByPrice { return all - free }
        return opened.reduce(0) { $0 + Int(nodes[fleet.nodeOf[$1[0]][$1[1]]].priceMicroUSDPerHour) }
    }

    /// What the core comes to where all gangs are known at once.
    func solveBatched(_ mix: inout DemandMix) -> Int? {
        for gang in gangs { mix.note(gang.entry) }
        var packer = gangFleet()
        packer.setMix(mix.inUse)
        let resolved = gangs.map { packer.gang($0.form, pools: Self.candidates) }
        let places = packer.plan(resolved, requests: Array(gangs.indices), steps: 1000)
        return zip(gangs, places).reduce(0) { $0 + ($1.1 == nil ? 0 : $1.0.workers * $1.0.gpus) }
    }

    private func solveGangs(_ mix: inout DemandMix) -> Int? {
        var packer = gangFleet()
        packer.setMix(mix.inUse)
        var placed = 0
        var placement = Placement.none
        for gang in gangs {
            let version = mix.version
            mix.note(gang.entry)
            if mix.version != version { packer.setMix(mix.inUse) }
            let resolved = packer.gang(gang.form, pools: Self.candidates)
            if packer.find(resolved, into: &placement) {
                packer.take(placement)
                placed += gang.workers * gang.gpus
            }
        }
        return placed
    }

    private static let candidates = [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1_000_000)]

    /// A packer over the nodes of an instance of gangs, with what others took of them.
    private func gangFleet() -> Packer {
        let perNode = (nodes.map(\.stream.shape.gpus).max() ?? 0) > 4 ? 8 : 4
        let listings = nodes.enumerated().map { at, node in
            NodeListing(name: "n\(at)", domain: "d\(node.domain)", block: "b\(node.block)")
        }
        let spec = PoolSpec(
            name: "gap", provider: "p", region: "r", accelerator: "a",
            node: NodeShape(gpus: perNode, cpuMillis: 1000, memoryMiB: 1000), topology: .nodes(listings),
            priceMicroUSDPerGPUHour: 1_000_000)
        let layout = PoolLayout(spec.topology)
        var packer = Packer()
        packer.put(pool: 0, layout: layout, spec: spec)
        for (at, node) in nodes.enumerated() where node.stream.shape.gpus < perNode {
            guard let index = layout.node(named: "n\(at)") else { continue }
            let count = perNode - node.stream.shape.gpus
            let run = NodeRun(
                node: UInt32(index), nodeCount: 1, gpuMask: UInt16((1 << count) - 1), workers: UInt16(count))
            let need = WorkerNeed(gpus: 1, cpuMillis: 0, memoryMiB: 0)
            packer.take(
                Placement(
                    tier: .node, parts: [PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: 1)],
                    runs: [run]))
        }
        return packer
    }
}
