// The writer's side of the journal: encodes transactions into memory, and brings them to disk in one write and one
// flush. It must not know what a transaction means, nor when a batch is complete: its caller decides that.

public import Model

/// The journal of one data directory, owned by one writer. Not Sendable: use it from one serial queue.
///
/// The life of a batch: `ensureRoom`, then for each command decide and `append`, then one `flush`, then the replies.
public final class Journal {
    /// What a record costs beside its payload, at most.
    public static let recordOverheadBytes = RecordHead.bytes + 7

    private let disk: any Disk
    private let options: StorageOptions
    public let spares: SpareSegments

    /// First revisions of the segments on disk, rising.
    private var segments: [UInt64]
    private var current: OpenSegment
    /// Parts of the batch that belong to segments before `current`.
    private var before: [(segment: OpenSegment, writer: ByteWriter)] = []
    /// The part of the batch that belongs to `current`.
    private var writer = ByteWriter()
    private var checksum: UInt64
    private var batchRecords = 0
    private var batchBytes = 0
    private var failure: String?
    private var counted = JournalCounters()

    /// The revision that the next transaction must begin with.
    public private(set) var nextRevision: UInt64
    /// Everything up to here is on disk.
    public private(set) var durableRevision: UInt64

    private struct OpenSegment {
        var head: SegmentHead
        var tag: UInt32
        var bytes: Int
        /// Where the batch's bytes for this segment go.
        var offset: Int
        /// Nil until the first write opens it.
        var file: (any DiskFile)?
        /// The spare that becomes this segment at its first write; nil once it has its name.
        var spare: String?
    }

    /// Goes on where the reader found the end.
    init(
        _ disk: any Disk, _ options: StorageOptions, spares: SpareSegments, names: [String], end: JournalEnd
    ) {
        self.disk = disk
        self.options = options
        self.spares = spares
        segments = FileName.segments(in: names)
        current = OpenSegment(head: end.head, tag: end.head.tag, bytes: end.segmentBytes, offset: end.offset)
        checksum = end.checksum
        nextRevision = end.revision + 1
        durableRevision = end.revision
    }

    /// Begins a journal in a new directory.
    init(beginning disk: any Disk, _ options: StorageOptions, spares: SpareSegments) throws(StorageError) {
        self.disk = disk
        self.options = options
        self.spares = spares
        segments = []
        checksum = 0
        nextRevision = 1
        durableRevision = 0
        try spares.fill()
        guard let spare = spares.take(atLeast: SegmentHead.bytes) else {
            throw .diskFull(path: disk.path(of: FileName.segment(1)))
        }
        current = Self.segment(on: spare, SegmentHead(firstRevision: 1, previousChecksum: 0))
        try begin(&current)
    }

    private static func segment(on spare: SpareSegment, _ head: SegmentHead) -> OpenSegment {
        OpenSegment(
            head: head, tag: head.tag, bytes: spare.bytes, offset: SegmentHead.bytes, spare: spare.name)
    }

    // MARK: Room

    private var currentRoom: Int { current.bytes - current.offset - writer.count }

    /// Whether records of `bytes` in all can be appended and flushed without any new space. Makes no system call.
    public func hasRoom(forBytes bytes: Int) -> Bool {
        currentRoom >= bytes || spares.hasOne(atLeast: SegmentHead.bytes + bytes)
    }

    /// Sees to it that records of `bytes` in all can be appended and flushed without any new space, before anything is
    /// decided. Nearly always it only compares; otherwise it preallocates a segment, which takes as long as writing it.
    /// Throws `.diskFull` when there is none: refuse writes, go on with reads, and ask again with the next write.
    public func ensureRoom(forBytes bytes: Int) throws(StorageError) {
        if let failure { throw .failed(reason: failure) }
        if !hasRoom(forBytes: bytes) { try spares.fill(atLeast: SegmentHead.bytes + bytes) }
    }

    /// Whether it is time to call `spares.fill()` on another thread, so that `ensureRoom` never has to.
    public var wantsSpare: Bool { spares.count == 0 && currentRoom < options.segmentBytes / 2 }

    // MARK: Writing

    /// Adds a transaction to the batch in memory. Makes no system call where `ensureRoom` went before.
    /// Throws `.recordTooLarge`, or `.diskFull` where nobody ensured room; then the batch is as it was.
    /// Precondition: the transaction has facts and begins with `nextRevision`.
    public func append(_ transaction: Transaction) throws(StorageError) {
        if let failure { throw .failed(reason: failure) }
        precondition(!transaction.facts.isEmpty, "a transaction has a fact")
        precondition(transaction.firstRevision == nextRevision, "revisions follow one by one")
        let start = writer.count
        writer.zeros(RecordHead.bytes)
        writer.transaction(transaction)
        let payloadBytes = writer.count - start - RecordHead.bytes
        writer.zeros(-payloadBytes & 7)
        let extent = writer.count - start
        do throws(StorageError) {
            if extent > options.recordBytes { throw .recordTooLarge(bytes: extent, limit: options.recordBytes) }
            let isRolled = current.bytes - current.offset < writer.count
            if isRolled { try roll(recordStart: start, extent: extent) }
            finishRecord(at: isRolled ? 0 : start, transaction, payloadBytes: payloadBytes)
        } catch {
            writer.bytes.removeSubrange(start...)
            throw error
        }
        nextRevision += UInt64(transaction.facts.count)
        batchRecords += 1
        batchBytes += extent
    }

