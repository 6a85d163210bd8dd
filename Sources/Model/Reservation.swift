// Capacity promised to a job that waits: where, from when, and why.

/// Why capacity is kept for a waiting job.
public enum ReservationCause: UInt8, CaseIterable, Sendable {
    /// It is the earliest place by the run-time limits of the jobs that stand there.
    case schedule
    /// Others were asked to leave for it. Nobody else may come, however soon it would be gone.
    case preemption
}

/// A place that is kept for a waiting job. All nodes of the place are kept, whatever of them the job will take.
public final class Reservation: Hashable, Sendable {
    public let cause: ReservationCause
    /// When the place was sought last.
    public let madeAt: Timestamp
    /// When another start was promised than before.
    public let movedAt: Timestamp
    /// When the place is free if all that stands there ends by its run-time limit.
    public let start: Timestamp
    /// Whether some of those limits were not said but assumed.
    public let isAssumed: Bool
    public let placement: Placement

    public init(
        cause: ReservationCause, madeAt: Timestamp, movedAt: Timestamp, start: Timestamp, isAssumed: Bool,
        placement: Placement
    ) {
        self.cause = cause
        self.madeAt = madeAt
        self.movedAt = movedAt
        self.start = start
        self.isAssumed = isAssumed
        self.placement = placement
    }

    public static func == (left: Reservation, right: Reservation) -> Bool {
        left === right
            || left.cause == right.cause && left.madeAt == right.madeAt && left.movedAt == right.movedAt
                && left.start == right.start
                && left.isAssumed == right.isAssumed
                && left.placement == right.placement
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(madeAt)
        hasher.combine(start)
        hasher.combine(placement)
    }
}

extension Reservation: CustomStringConvertible {
    public var description: String {
        "\(cause) made \(madeAt), moved \(movedAt), for \(start)\(isAssumed ? ", assumed" : ""): \(placement)"
    }
}

extension Job {
    /// When the job, which holds capacity, ends by its limit, or by `assumedSeconds` where it has none; nil for one that
    /// holds none.
    public func limitEnd(assumedSeconds: Int) -> Timestamp? {
        guard state.holdsCapacity, let begin = life.startedAt ?? life.placedAt else { return nil }
        return begin.adding(seconds: spec.maxRuntimeSeconds ?? assumedSeconds)
    }
}
