// The one writer: takes all work that waits, decides it, brings its facts to disk with one flush, publishes the state and
// lets the answers go. Batches form by themselves while a flush runs. Everything here runs on one serial queue.

import API
import Dispatch
import Engine
import HTTP
import Logging
import Model
import Storage
import Synchronization

final class Writer: Sendable {
    let inbox: Inbox
    private let queue = DispatchQueue(label: "berth.writer")
    private let core: Core
    private let published: Published
    private let looksForRoom = Atomic(false)

    init(
        engine: consuming Engine, store: consuming Store, settings: Configuration, log: Logger, published: Published
    ) {
        inbox = Inbox(capacity: settings.scheduler.inboxCapacity)
        self.published = published
        core = Core(engine: engine, store: store, settings: settings, log: log, published: published)
    }

    /// Hands in work; false when the inbox is full.
    func post(_ entry: InboxEntry) -> Bool {
        switch inbox.add(entry) {
        case .refused: return false
        case .accepted: break
        case .acceptedAndMustWake: wake()
        }
        return true
    }

    private func wake() { queue.async { [self] in turn() } }

    /// One batch. Goes on as long as there is work, one queue item a batch, so that nothing else on the queue starves.
    private func turn() {
        if core.runBatch(from: inbox) { wake() }
        let resume: Core.Resume = { [self] work in queue.async { work() } }
        core.makeSpareIfWanted(resume)
        core.takeSnapshotIfDue(resume)
        if core.isFull { lookForRoomLater() }
        core.setAlarm(on: queue) { [weak self] in
            guard let self else { return }
            core.noteAlarm()
            if inbox.wake() { turn() }
        }
    }

    /// On a full disk, looks for room once a second: where a load balancer heeds `/readyz`, no change comes that would.
    private func lookForRoomLater() {
        if looksForRoom.exchange(true, ordering: .relaxed) { return }
        queue.asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            guard let self else { return }
            looksForRoom.store(false, ordering: .relaxed)
            if core.isStillFull() { return lookForRoomLater() }
            // Placements that waited for room go on.
            if inbox.wake() { wake() }
        }
    }

    /// Runs `body` on the writer's queue with the desk, flushes, and returns when all of it is on disk.
    func perform<Result: Sendable>(_ body: @Sendable (any Desk) -> Result) throws(StorageError) -> Result {
        let outcome = queue.sync { core.perform(body) }
        // Placements that a command left for later go on by themselves.
        if inbox.wake() { wake() }
        return try outcome.get()
    }

    /// Refuses further changes, then writes a last snapshot. The failure that ended writing before, if there was one.
    func stop() -> WriteStop? { queue.sync { core.stop() } }
}

/// What the writer shows to others: the newest durable state and its counts.
final class Published: Sendable {
    struct Numbers: Sendable {
        var journal: JournalCounters?
        var work = WorkCounters()
        var snapshotRevision: UInt64 = 0
        var snapshots: UInt64 = 0
        var stop: WriteStop?
    }

    private let state: Mutex<State>
    private let numbersNow = Mutex(Numbers())
    let decisions = Histogram()
    let flushes = Histogram()

    init(_ state: State) { self.state = Mutex(state) }

    var view: State { state.withLock { $0 } }
    var numbers: Numbers { numbersNow.withLock { $0 } }

    /// Shows `view` from now on; returns the one shown before, to be let go outside any lock and when there is time.
    func publish(_ view: State) -> State {
        state.withLock { state in
            let old = state
            state = view
            return old
        }
    }

    func update(_ body: (inout Numbers) -> Void) { numbersNow.withLock { body(&$0) } }
}
