// What plans cost on a fleet that many jobs came to and left: the trial, a defragmentation and an evacuation, beside the engine.

import Engine
import Model

/// Size of a run.
public struct PlanBench: Sendable {
    /// Nodes of four GPUs in four pools, 18 a domain.
    public var nodes: Int
    /// Jobs that run when plans are made.
    public var jobs: Int
    public var waiting: Int
    public var rounds: Int

    public static let full = PlanBench(nodes: 10_000, jobs: 2000, waiting: 200, rounds: 5)
    public static let smoke = PlanBench(nodes: 288, jobs: 60, waiting: 10, rounds: 1)

    public init(nodes: Int, jobs: Int, waiting: Int, rounds: Int) {
        self.nodes = nodes
        self.jobs = jobs
        self.waiting = waiting
        self.rounds = rounds
    }

    public func run() -> Report {
        var load = PlanLoad(self)
        load.fill()
        var (trial, defragment, evacuate) = (Rounds(), Rounds(), Rounds())
        var figures: [Figure] = []
        var hash: UInt64 = 0
        for round in 0..<rounds {
            let start = threadNanosecondsNow()
            var planner = load.planner()
            let made = threadNanosecondsNow()
            let plan = planner.defragment(DefragmentRequest(maxMoves: Bounds.planMoves))
            let planned = threadNanosecondsNow()
            trial.add(Double(made - start) / 1e6)
            defragment.add(Double(planned - made) / 1e6)
            var other = load.planner()
            let begun = threadNanosecondsNow()
            let evacuation = other.evacuate(EvacuationRequest(filter: PoolFilter(provider: "cloud0")))
            evacuate.add(Double(threadNanosecondsNow() - begun) / 1e6)
            if round > 0 { continue }
            hash = UInt64(plan.basis.steps) << 32 ^ UInt64(evacuation.basis.steps) ^ load.engine.state.digest
            figures = [
                Figure(
                    "jobs", Double(load.engine.state.count(of: .placed) + load.engine.state.count(of: .running)), "jobs"
                ),
                Figure("jobsQueued", Double(load.engine.state.count(of: .queued)), "jobs"),
                Figure("domainsFreeBefore", Double(plan.freeBefore), "domains"),
                Figure("domainsWon", Double(plan.won.count), "domains"),
                Figure("moves", Double(plan.moves.count), "moves"),
                Figure("gpuHoursLost", Double(plan.lost.microGPUHours) / 1e6, "GPU-hours"),
                Figure("defragmentSteps", Double(plan.basis.steps), "steps"),
                Figure("evacuateMoves", Double(evacuation.moving.jobs), "jobs"),
                Figure("evacuateWaits", Double(evacuation.waiting.jobs), "jobs"),
                Figure("evacuateSteps", Double(evacuation.basis.steps), "steps"),
            ]
        }
        figures += trial.figures("trial", "ms") + defragment.figures("defragment", "ms")
        figures += evacuate.figures("evacuate", "ms")
        return Report(benchmark: "plan", figures: figures, hash: hash)
    }
}

/// An engine, and the jobs that come to it and leave it.
private struct PlanLoad: ~Copyable {
    var engine = Engine()
    private let bench: PlanBench
    private var random = SeededGenerator(seed: 11)
    private var now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private var count = 0
    private var held: [String] = []

    init(_ bench: PlanBench) {
        self.bench = bench
        for pool in 0..<4 {
            let domains = max(1, bench.nodes / 4 / 18 / 4)
            run(
                .putPool(
                    PoolSpec(
                        name: "p\(pool)", provider: "cloud\(pool % 2)", region: "r\(pool)",
                        accelerator: pool < 3 ? "GB200" : "GB300",
                        node: NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040),
                        topology: .counts(blocks: 4, domainsPerBlock: domains, nodesPerDomain: 18),
                        priceMicroUSDPerGPUHour: 4_000_000)))
        }
    }

    func planner() -> Planner { Planner(engine.state, settings: engine.settings, at: now) }

    private mutating func run(_ command: Command, seconds: Int64 = 1) {
        now.nanoseconds += seconds * 1_000_000_000
        _ = engine.decide(command, at: now)
        while engine.hasPendingWork { _ = engine.decide(.resume, at: now) }
    }

    private mutating func submit() {
        count += 1
        let id = "j\(count)"
        let workers = [1, 1, 1, 1, 1, 2, 2, 2, 4, 4, 8, 20][random.pick(0...11)]
        let gpus = workers == 1 ? random.pick(1...4) : 4
        var groups = [WorkerGroup(count: workers, demand: Demand(gpus: gpus))]
        // Some gangs have a role of their own beside, which is laid out apart.
        if workers >= 2 && random.pick(0...2) == 0 {
            groups.append(WorkerGroup(name: "head", count: 1, demand: Demand(gpus: random.pick(1...2))))
        }
        run(
            .submit(
                JobSpec(
                    id: id, priority: random.pick(0...9), workers: groups,
                    scope: Scope(workers > 16 ? .block : .domain), isPreemptible: random.pick(0...1) == 0)))
        if engine.state.jobs[id]?.state == .placed {
            held.append(id)
            run(.start(id: id))
        } else {
            run(.cancel(id: id))
        }
    }

    private mutating func end() {
        held.swapAt(random.pick(0...held.count - 1), held.count - 1)
        run(.finish(id: held.removeLast(), end: .succeeded, message: ""), seconds: 10)
    }

    /// Lets more jobs come than are wanted and then as many leave at random, which leaves holes; then come some that wait.
    mutating func fill() {
        while count < bench.jobs * 3 / 2 { submit() }
        while held.count > bench.jobs { end() }
        for number in 0..<bench.waiting {
            run(
                .submit(
                    JobSpec(
                        id: "w\(number)", workers: [WorkerGroup(count: 18, demand: Demand(gpus: 4))],
                        scope: Scope(.domain), hold: number % 2 == 0)))
        }
    }
}
