// Opens a data directory: takes the lock, finds the newest good snapshot, replays the journal after it, and hands out
// the journal and the writer of snapshots. It must not know what a transaction does: the caller applies it.

public import Model

/// A data directory, recovered and locked. The lock is held as long as this lives.
public struct Store: ~Copyable {
    public let journal: Journal
    public let snapshots: SnapshotWriter
    public let report: RecoveryReport
    private let lock: any DiskLock

    fileprivate init(journal: Journal, snapshots: SnapshotWriter, report: RecoveryReport, lock: any DiskLock) {
        self.journal = journal
        self.snapshots = snapshots
        self.report = report
        self.lock = lock
    }

    /// Opens the directory, which is created if its parent is there. Errors: `.locked`, `.damaged`,
    /// `.unsupportedVersion`, `.system`, and `.diskFull` where even the first segment finds no space.
    public static func open(
        directory: String, _ options: StorageOptions = StorageOptions()
    ) throws(StorageError) -> Recovery {
        try Recovery.begin(try PosixDisk(directory: directory), options)
    }

    public static func open(
        _ disk: any Disk, _ options: StorageOptions = StorageOptions()
    ) throws(StorageError) -> Recovery {
        try Recovery.begin(disk, options)
    }
}

/// A start half done: the directory is locked and the snapshot read. Build the state from `image`, then `replay`.
public struct Recovery: ~Copyable {
    /// The state of the newest good snapshot, or the empty one at revision 0.
    public let image: StateImage
    /// What is known so far.
    public private(set) var report: RecoveryReport
    private let disk: any Disk
    private let options: StorageOptions
    private let lock: any DiskLock

    private init(
        image: StateImage, report: RecoveryReport, disk: any Disk, options: StorageOptions, lock: any DiskLock
    ) {
        self.image = image
        self.report = report
        self.disk = disk
        self.options = options
        self.lock = lock
    }

    fileprivate static func begin(_ disk: any Disk, _ options: StorageOptions) throws(StorageError) -> Recovery {
        let lock = try disk.lock(FileName.lock)
        let names = try disk.list()
        for name in [FileName.temporarySnapshot, FileName.temporarySpare] where names.contains(name) {
            try disk.remove(name)
        }
        var report = RecoveryReport()
        let image = try newestSnapshot(disk, names, &report) ?? StateImage()
        return Recovery(image: image, report: report, disk: disk, options: options, lock: lock)
    }

    private static func newestSnapshot(
        _ disk: any Disk, _ names: [String], _ report: inout RecoveryReport
    ) throws(StorageError) -> StateImage? {
        for revision in FileName.snapshots(in: names).reversed() {
            let name = FileName.snapshot(revision)
            do {
                let image = try SnapshotReader.load(disk, revision: revision)
                report.snapshot = disk.path(of: name)
                report.snapshotRevision = revision
                return image
            } catch .damaged(let file, let offset, let reason) {
                try disk.rename(name, to: FileName.setAside(name))
                try disk.syncNames()
                report.setAside.append(.init(file: file, reason: "damaged at byte \(offset): \(reason)"))
            }
        }
        return nil
    }

    /// Hands every transaction after the snapshot to `apply`, in order. It returns nil, or why the transaction cannot be
    /// applied, as when the state's digest differs afterwards; that is thrown as `.damaged` with file and offset.
    /// Then cuts a torn tail and opens the journal for writing.
    public consuming func replay(_ apply: (Transaction) -> String?) throws(StorageError) -> sending Store {
        let names = try disk.list()
        let spares = try SpareSegments(disk, options, names: names)
        let reader = JournalReader(disk, names: names)
        let journal: Journal
        // A directory in which a snapshot was ever set aside is not a new one, however often one starts.
        let isNew = reader.isEmpty && image.revision == 0 && !names.contains { $0.hasSuffix(".bad") }
        if isNew {
            journal = try Journal(beginning: disk, options, spares: spares)
        } else {
            let end = try reader.forEach(after: image.revision) { transaction, path, offset throws(StorageError) in
                if let reason = apply(transaction) { throw .damaged(file: path, offset: offset, reason: reason) }
                return true
            }
            guard let end else { preconditionFailure("a reading that nobody ended reaches the end") }
            try settle(end)
            report.transactions = end.transactions
            report.bytes = end.bytes
            report.segments = end.segments
            report.revision = end.revision
            journal = Journal(disk, options, spares: spares, names: names, end: end)
        }
        let revisions = FileName.snapshots(in: names)
        var latest: SavedSnapshot?
        if report.snapshot != nil {
            let name = FileName.snapshot(image.revision)
            latest = SavedSnapshot(
                revision: image.revision, at: image.at, name: name, bytes: try disk.open(name, .read).size(),
                retiresThrough: SnapshotWriter.retiresThrough(revisions))
        }
        let snapshots = SnapshotWriter(disk, options, latest: latest)
        return Store(journal: journal, snapshots: snapshots, report: report, lock: lock)
    }

    /// Makes durable what was read, before anybody sees it: step 7 of JournalFormat.swift, and the cut of step 5.
    private mutating func settle(_ end: JournalEnd) throws(StorageError) {
        let file = try disk.open(FileName.segment(end.head.firstRevision), .readWrite)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = end.flushOffset
        while offset < end.offset {
            let count = try file.read(into: &buffer, 0..<min(buffer.count, end.offset - offset), at: offset)
            if count == 0 { throw .damaged(file: end.path, offset: offset, reason: "the file became shorter") }
            try file.write(buffer.span.extracting(0..<count), at: offset)
            offset += count
        }
        if case .torn(let bytes) = end.tail {
            buffer = [UInt8](repeating: 0, count: min(bytes, 1 << 20))
            while offset < end.offset + bytes {
                let count = min(buffer.count, end.offset + bytes - offset)
                try file.write(buffer.span.extracting(0..<count), at: offset)
                offset += count
            }
            report.cut = .init(file: end.path, offset: end.offset, bytes: bytes)
        }
        try file.flush()
        try disk.syncNames()
    }
}
