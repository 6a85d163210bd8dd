// A service in memory: a real engine behind the API's seam, without journal, threads or sockets. Each piece of work is decided
// and published before `post` returns, so that a test sees the answer at once. Switches make it full, broken or stopping.

public import API
public import Engine
public import HTTP
public import Model
import Synchronization

/// The engine as the API's work sees it. One owner at a time: `DeskBackend` keeps it inside a lock.
private final class EngineDesk: Desk {
    private var engine: Engine
    private var now = DeskBackend.start
    var stop: WriteStop?
    /// Commands that are still decided before `stop` takes hold.
    var decisionsBeforeStop = 0

    init(settings: EngineSettings) { engine = Engine(settings: settings) }

    var state: State { engine.state }

    func decide(_ command: Command) -> Decision {
        if let stop {
            if decisionsBeforeStop == 0 { return .unwritable(stop) }
            decisionsBeforeStop -= 1
        }
        // Every command has a moment of its own.
        now.nanoseconds += 1_000_000
        return .outcome(engine.decide(command, at: now).outcome)
    }

    /// Goes on with what a command left for later.
    func settle() {
        while engine.hasPendingWork { _ = engine.decide(.resume, at: now) }
    }

    func explain(_ job: Job) -> Explanation { engine.explain(job) }
    func predictStarts(_ jobs: [(job: Job, couldEverFit: Bool)]) -> [StartReading] {
        engine.predictStarts(jobs, at: now)
    }
    func poolReadings() -> [PoolReading] { engine.poolReadings() }
    func outlook(of slot: TenantSlot) -> [OutlookReading] { engine.outlook(of: slot, at: now) }

    func queueReading(limit: Int) -> (shapes: [ShapeReading], distinct: Int) {
        (engine.queueReading(limit: limit), engine.queuedShapes)
    }

    func free(_ slot: PoolSlot, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        engine.free(slot, node: node)
    }

    func freeMilli(_ slot: PoolSlot, node: Int, gpu: Int) -> Int { engine.freeMilli(slot, node: node, gpu: gpu) }

    var work: WorkCounters { engine.work }
    var fault: String? { engine.firstFault() }
}

public final class DeskBackend: Backend {
    /// 2026-11-23T02:08:39.120Z.
    public static let start = Timestamp(nanoseconds: 1_795_399_719_120_000_000)

    private struct Shown {
        var view = State()
        var work = WorkCounters()
        var isFull = false
        var checks: [HealthCheck] = [HealthCheck(name: "journal", isPassing: true, detail: "writable")]
        var reading = ServiceReading()
    }

    private let desk: Mutex<EngineDesk>
    private let shown = Mutex(Shown())

    public let engineSettings: EngineSettings

    public init(settings: EngineSettings = EngineSettings()) {
        engineSettings = settings
        desk = Mutex(EngineDesk(settings: settings))
    }

    // MARK: Switches

    /// While true nothing more is taken in, as with a full inbox.
    public var isFull: Bool {
        get { shown.withLock { $0.isFull } }
        set { shown.withLock { $0.isFull = newValue } }
    }

    public var checks: [HealthCheck] {
        get { shown.withLock { $0.checks } }
        set { shown.withLock { $0.checks = newValue } }
    }

    /// Counts of the parts that are not here, for the metrics page.
    public var parts: ServiceReading {
        get { shown.withLock { $0.reading } }
        set { shown.withLock { $0.reading = newValue } }
    }

    /// Refuses every command after the next `count`; nil takes commands again.
    public func stopWrites(_ stop: WriteStop?, after count: Int = 0) {
        desk.withLock { desk in
            desk.stop = stop
            desk.decisionsBeforeStop = count
        }
    }

    /// Decides one command past the API, as another caller's.
    @discardableResult
    public func decide(_ command: Command) -> Decision {
        desk.withLock { desk in
            let decision = desk.decide(command)
            desk.settle()
            publish(desk)
            return decision
        }
    }

    /// The first disagreement inside the engine, or nil.
    public var fault: String? { desk.withLock { $0.fault } }

    private func publish(_ desk: EngineDesk) {
        let state = desk.state
        let work = desk.work
        shown.withLock { shown in
            shown.view = state
            shown.work = work
        }
    }

    // MARK: Backend

    public var view: State { shown.withLock { $0.view } }
    public var now: Timestamp { view.at }

    public func post(_ answer: PendingAnswer, _ work: @escaping DeskWork) -> Bool {
        if isFull { return false }
        let response = desk.withLock { desk in
            let response = work(desk)
            desk.settle()
            publish(desk)
            return response
        }
        answer.send(response)
        return true
    }

    public func runSlowly(_ work: @escaping @Sendable () -> Void) { work() }

    public var readiness: [HealthCheck] { checks }

    public var reading: ServiceReading {
        shown.withLock { shown in
            var reading = shown.reading
            reading.work = shown.work
            return reading
        }
    }
}
