// The power goes off after every single operation of a long scenario: what was acknowledged is always there.

import Model
import Storage
import Synchronization
import TestKit
import Testing

@Suite("Power cuts")
struct CrashTests {
    /// Writes, rolls over, snapshots, retires and recycles until `rounds` are done or the power goes off.
    private func run(_ disk: FaultyDisk, _ history: inout History, rounds: Int) {
        do throws(StorageError) {
            let store = try Store.open(disk, smallOptions()).replay { _ in nil }
            for round in 0..<rounds {
                try store.journal.ensureRoom(forBytes: 900)
                for _ in 0..<1 + round % 3 {
                    try history.append(to: store.journal, bytes: round % 5 == 4 ? 1500 : 0)
                }
                try history.flush(store.journal)
                if round % 3 == 2 {
                    let saved = try store.snapshots.write(history.image(after: history.acknowledged))
                    try store.journal.retire(through: saved.retiresThrough).dispose()
                }
                if round % 4 == 1 { try store.journal.spares.fill() }
            }
        } catch {}
    }

    @Test("after any operation of the disk, by any kind of power cut", arguments: [UInt64(1), 2])
    func everyPoint(seed: UInt64) throws {
        let rounds = 14
        var operations = 0
        do {
            let disk = FaultyDisk()
            var history = History(seed: seed)
            run(disk, &history, rounds: rounds)
            operations = disk.operations
            #expect(history.acknowledged > rounds)
        }
        #expect(operations > 100)
        for point in 0...operations {
            let disk = FaultyDisk()
            disk.cutPower(afterOperations: point)
            var history = History(seed: seed)
            run(disk, &history, rounds: rounds)
            do {
                // A killed process leaves what it wrote to the next one, and what that one serves stays.
                var copy = history
                let note = "seed \(seed), killed after operation \(point)"
                let killed = disk.afterKill()
                do {
                    let store = try copy.recover(killed, smallOptions(), note)
                    if point % 2 == 0 { try copy.write(2, to: store.journal) }
                }
                try copy.recover(killed.afterPowerCut(.losesAll), smallOptions(), note)
            }
            let cuts: [PowerCut] =
                [.losesAll, .losesNothing] + (0..<2).map { .tears(seed: UInt64(point) << 8 | $0) }
            for cut in cuts {
                let note = "seed \(seed), after operation \(point), \(cut)"
                var copy = history
                let restarted = disk.afterPowerCut(cut)
                do {
                    let store = try copy.recover(restarted, smallOptions(), note)
                    try copy.write(3, to: store.journal)
                    let saved = try store.snapshots.write(copy.image(after: copy.acknowledged))
                    try store.journal.retire(through: saved.retiresThrough).dispose()
                    try copy.write(2, to: store.journal)
                }
                let again = restarted.afterPowerCut(.losesAll)
                #expect(try Store.verify(again).problems == [], "\(note)")
                try copy.recover(again, smallOptions(), note)
            }
        }
    }

    @Test("after a failed flush and a new start, what was served stays")
    func afterAFailedFlush() throws {
        let disk = FaultyDisk()
        var history = History(seed: 4)
        do {
            let store = try history.recover(disk, smallOptions(segmentBytes: 1 << 16))
            try history.write(3, to: store.journal)
            for _ in 0..<3 { try history.append(to: store.journal) }
            disk.failFlush(1)
            #expect(storageError { () throws(StorageError) in try store.journal.flush() } != nil)
        }
        try history.recover(disk.afterPowerCut(.losesAll), smallOptions(segmentBytes: 1 << 16))
        #expect(history.transactions.count == 3, "the cut took the flush back")
        history = History(seed: 4)
        for _ in 0..<6 {
            history.transactions.append(history.draw.transaction(firstRevision: history.nextRevision, mostFacts: 2))
        }
        try history.recover(disk, smallOptions(segmentBytes: 1 << 16))
        #expect(history.acknowledged == 6, "the next process read it and served it")
        try history.recover(disk.afterPowerCut(.losesAll), smallOptions(segmentBytes: 1 << 16))
    }

    @Test("while a start cuts a torn tail")
    func duringTheCut() throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = FaultyDisk()
            var history = History(seed: seed)
            do {
                let store = try history.recover(disk, smallOptions())
                try history.write(4, to: store.journal)
                for _ in 0..<3 { try history.append(to: store.journal) }
                disk.failFlush(1)
                _ = storageError { () throws(StorageError) in try store.journal.flush() }
            }
            let torn = disk.afterPowerCut(.tears(seed: seed))
            for point in 0..<6 {
                let first = torn.afterPowerCut(.losesNothing)
                first.cutPower(afterOperations: point)
                var copy = history
                let error = storageError { () throws(StorageError) in try copy.recover(first, smallOptions()) }
                if case .damaged? = error { Issue.record("seed \(seed) point \(point): \(error!)") }
                copy = history
                try copy.recover(first.afterPowerCut(.tears(seed: seed)), smallOptions(), "seed \(seed) point \(point)")
            }
        }
    }
}

/// Moves on by 10 ns with each look.
final class CountingClock: Sendable {
    private let now = Atomic<UInt64>(0)

    func tick() -> UInt64 { now.add(10, ordering: .relaxed).newValue }
}
