// A disk in memory that fails on command: it loses what was not flushed, tears writes, fills up, and flips bits.
// It knows what a power cut may do to files and names, and nothing of what is in them.

public import Storage
internal import Synchronization

/// What a power cut leaves of what was written and not flushed.
public enum PowerCut: Hashable, Sendable {
    /// Nothing: only flushed bytes and synced names survive.
    case losesAll
    /// Everything: the disk had written all of it before it was asked to.
    case losesNothing
    /// By the seed: any sectors of 512 bytes of any writes, the last one cut at any byte, and names up to any change.
    case tears(seed: UInt64)
}

/// A directory in memory. What is durable is kept beside what a running process sees.
public final class FaultyDisk: Disk {
    private let state: Mutex<State>

    public init(capacity: Int = .max) { state = Mutex(State(capacity: capacity)) }

    private init(_ state: sending State) { self.state = Mutex(state) }

    fileprivate struct Inode {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        /// Writes since the last flush.
        var unflushed: [(offset: Int, bytes: [UInt8])] = []
    }

    fileprivate enum NameChange {
        case link(String, Int)
        case rename(String, String)
        case remove(String)
    }

    fileprivate struct State {
        var inodes: [Int: Inode] = [:]
        var nextInode = 0
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var changes: [NameChange] = []
        var capacity: Int
        var isLocked = false
        var operations = 0
        var writes = 0
        var flushes = 0
        /// The operation from which on everything fails, as after a power cut.
        var cutAfter = Int.max
        var failingFlush = Int.max
        var failingWrite = Int.max

        var used: Int { names.values.reduce(0) { $0 + (inodes[$1]?.bytes.count ?? 0) } }

        /// Counts an operation that changes the disk, and fails when the power is gone.
        mutating func step(_ operation: String) throws(StorageError) {
            if operations >= cutAfter { throw .system(operation: operation, path: "(power is off)", errno: 5) }
            operations += 1
        }
    }

    // MARK: Faults

    /// Lets `count` more operations that change the disk happen and none after them.
    public func cutPower(afterOperations count: Int) { state.withLock { $0.cutAfter = $0.operations + count } }

    /// Lets the flush with this number, counted from 1 from now on, fail.
    public func failFlush(_ number: Int) { state.withLock { $0.failingFlush = $0.flushes + number } }

    /// Lets the write with this number, counted from 1 from now on, write half of its bytes and fail.
    public func failWrite(_ number: Int) { state.withLock { $0.failingWrite = $0.writes + number } }

    public func setCapacity(_ bytes: Int) { state.withLock { $0.capacity = bytes } }

    /// Changes one bit on the disk itself.
    public func flipBit(_ bit: Int, in name: String) {
        edit(name) { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
    }

    /// Changes the bytes of a file on the disk itself.
    public func edit(_ name: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let inode = state.names[name] else { return }
            body(&state.inodes[inode, default: Inode()].bytes)
            body(&state.inodes[inode, default: Inode()].durable)
        }
    }

    public func delete(_ name: String) {
        state.withLock { state in
            state.names[name] = nil
            state.durableNames[name] = nil
        }
    }

    public func contents(of name: String) -> [UInt8] {
        state.withLock { state in state.names[name].flatMap { state.inodes[$0]?.bytes } ?? [] }
    }

    /// Operations that changed the disk so far.
    public var operations: Int { state.withLock { $0.operations } }
    public var writes: Int { state.withLock { $0.writes } }
    public var flushes: Int { state.withLock { $0.flushes } }
    public var used: Int { state.withLock { $0.used } }

