// Who waits for its preferred tier, and until when: the scope that a waiting job asks for is a function of its life and
// of the time of the last command, so that live, replayed and restarted engines agree on it.

import HeapModule
public import Model

extension Scope {
    /// What a job asks for when it enters the queue.
    var first: Tier { patienceSeconds > 0 ? preferred ?? required : required }
}

extension Job {
    /// When it stops waiting for its preferred tier; nil where it never does so.
    var patienceEnd: Timestamp? {
        guard spec.scope.preferred != nil, spec.scope.patienceSeconds > 0 else { return nil }
        let patience = Int64(spec.scope.patienceSeconds) * 1_000_000_000
        let (end, isBeyond) = life.queuedAt.nanoseconds.addingReportingOverflow(patience)
        return Timestamp(nanoseconds: isBeyond ? .max : end)
    }

    /// The tier that it asks for while it waits.
    func scope(at now: Timestamp) -> Tier {
        guard let end = patienceEnd, now < end else { return spec.scope.required }
        return spec.scope.first
    }
}

/// The jobs that wait for their preferred tier, by when they stop doing so.
struct Patience {
    struct Deadline: Hashable, Comparable {
        let at: Timestamp
        let number: JobNumber

        static func < (left: Deadline, right: Deadline) -> Bool {
            (left.at, left.number) < (right.at, right.number)
        }
    }

    /// May hold deadlines of jobs that no longer wait, but not as the first one.
    private var deadlines = Heap<Deadline>()
    /// Jobs that wait for their preferred tier.
    private var count = 0

    var next: Deadline? { deadlines.min }

    mutating func insert(_ deadline: Deadline) {
        deadlines.insert(deadline)
        count += 1
    }

    /// Takes the first deadline by `moment` out, whether its job still waits or not.
    mutating func popDue(by moment: Timestamp) -> Deadline? {
        guard let first = deadlines.min, first.at <= moment else { return nil }
        while deadlines.min == first { deadlines.removeMin() }
        return first
    }

    /// Takes note that so many jobs lost their patience or left the queue before they did.
    mutating func remove(_ jobs: Int, isWaiting: (Deadline) -> Bool) {
        count -= jobs
        while let first = deadlines.min, !isWaiting(first) { deadlines.removeMin() }
        if deadlines.count > 2 * count + 64 {
            deadlines = Heap(Set(deadlines.unordered.filter(isWaiting)).sorted())
        }
    }
}

/// Jobs as they are at some moment, to be asked from within a change of the queue.
struct WaitingJobs {
    let jobs: JobTable
    let now: Timestamp

    /// The job of a number, if it waits and asks for `scope`.
    func job(_ number: JobNumber, asking scope: Tier) -> Job? {
        guard let job = jobs[number], job.state == .queued, job.scope(at: now) == scope else { return nil }
        return job
    }

    func isWaiting(_ deadline: Patience.Deadline) -> Bool {
        guard let job = jobs[deadline.number], job.state == .queued, now < deadline.at else { return false }
        return job.patienceEnd == deadline.at
    }
}

extension Engine {
    /// When the next job stops waiting for its preferred tier, or tenants' rules change by themselves: `Command.resume` is due
    /// then, unless another command comes.
    public var nextDeadline: Timestamp? {
        guard let rules = bars.changesAt else { return patience.next?.at }
        return min(rules, patience.next?.at ?? rules)
    }

    var waiting: WaitingJobs { WaitingJobs(jobs: state.jobs, now: now) }

    /// Lets time go on: jobs whose patience ends by then ask for their required tier.
    mutating func advance(to moment: Timestamp) {
        var moved = 0
        while let deadline = patience.popDue(by: moment) {
            guard let job = state.jobs[deadline.number], job.state == .queued, job.patienceEnd == deadline.at else {
                continue
            }
            // At this moment and not before, the job asks for the other tier.
            now = max(now, deadline.at)
            let tenant = tenant(of: job)
            _ = queue.remove(job, of: tenant, asking: job.spec.scope.first, among: waiting)
            untried.insert(queue.insert(job, of: tenant, asking: job.spec.scope.required))
            noteWaiting(job)
            moved += 1
        }
        if moved > 0 {
            patience.remove(moved, isWaiting: waiting.isWaiting)
            holds.outdate()
        }
        now = max(now, moment)
    }

    /// Puts a job that waits into the shape that it asks for now, and returns that.
    @discardableResult
    mutating func enterQueue(_ job: Job) -> ShapeIndex {
        let shape = queue.insert(job, of: tenant(of: job), asking: job.scope(at: now))
        if let end = job.patienceEnd, now < end { patience.insert(Patience.Deadline(at: end, number: job.number)) }
        noteWaiting(job)
        return shape
    }

    /// `job` as it was while it waited; the state knows already that it waits no more.
    mutating func leaveQueue(_ job: Job) {
        _ = queue.remove(job, of: tenant(of: job), asking: job.scope(at: now), among: waiting)
        if let end = job.patienceEnd, now < end { patience.remove(1, isWaiting: waiting.isWaiting) }
    }
}
