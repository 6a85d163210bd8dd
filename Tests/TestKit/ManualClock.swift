// A clock that only moves when a test says so.

public import Model

public struct ManualClock: Sendable {
    public private(set) var now: Timestamp

    public init(_ now: Timestamp = Timestamp(nanoseconds: 1_800_000_000_000_000_000)) { self.now = now }

    public mutating func advance(seconds: Int64 = 0, nanoseconds: Int64 = 0) {
        now.nanoseconds += seconds * 1_000_000_000 + nanoseconds
    }
}
