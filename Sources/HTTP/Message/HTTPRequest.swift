// A request as its handler sees it: whole, decoded, and checked by the parser.
// It knows no connection; its answer travels through a `Responder`.

/// One segment of a path, split at its first raw colon: `jobs:batch` has the name `jobs` and the verb `batch`.
/// An encoded colon (`%3A`) is part of the name.
public struct PathSegment: Hashable, Sendable {
    public let name: String
    public let verb: String?

    public init(name: String, verb: String? = nil) {
        self.name = name
        self.verb = verb
    }

    /// The decoded segment.
    public var text: String {
        guard let verb else { return name }
        return name + ":" + verb
    }
}

/// A decoded item of a query; `+` is a plus.
public struct QueryItem: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

public struct HTTPRequest: Sendable {
    public let method: HTTPMethod
    public let version: HTTPVersion
    /// The path's segments, each decoded once; `/` has none, an empty segment is kept as an empty name.
    public let path: [PathSegment]
    /// The query's items in their order.
    public let query: [QueryItem]
    public let fields: HTTPFields
    public internal(set) var body: [UInt8]
    public internal(set) var peer: PeerAddress
    let line: RequestLine
    let persistence: Persistence

    /// The target as it was sent.
    public var target: String { fields.head.span.text(line.target) }

    /// Whether the target is `*`, the server itself (`OPTIONS *`).
    public var isForServer: Bool { line.form == .asterisk }

    /// The first item of the query under `name`.
    public func query(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// A request made of its parts, through the same parser as one from a socket: for handlers' tests.
    public init(
        _ method: HTTPMethod, _ target: String, fields: [HTTPField] = [], body: [UInt8] = []
    ) throws(RequestFailure) {
        var bytes: [UInt8] = []
        bytes.append(contentsOf: "\(method.name) \(target) HTTP/1.1\r\nHost: localhost\r\n".utf8)
        bytes.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8)
        for field in fields { bytes.append(contentsOf: "\(field.name): \(field.value)\r\n".utf8) }
        bytes.append("\r\n")
        bytes.append(contentsOf: body)
        var limits = RequestLimits()
        limits.bodyBytes = max(limits.bodyBytes, body.count)
        var parser = RequestParser(limits: limits)
        switch parser.parse(bytes.span) {
        case .request(let request, consumed: bytes.count): self = request
        case .failure(let failure): throw failure
        case .needsMore, .request: throw RequestFailure(400, "The parts do not make one request.")
        }
    }

    init(
        line: RequestLine, target: RequestTarget, fields: HTTPFields, persistence: Persistence, body: [UInt8] = []
    ) {
        method = line.method
        version = line.version
        path = target.path
        query = target.query
        self.fields = fields
        self.body = body
        peer = .unknown
        self.line = line
        self.persistence = persistence
    }
}

/// Whether the connection stays open after an answer.
enum Persistence: Sendable {
    case keepAlive, close
}
