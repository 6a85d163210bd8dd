// What is asked for: a job, its worker groups and where they may run. Also a job's life, as the engine keeps it.

/// What one worker needs. CPU and memory left out mean the node's share by GPU, which is nothing for a worker without GPUs.
public struct Demand: Hashable, Sendable {
    /// Whole GPUs, 1 for a share of one, or 0 for a worker that only computes on CPUs.
    public var gpus: Int
    /// How much of its one GPU a worker takes, in thousandths: 1...1000. Less than 1000 only where `gpus` is 1.
    public var gpuMilli: Int
    public var cpuMillis: Int?
    public var memoryMiB: Int?

    public init(gpus: Int, gpuMilli: Int = 1000, cpuMillis: Int? = nil, memoryMiB: Int? = nil) {
        self.gpus = gpus
        self.gpuMilli = gpuMilli
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }

    /// GPU capacity that a worker takes, in thousandths of a GPU.
    public var totalMilli: Int { gpus * gpuMilli }
}

/// Workers that must stand close: each `size` of a group share one place of `tier`, while the gang obeys its scope.
public struct Segment: Hashable, Sendable {
    /// The group's counts are multiples of it.
    public var size: Int
    /// Node, domain or block.
    public var tier: Tier

    public init(size: Int, tier: Tier) {
        self.size = size
        self.tier = tier
    }
}

/// Workers that must stand apart: the most of a group in one node, and in one domain.
public struct Spread: Hashable, Sendable {
    public var workersPerNode: Int?
    public var workersPerDomain: Int?

    public init(workersPerNode: Int? = nil, workersPerDomain: Int? = nil) {
        self.workersPerNode = workersPerNode
        self.workersPerDomain = workersPerDomain
    }

    public static let none = Spread()
}

/// Equal workers of one role.
public struct WorkerGroup: Hashable, Sendable {
    public var name: String
    /// The least workers; never fewer are placed.
    public var count: Int
    /// The most workers; more than `count` where the group is elastic.
    public var maxCount: Int
    public var demand: Demand
    public var segment: Segment?
    public var spread: Spread

    public init(
        name: String = "worker", count: Int, maxCount: Int? = nil, demand: Demand, segment: Segment? = nil,
        spread: Spread = .none
    ) {
        self.name = name
        self.count = count
        self.maxCount = maxCount ?? count
        self.demand = demand
        self.segment = segment
        self.spread = spread
    }

    public var isElastic: Bool { maxCount > count }
}

/// How far apart the workers of a gang may stand.
public struct Scope: Hashable, Sendable {
    /// The largest tier over which the gang may be spread. A gang in one pool obeys every tier from `pool` up.
    public var required: Tier
    /// A smaller tier that it would rather share.
    public var preferred: Tier?
    /// How long the job waits for a place of `preferred` before it takes one of `required`.
    public var patienceSeconds: Int

    public init(_ required: Tier, preferred: Tier? = nil, patienceSeconds: Int = 0) {
        self.required = required
        self.preferred = preferred
        self.patienceSeconds = patienceSeconds
    }

    public static let pool = Scope(.pool)
}

/// Leave to spread a gang over several pools.
public struct Split: Hashable, Sendable {
    public var maxPools: Int
    /// Of each group of which a pool holds any workers.
    public var minWorkersPerPool: Int

    public init(maxPools: Int, minWorkersPerPool: Int = 1) {
        self.maxPools = maxPools
        self.minWorkersPerPool = minWorkersPerPool
    }
}

/// An accelerator that a job accepts.
public struct Accelerator: Hashable, Sendable {
    public var model: String
    /// Speed against the job's own measure, in thousandths.
    public var speedMilli: Int

