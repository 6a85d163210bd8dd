// A directory of the real file system. Owns descriptors; knows nothing of journals and snapshots.

internal import CLinux
internal import Glibc

/// A directory of the real file system.
public final class PosixDisk: Disk {
    private let directory: String

    /// A directory that must be there already; calls fail if it is not.
    public init(existing directory: String) throws(StorageError) {
        self.directory = directory
        _ = try freeBytes()
    }

    /// Creates the directory, but not its parents, if it is not there.
    public init(directory: String) throws(StorageError) {
        self.directory = directory
        if unsafe mkdir(directory, 0o750) != 0 {
            let code = errno
            if code != EEXIST { throw SystemCall.error("mkdir", directory, code) }
        } else {
            try Self.syncDirectory(directory + "/..")
        }
    }

    public func path(of name: String) -> String { directory + "/" + name }

    public func list() throws(StorageError) -> [String] {
        guard let stream = unsafe opendir(directory) else {
            let code = errno
            throw SystemCall.error("opendir", directory, code)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                let code = errno
                if code != 0 { throw SystemCall.error("readdir", directory, code) }
                return names
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    public func open(_ name: String, _ access: DiskAccess) throws(StorageError) -> any DiskFile {
        let flags: Int32 =
            switch access {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            }
        let path = path(of: name)
        let descriptor = try SystemCall.run("open", path) { unsafe Glibc.open(path, flags | O_CLOEXEC, 0o640) }
        return PosixFile(descriptor: descriptor, path: path)
    }

    public func rename(_ name: String, to newName: String) throws(StorageError) {
        let from = path(of: name)
        let to = path(of: newName)
        try SystemCall.run("rename", from) { unsafe Glibc.rename(from, to) }
    }

    public func remove(_ name: String) throws(StorageError) {
        let path = path(of: name)
        try SystemCall.run("unlink", path) { unsafe unlink(path) }
    }

    public func syncNames() throws(StorageError) { try Self.syncDirectory(directory) }

    private static func syncDirectory(_ path: String) throws(StorageError) {
        let descriptor = try SystemCall.run("open", path) {
            unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        defer { close(descriptor) }
        try SystemCall.run("fsync", path) { fsync(descriptor) }
    }

    public func freeBytes() throws(StorageError) -> Int {
        var status = statvfs()
        let directory = directory
        try SystemCall.run("statvfs", directory) { unsafe statvfs(directory, &status) }
        let (bytes, overflow) = Int(status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
        return overflow ? .max : bytes
    }

    public func lock(_ name: String) throws(StorageError) -> any DiskLock {
        let path = path(of: name)
        let descriptor = try SystemCall.run("open", path) {
            unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        }
        let lock = PosixFile(descriptor: descriptor, path: path)
        do {
            try SystemCall.run("flock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch .system(_, _, errno: EWOULDBLOCK) {
            throw .locked(path: path, pid: lock.processID())
        }
        // The number only serves the message to the next one, and must not keep a server from starting on a full disk.
        ftruncate(descriptor, 0)
        try? lock.write(Array("\(getpid())\n".utf8).span, at: 0)
        return lock
    }
}

/// An open file of the real file system; the lock is one too.
private final class PosixFile: DiskFile, DiskLock {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func size() throws(StorageError) -> Int {
        var status = stat()
        try SystemCall.run("fstat", path) { unsafe fstat(descriptor, &status) }
        return Int(status.st_size)
    }

    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(StorageError) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.count, "the range is inside the buffer")
        var done = 0
        while done < range.count {
            let count = try SystemCall.run("pread", path) {
                unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe pread(
                        descriptor, bytes.baseAddress! + range.lowerBound + done, range.count - done, offset + done)
                }
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: Span<UInt8>, at offset: Int) throws(StorageError) {
        var done = 0
        while done < bytes.count {
            var result = 0
            var code: Int32 = 0
            unsafe bytes.withUnsafeBytes { raw in
                result = unsafe pwrite(descriptor, raw.baseAddress! + done, raw.count - done, offset + done)
                code = errno
            }
            if result > 0 {
                done += result
            } else if result == 0 || code != EINTR {
                // No progress without an error is what a full device may answer.
                throw SystemCall.error("pwrite", path, result == 0 ? ENOSPC : code)
            }
        }
    }

    func flush() throws(StorageError) {
        // Repeated only when a signal came first: then nothing was tried. After any other error it must not be.
        try SystemCall.run("fdatasync", path) { fdatasync(descriptor) }
    }

    /// The process that wrote its number into the lock file.
    func processID() -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        guard let count = try? read(into: &text, 0..<16, at: 0) else { return nil }
        return Int32(String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self))
    }
}
