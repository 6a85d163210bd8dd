// Accepting. One loop accepts for all and hands each connection to the loop with the fewest: a few long-lived connections of a
// load balancer spread evenly, and a second process on the same port is an error (SO_REUSEPORT would let it in).
// It knows no requests.

import Dispatch
import Synchronization

extension EventLoop {
    func watchListener(_ descriptor: Int32) throws(SystemError) {
        let token = ConnectionToken(descriptor: descriptor, generation: 0)
        try System.watch(port.epoll, descriptor, .input, data: token.eventData)
        listener = .listening(descriptor)
    }

    func acceptConnections() {
        guard case .listening(let descriptor) = listener else { return }
        var handedOut: [[Mail]] = Array(repeating: [], count: core.ports.count)
        for _ in 0..<configuration.acceptsPerTurn {
            guard accept(descriptor, &handedOut) else { break }
        }
        for (port, mail) in zip(core.ports, handedOut) { port.mailbox.post(all: mail) }
    }

    /// Accepts one; false where there is none or it cannot be had.
    private func accept(_ descriptor: Int32, _ handedOut: inout [[Mail]]) -> Bool {
        counters.acceptCalls.add()
        switch System.accept(descriptor) {
        case .accepted(let accepted, let peer):
            counters.accepted.add()
            place(accepted, peer, &handedOut)
            return true
        case .aborted:
            return true
        case .none:
            return false
        case .failed(let code):
            configuration.onEvent(.acceptFailed(SystemError(call: "accept4", errno: code)))
            restListener(descriptor)
            return false
        }
    }

    private func place(_ descriptor: Int32, _ peer: PeerAddress, _ handedOut: inout [[Mail]]) {
        guard core.openConnections < configuration.connectionLimit else {
            refuse(descriptor, peer)
            return
        }
        core.connections.enter()
        var best = 0
        var fewest = Int.max
        for (index, port) in core.ports.enumerated() {
            let open = port.counters.open.load(ordering: .relaxed)
            if open < fewest { (best, fewest) = (index, open) }
        }
        // Counted at once, so that the next choice sees it.
        core.ports[best].counters.open.add(1, ordering: .relaxed)
        if core.ports[best] === port {
            adopt(descriptor, peer)
        } else {
            handedOut[best].append(.adopt(descriptor, peer))
        }
    }

    /// Makes an accepted descriptor a connection of this loop.
    func adopt(_ descriptor: Int32, _ peer: PeerAddress) {
        guard let connection = register(descriptor, peer, .reading) else { return }
        settle(connection)
    }

    private func register(_ descriptor: Int32, _ peer: PeerAddress, _ phase: Connection.Phase) -> Connection? {
        lastGeneration = lastGeneration == .max ? 1 : lastGeneration + 1
        let token = ConnectionToken(descriptor: descriptor, generation: lastGeneration)
        do {
            try System.watch(port.epoll, descriptor, .input, data: token.eventData)
        } catch {
            configuration.onEvent(.acceptFailed(error))
            System.close(descriptor)
            forget()
            return nil
        }
        let parser = RequestParser(limits: configuration.limits, bodyLimit: configuration.bodyLimit)
        let connection = Connection(token: token, peer: peer, phase: phase, parser: parser)
        while connections.count <= Int(descriptor) { connections.append(nil) }
        connections[Int(descriptor)] = connection
        return connection
    }

    /// Answers 503 to a connection over the limit. A few such connections may linger, so that their clients read it.
    private func refuse(_ descriptor: Int32, _ peer: PeerAddress) {
        counters.refused.add()
        counters.addFailure(503)
        configuration.onEvent(.connectionLimitReached)
        let lingering = 128
        guard core.openConnections < configuration.connectionLimit + lingering else {
            System.close(descriptor)
            return
        }
        core.connections.enter()
        counters.open.add(1, ordering: .relaxed)
        guard let connection = register(descriptor, peer, .finishing) else { return }
        connection.form.persistence = .close
        let problem = HTTPProblem(status: 503, detail: "The server has as many connections as it may have.")
        finish(connection, configuration.problemResponse(problem))
        settle(connection)
    }

    private func restListener(_ descriptor: Int32) {
        try? System.unwatch(port.epoll, descriptor)
        listener = .resting(descriptor, until: now + configuration.acceptPauseMilliseconds)
    }

    /// Watches a rested listener again.
    func wakeListener() {
        guard case .resting(let descriptor, let until) = listener, until <= now else { return }
        do {
            try watchListener(descriptor)
        } catch {
            listener = .resting(descriptor, until: now + configuration.acceptPauseMilliseconds)
        }
    }

    func closeListener() {
        switch listener {
        case .none: break
        case .listening(let descriptor), .resting(let descriptor, _): System.close(descriptor)
        }
        listener = .none
    }

    /// Stops accepting. Who is in the queue is still accepted; who waits for nothing is let go.
    func drain() {
        guard stage == .serving else { return }
        for _ in 0...Int(configuration.backlog) / configuration.acceptsPerTurn { acceptConnections() }
        closeListener()
        stage = .draining
        for case let connection? in connections where connection.phase == .reading {
            if connection.wait == .idle { connection.wait = .unsettled }
            settle(connection)
        }
    }

    /// One connection less, of this loop.
    func forget() {
        counters.open.subtract(1, ordering: .relaxed)
        core.connections.leave()
    }
}
