// A whole state in memory and on disk: what it weighs, how fast a start reads it back, and how long a snapshot holds up the
// writer. The figure of memory is that of the whole process, so run this first in a fresh one.

import Dispatch
import Engine
import Model
import Service
import Storage
import Synchronization

/// Size of a run.
public struct MemoryBench: Sendable {
    /// Pools of NVL72 domains.
    public var pools: [(blocks: Int, domainsPerBlock: Int)]
    public var placed: Int
    public var queued: Int
    /// Nodes that a job of the queue asks for, at least: a pool that is still empty holds one such job, all others wait.
    public var queuedNodes: Int
    public var folder: String?

    public static let full = MemoryBench(
        pools: PackingBench.full.domains, placed: 100_000, queued: 100_000, queuedNodes: 8_000)
    public static let smoke = MemoryBench(
        pools: Array(repeating: (2, 4), count: 2), placed: 60, queued: 40, queuedNodes: 125)

    public init(
        pools: [(blocks: Int, domainsPerBlock: Int)], placed: Int, queued: Int, queuedNodes: Int, folder: String? = nil
    ) {
        self.pools = pools
        self.placed = placed
        self.queued = queued
        self.queuedNodes = queuedNodes
        self.folder = folder
    }

    public func run() throws -> Report {
        let data = try BenchFolder(in: folder)
        var figures = [Figure("gpus", Double(pools.reduce(0) { $0 + $1.blocks * $1.domainsPerBlock * 72 }), "GPUs")]
        let digest = try fill(data.path, &figures)
        figures += try recover(data.path, "FromJournal", expecting: digest)
        let newer = try snapshot(data.path, &figures)
        figures += try recover(data.path, "FromSnapshot", expecting: newer)
        return Report(benchmark: "memory", figures: figures, hash: digest)
    }

    // MARK: Filling

    /// Nodes of a job that finds a place: one, two, four or eight, in as many of every hundred as stand there.
    private func nodes(_ random: inout SeededGenerator) -> Int {
        switch random.pick(0...99) {
        case 0..<50: 1
        case 50..<80: 2
        case 80..<95: 4
        default: 8
        }
    }

    private func fill(_ directory: String, _ figures: inout [Figure]) throws -> UInt64 {
        let before = ProcessMemory.residentBytes
        var desk = try WritingDesk(directory)
        var random = SeededGenerator(seed: 1)
        let begin = nanosecondsNow()
        for (index, size) in pools.enumerated() {
            try desk.decide(
                .putPool(Bodies.pool("pool-\(index)", blocks: size.blocks, domainsPerBlock: size.domainsPerBlock)))
        }
        for number in 0..<placed {
            try desk.decide(
                .submit(try Bodies.spec("placed-\(number)", workers: nodes(&random), gpus: 4, scope: .pool)))
            if number % 100 == 99 { try desk.flush() }
        }
        for number in 0..<queued {
            let workers = queuedNodes + random.pick(0...15)
            try desk.decide(.submit(try Bodies.spec("queued-\(number)", workers: workers, gpus: 4, scope: .pool)))
            if number % 100 == 99 { try desk.flush() }
        }
        try desk.flush()
        let seconds = Double(nanosecondsNow() - begin) / 1e9
        let resident = Double(ProcessMemory.residentBytes) / 1_048_576
        figures += [
            Figure("jobsPlaced", Double(desk.engine.state.count(of: .placed)), "jobs"),
            Figure("jobsQueued", Double(desk.engine.state.count(of: .queued)), "jobs"),
            Figure("resident", resident, "MiB", goal: "at most 400"),
            Figure("residentBefore", Double(before) / 1_048_576, "MiB"),
            Figure("residentPerJob", (resident * 1_048_576 - Double(before)) / Double(placed + queued), "B"),
            Figure("submitsPerSecondInHundreds", Double(placed + queued) / seconds, "1/s"),
            Figure("journalBytes", Double(desk.store.journal.counters.bytesAppended), "B"),
        ]
        return desk.engine.state.digest
    }

    // MARK: Starting again

