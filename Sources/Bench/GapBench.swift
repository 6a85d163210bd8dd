// How far the packing core is from the optimum on small instances that a solver can finish: capacity allocated, price of the
// nodes opened, GPUs of gangs placed. Draws and exact solutions come from the scripts beside the other bench scripts; what
// a gap is stands at the top of the solver's.

import Foundation
import JSON
import Model
import Packing

/// A run over the instances of some seeds.
public struct GapBench: Sendable {
    /// Holds `instances.py` and `exact.py`.
    public var scripts = "Config/bench"
    /// The folder of openb's two lists, of which nodes and pods are drawn.
    public var openb: String
    public var seeds = 0...9
    public var secondsPerInstance = 10

    public init(openb: String) { self.openb = openb }

    /// Why there is nothing to compare with here, or nil.
    public var missing: String? {
        if !FileManager.default.fileExists(atPath: openb + "/openb_node_list_gpu_node.csv") {
            return "the openb lists are not in '\(openb)'"
        }
        return !Self.hasSolver ? "OR-tools is not installed (python3 -m pip install ortools)" : nil
    }

    /// Whether OR-tools is installed.
    public static var hasSolver: Bool {
        (try? run(["-c", "import ortools.sat.python.cp_model"], input: "")) != nil
    }

    public func run() throws -> Report {
        var figures: [Figure] = []
        var digest = Digest(seed: 0)
        for (kind, goal) in [("allocation", 8.0), ("cost", 15.0), ("gangs", 1.0)] {
            let drawn = try Self.run(
                ["\(scripts)/instances.py", kind, "\(seeds.lowerBound)", "\(seeds.upperBound)", "--openb", openb],
                input: "")
            let solved = try Self.run(
                ["\(scripts)/exact.py", "--seconds", "\(secondsPerInstance)", "--workers", "2"], input: drawn)
            let instances = try Self.lines(drawn) { Instance(&$0) }
            let bounds = try Self.bounds(solved)
            guard instances.count == bounds.count else { throw BenchFault("\(kind): an instance has no answer") }
            // What came before is known when the next instance comes, as in a service that runs on.
            var mix = DemandMix()
            var gaps: [Double] = []
            var failed = 0
            for (instance, bound) in zip(instances, bounds) {
                guard let bound, bound > 0 else { continue }
                guard let ours = instance.solve(&mix) else {
                    failed += 1
                    continue
                }
                digest.add(ours)
                let gap = Double(kind == "cost" ? ours - bound : bound - ours) / Double(bound)
                gaps.append(gap * 100)
            }
            let mean = gaps.reduce(0, +) / Double(max(1, gaps.count))
            figures.append(Figure("\(kind)Gap", mean, "%", goal: "below \(Int(goal))"))
            figures.append(Figure("\(kind)Instances", Double(gaps.count), "instances"))
            figures.append(Figure("\(kind)Failed", Double(failed), "instances", goal: "0"))
        }
        return Report(benchmark: "gap", figures: figures, hash: digest.value)
    }

    /// The bound of each answer, that no solution is better than; nil where there is no solution.
    static func bounds(_ text: String) throws -> [Int?] {
        try text.split(separator: "\n").map { line in
            let answer = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return answer?["bound"] as? Int
        }
    }

    private static func lines<Value>(_ text: String, _ body: (inout ObjectReader) -> Value) throws -> [Value] {
        let bytes = Array(text.utf8)
        return try JSONLines(bytes).map { line in
            do throws(JSONFailure) {
                return try decodeObject(bytes, in: line.range, body)
            } catch {
                throw BenchFault("line \(line.number): \(error)")
            }
        }
    }

    /// What `python3` prints. Throws where it fails.
    static func run(_ arguments: [String], input: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        let (into, out) = (Pipe(), Pipe())
        process.standardInput = into
        process.standardOutput = out
        process.standardError = FileHandle.nullDevice
        try process.run()
        // The scripts read all before they write much, so that writing first fills no pipe.
        DispatchQueue.global().async {
            try? into.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? into.fileHandleForWriting.close()
        }
        let data = try out.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchFault("python3 \(arguments.first ?? "") failed") }
        return String(decoding: data, as: UTF8.self)
    }
}

/// One instance and what the core makes of it.
private struct Instance {
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

    private func solveGangs(_ mix: inout DemandMix) -> Int? {
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
        packer.setMix(mix.inUse)
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
        var placed = 0
        var placement = Placement.none
        for gang in gangs {
            let version = mix.version
            let demand = Demand(gpus: gang.gpus, cpuMillis: 0, memoryMiB: 0)
            mix.note(
                MixEntry(demand: demand, workers: gang.workers, tier: gang.scope, accelerators: [], weight: 0))
            if mix.version != version { packer.setMix(mix.inUse) }
            let form = GangForm(groups: [.init(count: gang.workers, demand: demand)], scope: gang.scope)
            let resolved = packer.gang(form, pools: [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1_000_000)])
            if packer.find(resolved, into: &placement) {
                packer.take(placement)
                placed += gang.workers * gang.gpus
            }
        }
        return placed
    }
}
