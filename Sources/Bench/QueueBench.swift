// A long queue on a full fleet: what one more job costs, and what one that ends costs with all that it wakes. The engine alone,
// without journal and sockets.

import Engine
import Model

/// Size of a run.
public struct QueueBench: Sendable {
    public var jobs: Int
    public var shapes: Int
    public var tenants: Int
    /// Nodes of four GPUs, in pools of 1,800 domains at most.
    public var nodes: Int
    /// Jobs that come and jobs that end while it is measured.
    public var samples: Int

    public static let full = QueueBench(jobs: 1_000_000, shapes: 200, tenants: 1000, nodes: 262_144, samples: 5000)
    public static let smoke = QueueBench(jobs: 2000, shapes: 20, tenants: 10, nodes: 512, samples: 50)

    public init(jobs: Int, shapes: Int, tenants: Int, nodes: Int, samples: Int) {
        self.jobs = jobs
        self.shapes = shapes
        self.tenants = tenants
        self.nodes = nodes
        self.samples = samples
    }

    /// Without quotas, or with a quota for each tenant and for each tenth of them together.
    public func run(hasQuota: Bool) -> Report {
        var load = QueueLoad(self, hasQuota: hasQuota)
        load.fill()
        var submits: [UInt64] = []
        var ends: [UInt64] = []
        var wakeUps: [UInt64] = []
        let before = load.engine.work
        for _ in 0..<samples {
            submits.append(load.submit())
            let tries = load.engine.work.tries
            ends.append(load.end())
            wakeUps.append(ends[ends.count - 1] / max(1, load.engine.work.tries - tries))
        }
        let work = load.engine.work
        let submit = Spread(&submits)
        let end = Spread(&ends)
        let wakeUp = Spread(&wakeUps)
        return Report(
            benchmark: hasQuota ? "queueWithQuota" : "queue",
            figures: [
                Figure("jobsQueued", Double(load.engine.state.count(of: .queued)), "jobs", goal: "\(jobs)"),
                Figure("jobsRunning", Double(load.engine.state.count(of: .placed)), "jobs"),
                Figure("shapes", Double(load.engine.queuedShapes), "shapes"),
                Figure("submitMedian", Double(submit.median), "ns"),
                Figure("submitP99", Double(submit.p99), "ns", goal: "below 200000"),
                Figure("submitLargest", Double(submit.largest), "ns"),
                Figure("endMedian", Double(end.median), "ns"),
                Figure("endP99", Double(end.p99), "ns", goal: "below 200000"),
                Figure("endLargest", Double(end.largest), "ns"),
                // An end that sets thousands of nodes free wakes hundreds of shapes and places as many jobs.
                Figure("endPerWakeUpMedian", Double(wakeUp.median), "ns"),
                Figure("endPerWakeUpP99", Double(wakeUp.p99), "ns", goal: "below 200000"),
                Figure("triesPerEnd", Double(work.tries - before.tries) / Double(samples), "tries"),
                Figure("placementsPerEnd", Double(work.placements - before.placements) / Double(samples), "jobs"),
            ], hash: load.engine.state.digest)
    }
}

/// An engine with its queue, and the jobs that it is given.
private struct QueueLoad: ~Copyable {
    var engine: Engine
    private let bench: QueueBench
    private var random = SeededGenerator(seed: 7)
    private var now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private var shapes: [(count: Int, gpus: Int, scope: Tier, accelerators: [Accelerator])] = []
    private var count = 0
    /// Jobs that hold capacity.
    private var placed: [JobNumber] = []
    private let paths: [String]

    private static let models = ["GB200", "GB300", "H200", "B200"]

