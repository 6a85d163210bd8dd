// Snapshots: what comes back, what happens to bad ones, and which journal they make needless.

import Model
import TestKit
import Testing

@testable import Storage

@Suite("Snapshots")
struct SnapshotTests {
    @Test("every image comes back as it was written", arguments: 0..<20)
    func imagesComeBack(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        let disk = FaultyDisk()
        let image = draw.image(jobs: seed == 0 ? 0 : seed == 1 ? 3000 : draw.below(200))
        let writer = SnapshotWriter(disk, smallOptions(), latest: nil)
        let saved = try writer.write(image)
        #expect(disk.contents(of: saved.name).count == saved.bytes)
        let back = try SnapshotReader.load(disk, revision: image.revision)
        #expect(describe(back).utf8.elementsEqual(describe(image).utf8), "seed \(seed)")
    }

    @Test("a snapshot that was reported as saved survives a power cut at once")
    func savedIsSafe() throws {
        var draw = Draw(seed: 5)
        let disk = FaultyDisk()
        let image = draw.image(jobs: 10)
        try SnapshotWriter(disk, smallOptions(), latest: nil).write(image)
        let back = try SnapshotReader.load(disk.afterPowerCut(.losesAll), revision: image.revision)
        #expect(describe(back) == describe(image))
    }

    @Test("a flipped bit or a missing byte anywhere makes a snapshot bad")
    func everyByteCounts() throws {
        var draw = Draw(seed: 3)
        let disk = FaultyDisk()
        let image = draw.image(jobs: 5)
        let saved = try SnapshotWriter(disk, smallOptions(), latest: nil).write(image)
        for bit in stride(from: 0, to: saved.bytes * 8, by: 7) {
            let bad = disk.afterPowerCut(.losesAll)
            bad.flipBit(bit, in: saved.name)
            #expect(throws: StorageError.self) { try SnapshotReader.load(bad, revision: image.revision) }
        }
        for count in stride(from: 0, to: saved.bytes, by: 13) {
            let bad = disk.afterPowerCut(.losesAll)
            bad.edit(saved.name) { $0.removeLast($0.count - count) }
            #expect(throws: StorageError.self) { try SnapshotReader.load(bad, revision: image.revision) }
        }
    }

    /// A disk with snapshots after 10 and 20 transactions, 25 in all, and what they retired disposed of.
    private func withTwoSnapshots() throws -> (FaultyDisk, History, [String]) {
        let disk = FaultyDisk()
        var history = History(seed: 6)
        let store = try history.recover(disk, smallOptions())
        var names: [String] = []
        for _ in 0..<2 {
            try history.write(10, to: store.journal)
            let saved = try store.snapshots.write(history.image(after: history.acknowledged))
            names.append(saved.name)
            #expect(saved.retiresThrough == (names.count == 2 ? history.transactions[9].lastRevision : 0))
            try store.journal.retire(through: saved.retiresThrough).dispose()
        }
        try history.write(5, to: store.journal)
        return (disk.afterPowerCut(.losesAll), history, names)
    }

    @Test("a start uses the newest snapshot and only the journal after it")
    func newestIsUsed() throws {
        var (disk, history, names) = try withTwoSnapshots()
        let store = try history.recover(disk, smallOptions())
        #expect(store.report.snapshot == disk.path(of: names[1]))
        #expect(store.report.transactions == 5)
        #expect(history.transactions.count == 25)
        #expect(store.snapshots.latest?.revision == history.transactions[19].lastRevision)
    }

    @Test("a bad newest snapshot is set aside and the older one is used with more journal")
    func badNewest() throws {
        var (disk, history, names) = try withTwoSnapshots()
        disk.flipBit(900, in: names[1])
        #expect(try Store.verify(disk).problems.count == 1)
        do {
            let store = try history.recover(disk, smallOptions())
            #expect(store.report.snapshot == disk.path(of: names[0]))
            #expect(store.report.transactions == 15)
            #expect(store.report.setAside.map(\.file) == [disk.path(of: names[1])])
            #expect(try disk.list().contains(names[1] + ".bad"))
            #expect(store.snapshots.latest?.retiresThrough == 0, "the one that is left has nothing to fall back on")
            try history.write(1, to: store.journal)
        }
        #expect(try history.recover(disk, smallOptions()).report.setAside.isEmpty)
        #expect(history.transactions.count == 26)
    }

