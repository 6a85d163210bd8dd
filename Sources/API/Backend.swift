// The seam between the API and the running service: what a handler may read at once, and how it hands work to the writer.
// The API knows no journal and no thread; the service behind this knows no JSON.

public import Engine
public import HTTP
public import Model

/// What the writer offers to work that runs on its queue. Valid only while that work runs.
public protocol Desk {
    /// The state as it is now, with changes that are not on disk yet: an answer made of it leaves when they are.
    var state: State { get }
    /// Decides a command and puts its facts into the journal's next flush.
    func decide(_ command: Command) -> Decision
    func explain(_ job: Job) -> Explanation
    /// When jobs that wait start, all for one answer, each with whether it could ever fit.
    func predictStarts(_ jobs: [(job: Job, couldEverFit: Bool)]) -> [StartReading]
    func poolReadings() -> [PoolReading]
    func queueReading(limit: Int) -> (shapes: [ShapeReading], distinct: Int)
    func outlook(of slot: TenantSlot) -> [OutlookReading]
    /// What is free on a node; the mask shows GPUs that are wholly free.
    func free(_ slot: PoolSlot, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int)
    /// What is free of one GPU, in thousandths.
    func freeMilli(_ slot: PoolSlot, node: Int, gpu: Int) -> Int
}

/// What became of a command.
public enum Decision: Sendable {
    case outcome(Outcome)
    /// Nothing was decided: the journal takes no writes now.
    case unwritable(WriteStop)
}

/// Why the service takes no writes.
public enum WriteStop: Hashable, Sendable {
    /// The disk is full; writes come back by themselves when there is room.
    case diskFull
    /// A write or flush of the journal failed; writes come back after a restart.
    case journalFailed(String)
    /// The service is stopping.
    case stopping
}

/// Work for the writer: makes the answer, which leaves when everything decided so far is on disk.
public typealias DeskWork = @Sendable (any Desk) -> HTTPResponse

/// One check of readiness.
public struct HealthCheck: Sendable {
    public var name: String
    public var isPassing: Bool
    public var detail: String

    public init(name: String, isPassing: Bool, detail: String) {
        self.name = name
        self.isPassing = isPassing
        self.detail = detail
    }
}

/// Counts of the service for the metrics page.
public struct ServiceReading: Sendable {
    public var http = HTTPCounters()
    public var work = WorkCounters()
    public var journalBytes: UInt64 = 0
    public var journalRecords: UInt64 = 0
    public var journalFlushes: UInt64 = 0
    public var journalSegments = 0
    public var snapshotRevision: UInt64 = 0
    public var snapshots: UInt64 = 0
    public var inboxDepth = 0
    public var inboxCapacity = 0
    public var inboxRefusals: UInt64 = 0
    public var pools: [PoolReading] = []
    public var decisions = HistogramReading()
    public var flushes = HistogramReading()
    public var residentBytes: UInt64 = 0
    public var startedAt = Timestamp(nanoseconds: 0)
    public var plans = HistogramReading()
    public var planSteps: UInt64 = 0

    public init() {}
}

public protocol Backend: Sendable {
    /// The newest state that is wholly on disk.
    var view: State { get }
    /// The time by the service's clock.
    var now: Timestamp { get }
    /// What the engine decides by, besides its state.
    var engineSettings: EngineSettings { get }
    /// Hands work to the writer. False when its inbox is full: the answer is still the caller's duty.
    func post(_ answer: PendingAnswer, _ work: @escaping DeskWork) -> Bool
    /// Runs work that is too long for an event loop.
    func runSlowly(_ work: @escaping @Sendable () -> Void)
    /// Every check of readiness; ready when all pass. Never waits.
    var readiness: [HealthCheck] { get }
    /// Counts as they are now. Never waits.
    var reading: ServiceReading { get }
}
