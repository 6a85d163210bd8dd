// Puts a running server together and takes it apart: listen, recover, load the fleet, serve, drain, snapshot, leave.

public import API
import Dispatch
import Engine
public import HTTP
import JSON
public import Logging
import Model
public import Storage
import Synchronization

/// Why the service did not start.
public enum StartFault: Error, CustomStringConvertible {
    case http(HTTPServerError)
    case storage(StorageError)
    case fleet(pool: String, String)

    public var description: String {
        switch self {
        case .http(let error): error.description
        case .storage(let error): error.description
        case .fleet(let pool, let reason): "pool '\(pool)' of the fleet was refused: \(reason)"
        }
    }
}

/// A service that listens, and answers with `starting` until its state is read.
public final class RunningService: Sendable {
    private let configuration: Configuration
    private let log: Logger
    private let life = Mutex(Life.starting)
    private let server: HTTPServer
    private let box: APIBox
    private let apiSettings: APISettings
    public let port: UInt16

    private enum Life {
        case starting
        case serving(ServiceBackend)
        case draining(ServiceBackend)
        case stopped
    }

    /// Binds the port and answers `/livez`; then `recover`.
    public init(_ configuration: Configuration, log: Logger) throws(StartFault) {
        self.configuration = configuration
        self.log = log
        let box = APIBox()
        var http = configuration.http
        var settings = APISettings()
        settings.batchLines = configuration.limits.batchLines
        settings.maxBatchBodyBytes = configuration.server.maxBatchBodyBytes
        http.bodyLimit = BerthAPI.bodyLimit(settings)
        http.problemResponse = { problem in
            var response = problem.response
            response.add("X-Berth-Revision", String(box.revision))
            return response
        }
        http.connectionLimit = Descriptors.connections(wanted: http.connectionLimit)
        if http.connectionLimit < configuration.server.maxConnections {
            log.warning(
                "the system's limit on open files allows fewer connections than server.maxConnections",
                metadata: ["connections": "\(http.connectionLimit)"])
        }
        let said = Mutex((second: UInt64(0), kept: 0))
        http.onEvent = { event in
            // At most one line a second: a flood must not be answered with a flood.
            let second = SystemClock.steady() / 1_000_000_000
            let left = said.withLock { said -> Int? in
                if said.second == second {
                    said.kept += 1
                    return nil
                }
                defer { said = (second, 0) }
                return said.kept
            }
            guard let left else { return }
            log.warning("http", metadata: ["event": "\(event)", "notLogged": "\(left)"])
        }
        server = HTTPServer(http) { request, responder in box.handle(request, responder) }
        self.box = box
        apiSettings = settings
        do throws(HTTPServerError) { port = try server.start() } catch { throw .http(error) }
    }

    /// Reads the state from disk, puts the pools of `fleet` that differ, and begins to serve.
    public func recover(fleet: Fleet?) throws(StartFault) -> RecoveryReport {
        try recover(fleet: fleet) { [directory = configuration.storage.directory] options throws(StorageError) in
            try Store.open(directory: directory, options)
        }
    }

    /// `open` begins the recovery; the tests hand in a disk of their own.
    func recover(
        fleet: Fleet?, _ open: (StorageOptions) throws(StorageError) -> Recovery
    ) throws(StartFault) -> RecoveryReport {
        let begin = SystemClock.steady()
        let report: RecoveryReport
        let backend: ServiceBackend
        do throws(StorageError) {
            var options = StorageOptions()
            options.segmentBytes = configuration.storage.segmentMiB << 20
            options.reserveBytes = configuration.storage.reserveMiB << 20
            options.flushing = configuration.storage.flush
            options.clock = { SystemClock.steady() }
            (backend, report) = try Self.serve(try open(options), configuration, log, server)
        } catch {
            server.stop()
            throw .storage(error)
        }
        try load(fleet, backend)
        let api: BerthAPI
        do throws(RouteError) { api = try BerthAPI(backend, settings: apiSettings) } catch {
            preconditionFailure("the route table contradicts itself: \(error)")
        }
        box.open(api)
        life.withLock { $0 = .serving(backend) }
        log.notice(
            "ready",
            metadata: [
                "port": "\(port)", "recovery": "\(report)",
                "milliseconds": "\((SystemClock.steady() - begin) / 1_000_000)",
            ])
        return report
    }

