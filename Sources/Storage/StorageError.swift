// What can go wrong with the data directory. A case of its own exists only where a caller would act differently.
// It must not know HTTP: one table elsewhere turns these into statuses.

/// Why the data directory could not be read or written.
public enum StorageError: Error, Hashable, Sendable {
    /// A system call failed. At the start: say so and stop. In a snapshot: log it and try again later.
    case system(operation: String, path: String, errno: Int32)
    /// Another process owns the data directory. Stop, or wait for it.
    case locked(path: String, pid: Int32?)
    /// Acknowledged data is missing or altered. Do not start; an operator restores a copy.
    case damaged(file: String, offset: Int, reason: String)
    /// A newer Berth wrote this file. Start that one.
    case unsupportedVersion(file: String, version: UInt32)
    /// There is no space for what comes next. Refuse writes and go on with reads; the same call succeeds when space returns.
    case diskFull(path: String)
    /// One transaction is larger than a record may be. Refuse the command that made it.
    case recordTooLarge(bytes: Int, limit: Int)
    /// An earlier write or flush failed, so that nobody knows what is on disk. Stop serving writes; only a restart helps.
    case failed(reason: String)
}

extension StorageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let operation, let path, let errno):
            "\(operation) \(path): \(SystemCall.message(errno)) (errno \(errno))"
        case .locked(let path, let pid):
            if let pid {
                "\(path) is locked by process \(pid); one process may use a data directory"
            } else {
                "\(path) is locked by another process; one process may use a data directory"
            }
        case .damaged(let file, let offset, let reason): "\(file) is damaged at byte \(offset): \(reason)"
        case .unsupportedVersion(let file, let version):
            "\(file) has format version \(version), which this Berth cannot read; another version of Berth wrote it"
        case .diskFull(let path): "\(path): no space left; writes are refused until there is some"
        case .recordTooLarge(let bytes, let limit): "a transaction of \(bytes) bytes is over the limit of \(limit)"
        case .failed(let reason): "the journal stopped after a failed write and needs a restart: \(reason)"
        }
    }
}
