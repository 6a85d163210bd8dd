// The figures of the journal that a metrics page and a log want.

public struct JournalCounters: Hashable, Sendable {
    public var records = 0
    /// Bytes of records, without heads of segments and zeros.
    public var bytesAppended = 0
    /// Calls of `flush` that had something to write.
    public var flushes = 0
    /// Flushes of the disk, a few more than `flushes`: those that begin a segment.
    public var diskFlushes = 0
    public var writes = 0
    /// By the clock of the options.
    public var flushNanoseconds: UInt64 = 0
    public var lastFlushNanoseconds: UInt64 = 0
    public var longestFlushNanoseconds: UInt64 = 0
    public var segments = 0
    public var spareSegments = 0
    public var durableRevision: UInt64 = 0
}

/// What one flush did.
public struct FlushReport: Hashable, Sendable {
    public var records: Int
    public var bytes: Int
    public var writes: Int
    public var diskFlushes: Int
    /// Everything up to here may be acknowledged.
    public var durableRevision: UInt64
    public var nanoseconds: UInt64
}
