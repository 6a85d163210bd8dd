// A history of transactions for the tests of recovery: what was appended, what was acknowledged, and what must come back.

import Model
import TestKit
import Testing

@testable import Storage

/// Small segments, so that a short history has many of them.
func smallOptions(segmentBytes: Int = 1024) -> StorageOptions {
    var options = StorageOptions()
    options.segmentBytes = segmentBytes
    options.reserveBytes = 0
    options.spareSegments = 1
    return options
}

struct History {
    var transactions: [Transaction] = []
    /// How many of them a flush has acknowledged.
    var acknowledged = 0
    var draw: Draw

    init(seed: UInt64) { draw = Draw(seed: seed) }

    var nextRevision: UInt64 { (transactions.last?.lastRevision ?? 0) + 1 }

    /// Appends a transaction of a few hundred bytes, or of `bytes` and more.
    mutating func append(to journal: Journal, bytes: Int = 0) throws(StorageError) {
        var transaction = draw.transaction(firstRevision: nextRevision, mostFacts: 2)
        if bytes > 0 {
            let message = String(repeating: "m", count: bytes)
            transaction.facts.append(.jobEnded(number: JobNumber(1), end: .failed, cause: .caller, message: message))
        }
        try journal.append(transaction)
        transactions.append(transaction)
    }

    mutating func flush(_ journal: Journal) throws(StorageError) {
        try journal.flush()
        acknowledged = transactions.count
    }

    /// Appends and flushes one by one.
    mutating func write(_ count: Int, to journal: Journal) throws(StorageError) {
        for _ in 0..<count {
            try append(to: journal)
            try flush(journal)
        }
    }

    /// A state after the first `count` transactions, good enough to be recognized.
    func image(after count: Int) -> StateImage {
        var image = StateImage()
        guard count > 0 else { return image }
        image.revision = transactions[count - 1].lastRevision
        image.digest = transactions[count - 1].stateDigest
        image.at = transactions[count - 1].at
        for number in 0..<count {
            let life = JobLife(
                state: .queued, revision: 1, submittedAt: image.at, queuedAt: image.at, queuedAtPlacement: 0)
            let spec = JobSpec(id: "job-\(number)", workers: [])
            image.jobs.append(Job(number: JobNumber(UInt64(number + 1)), spec: spec, life: life))
        }
        return image
    }

    /// Starts from `disk` and checks that all acknowledged transactions come back, in order, and nothing that was never
    /// appended. What is recovered becomes the history.
    @discardableResult
    mutating func recover(
        _ disk: any Disk, _ options: StorageOptions, _ note: String = "",
        at location: SourceLocation = #_sourceLocation
    ) throws(StorageError) -> Store {
        let recovery = try Store.open(disk, options)
        let image = recovery.image
        let base = image.revision == 0 ? 0 : 1 + (transactions.firstIndex { $0.lastRevision == image.revision } ?? -1)
        #expect(
            image.revision == 0 || base > 0, "the snapshot ends with a transaction \(note)", sourceLocation: location)
        #expect(summary(image) == summary(self.image(after: base)), "\(note)", sourceLocation: location)
        var replayed: [Transaction] = []
        let store = try recovery.replay {
            replayed.append($0)
            return nil
        }
        let all = transactions.prefix(base) + replayed
        #expect(all.count >= acknowledged, "acknowledged transactions are there \(note)", sourceLocation: location)
        #expect(all.elementsEqual(transactions.prefix(all.count)), "\(note)", sourceLocation: location)
        #expect(store.journal.nextRevision == (all.last?.lastRevision ?? 0) + 1, "\(note)", sourceLocation: location)
        transactions = Array(all)
        acknowledged = all.count
        return store
    }
}

/// Numbers that tell two images apart, in less time than `describe`.
private func summary(_ image: StateImage) -> [UInt64] {
    [image.revision, image.digest, UInt64(bitPattern: image.at.nanoseconds)] + image.jobs.map(\.digest)
}

/// The names of the journal's segments, in order.
func segments(_ disk: any Disk) throws -> [String] {
    FileName.segments(in: try disk.list()).map(FileName.segment)
}

/// What `body` throws as a storage error.
func storageError(_ body: () throws(StorageError) -> Void) -> StorageError? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}
