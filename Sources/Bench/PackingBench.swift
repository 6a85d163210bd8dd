// The packing core alone: a million GPUs of NVL72 racks, nearly full, gangs coming and going; then its edges.

import Model
import Packing

/// Size of a packing run.
public struct PackingBench: Sendable {
    /// NVL72 domains in each pool; as many pools as entries.
    public var domains: [(blocks: Int, domainsPerBlock: Int)]
    public var operations: Int
    public var fillPercent = 90
    public var seed: UInt64 = 1
    /// Fleets of other sizes to be measured besides, as blocks in each of 20 pools and domains in each block.
    public var otherSizes: [(blocks: Int, domainsPerBlock: Int)] = []
    /// Nodes of the large gang.
    public var largeGang = 10_000

    /// 20 pools of 14,564 domains together: 1,048,608 GPUs, the least multiple of 72 not below 2^20. Other sizes go
    /// from about 4,096 GPUs to about 16,777,216.
    public static let full: PackingBench = {
        var bench = PackingBench(
            domains: Array(repeating: (26, 28), count: 16) + Array(repeating: (27, 27), count: 4), operations: 400_000)
        bench.otherSizes = [(1, 3), (2, 23), (7, 26), (104, 28), (416, 28)]
        return bench
    }()

    /// Small enough for a test.
    public static let smoke: PackingBench = {
        var bench = PackingBench(domains: Array(repeating: (4, 8), count: 3), operations: 2_000)
        bench.otherSizes = [(1, 2)]
        bench.largeGang = 300
        return bench
    }()

    public init(domains: [(blocks: Int, domainsPerBlock: Int)], operations: Int) {
        self.domains = domains
        self.operations = operations
    }

    public func run() -> Report {
        var traffic = Traffic(domains: domains, fillPercent: fillPercent, seed: seed)
        traffic.fill()
        for _ in 0..<operations / 4 { _ = traffic.step(timed: false) }
        traffic.refused = 0
        var perStep = traffic.nanosecondsPerStep(rounds: 5, steps: operations / 5)
        let refused = traffic.refused
        var times: [UInt64] = []
        times.reserveCapacity(operations / 4)
        for _ in 0..<operations / 4 { times.append(traffic.step(timed: true)) }
        let rounds = Spread(&perStep)
        let latency = Spread(&times)
        var figures = [
            Figure("gpus", Double(traffic.capacity), "GPUs"),
            Figure(
                "placementsAndReleasesPerSecond", 1e9 / Double(max(1, rounds.median)), "1/s",
                goal: "at least 300000"),
            Figure("placementsAndReleasesPerSecondWorstRound", 1e9 / Double(max(1, rounds.largest)), "1/s"),
            Figure("placementMedian", Double(latency.median), "ns", goal: "below 500"),
            Figure("placementP90", Double(latency.p90), "ns"),
            Figure("placementP99", Double(latency.p99), "ns", goal: "below 50000"),
            Figure("placementLargest", Double(latency.largest), "ns"),
            Figure("gangsHeld", Double(traffic.held.count), "gangs"),
            Figure("gangsRefused", Double(refused), "gangs"),
            Figure(
                "memoryPerNode", Double(traffic.packer.bytes) / Double(traffic.capacity / 4), "B", goal: "at most 64"),
            Figure("memoryPerPlacedWorker", traffic.bytesPerWorker, "B", goal: "at most 16"),
            Figure("fork", traffic.nanosecondsOfFork(rounds: 5) / 1e6, "ms", goal: "below 2"),
            Figure("trialOfThreeGroups", traffic.nanosecondsOfTrial(rounds: max(20, operations / 4000)), "ns"),
        ]
        for scope in [Tier.node, .domain, .block, .pool] {
            let time = traffic.infeasible(scope: scope, rounds: max(5, operations / 4000))
            let name = scope.name.prefix(1).uppercased() + scope.name.dropFirst()
            figures.append(Figure("infeasibleIn\(name)", time, "ns", goal: "below 1000"))
        }
        let hash = traffic.packer.digest()
        figures += largeGangFigures()
        for size in otherSizes {
            var traffic = Traffic(
                domains: Array(repeating: size, count: 20), fillPercent: fillPercent, seed: seed)
            traffic.fill()
            for _ in 0..<operations / 20 { _ = traffic.step(timed: false) }
            var rates = traffic.nanosecondsPerStep(rounds: 5, steps: operations / 20)
            figures.append(
                Figure(
                    "placementsAndReleasesPerSecondOn\(traffic.capacity)GPUs",
                    1e9 / Double(max(1, Spread(&rates).median)), "1/s"))
            figures.append(
                Figure(
                    "trialOfThreeGroupsOn\(traffic.capacity)GPUs",
                    traffic.nanosecondsOfTrial(rounds: max(20, operations / 4000)), "ns"))
        }
        return Report(benchmark: "packing", figures: figures, hash: hash)
    }

