// The server's life: start, stop accepting, drained, stop. It makes the loops and joins them; it knows nothing of what they do.

import Dispatch
import Synchronization

/// Answers a request. Called on a loop: answer at once, or keep the responder and return at once.
public typealias HTTPHandler = @Sendable (HTTPRequest, consuming Responder) -> Void

/// Why a server did not start.
public enum HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    case addressInUse(host: String, port: UInt16)
    case addressNotAvailable(host: String)
    case permissionDenied(port: UInt16)
    case unknownHost(String)
    case system(SystemError)
    /// A server starts once.
    case startedBefore

    public var description: String {
        switch self {
        case .addressInUse(let host, let port): "Port \(port) of \(host) is in use by another process."
        case .addressNotAvailable(let host): "\(host) is not an address of this machine."
        case .permissionDenied(let port): "This process may not listen on port \(port)."
        case .unknownHost(let host): "The host \(host) has no address."
        case .system(let error): "The server could not start: \(error)."
        case .startedBefore: "The server has been started before."
        }
    }
}

public final class HTTPServer: Sendable {
    private enum Life {
        case new
        case running(ServerCore, port: UInt16)
        case draining(ServerCore, port: UInt16)
        case stopped(ServerCore?)
    }

    private let configuration: HTTPConfiguration
    private let handler: HTTPHandler
    private let life = Mutex(Life.new)

    public init(_ configuration: HTTPConfiguration, handler: @escaping HTTPHandler) {
        self.configuration = configuration
        self.handler = handler
    }

    deinit { stop() }

    /// Binds, starts the loops, and returns the bound port.
    @discardableResult
    public func start() throws(HTTPServerError) -> UInt16 {
        let started = Result { () throws(HTTPServerError) in
            try life.withLock { life throws(HTTPServerError) in
                guard case .new = life else { throw .startedBefore }
                let (core, port) = try launch()
                life = .running(core, port: port)
                return port
            }
        }
        return try started.get()
    }

    private func launch() throws(HTTPServerError) -> (ServerCore, UInt16) {
        System.ignoreBrokenPipes()
        let ports: [LoopPort]
        do throws(SystemError) {
            var made: [LoopPort] = []
            for _ in 0..<max(1, configuration.loopCount) {
                made.append(try LoopPort(onEvent: configuration.onEvent))
            }
            ports = made
        } catch {
            throw .system(error)
        }
        let (listener, port) = try listen()
        let core = ServerCore(configuration: configuration, handler: handler, ports: ports)
        for (index, loopPort) in ports.enumerated() {
            core.loops.enter()
            DispatchQueue(label: "berth.http.loop.\(index)", qos: .default).async {
                EventLoop(core: core, port: loopPort, listener: index == 0 ? listener : nil).run()
                core.loops.leave()
            }
        }
        return (core, port)
    }

    private func listen() throws(HTTPServerError) -> (Int32, UInt16) {
        do throws(SocketError) {
            return try System.listen(
                host: configuration.host, port: configuration.port, backlog: configuration.backlog)
        } catch {
            switch error {
            case .unknownHost(let host): throw .unknownHost(host)
            case .system(let error): throw Self.error(error, configuration)
            }
        }
    }

    private static func error(_ error: SystemError, _ configuration: HTTPConfiguration) -> HTTPServerError {
        switch error.meaning {
        case .addressInUse: .addressInUse(host: configuration.host, port: configuration.port)
        case .addressNotAvailable: .addressNotAvailable(host: configuration.host)
        case .permissionDenied: .permissionDenied(port: configuration.port)
        case .other: .system(error)
        }
    }

    /// The bound port while the server lives.
    public var port: UInt16? {
        life.withLock { life in
            switch life {
            case .running(_, let port), .draining(_, let port): port
            case .new, .stopped: nil
            }
        }
    }

    public var counters: HTTPCounters {
        let core = life.withLock { life -> ServerCore? in
            switch life {
            case .new: nil
            case .running(let core, _), .draining(let core, _): core
            case .stopped(let core): core
            }
        }
        var sum = HTTPCounters()
        for port in core?.ports ?? [] { port.counters.add(to: &sum) }
        return sum
    }

    /// Closes the listener and idle connections; what is in flight is answered with `Connection: close`.
    /// Returns when the listener is closed. Not to be called on a loop, so not in a handler.
    public func stopAccepting() {
        let core = life.withLock { life -> ServerCore? in
            guard case .running(let core, let port) = life else { return nil }
            life = .draining(core, port: port)
            return core
        }
        guard let core else { return }
        let done = DispatchGroup()
        for port in core.ports {
            done.enter()
            port.mailbox.post(.drain(done))
        }
        // A loop that has failed reads no mail.
        _ = done.wait(timeout: .now() + .seconds(5))
    }

    /// Waits until no connection is open, at most so long; whether none is.
    public func waitUntilDrained(timeoutMilliseconds: Int) -> Bool {
        let core = life.withLock { life -> ServerCore? in
            switch life {
            case .running(let core, _), .draining(let core, _): core
            case .new, .stopped: nil
            }
        }
        guard let core else { return true }
        return core.connections.wait(timeout: .now() + .milliseconds(timeoutMilliseconds)) == .success
    }

    /// Closes every connection and joins the loops. Not to be called on a loop.
    public func stop() {
        stopAccepting()
        let core = life.withLock { life -> ServerCore? in
            defer {
                if case .draining(let core, _) = life { life = .stopped(core) }
                if case .new = life { life = .stopped(nil) }
            }
            guard case .draining(let core, _) = life else { return nil }
            return core
        }
        guard let core else { return }
        for port in core.ports { port.mailbox.post(.stop) }
        core.loops.wait()
    }
}
