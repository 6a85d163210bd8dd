// What the writer owns and does, batch by batch. Used on the writer's queue alone.

import API
import Dispatch
import Engine
import HTTP
import Logging
import Model
import Storage

extension Writer {
    // Unchecked, for Swift cannot see that `Writer` touches it on its serial queue only; `dispatchPrecondition` would cost
    // a call for each command.
    final class Core: @unchecked Sendable {
        private var engine: Engine
        private let store: Store
        private let settings: Configuration
        private let log: Logger
        private let published: Published
        private var mode = Mode.writing
        private var entries: [InboxEntry] = []
        /// The view that readers saw before: letting go of it may free much.
        private var retired: State?
        /// Journal bytes at the last snapshot; what recovery replayed counts as well.
        private var snapshotBytes: Int
        private var snapshotRuns = Beside.none
        private var spareRuns = Beside.none
        private var alarm: Alarm?

        private enum Mode {
            case writing
            /// Refused until there is room, and asked again with each change.
            case full
            /// The current batch cannot be made durable.
            case breaking(String)
            case stopped(WriteStop)
        }

        /// Long work for this core on another queue, one of each kind at a time.
        private enum Beside { case none, running }

        /// Brings work back to the writer's queue.
        typealias Resume = @Sendable (@escaping @Sendable () -> Void) -> Void

        init(
            engine: consuming Engine, store: consuming Store, settings: Configuration, log: Logger, published: Published
        ) {
            self.engine = engine
            snapshotBytes = -store.report.bytes
            self.store = store
            self.settings = settings
            self.log = log
            self.published = published
        }

        // MARK: Batches

        /// Decides all that waits and makes it durable. False when nothing waited and the writer sleeps.
        func runBatch(from inbox: Inbox) -> Bool {
            inbox.takeAll(reusing: &entries, stayingAwake: goesOn)
            if entries.isEmpty && !goesOn { return false }
            var responses: [HTTPResponse] = []
            responses.reserveCapacity(entries.count)
            let before = engine.state.revision
            var unchanged = 0
            for entry in entries {
                responses.append(entry.work(self))
                if engine.state.revision == before { unchanged = responses.count }
            }
            if goesOn { _ = decide(.resume) }
            let failure = commit()
            var answers = AnswerBatch()
            for (index, entry) in entries.enumerated() {
                // What was answered before the first lost change shows nothing that is not on disk.
                if let failure, index >= unchanged {
                    answers.add(entry.answer, lost(failure))
                } else {
                    answers.add(entry.answer, responses[index])
                }
            }
            answers.send()
            // What requests and readers let go is freed when nobody waits for it, and not held until the next batch.
            entries.removeAll(keepingCapacity: true)
            retired = nil
            return true
        }

        func perform<Value>(_ body: (any Desk) -> Value) -> Result<Value, StorageError> {
            defer { retired = nil }
            let value = body(self)
            if let reason = commit() { return .failure(.failed(reason: reason)) }
            return .success(value)
        }

        private var isWriting: Bool {
            switch mode {
            case .writing, .full: true
            case .breaking, .stopped: false
            }
        }

        /// Whether there are placements to go on with, or jobs to which time has come. On a full disk they wait for room,
        /// or the writer would spin.
        private var goesOn: Bool {
            guard case .writing = mode else { return false }
            return engine.hasPendingWork || engine.nextDeadline.map { $0 <= SystemClock.now() } ?? false
        }

        /// Sees to a batch when time brings something to a waiting job, also where no command comes until then.
        func setAlarm(on queue: DispatchQueue, _ ring: @escaping @Sendable () -> Void) {
            guard case .writing = mode, let deadline = engine.nextDeadline else {
                alarm?.set(for: nil)
                return
            }
            let alarm = self.alarm ?? Alarm(on: queue, ring)
            self.alarm = alarm
            alarm.set(for: deadline)
        }

        func noteAlarm() { alarm?.noteRing() }

