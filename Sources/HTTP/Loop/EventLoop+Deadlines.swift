// Deadlines: what each connection waits for, until when, and what happens then. After every turn a connection is settled: its
// interest and its deadline follow from where it stands. It knows no octets.

extension EventLoop {
    /// Makes interest and deadline follow from the connection's state.
    func settle(_ connection: Connection) {
        guard connection.output.isEmpty else {
            setInterest(connection, .output)
            expect(connection, .write, within: configuration.writeTimeoutMilliseconds)
            return
        }
        switch connection.phase {
        case .closed: break
        case .parked:
            if connection.interest == .output { setInterest(connection, .input) }
            expect(connection, .answer, within: nil)
        case .finishing, .lingering:
            setInterest(connection, .input)
            expect(connection, .linger, within: configuration.lingerTimeoutMilliseconds)
        case .reading:
            setInterest(connection, .input)
            settleReading(connection)
        }
    }

    private func settleReading(_ connection: Connection) {
        switch connection.parser.progress {
        case .idle where connection.hasLeftover:
            expect(connection, .head, within: configuration.headTimeoutMilliseconds)
        case .idle:
            if stage == .draining, !System.isReadable(connection.token.descriptor) {
                drop(connection)
            } else {
                expect(connection, .idle, within: configuration.idleTimeoutMilliseconds)
            }
        case .head: expect(connection, .head, within: configuration.headTimeoutMilliseconds)
        case .body: expect(connection, .body, within: configuration.bodyTimeoutMilliseconds)
        }
    }

    /// Sets the deadline when the connection begins to wait for something else than before.
    private func expect(_ connection: Connection, _ wait: Connection.Wait, within milliseconds: UInt64?) {
        guard connection.wait != wait else { return }
        connection.wait = wait
        connection.deadline = milliseconds.map { now + $0 } ?? .max
        if DeadlineWheel.tick(of: connection.deadline) < connection.wheelTick {
            connection.wheelTick = wheel.insert(connection.token, deadline: connection.deadline)
        }
    }

    func expireDeadlines() {
        wakeListener()
        dueEntries.removeAll(keepingCapacity: true)
        wheel.expire(now: now, into: &dueEntries)
        for entry in dueEntries {
            guard let connection = connection(entry.token), connection.wheelTick == entry.tick else { continue }
            connection.wheelTick = .max
            if connection.deadline <= now {
                timeOut(connection)
            } else if connection.deadline != .max {
                connection.wheelTick = wheel.insert(entry.token, deadline: connection.deadline)
            }
        }
    }

    private func timeOut(_ connection: Connection) {
        switch connection.wait {
        case .unsettled, .answer:
            break
        case .idle, .linger:
            drop(connection)
        case .write:
            counters.stalledWrites.add()
            drop(connection)
        case .head:
            refuse(connection, RequestFailure(408, "The request's head did not arrive in time."))
            settle(connection)
        case .body:
            refuse(connection, RequestFailure(408, "The request's body did not arrive in time."))
            settle(connection)
        }
    }
}
