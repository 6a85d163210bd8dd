// When a waiting job starts, as far as that can be told: a range and its place in the order, or why there is none.

public import Model

/// Between when and when a job is predicted to start. `earliest` is at most `latest`, and never in the past.
public struct StartRange: Hashable, Sendable {
    /// By the limits of what runs and of what is ahead of it in its own line, were it not for the other jobs.
    public let earliest: Timestamp
    /// Once all that is ahead of it was served first, each job up to its limit.
    public let latest: Timestamp
    /// Whether some of those limits were not said but assumed.
    public let isAssumed: Bool

    public init(earliest: Timestamp, latest: Timestamp, isAssumed: Bool) {
        self.earliest = earliest
        self.latest = latest
        self.isAssumed = isAssumed
    }
}

/// Why no start is predicted for a waiting job. Closed: a program may switch on it.
public enum NoStart: UInt8, CaseIterable, Sendable {
    /// A gate is not open.
    case gated
    /// No pool could hold it were it empty and all its nodes ready.
    case neverFits
    /// Too many nodes are cordoned, draining or down in all pools that could.
    case nodesUnavailable
    /// The rules of its tenant keep it out until others of the tenant end, or the month does.
    case tenantJobsAtLimit
    case budgetUsedUp
    case quotaUsedUp
    /// To find out would have cost more than a reader may.
    case gaveUpSearching
}

/// A waiting job's place in the order of the queue. Jobs behind gates have none.
public struct QueuePosition: Hashable, Sendable {
    /// Jobs ahead of it that may use a pool that it may use.
    public let inItsPools: Int
    /// Jobs ahead of it.
    public let overall: Int
    /// Whether the numbers are estimates: of a queue of many lines only some were looked at.
    public let isEstimate: Bool
    /// The first of those that may use its pools, in order; at most `Bounds.jobsAheadNamed`. None of an estimate.
    public let ahead: [String]
}

/// What is predicted of a waiting job's start.
public struct StartReading: Hashable, Sendable {
    public enum Start: Hashable, Sendable {
        case range(StartRange)
        case none(NoStart)
    }

    public let start: Start
    public let position: QueuePosition?
    /// Nothing that the range rests on has changed since. Of a place that is kept, when its start was moved last.
    public let movedAt: Timestamp?

    init(_ start: Start, position: QueuePosition? = nil, movedAt: Timestamp? = nil) {
        self.start = start
        self.position = position
        self.movedAt = movedAt
    }

    public var range: StartRange? {
        if case .range(let range) = start { range } else { nil }
    }
}

/// What the predictions of one answer may still cost.
struct PredictionWork {
    private var stepsLeft = Bounds.predictionSteps

    /// Whether one more prediction can be made to its end, which goes through so many lines.
    func suffices(lines: Int) -> Bool {
        stepsLeft >= min(lines, Bounds.predictionLines) + Bounds.predictionEnds + Bounds.predictionReleases
    }

    mutating func spend(_ steps: Int) { stepsLeft -= steps }
}

/// Whether a job ends by its deadline if it starts as predicted and runs up to its limit. Closed: a program may switch on it.
public enum DeadlineOutlook: UInt8, CaseIterable, Sendable {
    /// Even if it starts at the latest.
    case onTime
    /// Only if it starts before the latest.
    case atRisk
    /// Not even if it starts at the earliest.
    case late
    /// No start is predicted.
    case unknown

    /// Nil for a job without a deadline.
    public init?(_ job: Job, _ reading: StartReading) {
        guard let deadline = job.spec.deadline else { return nil }
        guard let range = reading.range else {
            self = .unknown
            return
        }
        // One that says no limit is only asked to have begun.
        let seconds = job.spec.maxRuntimeSeconds ?? 0
        self =
            range.latest.adding(seconds: seconds) <= deadline
            ? .onTime : range.earliest.adding(seconds: seconds) <= deadline ? .atRisk : .late
    }
}

extension NoStart {
    /// What it means for a job and what may end it.
    public func sentence(_ gates: [Gate]) -> String {
        switch self {
        case .gated:
            "No start is predicted before its gates open. " + gates.map(\.sentence).joined(separator: " ")
        case .neverFits: "No pool can hold it even when empty; 'reasons' says why."
        case .nodesUnavailable: "No pool has enough ready nodes for it. Bring nodes back with :up or :uncordon."
        case .tenantJobsAtLimit:
            "It starts once others of its tenant end: the tenant has as many jobs placed as it may."
        case .budgetUsedUp: "It starts when the month ends or its tenant's budget is raised."
        case .quotaUsedUp:
            "It starts once others give back quota that its tenant may take; their limits do not say whose turn it is then."
        case .gaveUpSearching: "To find out would take longer than a reader may hold up the scheduler."
        }
    }
}

extension DeadlineOutlook {
    /// What it means for a job with this deadline.
    public func sentence(_ deadline: Timestamp) -> String {
        switch self {
        case .onTime: "It is predicted to end by its deadline, \(deadline.exact)."
        case .atRisk: "It ends by its deadline, \(deadline.exact), only if it starts before the latest predicted start."
        case .late:
            "Even from its earliest predicted start it would not end by its deadline, \(deadline.exact), unless others end "
                + "before their limits."
        case .unknown: "No start is predicted, so nobody can say whether it ends by its deadline, \(deadline.exact)."
        }
    }
}
