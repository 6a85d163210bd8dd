// Exchanges over real sockets: framing on the wire, order, interim answers, half-closed clients.

import Testing

@testable import HTTP

@Suite struct ServerExchangeTests {
    @Test func `A connection carries one request after another`() throws {
        try withServer(handler: echo) { server, port in
            let client = try RawClient(port)
            for number in 0..<3 {
                try client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.receiveText() == "GET /\(number) ")
            }
            #expect(server.counters.acceptedConnections == 1)
            #expect(server.counters.requests == 3)
        }
    }

    @Test func `Pipelined requests are answered in order by one send`() throws {
        try withServer(handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send((0..<20).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for number in 0..<20 { #expect(try client.receiveText() == "GET /\(number) ") }
            #expect(server.counters.sendCalls == 1)
            #expect(server.counters.receiveCalls == 1)
        }
    }

    @Test func `More requests than one turn allows are all answered`() throws {
        try withServer({ $0.requestsPerTurn = 3 }, handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send((0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for number in 0..<50 { #expect(try client.receiveText() == "GET /\(number) ") }
            #expect(server.counters.sendCalls >= 17)
        }
    }

    @Test func `HEAD is answered with the length and without the body`() throws {
        try withServer(handler: { request, responder in
            responder.send(request.path.isEmpty ? .text(200, "hello") : HTTPResponse(200, bodyCount: 12))
        }) { _, port in
            let client = try RawClient(port)
            try client.send(
                "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
            )
            #expect(try client.receive(to: .head).field("content-length") == "5")
            #expect(try client.receive(to: .head).field("content-length") == "12")
            #expect(try client.receiveText() == "hello")
        }
    }

    @Test func `A body that was left out where one is owed is a 500`() throws {
        try withServer(handler: { $1.send(HTTPResponse(200, bodyCount: 5)) }) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.receive().status == 500)
        }
    }

    @Test func `An answer has its fields, and no value breaks out of its line`() throws {
        try withServer(handler: { _, responder in
            var response = HTTPResponse(200, contentType: "text/plain", body: Array("a".utf8))
            response.add("ETag", "\"7\"")
            response.add("X-Evil", "a\r\nX-Injected: b\u{00}")
            response.add("content-length", "99")
            responder.send(response)
        }) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.receive()
            #expect(response.fields.map(\.name) == ["Date", "Content-Type", "Content-Length", "ETag", "X-Evil"])
            #expect(response.field("etag") == "\"7\"")
            #expect(response.field("x-evil") == "a  X-Injected: b ")
        }
    }

    @Test(arguments: [204, 304] as [HTTPStatus])
    func `A status without content has neither length nor body`(_ status: HTTPStatus) throws {
        try withServer(handler: { $1.send(HTTPResponse(status, body: Array("no".utf8))) }) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let text = try client.receiveToEnd()
            #expect(!text.contains("Content-Length"))
            #expect(text.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func `A chunked body arrives whole, however slowly`() throws {
        try withServer(handler: echo) { _, port in
            let client = try RawClient(port)
            for piece in [
                "POST / HTTP/1.1\r\nHo", "st: a\r\nTransfer-Encoding: chunked\r", "\n\r\n5\r\nhe", "llo\r\n", "0\r\n\r",
                "\n",
            ] {
                try client.send(piece)
            }
            #expect(try client.receiveText() == "POST / hello")
        }
    }

    @Test func `A client that asks is told to go on`() throws {
        try withServer(handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send(
                "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
            try client.waitForInput()
            try client.send("ok")
            let text = try client.receiveToEnd()
            #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
            #expect(text.hasSuffix("POST / ok"))
        }
    }

    @Test func `A body that is too long is refused before it is sent`() throws {
        try withServer(handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
            let text = try client.receiveToEnd()
            #expect(text.hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
            #expect(text.contains("\"type\":\"urn:berth:problem:content-too-large\""))
            #expect(server.counters.failures == [413: 1])
        }
    }

    @Test func `Bodies that are too much together are refused, and their room is given back`() throws {
        try withServer({ $0.bufferedBodyBytes = 300_000 }, handler: echo) { server, port in
            let first = try RawClient(port)
            let half = String(repeating: "x", count: 200_000)
            try first.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + half)
            #expect(eventually { server.counters.receivedBytes > 200_000 })
            let second = try RawClient(port)
            try second.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + half)
            #expect(try second.receiveToEnd().hasPrefix("HTTP/1.1 503 Service Unavailable"))
            first.endOutput()
            #expect(try first.receiveToEnd().isEmpty)
            let third = try RawClient(port)
            try third.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + half)
            #expect(try third.receive().status == 200)
        }
    }

    @Test func `A refusal can be read although much more was sent`() throws {
        try withServer(handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nbroken\r\n" + String(repeating: "x", count: 200_000))
            try client.waitForInput()
            // A closed socket would answer the first of these with a reset, and the next could not be sent.
            for _ in 0..<3 {
                try client.send(String(repeating: "x", count: 200_000))
                pause(milliseconds: 20)
            }
            let text = try client.receiveToEnd()
            #expect(text.contains("HTTP/1.1 200 OK"))
            #expect(text.contains("HTTP/1.1 400 Bad Request"))
            #expect(text.contains("Connection: close"))
            #expect(server.counters.requests == 1)
        }
    }

    @Test func `A problem has the body that the hook makes`() throws {
        try withServer({ $0.problemResponse = { .text($0.status, "own: \($0.detail)") } }, handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\n\r\n")
            #expect(try client.receiveText() == "own: The Host field is missing.")
        }
    }

    @Test func `HTTP 1.0 closes unless asked to stay`() throws {
        try withServer(handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let kept = try client.receive()
            #expect(kept.field("connection") == "keep-alive")
            try client.send("GET /b HTTP/1.0\r\n\r\n")
            #expect(try client.receiveToEnd().hasSuffix("GET /b "))
        }
    }

    @Test func `A client that ends its side behind a whole request is answered`() throws {
        try withServer(handler: echo) { _, port in
            let client = try RawClient(port)
            try client.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
            client.endOutput()
            #expect(try client.receiveToEnd().hasSuffix("GET /half "))
        }
    }

    @Test func `A client that ends its side before the body's end reaches no handler`() throws {
        try withServer(handler: echo) { server, port in
            let client = try RawClient(port)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
            client.endOutput()
            #expect(try client.receiveToEnd().isEmpty)
            #expect(server.counters.requests == 0)
        }
    }

    @Test func `A handler sees its peer`() throws {
        try withServer(handler: { $1.send(.text(200, $0.peer.host)) }) { _, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.receiveText() == "127.0.0.1")
        }
    }

    @Test func `The date is written as RFC 9110 wants it`() {
        #expect(DateField.text(secondsSinceEpoch: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(DateField.text(secondsSinceEpoch: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(DateField.text(secondsSinceEpoch: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    }
}
