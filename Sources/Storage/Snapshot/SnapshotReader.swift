// Reads a snapshot frame by frame, checking each before it is looked at. See SnapshotFormat.swift.

internal import Model

enum SnapshotReader {
    /// Throws `.damaged` for a bad snapshot, in which case an older one may serve, and other errors for a bad disk.
    static func load(_ disk: any Disk, revision: UInt64) throws(StorageError) -> StateImage {
        let name = FileName.snapshot(revision)
        let path = disk.path(of: name)
        let file = try disk.open(name, .read)
        let fileBytes = try file.size()
        guard fileBytes >= SnapshotHead.bytes else {
            throw .damaged(file: path, offset: fileBytes, reason: "the file ends within the snapshot's head")
        }
        var window = FileWindow(file, fileBytes: fileBytes)
        _ = try window.load(0, SnapshotHead.bytes)
        let head = try SnapshotHead(window.bytes, fileBytes: fileBytes, file: path)
        guard head.revision == revision else {
            throw .damaged(file: path, offset: 16, reason: "the head says that this is revision \(head.revision)")
        }
        var images = ImageReader()
        var offset = SnapshotHead.bytes
        var checksum: UInt64 = 0
        while offset < fileBytes {
            let frame = try self.frame(&window, offset, fileBytes, path, &checksum)
            do {
                var reader = ByteReader(window.bytes, frame.lowerBound + SnapshotFrameHead.bytes..<frame.upperBound)
                try images.add(&reader, fileBytes: fileBytes)
            } catch {
                throw .damaged(
                    file: path, offset: offset + error.position - frame.lowerBound,
                    reason: "the frame is whole, but \(error.reason)")
            }
            offset += frame.count
        }
        guard checksum == head.lastChecksum, images.isComplete else {
            throw .damaged(file: path, offset: fileBytes, reason: "the last frame is not the one the head speaks of")
        }
        guard images.image.revision == revision, images.image.digest == head.digest else {
            throw .damaged(file: path, offset: 24, reason: "revision or digest of the head are not those of the state")
        }
        return images.image
    }

    /// Checks the frame at `offset` and returns where it stands in the window.
    private static func frame(
        _ window: inout FileWindow, _ offset: Int, _ fileBytes: Int, _ path: String, _ checksum: inout UInt64
    ) throws(StorageError) -> Range<Int> {
        let room = fileBytes - offset - SnapshotFrameHead.bytes
        guard room >= 0 else {
            throw .damaged(file: path, offset: offset, reason: "the file ends within the head of a frame")
        }
        var index = try window.load(offset, SnapshotFrameHead.bytes)
        let head = SnapshotFrameHead(window.bytes, at: index)
        guard head.payloadBytes <= UInt64(room) else {
            throw .damaged(file: path, offset: offset + 16, reason: "the file ends within a frame")
        }
        let count = SnapshotFrameHead.bytes + Int(head.payloadBytes)
        index = try window.load(offset, count)
        guard head.previousChecksum == checksum,
            head.checksum == SnapshotFrameHead.checksum(of: window.bytes, frame: index..<index + count)
        else {
            throw .damaged(file: path, offset: offset, reason: "the checksum of a frame is wrong")
        }
        checksum = head.checksum
        return index..<index + count
    }
}
