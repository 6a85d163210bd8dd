// What preemption remembers between passes: which jobs may have something taken from them, who leaves for whom at present, and
// when it last looked in vain. Follows from the jobs; what else is here only saves looking again.

import Model

/// Job numbers in no order.
struct NumberBag {
    private(set) var numbers: [JobNumber] = []
    private var places: [JobNumber: Int] = [:]

    var isEmpty: Bool { numbers.isEmpty }

    mutating func insert(_ number: JobNumber) {
        places[number] = numbers.count
        numbers.append(number)
    }

    mutating func remove(_ number: JobNumber) {
        guard let place = places.removeValue(forKey: number), let last = numbers.popLast(), last != number else {
            return
        }
        numbers[place] = last
        places[last] = place
    }
}

struct Preemption {
    /// A waiting job that may preempt: the one of its line that comes next.
    struct Preemptor {
        let key: OrderKey
        let shape: ShapeIndex
        let line: LineKind
        let number: JobNumber
    }

    /// One look at those that wait.
    struct Sweep {
        /// Those still to be looked at, the last first.
        var preemptors: [Preemptor]
        /// Whether nothing has changed since the first of all was looked at.
        var isWhole = true
        /// When time may change what was found so far.
        var until: Timestamp?
    }

    /// Jobs that hold capacity of which something may be taken, by rising priority. No bag is empty.
    private(set) var holders: [(priority: Int, bag: NumberBag)] = []
    /// Jobs that are asked to leave, by the one that they leave for. In order.
    private(set) var leaving: [(by: JobNumber, jobs: [JobNumber])] = []
    /// Jobs for which others leave, and that changed or lost one of those since they were settled. In order.
    private(set) var touched: [JobNumber] = []
    /// The revision at which nobody who waits could preempt anyone, and until when that holds.
    private var vainRevision: UInt64?
    private(set) var vainUntil: Timestamp?
    /// What is left of a look at those that wait, at a revision.
    private var rest: (revision: UInt64, sweep: Sweep)?
    /// Placements that the present command gave back on trial.
    var releases = 0

    // MARK: Holders

    mutating func moveHolder(from before: Job?, to after: Job?, protectedAfter limit: Int) {
        let old = before.flatMap { $0.mayGiveWay(protectedAfter: limit) ? $0 : nil }
        let new = after.flatMap { $0.mayGiveWay(protectedAfter: limit) ? $0 : nil }
        if (old == nil) == (new == nil) { return }
        if let new {
            let at = holders.firstIndex { $0.priority >= new.life.priority } ?? holders.count
            if at == holders.count || holders[at].priority != new.life.priority {
                holders.insert((new.life.priority, NumberBag()), at: at)
            }
            holders[at].bag.insert(new.number)
        } else if let old, let at = holders.firstIndex(where: { $0.priority == old.life.priority }) {
            holders[at].bag.remove(old.number)
            if holders[at].bag.isEmpty { holders.remove(at: at) }
        }
    }

    // MARK: Who leaves for whom

    /// Those that leave for a job, by rising number.
    func leaving(for preemptor: JobNumber) -> [JobNumber] {
        let at = place(of: preemptor)
        return at < leaving.count && leaving[at].by == preemptor ? leaving[at].jobs : []
    }

    var isAnyoneLeaving: Bool { !leaving.isEmpty }

    private func place(of preemptor: JobNumber) -> Int {
        var low = 0
        var high = leaving.count
        while low < high {
            let middle = (low + high) / 2
            if leaving[middle].by < preemptor { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func moveEviction(of number: JobNumber, from before: Eviction?, to after: Eviction?) {
        if before == after { return }
        if let before {
            let at = place(of: before.by)
            leaving[at].jobs.removeAll { $0 == number }
            if leaving[at].jobs.isEmpty { leaving.remove(at: at) }
            touch(before.by)
        }
        if let after {
            let at = place(of: after.by)
            if at == leaving.count || leaving[at].by != after.by { leaving.insert((after.by, []), at: at) }
            let next = leaving[at].jobs.firstIndex { $0 > number } ?? leaving[at].jobs.count
            leaving[at].jobs.insert(number, at: next)
        }
    }

    /// Takes note that a job for which others may leave changed.
    mutating func touch(_ preemptor: JobNumber) {
        let at = touched.firstIndex { $0 >= preemptor } ?? touched.count
        if at < touched.count && touched[at] == preemptor { return }
        touched.insert(preemptor, at: at)
    }

    /// Takes note that any of them may have lost a node of the place that is kept for it.
    mutating func touchAll() { for (preemptor, _) in leaving { touch(preemptor) } }

    mutating func forgetTouched() { touched = [] }

    mutating func takeTouched() -> [JobNumber] {
        defer { touched = [] }
        return touched
    }

    // MARK: Looking in vain

    func isOutdated(revision: UInt64) -> Bool { vainRevision != revision }

    /// Whether some job that waits may preempt and was not looked at since the state or the time changed what it may do.
    func isDue(revision: UInt64, at now: Timestamp) -> Bool {
        vainRevision != revision || vainUntil.map { $0 <= now } ?? false
    }

    mutating func noteVain(revision: UInt64, until: Timestamp?) {
        vainRevision = revision
        vainUntil = until
        rest = nil
    }

    /// Takes note that the queue changed without a fact.
    mutating func outdate() {
        vainRevision = nil
        rest = nil
    }

    mutating func noteRest(_ sweep: Sweep, revision: UInt64) { rest = (revision, sweep) }

    mutating func takeRest(revision: UInt64) -> Sweep? {
        defer { rest = nil }
        return rest?.revision == revision ? rest?.sweep : nil
    }
}

extension Job {
    /// Whether something may be taken from it for a higher claim: the whole gang, or what it has beyond its least.
    func mayGiveWay(protectedAfter limit: Int) -> Bool {
        guard state == .placed || state == .running, life.eviction == nil else { return false }
        return isEvictable(protectedAfter: limit) || spec.workers.contains(where: \.isElastic)
    }

    /// The place that others are asked to leave for it.
    var keptPlace: Placement? { life.reservation.flatMap { $0.cause == .preemption ? $0.placement : nil } }

    /// Whether the whole gang may be taken back. One that was preempted so often is left in peace.
    func isEvictable(protectedAfter limit: Int) -> Bool { spec.isPreemptible && life.preemptions < limit }
}
