// The fields that say where a request ends and what becomes of its connection: Host, Content-Length, Transfer-Encoding,
// Expect, Connection. Doubt is an error, never a guess: a guess is how requests are smuggled (RFC 9112 section 11.2).
// It knows no other field.

struct Framing: Sendable {
    enum Body: Sendable, Equatable {
        case none
        case fixed(count: Int)
        case chunked
    }

    enum Codings: Sendable {
        case none
        case chunked
        /// Codings this server does not undo, with or without a last `chunked`.
        case others
        case chunkedThenOthers
    }

    /// What the client wants before it sends the body.
    enum Expectation: Sendable {
        case none, toContinue, unknown
    }

    enum ConnectionOption: Sendable {
        case none, keepAlive, close
    }

    private var hostCount = 0
    private var contentLength: Int?
    private var codings = Codings.none
    private var connection = ConnectionOption.none
    private(set) var expectation = Expectation.none

    /// Takes notice of one field.
    mutating func note(_ bytes: Span<UInt8>, name: Range<Int>, value: Range<Int>) throws(RequestFailure) {
        switch name.count {
        case 4 where bytes.matches(name, lowercase: "host"):
            guard hostCount == 0 else { throw RequestFailure(400, "The Host field is given twice.") }
            guard Host.isValid(bytes, value) else { throw RequestFailure(400, "The Host field is malformed.") }
            hostCount = 1
        case 6 where bytes.matches(name, lowercase: "expect"):
            let known = bytes.matches(value, lowercase: "100-continue") && expectation != .unknown
            expectation = known ? .toContinue : .unknown
        case 10 where bytes.matches(name, lowercase: "connection"):
            Self.forEachElement(bytes, value) { element in
                if bytes.matches(element, lowercase: "close") {
                    connection = .close
                } else if connection != .close, bytes.matches(element, lowercase: "keep-alive") {
                    connection = .keepAlive
                }
            }
        case 14 where bytes.matches(name, lowercase: "content-length"):
            guard contentLength == nil else {
                throw RequestFailure(400, "The Content-Length field is given twice.")
            }
            contentLength = try Self.length(bytes, value)
        case 17 where bytes.matches(name, lowercase: "transfer-encoding"):
            try noteCodings(bytes, value)
        default:
            break
        }
    }

    /// Whether a field may not stand in trailers because it would change the framing or the routing.
    static func isForbiddenInTrailers(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        switch name.count {
        case 4: bytes.matches(name, lowercase: "host")
        case 6: bytes.matches(name, lowercase: "expect")
        case 7: bytes.matches(name, lowercase: "trailer") || bytes.matches(name, lowercase: "upgrade")
        case 10: bytes.matches(name, lowercase: "connection")
        case 13: bytes.matches(name, lowercase: "authorization")
        case 14: bytes.matches(name, lowercase: "content-length")
        case 16: bytes.matches(name, lowercase: "content-encoding")
        case 17: bytes.matches(name, lowercase: "transfer-encoding")
        default: false
        }
    }

    /// What the fields say together, once all are read.
    func body(version: HTTPVersion) throws(RequestFailure) -> Body {
        if version == .http11, hostCount == 0 { throw RequestFailure(400, "The Host field is missing.") }
        if expectation == .unknown {
            throw RequestFailure(417, "The only expectation this server meets is 100-continue.")
        }
        if case .none = codings {
            guard let contentLength, contentLength > 0 else { return .none }
            return .fixed(count: contentLength)
        }
        if version == .http10 {
            throw RequestFailure(400, "Transfer-Encoding is not a part of HTTP/1.0.")
        }
        if contentLength != nil {
            throw RequestFailure(400, "Content-Length and Transfer-Encoding contradict each other.")
        }
        switch codings {
        case .none, .chunked: return .chunked
        case .chunkedThenOthers:
            throw RequestFailure(400, "The transfer coding chunked must be the last and only once.")
        case .others: throw RequestFailure(501, "The only transfer coding this server implements is chunked.")
        }
    }

    func persistence(version: HTTPVersion) -> Persistence {
        switch (version, connection) {
        case (_, .close), (.http10, .none): .close
        case (.http11, .none), (_, .keepAlive): .keepAlive
        }
    }

    private static func length(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestFailure) -> Int {
        guard !value.isEmpty, value.count <= 19, value.allSatisfy({ Octet.isDigit(bytes[$0]) }) else {
            throw RequestFailure(400, "The Content-Length field is not one number of at most 19 digits.")
        }
        var length = 0
        for place in value {
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(bytes[place] - Octet.zero))
            guard !overflow, !carry else {
                throw RequestFailure(400, "The Content-Length field is larger than any length.")
            }
            length = sum
        }
        return length
    }

    private mutating func noteCodings(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestFailure) {
        var elements = 0
        var next = codings
        var isMalformed = false
        Self.forEachElement(bytes, value) { element in
            elements += 1
            if !element.allSatisfy({ Octet.isToken(bytes[$0]) }) { isMalformed = true }
            switch (next, bytes.matches(element, lowercase: "chunked")) {
            case (.none, true): next = .chunked
            case (.none, false), (.others, _): next = .others
            case (.chunked, _), (.chunkedThenOthers, _): next = .chunkedThenOthers
            }
        }
        guard elements > 0, !isMalformed else {
            throw RequestFailure(400, "The Transfer-Encoding field is malformed.")
        }
        codings = next
    }

    /// Calls for every element of a comma-separated list that is not empty, without the blanks around it.
    private static func forEachElement(_ bytes: Span<UInt8>, _ value: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = value.lowerBound
        while start <= value.upperBound {
            var end = start
            while end < value.upperBound, bytes[end] != Octet.comma { end += 1 }
            let element = bytes.trimmed(start..<end)
            if !element.isEmpty { body(element) }
            start = end + 1
        }
    }
}
