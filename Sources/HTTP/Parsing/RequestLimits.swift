// What a request may cost before it is refused, and the refusal itself.
// It knows no bytes.

/// The limits of one request, each with the status that answers its breach.
public struct RequestLimits: Sendable {
    /// The request line without its end; more is a 414.
    public var requestLineBytes = 8 * 1024
    /// All header field lines together, and all trailer lines together; more is a 431.
    public var headerBytes = 16 * 1024
    /// Header fields, and trailer fields; more is a 431.
    public var headerFields = 100
    /// The body where no route allows more; more is a 413.
    public var bodyBytes = 1024 * 1024
    /// Empty lines before a request line; more is a 400 (RFC 9112 section 2.2 asks for at least one).
    public var leadingBlankLines = 1
    /// A chunk's extensions; more is a 400.
    public var chunkExtensionBytes = 256

    public init() {}
}

/// Gives the limit of a body in bytes for a method and a path, or nil for the usual one.
public typealias BodyLimit = @Sendable (HTTPMethod, [PathSegment]) -> Int?

/// Why a request was refused before any handler saw it.
public struct RequestFailure: Error, Hashable, Sendable {
    public let status: HTTPStatus
    /// A sentence for whoever sent the request.
    public let detail: String

    init(_ status: HTTPStatus, _ detail: String) {
        self.status = status
        self.detail = detail
    }
}
