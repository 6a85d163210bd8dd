// Writes snapshots and keeps two of them. Runs on any thread but the writer's; it knows nothing of the journal.

public import Model
internal import Synchronization

/// A snapshot that is safe on disk.
public struct SavedSnapshot: Hashable, Sendable {
    public var revision: UInt64
    /// Time of the state in it.
    public var at: Timestamp
    public var name: String
    public var bytes: Int
    /// The journal is not needed up to here, even if this snapshot turns out bad: pass it to `Journal.retire(through:)`.
    public var retiresThrough: UInt64
}

/// Writes the snapshots of one data directory. Safe to use from any thread; one snapshot is written at a time.
public final class SnapshotWriter: Sendable {
    /// Snapshots that are kept: the newest, and one to fall back on.
    static let kept = 2
    private static let frameBytes = 256 << 10

    private let disk: any Disk
    private let flushing: Bool
    private let writing = Mutex(())
    private let saved: Mutex<SavedSnapshot?>

    init(_ disk: any Disk, _ options: StorageOptions, latest: SavedSnapshot?) {
        self.disk = disk
        flushing = options.flushing
        saved = Mutex(latest)
    }

    /// The newest snapshot, for metrics: its age is the time since its `at`.
    public var latest: SavedSnapshot? { saved.withLock { $0 } }

    /// Writes `image` and returns when it is safe. Needs memory for one frame, not for the file.
    /// Precondition: `image.revision` is at most the journal's `durableRevision`, as the states that readers see are.
    /// After an error there is one snapshot fewer and nothing else is lost: log it and try again later.
    @discardableResult
    public func write(_ image: StateImage) throws(StorageError) -> SavedSnapshot {
        try writing.withLock { _ throws(StorageError) in
            let name = FileName.snapshot(image.revision)
            let bytes: Int
            do throws(StorageError) {
                bytes = try writeFile(image)
                try disk.rename(FileName.temporarySnapshot, to: name)
                if flushing { try disk.syncNames() }
            } catch {
                // Gives the space back; the next attempt writes over what could not be removed.
                try? disk.remove(FileName.temporarySnapshot)
                throw error
            }
            let retiresThrough = try removeOld()
            let snapshot = SavedSnapshot(
                revision: image.revision, at: image.at, name: name, bytes: bytes, retiresThrough: retiresThrough)
            saved.withLock { $0 = snapshot }
            return snapshot
        }
    }

    private func writeFile(_ image: StateImage) throws(StorageError) -> Int {
        let file = try disk.open(FileName.temporarySnapshot, .create)
        var writer = ByteWriter()
        var offset = SnapshotHead.bytes
        var checksum: UInt64 = 0
        func endFrame() throws(StorageError) {
            checksum = SnapshotFrameHead.finish(&writer, previousChecksum: checksum)
            try file.write(writer.bytes.span, at: offset)
            offset += writer.count
            writer.bytes.removeAll(keepingCapacity: true)
            writer.zeros(SnapshotFrameHead.bytes)
        }
        writer.zeros(SnapshotFrameHead.bytes)
        writer.figures(image)
        for tenant in image.tenants {
            if writer.count >= Self.frameBytes { try endFrame() }
            writer.tenant(tenant)
        }
        for pool in image.pools {
            if writer.count >= Self.frameBytes { try endFrame() }
            writer.pool(pool)
        }
        for array in image.arrays {
            if writer.count >= Self.frameBytes { try endFrame() }
            writer.array(array)
        }
        var last: (number: UInt64, submittedAt: Int64) = (0, 0)
        for job in image.jobs {
            if writer.count >= Self.frameBytes { try endFrame() }
            writer.job(job, after: last)
            last = (job.number.value, job.life.submittedAt.nanoseconds)
        }
        try endFrame()
        var head = ByteWriter()
        SnapshotHead(revision: image.revision, digest: image.digest, fileBytes: offset, lastChecksum: checksum)
            .write(to: &head)
        try file.write(head.bytes.span, at: 0)
        if flushing { try file.flush() }
        return offset
    }

    /// Removes all but the newest snapshots and returns up to which revision they make the journal needless.
    private func removeOld() throws(StorageError) -> UInt64 {
        let revisions = FileName.snapshots(in: try disk.list())
        let kept = revisions.suffix(Self.kept)
        for revision in revisions.dropLast(Self.kept) { try disk.remove(FileName.snapshot(revision)) }
        if kept.count < revisions.count && flushing { try disk.syncNames() }
        return Self.retiresThrough(kept)
    }

    /// The older of two snapshots; while there is no second one, the journal alone must be able to replace the first.
    static func retiresThrough(_ revisions: some BidirectionalCollection<UInt64>) -> UInt64 {
        revisions.count < kept ? 0 : revisions.suffix(kept).first ?? 0
    }
}