    private func recover(_ directory: String, _ how: String, expecting digest: UInt64) throws -> [Figure] {
        let begin = nanosecondsNow()
        let desk = try WritingDesk(directory)
        let seconds = Double(nanosecondsNow() - begin) / 1e9
        guard desk.engine.state.digest == digest else { throw BenchFault("The state came back another one.") }
        return [
            Figure("recovery" + how, seconds, "s", goal: "below 3"),
            Figure("transactionsReplayed" + how, Double(desk.store.report.transactions), "transactions"),
        ]
    }

    // MARK: A snapshot beside the writer

    /// Writes a snapshot on another thread while this one goes on writing, one job and one flush a turn, as long as it
    /// takes; before that as many turns alone. Returns the digest of the state at the end.
    private func snapshot(_ directory: String, _ figures: inout [Figure]) throws -> UInt64 {
        var desk = try WritingDesk(directory)
        var number = 0
        /// The longest turn, and the longest time within one that was not the flush's.
        func turn(_ longest: inout (all: UInt64, deciding: UInt64), _ desk: inout WritingDesk) throws {
            let begin = nanosecondsNow()
            number += 1
            try desk.decide(.submit(try Bodies.spec("late-\(number)", workers: queuedNodes, gpus: 4, scope: .pool)))
            let decided = nanosecondsNow()
            try desk.flush()
            longest.all = max(longest.all, nanosecondsNow() - begin)
            longest.deciding = max(longest.deciding, decided - begin)
        }
        var alone = (all: UInt64(0), deciding: UInt64(0))
        for _ in 0..<min(200, placed) { try turn(&alone, &desk) }
        var beside = (all: UInt64(0), deciding: UInt64(0))
        let view = desk.view
        let snapshots = desk.store.snapshots
        let begin = nanosecondsNow()
        let box = WrittenBox()
        DispatchQueue.global().async {
            box.set(Result { () throws(StorageError) in try snapshots.write(view.image) })
        }
        var outcome = box.result
        var turns = 0
        while outcome == nil {
            try turn(&beside, &desk)
            turns += 1
            outcome = box.result
        }
        let seconds = Double(nanosecondsNow() - begin) / 1e9
        let bytes = try outcome?.get().bytes ?? 0
        figures += [
            Figure("snapshotWrite", seconds, "s"),
            Figure("snapshotBytes", Double(bytes), "B"),
            Figure("turnsWhileSnapshot", Double(turns), "turns"),
            Figure("longestTurnAlone", Double(alone.all) / 1000, "us"),
            Figure("longestTurnWhileSnapshot", Double(beside.all) / 1000, "us"),
            Figure("longestDecisionAlone", Double(alone.deciding) / 1000, "us"),
            Figure("longestDecisionWhileSnapshot", Double(beside.deciding) / 1000, "us", goal: "below 5000"),
        ]
        return desk.engine.state.digest
    }
}

/// What became of a snapshot, from the thread that wrote it.
private final class WrittenBox: Sendable {
    private let written = Mutex<Result<SavedSnapshot, StorageError>?>(nil)

    var result: Result<SavedSnapshot, StorageError>? { written.withLock { $0 } }

    func set(_ result: Result<SavedSnapshot, StorageError>) { written.withLock { $0 = result } }
}

/// An engine and its journal as the service's writer uses them, without the service.
private struct WritingDesk: ~Copyable {
    let store: Store
    var engine: Engine
    /// What readers would see.
    private(set) var view = State()

    /// Recovers what the directory holds.
    init(_ directory: String) throws {
        let recovery = try Store.open(directory: directory)
        var engine = recovery.image.revision == 0 ? Engine() : try Engine(image: recovery.image)
        store = try recovery.replay { transaction in
            do throws(ReplayError) {
                try engine.replay(transaction)
                return nil
            } catch {
                return error.description
            }
        }
        view = engine.state
        self.engine = engine
    }

    mutating func decide(_ command: Command) throws {
        try store.journal.ensureRoom(forBytes: 1 << 20)
        // Time goes by with the revisions, so that each run comes to the same state.
        let at = Timestamp(nanoseconds: 1_790_000_000_000_000_000 + Int64(engine.state.revision) * 1_000_000)
        let (outcome, transaction) = engine.decide(command, at: at)
        if case .refused(let refusal) = outcome { throw BenchFault("A command was refused: \(refusal)") }
        if let transaction { try store.journal.append(transaction) }
    }

    mutating func flush() throws {
        try store.journal.flush()
        view = engine.state
    }
}
