// Answers that come later, from other threads, in boxes and batches, or not at all.

import Dispatch
import Synchronization
import Testing

@testable import HTTP

@Suite struct ServerDeferredTests {
    private func handler(_ inbox: Inbox) -> HTTPHandler {
        { request, responder in
            if request.path.first?.name == "later" {
                inbox.put(PendingAnswer(responder))
            } else {
                echo(request, responder)
            }
        }
    }

    @Test func `A deferred answer keeps its place among pipelined requests`() throws {
        let inbox = Inbox()
        try withServer(handler: handler(inbox)) { _, port in
            let client = try RawClient(port)
            try client.send(
                ["/1", "/later", "/2", "/later", "/3"].map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            #expect(try client.receiveText() == "GET /1 ")
            for place in 1...2 {
                // What is sent meanwhile waits as well.
                if place == 1 { try client.send("GET /4 HTTP/1.1\r\nHost: a\r\n\r\n") }
                for answer in try inbox.take(1) { answer.send(.text(200, "later \(place)")) }
                #expect(try client.receiveText() == "later \(place)")
                #expect(try client.receiveText() == "GET /\(place + 1) ")
            }
            #expect(try client.receiveText() == "GET /4 ")
        }
    }

    @Test func `A parked connection with unread input does not spin`() throws {
        let inbox = Inbox()
        try withServer(handler: handler(inbox)) { server, port in
            let client = try RawClient(port)
            try client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try inbox.take(1)[0]
            try client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            let before = server.counters.waitCalls
            pause(milliseconds: 300)
            #expect(server.counters.waitCalls - before < 10)
            answer.send(.text(200, "1"))
            #expect(try client.receiveText() == "1")
            #expect(try client.receiveText() == "GET /2 ")
        }
    }

    @Test(arguments: [1, 2])
    func `A batch answers many connections`(_ loopCount: Int) throws {
        let inbox = Inbox()
        try withServer({ $0.loopCount = loopCount }, handler: handler(inbox)) { server, port in
            let clients = try (0..<40).map { _ in
                try ClientConnection(host: "127.0.0.1", port: port, timeoutMilliseconds: 20_000)
            }
            for client in clients { try client.write(Array("GET /later HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) }
            var batch = AnswerBatch()
            for answer in try inbox.take(40) { batch.add(answer, .text(200, "batched")) }
            let before = server.counters.waitCalls
            batch.send()
            for client in clients {
                #expect(try client.readResponse(to: .get).0.body == Array("batched".utf8))
            }
            #expect(server.counters.waitCalls - before <= UInt64(2 * loopCount))
        }
    }

    @Test func `A dropped batch and a reused one are sent`() throws {
        let inbox = Inbox()
        try withServer(handler: handler(inbox)) { _, port in
            let client = try RawClient(port)
            try client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\n")
            do {
                var batch = AnswerBatch()
                batch.add(try inbox.take(1)[0], .text(200, "1"))
                batch.send()
                #expect(try client.receiveText() == "1")
                batch.add(try inbox.take(1)[0], .text(200, "2"))
            }
            #expect(try client.receiveText() == "2")
        }
    }

    @Test func `A request nobody answers is answered with 500 and counted`() throws {
        let events = Mutex<[HTTPEvent]>([])
        let inbox = Inbox()
        try withServer(
            { $0.onEvent = { event in events.withLock { $0.append(event) } } },
            handler: { request, responder in
                // At once for one path, by the box for the other.
                if request.path.first?.name == "later" { inbox.put(PendingAnswer(responder)) }
            }
        ) { server, port in
            let client = try RawClient(port)
            try client.send("GET /now HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.receive().status == 500)
            try client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try inbox.take(1)
            #expect(try client.receive().status == 500)
            #expect(server.counters.unansweredRequests == 2)
            #expect(events.withLock { $0 } == [.unansweredRequest, .unansweredRequest])
        }
    }

    @Test func `A box answers once`() throws {
        let received = Mutex<[String]>([])
        let answer = PendingAnswer(
            Responder { response in received.withLock { $0.append(response.status.description) } })
        #expect(answer.send(HTTPResponse(200)))
        #expect(!answer.send(HTTPResponse(201)))
        #expect(received.withLock { $0 } == ["200"])
    }

    @Test func `An answer for a client that is gone is nobody's`() throws {
        let inbox = Inbox()
        try withServer(handler: handler(inbox)) { server, port in
            do {
                let client = try RawClient(port)
                try client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
                try client.resetOnClose()
                inbox.put(try inbox.take(1)[0])
            }
            #expect(eventually { server.counters.openConnections == 0 })
            // One of the next connections has the same descriptor, waits as well, and must not have the answer.
            let stale = try inbox.take(1)
            let next = try (0..<8).map { _ in
                try ClientConnection(host: "127.0.0.1", port: port, timeoutMilliseconds: 20_000)
            }
            for client in next { try client.write(Array("GET /later HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) }
            let answers = try inbox.take(8)
            for answer in stale { answer.send(.text(200, "stale")) }
            for answer in answers { answer.send(.text(200, "fresh")) }
            for client in next {
                #expect(try client.readResponse(to: .get).0.body == Array("fresh".utf8))
            }
        }
    }

    @Test func `Answers from many threads all arrive`() throws {
        try withServer(
            { $0.loopCount = 2 },
            handler: { request, responder in
                let answer = PendingAnswer(responder)
                let text = request.target
                DispatchQueue.global().async { answer.send(.text(200, text)) }
            }
        ) { server, port in
            let failures = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 8) { worker in
                let client = HTTPClient(host: "127.0.0.1", port: port)
                for number in 0..<100 {
                    let text = (try? client.send(.get, "/\(worker)/\(number)")).map {
                        String(decoding: $0.body, as: UTF8.self)
                    }
                    if text != "/\(worker)/\(number)" { failures.withLock { $0.append(text ?? "nothing") } }
                }
            }
            #expect(failures.withLock { $0 } == [])
            #expect(server.counters.requests == 800)
            #expect(server.counters.responses == 800)
        }
    }
}
