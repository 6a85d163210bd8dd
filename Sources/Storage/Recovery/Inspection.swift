// Looks at a data directory without the lock and without changing anything: a check of everything, and a dump.
// Beside a running Berth both may see a flush half done, or a file that is just being retired.

public import Model

/// What a check of a data directory found.
public struct Inspection: Hashable, Sendable {
    public struct File: Hashable, Sendable {
        public var path: String
        public var bytes: Int
        /// Of a segment, those of its valid records; of a snapshot, its revision twice.
        public var firstRevision: UInt64
        public var lastRevision: UInt64
        public var records: Int
    }

    /// Damage that would stop a start or make it set a snapshot aside.
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        public var file: String
        public var offset: Int
        public var reason: String

        public var description: String { "\(file) at byte \(offset): \(reason)" }
    }

    public var snapshots: [File] = []
    public var segments: [File] = []
    public var records = 0
    public var problems: [Problem] = []
    /// A tail that the next start will cut; no problem.
    public var tornTail: RecoveryReport.Cut?

    public var isSound: Bool { problems.isEmpty }
}

extension Store {
    /// Reads every snapshot and every segment in full. Damage is in the result; an error is a failure of the disk.
    public static func verify(_ disk: any Disk) throws(StorageError) -> Inspection {
        var inspection = Inspection()
        let names = try disk.list()
        for revision in FileName.snapshots(in: names) {
            do throws(StorageError) {
                let image = try SnapshotReader.load(disk, revision: revision)
                let name = FileName.snapshot(revision)
                inspection.snapshots.append(
                    .init(
                        path: disk.path(of: name), bytes: try disk.open(name, .read).size(), firstRevision: revision,
                        lastRevision: revision, records: image.jobs.count + image.pools.count))
            } catch {
                try inspection.note(error)
            }
        }
        let segments = FileName.segments(in: names)
        var last: SegmentReader?
        for (index, firstRevision) in segments.enumerated() {
            do throws(StorageError) {
                var reader = try SegmentReader(disk, firstRevision: firstRevision)
                if let last,
                    last.revision + 1 != reader.head.firstRevision || last.checksum != reader.head.previousChecksum
                {
                    try inspection.note(
                        last.damage(
                            "the records after revision \(last.revision) are missing or altered; the next segment "
                                + "begins at revision \(reader.head.firstRevision)"))
                }
                last = nil
                let isLast = index == segments.count - 1
                try inspection.read(&reader, isLast: isLast)
                last = reader
            } catch {
                try inspection.note(error)
            }
        }
        return inspection
    }

    /// Hands over every transaction of the journal that begins after `revision`, until `body` returns false. The first
    /// segment need not be the first there ever was: the dump begins with what is there.
    public static func forEachTransaction(
        _ disk: any Disk, after revision: UInt64 = 0, _ body: (Transaction) -> Bool
    ) throws(StorageError) {
        let names = try disk.list()
        let oldest = FileName.segments(in: names).first ?? 1
        let start = max(revision, oldest == 0 ? 0 : oldest - 1)
        _ = try JournalReader(disk, names: names).forEach(after: start) { transaction, _, _ throws(StorageError) in
            body(transaction)
        }
    }

    /// `verify` for a directory of the file system, which must be there.
    public static func verify(directory: String) throws(StorageError) -> Inspection {
        try verify(try PosixDisk(existing: directory))
    }

    /// `forEachTransaction` for a directory of the file system, which must be there.
    public static func forEachTransaction(
        directory: String, after revision: UInt64 = 0, _ body: (Transaction) -> Bool
    ) throws(StorageError) {
        try forEachTransaction(try PosixDisk(existing: directory), after: revision, body)
    }
}

extension Inspection {
    fileprivate mutating func read(_ reader: inout SegmentReader, isLast: Bool) throws(StorageError) {
        var count = 0
        defer {
            records += count
            segments.append(
                File(
                    path: reader.path, bytes: reader.bytes, firstRevision: reader.head.firstRevision,
                    lastRevision: reader.revision, records: count))
        }
        while let record = try reader.next() {
            count += 1
            _ = try reader.transaction(record)
        }
        if isLast, case .torn(let bytes) = try reader.tail() {
            tornTail = .init(file: reader.path, offset: reader.offset, bytes: bytes)
        }
    }

    /// Keeps damage, and throws what is not about the files' contents.
    fileprivate mutating func note(_ error: StorageError) throws(StorageError) {
        switch error {
        case .damaged(let file, let offset, let reason):
            problems.append(Problem(file: file, offset: offset, reason: reason))
        case .unsupportedVersion(let file, let version):
            problems.append(Problem(file: file, offset: 8, reason: "format version \(version) is not known here"))
        case .system, .locked, .diskFull, .recordTooLarge, .failed: throw error
        }
    }
}
