// Output and endings: one send for all answers of a turn, the rest kept until the socket takes it, the last answer followed by
// a lingering close (RFC 9112 section 9.6). It knows no requests.

extension EventLoop {
    /// Sends the loop's buffer, then the long body behind it. What the socket does not take is kept; the connection waits for
    /// room and reads nothing meanwhile.
    func flush(_ connection: Connection, _ tail: [UInt8]?) {
        defer { writer.output.removeAll(keepingCapacity: true) }
        guard connection.phase != .closed else { return }
        guard connection.output.isEmpty else {
            // Blocked already: an answer that came while an earlier one was still on its way.
            if !writer.output.isEmpty { connection.output.append(writer.output) }
            if let tail { connection.output.append(tail) }
            return
        }
        if !writer.output.isEmpty {
            guard let sent = send(connection, writer.output.span, hasMore: tail != nil) else { return }
            if sent < writer.output.count {
                connection.output = [writer.output.span.array(sent..<writer.output.count)]
                if let tail { connection.output.append(tail) }
                return
            }
        }
        if let tail {
            guard let sent = send(connection, tail.span) else { return }
            if sent < tail.count {
                connection.output = [tail]
                connection.outputStart = sent
                return
            }
        }
        if connection.phase == .finishing { linger(connection) }
    }

    /// The socket has room again: one send, then others have their turn.
    func sendPending(_ connection: Connection) {
        let first = connection.output[0]
        let start = connection.outputStart
        guard let sent = send(connection, first.span.extracting(start..<first.count)) else { return }
        if sent > 0 { connection.wait = .unsettled }
        connection.outputStart += sent
        if connection.outputStart == first.count {
            connection.output.removeFirst()
            connection.outputStart = 0
        }
        if connection.output.isEmpty {
            if connection.phase == .finishing { linger(connection) }
            resume(connection)
        }
        settle(connection)
    }

    /// The octets the socket took; nil where the connection is gone.
    private func send(_ connection: Connection, _ bytes: Span<UInt8>, hasMore: Bool = false) -> Int? {
        counters.sendCalls.add()
        switch System.send(connection.token.descriptor, bytes, hasMore: hasMore) {
        case .moved(let count):
            counters.sentBytes.add(count)
            return count
        case .wouldBlock:
            return 0
        case .endOfStream, .failed:
            drop(connection)
            return nil
        }
    }

    /// Ends our side, and lets the client read what it was sent: closing at once with input unread would reset the
    /// connection and take the last answer from the client.
    private func linger(_ connection: Connection) {
        System.shutdownOutput(connection.token.descriptor)
        connection.phase = .lingering(budget: configuration.lingerBytes)
        connection.leftover = []
        connection.leftoverStart = 0
        connection.wait = .unsettled
    }

    /// Drops what a lingering connection still sends.
    func discard(_ connection: Connection, _ budget: Int, _ scratch: inout [UInt8]) {
        counters.receiveCalls.add()
        switch System.receive(connection.token.descriptor, &scratch) {
        case .moved(let count) where count <= budget:
            connection.phase = .lingering(budget: budget - count)
        case .wouldBlock:
            break
        case .moved, .endOfStream, .failed:
            drop(connection)
        }
    }

    /// Closes a connection and forgets it; its token is worth nothing from here on.
    func drop(_ connection: Connection) {
        guard connection.phase != .closed else { return }
        connection.phase = .closed
        if connection.countedBodyBytes > 0 { countBody(connection, 0) }
        connections[Int(connection.token.descriptor)] = nil
        System.close(connection.token.descriptor)
        forget()
    }

    /// Watches for what the connection needs; the kernel is told only of a change.
    func setInterest(_ connection: Connection, _ interest: System.Interest) {
        guard connection.interest != interest else { return }
        do {
            try System.rewatch(
                port.epoll, connection.token.descriptor, interest, data: connection.token.eventData)
            connection.interest = interest
        } catch {
            drop(connection)
        }
    }
}
