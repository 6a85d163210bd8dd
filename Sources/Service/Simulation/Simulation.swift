// Runs a workload through the engine on virtual time: each job is submitted at its time, starts when it is placed, and ends after
// its run time. Knows no clock; the same workload and settings always come to the same result.

public import Engine
public import Model

public struct Simulation: Sendable {
    private let pools: [PoolSpec]
    private let workload: Workload

    /// Refuses a workload with jobs that do not fit the fleet even when nothing else is there: they would wait for ever.
    public init(_ workload: Workload, on pools: [PoolSpec]) throws(SimulationFault) {
        self.pools = pools
        self.workload = workload
        var run = Run(workload, EngineSettings())
        run.put(pools)
        try run.checkFits()
    }

    public func run(_ settings: EngineSettings) throws(SimulationFault) -> SimulationResult {
        var run = Run(workload, settings)
        run.put(pools)
        return try run.result()
    }
}

/// One policy's way through the workload.
private struct Run: ~Copyable {
    /// The end of a job's run, unless it lost its place before.
    private struct Finish: Comparable {
        let at: Int64
        let job: Int
        /// Which of the job's runs.
        let attempt: Int

        static func < (left: Finish, right: Finish) -> Bool {
            (left.at, left.job, left.attempt) < (right.at, right.job, right.attempt)
        }
    }

    /// Some day; only spans matter.
    private static let begin = Timestamp(nanoseconds: 1_767_225_600_000_000_000)

    private var engine: Engine
    private let workload: Workload
    private var tally: SimulationTally
    /// By falling time, so that the next stands last.
    private var finishes: [Finish] = []
    private var indexByNumber: [JobNumber: Int] = [:]
    private var numbers: [JobNumber?]
    /// By job: how often it was placed, and since when it runs.
    private var attempts: [Int]
    private var runningSince: [Int64?]
    /// From the first submission.
    private var now: Int64 = 0

    init(_ workload: Workload, _ settings: EngineSettings) {
        var settings = settings
        // Ended jobs are of no use here.
        settings.limits.endedJobs = 0
        settings.limits.liveJobs = max(settings.limits.liveJobs, workload.jobs.count)
        settings.limits.tenants = max(settings.limits.tenants, workload.jobs.count)
        engine = Engine(settings: settings)
        self.workload = workload
        tally = SimulationTally(workload)
        numbers = Array(repeating: nil, count: workload.jobs.count)
        attempts = Array(repeating: 0, count: workload.jobs.count)
        runningSince = Array(repeating: nil, count: workload.jobs.count)
    }

    mutating func put(_ pools: [PoolSpec]) { for pool in pools { decide(.putPool(pool)) } }

    /// Submits one job of each shape to the fleet while it is empty.
    mutating func checkFits() throws(SimulationFault) {
        var seen: Set<[WorkerGroup]> = []
        var lines: [String] = []
        for job in workload.jobs where seen.insert(job.spec.workers).inserted {
            let (outcome, _) = engine.decide(.submit(job.spec), at: Self.begin)
            guard case .job(let submitted, _) = outcome else {
                throw Self.refused(job, outcome)
            }
            if submitted.state == .queued {
                let group = job.spec.workers[0]
                lines.append(
                    "\(job.name): \(group.count) workers of \(group.demand.gpus) GPUs fit no pool even when it is empty."
                )
            }
            decide(.cancel(id: submitted.id))
        }
        if !lines.isEmpty { throw SimulationFault(lines: lines) }
    }

    mutating func result() throws(SimulationFault) -> SimulationResult {
        var next = 0
        while true {
            let submitAt = next < workload.jobs.count ? workload.jobs[next].submitNanoseconds : .max
            let finishAt = finishes.last?.at ?? .max
            let wakeAt = dueAt ?? .max
            let first = min(submitAt, finishAt, wakeAt)
            if first == .max { break }
            now = first
            // What ends makes room for what comes at the same moment.
            if finishAt == first {
                finish(finishes.removeLast())
            } else if submitAt == first {
                try submit(next)
                next += 1
            } else {
                decide(.resume)
            }
        }
        let left = engine.state.count(of: .queued)
        if left > 0 { throw SimulationFault(lines: ["\(left) jobs wait and none runs."]) }
        return tally.result(hash: engine.state.digest)
    }

    /// When time brings something to jobs that wait.
    private var dueAt: Int64? {
        guard engine.state.count(of: .queued) > 0, let due = engine.nextDeadline else { return nil }
        return due.nanoseconds(since: Self.begin)
    }

    private mutating func submit(_ job: Int) throws(SimulationFault) {
        let number = JobNumber(engine.state.nextJobNumber)
        indexByNumber[number] = job
        numbers[job] = number
        let outcome = decide(.submit(workload.jobs[job].spec))
        guard case .job = outcome else { throw Self.refused(workload.jobs[job], outcome) }
    }

    private static func refused(_ job: SimulatedJob, _ outcome: Outcome) -> SimulationFault {
        SimulationFault(lines: ["\(job.name): the engine refuses it: \(outcome)."])
    }

    private mutating func finish(_ finish: Finish) {
        guard attempts[finish.job] == finish.attempt, let since = runningSince[finish.job] else { return }
        runningSince[finish.job] = nil
        tally.ran(finish.job, from: since, to: now, isLost: false)
        if let id = id(of: finish.job) { decide(.finish(id: id, end: .succeeded, message: "")) }
    }

    private func id(of job: Int) -> String? { numbers[job].flatMap { engine.state.jobs[$0]?.id } }

    @discardableResult
    private mutating func decide(_ command: Command) -> Outcome {
        let at = Timestamp(nanoseconds: Self.begin.nanoseconds + now)
        let (outcome, transaction) = engine.decide(command, at: at)
        note(transaction, at: at)
        while engine.hasPendingWork { note(engine.decide(.resume, at: at).transaction, at: at) }
        return outcome
    }

    private mutating func note(_ transaction: Transaction?, at: Timestamp) {
        for fact in transaction?.facts ?? [] {
            switch fact {
            case .jobPlaced(let number, _): if let job = indexByNumber[number] { start(job, at: at) }
            case .jobRequeued(let number, _): if let job = indexByNumber[number] { lose(job) }
            case .jobReserved(let number, let reservation):
                let start = reservation.start.nanoseconds(since: Self.begin)
                if let job = indexByNumber[number] { tally.predicted(job, at: start) }
            default: break
            }
        }
    }

    private mutating func start(_ job: Int, at: Timestamp) {
        attempts[job] += 1
        runningSince[job] = now
        tally.started(job, at: now)
        plan(Finish(at: now + workload.jobs[job].runtimeNanoseconds, job: job, attempt: attempts[job]))
        if let id = id(of: job) { _ = engine.decide(.start(id: id), at: at) }
    }

    private mutating func plan(_ finish: Finish) {
        var low = 0
        var high = finishes.count
        while low < high {
            let middle = (low + high) / 2
            if finish < finishes[middle] { low = middle + 1 } else { high = middle }
        }
        finishes.insert(finish, at: low)
    }

    /// A job went back to the queue; it begins anew when it is placed again.
    private mutating func lose(_ job: Int) {
        guard let since = runningSince[job] else { return }
        runningSince[job] = nil
        tally.ran(job, from: since, to: now, isLost: true)
    }
}
