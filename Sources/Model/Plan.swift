// Plans: which gangs would leave their places for which others, what that loses, and what it wins. A plan changes nothing; a move
// says all that carrying it out would need: the job, the place it is expected to have then, and the new one.

extension Bounds {
    /// Moves of one plan.
    public static let planMoves = 1000
    /// Jobs that the answer to one plan lists, of each kind.
    public static let planJobs = 10_000
    /// Domains that one plan names.
    public static let planDomains = 10_000
    /// Steps of the search of one plan: pools looked at, groups laid out, runs of nodes taken and given back.
    public static let planSteps = 2_000_000
}

/// What GPUs do over a time, as thousandths of a GPU times seconds.
public struct GPUTime: Hashable, Comparable, Sendable {
    public var gpuMilliSeconds: Int64

    public init(gpuMilliSeconds: Int64) { self.gpuMilliSeconds = gpuMilliSeconds }

    public init(gpuMilli: Int, seconds: Int64) {
        let (product, isBeyond) = Int64(gpuMilli).multipliedReportingOverflow(by: seconds)
        gpuMilliSeconds = isBeyond ? .max : product
    }

    public init(gpuHours: Int64) {
        let (product, isBeyond) = gpuHours.multipliedReportingOverflow(by: 3_600_000)
        gpuMilliSeconds = isBeyond ? .max : product
    }

    public static let zero = GPUTime(gpuMilliSeconds: 0)

    /// Rounded up.
    public var microGPUHours: Int64 { Int64(clamping: (Int128(gpuMilliSeconds) * 5 + 17) / 18) }

    public static func < (left: GPUTime, right: GPUTime) -> Bool { left.gpuMilliSeconds < right.gpuMilliSeconds }

    public static func + (left: GPUTime, right: GPUTime) -> GPUTime {
        let (sum, isBeyond) = left.gpuMilliSeconds.addingReportingOverflow(right.gpuMilliSeconds)
        return GPUTime(gpuMilliSeconds: isBeyond ? .max : sum)
    }
}

/// A domain, or a clique of one, by its pool and its index in it.
public struct DomainPlace: Hashable, Comparable, Sendable {
    public var pool: PoolSlot
    public var domain: Int

    public init(pool: PoolSlot, domain: Int) {
        self.pool = pool
        self.domain = domain
    }

    public static func < (left: DomainPlace, right: DomainPlace) -> Bool {
        (left.pool, left.domain) < (right.pool, right.domain)
    }
}

/// A whole gang leaves its place for another: it is stopped, gives its place back, and takes the new one.
public struct PlannedMove: Hashable, Sendable {
    public var job: JobNumber
    /// Where it stands when its turn comes.
    public var from: Placement
    public var to: Placement
    /// Work that is lost with the stop.
    public var lost: GPUTime
    /// What the move adds to the bill.
    public var costMicroUSDPerHour: Int64
    /// Domains of which nothing is taken any more with this move, and was before it.
    public var won: [DomainPlace]

    public init(
        job: JobNumber, from: Placement, to: Placement, lost: GPUTime, costMicroUSDPerHour: Int64,
        won: [DomainPlace] = []
    ) {
        self.job = job
        self.from = from
        self.to = to
        self.lost = lost
        self.costMicroUSDPerHour = costMicroUSDPerHour
        self.won = won
    }
}

/// Pools that are all of what is said; without any word, every pool.
public struct PoolFilter: Hashable, Sendable {
    /// By name; empty for any.
    public var pools: [String]
    public var accelerator: String?
    public var provider: String?
    /// Alone or as `provider/region`.
    public var region: String?

    public init(pools: [String] = [], accelerator: String? = nil, provider: String? = nil, region: String? = nil) {
        self.pools = pools
        self.accelerator = accelerator
        self.provider = provider
        self.region = region
    }
}

/// What a plan that frees whole domains may do.
public struct DefragmentRequest: Hashable, Sendable {
    /// Where domains are won; moves stay within these pools.
    public var filter = PoolFilter()
    public var maxMoves = 100
    public var maxLost: GPUTime?
    /// It ends when so many are won.
    public var wholeDomains: Int?
    /// Whether only jobs move that may be taken back for others.
    public var onlyPreemptible = false
    /// Whether emptying a domain may add to the bill.
    public var mayCostMore = false

    public init(filter: PoolFilter = PoolFilter(), maxMoves: Int = 100) {
        self.filter = filter
        self.maxMoves = maxMoves
    }
}

/// What is to be emptied: domains where any are named, else all pools of the filter.
public struct EvacuationRequest: Hashable, Sendable {
    public var filter = PoolFilter()
    public var domains: [DomainPlace] = []
    /// Jobs that are listed, of those that stand there and of those that wait for it; all are counted.
    public var limit = 1000

    public init(filter: PoolFilter = PoolFilter()) { self.filter = filter }
}
