// An engine under test with its clock and its journal, and short ways to say what tests say often.

public import Engine
public import Model

/// Runs commands a second apart and keeps what a journal would hold.
public struct EngineHarness: ~Copyable {
    public var engine: Engine
    public var clock = ManualClock()
    public private(set) var transactions: [Transaction] = []

    public init(settings: EngineSettings = EngineSettings()) { engine = Engine(settings: settings) }

    /// The engine that a restart from a snapshot would give.
    public init(image: StateImage, settings: EngineSettings, clock: ManualClock) throws {
        engine = try Engine(image: image, settings: settings)
        self.clock = clock
    }

    @discardableResult
    public mutating func run(_ command: Command, afterSeconds seconds: Int64 = 1) -> Outcome {
        clock.advance(seconds: seconds)
        let (outcome, transaction) = engine.decide(command, at: clock.now)
        if let transaction { transactions.append(transaction) }
        return outcome
    }

    /// The facts of `command`, none where nothing changed.
    public mutating func facts(of command: Command) -> [Fact] {
        let before = transactions.count
        run(command)
        return transactions.count > before ? transactions[before].facts : []
    }

    /// Resumes until nothing is pending, at most so often and without any time passing. Returns how often it did.
    @discardableResult
    public mutating func settle(atMost times: Int = 10_000) -> Int {
        for time in 0..<times {
            if !engine.hasPendingWork { return time }
            run(.resume, afterSeconds: 0)
        }
        return times
    }

    // MARK: Short ways to say what tests say often

    @discardableResult
    public mutating func submit(
        _ id: String, gpus: Int = 8, workers: Int = 1, priority: Int = 0, scope: Tier = .pool,
        preferred: Tier? = nil, patienceSeconds: Int = 0, accelerators: [String] = [],
        allow: PlaceList = PlaceList(), deny: PlaceList = PlaceList()
    ) -> Outcome {
        run(
            .submit(
                JobSpec(
                    id: id, priority: priority, workers: [WorkerGroup(count: workers, demand: Demand(gpus: gpus))],
                    accelerators: accelerators.map { Accelerator($0) },
                    scope: Scope(scope, preferred: preferred, patienceSeconds: patienceSeconds), allow: allow,
                    deny: deny)))
    }

    /// Submits a job of whatever form.
    @discardableResult
    public mutating func submit(_ id: String, _ workers: [WorkerGroup], _ change: (inout JobSpec) -> Void = { _ in })
        -> Outcome
    {
        var spec = JobSpec(id: id, workers: workers)
        change(&spec)
        return run(.submit(spec))
    }

    /// Starts a placed job and lets it succeed.
    public mutating func complete(_ id: String) {
        run(.start(id: id))
        run(.finish(id: id, end: .succeeded, message: ""))
    }

    public func state(of id: String) -> JobState? { engine.state.jobs[id]?.state }

    public func placement(of id: String) -> Placement? { engine.state.jobs[id]?.life.placement }

    /// The pool of a job that stands in one.
    public func pool(of id: String) -> String? { pools(of: id).count == 1 ? pools(of: id).first : nil }

    /// The pools of a job, each once.
    public func pools(of id: String) -> [String] {
        let slots = placement(of: id)?.parts.map(\.pool) ?? []
        return Set(slots).sorted().map { engine.state[$0].spec.name }
    }
}

extension PoolSpec {
    /// A pool of 8-GPU nodes: `blocks` x `domains` x `nodes`.
    public static func sample(
        _ name: String, blocks: Int = 1, domains: Int = 1, nodes: Int = 4, gpus: Int = 8, accelerator: String = "h100",
        provider: String = "aws", region: String = "east", price: Int64 = 1000
    ) -> PoolSpec {
        PoolSpec(
            name: name, provider: provider, region: region, accelerator: accelerator,
            node: NodeShape(gpus: gpus, cpuMillis: gpus * 8000, memoryMiB: gpus * 65_536),
            topology: .counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: nodes),
            priceMicroUSDPerGPUHour: price)
    }
}
