// The journal alone, on a real directory: how many transactions of a submit reach the disk in a second, by how many share
// a flush. No engine decides while it is measured, no socket is open.

import Engine
import Model
import Storage

/// Size of a run.
public struct JournalBench: Sendable {
    /// Records in one flush, as that many writers waiting for their answers make it.
    public var writers = [1, 16, 256]
    /// Flushes in a round, for each of `writers`.
    public var flushes: Int
    public var rounds: Int
    /// Where the data goes; the system's folder for temporary files without one.
    public var folder: String?

    public static let full = JournalBench(flushes: 200, rounds: 5)
    public static let smoke = JournalBench(flushes: 5, rounds: 2)

    public init(flushes: Int, rounds: Int, folder: String? = nil) {
        self.flushes = flushes
        self.rounds = rounds
        self.folder = folder
    }

    public func run() throws -> Report {
        let templates = try Self.transactions(writers.max() ?? 1)
        let data = try BenchFolder(in: folder)
        var options = StorageOptions()
        options.segmentBytes = 64 << 20
        options.clock = { nanosecondsNow() }
        let store = try Store.open(directory: data.path, options).replay { _ in nil }
        let journal = store.journal
        var records = Array(repeating: Rounds(), count: writers.count)
        var rates = Array(repeating: Rounds(), count: writers.count)
        var encoding = Rounds()
        for _ in 0..<rounds {
            for (index, count) in writers.enumerated() {
                let before = journal.counters
                let begin = nanosecondsNow()
                var encodingTime: UInt64 = 0
                for _ in 0..<flushes {
                    let start = threadNanosecondsNow()
                    for template in templates.prefix(count) {
                        var transaction = template
                        transaction.firstRevision = journal.nextRevision
                        try journal.append(transaction)
                    }
                    encodingTime += threadNanosecondsNow() - start
                    try journal.flush()
                    if journal.wantsSpare { try journal.spares.fill() }
                }
                let seconds = Double(nanosecondsNow() - begin) / 1e9
                let after = journal.counters
                records[index].add(Double(after.records - before.records) / seconds)
                rates[index].add(Double(after.flushes - before.flushes) / seconds)
                if index == writers.count - 1 { encoding.add(Double(encodingTime) / Double(count * flushes)) }
            }
        }
        let counters = journal.counters
        var figures = [Figure("records", Double(counters.records), "records")]
        for (index, count) in writers.enumerated() {
            let of = "At\(count)Writer\(count == 1 ? "" : "s")"
            figures += records[index].figures("recordsPerSecond" + of, "1/s")
            figures += rates[index].figures("flushesPerSecond" + of, "1/s")
        }
        figures.append(Figure("bytesPerRecord", Double(counters.bytesAppended) / Double(max(1, counters.records)), "B"))
        figures += encoding.figures("appendOfOneRecord", "ns", goal: "below 2000")
        var hash = Digest(seed: 0)
        for template in templates { hash.add(template.stateDigest) }
        hash.add(counters.records)
        return Report(benchmark: "journal", figures: figures, hash: hash.value)
    }

    /// What an engine makes of submits that find a place: job and placement in one transaction.
    private static func transactions(_ count: Int) throws -> [Transaction] {
        var engine = Engine()
        _ = engine.decide(
            .putPool(Bodies.pool("aws-use1-gb200", blocks: 4, domainsPerBlock: 10)), at: Timestamp(nanoseconds: 1))
        var made: [Transaction] = []
        for number in 0..<count {
            let at = Timestamp(nanoseconds: 1_790_000_000_000_000_000 + Int64(number) * 1_000_000)
            if let transaction = engine.decide(.submit(try Bodies.spec("atlas-\(number)")), at: at).transaction {
                made.append(transaction)
            }
        }
        return made
    }
}
