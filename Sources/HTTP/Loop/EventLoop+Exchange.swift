// The exchange: octets in, requests to the handler, answers into the output buffer, in the order of the requests.
// A request whose answer is deferred parks its connection; what follows it waits unparsed. It knows no deadlines in detail.

import Synchronization

extension EventLoop {
    /// Output that is sent before more requests of the same turn are read.
    private var outputHighWaterBytes: Int { 64 * 1024 }

    func handle(_ connection: Connection, isBroken: Bool, _ scratch: inout [UInt8]) {
        guard connection.output.isEmpty else {
            if isBroken { drop(connection) } else { sendPending(connection) }
            return
        }
        switch connection.phase {
        case .reading:
            if connection.hasLeftover { resume(connection) } else { receive(connection, &scratch) }
        case .parked:
            // Readable all the while, so it would be reported again and again.
            if isBroken { drop(connection) } else { setInterest(connection, .nothing) }
        case .lingering(let budget):
            discard(connection, budget, &scratch)
        case .finishing, .closed:
            drop(connection)
        }
    }

    private func receive(_ connection: Connection, _ scratch: inout [UInt8]) {
        counters.receiveCalls.add()
        switch System.receive(connection.token.descriptor, &scratch) {
        case .moved(let count):
            counters.receivedBytes.add(count)
            let consumed = process(connection, scratch.span.extracting(0..<count))
            limitBodies(connection)
            if consumed < count, connection.phase != .closed {
                connection.leftover = scratch.span.array(consumed..<count)
                connection.leftoverStart = 0
            }
            settle(connection)
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            // Every whole request has been handed over; a partial one never will be.
            drop(connection)
        }
    }

    /// Goes on with the input that waited.
    func resume(_ connection: Connection) {
        guard connection.phase == .reading, connection.output.isEmpty, connection.hasLeftover else { return }
        let bytes = connection.leftover
        let start = connection.leftoverStart
        connection.leftover = []
        connection.leftoverStart = 0
        let consumed = process(connection, bytes.span.extracting(start..<bytes.count))
        if start + consumed < bytes.count, connection.phase != .closed {
            connection.leftover = bytes
            connection.leftoverStart = start + consumed
        }
        settle(connection)
    }

    /// Parses and answers as far as may be now; gives the number of octets that need not be seen again.
    private func process(_ connection: Connection, _ input: Span<UInt8>) -> Int {
        var offset = 0
        var turns = configuration.requestsPerTurn
        while offset < input.count, connection.phase == .reading, connection.output.isEmpty {
            guard turns > 0 else {
                continuations.append(connection.token)
                break
            }
            switch connection.parser.parse(input.extracting(offset..<input.count)) {
            case .needsMore:
                offset = input.count
                if connection.parser.takeInterim() { writer.writeContinue() }
            case .request(let request, let consumed):
                offset += consumed
                turns -= 1
                ask(connection, request)
                if writer.output.count > outputHighWaterBytes { flush(connection, nil) }
            case .failure(let failure):
                offset = input.count
                refuse(connection, failure)
            }
        }
        flush(connection, nil)
        return offset
    }

    /// Counts what is kept of an unfinished body, and refuses it when all bodies together are too much.
    private func limitBodies(_ connection: Connection) {
        let count = connection.parser.bufferedBodyBytes
        guard count > 0 || connection.countedBodyBytes > 0 else { return }
        let total = countBody(connection, count)
        guard count > 0, total > configuration.bufferedBodyBytes, connection.phase == .reading else { return }
        connection.parser = RequestParser(limits: configuration.limits)
        countBody(connection, 0)
        refuse(connection, RequestFailure(503, "Too many bodies are being received; try again in a moment."))
    }

    /// Makes the server's count of unfinished bodies say `count` for this connection; gives the sum of all.
    @discardableResult
    func countBody(_ connection: Connection, _ count: Int) -> Int {
        let change = count - connection.countedBodyBytes
        connection.countedBodyBytes = count
        return core.bufferedBodyBytes.add(change, ordering: .relaxed).newValue
    }

    /// Hands a request to the handler; writes its answer, or parks the connection.
    private func ask(_ connection: Connection, _ request: HTTPRequest) {
        counters.requests.add()
        connection.wait = .unsettled
        connection.form = AnswerForm(
            isHead: request.method == .head, version: request.version, persistence: request.persistence)
        var request = request
        request.peer = connection.peer
        port.openSlot(connection.token)
        core.handler(request, Responder(port: port, token: connection.token))
        guard let response = port.closeSlot() else {
            connection.phase = .parked
            return
        }
        answer(connection, response)
    }

    /// Answers what the parser refused; nothing of the connection is parsed after that.
    func refuse(_ connection: Connection, _ failure: RequestFailure) {
        counters.addFailure(failure.status)
        connection.form = AnswerForm(isHead: false, version: .http11, persistence: .close)
        let problem = HTTPProblem(status: failure.status, detail: failure.detail)
        finish(connection, configuration.problemResponse(problem))
    }

    /// Writes the last answer of a connection.
    func finish(_ connection: Connection, _ response: HTTPResponse) {
        connection.form.persistence = .close
        answer(connection, response)
    }

    /// A deferred answer has come.
    func takeAnswer(_ token: ConnectionToken, _ response: HTTPResponse) {
        guard let connection = connection(token), connection.phase == .parked else { return }
        connection.phase = .reading
        connection.wait = .unsettled
        answer(connection, response)
        flush(connection, nil)
        resume(connection)
        settle(connection)
    }

    /// Writes an answer into the loop's buffer. A long body and a last answer are sent at once.
    private func answer(_ connection: Connection, _ response: HTTPResponse) {
        var response = response
        if case .omitted = response.content, !connection.form.isHead, !response.status.hasNoContent {
            configuration.onEvent(.omittedBody)
            let problem = HTTPProblem(status: 500, detail: "The service made no body for this answer.")
            response = configuration.problemResponse(problem)
        }
        if stage == .draining { connection.form.persistence = .close }
        counters.responses.add()
        let tail = writer.write(response, connection.form)
        if connection.form.persistence == .close { connection.phase = .finishing }
        if tail != nil || connection.phase == .finishing { flush(connection, tail) }
    }
}
