// The packing core alone: a million GPUs of NVL72 racks, nearly full, gangs coming and going.

import Model
import Packing

/// Size of a packing run.
public struct PackingBench: Sendable {
    /// NVL72 domains in each pool; as many pools as entries.
    public var domains: [(blocks: Int, domainsPerBlock: Int)]
    public var operations: Int
    public var fillPercent = 90
    public var seed: UInt64 = 1

    /// 20 pools of 14,564 domains together: 1,048,608 GPUs, the least multiple of 72 not below 2^20.
    public static let full = PackingBench(
        domains: Array(repeating: (26, 28), count: 16) + Array(repeating: (27, 27), count: 4), operations: 400_000)

    /// Small enough for a test.
    public static let smoke = PackingBench(domains: Array(repeating: (4, 8), count: 3), operations: 2_000)

    public init(domains: [(blocks: Int, domainsPerBlock: Int)], operations: Int) {
        self.domains = domains
        self.operations = operations
    }

    /// Counts of nodes drawn as 60 % one node, 30 % up to a domain, 9 % up to 32 domains, 1 % of 1,000 to 4,000 nodes,
    /// the last two cut to what a pool of this size holds. One-node gangs take 1, 2 or 4 GPUs.
    private func draw(_ random: inout SeededGenerator, largest: Int) -> (workers: Int, kind: Int) {
        switch random.pick(0...99) {
        case 0..<30: (1, 2)
        case 30..<45: (1, 1)
        case 45..<60: (1, 0)
        case 60..<90: (random.pick(2...18), 2)
        case 90..<99: (min(random.pick(19...576), largest), 2)
        default: (min(random.pick(1000...4000), largest), 2)
        }
    }

    public func run() -> Report {
        var packer = Packer()
        let shape = NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040)
        var capacity = 0
        for (number, pool) in domains.enumerated() {
            let topology = Topology.counts(
                blocks: pool.blocks, domainsPerBlock: pool.domainsPerBlock, nodesPerDomain: 18)
            packer.put(pool: number, layout: PoolLayout(topology), shape: shape)
            capacity += topology.nodeCount * 4
        }
        let largest = domains.map { $0.blocks * $0.domainsPerBlock * 18 / 2 }.min() ?? 1
        let ranked = domains.indices.map { (pool: $0, rank: 0) }
        var gangs = [1, 2, 4].map { packer.gang(workers: 1, demand: Demand(gpus: $0), scope: .pool, pools: ranked) }
        // Making an index outdates nothing, so all three gangs are of one generation.
        var random = SeededGenerator(seed: seed)
        var held: [Placement] = []
        var spare: [Placement] = []
        var taken = 0
        let limit = capacity / 100 * fillPercent

        func freeOne(_ packer: borrowing Packer) {
            let at = random.pick(0...held.count - 1)
            held.swapAt(at, held.count - 1)
            let placement = held.removeLast()
            packer.give(placement)
            taken -= placement.gpuCount
            spare.append(placement)
        }

        /// Places one gang and gives back others until the fleet is as full as before; tells how long the placing took.
        var refused = 0
        func step(_ packer: inout Packer, timed: Bool) -> UInt64 {
            let (workers, kind) = draw(&random, largest: largest)
            gangs[kind].workers = workers
            var placement = spare.popLast() ?? .none
            let begin = timed ? nanosecondsNow() : 0
            let fits = packer.find(gangs[kind], into: &placement)
            if fits { packer.take(placement) }
            let end = timed ? nanosecondsNow() : 0
            if fits {
                taken += placement.gpuCount
                held.append(placement)
            } else {
                refused += 1
            }
            while taken > limit { freeOne(packer) }
            return end - begin
        }

        while taken < limit * 98 / 100 { _ = step(&packer, timed: false) }
        for _ in 0..<operations / 4 { _ = step(&packer, timed: false) }
        var rates: [UInt64] = []
        let rounds = 5
        for _ in 0..<rounds {
            let begin = nanosecondsNow()
            for _ in 0..<operations / rounds { _ = step(&packer, timed: false) }
            rates.append((nanosecondsNow() - begin) / UInt64(operations / rounds))
        }
        let refusedUntimed = refused
        var times: [UInt64] = []
        times.reserveCapacity(operations / 4)
        for _ in 0..<operations / 4 { times.append(step(&packer, timed: true)) }
        let perStep = Spread(&rates)
        let latency = Spread(&times)
        return Report(
            benchmark: "packing",
            figures: [
                Figure("gpus", Double(capacity), "GPUs"),
                Figure(
                    "placementsAndReleasesPerSecond", 1e9 / Double(max(1, perStep.median)), "1/s",
                    goal: "at least 150000"),
                Figure("placementsAndReleasesPerSecondWorstRound", 1e9 / Double(max(1, perStep.largest)), "1/s"),
                Figure("placementMedian", Double(latency.median), "ns", goal: "below 1000"),
                Figure("placementP90", Double(latency.p90), "ns"),
                Figure("placementP99", Double(latency.p99), "ns", goal: "below 200000"),
                Figure("placementLargest", Double(latency.largest), "ns"),
                Figure("gangsHeld", Double(held.count), "gangs"),
                Figure("gangsRefused", Double(refusedUntimed), "gangs"),
            ], hash: packer.digest())
    }
}
