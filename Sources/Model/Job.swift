// What is asked for: a job, its worker groups and where they may run. Also a job's life, as the engine keeps it.

/// What one worker needs. CPU and memory left out mean the node's share by GPU.
public struct Demand: Hashable, Sendable {
    public var gpus: Int
    public var cpuMillis: Int?
    public var memoryMiB: Int?

    public init(gpus: Int, cpuMillis: Int? = nil, memoryMiB: Int? = nil) {
        self.gpus = gpus
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }
}

/// Equal workers of one role.
public struct WorkerGroup: Hashable, Sendable {
    public var name: String
    public var count: Int
    public var demand: Demand

    public init(name: String = "worker", count: Int, demand: Demand) {
        self.name = name
        self.count = count
        self.demand = demand
    }
}

/// Providers, regions and pools by name.
public struct PlaceList: Hashable, Sendable {
    public var providers: [String] = []
    public var regions: [String] = []
    public var pools: [String] = []

    public init(providers: [String] = [], regions: [String] = [], pools: [String] = []) {
        self.providers = providers
        self.regions = regions
        self.pools = pools
    }

    public var isEmpty: Bool { providers.isEmpty && regions.isEmpty && pools.isEmpty }
}

/// A name and a value that the caller attaches and Berth only gives back.
public struct Label: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A job as its caller asked for it. Two submissions with one id are the same job when these values are equal.
public struct JobSpec: Hashable, Sendable {
    /// Chosen by the caller, or empty until the engine gives one.
    public var id: String
    public var name: String
    public var tenant: String
    /// 0...1000, higher first.
    public var priority: Int
    public var workers: [WorkerGroup]
    /// Models in order of preference; empty means any.
    public var accelerators: [String]
    public var scope: Scope
    /// An empty list of a kind allows all of that kind.
    public var allow: PlaceList
    public var deny: PlaceList
    public var maxRuntimeSeconds: Int?
    /// Ordered by name.
    public var labels: [Label]

    public init(
        id: String = "", name: String = "", tenant: String = "default", priority: Int = 0, workers: [WorkerGroup],
        accelerators: [String] = [], scope: Scope = .pool, allow: PlaceList = PlaceList(),
        deny: PlaceList = PlaceList(),
        maxRuntimeSeconds: Int? = nil, labels: [Label] = []
    ) {
        self.id = id
        self.name = name
        self.tenant = tenant
        self.priority = priority
        self.workers = workers
        self.accelerators = accelerators
        self.scope = scope
        self.allow = allow
        self.deny = deny
        self.maxRuntimeSeconds = maxRuntimeSeconds
        self.labels = labels
    }

    /// GPUs of the whole gang.
    public var gpuCount: Int { workers.reduce(0) { $0 + $1.count * $1.demand.gpus } }
}

/// The order of arrival, from 1, never used twice.
public struct JobNumber: Hashable, Comparable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    public static func < (left: JobNumber, right: JobNumber) -> Bool { left.value < right.value }
}

/// Where a job stands in its life: `queued -> placed -> running -> succeeded | failed | cancelled`.
public enum JobState: UInt8, CaseIterable, Sendable {
    case queued, placed, running, succeeded, failed, cancelled

    public var name: String {
        switch self {
        case .queued: "queued"
        case .placed: "placed"
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }

    public var hasEnded: Bool { self == .succeeded || self == .failed || self == .cancelled }
    public var holdsCapacity: Bool { self == .placed || self == .running }
}

/// How a job's life ends.
public enum JobEnd: UInt8, CaseIterable, Sendable {
    case succeeded, failed, cancelled

    public var state: JobState {
        switch self {
        case .succeeded: .succeeded
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }
}

/// Why a placed or running gang went back to the queue.
public enum RequeueCause: UInt8, CaseIterable, Sendable {
    case nodeDown, nodeDraining
}

/// A job as the state holds it: immutable, replaced whole at each transition, so that readers share it freely.
public final class Job: Sendable {
    public let number: JobNumber
    public let spec: JobSpec
    public let life: JobLife
    /// Digest of `spec`, kept because it is needed at each transition.
    public let specDigest: UInt64
    /// This job's part of the state digest.
    public let digest: UInt64

    public init(number: JobNumber, spec: JobSpec, life: JobLife, specDigest: UInt64? = nil) {
        self.number = number
        self.spec = spec
        self.life = life
        let specDigest = specDigest ?? spec.digest
        self.specDigest = specDigest
        digest = life.digest(number: number, specDigest: specDigest)
    }

    public var id: String { spec.id }
    public var state: JobState { life.state }

    /// The same job after a transition.
    public func with(_ life: JobLife) -> Job { Job(number: number, spec: spec, life: life, specDigest: specDigest) }
}

/// The part of a job that its transitions change.
public struct JobLife: Hashable, Sendable {
    public var state: JobState
    /// Revision of the last fact about this job.
    public var revision: UInt64
    public var submittedAt: Timestamp
    /// When it last entered the queue.
    public var queuedAt: Timestamp
    public var placedAt: Timestamp?
    public var startedAt: Timestamp?
    public var endedAt: Timestamp?
    /// How often it lost its place to a node that went down or was drained.
    public var requeues: Int = 0
    public var lastRequeue: RequeueCause?
    /// How many placements of any job the engine had made when this one entered the queue; from it follows how
    /// often the job can have been passed over.
    public var queuedAtPlacement: UInt64
    /// Held while placed or running; kept afterwards so that one can tell where an ended job ran.
    public var placement: Placement?
    /// What the caller said at the end.
    public var message: String = ""

    public init(
        state: JobState, revision: UInt64, submittedAt: Timestamp, queuedAt: Timestamp, queuedAtPlacement: UInt64
    ) {
        self.state = state
        self.revision = revision
        self.submittedAt = submittedAt
        self.queuedAt = queuedAt
        self.queuedAtPlacement = queuedAtPlacement
    }
}
