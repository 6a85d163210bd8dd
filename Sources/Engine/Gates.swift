// The gates of queued jobs: with which a job begins, and what opens them or ends the job. Time comes first, in its order; then
// the ends of other jobs and arrays, by rising number of these and of those that wait for them; then the turns of tasks. A chain of jobs is followed by the loop.

import Model
import Packing

extension Engine {
    /// Jobs that one command opens or ends by itself before it lets others in; the rest follow by `Command.resume`.
    static let gatesPerCommand = 1000

    /// The life of a job that comes now: its priority resolved, its gates set.
    func firstLife(of spec: JobSpec, at: Timestamp) -> JobLife {
        var life = JobLife(
            state: .queued, revision: state.revision, submittedAt: at, queuedAt: at,
            queuedAtPlacement: state.placements)
        life.priority = spec.priority
        if let found = state.priorityClass(named: spec.priorityClass)?.spec {
            life.priority = found.value
            life.preemption = found.preemption
            life.minRuntimeSeconds = found.minRuntimeSeconds
        }
        life.isHeld = spec.hold
        life.isEarly = spec.notBefore.map { $0 > at } ?? false
        for (index, dependency) in spec.after.enumerated() {
            guard let other = state.awaited(dependency.job) else { continue }
            if !(other.end.map(dependency.condition.isMet) ?? false) { life.unmet |= 1 << UInt64(index) }
        }
        return life
    }

    /// What of a job does not go with the state and the time.
    func mistakes(in spec: JobSpec, at: Timestamp) -> [SubmitMistake] {
        var mistakes: [SubmitMistake] = []
        if !spec.priorityClass.isEmpty && state.priorityClass(named: spec.priorityClass) == nil {
            mistakes.append(.unknownPriorityClass(name: spec.priorityClass))
        }
        for (index, dependency) in spec.after.enumerated() where state.awaited(dependency.job) == nil {
            mistakes.append(.unknownDependency(index: index, id: dependency.job))
        }
        let earliestEnd = spec.earliestEnd(submittedAt: at)
        if let deadline = spec.deadline, earliestEnd > deadline {
            mistakes.append(.deadlineTooEarly(deadline: deadline, earliestEnd: earliestEnd))
        }
        return mistakes
    }

    /// Whether time or an end has brought something to queued jobs that did not reach them yet.
    var hasUnsettledGates: Bool {
        dependents.nextEnded != nil || turns.next != nil || timers.nextDecided.map { $0.at <= now } ?? false
    }

    /// Opens and ends queued jobs as time and the ends of others ask. False where more is left than one command may do.
    mutating func settleGates(at: Timestamp) -> Bool {
        guard hasUnsettledGates else { return true }
        var budget = max(1, min(settings.placementsPerCommand, Self.gatesPerCommand))
        while hasUnsettledGates {
            if budget <= 0 { return false }
            var bytes = 0
            if let timer = timers.nextDecided, timer.at <= at {
                bytes = settle(timer, at: at)
            } else if let ended = dependents.nextEnded, let number = dependents.first(after: ended) {
                bytes = judge(number, after: ended, at: at)
            } else if let array = turns.next {
                giveTurn(array, at: at)
            }
            // A command is one record of the journal.
            budget -= 1 + bytes / 256
            forgetSurplus(at: at)
        }
        return true
    }

    /// Returns the bytes of the message that it wrote.
    private mutating func settle(_ timer: Timer, at: Timestamp) -> Int {
        guard let job = state.jobs[timer.number] else {
            preconditionFailure("a timer of a job that is not there is set")
        }
        switch timer.kind {
        case .patience: preconditionFailure("the end of patience is not decided")
        case .opening:
            emit(.jobOpened(number: job.number), at: at)
            return 0
        case .maxWait: return fail(job, .maxWait, maxWaitWords(job), at: at)
        case .deadline: return fail(job, .deadlineMissed, job.deadlineWords, at: at)
        case .eviction:
            if let eviction = job.life.eviction { emit(departure(of: job, eviction), at: at) }
            return 0
        case .repair:
            work.repairsGivenUp += 1
            emit(repairGivenUp(job), at: at)
            return 0
        }
    }

    private mutating func judge(_ number: JobNumber, after ended: JobNumber, at: Timestamp) -> Int {
        guard let job = state.jobs[number], let other = state.awaited(ended), let end = other.end,
            let index = job.unmetDependencies.first(where: { job.spec.after[$0].job == other.id })
        else { preconditionFailure("a job that does not wait is judged") }
        if job.spec.after[index].condition.isMet(by: end) {
            emit(.jobDependencyMet(number: number, dependency: index), at: at)
            return 0
        }
        let message =
            other.isArray
            ? "It was to follow array '\(other.id)' once all its tasks succeeded, and not all of them did."
            : "It was to follow job '\(other.id)' once that succeeded, and it \(end.endWords)."
        return fail(job, .dependencyFailed, message, at: at)
    }

    private mutating func fail(_ job: Job, _ cause: EndCause, _ message: String, at: Timestamp) -> Int {
        emit(.jobEnded(number: job.number, end: .failed, cause: cause, message: message), at: at)
        return message.utf8.count
    }

    /// For how long it waited and what stood in the way last, as far as there is room for it.
    private mutating func maxWaitWords(_ job: Job) -> String {
        var words = "It was queued for \(job.spec.maxWaitSeconds ?? 0) seconds, its maxWaitSeconds."
        for sentence in explain(job, seekingVictims: false).sentences(of: job) {
            if words.utf8.count + 1 + sentence.utf8.count > Bounds.messageBytes { break }
            words += " " + sentence
        }
        return words
    }
}

extension Job {
    fileprivate var deadlineWords: String {
        let deadline = spec.deadline?.exact ?? ""
        guard let seconds = spec.maxRuntimeSeconds else { return "It was still queued at its deadline, \(deadline)." }
        return
            "It was still queued when no \(seconds) seconds, its maxRuntimeSeconds, were left before its deadline, \(deadline)."
    }
}

extension JobState {
    fileprivate var endWords: String { self == .cancelled ? "was cancelled" : self.name }
}

/// The shapes of jobs behind gates, which count for the limits of distinct shapes and demands before they wait with the others:
/// when a gate opens nothing can be refused any more.
struct GatedShapes {
    private var shapes: [ShapeKey: Int] = [:]
    private var demands: [Demand: Int] = [:]
    /// How often a demand came that no job behind a gate had.
    private(set) var demandsCome: UInt64 = 0

    var count: Int { shapes.count }
    var distinctDemands: Int { demands.count }

    func has(_ key: ShapeKey) -> Bool { shapes[key] != nil }
    func has(_ demand: Demand) -> Bool { demands[demand] != nil }

    mutating func insert(_ spec: JobSpec) {
        let key = ShapeKey(spec, asking: spec.scope.first)
        shapes[key, default: 0] += 1
        guard shapes[key] == 1 else { return }
        for demand in key.demands {
            if demands[demand] == nil { demandsCome += 1 }
            demands[demand, default: 0] += 1
        }
    }

    mutating func remove(_ spec: JobSpec) {
        let key = ShapeKey(spec, asking: spec.scope.first)
        guard let left = shapes[key] else { preconditionFailure("a job behind a gate has no shape") }
        shapes[key] = left > 1 ? left - 1 : nil
        if left > 1 { return }
        for demand in key.demands {
            if let left = demands[demand], left > 1 { demands[demand] = left - 1 } else { demands[demand] = nil }
        }
    }
}
