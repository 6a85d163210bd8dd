// The openb protocol on the real packing core: a trace of pods on shares of GPUs arrives one by one at a cluster of mixed
// nodes, nothing leaves, and nothing is rejected that fits. Reads the stream's two files and writes the scorer's log.

import Foundation
import JSON
import Model
import Packing

/// One node and one pod of a stream.
struct StreamNode {
    var name: String
    var shape: NodeShape
    var model: String

    init(name: String, shape: NodeShape, model: String) {
        self.name = name
        self.shape = shape
        self.model = model
    }

    init(_ reader: inout ObjectReader) {
        name = reader.string("node")
        _ = reader.optionalInteger("rank", in: Int.min...Int.max)
        shape = NodeShape(
            gpus: reader.integer("gpus", in: 0...Bounds.gpusPerNode),
            cpuMillis: reader.integer("cpu_milli", in: 0...Bounds.cpuMillisPerNode),
            memoryMiB: reader.integer("memory_mib", in: 0...Bounds.memoryMiBPerNode))
        model = reader.string("gpu_model")
    }
}

struct StreamPod {
    var name: String
    var demand: Demand
    /// Any where empty.
    var models: [String]

    init(name: String, demand: Demand, models: [String]) {
        self.name = name
        self.demand = demand
        self.models = models
    }

    init(_ reader: inout ObjectReader) {
        _ = reader.optionalInteger("seq", in: Int.min...Int.max)
        name = reader.string("pod")
        let gpus = reader.integer("num_gpu", in: 0...Bounds.gpusPerNode)
        let milli = reader.integer("gpu_milli", in: 0...1000)
        demand = Demand(
            gpus: gpus, gpuMilli: gpus == 1 ? milli : 1000,
            cpuMillis: reader.integer("cpu_milli", in: 0...Bounds.cpuMillisPerNode),
            memoryMiB: reader.integer("memory_mib", in: 0...Bounds.memoryMiBPerNode))
        models = reader.array("gpu_models") { $0.string() }
    }
}

extension StreamPod {
    /// Pods of one kind have one gang.
    struct Kind: Hashable {
        let demand: Demand
        let models: [String]
    }

    var kind: Kind { Kind(demand: demand, models: models) }
}

/// A cluster and the pods that come to it.
struct Stream {
    var nodes: [StreamNode] = []
    var pods: [StreamPod] = []

    init(folder: String) throws {
        nodes = try Self.read(folder + "/nodes.jsonl") { StreamNode(&$0) }
        pods = try Self.read(folder + "/arrivals.jsonl") { StreamPod(&$0) }
    }

    private static func read<Value>(_ path: String, _ body: (inout ObjectReader) -> Value) throws -> [Value] {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        var values: [Value] = []
        for line in JSONLines(bytes) {
            do throws(JSONFailure) {
                values.append(try decodeObject(bytes, in: line.range, body))
            } catch {
                throw BenchFault("\(path), line \(line.number): \(error)")
            }
        }
        return values
    }

    var gpuMilli: Int { nodes.reduce(0) { $0 + $1.shape.gpus * 1000 } }
}

/// A stream's nodes as pools of a packer: one a shape and model, in the order in which these first come.
struct StreamFleet: ~Copyable {
    var packer = Packer()
    /// By pool and node, the index among the stream's nodes.
    private(set) var nodeOf: [[Int]] = []
    private(set) var models: [String] = []
    private var pricesPerGPU: [Int64] = []

    /// `prices` are for whole nodes, which are then paid for when they are opened; without them all GPUs cost the same.
    init(_ nodes: [StreamNode], copies: Int = 1, prices: [Int64]? = nil) {
        var pools: [(shape: NodeShape, model: String)] = []
        for _ in 0..<copies {
            for (at, node) in nodes.enumerated() {
                let pool = pools.firstIndex { $0.shape == node.shape && $0.model == node.model } ?? pools.count
                if pool == pools.count {
                    pools.append((node.shape, node.model))
                    nodeOf.append([])
                }
                nodeOf[pool].append(at)
            }
        }
        models = pools.map(\.model)
        for (number, pool) in pools.enumerated() {
            let price = prices.map { $0[nodeOf[number][0]] / Int64(max(1, pool.shape.gpus)) } ?? 1_000_000
            pricesPerGPU.append(price)
            let topology = Topology.counts(blocks: 1, domainsPerBlock: nodeOf[number].count, nodesPerDomain: 1)
            packer.put(
                pool: number, layout: PoolLayout(topology),
                spec: PoolSpec(
                    name: "openb", provider: "p", region: "r", accelerator: pool.model, node: pool.shape,
                    topology: topology, allowsGPUShares: true, billing: prices == nil ? .gpu : .node,
                    priceMicroUSDPerGPUHour: price))
        }
    }

    /// Tells the packer the mix in use, with scarcities found now.
    mutating func tell(_ mix: inout DemandMix, freeMilli: Int) {
        // A new mix may be the first under which nodes are weighed at all.
        packer.setMix(mix.inUse)
        mix.price(freeMilli: freeMilli, scarcity: packer.scarcity(of: mix.inUse))
        packer.setMix(mix.inUse)
    }

    /// The gang of one pod over the pools whose model it accepts.
    mutating func gang(of pod: StreamPod) -> Gang {
        let candidates = models.indices.filter { pod.models.isEmpty || pod.models.contains(models[$0]) }
            .map { Candidate(pool: $0, rank: 0, priceMicroUSDPerGPUHour: pricesPerGPU[$0]) }
        return packer.gang(GangForm(groups: [.init(count: 1, demand: pod.demand)], scope: .pool), pools: candidates)
    }
}

