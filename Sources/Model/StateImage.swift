// The whole state as a value: what a snapshot holds and what the engine starts from. Indexes are not in it; they follow.

/// A pool of the state with its nodes' states.
public struct PoolImage: Sendable {
    public var spec: PoolSpec
    public var isDeleted: Bool
    /// Of the last fact about the pool or one of its nodes.
    public var revision: UInt64
    /// Nodes that are not ready: index in the pool and state, by rising index.
    public var unready: [(node: Int, state: NodeState)]

    public init(spec: PoolSpec, isDeleted: Bool, revision: UInt64, unready: [(node: Int, state: NodeState)]) {
        self.spec = spec
        self.isDeleted = isDeleted
        self.revision = revision
        self.unready = unready
    }
}

/// A tenant of the state: its path, what was put, unless jobs only name it, what is remembered of its use, and how many of its
/// gangs were lately asked to leave.
public struct TenantImage: Sendable {
    public var path: String
    public var spec: TenantSpec?
    public var meter: Meter
    public var evictions: EvictionCount

    public init(path: String, spec: TenantSpec?, meter: Meter, evictions: EvictionCount = EvictionCount()) {
        self.path = path
        self.spec = spec
        self.meter = meter
        self.evictions = evictions
    }
}

/// A priority class of the state.
public struct PriorityClassImage: Sendable {
    public var spec: PriorityClass
    /// Of the last fact about it.
    public var revision: UInt64

    public init(spec: PriorityClass, revision: UInt64) {
        self.spec = spec
        self.revision = revision
    }
}

/// An array of the state, without its tasks.
public struct JobArrayImage: Sendable {
    public var number: JobNumber
    public var spec: JobSpec
    /// Tasks that ended and were forgotten, by `JobEnd.rawValue`.
    public var forgotten: [Int]

    public init(number: JobNumber, spec: JobSpec, forgotten: [Int]) {
        self.number = number
        self.spec = spec
        self.forgotten = forgotten
    }
}

/// Everything the engine must remember, at one revision.
public struct StateImage: Sendable {
    public var revision: UInt64 = 0
    public var at = Timestamp(nanoseconds: 0)
    public var nextJobNumber: UInt64 = 1
    /// Placements made so far, of any job.
    public var placements: UInt64 = 0
    /// Whether nothing was left for the scheduler to try.
    public var isSettled = true
    /// When a place to keep for a blocked job was sought last.
    public var searchedAt = Timestamp.distantPast
    public var digest: UInt64 = 0
    public var mix = DemandMix()
    public var fairShare = FairSharePolicy()
    /// By slot; vacant ones are nil. The first is the fleet as a whole.
    public var tenants: [TenantImage?] = []
    /// By rising name.
    public var priorityClasses: [PriorityClassImage] = []
    /// By slot.
    public var pools: [PoolImage] = []
    /// By rising number.
    public var arrays: [JobArrayImage] = []
    /// By rising number.
    public var jobs: [Job] = []

    public init() {}
}
