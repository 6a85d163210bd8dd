// The journal's segments: rolling over, retiring, recycling, a full disk, a failed flush.

import Model
import Storage
import TestKit
import Testing

@Suite("The journal")
struct JournalTests {
    @Test("many appends cost one write and one flush")
    func groupCommit() throws {
        let disk = FaultyDisk()
        var history = History(seed: 1)
        let store = try history.recover(disk, smallOptions(segmentBytes: 1 << 20))
        let operations = disk.operations
        for _ in 0..<100 { try history.append(to: store.journal) }
        #expect(disk.operations == operations, "appending makes no system call")
        let report = try store.journal.flush()
        #expect(report.writes == 1 && report.diskFlushes == 1 && report.records == 100)
        #expect(disk.operations == operations + 2)
        #expect(store.journal.durableRevision == history.nextRevision - 1)
        #expect(store.journal.counters.records == 100)
        #expect(store.journal.counters.bytesAppended == report.bytes)
        #expect(try store.journal.flush().writes == 0, "nothing to flush")
    }

    @Test("records of all sizes roll over segments and come back", arguments: 0..<10)
    func rollOver(seed: UInt64) throws {
        let disk = FaultyDisk()
        let options = smallOptions()
        var history = History(seed: seed)
        for _ in 0..<4 {
            let store = try history.recover(disk, options, "seed \(seed)")
            for _ in 0..<20 {
                for _ in 0..<history.draw.below(6) {
                    try history.append(to: store.journal, bytes: history.draw.chance(8) ? history.draw.below(5000) : 0)
                }
                try history.flush(store.journal)
            }
        }
        #expect(try segments(disk).count > 5)
        let inspection = try Store.verify(disk)
        #expect(inspection.isSound && inspection.tornTail == nil, "\(inspection.problems)")
        #expect(inspection.records == history.transactions.count)
        var dumped: [Transaction] = []
        try Store.forEachTransaction(disk) {
            dumped.append($0)
            return true
        }
        #expect(dumped == history.transactions)
    }

    @Test("the first record may be larger than a segment")
    func largeFirstRecord() throws {
        let disk = FaultyDisk()
        var history = History(seed: 1)
        do {
            let store = try history.recover(disk, smallOptions())
            try history.append(to: store.journal, bytes: 100_000)
            try history.flush(store.journal)
            try history.write(3, to: store.journal)
        }
        try history.recover(disk.afterPowerCut(.losesAll), smallOptions())
        #expect(history.transactions.count == 4)
    }

    @Test("a record over the limit is refused and leaves the batch as it was")
    func recordTooLarge() throws {
        let disk = FaultyDisk()
        var options = smallOptions()
        options.recordBytes = 4096
        var history = History(seed: 1)
        do {
            let store = try history.recover(disk, options)
            try history.append(to: store.journal)
            let error = storageError { () throws(StorageError) in
                try history.append(to: store.journal, bytes: 5000)
            }
            guard case .recordTooLarge(_, limit: 4096)? = error else { throw error ?? .failed(reason: "accepted") }
            try history.append(to: store.journal)
            try history.flush(store.journal)
        }
        try history.recover(disk.afterPowerCut(.losesAll), options)
        #expect(history.transactions.count == 2)
    }

    @Test("a missing segment in the middle refuses to start", arguments: 1..<4)
    func missingSegment(index: Int) throws {
        let disk = FaultyDisk()
        var history = History(seed: 5)
        do {
            let store = try history.recover(disk, smallOptions())
            try history.write(30, to: store.journal)
        }
        let names = try segments(disk)
        try #require(names.count > 5)
        disk.delete(names[index])
        let error = storageError { () throws(StorageError) in try history.recover(disk, smallOptions()) }
        guard case .damaged(let file, let offset, _)? = error else { throw error ?? .failed(reason: "started") }
        #expect(file == disk.path(of: names[index - 1]) && offset > 64)
        #expect(try Store.verify(disk).problems.count == 1)
    }

    @Test("a missing first segment and a flipped bit in an earlier segment refuse to start")
    func damagedEarlierSegments() throws {
        let disk = FaultyDisk()
        var history = History(seed: 5)
        do {
            let store = try history.recover(disk, smallOptions())
            try history.write(30, to: store.journal)
        }
        let names = try segments(disk)
        let flipped = disk.afterPowerCut(.losesAll)
        // The last record of a segment, which in the last segment would be a torn tail.
        flipped.edit(names[1]) { bytes in
            let last = bytes.lastIndex { $0 != 0 }
            if let last { bytes[last] ^= 1 }
        }
        var copy = history
        let error = storageError { () throws(StorageError) in try copy.recover(flipped, smallOptions()) }
        guard case .damaged(flipped.path(of: names[1]), _, _)? = error else {
            throw error ?? .failed(reason: "started")
        }
        disk.delete(names[0])
        let missing = storageError { () throws(StorageError) in try history.recover(disk, smallOptions()) }
        guard case .damaged(disk.path(of: names[1]), 0, _)? = missing else {
            throw missing ?? .failed(reason: "started")
        }
    }

