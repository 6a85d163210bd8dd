// The scheduler: state, command and time in, facts out. Owns the state, the packer and the queue and keeps them one.
// Holds no clock, randomness, thread or I/O: the same state, command and time always give the same facts.

public import Model
import Packing

/// By what waiting jobs are ordered.
public enum QueueOrder: Hashable, Sendable {
    /// By arrival alone.
    case arrival
    /// By priority with what it wins by waiting, then by arrival.
    case priority
    /// By priority with what it wins by waiting, then by the tenant's share, then by arrival.
    case full
}

/// What the engine's decisions depend on besides state, command and time.
public struct EngineSettings: Hashable, Sendable {
    public var limits = StateLimits()
    /// Distinct demands of one worker among jobs that wait. Each costs an index in every pool that its jobs may use, or one for
    /// each different rule within a node that they have, and another once nodes are kept for someone.
    public var queuedDemands = 256
    /// Jobs placed by one command before it lets other commands in; the rest follow by `Command.resume`.
    public var placementsPerCommand = 1000
    /// Steps of the search that improves the plan of a batch, at about three microseconds each.
    public var batchSearchSteps = 8192
    /// How many blocked jobs have a place kept for them; 0 for none.
    public var reservations = 32
    /// Once so many placements were made while a job waited, a place is kept for it before all that did not wait so long.
    public var placementsBeforeReservation = 1000
    /// Jobs given back on trial by one command that seeks places to keep.
    public var searchReleases = 8192
    /// Between two searches for places to keep, while any is kept.
    public var searchPauseMilliseconds = 250
    /// A place that is kept is sought again after so long, for jobs end before their limits.
    public var reservationSeconds = 60
    /// How long a job is taken to run that does not say.
    public var assumedRuntimeSeconds = 86_400
    /// A job wins a point of priority for each so many seconds that it waits; 0 for none.
    public var agingSeconds = 3600
    /// The most points that it wins.
    public var agingPoints = 24
    public var order = QueueOrder.full
    /// Whether jobs behind one that does not fit now may be placed before it. What its tenant's rules keep from all pools holds nobody up in
    /// any case.
    public var overtaking = true
    /// How long a job that must leave for a higher claim may take to stop; 0 to take its place at once.
    public var preemptionGraceSeconds = 30
    /// How long others are sought for the workers that a gang lost before all of it goes back to the queue; 0 for not at all.
    public var repairGraceSeconds = 60
    /// How long an elastic gang keeps its size after it was placed or resized before it takes more workers; 0 for never more.
    public var resizeIntervalSeconds = 300
    /// Gangs of one tenant that may be asked to leave in one hour of the clock.
    public var evictionsPerTenantAndHour = 1000
    /// A job that was preempted so often is left in peace.
    public var preemptionsBeforeProtection = 3
    /// Gangs that one search for victims chooses from, the least lost work first.
    public var preemptionCandidates = 16_384
    /// Times that gangs are released or put back on trial before a command leaves further searches for victims to the next.
    public var preemptionReleasesPerCommand = 4096

    public init() {}
}

/// Something a journal or snapshot says that cannot follow from the state before it.
public enum ReplayError: Error, Hashable, Sendable, CustomStringConvertible {
    case revisionGap(expected: UInt64, found: UInt64)
    case digestMismatch(revision: UInt64)
    case impossibleFact(revision: UInt64, String)

    public var description: String {
        switch self {
        case .revisionGap(let expected, let found): "revision \(found) follows where \(expected) must"
        case .digestMismatch(let revision): "the state at revision \(revision) is not the one that was written"
        case .impossibleFact(let revision, let reason): "revision \(revision) cannot follow: \(reason)"
        }
    }
}

