// The small client against our own server and against scripted answers.

import Dispatch
import Glibc
import Testing

@testable import HTTP

@Suite struct ClientTests {
    @Test func `A client keeps its connection`() throws {
        try withServer(handler: echo) { server, port in
            let client = try HTTPClient(url: "http://127.0.0.1:\(port)/")
            #expect(try client.send(.post, "/a", body: Array("b".utf8)).body == Array("POST /a b".utf8))
            #expect(try client.send(.get, "/c").body == Array("GET /c ".utf8))
            #expect(try client.send(.head, "/c").body.isEmpty)
            #expect(try client.status(.delete, "/d") == 200)
            #expect(server.counters.acceptedConnections == 1)
        }
    }

    @Test func `A client connects again when the server has closed`() throws {
        try withServer({ $0.idleTimeoutMilliseconds = 60 }, handler: echo) { server, port in
            let client = HTTPClient(host: "127.0.0.1", port: port)
            let first = try client.status(.post, "/")
            #expect(first == 200)
            #expect(eventually { server.counters.openConnections == 0 })
            #expect(try client.status(.post, "/") == 200)
            #expect(server.counters.acceptedConnections == 2)
        }
    }

    @Test func `A server that does not answer is a timeout`() throws {
        let inbox = Inbox()
        try withServer(handler: { inbox.put(PendingAnswer($1)) }) { _, port in
            let client = HTTPClient(host: "127.0.0.1", port: port, timeoutMilliseconds: 100)
            #expect(throws: HTTPClientError.timedOut) { try client.send(.get, "/") }
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n", "hello!"),
        ("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ])
    func `A client reads every framing of an answer`(_ answer: String, _ body: String) throws {
        let response = try exchange(answer)
        #expect(String(decoding: response.body, as: UTF8.self) == body)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200 OK\r\nA", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ])
    func `A broken answer is an error`(_ answer: String) {
        #expect(throws: HTTPClientError.self) { try exchange(answer) }
    }

    @Test(arguments: ["https://a", "a:80", "http://", "http://a:b", "http://a/b", "http://u@a"])
    func `A URL that is more than a host and a port is refused`(_ url: String) {
        #expect(throws: HTTPClientError.malformedURL(url)) { try HTTPClient(url: url) }
    }

    /// One exchange with a server that answers with a script.
    private func exchange(_ answer: String) throws -> HTTPClientResponse {
        let (listener, port) = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        let isDone = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            var request = [UInt8](repeating: 0, count: 4096)
            for _ in 0..<4000 {
                if case .accepted(let descriptor, _) = System.accept(listener) {
                    while case .wouldBlock = System.receive(descriptor, &request) { usleep(1000) }
                    _ = System.send(descriptor, Array(answer.utf8).span)
                    System.close(descriptor)
                    break
                }
                usleep(2000)
            }
            System.close(listener)
            isDone.signal()
        }
        defer { isDone.wait() }
        return try HTTPClient(host: "127.0.0.1", port: port).send(.get, "/")
    }
}
