// Who waits for its preferred tier, and until when; and how a job enters and leaves the queue. The scope that a job asks for is
// a function of its life and of the time of the last command, so that live, replayed and restarted engines agree on it.

import Model

extension Scope {
    /// What a job asks for when it enters the queue.
    var first: Tier { patienceSeconds > 0 ? preferred ?? required : required }
}

extension Job {
    /// When it stops waiting for its preferred tier; nil where it never does so. Of a job that may be tried.
    var patienceEnd: Timestamp? {
        guard spec.scope.preferred != nil, spec.scope.patienceSeconds > 0 else { return nil }
        return life.openedAt.adding(seconds: spec.scope.patienceSeconds)
    }

    /// The tier that it asks for while it waits.
    func scope(at now: Timestamp) -> Tier {
        // Patience begins when the gates open.
        if life.isGated { return spec.scope.first }
        guard let end = patienceEnd, now < end else { return spec.scope.required }
        return spec.scope.first
    }
}

/// Jobs as they are at some moment, to be asked from within a change of the queue.
struct WaitingJobs {
    let jobs: JobTable
    let now: Timestamp

    /// The job of a number, if it may be tried and asks for `scope`.
    func job(_ number: JobNumber, asking scope: Tier) -> Job? {
        guard let job = jobs[number], job.isOpen, job.scope(at: now) == scope else { return nil }
        return job
    }

    func isSet(_ timer: Timer) -> Bool { jobs[timer.number]?.timer(timer.kind, at: now) == timer.at }

    /// Whether job `number` is queued and not yet judged by the end of `dependency`.
    func waits(_ number: JobNumber, for dependency: String) -> Bool {
        guard let job = jobs[number], job.state == .queued else { return false }
        return job.unmetDependencies.contains { job.spec.after[$0].job == dependency }
    }
}

extension Engine {
    var waiting: WaitingJobs { WaitingJobs(jobs: state.jobs, now: now) }

    /// Takes a queued job in: into the shape that it asks for now, which is returned, unless a gate keeps it out.
    @discardableResult
    mutating func enterQueue(_ job: Job) -> ShapeIndex? { moveInQueue(from: nil, to: job) }

    /// `job` as it was while it was queued; the state knows already that it is so no more.
    mutating func leaveQueue(_ job: Job) { moveInQueue(from: job, to: nil) }

    /// Takes note that a place is kept for a waiting job, or no more.
    mutating func noteKept(_ number: JobNumber) {
        guard let job = state.jobs[number], job.state == .queued else { return }
        queue.noteKept(job, of: tenant(of: job), asking: job.scope(at: now))
    }

    /// Takes a job out of the shape that it asked for.
    mutating func removeFromQueue(_ job: Job, asking scope: Tier) {
        let tenant = tenant(of: job)
        let shape = queue.remove(job, of: tenant, asking: scope, among: waiting)
        moves.noteQueue(shape, at: state.at)
        let kind = queue.kind(of: job, tenant)
        if queue.line(shape, kind) == nil { bars.barred.forget(shape, kind) }
        if queue.count(shape) == 0 { growth.touchHeldBack() }
    }

    /// Takes note that a queued job became another, entered or left. The state knows `after` already. The shape that it entered.
    @discardableResult
    mutating func moveInQueue(from before: Job?, to after: Job?) -> ShapeIndex? {
        for kind in Timer.Kind.allCases {
            let (old, new) = (before?.timer(kind, at: now), after?.timer(kind, at: now))
            if old == new { continue }
            if let new, let after { timers.set(Timer(at: new, number: after.number, kind: kind)) }
            if old != nil { timers.unset(kind, isSet: waiting.isSet) }
        }
        moveDependencies(from: before, to: after)
        if let before, before.life.reservation != nil, after?.life.reservation == nil {
            stopKeeping(for: .job(before.number))
        }
        let (wasGated, isGated) = (before?.life.isGated ?? false, after?.life.isGated ?? false)
        if let before, wasGated && !isGated { gatedShapes.remove(before.spec) }
        if let after, isGated && !wasGated { gatedShapes.insert(after.spec) }
        let (wasOpen, isOpen) = (before?.isOpen ?? false, after?.isOpen ?? false)
        if let before, wasOpen && !isOpen {
            removeFromQueue(before, asking: before.scope(at: now))
        }
        guard let after, isOpen && !wasOpen else { return nil }
        let shape = queue.insert(after, of: tenant(of: after), asking: after.scope(at: now))
        // That a new job came its own time says.
        if after.life.openedAt != after.life.submittedAt { moves.noteQueue(shape, at: state.at) }
        return shape
    }
}