    /// Writes the head of the record at `start` of the batch, once its segment is known.
    private func finishRecord(at start: Int, _ transaction: Transaction, payloadBytes: Int) {
        writer.replace(at: start + 8, with: checksum)
        writer.replace(at: start + 16, with: transaction.firstRevision)
        writer.replace(at: start + 24, with: UInt32(payloadBytes))
        writer.replace(at: start + 28, with: UInt32(transaction.facts.count))
        writer.replace(at: start + 32, with: current.tag)
        writer.replace(at: start + 36, with: UInt32(transaction.firstRevision - durableRevision - 1))
        checksum = RecordHead.checksum(of: writer.bytes, record: start..<writer.count)
        writer.replace(at: start, with: checksum)
    }

    /// Moves the record that did not fit to the beginning of a new segment.
    private func roll(recordStart: Int, extent: Int) throws(StorageError) {
        let bytes = SegmentHead.bytes + extent
        if !spares.hasOne(atLeast: bytes) { try spares.fill(atLeast: bytes) }
        guard let spare = spares.take(atLeast: bytes) else {
            throw .diskFull(path: disk.path(of: FileName.segment(nextRevision)))
        }
        let record = Array(writer.bytes[recordStart...])
        writer.bytes.removeSubrange(recordStart...)
        before.append((current, writer))
        writer.bytes = record
        current = Self.segment(on: spare, SegmentHead(firstRevision: nextRevision, previousChecksum: checksum))
    }

    /// Brings the batch to disk: one write and one flush, and a few more where it begins a segment. After any error the
    /// journal throws `.failed` for good: what a failed flush left on disk cannot be known, and asking again would lie.
    @discardableResult
    public func flush() throws(StorageError) -> FlushReport {
        if let failure { throw .failed(reason: failure) }
        let started = options.clock()
        let earlier = counted
        if batchRecords > 0 {
            do { try writeBatch() } catch {
                failure = error.description
                throw .failed(reason: error.description)
            }
        }
        let nanoseconds = batchRecords > 0 ? options.clock() &- started : 0
        let report = FlushReport(
            records: batchRecords, bytes: batchBytes, writes: counted.writes - earlier.writes,
            diskFlushes: counted.diskFlushes - earlier.diskFlushes, durableRevision: nextRevision - 1,
            nanoseconds: nanoseconds)
        durableRevision = nextRevision - 1
        if batchRecords > 0 { count(report) }
        batchRecords = 0
        batchBytes = 0
        return report
    }

    private func writeBatch() throws(StorageError) {
        for part in before {
            var (segment, records) = part
            try write(&records, to: &segment)
        }
        before.removeAll()
        let recordBytes = writer.count
        try write(&writer, to: &current)
        current.offset += recordBytes
        // One huge batch must not hold its memory for ever.
        writer.bytes.removeAll(keepingCapacity: writer.bytes.capacity <= 4 << 20)
    }

    private func write(_ records: inout ByteWriter, to segment: inout OpenSegment) throws(StorageError) {
        if segment.spare != nil { try begin(&segment) }
        if records.bytes.isEmpty { return }
        // The zeros that end a flush; see JournalFormat.swift.
        records.zeros(min(RecordHead.bytes, segment.bytes - segment.offset - records.count))
        let file: any DiskFile
        if let open = segment.file {
            file = open
        } else {
            file = try disk.open(FileName.segment(segment.head.firstRevision), .readWrite)
            segment.file = file
        }
        try file.write(records.bytes.span, at: segment.offset)
        counted.writes += 1
        try flush(file)
    }

    /// Gives a spare its head and then its name, in the order that JournalFormat.swift demands.
    private func begin(_ segment: inout OpenSegment) throws(StorageError) {
        guard let spare = segment.spare else { return }
        var head = ByteWriter()
        segment.head.write(to: &head)
        head.zeros(min(RecordHead.bytes, segment.bytes - SegmentHead.bytes))
        let file = try disk.open(spare, .readWrite)
        try file.write(head.bytes.span, at: 0)
        counted.writes += 1
        try flush(file)
        try disk.rename(spare, to: FileName.segment(segment.head.firstRevision))
        if options.flushing { try disk.syncNames() }
        segment.file = file
        segment.spare = nil
        // A segment that got no record, because its first one was too large, was replaced just now.
        if segments.last != segment.head.firstRevision { segments.append(segment.head.firstRevision) }
    }

    private func flush(_ file: any DiskFile) throws(StorageError) {
        guard options.flushing else { return }
        try file.flush()
        counted.diskFlushes += 1
    }

    // MARK: Retiring

    /// Takes out of the journal the segments of which every revision is at most `revision`. Pass
    /// `SavedSnapshot.retiresThrough`, and dispose of the result on the thread that wrote the snapshot.
    public func retire(through revision: UInt64) -> RetiredSegments {
        var count = 0
        // A segment ends where the next one begins; the last one stays.
        while count + 1 < segments.count && segments[count + 1] - 1 <= revision { count += 1 }
        let names = segments.prefix(count).map(FileName.segment)
        segments.removeFirst(count)
        return RetiredSegments(names: names, spares: spares)
    }

    // MARK: Counting

    private func count(_ report: FlushReport) {
        counted.flushes += 1
        counted.records += report.records
        counted.bytesAppended += report.bytes
        counted.flushNanoseconds += report.nanoseconds
        counted.lastFlushNanoseconds = report.nanoseconds
        counted.longestFlushNanoseconds = max(counted.longestFlushNanoseconds, report.nanoseconds)
    }

    public var counters: JournalCounters {
        var counters = counted
        counters.segments = segments.count
        counters.spareSegments = spares.count
        counters.durableRevision = durableRevision
        return counters
    }
}
