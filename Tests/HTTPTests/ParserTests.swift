// What the parser makes of requests that are right.

import Testing

@testable import HTTP

@Suite struct ParserTests {
    @Test func `A request has its parts`() throws {
        let request = try request(
            "POST /v1/jobs/a%2Fb:start?x=1&y=a+b%20c&x=&z HTTP/1.1\r\nHost: a:80\r\nX-A:  b c \t\r\nx-a: d\r\n"
                + "Content-Length: 3\r\n\r\nabc")
        #expect(request.method == .post)
        #expect(request.version == .http11)
        #expect(request.target == "/v1/jobs/a%2Fb:start?x=1&y=a+b%20c&x=&z")
        #expect(
            request.path == [
                PathSegment(name: "v1"), PathSegment(name: "jobs"), PathSegment(name: "a/b", verb: "start"),
            ])
        #expect(
            request.query == [
                QueryItem(name: "x", value: "1"), QueryItem(name: "y", value: "a+b c"), QueryItem(name: "x", value: ""),
                QueryItem(name: "z", value: ""),
            ])
        #expect(request.fields["X-A"] == "b c")
        #expect(request.fields.values(of: "X-a") == ["b c", "d"])
        #expect(request.fields["absent"] == nil)
        #expect(request.body == Array("abc".utf8))
        #expect(request.persistence == .keepAlive)
    }

    @Test(
        arguments: [
            ("/", []), ("/a", ["a"]), ("/a/", ["a", ""]), ("//a", ["", "a"]), ("/a%3Ab", ["a:b"]),
            ("/%25%32%46", ["%2F"]),
            ("/...", ["..."]), ("/%C3%A4", ["ä"]), ("http://h", []), ("http://h:1/a?b", ["a"]), ("HTTPS://h?b", []),
        ] as [(String, [String])])
    func `A path decodes once, segment by segment`(_ target: String, _ names: [String]) throws {
        let request = try request("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(request.path.map(\.name) == names)
        #expect(request.path.allSatisfy { $0.verb == nil })
    }

    @Test func `A raw colon splits a verb off and an encoded one does not`() throws {
        let request = try request("GET /a:b/c%3Ad:e:f/: HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(
            request.path == [
                PathSegment(name: "a", verb: "b"), PathSegment(name: "c:d", verb: "e:f"),
                PathSegment(name: "", verb: ""),
            ])
    }

    @Test func `Chunks become one body and their trailers go`() throws {
        let request = try request(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=\"b\"\r\nabcde\r\n00A\r\n0123456789\r\n"
                + "000\r\nX: y\r\n\r\n")
        #expect(request.body == Array("abcde0123456789".utf8))
        #expect(request.fields["X"] == nil)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", Persistence.keepAlive), ("HTTP/1.1", "Connection: close\r\n", .close),
        ("HTTP/1.1", "Connection: keep-alive, CLOSE\r\n", .close), ("HTTP/1.0", "", .close),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", .keepAlive),
        ("HTTP/1.0", "Connection: close\r\nConnection: keep-alive\r\n", .close),
    ])
    func `A connection stays open when both want it`(
        _ version: String, _ field: String, _ persistence: Persistence
    ) throws {
        #expect(try request("GET / \(version)\r\nHost: a\r\n\(field)\r\n").persistence == persistence)
    }

    @Test func `HTTP 1.0 needs no host`() throws {
        #expect(try request("GET / HTTP/1.0\r\n\r\n").version == .http10)
    }

    @Test func `The asterisk is for the server`() throws {
        let request = try request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(request.isForServer)
        #expect(request.path.isEmpty)
    }

    @Test func `One blank line before a request is forgiven`() throws {
        #expect(try request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method == .get)
    }

    @Test func `What is as long as its limit is taken`() {
        var limits = RequestLimits()
        limits.requestLineBytes = "GET / HTTP/1.1".utf8.count
        limits.headerBytes = "Host: a\r\n\r\n".utf8.count
        limits.headerFields = 1
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(parse(text, limits: limits).requests.count == 1)
        limits.headerBytes -= 1
        #expect(parse(text, limits: limits).failure?.status == 431)
        limits.requestLineBytes -= 1
        #expect(parse(text, limits: limits).failure?.status == 414)
    }

    @Test func `A route may allow a longer body`() throws {
        let text = Array("POST /bulk HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n".utf8)
        var usual = RequestParser(limits: RequestLimits())
        guard case .failure = usual.parse(text.span) else {
            Issue.record("a long body was allowed")
            return
        }
        var larger = RequestParser(limits: RequestLimits()) { $1.first?.name == "bulk" ? 2_000_000 : nil }
        guard case .needsMore = larger.parse(text.span) else {
            Issue.record("a long body was refused")
            return
        }
    }

    @Test func `100 Continue is owed until the body comes`() {
        let head = Array("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n".utf8)
        var parser = RequestParser(limits: RequestLimits())
        _ = parser.parse(head.span.extracting(..<20))
        let early = parser.takeInterim()
        _ = parser.parse(head.span.extracting(20...))
        let whenDue = parser.takeInterim()
        let twice = parser.takeInterim()
        #expect([early, whenDue, twice] == [false, true, false])
    }
}