        /// Flushes and publishes. A failure is final: the engine goes back to what is on disk, and the reason is returned.
        private func commit() -> String? {
            // What a batch that broke left in the journal's memory must not reach the disk: it was answered as lost.
            if case .stopped = mode { return nil }
            var reason: String?
            if case .breaking(let broken) = mode { reason = broken }
            if reason == nil {
                do throws(StorageError) {
                    let flush = try store.journal.flush()
                    if flush.records > 0 {
                        published.flushes.add(nanoseconds: flush.nanoseconds)
                        retired = published.publish(engine.state)
                    }
                } catch {
                    if case .failed(let words) = error { reason = words } else { reason = error.description }
                }
            }
            let (work, counters) = (engine.work, store.journal.counters)
            published.update {
                $0.work = work
                $0.journal = counters
            }
            if let reason { fail(reason) }
            return reason
        }

        private func fail(_ reason: String) {
            log.critical(
                "the journal has failed; no more changes are taken until a restart", metadata: ["reason": "\(reason)"])
            mode = .stopped(.journalFailed(reason))
            published.update { $0.stop = .journalFailed(reason) }
            // Nobody may see what a crash would take back, so the state is made again from what is on disk.
            do throws(ReplayError) {
                engine = try Engine(image: published.view.image, settings: settings.engine)
            } catch {
                log.critical("the state on disk does not come out as it was", metadata: ["error": "\(error)"])
            }
        }

        private func lost(_ reason: String) -> HTTPResponse {
            BerthAPI.problem(.journalFailed(reason), revision: published.view.revision)
        }

        // MARK: Snapshots

        /// Prepares the journal's next segment beside the writer, so that no command waits for it.
        func makeSpareIfWanted(_ resume: @escaping Resume) {
            guard case .none = spareRuns, isWriting, store.journal.wantsSpare else { return }
            spareRuns = .running
            let spares = store.journal.spares
            DispatchQueue.global().async { [self] in
                // Where there is no room for one, the next command finds that out and says so.
                try? spares.fill()
                resume { [self] in spareRuns = .none }
            }
        }

        /// Begins a snapshot beside the writer when enough journal has gathered.
        func takeSnapshotIfDue(_ resume: @escaping Resume) {
            guard case .none = snapshotRuns, isWriting else { return }
            let bytes = store.journal.counters.bytesAppended
            guard bytes - snapshotBytes >= settings.storage.snapshotEveryMiB << 20 else { return }
            snapshotBytes = bytes
            snapshotRuns = .running
            let view = published.view
            let writer = store.snapshots
            DispatchQueue.global().async { [self] in
                let written = Result { () throws(StorageError) in try writer.write(view.image) }
                resume { [self] in
                    snapshotRuns = .none
                    note(written)
                }
            }
        }

        private func note(_ written: Result<SavedSnapshot, StorageError>) {
            switch written {
            case .success(let snapshot):
                published.update {
                    $0.snapshots += 1
                    $0.snapshotRevision = snapshot.revision
                }
                log.info("snapshot", metadata: ["revision": "\(snapshot.revision)", "bytes": "\(snapshot.bytes)"])
                let retired = store.journal.retire(through: snapshot.retiresThrough)
                DispatchQueue.global().async { [log] in
                    do throws(StorageError) { try retired.dispose() } catch {
                        log.warning("old journal segments could not be put away", metadata: ["error": "\(error)"])
                    }
                }
            case .failure(let error):
                log.warning(
                    "the snapshot was not written; the journal is kept instead", metadata: ["error": "\(error)"])
            }
        }

        func stop() -> WriteStop? {
            if case .stopped(let stop) = mode { return stop }
            mode = .stopped(.stopping)
            published.update { $0.stop = .stopping }
            if published.view.revision > published.numbers.snapshotRevision {
                note(Result { () throws(StorageError) in try store.snapshots.write(published.view.image) })
            }
            return nil
        }
    }
}

// MARK: - The desk

extension Writer.Core: Desk {
    /// Room that one command's facts may need: the largest gang that is likely, many times over.
    private static let roomPerCommand = 8 << 20

    var state: State { engine.state }

