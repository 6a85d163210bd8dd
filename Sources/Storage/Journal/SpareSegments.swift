// Files that wait to become journal segments: fresh ones filled with zeros, and retired ones with their old records.
// It must not know what is in a segment. Filling and recycling take long and run away from the writer.

internal import Synchronization

/// A file that waits to become a segment.
struct SpareSegment: Hashable {
    var name: String
    var bytes: Int
}

/// The spare segments of a journal. Safe to use from any thread.
public final class SpareSegments: Sendable {
    private struct State {
        var spares: [SpareSegment]
        var nextNumber: UInt64
    }

    private let disk: any Disk
    private let options: StorageOptions
    /// Held while a spare is made, so that a writer in need waits for it instead of making a second one.
    private let state: Mutex<State>
    private let counted: Atomic<Int>

    init(_ disk: any Disk, _ options: StorageOptions, names: [String]) throws(StorageError) {
        self.disk = disk
        self.options = options
        let numbers = FileName.spares(in: names)
        var spares: [SpareSegment] = []
        for number in numbers {
            let name = FileName.spare(number)
            spares.append(SpareSegment(name: name, bytes: try disk.open(name, .read).size()))
        }
        counted = Atomic(spares.count)
        state = Mutex(State(spares: spares, nextNumber: (numbers.last ?? 0) + 1))
    }

    /// How many there are. Costs no lock.
    public var count: Int { counted.load(ordering: .relaxed) }

    /// Makes a spare if there is none. Throws `.diskFull` when there is no space for one beside the reserve.
    public func fill() throws(StorageError) { try fill(atLeast: options.segmentBytes) }

    /// Makes a spare of at least `bytes` if there is none of that size.
    func fill(atLeast bytes: Int) throws(StorageError) {
        let size = max(bytes, options.segmentBytes)
        try state.withLock { state throws(StorageError) in
            if state.spares.contains(where: { $0.bytes >= bytes }) { return }
            let path = disk.path(of: FileName.temporarySpare)
            guard try disk.freeBytes() >= size + options.reserveBytes else { throw .diskFull(path: path) }
            do throws(StorageError) {
                try writeZeros(size)
                let name = FileName.spare(state.nextNumber)
                try disk.rename(FileName.temporarySpare, to: name)
                state.nextNumber += 1
                state.spares.append(SpareSegment(name: name, bytes: size))
                counted.store(state.spares.count, ordering: .relaxed)
            } catch {
                // Gives the space back; the next attempt writes over what could not be removed.
                try? disk.remove(FileName.temporarySpare)
                throw error
            }
        }
    }

    /// Zeros are written and not only allocated: a flush over blocks that were never written must also note that they
    /// are now, which makes it half as fast.
    private func writeZeros(_ bytes: Int) throws(StorageError) {
        let file = try disk.open(FileName.temporarySpare, .create)
        let chunk = [UInt8](repeating: 0, count: min(bytes, 1 << 20))
        var offset = 0
        while offset < bytes {
            try file.write(chunk.span.extracting(0..<min(chunk.count, bytes - offset)), at: offset)
            offset += chunk.count
            // In small steps, so that the writer's own flushes do not wait behind a large one.
            if offset % (4 << 20) == 0 && offset < bytes { try file.flush() }
        }
        try file.flush()
    }

    func take(atLeast bytes: Int) -> SpareSegment? {
        state.withLock { state in
            guard let index = state.spares.firstIndex(where: { $0.bytes >= bytes }) else { return nil }
            let spare = state.spares.remove(at: index)
            counted.store(state.spares.count, ordering: .relaxed)
            return spare
        }
    }

    func hasOne(atLeast bytes: Int) -> Bool {
        if count == 0 { return false }
        return state.withLock { state in state.spares.contains { $0.bytes >= bytes } }
    }

    /// Turns retired segments into spares, or deletes those that are too many or not of the usual size. Holds the lock
    /// only to count, so that a writer in need of a spare does not wait for deletions.
    func recycle(_ names: [String]) throws(StorageError) {
        var (room, number) = state.withLock { state in
            let room = max(0, options.spareSegments - state.spares.count)
            defer { state.nextNumber += UInt64(room) }
            return (room, state.nextNumber)
        }
        var kept: [SpareSegment] = []
        // Oldest first, so that the segments left after a crash are still a row without a gap.
        for name in names {
            let bytes = try disk.open(name, .read).size()
            guard bytes == options.segmentBytes, room > 0 else {
                try disk.remove(name)
                continue
            }
            let spare = SpareSegment(name: FileName.spare(number), bytes: bytes)
            try disk.rename(name, to: spare.name)
            number += 1
            room -= 1
            kept.append(spare)
        }
        // Before a spare gets a new head, the power must not be able to bring its old name back.
        try disk.syncNames()
        state.withLock { state in
            state.spares += kept
            counted.store(state.spares.count, ordering: .relaxed)
        }
    }
}

/// Segments that the journal no longer needs. Dispose of them away from the writer.
public struct RetiredSegments: Sendable {
    let names: [String]
    let spares: SpareSegments

    public var count: Int { names.count }

    /// Recycles or deletes the files. After an error the rest stays until the next start retires it again.
    public func dispose() throws(StorageError) {
        if !names.isEmpty { try spares.recycle(names) }
    }
}
