// Every bound on what a caller may send and on what the state may hold, each with a name.
// Fixed bounds follow from the layout of columns and records; the others are settings with these defaults.

/// Bounds fixed by the width of a column or a record.
public enum Bounds {
    /// A node's GPUs are the bits of a 16-bit mask.
    public static let gpusPerNode = 16
    public static let cpuMillisPerNode = 4_000_000
    public static let memoryMiBPerNode = 67_108_864
    public static let nodesPerPool = 1 << 20
    public static let nodesPerDomain = 4096
    /// Names of nodes, domains and blocks of one listed pool together: a pool is one record of the journal.
    public static let listedNameBytes = 32 << 20
    /// Domains of a pool times the GPUs of its largest domain: bits of one index of domains by free workers.
    public static let domainIndexBits = 1 << 28
    /// Of all groups, with the most of elastic ones, and after scaling by speed: a placement is one record of the journal.
    public static let workersPerJob = 1 << 20
    public static let groupsPerJob = 8
    /// Jobs of one batch command; larger batches are several.
    public static let jobsPerBatch = 1000
    /// Bytes of the bodies of one batch command together: it is one record of the journal.
    public static let batchBytes = 2 << 20
    /// Of one group in one node.
    public static let workersPerNode = 1 << 15
    public static let poolsPerSplit = 16
    /// Least and most of an accelerator's relative speed, in thousandths.
    public static let speedMilli = 1...1_000_000
    public static let patienceSeconds = 30 * 86_400
    public static let nameBytes = 128
    public static let messageBytes = 1024
    /// They come in one command.
    public static let tasksPerArray = 10_000
    public static let labels = 32
    public static let labelValueBytes = 256
    public static let listEntries = 64
    /// Names in the path of a tenant.
    public static let tenantDepth = 6
    public static let tenantWeight = 10_000
    /// Of one tenant: what holds always and what holds for a while.
    public static let quotasPerTenant = 64
    /// Of a quota, in thousandths of a GPU or in micro-USD per hour.
    public static let quotaAmount: Int64 = 1 << 53
    public static let budgetGPUHours: Int64 = 1 << 40
    public static let budgetMicroUSD: Int64 = 1 << 60
    public static let halfLifeSeconds = 60...366 * 86_400
    public static let priority = 1000
    /// Jobs that one job may wait for: bits of a word.
    public static let dependencies = 64
    /// Times that a job may name: from 1970 to the end of 2199, so that no sum with a span of seconds leaves the range.
    public static let moments =
        Timestamp(nanoseconds: 0)...Timestamp(nanoseconds: 7_258_118_399_999_999_999)
    public static let runtimeSeconds = 10 * 366 * 86_400
    /// Slots are never given to another pool, so that a job that ended long ago still names its nodes.
    public static let poolSlots = 4096
    public static let priceMicroUSDPerGPUHour: Int64 = 1_000_000_000_000
    /// Lines of the queue that one prediction of a start looks at: some half a millisecond. Of more, every so many-th stands for its
    /// neighbours.
    public static let predictionLines = 4096
    /// Jobs of a line whose limits a prediction looks at one by one.
    public static let predictionLimits = 256
    /// Ends of limits that one prediction looks at.
    public static let predictionEnds = 4096
    /// Runs given back on trial by the search of one prediction.
    public static let predictionReleases = 1024
    /// What all predictions of one answer may cost together, in lines, ends and runs.
    public static let predictionSteps = 32_768
    /// Jobs of which it is remembered what was predicted first, until they start.
    public static let predictionsRemembered = 4096
    /// Jobs ahead of one that its prediction names.
    public static let jobsAheadNamed = 5
}

/// Bounds on what the state may hold, chosen in the configuration.
public struct StateLimits: Hashable, Sendable {
    /// Jobs that wait, are placed or run. One more is refused.
    public var liveJobs = 2_000_000
    /// Ended jobs that are remembered; the one that ended first is forgotten first.
    public var endedJobs = 100_000
    /// Distinct shapes of jobs that wait. A job of one more shape is refused.
    public var queuedShapes = 100_000
    /// Tenants, those that were put and those that jobs only name. One more is refused unless one that was only named,
    /// and has no job, can be forgotten for it.
    public var tenants = 10_000
    public var priorityClasses = 256

    public init() {}
}