    public init(_ model: String, speedMilli: Int = 1000) {
        self.model = model
        self.speedMilli = speedMilli
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
    /// 0...1000, higher first; 0 where a class is named.
    public var priority: Int
    /// The class that gives the priority; empty where the job says its own.
    public var priorityClass: String
    public var workers: [WorkerGroup]
    /// In order of preference; empty means any, at equal speed.
    public var accelerators: [Accelerator]
    /// Whether `workers` count workers of speed 1000, so that slower accelerators need more of them and faster ones fewer.
    public var scaleBySpeed: Bool
    public var scope: Scope
    /// Nil where one pool must hold the whole gang.
    public var split: Split?
    /// Domain or block: no other job may stand in a place of this tier in which the gang stands.
    public var exclusive: Tier?
    /// May be taken back for a higher claim.
    public var isPreemptible: Bool
    /// May stand on a pool's spare nodes. Only for preemptible jobs.
    public var usesSpares: Bool
    /// An empty list of a kind allows all of that kind.
    public var allow: PlaceList
    public var deny: PlaceList
    public var maxRuntimeSeconds: Int?
    /// Ordered by name.
    public var labels: [Label]
    /// Submitted as held: not tried until it is released.
    public var hold: Bool
    /// Not tried before.
    public var notBefore: Timestamp?
    /// Not tried before these ended; each job once.
    public var after: [Dependency]
    /// How long it may be queued, from its submission or from `notBefore`.
    public var maxWaitSeconds: Int?
    /// When it must have ended.
    public var deadline: Timestamp?
    /// Of an array and of each of its tasks.
    public var array: JobArray?

    public init(
        id: String = "", name: String = "", tenant: String = "default", priority: Int = 0,
        priorityClass: String = "", workers: [WorkerGroup],
        accelerators: [Accelerator] = [], scaleBySpeed: Bool = false, scope: Scope = .pool, split: Split? = nil,
        exclusive: Tier? = nil, isPreemptible: Bool = false, usesSpares: Bool = false,
        allow: PlaceList = PlaceList(), deny: PlaceList = PlaceList(), maxRuntimeSeconds: Int? = nil,
        labels: [Label] = [], hold: Bool = false, notBefore: Timestamp? = nil, after: [Dependency] = [],
        maxWaitSeconds: Int? = nil, deadline: Timestamp? = nil, array: JobArray? = nil
    ) {
        self.id = id
        self.name = name
        self.tenant = tenant
        self.priority = priority
        self.priorityClass = priorityClass
        self.workers = workers
        self.accelerators = accelerators
        self.scaleBySpeed = scaleBySpeed
        self.scope = scope
        self.split = split
        self.exclusive = exclusive
        self.isPreemptible = isPreemptible
        self.usesSpares = usesSpares
        self.allow = allow
        self.deny = deny
        self.maxRuntimeSeconds = maxRuntimeSeconds
        self.labels = labels
        self.hold = hold
        self.notBefore = notBefore
        self.after = after
        self.maxWaitSeconds = maxWaitSeconds
        self.deadline = deadline
        self.array = array
    }

    /// GPUs of the least gang in thousandths, before any scaling by speed.
    public var gpuMilli: Int { workers.reduce(0) { $0 + $1.count * $1.demand.totalMilli } }

    /// GPUs of the least gang, rounded up.
    public var gpuCount: Int { (gpuMilli + 999) / 1000 }
}

/// The order of arrival, from 1, never used twice.
public struct JobNumber: Hashable, Comparable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    public static func < (left: JobNumber, right: JobNumber) -> Bool { left.value < right.value }
}

/// Where a job stands in its life: `queued -> placed -> running -> succeeded | failed | cancelled`. From placed and running it may
/// come to `preempting`, while it is asked to leave, and from there back to the queue, or to where it was if it is spared; or to
/// `repairing`, while nodes of some of its workers are down and others are sought, and from there back to where it was or to the queue.
public enum JobState: UInt8, CaseIterable, Sendable {
    case queued, placed, running, succeeded, failed, cancelled, preempting, repairing

    public var name: String {
        switch self {
        case .queued: "queued"
        case .placed: "placed"
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .preempting: "preempting"
        case .repairing: "repairing"
        }
    }

    public var hasEnded: Bool { self == .succeeded || self == .failed || self == .cancelled }
    public var holdsCapacity: Bool { self == .placed || self == .running || self == .preempting || self == .repairing }
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
    case nodeDown, nodeDraining, preempted
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
    /// When it last entered the queue, whether it could be tried or not.
    public var queuedAt: Timestamp
    /// When it could last be tried: its patience counts from then. Until its gates open, when it entered the queue.
    public var openedAt: Timestamp
    public var placedAt: Timestamp?
    public var startedAt: Timestamp?
    public var endedAt: Timestamp?
    /// How often it lost its place: to a node that went down or was drained, or to a higher claim.
    public var requeues: Int = 0
    public var lastRequeue: RequeueCause?
    /// How many placements of any job the engine had made when this one could first be tried; from it follows how
    /// often the job can have been passed over.
    public var queuedAtPlacement: UInt64
    /// Held while placed or running; kept afterwards so that one can tell where an ended job ran.
    public var placement: Placement?
    /// What the caller said at the end, or why Berth ended it.
    public var message: String = ""
    public var endCause: EndCause?
    /// Its own, or that of its class when it was submitted; and what else that class said then.
    public var priority: Int = 0
    public var preemption: PreemptionPolicy = .lower
    public var minRuntimeSeconds: Int = 0
    /// Held by its caller. Like the next three only while it is queued.
    public var isHeld: Bool = false
    /// Its `notBefore` is yet to come.
    public var isEarly: Bool = false
    /// One bit for each of its `after` that is not met.
    public var unmet: UInt64 = 0
    /// As many tasks of its array as may be at once came before it and have not ended.
    public var awaitsTurn: Bool = false
    /// The place that is kept for it. Only while it waits.
    public var reservation: Reservation?
    /// The first start that it was promised since it could be tried, until it starts.
    public var firstStart: Timestamp?
    /// When the search for the earliest place that it can have was given up, for it would have cost too much.
    public var searchGivenUpAt: Timestamp?
    /// How often the whole gang lost its place to a higher claim.
    public var preemptions: Int = 0
    /// When it last said that its work is saved.
    public var checkpointedAt: Timestamp?
    /// What is being taken back from it. Only while it holds capacity.
    public var eviction: Eviction?
    /// Until when others are sought for workers that it lost. Only while it is `repairing`.
    public var repairUntil: Timestamp?
    /// How often it lost workers and went on since it was placed.
    public var repairs: Int = 0
    /// When it last took more workers or gave some up. Only while it holds capacity.
    public var resizedAt: Timestamp?

    public init(
        state: JobState, revision: UInt64, submittedAt: Timestamp, queuedAt: Timestamp, queuedAtPlacement: UInt64
    ) {
        self.state = state
        self.revision = revision
        self.submittedAt = submittedAt
        self.queuedAt = queuedAt
        openedAt = queuedAt
        self.queuedAtPlacement = queuedAtPlacement
    }
}