    @Test("when all snapshots are bad and the journal is no longer whole, a start is refused")
    func allBad() throws {
        var (disk, history, names) = try withTwoSnapshots()
        for name in names { disk.flipBit(100, in: name) }
        let error = storageError { () throws(StorageError) in try history.recover(disk, smallOptions()) }
        guard case .damaged(_, 0, _)? = error else { throw error ?? .failed(reason: "started") }
    }

    @Test("a snapshot of a newer format is not set aside")
    func newerFormat() throws {
        var (disk, history, names) = try withTwoSnapshots()
        disk.edit(names[1]) { bytes in
            bytes[8] = UInt8(SnapshotHead.version + 1)
            var writer = ByteWriter()
            writer.fixed(XXHash64.hash(bytes.span.extracting(0..<56)))
            bytes.replaceSubrange(56..<64, with: writer.bytes)
        }
        let error = storageError { () throws(StorageError) in try history.recover(disk, smallOptions()) }
        #expect(error == .unsupportedVersion(file: disk.path(of: names[1]), version: SnapshotHead.version + 1))
        #expect(try disk.list().contains(names[1]))
    }

    @Test("a journal that is gone, or ends before the snapshot, refuses to start")
    func journalBehindSnapshot() throws {
        let (disk, history, _) = try withTwoSnapshots()
        let names = try segments(disk)
        let shortened = disk.afterPowerCut(.losesAll)
        let snapshot = history.transactions[19].lastRevision
        for name in names where name > FileName.segment(snapshot) { shortened.delete(name) }
        shortened.edit(FileName.segment(FileName.segments(in: try shortened.list()).last ?? 0)) { bytes in
            for index in 64..<bytes.count { bytes[index] = 0 }
        }
        var copy = history
        let behind = storageError { () throws(StorageError) in try copy.recover(shortened, smallOptions()) }
        guard case .damaged? = behind else { throw behind ?? .failed(reason: "started") }
        for name in names { disk.delete(name) }
        copy = history
        let gone = storageError { () throws(StorageError) in try copy.recover(disk, smallOptions()) }
        guard case .damaged? = gone else { throw gone ?? .failed(reason: "started") }
    }

    @Test("only two snapshots and the journal after the older one are kept")
    func oldOnesGo() throws {
        let disk = FaultyDisk()
        var history = History(seed: 7)
        let store = try history.recover(disk, smallOptions())
        for _ in 0..<6 {
            try history.write(10, to: store.journal)
            let saved = try store.snapshots.write(history.image(after: history.acknowledged))
            try store.journal.retire(through: saved.retiresThrough).dispose()
        }
        let names = try disk.list()
        #expect(FileName.snapshots(in: names).count == 2)
        let older = FileName.snapshots(in: names)[0]
        let first = FileName.segments(in: names)
        #expect(first[0] <= older + 1 && first[1] > older + 1)
        #expect(store.journal.counters.segments == first.count)
        #expect(store.journal.counters.spareSegments <= 1)
    }

    @Test("a snapshot that finds no space leaves nothing behind and fails nothing else")
    func snapshotWithoutSpace() throws {
        let disk = FaultyDisk()
        var history = History(seed: 7)
        do {
            let store = try history.recover(disk, smallOptions())
            try history.write(10, to: store.journal)
            try store.journal.spares.fill()
            disk.setCapacity(disk.used + 200)
            let names = Set(try disk.list())
            let image = history.image(after: 10)
            let error = storageError { () throws(StorageError) in try store.snapshots.write(image) }
            guard case .diskFull? = error else { throw error ?? .failed(reason: "written") }
            #expect(Set(try disk.list()) == names)
            try history.write(1, to: store.journal)
        }
        try history.recover(disk, smallOptions())
    }
}
