// The snapshot on disk: the whole state at one revision. All numbers are little-endian. It must not know what a job is.
//
// THE FILE is `snapshot-<revision, 20 digits>.snap`. It begins with a head of 64 bytes:
//
//      0   8   "BERTHSNP"
//      8   4   format version, 6
//     12   4   zero
//     16   8   revision, the number in the file's name
//     24   8   digest of the state
//     32   8   bytes of the file
//     40   8   checksum of the last frame
//     48   8   zero
//     56   8   XXH64, seed 0, of bytes 0 to 56
//
// FRAMES follow the head without gaps up to the end of the file, at least one:
//
//      0   8   checksum: XXH64, seed 0, of bytes 8 to the frame's end
//      8   8   previous checksum: that of the frame before, 0 in the first frame
//     16   8   payload bytes
//     24   n   payload
//
// Because each checksum covers the one before, the last one covers the whole file, and the head holds it. The payloads
// joined are the state in the form of ImageCodec.swift; no item of it spans two frames.
//
// VALID is a snapshot whose head, frames and state are right in full. A snapshot is written to `snapshot.tmp`, frames
// first and head last, flushed, renamed, and the directory is synced; so a file with its name is whole or damaged.
// THE READER'S ALGORITHM: check the head and the size of the file; then frame by frame check the checksum before looking
// at the payload; at the end compare the last checksum and the digest with the head.

struct SnapshotHead {
    static let bytes = 64
    static let version: UInt32 = 6
    private static let magic: UInt64 = UInt64(littleEndian: 0x504E_5348_5452_4542)

    var revision: UInt64
    var digest: UInt64
    var fileBytes: Int
    var lastChecksum: UInt64

    func write(to writer: inout ByteWriter) {
        let start = writer.count
        writer.fixed(Self.magic)
        writer.fixed(Self.version)
        writer.fixed(UInt32(0))
        writer.fixed(revision)
        writer.fixed(digest)
        writer.fixed(UInt64(fileBytes))
        writer.fixed(lastChecksum)
        writer.fixed(UInt64(0))
        writer.fixed(XXHash64.hash(writer.bytes.span.extracting(start..<start + 56)))
    }

    /// Reads the head from the first 64 bytes of `buffer`, of a file of `fileBytes`.
    init(_ buffer: [UInt8], fileBytes: Int, file: String) throws(StorageError) {
        guard buffer.count >= Self.bytes, buffer.fixed(at: 0) == Self.magic else {
            throw .damaged(file: file, offset: 0, reason: "this is not the head of a snapshot")
        }
        guard buffer.fixed(at: 56) == XXHash64.hash(buffer.span.extracting(0..<56)) else {
            throw .damaged(file: file, offset: 56, reason: "the checksum of the snapshot's head is wrong")
        }
        let version: UInt32 = buffer.fixed(at: 8)
        guard version == Self.version else { throw .unsupportedVersion(file: file, version: version) }
        guard buffer.fixed(at: 32) == UInt64(fileBytes) else {
            throw .damaged(file: file, offset: 32, reason: "the file has \(fileBytes) bytes, its head says otherwise")
        }
        self.init(
            revision: buffer.fixed(at: 16), digest: buffer.fixed(at: 24), fileBytes: fileBytes,
            lastChecksum: buffer.fixed(at: 40))
    }

    init(revision: UInt64, digest: UInt64, fileBytes: Int, lastChecksum: UInt64) {
        self.revision = revision
        self.digest = digest
        self.fileBytes = fileBytes
        self.lastChecksum = lastChecksum
    }
}

struct SnapshotFrameHead {
    static let bytes = 24

    var checksum: UInt64
    var previousChecksum: UInt64
    var payloadBytes: UInt64

    init(_ buffer: [UInt8], at offset: Int) {
        checksum = buffer.fixed(at: offset)
        previousChecksum = buffer.fixed(at: offset + 8)
        payloadBytes = buffer.fixed(at: offset + 16)
    }

    /// Fills in the head of the frame that is all of `writer`, and returns its checksum.
    static func finish(_ writer: inout ByteWriter, previousChecksum: UInt64) -> UInt64 {
        writer.replace(at: 8, with: previousChecksum)
        writer.replace(at: 16, with: UInt64(writer.count - bytes))
        let checksum = checksum(of: writer.bytes, frame: 0..<writer.count)
        writer.replace(at: 0, with: checksum)
        return checksum
    }

    static func checksum(of buffer: [UInt8], frame: Range<Int>) -> UInt64 {
        XXHash64.hash(buffer.span.extracting(frame.lowerBound + 8..<frame.upperBound))
    }
}
