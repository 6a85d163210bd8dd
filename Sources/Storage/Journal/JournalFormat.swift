// The journal on disk. All numbers are little-endian, all offsets are bytes from the start of the file. It must not
// know what a transaction means.
//
// THE FILES. The journal is a row of segments, `journal-<first revision, 20 digits>.log`, each preallocated to its final
// size. `spare-<n>.log` is a segment that waits to be used. A segment begins with a head of 64 bytes:
//
//      0   8   "BERTHJNL"
//      8   4   format version, 6
//     12   4   zero
//     16   8   first revision: that of the first record here or still to come; the number in the file's name
//     24   8   previous checksum: that of the last record of the segment before, 0 in the first segment of a journal
//     32  24   zero
//     56   8   XXH64, seed 0, of bytes 0 to 56
//
// The segment's tag is the low 32 bits of the XXH64, seed 0, of bytes 16 to 32. Every record of the segment carries it.
//
// THE RECORDS follow the head without gaps. Each holds one transaction and begins at a multiple of 8:
//
//      0   8   checksum: XXH64, seed 0, of bytes 8 to the record's end
//      8   8   previous checksum: that of the record before, or the one in the segment's head
//     16   8   first revision
//     24   4   payload bytes, at least 16
//     28   4   count of facts, at least 1; the last revision is first revision + count - 1
//     32   4   the segment's tag
//     36   4   unflushed: how many revisions before this record's first were written in the same flush
//     40   n   payload, see FactCodec.swift
//         0-7  zeros up to a multiple of 8; the checksum covers them
//
// A record never spans two segments. When it does not fit, the writer flushes this segment, gives a spare its head,
// flushes that, renames it to its segment name, syncs the directory, and only then writes records to it. So a segment
// that has its name has a whole head, and when a following segment exists all records of this one were flushed.
// After the last record of each flush stand 40 zero bytes, or as many as fit; the next record overwrites them.
//
// VALID is a record that lies within the file, has the tag of its segment, a right checksum, the revision after the last
// record's as its first, and the last record's checksum as its previous one. INTACT is a record of which only the tag
// and the checksum were checked. Because the checksum covers the one before, no record can follow any but its own
// predecessor, in whatever file or place it is found.
//
// RE-USE. A segment whose revisions are all covered by the older of two kept snapshots may become a spare, with its old
// bytes in it: only the head and 40 zeros are written anew. Old records are not mistaken for new ones: their tag is
// that of another first revision, their revisions are too low, and their previous checksums lead elsewhere.
//
// THE READER'S ALGORITHM, to read all transactions after revision S:
//  1. Begin with the segment of the highest first revision that is at most S + 1. None: damage, unless there is neither
//     a segment nor a snapshot, which is a new directory.
//  2. The head must be right, and must continue the segment read before it: first revision = last revision + 1,
//     previous checksum = last checksum. Otherwise damage.
//  3. Read records while they are valid. Leave out those up to S; one that holds S and S + 1 both is damage.
//  4. In a segment that another follows, go on with 2.
//  5. In the last segment the valid records end at offset X with revision R. Look at every multiple of 8 from X on for
//     intact records:
//       a. one at X: damage, for it does not continue what is before it;
//       b. one whose first revision - unflushed - 1 is above R: damage. When it was written, revisions up to that one
//          were on disk, and those after R are no longer;
//       c. others: pieces of one flush that was never acknowledged, as a power cut leaves them, for a disk may write
//          the later sectors of a flush and not the earlier ones. The tail is torn.
//     If there is none, and X to X + 40 is zeros (or the file ends sooner), the journal ends cleanly. If it is not, the
//     tail is torn. A torn tail is cut: zeros are written from X to the last byte that is not zero, and flushed, before
//     anything is appended, so that its pieces can never be found again.
//  6. R below S is damage: a snapshot is only taken of revisions that are on disk.
//  7. Who goes on writing first makes durable what was read. A process that was killed between a write and its flush, or
//     whose flush failed, leaves records that the next one reads from the kernel's memory and that a power cut could
//     still take back. So those of the last flush, from the last record with unflushed = 0 on, or from the first record
//     of the last segment, are written again, because after a failed flush the kernel takes its pages for clean; then
//     the file is flushed and the directory synced.
//
// WHAT THIS CANNOT TELL. A bit that changed within the very last flush looks like a torn tail. So does the loss of all of
// the last flushes by a disk that answered a flush without doing it. The writer overwrites a sector that holds
// acknowledged bytes with the same bytes and new ones behind them: as SQLite does, it counts on a disk that on power
// loss leaves each byte of such a sector old or new.