    /// One gang over most of a pool: once where all domains are whole, once where every second one has lost a node.
    private func largeGangFigures() -> [Figure] {
        let blocks = (largeGang * 5 / 4 + 28 * 18 - 1) / (28 * 18)
        return [false, true].map { isBroken in
            var packer = Packer()
            let topology = Topology.counts(blocks: blocks, domainsPerBlock: 28, nodesPerDomain: 18)
            packer.put(pool: 0, layout: PoolLayout(topology), spec: Traffic.pool(topology))
            for domain in 0..<blocks * 28 where isBroken && domain % 2 == 0 {
                packer.setSchedulable(pool: 0, node: domain * 18 + domain % 18, false)
            }
            var gangs: [Gang] = []
            for gpus in [1, 2, 4] {
                gangs.append(
                    packer.gang(
                        Traffic.form(gpus: gpus, workers: largeGang), pools: [Candidate(pool: 0, rank: 0)]))
            }
            var placement = Placement.none
            var times: [UInt64] = []
            for _ in 0..<101 {
                let begin = nanosecondsNow()
                let fits = packer.find(gangs[2], into: &placement)
                precondition(fits, "the large gang must fit")
                packer.take(placement)
                times.append(nanosecondsNow() - begin)
                packer.give(placement)
            }
            return Figure(
                "placementOf\(largeGang)Nodes\(isBroken ? "InBrokenDomains" : "")", Double(Spread(&times).median), "ns",
                goal: "below 1000000")
        }
    }
}

