// The server's life: starting, draining, stopping, and its limits of connections and descriptors.

import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

@Suite struct ServerLifeTests {
    @Test func `A port in use is said in words`() throws {
        try withServer(handler: echo) { _, port in
            var configuration = HTTPConfiguration()
            configuration.port = port
            let second = HTTPServer(configuration, handler: echo)
            #expect(throws: HTTPServerError.addressInUse(host: "127.0.0.1", port: port)) { try second.start() }
        }
    }

    @Test func `A host without address and an address of another machine are told apart`() {
        var configuration = HTTPConfiguration()
        configuration.host = "192.0.2.1"
        #expect(throws: HTTPServerError.addressNotAvailable(host: "192.0.2.1")) {
            try HTTPServer(configuration, handler: echo).start()
        }
        configuration.host = "no such host"
        #expect(throws: HTTPServerError.unknownHost("no such host")) {
            try HTTPServer(configuration, handler: echo).start()
        }
    }

    @Test func `A server listens on version 6 too`() throws {
        do {
            try withServer({ $0.host = "::1" }, handler: { $1.send(.text(200, $0.peer.host)) }) { _, port in
                let client = HTTPClient(host: "::1", port: port)
                let response = try client.send(.get, "/")
                #expect(response.body == Array("0:0:0:0:0:0:0:1".utf8))
            }
        } catch HTTPServerError.addressNotAvailable, HTTPServerError.system {
            // A machine without IPv6 has nothing to show here.
        }
    }

    @Test func `A server starts once`() throws {
        try withServer(handler: echo) { server, _ in
            #expect(throws: HTTPServerError.startedBefore) { try server.start() }
        }
    }

    @Test func `Draining closes the idle, answers what is in flight, and lets nobody in`() throws {
        let inbox = Inbox()
        try withServer({ $0.loopCount = 2 }, handler: { inbox.put(PendingAnswer($1)) }) { server, port in
            let idle = try RawClient(port)
            let busy = try RawClient(port)
            let partial = try RawClient(port)
            try partial.send("GET /partial HT")
            try busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try inbox.take(1)[0]
            #expect(eventually { server.counters.receiveCalls == 2 })
            server.stopAccepting()
            #expect(try idle.receiveToEnd().isEmpty)
            #expect(throws: HTTPClientError.self) { _ = try RawClient(port) }
            #expect(!server.waitUntilDrained(timeoutMilliseconds: 50))
            answer.send(.text(200, "late"))
            #expect(try busy.receiveToEnd().contains("Connection: close\r\n\r\nlate"))
            try partial.send("TP/1.1\r\nHost: a\r\n\r\n")
            try inbox.take(1)[0].send(.text(200, "last"))
            #expect(try partial.receiveToEnd().contains("Connection: close\r\n\r\nlast"))
            _ = consume idle
            _ = consume busy
            _ = consume partial
            #expect(server.waitUntilDrained(timeoutMilliseconds: 20_000))
            #expect(server.counters.openConnections == 0)
        }
    }

    @Test func `Stopping closes every connection and can be done twice`() throws {
        let inbox = Inbox()
        try withServer(handler: { inbox.put(PendingAnswer($1)) }) { server, port in
            let client = try RawClient(port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answers = try inbox.take(1)
            server.stop()
            server.stop()
            #expect(try client.receiveToEnd().isEmpty)
            #expect(server.port == nil)
            answers[0].send(.text(200, "to nobody"))
        }
    }

    @Test func `One connection too many is answered with 503`() throws {
        try withServer({ $0.connectionLimit = 2 }, handler: echo) { server, port in
            let first = try RawClient(port)
            let second = try RawClient(port)
            #expect(eventually { server.counters.openConnections == 2 })
            let third = try RawClient(port)
            #expect(try third.receiveToEnd().hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(server.counters.refusedConnections == 1)
            try first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try first.receiveText() == "GET / ")
            _ = consume first
            _ = consume second
            _ = consume third
            #expect(eventually { server.counters.openConnections == 0 })
            let later = try RawClient(port)
            try later.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try later.receiveText() == "GET / ")
        }
    }

    @Test func `A long answer arrives whole`() throws {
        let large = (0..<(24 << 20)).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        let inbox = Inbox()
        try withServer(handler: { request, responder in
            if request.path.isEmpty {
                responder.send(HTTPResponse(200, body: large))
            } else {
                inbox.put(PendingAnswer(responder))
            }
        }) { _, port in
            let client = try RawClient(port)
            try client.send(
                "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
            )
            pause(milliseconds: 50)
            #expect(try client.receive().body == large)
            try inbox.take(1)[0].send(HTTPResponse(200, body: large))
            #expect(try client.receive().body == large)
            #expect(try client.receive().body == large)
        }
    }

    @Test func `Thousands of idle connections do not slow the others into failure`() throws {
        var limit = rlimit()
        unsafe _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = min(3000, Int(limit.rlim_cur) / 4)
        try withServer({ $0.loopCount = 2 }, handler: echo) { server, port in
            let idle = try (0..<count).map { _ in
                try ClientConnection(host: "127.0.0.1", port: port, timeoutMilliseconds: 20_000)
            }
            #expect(eventually { server.counters.openConnections == count })
            let client = HTTPClient(host: "127.0.0.1", port: port)
            for _ in 0..<100 { #expect(try client.status(.get, "/") == 200) }
            for connection in idle.suffix(10) {
                try connection.write(Array("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                #expect(try connection.readResponse(to: .get).0.status == 200)
            }
        }
    }

    /// libdispatch itself stops the process where it looks after its threads and finds no descriptor, which happens now and
    /// then on a busy machine; a service never comes there, for its connections leave some to the process.
    @Test func `A process without descriptors rests its listener and recovers`() async {
        var hasRecovered = false
        for _ in 0..<5 where !hasRecovered {
            await withKnownIssue("libdispatch found no descriptor", isIntermittent: true) {
                try await #require(processExitsWith: .success) {
                    var configuration = HTTPConfiguration()
                    configuration.loopCount = 1
                    let failed = Mutex(0)
                    configuration.onEvent = { event in
                        if case .acceptFailed = event { failed.withLock { $0 += 1 } }
                    }
                    let server = HTTPServer(configuration, handler: echo)
                    let port = try server.start()
                    // Every descriptor is taken, then as many are let go as the clients need, and none for the server.
                    var limit = rlimit(rlim_cur: 256, rlim_max: 256)
                    unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                    var fillers: [Int32] = []
                    while true {
                        let filler = dup(0)
                        if filler < 0 { break }
                        fillers.append(filler)
                    }
                    close(fillers.removeLast())
                    let client = try RawClient(port)
                    try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    guard eventually({ failed.withLock { $0 } > 0 }) else { exit(1) }
                    let before = server.counters.waitCalls
                    pause(milliseconds: 400)
                    guard server.counters.waitCalls - before < 60 else { exit(2) }
                    guard server.counters.acceptedConnections == 0 else { exit(3) }
                    for filler in fillers { close(filler) }
                    guard try client.receiveText() == "GET / " else { exit(4) }
                    exit(0)
                }
                hasRecovered = true
            }
        }
        #expect(hasRecovered)
    }
}
