// Where the journal ends: torn tails are cut and reported, damage before the end refuses to start.

import Model
import Storage
import TestKit
import Testing

@Suite("The journal's tail")
struct TailTests {
    private let options = smallOptions(segmentBytes: 16 << 10)

    /// A disk with `count` acknowledged transactions in one segment, and where each record begins.
    private func written(
        _ count: Int, seed: UInt64 = 1, bytes: Int = 0
    ) throws -> (disk: FaultyDisk, history: History, name: String, offsets: [Int]) {
        let disk = FaultyDisk()
        var history = History(seed: seed)
        let store = try history.recover(disk, options)
        var offsets = [64]
        for _ in 0..<count {
            try history.append(to: store.journal, bytes: bytes)
            offsets.append(offsets[offsets.count - 1] + (try store.journal.flush().bytes))
        }
        history.acknowledged = count
        #expect(store.journal.counters.segments == 1)
        return (disk.afterPowerCut(.losesAll), history, try segments(disk)[0], offsets)
    }

    @Test("a record torn at any byte is cut and reported, and all before it are there")
    func tornAtEveryByte() throws {
        let (disk, whole, name, offsets) = try written(6)
        let start = offsets[5]
        for kept in start..<offsets[6] {
            let torn = disk.afterPowerCut(.losesAll)
            torn.edit(name) { bytes in for index in kept..<bytes.count { bytes[index] = 0 } }
            let nonzero = torn.contents(of: name)[start...].lastIndex { $0 != 0 }
            var history = whole
            history.acknowledged = 5
            // A record that ends in zeros is whole without them.
            let isWhole = torn.contents(of: name) == disk.contents(of: name)
            let store = try history.recover(torn, options, "cut at \(kept)")
            #expect(history.transactions.count == (isWhole ? 6 : 5))
            let expected = isWhole || nonzero == nil ? nil : nonzero.map { $0 + 1 - start }
            #expect(store.report.cut?.bytes == expected)
            if expected != nil {
                #expect(store.report.cut?.offset == start)
                #expect(store.report.cut?.file == torn.path(of: name))
                #expect(torn.contents(of: name)[start...].allSatisfy { $0 == 0 })
            }
        }
    }

    @Test("zeros after the last record are a clean end")
    func zeroTailIsClean() throws {
        var (disk, history, _, _) = try written(3)
        #expect(try history.recover(disk, options).report.cut == nil)
        #expect(history.transactions.count == 3)
    }

    @Test("any flipped bit in the last record is a torn tail")
    func flippedBitInTheLastRecord() throws {
        let (disk, whole, name, offsets) = try written(4)
        for bit in stride(from: offsets[3] * 8, to: offsets[4] * 8, by: 3) {
            let flipped = disk.afterPowerCut(.losesAll)
            flipped.flipBit(bit, in: name)
            var history = whole
            history.acknowledged = 3
            let store = try history.recover(flipped, options, "bit \(bit)")
            #expect(history.transactions.count == 3)
            #expect(store.report.cut?.offset == offsets[3])
        }
    }

    @Test("any flipped bit before the last record refuses to start and names file and offset")
    func flippedBitInTheMiddle() throws {
        let (disk, whole, name, offsets) = try written(6)
        for bit in stride(from: 0, to: offsets[5] * 8, by: 5) {
            let flipped = disk.afterPowerCut(.losesAll)
            flipped.flipBit(bit, in: name)
            var history = whole
            let error = storageError { () throws(StorageError) in try history.recover(flipped, options) }
            guard case .damaged(let file, let offset, _)? = error else {
                Issue.record("bit \(bit): \(error.map { "\($0)" } ?? "started")")
                continue
            }
            #expect(file == flipped.path(of: name))
            let record = offsets.last { $0 <= bit / 8 }
            #expect(record == nil ? offset < 64 : offset == record, "bit \(bit)")
            #expect(error?.description.contains("at byte \(offset)") == true)
        }
    }