    @Test("a failed flush stops the journal for good", arguments: [true, false])
    func failureIsFinal(isFlush: Bool) throws {
        let disk = FaultyDisk()
        var history = History(seed: 2)
        do {
            let store = try history.recover(disk, smallOptions(segmentBytes: 1 << 20))
            try history.write(3, to: store.journal)
            if isFlush { disk.failFlush(1) } else { disk.failWrite(1) }
            try history.append(to: store.journal)
            for _ in 0..<3 {
                let operations = disk.operations
                let error = storageError { () throws(StorageError) in try store.journal.flush() }
                guard case .failed? = error else { throw error ?? .failed(reason: "flushed") }
                #expect(disk.operations - operations <= 2)
            }
            let operations = disk.operations
            let transaction = history.draw.transaction(firstRevision: store.journal.nextRevision)
            #expect(storageError { () throws(StorageError) in try store.journal.append(transaction) } != nil)
            #expect(storageError { () throws(StorageError) in try store.journal.ensureRoom(forBytes: 1) } != nil)
            #expect(disk.operations == operations, "nothing is tried again")
        }
        for cut in [PowerCut.losesAll, .losesNothing, .tears(seed: 4)] {
            var copy = history
            try copy.recover(disk.afterPowerCut(cut), smallOptions(segmentBytes: 1 << 20), "\(cut)")
        }
    }

    @Test("a full disk refuses before the decision and heals when space returns")
    func fullDiskHeals() throws {
        let disk = FaultyDisk(capacity: 48 << 10)
        var options = smallOptions()
        options.reserveBytes = 8192
        var history = History(seed: 9)
        do {
            let store = try history.recover(disk, options)
            var refused: StorageError?
            for _ in 0..<1000 {
                refused = storageError { () throws(StorageError) in try store.journal.ensureRoom(forBytes: 4096) }
                if refused != nil { break }
                try history.append(to: store.journal)
                try history.flush(store.journal)
            }
            guard case .diskFull? = refused else { throw refused ?? .failed(reason: "never full") }
            #expect(!store.journal.hasRoom(forBytes: 4096))
            #expect(disk.used <= 48 << 10 - options.reserveBytes, "the reserve is left")
            #expect(storageError { () throws(StorageError) in try store.journal.ensureRoom(forBytes: 4096) } == refused)
            try store.snapshots.write(history.image(after: history.acknowledged))
            disk.setCapacity(1 << 20)
            try store.journal.ensureRoom(forBytes: 4096)
            try history.write(10, to: store.journal)
        }
        try history.recover(disk.afterPowerCut(.losesAll), options)
    }

    @Test("space that runs out while a spare is written is given back")
    func spareWithoutSpace() throws {
        let disk = FaultyDisk(capacity: 1 << 20)
        var history = History(seed: 9)
        let store = try history.recover(disk, smallOptions(segmentBytes: 256 << 10))
        let used = disk.used
        disk.failWrite(1)
        #expect(storageError { () throws(StorageError) in try store.journal.spares.fill() } != nil)
        #expect(disk.used == used)
        try store.journal.spares.fill()
        #expect(store.journal.spares.count == 1)
    }

    @Test("without flushing a power cut loses what was written, and with it nothing")
    func flushingMatters() throws {
        for flushing in [true, false] {
            let disk = FaultyDisk()
            var options = smallOptions(segmentBytes: 1 << 20)
            var history = History(seed: 8)
            do { try history.recover(disk, options) }
            options.flushing = flushing
            do {
                let store = try history.recover(disk, options)
                try history.write(5, to: store.journal)
            }
            if !flushing { history.acknowledged = 0 }
            try history.recover(disk.afterPowerCut(.losesAll), options)
            #expect(history.transactions.count == (flushing ? 5 : 0))
        }
    }

    @Test("recycled segments never bring back their old records", arguments: 0..<10)
    func recyclingNeverResurrects(seed: UInt64) throws {
        let disk = FaultyDisk()
        let options = smallOptions()
        var history = History(seed: seed)
        var recycled = 0
        for _ in 0..<6 {
            let store = try history.recover(disk, options, "seed \(seed)")
            #expect(store.report.cut == nil, "old records are no torn tail")
            for _ in 0..<4 {
                try history.write(3, to: store.journal)
                let saved = try store.snapshots.write(history.image(after: history.acknowledged))
                let spares = store.journal.spares.count
                try store.journal.retire(through: saved.retiresThrough).dispose()
                recycled += store.journal.spares.count - spares
            }
            try history.write(1, to: store.journal)
        }
        #expect(recycled > 3)
        #expect(try Store.verify(disk).isSound)
    }

    @Test("the clock of the options times flushes")
    func flushesAreTimed() throws {
        let disk = FaultyDisk()
        var options = smallOptions()
        let clock = CountingClock()
        options.clock = { clock.tick() }
        var history = History(seed: 1)
        let store = try history.recover(disk, options)
        try history.write(2, to: store.journal)
        #expect(store.journal.counters.flushNanoseconds == 20)
        #expect(store.journal.counters.longestFlushNanoseconds == 10)
    }
}