extension MixEntry {
    init(_ pod: StreamPod) {
        self.init(
            demand: pod.demand, workers: 1, tier: .pool, accelerators: pod.models.sorted(), weight: 0)
    }
}

/// A run over one stream.
public struct OpenbBench: Sendable {
    /// Holds `nodes.jsonl` and `arrivals.jsonl`.
    public var folder: String
    /// Where the scorer's log goes, or nil.
    public var log: String?
    /// How often each node stands in the cluster and each pod comes.
    public var copies = 1

    public init(folder: String, log: String? = nil) {
        self.folder = folder
        self.log = log
    }

    /// Writes a stream of the trace into a temporary folder and returns that, or nil where the trace or what it needs is
    /// not there.
    public static func export(trace: String, workload: String, seed: Int) throws -> String? {
        let script = trace + "/score/export_stream.py"
        guard FileManager.default.fileExists(atPath: script) else { return nil }
        let folder = FileManager.default.temporaryDirectory.path + "/openb-\(workload)-\(seed)"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script, workload, "\(seed)", folder]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? folder : nil
    }

    /// The mean of each figure over several runs.
    public static func mean(of reports: [Report]) -> Report {
        var digest = Digest(seed: 0)
        for report in reports { digest.add(report.hash) }
        let figures = reports[0].figures.map { figure in
            let values = reports.compactMap { $0.figures.first { $0.name == figure.name }?.value }
            return Figure(
                figure.name, values.reduce(0, +) / Double(values.count), figure.unit, goal: figure.goal)
        }
        return Report(benchmark: "openb mean", figures: figures, hash: digest.value)
    }

    public func run() throws -> Report {
        let stream = try Stream(folder: folder)
        var fleet = StreamFleet(stream.nodes, copies: copies)
        var gangs: [StreamPod.Kind: Gang] = [:]
        var mix = DemandMix()
        var curve = Curve(total: stream.gpuMilli * copies)
        var lines = ""
        var placement = Placement.none
        var rejected = 0
        var digest = Digest(seed: 0)
        let begin = threadNanosecondsNow()
        // The stream as a whole comes again and again, so that neighbours differ as they do in one of it.
        for _ in 0..<copies {
            for pod in stream.pods {
                let version = mix.version
                mix.note(MixEntry(pod))
                let free = curve.total - curve.allocated
                if mix.version != version || mix.isOutdated(freeMilli: free, allMilli: curve.total) {
                    fleet.tell(&mix, freeMilli: free)
                }
                var gang = gangs[pod.kind]
                if gang == nil || gang?.generation != fleet.packer.generation {
                    gang = fleet.gang(of: pod)
                    gangs[pod.kind] = gang
                }
                guard let gang else { continue }
                let fits = fleet.packer.find(gang, into: &placement)
                if fits { fleet.packer.take(placement) } else { rejected += 1 }
                curve.note(arrived: pod.demand.totalMilli, placed: fits)
                if log != nil { lines += line(pod, fits ? placement : nil, fleet.nodeOf, stream.nodes) }
                digest.add(fits ? Int(placement.runs[0].node) << 8 | placement.parts[0].pool.index : -1)
            }
        }
        let nanoseconds = threadNanosecondsNow() - begin
        if let log { try lines.write(toFile: log, atomically: true, encoding: .utf8) }
        let decisions = stream.pods.count * copies
        return Report(
            benchmark: copies == 1 ? "openb" : "openb x\(copies)",
            figures: [
                Figure("allocationAt100", curve.allocation(at: 100), "%", goal: "at least 95.6"),
                Figure("allocationAt130", curve.allocation(at: 130), "%", goal: "at least 95.8"),
                Figure("podsRejected", Double(rejected), "pods"),
                Figure(
                    "decisionsPerSecond", Double(decisions) * 1e9 / Double(max(1, nanoseconds)), "1/s",
                    goal: copies >= 100 ? "at least 20000" : nil),
                Figure("memoryPerNode", Double(fleet.packer.bytes) / Double(stream.nodes.count * copies), "B"),
            ], hash: digest.value)
    }

    private func line(_ pod: StreamPod, _ placement: Placement?, _ nodeOf: [[Int]], _ nodes: [StreamNode]) -> String {
        guard let placement else { return "{\"pod\":\"\(pod.name)\",\"node\":null}\n" }
        let run = placement.runs[0]
        let node = nodes[nodeOf[placement.parts[0].pool.index][Int(run.node)]]
        let gpus = (0..<Bounds.gpusPerNode).filter { run.gpuMask >> UInt16($0) & 1 == 1 }
        return "{\"pod\":\"\(pod.name)\",\"node\":\"\(node.name)\",\"gpus\":\(gpus)}\n"
    }
}

/// Allocation against arrival, as the published tables average it: over the arrivals that round to the same percentage.
struct Curve {
    let total: Int
    private var arrived = 0
    private(set) var allocated = 0
    private var sums: [Int: (sum: Double, count: Int)] = [:]

    init(total: Int) { self.total = max(1, total) }

    mutating func note(arrived milli: Int, placed: Bool) {
        arrived += milli
        if placed { allocated += milli }
        let at = Int((Double(arrived) / Double(total) * 100).rounded(.toNearestOrEven))
        let value = (Double(allocated) / Double(total) * 10_000).rounded(.toNearestOrEven) / 100
        let before = sums[at] ?? (0, 0)
        sums[at] = (before.sum + value, before.count + 1)
    }

    func allocation(at percent: Int) -> Double {
        guard let entry = sums[percent] else { return 0 }
        return entry.sum / Double(entry.count)
    }
}