public struct Engine: ~Copyable {
    public internal(set) var state = State()
    public let settings: EngineSettings
    var packer = Packer()
    var queue: Queue
    var timers = Timers()
    var dependents = Dependents()
    var turns = ArrayTurns()
    var gatedShapes = GatedShapes()
    /// The time of the last command, whether it changed anything or not.
    var now = Timestamp(nanoseconds: 0)
    var places = PlaceNumbers()
    /// Ended jobs by rising end, to forget the first of them when there are too many.
    var ended = EndedJobs()
    var watchers = Watchers()
    /// Pools whose free capacity grew, or that are held no longer, since the last pass.
    var grown = IndexSet()
    /// Shapes to try in the next pass whatever grew.
    var untried = IndexSet()
    /// Whether the command has gone through the queue.
    var hasScheduled = false
    /// Whether victims may be sought now.
    var mayPreempt = false
    /// Whether blocked jobs may be left for which no place was sought yet.
    var seeksMore = false
    /// The packer's count before the command.
    var layoutWorkBefore: UInt64 = 0
    /// When the last fact before the command came.
    var lastFactAt = Timestamp(nanoseconds: 0)
    /// What the command may still give back on trial.
    var releasesLeft = 0
    var triesAll = false
    var claims = Claims()
    var occupancy = Occupancy()
    var fairShare = FairShare()
    var bars = Bars()
    var preemption = Preemption()
    var repairs = Repairs()
    var moves = Moves(since: Timestamp(nanoseconds: 0))
    var firstPredictions = FirstPredictions()
    var growth = Growth()
    /// By shape.
    var knownHeads: [KnownHead?] = []
    /// By pool.
    var idleNodes: [IdleNodes?] = []
    /// How many demands must have come to the queue before the packer's idle indexes are looked through.
    var nextTrim: UInt64 = 0
    /// Facts of the command being decided.
    var facts: [Fact] = []
    /// Work done, for metrics; no part of any decision.
    public internal(set) var work = WorkCounters()

    public init(settings: EngineSettings = EngineSettings()) {
        self.settings = settings
        queue = Queue(assumedRuntimeSeconds: settings.assumedRuntimeSeconds)
    }

    /// Whether `Command.resume` would go on with placements, gates or preemption that the last command left.
    public var hasPendingWork: Bool { hasPlacementWork || isPreemptionDue || growth.isPending }

    /// Whether there is something to place, or to settle, before anyone is asked to leave.
    var hasPlacementWork: Bool { hasUntried || hasUnsettledGates }

    /// Units of work that all searches for layouts have cost (`Packer.layoutWork`).
    public var layoutWork: UInt64 { packer.layoutWork }

    var hasUntried: Bool {
        !grown.isEmpty || !untried.isEmpty || triesAll || !claims.touched.isEmpty || !preemption.touched.isEmpty
            || repairs.isPending
    }

    /// Decides one command. The state has changed by the returned facts when this returns; the caller makes them
    /// durable before anyone hears of them. Nil where nothing changed.
    public mutating func decide(_ command: Command, at moment: Timestamp) -> (
        outcome: Outcome, transaction: Transaction?
    ) {
        facts.removeAll(keepingCapacity: true)
        let first = state.revision + 1
        releasesLeft = settings.searchReleases
        layoutWorkBefore = packer.layoutWork
        lastFactAt = state.at
        hasScheduled = false
        advance(to: moment)
        let at = now
        mayPreempt = mayPreempt || mayPreempt(at: at)
        // What time has brought comes before what is asked.
        _ = settleGates(at: at)
        let outcome = outcome(of: command, at: at)
        // A command that has nothing to do with placing may have brought time forward.
        bars.refresh(state, at: at)
        if (hasUntried || growth.isPending || bars.mayOpen || !state.isSettled) && !hasScheduled { schedule(at: at) }
        if isPreemptionDue && !hasScheduled { preempt(at: at) }
        if !hasUntried { claims.forgetFresh() }
        state.isSettled = !hasUntried && !growth.isPending && !isPreemptionDue && !bars.mayOpen
        // What is left to the next command is one with this.
        if !hasPendingWork { mayPreempt = mayPreempt && mayPreempt(at: at) }
        if facts.isEmpty { return (refreshed(outcome), nil) }
        let transaction = Transaction(firstRevision: first, at: at, facts: facts, stateDigest: state.digest)
        return (refreshed(outcome), transaction)
    }

