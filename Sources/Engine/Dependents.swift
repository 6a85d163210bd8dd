// Who waits for the end of whom, so that an end reaches those that wait for it and no other job.
// An array is waited for under its own number. Follows from the jobs: from their `after`, and from which of it is met.

import DequeModule
import HeapModule
import Model

/// Queued jobs by the job that they wait for, and the jobs that ended and whose dependents are not all judged.
struct Dependents {
    private struct List {
        /// By rising number. May hold jobs that no longer wait, but not as the first one.
        var numbers: Deque<JobNumber> = []
        /// Jobs that wait.
        var count = 0
        var hasEnded = false
    }

    private var byJob: [JobNumber: List] = [:]
    /// May hold jobs that nobody waits for, but not as the first one.
    private var ended = Heap<JobNumber>()

    /// Of the jobs that ended and that others wait for, the one that came first.
    var nextEnded: JobNumber? { ended.min }

    /// The first job that waits for `job`.
    func first(after job: JobNumber) -> JobNumber? { byJob[job]?.numbers.first }

    func isAwaited(_ job: JobNumber) -> Bool { byJob[job] != nil }

    /// Precondition: jobs that wait for one job are added by rising number.
    mutating func add(_ number: JobNumber, after job: State.Awaited) {
        byJob[job.number, default: List()].numbers.append(number)
        byJob[job.number]?.count += 1
        if job.end != nil { noteEnd(of: job.number) }
    }

    mutating func noteEnd(of job: JobNumber) {
        guard let list = byJob[job], !list.hasEnded else { return }
        byJob[job]?.hasEnded = true
        ended.insert(job)
    }

    /// Takes note that one job less waits for `job`.
    mutating func removeOne(after job: JobNumber, isWaiting: (JobNumber) -> Bool) {
        byJob[job]?.count -= 1
        while let first = byJob[job]?.numbers.first, !isWaiting(first) { byJob[job]?.numbers.removeFirst() }
        guard let list = byJob[job], list.count > 0 else {
            byJob[job] = nil
            while let first = ended.min, byJob[first] == nil { ended.removeMin() }
            return
        }
        if list.numbers.count > 2 * list.count + 64 { byJob[job]?.numbers = Deque(list.numbers.filter(isWaiting)) }
    }
}

extension Engine {
    /// Takes note of what a queued job waits for, after the state knows it.
    mutating func moveDependencies(from before: Job?, to after: Job?) {
        let old = before?.state == .queued ? before?.life.unmet ?? 0 : 0
        let new = after?.state == .queued ? after?.life.unmet ?? 0 : 0
        guard old != new, let job = after ?? before else { return }
        for (index, dependency) in job.spec.after.enumerated() {
            let (did, does) = (old >> UInt64(index) & 1 == 1, new >> UInt64(index) & 1 == 1)
            guard did != does, let other = state.awaited(dependency.job) else { continue }
            if does {
                dependents.add(job.number, after: other)
            } else {
                dependents.removeOne(after: other.number) { [waiting] in waiting.waits($0, for: dependency.job) }
            }
        }
    }
}