    func decide(_ command: Command) -> Decision {
        switch mode {
        case .writing, .full: break
        case .breaking(let reason): return .unwritable(.journalFailed(reason))
        case .stopped(let stop): return .unwritable(stop)
        }
        // Before anything is decided there must be room for it.
        if let stop = findRoom(forBytes: command.journalBytes) { return .unwritable(stop) }
        let begin = SystemClock.steady()
        let (outcome, transaction) = engine.decide(command, at: SystemClock.now())
        published.decisions.add(nanoseconds: SystemClock.steady() - begin)
        guard let transaction else { return .outcome(outcome) }
        do throws(StorageError) {
            try store.journal.append(transaction)
            return .outcome(outcome)
        } catch {
            // The state has moved and the journal has not: only going back helps.
            mode = .breaking(error.description)
            return .unwritable(.journalFailed(error.description))
        }
    }

    /// Sees to room for a command's facts. Nil, or why there is none.
    private func findRoom(forBytes bytes: Int = 0) -> WriteStop? {
        do throws(StorageError) {
            let usual = min(Self.roomPerCommand, settings.storage.segmentMiB << 19)
            try store.journal.ensureRoom(forBytes: max(bytes, usual))
            note(.writing)
            return nil
        } catch {
            if case .failed(let reason) = error {
                mode = .breaking(reason)
                return .journalFailed(reason)
            }
            note(.full, error.description)
            return .diskFull
        }
    }

    var isFull: Bool {
        if case .full = mode { true } else { false }
    }

    /// On a full disk, looks whether there is room again. Whether there still is none.
    func isStillFull() -> Bool { isFull && findRoom() == .diskFull }

    private enum Room { case writing, full }

    private func note(_ room: Room, _ reason: String = "") {
        switch (mode, room) {
        case (.writing, .full):
            mode = .full
            published.update { $0.stop = .diskFull }
            log.error("the disk is full; changes are refused until there is room", metadata: ["reason": "\(reason)"])
        case (.full, .writing):
            mode = .writing
            published.update { $0.stop = nil }
            log.notice("there is room again; changes are taken")
        default: break
        }
    }

    func explain(_ job: Job) -> Explanation { engine.explain(job) }
    func predictStarts(_ jobs: [(job: Job, couldEverFit: Bool)]) -> [StartReading] {
        engine.predictStarts(jobs, at: SystemClock.now())
    }
    func poolReadings() -> [PoolReading] { engine.poolReadings() }
    func outlook(of slot: TenantSlot) -> [OutlookReading] { engine.outlook(of: slot, at: SystemClock.now()) }
    func queueReading(limit: Int) -> (shapes: [ShapeReading], distinct: Int) {
        (engine.queueReading(limit: limit), engine.queuedShapes)
    }
    func free(_ slot: PoolSlot, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        engine.free(slot, node: node)
    }
    func freeMilli(_ slot: PoolSlot, node: Int, gpu: Int) -> Int { engine.freeMilli(slot, node: node, gpu: gpu) }
}

extension JobSpec {
    /// What a job and a place of usual size take in the journal, at most.
    fileprivate var journalBytes: Int {
        var bytes = 512 + id.utf8.count + name.utf8.count + tenant.utf8.count
        for group in workers { bytes += group.name.utf8.count + 64 }
        for accelerator in accelerators { bytes += accelerator.model.utf8.count + 8 }
        for list in [allow, deny] {
            for names in [list.providers, list.regions, list.pools] {
                for name in names { bytes += name.utf8.count + 4 }
            }
        }
        for dependency in after { bytes += dependency.job.utf8.count + 8 }
        for label in labels { bytes += label.name.utf8.count + label.value.utf8.count + 8 }
        return bytes
    }
}

extension Command {
    /// What the command's own values take in the journal, at most; its placements come on top.
    fileprivate var journalBytes: Int {
        switch self {
        case .putPool(let spec):
            guard case .nodes(let listings) = spec.topology else { return 0 }
            return listings.reduce(8192) { $0 + $1.nameBytes + 32 }
        case .submitBatch(let specs): return specs.reduce(0) { $0 + $1.journalBytes }
        case .putTenant(let spec):
            // A quota names an accelerator.
            return 8192 + spec.quotas.count * (Bounds.nameBytes + 64)
                + (spec.residency + spec.denyProviders).reduce(0) { $0 + $1.utf8.count + 4 }
                + spec.labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 8 }
        default: return 0
        }
    }
}