    @Test("a whole record lost in the middle refuses to start")
    func lostRecord() throws {
        let (disk, whole, name, offsets) = try written(6)
        for lost in 0..<5 {
            let zeroed = disk.afterPowerCut(.losesAll)
            zeroed.edit(name) { bytes in for index in offsets[lost]..<offsets[lost + 1] { bytes[index] = 0 } }
            var history = whole
            let error = storageError { () throws(StorageError) in try history.recover(zeroed, options) }
            guard case .damaged(_, let offset, _)? = error else {
                Issue.record("record \(lost)")
                continue
            }
            #expect(offset == offsets[lost])
        }
    }

    @Test("later records of a flush that lost its first ones are cut, for nobody acknowledged them")
    func laterPiecesOfOneFlush() throws {
        let disk = FaultyDisk()
        var history = History(seed: 3)
        let store = try history.recover(disk, options)
        try history.write(2, to: store.journal)
        let start = 64 + store.journal.counters.bytesAppended
        for _ in 0..<5 { try history.append(to: store.journal) }
        try store.journal.flush()
        let torn = disk.afterPowerCut(.losesAll)
        let name = try segments(torn)[0]
        torn.edit(name) { bytes in for index in start..<start + 48 { bytes[index] = 0 } }
        let restarted = try history.recover(torn, options)
        #expect(history.transactions.count == 2)
        #expect(restarted.report.cut?.offset == start)
        #expect(torn.contents(of: name)[start...].allSatisfy { $0 == 0 })
    }

    @Test("after a cut the journal goes on, and nothing of the tail ever comes back")
    func nothingComesBack() throws {
        for kept in [1, 8, 39, 40, 47, 100] {
            var (disk, history, name, offsets) = try written(3, bytes: 200)
            history.acknowledged = 2
            disk.edit(name) { bytes in for index in offsets[2] + kept..<bytes.count { bytes[index] = 0 } }
            do {
                let store = try history.recover(disk, options)
                try history.write(2, to: store.journal)
            }
            let again = disk.afterPowerCut(.losesAll)
            #expect(try history.recover(again, options).report.cut == nil)
            #expect(history.transactions.count == 4)
        }
    }

    /// Ten transactions of one fact each in two segments, with another message in each history.
    private func ended(_ message: String) throws -> FaultyDisk {
        let disk = FaultyDisk()
        let store = try Store.open(disk, smallOptions()).replay { _ in nil }
        for revision in 1...10 as ClosedRange<UInt64> {
            let fact = Fact.jobEnded(number: JobNumber(revision), end: .failed, cause: .caller, message: message)
            try store.journal.append(
                Transaction(
                    firstRevision: revision, at: Timestamp(nanoseconds: 0), facts: [fact], stateDigest: revision))
            try store.journal.flush()
        }
        return disk.afterPowerCut(.losesAll)
    }

    @Test("a whole record of another journal is no continuation", arguments: [true, false])
    func otherJournal(isWithinSegment: Bool) throws {
        let one = try ended(String(repeating: "a", count: 99))
        let other = try ended(String(repeating: "b", count: 99))
        let names = try segments(one)
        try #require(names.count == 2 && names == (try segments(other)))
        let recordBytes = 40 + 16 + 2 + 1 + 1 + 1 + 99
        if isWithinSegment {
            one.edit(names[0]) { bytes in
                bytes.replaceSubrange((64 + recordBytes)..., with: other.contents(of: names[0])[(64 + recordBytes)...])
            }
            one.delete(names[1])
        } else {
            one.edit(names[1]) { $0 = other.contents(of: names[1]) }
        }
        let error = storageError { () throws(StorageError) in
            _ = try Store.open(one, smallOptions()).replay { _ in nil }
        }
        guard case .damaged(one.path(of: names[0]), let offset, _)? = error else {
            throw error ?? .failed(reason: "started")
        }
        #expect(isWithinSegment ? offset == 64 + recordBytes : offset > 64 + recordBytes)
    }

    @Test("a transaction that the caller cannot apply refuses to start with its file and offset")
    func refusedTransaction() throws {
        let (disk, _, name, offsets) = try written(3)
        var count = 0
        let error = storageError { () throws(StorageError) in
            _ = try Store.open(disk, options).replay { _ in
                count += 1
                return count == 2 ? "the digest differs" : nil
            }
        }
        #expect(error == .damaged(file: disk.path(of: name), offset: offsets[1], reason: "the digest differs"))
    }
}