    /// A disk as a machine finds it that starts again after the power went off now. This one stays as it is.
    public func afterPowerCut(_ cut: PowerCut) -> FaultyDisk {
        let next = state.withLock { state in
            var next = State(capacity: state.capacity)
            next.nextInode = state.nextInode
            var generator: FaultSequence
            switch cut {
            case .losesAll, .losesNothing: generator = FaultSequence(seed: 0)
            case .tears(let seed): generator = FaultSequence(seed: seed)
            }
            next.names = state.namesAfter(cut, &generator)
            next.durableNames = next.names
            for inode in Set(next.names.values).sorted() {
                let bytes = (state.inodes[inode] ?? Inode()).bytesAfter(cut, &generator)
                next.inodes[inode] = Inode(bytes: bytes, durable: bytes)
            }
            return next
        }
        return FaultyDisk(next)
    }

    /// This disk as the next process finds it after this one was killed: nothing is lost yet, nothing more is durable.
    public func afterKill() -> FaultyDisk {
        let next = state.withLock { state in
            var next = State(capacity: state.capacity)
            next.inodes = state.inodes
            next.nextInode = state.nextInode
            next.names = state.names
            next.durableNames = state.durableNames
            next.changes = state.changes
            return next
        }
        return FaultyDisk(next)
    }

    // MARK: Disk

    public func path(of name: String) -> String { "/faulty/" + name }

    public func list() throws(StorageError) -> [String] { state.withLock { Array($0.names.keys) } }

    public func open(_ name: String, _ access: DiskAccess) throws(StorageError) -> any DiskFile {
        let inode = try state.withLock { state throws(StorageError) -> Int in
            if access == .create {
                try state.step("open")
                state.nextInode += 1
                state.inodes[state.nextInode] = Inode()
                state.names[name] = state.nextInode
                state.changes.append(.link(name, state.nextInode))
            }
            guard let inode = state.names[name] else {
                throw .system(operation: "open", path: path(of: name), errno: 2)
            }
            return inode
        }
        return FaultyFile(self, inode, path(of: name))
    }

    public func rename(_ name: String, to newName: String) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try state.step("rename")
            guard let inode = state.names.removeValue(forKey: name) else {
                throw .system(operation: "rename", path: path(of: name), errno: 2)
            }
            state.names[newName] = inode
            state.changes.append(.rename(name, newName))
        }
    }

    public func remove(_ name: String) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try state.step("unlink")
            guard state.names.removeValue(forKey: name) != nil else {
                throw .system(operation: "unlink", path: path(of: name), errno: 2)
            }
            state.changes.append(.remove(name))
        }
    }

    public func syncNames() throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try state.step("fsync")
            state.durableNames = state.names
            state.changes = []
        }
    }

    public func freeBytes() throws(StorageError) -> Int { state.withLock { max(0, $0.capacity - $0.used) } }

    public func lock(_ name: String) throws(StorageError) -> any DiskLock {
        try state.withLock { state throws(StorageError) in
            if state.isLocked { throw .locked(path: path(of: name), pid: 4711) }
            state.isLocked = true
        }
        return FaultyLock { [weak self] in self?.state.withLock { $0.isLocked = false } }
    }

    // MARK: Files

    fileprivate func size(_ inode: Int) -> Int { state.withLock { $0.inodes[inode]?.bytes.count ?? 0 } }

    fileprivate func read(_ inode: Int, _ buffer: inout [UInt8], _ range: Range<Int>, _ offset: Int) -> Int {
        let bytes = state.withLock { $0.inodes[inode]?.bytes ?? [] }
        let count = max(0, min(range.count, bytes.count - offset))
        if count > 0 {
            buffer.replaceSubrange(range.lowerBound..<range.lowerBound + count, with: bytes[offset..<offset + count])
        }
        return count
    }

    fileprivate func write(_ inode: Int, _ path: String, _ bytes: [UInt8], _ offset: Int) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try state.step("pwrite")
            state.writes += 1
            let isFailing = state.writes == state.failingWrite
            let size = state.inodes[inode]?.bytes.count ?? 0
            let growth = max(0, offset + bytes.count - size)
            let missing = max(0, growth - max(0, state.capacity - state.used))
            let done = Array(bytes.prefix(isFailing ? bytes.count / 2 : bytes.count - missing))
            state.inodes[inode]?.bytes.put(done, at: offset)
            state.inodes[inode]?.unflushed.append((offset, done))
            if isFailing { throw .system(operation: "pwrite", path: path, errno: 5) }
            if missing > 0 { throw .diskFull(path: path) }
        }
    }

    fileprivate func flush(_ inode: Int, _ path: String) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try state.step("fdatasync")
            state.flushes += 1
            let writes = state.inodes[inode]?.unflushed ?? []
            state.inodes[inode]?.unflushed = []
            if state.flushes == state.failingFlush {
                // As Linux does it: the pages count as clean from now on, readers see them, and they are not on disk.
                throw .system(operation: "fdatasync", path: path, errno: 5)
            }
            for write in writes { state.inodes[inode]?.durable.put(write.bytes, at: write.offset) }
        }
    }
}

