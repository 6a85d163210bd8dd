// The seam between Storage and the machine: one directory with plain file names in it.
// It must not know what the files hold. `PosixDisk` is the real one; the tests bring one that fails on command.

/// One directory. What `rename`, `remove` and `open(_:.create)` change survives a power cut only after `syncNames`.
public protocol Disk: AnyObject, Sendable {
    /// The full path of a file, for messages.
    func path(of name: String) -> String
    /// The names of all files, in no order.
    func list() throws(StorageError) -> [String]
    func open(_ name: String, _ access: DiskAccess) throws(StorageError) -> any DiskFile
    /// Replaces `newName` if it exists.
    func rename(_ name: String, to newName: String) throws(StorageError)
    func remove(_ name: String) throws(StorageError)
    /// Makes the names of the directory durable.
    func syncNames() throws(StorageError)
    /// Space that this process may still use.
    func freeBytes() throws(StorageError) -> Int
    /// Takes the lock file, or throws `.locked`. The lock ends when the result is released or the process ends.
    func lock(_ name: String) throws(StorageError) -> any DiskLock
}

public enum DiskAccess: Sendable {
    case read, readWrite
    /// For reading and writing, empty at first.
    case create
}

/// An open file, closed when it is released.
public protocol DiskFile: AnyObject, Sendable {
    func size() throws(StorageError) -> Int
    /// Fills `range` of `buffer` from the bytes at `offset`; returns how many there were, fewer only at the end of the file.
    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(StorageError) -> Int
    /// Writes all of `bytes`, or throws having written any part of them.
    func write(_ bytes: Span<UInt8>, at offset: Int) throws(StorageError)
    /// Makes everything written to this file durable. After an error nobody knows what is.
    func flush() throws(StorageError)
}

/// The right to use the directory, while it is held.
public protocol DiskLock: AnyObject, Sendable {}
