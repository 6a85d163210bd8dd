// Reads the journal from a revision on, over all its segments, and tells how it ends. See JournalFormat.swift, steps 1 to 6.

internal import Model

/// Where the journal ends, and what was read on the way.
struct JournalEnd {
    /// The last segment.
    var head: SegmentHead
    var segmentBytes: Int
    var path: String
    /// Where the next record goes.
    var offset: Int
    /// Where the last flush began in the last segment.
    var flushOffset: Int
    var checksum: UInt64
    var revision: UInt64
    var tail: SegmentTail
    var transactions = 0
    var bytes = 0
    var segments = 0
}

struct JournalReader {
    private let disk: any Disk
    /// First revisions, rising.
    private let segments: [UInt64]

    init(_ disk: any Disk, names: [String]) {
        self.disk = disk
        segments = FileName.segments(in: names)
    }

    var isEmpty: Bool { segments.isEmpty }

    /// Hands over every transaction after `start` in order. Returning false ends the reading and returns nil.
    func forEach(
        after start: UInt64, _ body: (Transaction, _ path: String, _ offset: Int) throws(StorageError) -> Bool
    ) throws(StorageError) -> JournalEnd? {
        guard let first = segments.lastIndex(where: { $0 == 0 || $0 - 1 <= start }) else {
            let begin = segments.first ?? 0
            throw .damaged(
                file: disk.path(of: segments.isEmpty ? "" : FileName.segment(begin)), offset: 0,
                reason: segments.isEmpty
                    ? "there is no journal, so nobody knows what came after revision \(start)"
                    : "the journal begins here at revision \(begin), and revisions from \(start &+ 1) on are missing")
        }
        var reader = try SegmentReader(disk, firstRevision: segments[first])
        var transactions = 0
        var bytes = 0
        for index in first..<segments.count {
            if index > first {
                let next = try SegmentReader(disk, firstRevision: segments[index])
                guard next.head.firstRevision == reader.revision + 1, next.head.previousChecksum == reader.checksum
                else {
                    throw reader.damage(
                        "the records after revision \(reader.revision) are missing or altered; the next segment "
                            + "begins at revision \(next.head.firstRevision)")
                }
                reader = next
            }
            while let record = try reader.next() {
                if record.head.lastRevision <= start { continue }
                guard record.head.firstRevision > start else {
                    throw .damaged(
                        file: reader.path, offset: record.offset,
                        reason: "revision \(start), of a snapshot, lies within the transaction of this record")
                }
                transactions += 1
                bytes += record.head.extent
                let transaction = try reader.transaction(record)
                guard try body(transaction, reader.path, record.offset) else { return nil }
            }
        }
        let tail = try reader.tail()
        guard reader.revision >= start else {
            throw reader.damage("the journal ends at revision \(reader.revision), before a snapshot's \(start)")
        }
        return JournalEnd(
            head: reader.head, segmentBytes: reader.bytes, path: reader.path, offset: reader.offset,
            flushOffset: reader.flushOffset, checksum: reader.checksum, revision: reader.revision, tail: tail,
            transactions: transactions, bytes: bytes,
            segments: segments.count - first)
    }
}