private final class FaultyFile: DiskFile {
    private let disk: FaultyDisk
    private let inode: Int
    private let path: String

    init(_ disk: FaultyDisk, _ inode: Int, _ path: String) {
        self.disk = disk
        self.inode = inode
        self.path = path
    }

    func size() throws(StorageError) -> Int { disk.size(inode) }

    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(StorageError) -> Int {
        disk.read(inode, &buffer, range, offset)
    }

    func write(_ bytes: Span<UInt8>, at offset: Int) throws(StorageError) {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        for index in bytes.indices { copy.append(bytes[index]) }
        try disk.write(inode, path, copy, offset)
    }

    func flush() throws(StorageError) { try disk.flush(inode, path) }
}

private final class FaultyLock: DiskLock {
    private let release: @Sendable () -> Void

    init(_ release: @escaping @Sendable () -> Void) { self.release = release }

    deinit { release() }
}

extension FaultyDisk.State {
    fileprivate func namesAfter(_ cut: PowerCut, _ generator: inout FaultSequence) -> [String: Int] {
        let count =
            switch cut {
            case .losesAll: 0
            case .losesNothing: changes.count
            // A file system with a journal of its own brings changes of names to disk in their order.
            case .tears: Int.random(in: 0...changes.count, using: &generator)
            }
        var result = durableNames
        for change in changes.prefix(count) {
            switch change {
            case .link(let name, let inode): result[name] = inode
            case .rename(let name, let newName): result[newName] = result.removeValue(forKey: name)
            case .remove(let name): result[name] = nil
            }
        }
        return result
    }
}

extension FaultyDisk.Inode {
    fileprivate func bytesAfter(_ cut: PowerCut, _ generator: inout FaultSequence) -> [UInt8] {
        switch cut {
        case .losesAll: return durable
        case .losesNothing: return bytes
        case .tears:
            var result = durable
            for (index, write) in unflushed.enumerated() {
                var kept = write.bytes
                if index == unflushed.count - 1 && Bool.random(using: &generator) {
                    kept.removeLast(Int.random(in: 0...kept.count, using: &generator))
                }
                let sector = 512
                var start = 0
                let keepsAll = Int.random(in: 0..<3, using: &generator) == 0
                while start < kept.count {
                    // Sectors are those of the disk, so the first piece of a write may be shorter.
                    let end = min(kept.count, (write.offset + start) / sector * sector + sector - write.offset)
                    if keepsAll || Bool.random(using: &generator) {
                        result.put(Array(kept[start..<end]), at: write.offset + start)
                    }
                    start = end
                }
            }
            return result
        }
    }
}

extension [UInt8] {
    fileprivate mutating func put(_ bytes: [UInt8], at offset: Int) {
        if bytes.isEmpty { return }
        if count < offset + bytes.count { append(contentsOf: repeatElement(0, count: offset + bytes.count - count)) }
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

/// Which faults happen, by a seed. Source: SplitMix64, Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014.
private struct FaultSequence: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
