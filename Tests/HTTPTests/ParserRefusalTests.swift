// What the parser must refuse, and with which status. A row is a whole stream; its last request is the refused one.

import Testing

@testable import HTTP

struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let status: HTTPStatus
    let bytes: String

    init(_ name: String, _ status: HTTPStatus, _ bytes: String) {
        self.name = name
        self.status = status
        self.bytes = bytes
    }

    /// A GET with further lines in its head.
    static func head(_ name: String, _ lines: String) -> Refusal { head(name, 400, lines) }

    static func head(_ name: String, _ status: HTTPStatus, _ lines: String) -> Refusal {
        Refusal(name, status, "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n")
    }

    static func target(_ name: String, _ target: String) -> Refusal {
        Refusal(name, 400, "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    static func chunks(_ name: String, _ body: String) -> Refusal { chunks(name, 400, body) }

    static func chunks(_ name: String, _ status: HTTPStatus, _ body: String) -> Refusal {
        Refusal(name, status, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
    }

    var testDescription: String { name }

    static let requestLines: [Refusal] = [
        Refusal("an empty method", 400, " / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a method that is no token", 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("no version", 400, "GET /\r\n\r\n"),
        Refusal("two spaces before the target", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("two spaces before the version", 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a tab for a space", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a space behind the version", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        Refusal("a version in lower case", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a version with a leading zero", 400, "GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
        Refusal("a version of one digit", 400, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
        Refusal("a minor version of two digits", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
        Refusal("HTTP/1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        Refusal("HTTP/2.0", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        Refusal("HTTP/0.9 spelled out", 505, "GET / HTTP/0.9\r\n\r\n"),
        Refusal("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Refusal("many leading blank lines", 400, "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a bare line feed before the request line", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a bare line feed behind the request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        Refusal("a bare carriage return in the request line", 400, "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("TLS on a plain port", 400, "\u{16}\u{03}\u{01}\u{02}\u{00}"),
        Refusal("CONNECT", 501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal("a long request line", 414, "GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\n\r\n"),
        Refusal("a long request line without end", 414, String(repeating: "a", count: 8194)),
    ]

    static let targets: [Refusal] = [
        target("a space in the target", "/a b"), target("an octet above ASCII", "/ä"),
        target("a control character", "/a\u{01}"), target("a delete character", "/a\u{7F}"),
        target("a fragment", "/a#b"), target("a relative target", "a/b"), target("* for GET", "*"),
        target("an authority for GET", "a:80"), target("an absolute target of another scheme", "ftp://a/"),
        target("an absolute target without host", "http:///a"), target("an absolute target with user", "http://u@a/"),
        target("an encoded NUL", "/%00"), target("an encoded NUL in the query", "/?a=%00"),
        target("a percent at the end", "/a%"), target("a percent with one digit", "/a%4"),
        target("a percent without hexadecimal digits", "/%zz"), target("a bad percent in the query", "/?%g0"),
        target("an overlong slash", "/%c0%af"), target("an overlong dot", "/%e0%80%ae"),
        target("half a character", "/%c3"), target("a surrogate", "/%ed%a0%80"),
        target("a dot segment", "/a/./b"), target("a double dot segment", "/a/../b"),
        target("an encoded dot segment", "/a/%2e"), target("an encoded double dot segment", "/%2E%2e/b"),
        target("a half encoded double dot segment", "/.%2e"),
    ]

    static let fields: [Refusal] = [
        head("an empty field name", ": b"), head("no colon", "abc"), head("a space before the colon", "A : b"),
        head("a tab before the colon", "A\t: b"), head("a space in a name", "A b: c"),
        head("a name that is no token", "A(b): c"), head("a name above ASCII", "Ä: c"),
        head("a folded field", "A: b\r\n c"), head("a field folded by a tab", "A: b\r\n\tc"),
        Refusal("white space before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        head("NUL in a value", "A: b\u{00}c"), head("a control character in a value", "A: b\u{01}"),
        head("a delete character in a value", "A: \u{7F}"), head("a bare carriage return in a value", "A: b\rc"),
        head("a carriage return at a value's end", "A: b\r"), head("a bare line feed between fields", "A: b\nC: d"),
        Refusal("no host", 400, "GET / HTTP/1.1\r\n\r\n"), head("two hosts", "Host: a"),
        Refusal("an empty host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        Refusal("a host with user information", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        Refusal("a host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Refusal("a list of hosts", 400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        Refusal("a host with a port that is no number", 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
        Refusal("a host with an open bracket", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        head("many fields", 431, (0..<100).map { "A\($0): b" }.joined(separator: "\r\n")),
        head("a long field", 431, "A: " + String(repeating: "b", count: 16 * 1024)),
        head("an unknown expectation", 417, "Expect: tea"), head("two expectations", 417, "Expect: 100-continue, tea"),
        head("an unknown expectation before a known one", 417, "Expect: tea\r\nExpect: 100-continue"),
    ]

    static let lengths: [Refusal] =
        ["5, 5", "+5", "-1", "0x5", "5_0", "5 5", "", "12345678901234567890", "9999999999999999999", "5;", "٥"].map {
            head("the length \($0)", "Content-Length: \($0)")
        } + [
            head("differing lengths", "Content-Length: 5\r\nContent-Length: 6"),
            head("a length given twice", "Content-Length: 5\r\nContent-Length: 5"),
            head("length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
            head("coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
            head("a length beyond the limit", 413, "Content-Length: 1048577"),
            Refusal("a coding in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            head("an empty coding", "Transfer-Encoding:"), head("a coding of commas", "Transfer-Encoding: ,"),
            head("chunked not last", "Transfer-Encoding: chunked, gzip"),
            head("chunked twice", "Transfer-Encoding: chunked, chunked"),
            head("chunked twice in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            head("chunked with a parameter", "Transfer-Encoding: chunked;q=1"),
            head("an unknown coding", 501, "Transfer-Encoding: cow"),
            head("identity", 501, "Transfer-Encoding: identity"),
            head("gzip before chunked", 501, "Transfer-Encoding: gzip, chunked"),
            head("almost chunked", 501, "Transfer-Encoding: xchunked"),
        ]

    static let chunked: [Refusal] = [
        chunks("a size with a prefix", "0x5\r\nabcde\r\n0\r\n\r\n"), chunks("a space before a size", " 5\r\nabcde\r\n"),
        chunks("a space behind a size", "5 \r\nabcde\r\n"), chunks("an empty size", "\r\nabcde\r\n"),
        chunks("a size with a sign", "+5\r\nabcde\r\n"), chunks("a size that is no number", "g\r\n"),
        chunks("a size of 17 digits", "00000000000000005\r\nabcde\r\n"),
        chunks("a bare line feed behind a size", "5\nabcde\r\n"),
        chunks("a bare carriage return in a size line", "5\r;a\r\nabcde\r\n"),
        chunks("data longer than its chunk", "5\r\nabcdef\r\n"), chunks("data without its end", "5\r\nabcde0\r\n\r\n"),
        chunks("a bare line feed behind data", "5\r\nabcde\n0\r\n\r\n"),
        chunks("a control character in an extension", "5;a=\u{01}\r\nabcde\r\n"),
        chunks("a tab in an extension", "5;\ta\r\nabcde\r\n"),
        chunks("a long extension", "5;\(String(repeating: "a", count: 256))\r\nabcde\r\n"),
        chunks("a long extension without end", "5;\(String(repeating: "a", count: 300))"),
        chunks("a length among trailers", "0\r\nContent-Length: 5\r\n\r\n"),
        chunks("a coding among trailers", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        chunks("a host among trailers", "0\r\nhost: a\r\n\r\n"),
        chunks("a malformed trailer", "0\r\nA : b\r\n\r\n"), chunks("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
        chunks("a trailer with a bare line feed", "0\r\nA: b\n\r\n"),
        chunks("long trailers", 431, "0\r\nA: \(String(repeating: "b", count: 16 * 1024))\r\n\r\n"),
        chunks("many trailers", 431, "0\r\n\((0...100).map { "A\($0): b\r\n" }.joined())\r\n"),
        chunks("a chunk beyond the limit", 413, "100001\r\n"), chunks("the largest size", 413, "FFFFFFFFFFFFFFFF\r\n"),
        chunks("a second chunk beyond the limit", 413, "5\r\nabcde\r\nffffc\r\n"),
    ]

    static let all = requestLines + targets + fields + lengths + chunked
}

@Suite struct ParserRefusalTests {
    @Test(arguments: Refusal.all)
    func `The parser refuses`(_ refusal: Refusal) {
        let parsed = parse(refusal.bytes)
        #expect(parsed.failure?.status == refusal.status, "\(parsed)")
        #expect(parsed.requests.isEmpty)
    }

    @Test(arguments: Refusal.all)
    func `A refusal is the same octet by octet`(_ refusal: Refusal) {
        let bytes = Array(refusal.bytes.utf8)
        #expect(parse(bytes.indices.map { bytes[$0...$0] }) == parse(refusal.bytes))
    }

    @Test func `Nothing is parsed behind a refusal`() {
        var parser = RequestParser(limits: RequestLimits())
        _ = parser.parse(Array("G(T / HTTP/1.1\r\n\r\n".utf8).span)
        guard case .failure(let failure) = parser.parse(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8).span) else {
            Issue.record("a request was read behind a refusal")
            return
        }
        #expect(failure.status == 400)
    }
}
