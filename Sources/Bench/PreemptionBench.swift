// A full fleet of running gangs that may be taken back: what one job of higher priority costs that finds no place, with the search
// for its victims and the notices to them. The engine alone, without journal and sockets.

import Engine
import Model

/// Size of a run.
public struct PreemptionBench: Sendable {
    /// Gangs that run, all preemptible.
    public var gangs: Int
    /// Jobs of each size that come while it is measured.
    public var samples: Int

    public static let full = PreemptionBench(gangs: 1000, samples: 200)
    public static let smoke = PreemptionBench(gangs: 60, samples: 5)

    public init(gangs: Int, samples: Int) {
        self.gangs = gangs
        self.samples = samples
    }

    /// One node, one whole domain, one whole block, and a gang for which no victims are enough because of those that may not be
    /// taken back.
    public func run() -> Report {
        var load = PreemptionLoad(self)
        load.fill()
        var figures = [Figure("gangsRunning", Double(load.engine.state.count(of: .running)), "jobs", goal: "\(gangs)")]
        for (name, nodes, scope) in [("node", 1, Tier.node), ("domain", 18, .domain), ("block", 144, .block)] {
            var passes: [UInt64] = []
            let before = load.engine.work
            for _ in 0..<samples { passes.append(load.preempt(nodes: nodes, scope)) }
            figures += Self.figures(name, &passes, before, load.engine.work)
        }
        load.fix()
        var passes: [UInt64] = []
        let before = load.engine.work
        for _ in 0..<samples { passes.append(load.preempt(nodes: 144, .block)) }
        figures += Self.figures("impossible", &passes, before, load.engine.work)
        return Report(benchmark: "preemption", figures: figures, hash: load.engine.state.digest)
    }

    private static func figures(
        _ name: String, _ passes: inout [UInt64], _ before: WorkCounters, _ after: WorkCounters
    ) -> [Figure] {
        let count = Double(passes.count)
        let spread = Spread(&passes)
        return [
            Figure("\(name)Median", Double(spread.median), "ns"),
            Figure("\(name)P99", Double(spread.p99), "ns", goal: "below 20000000"),
            Figure("\(name)Victims", Double((after.preemptions[0] - before.preemptions[0])) / count, "jobs"),
            Figure(
                "\(name)Releases", Double(after.preemptionReleases - before.preemptionReleases) / count, "releases"),
            Figure("\(name)Trials", Double(after.preemptionTrials - before.preemptionTrials) / count, "trials"),
        ]
    }
}

/// An engine with its gangs.
private struct PreemptionLoad: ~Copyable {
    var engine: Engine
    private let bench: PreemptionBench
    private var random = SeededGenerator(seed: 11)
    private var now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private var count = 0

    init(_ bench: PreemptionBench) {
        self.bench = bench
        var settings = EngineSettings()
        // The same gangs are asked again and again.
        settings.evictionsPerTenantAndHour = 1_000_000_000
        engine = Engine(settings: settings)
        run(
            .putPool(
                PoolSpec(
                    name: "p", provider: "cloud", region: "r", accelerator: "GB200",
                    node: NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040),
                    topology: .counts(blocks: 2 + bench.gangs * 5 / 144, domainsPerBlock: 8, nodesPerDomain: 18),
                    priceMicroUSDPerGPUHour: 4_000_000)))
    }

    private mutating func run(_ command: Command) {
        now.nanoseconds += 1_000_000_000
        _ = engine.decide(command, at: now)
        while engine.hasPendingWork { _ = engine.decide(.resume, at: now) }
    }

    private mutating func submit(_ nodes: Int, _ scope: Tier, priority: Int, preemptible: Bool) -> String {
        count += 1
        let id = "j\(count)"
        run(
            .submit(
                JobSpec(
                    id: id, priority: priority, workers: [WorkerGroup(count: nodes, demand: Demand(gpus: 4))],
                    scope: Scope(scope), isPreemptible: preemptible)))
        return id
    }

    /// Starts so many gangs of one to nine nodes, and fills what is left.
    mutating func fill() {
        for _ in 0..<bench.gangs {
            let id = submit(random.pick(1...9), .block, priority: 0, preemptible: true)
            run(.start(id: id))
        }
        fillUp()
    }

    /// Fills free nodes with gangs of one node that may not be taken back.
    private mutating func fillUp() {
        while true {
            let id = submit(1, .node, priority: 0, preemptible: false)
            if engine.state.jobs[id]?.state == .queued { return run(.cancel(id: id)) }
        }
    }

    /// Ends one gang in each block in favour of some that may not be taken back.
    mutating func fix() {
        var ends: [Int: String] = [:]
        engine.state.jobs.forEach { job in
            if job.state == .running, let node = job.life.placement?.runs.first?.node { ends[Int(node) / 144] = job.id }
            return true
        }
        for block in ends.keys.sorted() {
            if let id = ends[block] { run(.cancel(id: id)) }
        }
        fillUp()
    }

    /// Nanoseconds of this thread for a job that needs victims; then all is as before.
    mutating func preempt(nodes: Int, _ scope: Tier) -> UInt64 {
        count += 1
        let job = JobSpec(
            id: "j\(count)", priority: 5, workers: [WorkerGroup(count: nodes, demand: Demand(gpus: 4))],
            scope: Scope(scope))
        let start = threadNanosecondsNow()
        run(.submit(job))
        let passed = threadNanosecondsNow() - start
        run(.cancel(id: job.id))
        return passed
    }
}
