// Over random histories: no job is placed before its gates open, none waits longer than it may, and the gates that a state
// shows are those that follow from the facts before it, told anew here.

import Engine
import Model
import TestKit
import Testing

/// What gates must be, from facts alone.
private struct GateShadow {
    struct Known {
        let number: JobNumber
        let spec: JobSpec
        let submittedAt: Timestamp
        var queuedAt: Timestamp
        var isQueued = true
        var isHeld: Bool
        /// Of each of its `after`.
        let dependencies: [JobNumber]
    }

    var jobs: [JobNumber: Known] = [:]
    var ends: [JobNumber: JobEnd] = [:]
    private var numbers: [String: JobNumber] = [:]
    /// Tasks whose turn has not come.
    private var waiting: Set<JobNumber> = []

    /// What a fact at `at` breaks, or nil.
    mutating func note(_ fact: Fact, at: Timestamp) -> String? {
        switch fact {
        case .jobArraySubmitted(let number, let spec):
            for index in 0..<(spec.array?.count ?? 0) {
                let task = JobNumber(number.value + 1 + UInt64(index))
                if let fault = note(.jobSubmitted(number: task, spec: spec.task(index)), at: at) { return fault }
                if let most = spec.array?.maxParallel, index >= most { waiting.insert(task) }
            }
        case .jobTurnCame(let number): waiting.remove(number)
        case .jobSubmitted(let number, let spec):
            let dependencies = spec.after.compactMap { numbers[$0.job] }
            if dependencies.count < spec.after.count { return "\(spec.id) waits for nobody" }
            jobs[number] = Known(
                number: number, spec: spec, submittedAt: at, queuedAt: at, isHeld: spec.hold, dependencies: dependencies
            )
            numbers[spec.id] = number
        case .jobPlaced(let number, _):
            guard let job = jobs[number] else { return "an unknown job is placed" }
            if !expectedGates(job, at: at).isEmpty {
                return "\(job.spec.id) is placed behind \(expectedGates(job, at: at))"
            }
            jobs[number]?.isQueued = false
        case .jobRequeued(let number, _):
            jobs[number]?.isQueued = true
            jobs[number]?.queuedAt = at
        case .jobEnded(let number, let end, let cause, _):
            guard let job = jobs[number] else { return "an unknown job ends" }
            if cause != .caller && dueCause(job, at: at).contains(cause) == false {
                return "\(job.spec.id) ends by \(cause)"
            }
            jobs[number]?.isQueued = false
            waiting.remove(number)
            ends[number] = end
        case .jobHeld(let number): jobs[number]?.isHeld = true
        case .jobReleased(let number): jobs[number]?.isHeld = false
        case .jobForgotten(let number):
            if let id = jobs[number]?.spec.id, numbers[id] == number { numbers[id] = nil }
        default: break
        }
        return nil
    }

    func expectedGates(_ job: Known, at: Timestamp) -> [Gate] {
        var gates: [Gate] = job.isHeld ? [.held] : []
        if let notBefore = job.spec.notBefore, at < notBefore { gates.append(.notBefore(notBefore)) }
        let open = zip(job.spec.after, job.dependencies).filter { ends[$1] == nil }.map { $0.0.job }
        if !open.isEmpty { gates.append(.after(open)) }
        if waiting.contains(job.number), let array = job.spec.array {
            let id = job.spec.id.split(separator: ".").dropLast().joined(separator: ".")
            gates.append(.array(id: id, maxParallel: array.maxParallel))
        }
        return gates
    }

    /// All for which Berth must end a queued job at `at`.
    func dueCause(_ job: Known, at: Timestamp) -> [EndCause] {
        var causes: [EndCause] = []
        guard job.isQueued else { return [] }
        for (dependency, number) in zip(job.spec.after, job.dependencies) {
            if let end = ends[number], end != .succeeded, dependency.condition == .succeeded {
                causes.append(.dependencyFailed)
            }
        }
        if let seconds = job.spec.maxWaitSeconds {
            let end = max(job.submittedAt, job.spec.notBefore ?? job.submittedAt).adding(seconds: seconds)
            if job.queuedAt < end && end <= at { causes.append(.maxWait) }
        }
        if let deadline = job.spec.deadline, at.adding(seconds: job.spec.maxRuntimeSeconds ?? 0) > deadline {
            causes.append(.deadlineMissed)
        }
        return causes
    }
}

@Suite struct GateProperties {
    @Test("Gates open when they must and not before, and no job waits longer than it may", arguments: 1...16)
    func gates(seed: UInt64) throws {
        var harness = EngineHarness(settings: ReplayTests.settings(seed))
        var history = History(seed: seed &+ 300)
        history.percentGated = 70
        var shadow = GateShadow()
        var noted = 0
        var causes: Set<EndCause> = []
        for step in 0..<300 {
            harness.run(history.command(harness.engine.state))
            harness.settle()
            while noted < harness.transactions.count {
                let transaction = harness.transactions[noted]
                noted += 1
                for fact in transaction.facts {
                    let fault = shadow.note(fact, at: transaction.at)
                    try #require(fault == nil, "seed \(seed) step \(step)")
                    if case .jobEnded(_, _, let cause, _) = fact { causes.insert(cause) }
                }
            }
            let now = harness.clock.now
            var open = 0
            var wrong: String?
            harness.engine.state.jobs.forEach { job in
                guard job.state == .queued, let known = shadow.jobs[job.number] else { return true }
                if job.gates != shadow.expectedGates(known, at: now) { wrong = "\(job.id) shows \(job.gates)" }
                if !shadow.dueCause(known, at: now).isEmpty { wrong = "\(job.id) waits too long" }
                if job.isOpen { open += 1 }
                return wrong == nil
            }
            try #require(wrong == nil, "seed \(seed) step \(step)")
            let waiting = harness.engine.queueReading(limit: .max).reduce(0) { $0 + $1.jobs }
            try #require(waiting == open, "seed \(seed) step \(step)")
            if step % 10 == 0 {
                let fault = harness.engine.firstDisagreement()
                try #require(fault == nil, "seed \(seed) step \(step)")
            }
        }
        #expect(causes.count >= 3, "seed \(seed): \(causes)")
    }
}