    private static func serve(
        _ recovery: consuming Recovery, _ configuration: Configuration, _ log: Logger, _ server: HTTPServer
    ) throws(StorageError) -> (ServiceBackend, RecoveryReport) {
        var engine: Engine
        do throws(ReplayError) {
            engine =
                recovery.image.revision == 0
                ? Engine(settings: configuration.engine)
                : try Engine(image: recovery.image, settings: configuration.engine)
        } catch {
            throw .damaged(
                file: recovery.report.snapshot ?? configuration.storage.directory, offset: 0, reason: error.description)
        }
        let store = try recovery.replay { transaction in
            do throws(ReplayError) {
                try engine.replay(transaction)
                return nil
            } catch {
                return error.description
            }
        }
        let report = store.report
        let published = Published(engine.state)
        published.update { $0.snapshotRevision = report.snapshotRevision }
        let writer = Writer(engine: engine, store: store, settings: configuration, log: log, published: published)
        return (ServiceBackend(writer, published, server, configuration.engine), report)
    }

    /// Puts the pools of `fleet`, or those built in where there is neither a fleet nor any pool.
    private func load(_ chosen: Fleet?, _ backend: ServiceBackend) throws(StartFault) {
        var fleet = chosen
        // Pools that were all deleted stay deleted.
        if fleet == nil && backend.view.pools.isEmpty {
            do throws(FileFault) { fleet = try Fleet.builtIn() } catch {
                preconditionFailure("the built-in fleet has mistakes: \(error)")
            }
        }
        let pools = fleet?.pools ?? []
        let directory = configuration.storage.directory
        let fault: StartFault?
        do throws(StorageError) {
            let policy = FairSharePolicy(halfLifeSeconds: configuration.scheduler.fairShareHalfLifeSeconds)
            fault = try backend.writer.perform { desk in
                func fault(of decision: Decision) -> StartFault? {
                    switch decision {
                    case .unwritable(.diskFull): .storage(.diskFull(path: directory))
                    case .unwritable(.journalFailed(let reason)): .storage(.failed(reason: reason))
                    case .unwritable(.stopping), .outcome: nil
                    }
                }
                // On a full disk even a change to what is there already would be refused.
                if desk.state.tenants.policy != policy, let fault = fault(of: desk.decide(.setFairShare(policy))) {
                    return fault
                }
                for pool in pools where desk.state.slot(named: pool.name).map({ desk.state[$0].spec }) != pool {
                    let decision = desk.decide(.putPool(pool))
                    if case .outcome(.refused(let refusal)) = decision { return .fleet(pool: pool.name, refusal.words) }
                    if let fault = fault(of: decision) { return fault }
                }
                return nil
            }
        } catch {
            server.stop()
            throw .storage(error)
        }
        if let fault {
            server.stop()
            throw fault
        }
    }

    /// What serves, while it does: the tests hold its writer.
    var backend: ServiceBackend? {
        life.withLock { life in
            switch life {
            case .serving(let backend), .draining(let backend): backend
            case .starting, .stopped: nil
            }
        }
    }

    /// Drains and stops. Zero, or 74 (EX_IOERR) where the journal had failed, so that a supervisor sees it.
    public func stop() -> Int32 {
        let backend = life.withLock { life -> ServiceBackend? in
            guard case .serving(let backend) = life else { return nil }
            life = .draining(backend)
            return backend
        }
        guard let backend else {
            server.stop()
            return 0
        }
        log.notice("stopping")
        backend.beginDraining()
        if configuration.server.drainPauseSeconds > 0 {
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .seconds(configuration.server.drainPauseSeconds))
        }
        server.stopAccepting()
        if !server.waitUntilDrained(timeoutMilliseconds: configuration.server.drainTimeoutSeconds * 1000) {
            log.warning(
                "requests in flight did not end in time",
                metadata: ["seconds": "\(configuration.server.drainTimeoutSeconds)"])
        }
        let failure = backend.writer.stop()
        server.stop()
        life.withLock { $0 = .stopped }
        log.notice("stopped", metadata: ["revision": "\(backend.view.revision)"])
        if case .journalFailed = failure { return 74 }
        return 0
    }
}

/// The API once there is one.
private final class APIBox: Sendable {
    private let api = Mutex<BerthAPI?>(nil)

    /// The newest revision on disk; 0 while the state is being read.
    var revision: UInt64 { api.withLock { $0 }?.revision ?? 0 }

    func open(_ api: BerthAPI) { self.api.withLock { $0 = api } }

    func handle(_ request: HTTPRequest, _ responder: consuming Responder) {
        if let api = api.withLock({ $0 }) {
            api.handle(request, responder)
        } else {
            responder.send(BerthAPI.starting(request))
        }
    }
}
