// The packing core alone: a million GPUs of NVL72 racks, nearly full, gangs coming and going; then its edges.

import Model
import Packing

/// What an executable knows of the allocator that it is linked with.
public struct Allocator: Sendable {
    /// Calls of this thread so far for new or larger memory.
    var count: @Sendable () -> UInt64
    /// Gives the system back what is free.
    var trim: @Sendable () -> Void

    public init(count: @escaping @Sendable () -> UInt64, trim: @escaping @Sendable () -> Void) {
        self.count = count
        self.trim = trim
    }
}

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
    /// Nil where nothing counts what is allocated: its figures are left out then.
    public var allocator: Allocator?

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
        var figures = [Figure("gpus", Double(traffic.capacity), "GPUs")]
        figures += rateFigures(&perStep)
        figures += latencyFigures(&traffic)
        figures += [
            Figure("gangsHeld", Double(traffic.held.count), "gangs"),
            Figure("gangsRefused", Double(refused), "gangs"),
        ]
        let hash = traffic.packer.digest()
        figures += memoryFigures(traffic)
        for scope in [Tier.node, .domain, .block, .pool] {
            let time = traffic.infeasible(scope: scope, rounds: max(5, operations / 4000))
            let name = scope.name.prefix(1).uppercased() + scope.name.dropFirst()
            figures.append(Figure("infeasibleIn\(name)", time, "ns", goal: "below 1000"))
        }
        figures += largeGangFigures()
        figures += growthFigures(of: &traffic)
        if let allocator {
            let (growing, reserved) = traffic.allocationsPerDecision(steps: operations / 4, allocator)
            figures.append(
                Figure(
                    "forkIntoFreshMemory", traffic.fork(rounds: 5, fresh: allocator) / 1e6, "ms", goal: "below 2"))
            figures.append(Figure("allocationsPerDecision", reserved, "calls", goal: "0"))
            figures.append(Figure("allocationsPerDecisionWhilePlacementsGrow", growing, "calls"))
        }
        for size in otherSizes {
            var traffic = Traffic(
                domains: Array(repeating: size, count: 20), fillPercent: fillPercent, seed: seed)
            traffic.fill()
            for _ in 0..<operations / 20 { _ = traffic.step(timed: false) }
            figures += growthFigures(of: &traffic)
        }
        return Report(benchmark: "packing", figures: figures, hash: hash)
    }

    private func rateFigures(_ perStep: inout [UInt64]) -> [Figure] {
        let rounds = Spread(&perStep)
        return [
            Figure(
                "placementsAndReleasesPerSecond", 1e9 / Double(max(1, rounds.median)), "1/s",
                goal: "at least 300000"),
            Figure("placementsAndReleasesPerSecondWorstRound", 1e9 / Double(max(1, rounds.largest)), "1/s"),
        ]
    }

    private func latencyFigures(_ traffic: inout Traffic) -> [Figure] {
        var times: [UInt64] = []
        times.reserveCapacity(operations / 4)
        for _ in 0..<operations / 4 { times.append(traffic.step(timed: true)) }
        let latency = Spread(&times)
        return [
            Figure("placementMedian", Double(latency.median), "ns", goal: "below 500"),
            Figure("placementP90", Double(latency.p90), "ns"),
            Figure("placementP99", Double(latency.p99), "ns", goal: "below 50000"),
            Figure("placementLargest", Double(latency.largest), "ns"),
        ]
    }

    private func memoryFigures(_ traffic: borrowing Traffic) -> [Figure] {
        [
            Figure(
                "memoryPerNode", Double(traffic.packer.bytes) / Double(traffic.capacity / 4), "B", goal: "at most 64"),
            Figure("bytesPerPlacedWorker", traffic.bytesPerWorker, "B", goal: "at most 16"),
            Figure("fork", traffic.fork(rounds: 5) / 1e6, "ms", goal: "below 2"),
        ]
    }

    /// What shows how cost grows with the fleet: a step against the workers that it placed, and a gang laid out and undone.
    private func growthFigures(of traffic: inout Traffic) -> [Figure] {
        let placed = traffic.placedWorkers
        let steps = operations / 20
        var perStep = traffic.nanosecondsPerStep(rounds: 5, steps: steps)
        let nanoseconds = Double(Spread(&perStep).median)
        let workers = Double(traffic.placedWorkers - placed) / Double(max(1, steps * 5))
        let name = "On\(traffic.capacity)GPUs"
        var figures = [
            Figure("nanosecondsPerPlacementAndRelease\(name)", nanoseconds, "ns"),
            Figure("workersPerPlacement\(name)", workers, "workers"),
        ]
        for (kind, form) in Traffic.ruled {
            guard let trial = traffic.trial(form, rounds: max(20, operations / 4000)) else { continue }
            figures.append(Figure("trialOf\(kind)\(name)", trial, "ns"))
        }
        return figures
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
