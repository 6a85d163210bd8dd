// The settings of the data directory, each with its default.

/// How the journal and the snapshots are kept.
public struct StorageOptions: Sendable {
    /// Size to which a journal segment is preallocated. A larger record gets a segment of its own size.
    public var segmentBytes = 64 << 20
    /// Free space that preallocation leaves untouched, so that a snapshot can still be written on a full disk.
    public var reserveBytes = 64 << 20
    /// Segments that wait to be used, at most. A retired segment beyond this number is deleted.
    public var spareSegments = 2
    /// The largest record. Larger transactions are refused.
    public var recordBytes = 64 << 20
    /// Off only in benchmarks and in the test that shows what a power cut then costs.
    public var flushing = true
    /// A steady clock in nanoseconds, for the duration of flushes. Without one every duration is zero.
    public var clock: @Sendable () -> UInt64 = { 0 }

    public init() {}
}
