// The running service as the API sees it.

import API
import Dispatch
import Engine
import Glibc
import HTTP
import Model
import Storage
import Synchronization

final class ServiceBackend: Backend {
    let writer: Writer
    private let published: Published
    // The server owns the handler that owns this; it outlives both.
    private let server: HTTPServer
    private let isDraining = Atomic(false)
    private let startedAt = SystemClock.now()
    private let slowQueue = DispatchQueue(label: "berth.slow", attributes: .concurrent)

    let engineSettings: EngineSettings

    init(_ writer: Writer, _ published: Published, _ server: HTTPServer, _ engineSettings: EngineSettings) {
        self.writer = writer
        self.engineSettings = engineSettings
        self.published = published
        self.server = server
    }

    var view: State { published.view }
    var now: Timestamp { SystemClock.now() }

    func post(_ answer: PendingAnswer, _ work: @escaping DeskWork) -> Bool {
        writer.post(InboxEntry(answer: answer, work: work))
    }

    func runSlowly(_ work: @escaping @Sendable () -> Void) { slowQueue.async(execute: work) }

    func beginDraining() { isDraining.store(true, ordering: .relaxed) }

    var readiness: [HealthCheck] {
        let numbers = published.numbers
        let draining = isDraining.load(ordering: .relaxed)
        let depth = writer.inbox.depth
        let journal: (Bool, String) =
            switch numbers.stop {
            case nil: (true, "Changes are taken; revision \(published.view.revision) is on disk.")
            case .diskFull: (false, "The disk is full; changes are refused until there is room.")
            case .journalFailed(let reason):
                (false, "The journal has failed: \(reason). Restart the service when the disk is well.")
            case .stopping: (false, "The service is stopping.")
            }
        return [
            HealthCheck(name: "recovered", isPassing: true, detail: "The state was read from disk."),
            HealthCheck(name: "journal", isPassing: journal.0, detail: journal.1),
            HealthCheck(
                name: "inbox", isPassing: depth < writer.inbox.capacity,
                detail: "\(depth) of at most \(writer.inbox.capacity) requests wait for the scheduler."),
            HealthCheck(
                name: "notDraining", isPassing: !draining,
                detail: draining ? "The service is stopping." : "The service is not stopping."),
        ]
    }

    var reading: ServiceReading {
        let numbers = published.numbers
        var reading = ServiceReading()
        reading.http = server.counters
        reading.work = numbers.work
        if let journal = numbers.journal {
            reading.journalBytes = UInt64(journal.bytesAppended)
            reading.journalRecords = UInt64(journal.records)
            reading.journalFlushes = UInt64(journal.flushes)
            reading.journalSegments = journal.segments
        }
        reading.snapshotRevision = numbers.snapshotRevision
        reading.snapshots = numbers.snapshots
        reading.inboxDepth = writer.inbox.depth
        reading.inboxCapacity = writer.inbox.capacity
        reading.inboxRefusals = writer.inbox.refusals
        reading.decisions = published.decisions.reading
        reading.flushes = published.flushes.reading
        reading.residentBytes = ProcessMemory.residentBytes
        reading.startedAt = startedAt
        return reading
    }
}

public enum ProcessMemory {
    /// Resident memory of this process. Source: proc(5), /proc/pid/statm, second figure, in pages.
    public static var residentBytes: UInt64 {
        guard let bytes = try? Files.bytes("/proc/self/statm") else { return 0 }
        let figures = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return figures.count > 1 ? (UInt64(figures[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
