// What is taken back from a job for a higher claim: from whom, for whom, and until when it has time to leave.

/// By what right capacity is taken back.
public enum PreemptionKind: UInt8, CaseIterable, Sendable {
    /// For a job of higher priority.
    case priority
    /// For a tenant within its own quota, from one that borrowed it.
    case reclaim
    /// For a tenant whose share is smaller, from a job of equal priority.
    case fairShare
}

/// A job is asked to leave its place, or to give up the workers that it has beyond its least.
public final class Eviction: Hashable, Sendable {
    /// The job that the capacity is for.
    public let by: JobNumber
    public let kind: PreemptionKind
    /// When the capacity is taken, unless the job has stopped before.
    public let deadline: Timestamp
    /// What an elastic job goes on with; nil where the whole gang leaves.
    public let keeps: Placement?

    public init(by: JobNumber, kind: PreemptionKind, deadline: Timestamp, keeps: Placement? = nil) {
        self.by = by
        self.kind = kind
        self.deadline = deadline
        self.keeps = keeps
    }

    public static func == (left: Eviction, right: Eviction) -> Bool {
        left === right
            || left.by == right.by && left.kind == right.kind && left.deadline == right.deadline
                && left.keeps == right.keeps
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(by)
        hasher.combine(deadline)
    }
}

extension Eviction: CustomStringConvertible {
    public var description: String {
        "\(kind) by \(by.value) until \(deadline)" + (keeps.map { ", keeps \($0)" } ?? "")
    }
}

/// How often gangs of a tenant were asked to leave in one hour of the clock.
public struct EvictionCount: Hashable, Sendable {
    /// Hours since 1970.
    public var hour: Int64
    public var count: Int

    public init(hour: Int64 = 0, count: Int = 0) {
        self.hour = hour
        self.count = count
    }

    public static func hour(of moment: Timestamp) -> Int64 { moment.nanoseconds / 3_600_000_000_000 }

    /// In the hour of a moment.
    public func count(at moment: Timestamp) -> Int { hour == Self.hour(of: moment) ? count : 0 }

    public mutating func add(at moment: Timestamp) {
        self = EvictionCount(hour: Self.hour(of: moment), count: count(at: moment) + 1)
    }

    /// The first moment of the next hour.
    public static func end(ofHourOf moment: Timestamp) -> Timestamp {
        let (nanoseconds, isBeyond) = (hour(of: moment) + 1).multipliedReportingOverflow(by: 3_600_000_000_000)
        return Timestamp(nanoseconds: isBeyond ? .max : nanoseconds)
    }
}

extension JobLife {
    /// Since when its present run would be lost were it ended now: since its last checkpoint, else its start.
    public var unsavedSince: Timestamp? {
        guard let startedAt else { return nil }
        return max(startedAt, checkpointedAt ?? startedAt)
    }

    /// When its least run time is over. It counts from the start, and from the placement of a job that has not started.
    public var leastRunEnd: Timestamp? {
        (startedAt ?? placedAt).map { $0.adding(seconds: minRuntimeSeconds) }
    }
}