    init(_ bench: QueueBench, hasQuota: Bool) {
        self.bench = bench
        var settings = EngineSettings()
        settings.limits.liveJobs = 4 * bench.jobs
        settings.limits.endedJobs = 1000
        engine = Engine(settings: settings)
        paths = (0..<bench.tenants).map { "lab\($0 % 10)/team\($0)" }
        for pool in 0..<8 {
            let domains = max(1, bench.nodes / 8 / 18 / 16)
            run(
                .putPool(
                    PoolSpec(
                        name: "p\(pool)", provider: "cloud\(pool % 3)", region: "r\(pool % 4)",
                        accelerator: Self.models[pool % 4],
                        node: NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040),
                        topology: .counts(blocks: 16, domainsPerBlock: domains, nodesPerDomain: 18),
                        priceMicroUSDPerGPUHour: Int64(4_000_000 + pool * 500_000))))
        }
        var seen: Set<[Int]> = []
        while shapes.count < bench.shapes {
            let size = random.pick(0...99)
            let gangs = size < 60 ? 1...8 : size < 90 ? 9...64 : size < 99 ? 65...512 : 513...4096
            let shape = (
                count: min(random.pick(gangs), max(1, bench.nodes / 64)), gpus: [1, 2, 4, 4][random.pick(0...3)],
                scope: [Tier.domain, .block, .pool, .pool][random.pick(0...3)], model: random.pick(0...4)
            )
            // 18 nodes of four GPUs a domain.
            if shape.scope == .domain && shape.count * shape.gpus > 72 { continue }
            guard seen.insert([shape.count, shape.gpus, Int(shape.scope.rawValue), shape.model]).inserted else {
                continue
            }
            shapes.append(
                (
                    shape.count, shape.gpus, shape.scope,
                    shape.model == 4 ? [] : [Accelerator(Self.models[shape.model])]
                ))
        }
        guard hasQuota else { return }
        let gpus = Int64(bench.nodes) * 4 * 1000
        for (tenant, path) in paths.enumerated() {
            if tenant < 10 {
                run(.putTenant(TenantSpec(path: "lab\(tenant)", quotas: Self.quotas(gpus / 40, borrow: gpus / 80))))
            }
            run(
                .putTenant(
                    TenantSpec(
                        path: path, weight: 1 + tenant % 3,
                        quotas: Self.quotas(gpus / 4 / Int64(2 * bench.tenants), borrow: nil))))
        }
    }

    private static func quotas(_ nominal: Int64, borrow: Int64?) -> [Quota] {
        models.sorted().map { Quota(unit: .gpuMilli(accelerator: $0), nominal: nominal, borrowLimit: borrow) }
    }

    @discardableResult
    private mutating func run(_ command: Command) -> Outcome {
        now.nanoseconds += 1_000_000
        let (outcome, transaction) = engine.decide(command, at: now)
        note(transaction)
        while engine.hasPendingWork { note(engine.decide(.resume, at: now).transaction) }
        return outcome
    }

    private mutating func note(_ transaction: Transaction?) {
        for case .jobPlaced(let number, _) in transaction?.facts ?? [] { placed.append(number) }
    }

    private mutating func job() -> JobSpec {
        count += 1
        let shape = shapes[random.pick(0...shapes.count - 1)]
        // Some tenants have many more jobs than others.
        let tenant = random.pick(0...random.pick(0...paths.count - 1))
        return JobSpec(
            id: "q\(count)", tenant: paths[tenant],
            workers: [WorkerGroup(count: shape.count, demand: Demand(gpus: shape.gpus))],
            accelerators: shape.accelerators, scope: Scope(shape.scope))
    }

    /// Submits jobs until so many wait.
    mutating func fill() {
        while engine.state.count(of: .queued) < bench.jobs { run(.submit(job())) }
    }

    /// Nanoseconds of this thread to submit one more.
    mutating func submit() -> UInt64 {
        let job = job()
        let start = threadNanosecondsNow()
        run(.submit(job))
        return threadNanosecondsNow() - start
    }

    /// Nanoseconds of this thread to end one of the jobs that hold capacity, with all that it wakes.
    mutating func end() -> UInt64 {
        if placed.isEmpty { return 0 }
        placed.swapAt(random.pick(0...placed.count - 1), placed.count - 1)
        guard let found = engine.state.jobs[placed.removeLast()] else { return 0 }
        let start = threadNanosecondsNow()
        run(.cancel(id: found.id))
        return threadNanosecondsNow() - start
    }
}