struct SegmentHead: Hashable {
    static let bytes = 64
    static let version: UInt32 = 6
    private static let magic: UInt64 = UInt64(littleEndian: 0x4C4E_4A48_5452_4542)

    var firstRevision: UInt64
    var previousChecksum: UInt64

    var tag: UInt32 {
        var writer = ByteWriter()
        writer.fixed(firstRevision)
        writer.fixed(previousChecksum)
        return UInt32(truncatingIfNeeded: XXHash64.hash(writer.bytes.span))
    }

    func write(to writer: inout ByteWriter) {
        let start = writer.count
        writer.fixed(Self.magic)
        writer.fixed(Self.version)
        writer.fixed(UInt32(0))
        writer.fixed(firstRevision)
        writer.fixed(previousChecksum)
        writer.zeros(24)
        writer.fixed(XXHash64.hash(writer.bytes.span.extracting(start..<start + 56)))
    }

    /// Reads the head from the first 64 bytes of `buffer`.
    init(_ buffer: [UInt8], file: String) throws(StorageError) {
        guard buffer.count >= Self.bytes, buffer.fixed(at: 0) == Self.magic else {
            throw .damaged(file: file, offset: 0, reason: "this is not the head of a journal segment")
        }
        guard buffer.fixed(at: 56) == XXHash64.hash(buffer.span.extracting(0..<56)) else {
            throw .damaged(file: file, offset: 56, reason: "the checksum of the segment's head is wrong")
        }
        let version: UInt32 = buffer.fixed(at: 8)
        guard version == Self.version else { throw .unsupportedVersion(file: file, version: version) }
        self.init(firstRevision: buffer.fixed(at: 16), previousChecksum: buffer.fixed(at: 24))
    }

    init(firstRevision: UInt64, previousChecksum: UInt64) {
        self.firstRevision = firstRevision
        self.previousChecksum = previousChecksum
    }
}

struct RecordHead {
    static let bytes = 40
    static let leastPayloadBytes = 16

    var checksum: UInt64
    var previousChecksum: UInt64
    var firstRevision: UInt64
    var payloadBytes: Int
    var factCount: Int
    var tag: UInt32
    var unflushed: UInt32

    /// Reads 40 bytes of `buffer`; any bytes make a head, `isPlausible` and the checksum tell whether it is one.
    init(_ buffer: [UInt8], at offset: Int) {
        checksum = buffer.fixed(at: offset)
        previousChecksum = buffer.fixed(at: offset + 8)
        firstRevision = buffer.fixed(at: offset + 16)
        payloadBytes = Int(buffer.fixed(at: offset + 24, UInt32.self))
        factCount = Int(buffer.fixed(at: offset + 28, UInt32.self))
        tag = buffer.fixed(at: offset + 32)
        unflushed = buffer.fixed(at: offset + 36)
    }

    /// Bytes of the whole record.
    var extent: Int { Self.bytes + (payloadBytes + 7) & ~7 }

    /// No overflow: a plausible head was checked for it.
    var lastRevision: UInt64 { firstRevision + UInt64(factCount) - 1 }

    func isPlausible(tag: UInt32, room: Int) -> Bool {
        self.tag == tag && payloadBytes >= Self.leastPayloadBytes && extent <= room && factCount >= 1
            && !firstRevision.addingReportingOverflow(UInt64(factCount)).overflow
            && firstRevision > UInt64(unflushed)
    }

    static func checksum(of buffer: [UInt8], record: Range<Int>) -> UInt64 {
        XXHash64.hash(buffer.span.extracting(record.lowerBound + 8..<record.upperBound))
    }
}