/// Gangs that come and go on a fleet that stays as full as it was.
private struct Traffic: ~Copyable {
    static let shape = NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040)

    static func pool(_ topology: Topology) -> PoolSpec {
        PoolSpec(
            name: "bench", provider: "p", region: "r", accelerator: "GB300", node: shape, topology: topology)
    }

    static func form(gpus: Int, workers: Int = 1, scope: Tier = .pool) -> GangForm {
        GangForm(groups: [GangForm.Group(count: workers, demand: Demand(gpus: gpus))], scope: scope)
    }

    var packer = Packer()
    var held: [Placement] = []
    var refused = 0
    let capacity: Int
    private var gangs: [Gang]
    private var spare: [Placement] = []
    private var random: SeededGenerator
    private var mix = DemandMix()
    private var isFull = false
    private var taken = 0
    private let limit: Int
    private let largest: Int

    init(domains: [(blocks: Int, domainsPerBlock: Int)], fillPercent: Int, seed: UInt64) {
        var capacity = 0
        for (number, pool) in domains.enumerated() {
            let topology = Topology.counts(
                blocks: pool.blocks, domainsPerBlock: pool.domainsPerBlock, nodesPerDomain: 18)
            packer.put(pool: number, layout: PoolLayout(topology), spec: Self.pool(topology))
            capacity += topology.nodeCount * 4
        }
        let candidates = domains.indices.map { Candidate(pool: $0, rank: 0) }
        // Making an index outdates nothing, so all three gangs are of one generation.
        gangs = []
        for gpus in [1, 2, 4] {
            gangs.append(packer.gang(Self.form(gpus: gpus), pools: candidates))
        }
        self.capacity = capacity
        largest = domains.map { $0.blocks * $0.domainsPerBlock * 18 / 2 }.min() ?? 1
        limit = capacity / 100 * fillPercent
        random = SeededGenerator(seed: seed)
    }

    /// Counts of nodes drawn as 60 % one node, 30 % up to a domain, 9 % up to 32 domains, 1 % of 1,000 to 4,000 nodes,
    /// the last two cut to what a pool of this size holds. One-node gangs take 1, 2 or 4 GPUs.
    private mutating func draw() -> (workers: Int, kind: Int) {
        let (workers, kind) = drawGang()
        if !isFull {
            // As the engine does it; the mix is known once the fleet is full.
            let version = mix.version
            mix.note(
                MixEntry(demand: Demand(gpus: 1 << kind), workers: workers, tier: .pool, accelerators: [], weight: 0))
            if mix.version != version { packer.setMix(mix.inUse) }
        }
        return (workers, kind)
    }

    private mutating func drawGang() -> (workers: Int, kind: Int) {
        switch random.pick(0...99) {
        case 0..<30: (1, 2)
        case 30..<45: (1, 1)
        case 45..<60: (1, 0)
        case 60..<90: (random.pick(2...18), 2)
        case 90..<99: (min(random.pick(19...576), largest), 2)
        default: (min(random.pick(1000...4000), largest), 2)
        }
    }

    /// Places one gang and gives back others until the fleet is as full as before; tells how long the placing took.
    mutating func step(timed: Bool) -> UInt64 {
        let (workers, kind) = draw()
        gangs[kind].resize(to: workers)
        var placement = spare.popLast() ?? .none
        let begin = timed ? nanosecondsNow() : 0
        let fits = packer.find(gangs[kind], into: &placement)
        if fits { packer.take(placement) }
        let end = timed ? nanosecondsNow() : 0
        if fits {
            taken += placement.gpuMilli / 1000
            held.append(placement)
        } else {
            refused += 1
            spare.append(placement)
        }
        while taken > limit { freeOne() }
        return end - begin
    }

    private mutating func freeOne() {
        held.swapAt(random.pick(0...held.count - 1), held.count - 1)
        let placement = held.removeLast()
        packer.give(placement)
        taken -= placement.gpuMilli / 1000
        spare.append(placement)
    }

    mutating func fill() {
        while taken < limit * 98 / 100 { _ = step(timed: false) }
        isFull = true
    }

    /// Of the thread's own time, for each round.
    mutating func nanosecondsPerStep(rounds: Int, steps: Int) -> [UInt64] {
        var rates: [UInt64] = []
        for _ in 0..<rounds {
            let begin = threadNanosecondsNow()
            for _ in 0..<steps { _ = step(timed: false) }
            rates.append((threadNanosecondsNow() - begin) / UInt64(max(1, steps)))
        }
        return rates
    }

    /// Of the runs that held placements have, by their workers.
    var bytesPerWorker: Double {
        var (runs, workers) = (0, 0)
        for placement in held {
            runs += placement.runs.count
            workers += placement.workerCount
        }
        return Double(runs * MemoryLayout<NodeRun>.stride) / Double(max(1, workers))
    }

    func nanosecondsOfFork(rounds: Int) -> Double {
        var times: [UInt64] = []
        for _ in 0..<rounds {
            let begin = nanosecondsNow()
            let fork = packer.fork()
            times.append(nanosecondsNow() - begin)
            precondition(fork.generation == packer.generation)
        }
        return Double(Spread(&times).median)
    }

    /// Nanoseconds to lay out a gang of trainers, evaluators and loaders without GPUs, and to take all of it back.
    mutating func nanosecondsOfTrial(rounds: Int) -> Double {
        let candidates = gangs[2].targets.map { Candidate(pool: $0.pool, rank: 0) }
        let groups = [
            GangForm.Group(count: 8, demand: Demand(gpus: 4)), GangForm.Group(count: 2, demand: Demand(gpus: 1)),
            GangForm.Group(count: 4, demand: Demand(gpus: 0, cpuMillis: 8_000, memoryMiB: 32_768)),
        ]
        let gang = packer.gang(GangForm(groups: groups, scope: .pool), pools: [candidates[0]])
        var placement = Placement.none
        var times: [UInt64] = []
        for _ in 0..<rounds {
            let begin = nanosecondsNow()
            _ = packer.find(gang, into: &placement)
            times.append(nanosecondsNow() - begin)
        }
        return Double(Spread(&times).median)
    }

    /// Nanoseconds of a decision that a gang fits nowhere: more whole nodes than any place of `scope` has, though the
    /// whole fleet has them.
    mutating func infeasible(scope: Tier, rounds: Int) -> Double {
        let candidates = gangs[2].targets.map { Candidate(pool: $0.pool, rank: 0) }
        var gang = packer.gang(Self.form(gpus: 4, scope: scope), pools: candidates)
        var largest = 0
        for target in gang.targets.indices { largest = max(largest, packer.largestFit(gang, target: target)) }
        gang.resize(to: largest + 1)
        var placement = Placement.none
        var times: [UInt64] = []
        for _ in 0..<rounds {
            let begin = nanosecondsNow()
            for _ in 0..<100 {
                let fits = packer.find(gang, into: &placement)
                precondition(!fits, "the gang must not fit")
            }
            times.append(nanosecondsNow() - begin)
        }
        return Double(Spread(&times).median) / 100
    }
}
