// Everything about a server that its owner may choose, with the defaults. It knows no mechanism.

public struct HTTPConfiguration: Sendable {
    /// A name or an address, of version 4 or 6.
    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port: UInt16 = 0
    public var backlog: Int32 = 1024
    /// Event loops; the default leaves one core to the rest of the process.
    public var loopCount = max(1, System.coreCount() - 1)

    public var limits = RequestLimits()
    /// A body's limit by route, where it differs from `limits.bodyBytes`. Called on the loop: be quick.
    public var bodyLimit: BodyLimit?
    /// Octets of bodies that are still arriving, of all connections together; more is a 503.
    public var bufferedBodyBytes = 256 * 1024 * 1024
    /// Open connections; one more is answered with 503 and closed.
    public var connectionLimit = 20_000
    /// Connections accepted before other events have their turn.
    public var acceptsPerTurn = 64
    /// Requests of one connection before other connections have their turn.
    public var requestsPerTurn = 128
    /// Octets that a closing connection may still send, so that it can read its last answer.
    public var lingerBytes = 4 * 1024 * 1024

    /// From the first octet of a head to its last.
    public var headTimeoutMilliseconds: UInt64 = 10_000
    /// From a head's end to the body's.
    public var bodyTimeoutMilliseconds: UInt64 = 30_000
    /// Between requests.
    public var idleTimeoutMilliseconds: UInt64 = 75_000
    /// Without any progress of an answer.
    public var writeTimeoutMilliseconds: UInt64 = 10_000
    public var lingerTimeoutMilliseconds: UInt64 = 2_000
    /// How long the listener rests when the process has no descriptor left.
    public var acceptPauseMilliseconds: UInt64 = 100

    /// Makes the answer to a problem that HTTP itself found.
    public var problemResponse: @Sendable (HTTPProblem) -> HTTPResponse = { $0.response }
    /// Hears of what a log should have. Called on any thread.
    public var onEvent: @Sendable (HTTPEvent) -> Void = { _ in }

    public init() {}
}

/// What a log should have.
public enum HTTPEvent: Hashable, Sendable {
    /// A handler dropped its responder; the client was answered with 500.
    case unansweredRequest
    /// A handler answered with an omitted body where the client was owed one, and 500 was sent.
    case omittedBody
    case connectionLimitReached
    case acceptFailed(SystemError)
    case loopFailed(SystemError)
}
