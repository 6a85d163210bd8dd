// Reads one segment: its valid records in order, and what the bytes after them are. See JournalFormat.swift, steps 2 to 5.

internal import Model

/// A valid record, as long as the reader has not moved on.
struct SegmentRecord {
    var head: RecordHead
    /// Offset in the segment.
    var offset: Int
}

/// What follows the last valid record of the last segment.
enum SegmentTail: Hashable {
    case clean
    /// `bytes` reach to the last byte that is not zero.
    case torn(bytes: Int)
}

struct SegmentReader {
    let path: String
    let bytes: Int
    let head: SegmentHead
    private let tag: UInt32
    private var window: FileWindow
    /// Where the next record begins.
    private(set) var offset = SegmentHead.bytes
    private(set) var checksum: UInt64
    private(set) var revision: UInt64
    /// Where the part of the last flush begins that stands in this segment.
    private(set) var flushOffset = SegmentHead.bytes

    init(_ disk: any Disk, firstRevision: UInt64) throws(StorageError) {
        let name = FileName.segment(firstRevision)
        let file = try disk.open(name, .read)
        path = disk.path(of: name)
        bytes = try file.size()
        window = FileWindow(file, fileBytes: bytes)
        guard bytes >= SegmentHead.bytes else {
            throw .damaged(file: path, offset: bytes, reason: "the file ends within the segment's head")
        }
        _ = try window.load(0, SegmentHead.bytes)
        head = try SegmentHead(window.bytes, file: path)
        guard head.firstRevision == firstRevision, firstRevision > 0 else {
            throw .damaged(
                file: path, offset: 16, reason: "the head says it begins at revision \(head.firstRevision)")
        }
        tag = head.tag
        checksum = head.previousChecksum
        revision = firstRevision - 1
    }

    /// The next valid record, or nil at the end of the valid ones.
    mutating func next() throws(StorageError) -> SegmentRecord? {
        guard let head = try intactRecord(at: offset), head.firstRevision == revision + 1,
            head.previousChecksum == checksum
        else { return nil }
        defer { offset += head.extent }
        if head.unflushed == 0 { flushOffset = offset }
        revision = head.lastRevision
        checksum = head.checksum
        return SegmentRecord(head: head, offset: offset)
    }

    /// The transaction of the record that `next` returned last.
    mutating func transaction(_ record: SegmentRecord) throws(StorageError) -> Transaction {
        let index = try window.load(record.offset, record.head.extent)
        let payload = index + RecordHead.bytes..<index + RecordHead.bytes + record.head.payloadBytes
        do {
            var reader = ByteReader(window.bytes, payload)
            return try reader.transaction(firstRevision: record.head.firstRevision, factCount: record.head.factCount)
        } catch {
            throw .damaged(
                file: path, offset: record.offset + error.position - index,
                reason: "revision \(record.head.firstRevision) is whole, but \(error.reason)")
        }
    }

    private mutating func intactRecord(at offset: Int) throws(StorageError) -> RecordHead? {
        guard offset + RecordHead.bytes <= bytes else { return nil }
        var index = try window.load(offset, RecordHead.bytes)
        let head = RecordHead(window.bytes, at: index)
        guard head.isPlausible(tag: tag, room: bytes - offset) else { return nil }
        index = try window.load(offset, head.extent)
        let sum = RecordHead.checksum(of: window.bytes, record: index..<index + head.extent)
        return sum == head.checksum ? head : nil
    }

    /// What follows the valid records of the last segment. Throws `.damaged` when acknowledged records must have stood
    /// there. Call it when `next` has returned nil. Takes the time to read the rest of the file once.
    mutating func tail() throws(StorageError) -> SegmentTail {
        if try intactRecord(at: offset) != nil {
            throw damage("the record there does not continue the one before it")
        }
        var hasPieces = false
        var lastByte: Int?
        var position = offset
        while position < bytes {
            // The tag stands in the fifth word of a record, so most positions cost one comparison.
            let count = min(bytes - position, 1 << 20)
            let index = try window.load(position, count)
            var candidates: [Int] = []
            (lastByte, candidates) = scan(index, count, position, lastByte)
            for candidate in candidates {
                guard let head = try intactRecord(at: candidate) else { continue }
                hasPieces = true
                let durable = head.firstRevision - UInt64(head.unflushed) - 1
                if durable > revision {
                    throw damage(
                        "revisions after \(revision) are missing or altered, and the record at byte \(candidate) shows "
                            + "that they had been written up to \(durable)")
                }
            }
            position += count
        }
        guard let lastByte else { return .clean }
        let index = try window.load(offset, min(RecordHead.bytes, bytes - offset))
        let startsWithZeros = window.bytes[index..<index + min(RecordHead.bytes, bytes - offset)].allSatisfy { $0 == 0 }
        return startsWithZeros && !hasPieces ? .clean : .torn(bytes: lastByte + 1 - offset)
    }

    /// Offsets of records that begin with the right tag in their place, and the last byte that is not zero so far.
    private func scan(
        _ index: Int, _ count: Int, _ position: Int, _ earlier: Int?
    ) -> (lastByte: Int?, candidates: [Int]) {
        let span = unsafe window.bytes.span.bytes
        var lastWord = -1
        var candidates: [Int] = []
        var word = 0
        // Positions are multiples of 8 as `offset` is one; a file's last bytes may be fewer and hold no tag.
        while word + 8 <= count {
            let value = UInt64(
                littleEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: index + word, as: UInt64.self))
            if value != 0 {
                lastWord = word
                // A record's tag lies 32 bytes behind its beginning.
                if UInt32(truncatingIfNeeded: value) == tag && position + word - 32 > offset {
                    candidates.append(position + word - 32)
                }
            }
            word += 8
        }
        var last = earlier
        if lastWord >= 0 {
            for byte in lastWord..<lastWord + 8 where window.bytes[index + byte] != 0 { last = position + byte }
        }
        for byte in word..<count where window.bytes[index + byte] != 0 { last = position + byte }
        return (last, candidates)
    }

    /// Damage where the valid records end.
    func damage(_ reason: String) -> StorageError { .damaged(file: path, offset: offset, reason: reason) }
}