    /// The job of an outcome as it is after the whole command; one forgotten by then stays as it was before that.
    private func refreshed(_ outcome: Outcome) -> Outcome {
        if case .job(let job, let created) = outcome, let latest = state.jobs[job.number] {
            return .job(latest, created: created)
        }
        return outcome
    }

    mutating func emit(_ fact: Fact, at: Timestamp) {
        facts.append(fact)
        apply(fact, at: at)
    }
}

/// How much the scheduler did, since the process started.
public struct WorkCounters: Hashable, Sendable {
    public internal(set) var passes: UInt64 = 0
    /// Times a shape was tried on the packer.
    public internal(set) var tries: UInt64 = 0
    /// Tries that found no place.
    public internal(set) var misses: UInt64 = 0
    public internal(set) var placements: UInt64 = 0
    public internal(set) var requeues: UInt64 = 0
    /// Starts that were promised before, by how far from it they came, in seconds.
    public internal(set) var predictions = PredictionErrors()
    public internal(set) var predictedStarts = PredictedStarts()
    /// Gangs, and surplus workers of elastic ones, that were asked to leave, by `PreemptionKind.rawValue`.
    public internal(set) var preemptions = [UInt64](repeating: 0, count: PreemptionKind.allCases.count)
    public internal(set) var shrinks = [UInt64](repeating: 0, count: PreemptionKind.allCases.count)
    /// Those of them that were spared.
    public internal(set) var spared: UInt64 = 0
    /// Work since the last checkpoint that preempted jobs lost, in thousandths of a GPU times seconds.
    public internal(set) var lostMilliSeconds: UInt64 = 0
    /// Gangs that lost some of their workers, those that went on, and the times that none were found in time.
    public internal(set) var losses: UInt64 = 0
    public internal(set) var repairs: UInt64 = 0
    public internal(set) var repairsGivenUp: UInt64 = 0
    /// Times that an elastic gang took more workers, and how many.
    public internal(set) var growths: UInt64 = 0
    public internal(set) var grownWorkers: UInt64 = 0
    /// Searches for victims, the times that they tried to place a gang, and the gangs that they released for it.
    public internal(set) var preemptionSearches: UInt64 = 0
    public internal(set) var preemptionTrials: UInt64 = 0
    public internal(set) var preemptionReleases: UInt64 = 0
    /// Jobs ended, by `EndCause.rawValue`.
    public internal(set) var ends = [UInt64](repeating: 0, count: EndCause.allCases.count)

    public init() {}

    /// What a job lost of its work when so much of its capacity was taken back.
    mutating func noteLoss(of job: Job, _ gpuMilli: Int, at: Timestamp) {
        guard let since = job.life.unsavedSince, since < at else { return }
        let seconds = (Int128(at.nanoseconds) - Int128(since.nanoseconds)) / 1_000_000_000
        lostMilliSeconds = UInt64(clamping: Int128(lostMilliSeconds) + seconds * Int128(gpuMilli))
    }
}

/// How far the first promise of a start was from the start.
public struct PredictionErrors: Hashable, Sendable {
    /// Upper bounds in seconds.
    public static let bounds = [1, 10, 60, 600, 3600, 21_600, 86_400]

    /// Promises by bound, each counted once; the last beyond all bounds.
    public private(set) var counts = [UInt64](repeating: 0, count: PredictionErrors.bounds.count + 1)
    public private(set) var sumSeconds: UInt64 = 0

    mutating func note(promised: Timestamp, started: Timestamp) {
        let seconds = (max(promised, started).nanoseconds - min(promised, started).nanoseconds) / 1_000_000_000
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sumSeconds += UInt64(seconds)
    }
}
