// A part of a file in memory, moved along as a reader goes, so that a file of any size is read in little memory.

struct FileWindow {
    private let file: any DiskFile
    private let chunkBytes: Int
    /// Offset in the file of the first byte of `bytes`.
    private(set) var start = 0
    private var valid = 0
    private(set) var bytes: [UInt8] = []

    init(_ file: any DiskFile, fileBytes: Int) {
        self.file = file
        chunkBytes = min(fileBytes, 1 << 20)
    }

    /// Brings `count` bytes of the file from `offset` on into `bytes` and returns where they begin there.
    /// The caller knows that the file has them; if it does not, the missing ones are zeros.
    mutating func load(_ offset: Int, _ count: Int) throws(StorageError) -> Int {
        if offset >= start && offset + count <= start + valid { return offset - start }
        let wanted = max(count, chunkBytes)
        if bytes.count < wanted { bytes = [UInt8](repeating: 0, count: wanted) }
        start = offset
        valid = 0
        let done = try file.read(into: &bytes, 0..<bytes.count, at: offset)
        if done < count { for index in done..<count { bytes[index] = 0 } }
        valid = max(done, count)
        return 0
    }
}
