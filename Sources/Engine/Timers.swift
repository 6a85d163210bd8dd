// What time brings to jobs, and when: to queued ones the end of patience, `notBefore`, the end of the longest wait, the last moment
// to meet a deadline; to one that is asked to leave the end of its time. Each is a function of a job's life, so that live, replayed and restarted engines agree on it.

import HeapModule
public import Model

/// Something that time brings to a job.
struct Timer: Hashable, Comparable {
    enum Kind: UInt8, CaseIterable {
        case patience, opening, maxWait, deadline, eviction, repair

        /// Whether it leads to a fact. The end of patience does not: what a job asks for follows from its life and the time.
        var isDecided: Bool { self != .patience }
    }

    let at: Timestamp
    let number: JobNumber
    let kind: Kind

    static func < (left: Timer, right: Timer) -> Bool {
        (left.at, left.number, left.kind.rawValue) < (right.at, right.number, right.kind.rawValue)
    }
}

extension Job {
    /// When time brings something of a kind to the job as it is at `now`; nil where it does not.
    func timer(_ kind: Timer.Kind, at now: Timestamp) -> Timestamp? {
        if kind == .eviction { return life.eviction?.deadline }
        if kind == .repair { return life.repairUntil }
        guard state == .queued else { return nil }
        switch kind {
        case .eviction, .repair: return nil
        case .patience: return isOpen ? patienceEnd.flatMap { now < $0 ? $0 : nil } : nil
        case .opening: return life.isEarly ? spec.notBefore : nil
        // A job that came back to the queue later was placed in time.
        case .maxWait: return maxWaitEnd.flatMap { life.queuedAt < $0 ? $0 : nil }
        case .deadline:
            return spec.latestStart.flatMap { $0.nanoseconds < .max ? Timestamp(nanoseconds: $0.nanoseconds + 1) : nil }
        }
    }
}

/// The timers of all jobs, by time.
struct Timers {
    /// Timers that all lead to facts or all do not.
    private struct Row {
        /// May hold timers that are set no more, but not as the first one.
        var heap = Heap<Timer>()
        /// Timers that are set.
        var count = 0

        mutating func insert(_ timer: Timer) {
            heap.insert(timer)
            count += 1
        }

        mutating func dropUnset(isSet: (Timer) -> Bool) {
            while let first = heap.min, !isSet(first) { heap.removeMin() }
            if heap.count > 2 * count + 64 { heap = Heap(Set(heap.unordered.filter(isSet)).sorted()) }
        }
    }

    private var silent = Row()
    private var decided = Row()

    /// The first that leads to a fact.
    var nextDecided: Timer? { decided.heap.min }

    var next: Timer? {
        guard let first = decided.heap.min, let other = silent.heap.min else {
            return decided.heap.min ?? silent.heap.min
        }
        return min(first, other)
    }

    mutating func set(_ timer: Timer) {
        if timer.kind.isDecided { decided.insert(timer) } else { silent.insert(timer) }
    }

    /// Takes note that a timer is set no more.
    mutating func unset(_ kind: Timer.Kind, isSet: (Timer) -> Bool) {
        if kind.isDecided {
            decided.count -= 1
            decided.dropUnset(isSet: isSet)
        } else {
            silent.count -= 1
            silent.dropUnset(isSet: isSet)
        }
    }

    /// Takes the first end of patience by `moment` out, whether its job still waits or not.
    mutating func popPatience(by moment: Timestamp) -> Timer? {
        guard let first = silent.heap.min, first.at <= moment else { return nil }
        while silent.heap.min == first { silent.heap.removeMin() }
        return first
    }
}

extension Engine {
    /// When time next brings something to a job, changes tenants' rules or lets a job preempt: `Command.resume` is due then, unless
    /// another command comes.
    public var nextDeadline: Timestamp? {
        [bars.changesAt, timers.next?.at, searchDue, preemptionDue, growth.nextDue].compactMap { $0 }.min()
    }

    /// Lets time go on: jobs whose patience ends by then ask for their required tier. Leads to no fact.
    mutating func advance(to moment: Timestamp) {
        var moved = 0
        while let timer = timers.popPatience(by: moment) {
            guard let job = state.jobs[timer.number], job.isOpen, job.patienceEnd == timer.at else { continue }
            // At this moment and not before, the job asks for the other tier.
            now = max(now, timer.at)
            let tenant = tenant(of: job)
            removeFromQueue(job, asking: job.spec.scope.first)
            let shape = queue.insert(job, of: tenant, asking: job.spec.scope.required)
            untried.insert(shape)
            moved += 1
        }
        for _ in 0..<moved { timers.unset(.patience, isSet: waiting.isSet) }
        if moved > 0 { preemption.outdate() }
        now = max(now, moment)
        noteGrowthDue()
    }
}
