// A loop: one thread, one epoll, the connections that were given to it. It waits, hands every event to the file that owns its
// kind (accepting, exchange, output, deadlines), reads its mail, and never returns before it is told to stop.
// It is made on its own thread and is not Sendable: nothing of it is seen elsewhere but its port.

import Dispatch
import Synchronization

/// What the loops of a server share.
final class ServerCore: Sendable {
    let configuration: HTTPConfiguration
    let handler: HTTPHandler
    let ports: [LoopPort]
    /// Entered by every open connection.
    let connections = DispatchGroup()
    /// Octets of all bodies that are still arriving.
    let bufferedBodyBytes = Atomic<Int>(0)
    /// Entered by every running loop.
    let loops = DispatchGroup()

    init(configuration: HTTPConfiguration, handler: @escaping HTTPHandler, ports: [LoopPort]) {
        self.configuration = configuration
        self.handler = handler
        self.ports = ports
    }

    var openConnections: Int { ports.reduce(0) { $0 + $1.counters.open.load(ordering: .relaxed) } }
}

final class EventLoop {
    enum Stage {
        case serving, draining, stopped
    }

    enum Listener {
        case none
        case listening(Int32)
        /// No descriptor was left; the listener is not watched until then.
        case resting(Int32, until: UInt64)
    }

    let core: ServerCore
    let port: LoopPort
    let configuration: HTTPConfiguration
    var stage = Stage.serving
    var listener: Listener
    /// By descriptor.
    var connections: [Connection?] = []
    var lastGeneration: UInt32 = 0
    var writer = ResponseWriter()
    var wheel: DeadlineWheel
    var now: UInt64
    /// Connections whose turn ended with input left.
    var continuations: [ConnectionToken] = []

    private var mail: [Mail] = []
    var dueEntries: [DeadlineWheel.Entry] = []

    var counters: LoopCounters { port.counters }

    init(core: ServerCore, port: LoopPort, listener: Int32?) {
        self.core = core
        self.port = port
        configuration = core.configuration
        self.listener = listener.map(Listener.listening) ?? .none
        now = System.monotonicMilliseconds()
        wheel = DeadlineWheel(now: now)
    }

    /// Serves until told to stop.
    func run() {
        var scratch = [UInt8](repeating: 0, count: 64 * 1024)
        let events = EventBuffer(capacity: 256)
        do throws(SystemError) {
            try watchOwnDescriptors()
            while stage != .stopped {
                let count = try System.wait(port.epoll, events, timeoutMilliseconds: waitMilliseconds())
                counters.waitCalls.add()
                now = System.monotonicMilliseconds()
                writer.setDate(secondsSinceEpoch: System.wallSeconds())
                for index in 0..<count { handle(events[index], &scratch) }
                continueTurns()
                expireDeadlines()
            }
        } catch {
            configuration.onEvent(.loopFailed(error))
        }
        closeListener()
        for case let connection? in connections { drop(connection) }
    }

    private func watchOwnDescriptors() throws(SystemError) {
        let mailboxToken = ConnectionToken(descriptor: port.mailbox.event, generation: 0)
        try System.watch(port.epoll, port.mailbox.event, .input, data: mailboxToken.eventData)
        if case .listening(let descriptor) = listener { try watchListener(descriptor) }
    }

    private func waitMilliseconds() -> Int32 {
        guard continuations.isEmpty else { return 0 }
        var wait = wheel.wait(now: now)
        if case .resting(_, let until) = listener {
            let rest = until > now ? until - now : 0
            wait = min(wait ?? rest, rest)
        }
        // One more, because the clock is read in whole milliseconds.
        return wait.map { Int32(min($0 + 1, 60_000)) } ?? -1
    }

    private func handle(_ event: Event, _ scratch: inout [UInt8]) {
        let token = ConnectionToken(eventData: event.data)
        guard token.generation != 0 else {
            if token.descriptor == port.mailbox.event { readMail() } else { acceptConnections() }
            return
        }
        guard let connection = connection(token) else { return }
        handle(connection, isBroken: event.isBroken, &scratch)
    }

    /// The connection, unless it is gone.
    func connection(_ token: ConnectionToken) -> Connection? {
        let index = Int(token.descriptor)
        guard index < connections.count, let connection = connections[index], connection.token == token else {
            return nil
        }
        return connection
    }

    private func readMail() {
        port.mailbox.take(into: &mail)
        var taken: [Mail] = []
        swap(&taken, &mail)
        for item in taken {
            switch item {
            case .answer(let token, let response): takeAnswer(token, response)
            case .adopt(let descriptor, let peer): adopt(descriptor, peer)
            case .drain(let done):
                drain()
                done.leave()
            case .stop: stage = .stopped
            }
        }
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &mail)
    }

    private func continueTurns() {
        guard !continuations.isEmpty else { return }
        let tokens = continuations
        continuations.removeAll(keepingCapacity: true)
        for token in tokens {
            if let connection = connection(token) { resume(connection) }
        }
    }
}
