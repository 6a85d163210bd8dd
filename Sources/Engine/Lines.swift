// Waiting jobs of one shape that have tenant, priority and length in common, and which of them is the first.

import DequeModule
import Model

/// The first waiting job of a line.
struct First {
    let number: JobNumber
    let submittedAt: Timestamp
    let queuedAtPlacement: UInt64

    init(_ job: Job) {
        number = job.number
        submittedAt = job.life.submittedAt
        queuedAtPlacement = job.life.queuedAtPlacement
    }
}

/// What the jobs of a line have in common besides their shape.
struct LineKind: Hashable {
    let tenant: TenantSlot
    let priority: Int
    /// How long they may run: see `RuntimeClass`.
    let runtime: RuntimeClass
}

/// Run-time limits in steps of half a doubling, so that jobs of nearly one length wait in one line.
struct RuntimeClass: Hashable, Comparable {
    let value: UInt8

    static let longest = RuntimeClass(seconds: .max)

    init(seconds: Int) {
        let seconds = max(1, seconds)
        let high = Int.bitWidth - 1 - seconds.leadingZeroBitCount
        let isUpperHalf = high > 0 && seconds >> (high - 1) & 1 == 1
        value = UInt8(2 * high + (isUpperHalf ? 1 : 0))
    }

    /// No job of the class is longer.
    var mostSeconds: Int { max(leastSeconds, RuntimeClass(value: value + 1).leastSeconds - 1) }

    private init(value: UInt8) { self.value = value }

    /// No job of the class is shorter.
    var leastSeconds: Int {
        let high = Int(value) / 2
        return value & 1 == 1 && high > 0 ? 3 << (high - 1) : 1 << high
    }

    static func < (left: RuntimeClass, right: RuntimeClass) -> Bool { left.value < right.value }
}

/// What of a line says whether its first job is the next of the shape: in sixteen bytes, so that a thousand lines are looked at in a
/// moment.
struct LineHead {
    struct Marks: OptionSet {
        let rawValue: UInt8

        /// Its tenant may take no more of any pool that the shape may use, until that changes.
        static let barred = Marks(rawValue: 1)
        /// It found no place in the pools that its tenant may use now; others may use more. Until the shape is tried again.
        static let missed = Marks(rawValue: 2)
        /// A place is kept for its first job.
        static let kept = Marks(rawValue: 4)
        static let passedOver: Marks = [.barred, .missed]
    }

    /// Of its first job.
    private(set) var submittedAt = Timestamp.distantPast
    private let slot: UInt32
    private let level: Int16
    let runtime: RuntimeClass
    var marks: Marks = []

    init(_ kind: LineKind) {
        slot = UInt32(kind.tenant.index)
        level = Int16(kind.priority)
        runtime = kind.runtime
    }

    var tenant: TenantSlot { TenantSlot(Int(slot)) }
    var priority: Int { Int(level) }
    var kind: LineKind { LineKind(tenant: tenant, priority: priority, runtime: runtime) }

    mutating func setFirst(_ job: Job) {
        submittedAt = job.life.submittedAt
        if job.life.reservation == nil { marks.remove(.kept) } else { marks.insert(.kept) }
    }
}

/// Waiting jobs of one shape, tenant, priority and length, in the order in which they came.
struct Line {
    /// By rising number. May hold numbers of jobs that no longer wait, but not as the first one.
    private(set) var waiting: Deque<JobNumber> = []
    private(set) var count = 0
    private(set) var first: First

    init(_ job: Job) { first = First(job) }

    /// The first of its jobs that `isWanted`. Cost: those before it.
    func first(of jobs: WaitingJobs, asking scope: Tier, where isWanted: (Job) -> Bool) -> Job? {
        for number in waiting {
            // Some numbers are stale, and their jobs may wait elsewhere.
            if let job = jobs.job(number, asking: scope), isWanted(job) { return job }
        }
        return nil
    }

    /// Whether it is the first one now.
    mutating func insert(_ job: Job) -> Bool {
        count += 1
        if job.number < first.number { first = First(job) }
        var at = waiting.count
        // Few jobs come back before others that came later.
        while at > 0, waiting[at - 1] > job.number { at -= 1 }
        // One that came back may have left its number behind.
        if at == 0 || waiting[at - 1] != job.number { waiting.insert(job.number, at: at) }
        return job.number == first.number
    }

    /// Takes one out and returns which is the first then where it was that, unless none is left. Once more numbers are stale than not
    /// they are let go: a job that was cancelled behind the first one leaves its number behind, and a first job that never leaves
    /// would let them gather without end.
    mutating func remove(_ number: JobNumber, _ job: (JobNumber) -> Job?) -> Job? {
        count -= 1
        if count == 0 { return nil }
        var found: Job?
        if first.number == number {
            while let next = waiting.first {
                found = next == number ? nil : job(next)
                if let found {
                    first = First(found)
                    break
                }
                waiting.removeFirst()
            }
        }
        if waiting.count > 2 * count + 64 { waiting = Deque(waiting.filter { job($0) != nil }) }
        return found
    }
}
