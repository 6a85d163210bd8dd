// Deadlines, shortened: what a slow client is told, and that nobody else waits for it.

import Testing

@testable import HTTP

@Suite struct ServerDeadlineTests {
    private func short(_ configuration: inout HTTPConfiguration) {
        configuration.headTimeoutMilliseconds = 150
        configuration.bodyTimeoutMilliseconds = 150
        configuration.idleTimeoutMilliseconds = 150
        configuration.writeTimeoutMilliseconds = 150
        configuration.lingerTimeoutMilliseconds = 150
    }

    @Test func `A head that does not end is answered with 408`() throws {
        try withServer(short, handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHos")
            let text = try client.receiveToEnd()
            #expect(text.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            #expect(text.contains("head did not arrive"))
            #expect(server.counters.failures == [408: 1])
        }
    }

    @Test func `A trickling head does not put its deadline off`() throws {
        try withServer(short, handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\n")
            for _ in 0..<40 {
                do { try client.send("A: b\r\n") } catch { break }
                pause(milliseconds: 20)
            }
            // The last octets may have met a closed socket, which then resets; what matters is that it ended.
            #expect((try? client.receiveToEnd()) != nil)
        }
    }

    @Test func `A body that does not end is answered with 408`() throws {
        try withServer(short, handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
            #expect(try client.receiveToEnd().contains("body did not arrive"))
        }
    }

    @Test func `An idle connection is closed without a word`() throws {
        try withServer(short, handler: echo) { server, port in
            let client = try RawClient(port)
            #expect(try client.receiveToEnd().isEmpty)
            let used = try RawClient(port)
            try used.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try used.receiveText() == "GET / ")
            #expect(try used.receiveToEnd().isEmpty)
            #expect(server.counters.failures == [:])
        }
    }

    @Test func `A client that takes nothing is closed, and blocks nobody`() throws {
        let large = [UInt8](repeating: 0x61, count: 32 << 20)
        try withServer(
            {
                short(&$0)
                $0.idleTimeoutMilliseconds = 20_000
            },
            handler: { request, responder in
                responder.send(request.path.isEmpty ? HTTPResponse(200, body: large) : .text(200, "small"))
            }
        ) { server, port in
            let stalled = try RawClient(port)
            try stalled.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let other = try RawClient(port)
            for _ in 0..<10 {
                try other.send("GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try other.receiveText() == "small")
            }
            #expect(eventually { server.counters.stalledWrites == 1 })
            _ = consume stalled
        }
    }

    @Test func `A deadline that moves later costs no second entry and one that moves earlier is kept`() {
        var wheel = DeadlineWheel(now: 1000)
        let token = ConnectionToken(descriptor: 5, generation: 1)
        let late = wheel.insert(token, deadline: 500_000)
        let early = wheel.insert(token, deadline: 1200)
        #expect(early < late)
        #expect(wheel.wait(now: 1000)! <= 300)
        var due: [DeadlineWheel.Entry] = []
        wheel.expire(now: 1100, into: &due)
        #expect(due.isEmpty)
        wheel.expire(now: 1300, into: &due)
        #expect(due.map(\.tick) == [early])
        due = []
        wheel.expire(now: 900_000, into: &due)
        #expect(due.map(\.tick) == [late])
        #expect(wheel.wait(now: 900_000) == nil)
    }
}
