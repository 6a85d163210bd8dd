// A small blocking client for Berth's own commands and tests: one connection, kept open, one exchange at a time, http only.
// It knows no redirects, no cookies, no TLS.

public struct HTTPClientResponse: Hashable, Sendable {
    public let status: HTTPStatus
    public let fields: [HTTPField]
    public let body: [UInt8]

    /// The first value under `name`, whatever its case.
    public func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

public enum HTTPClientError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformedURL(String)
    case unknownHost(String)
    case system(SystemError)
    case timedOut
    /// The server closed the connection before the answer's end.
    case closedByServer
    case malformedResponse(String)

    public var description: String {
        switch self {
        case .malformedURL(let url): "\(url) is no URL of the form http://host:port."
        case .unknownHost(let host): "The host \(host) has no address."
        case .system(let error): "The connection failed: \(error)."
        case .timedOut: "The server did not answer in time."
        case .closedByServer: "The server closed the connection before its answer was complete."
        case .malformedResponse(let reason): "The server's answer is malformed: \(reason)."
        }
    }
}

/// Not for use by two threads at once; a thread each makes its own.
public final class HTTPClient {
    public let host: String
    public let port: UInt16
    private let timeoutMilliseconds: Int
    private var connection: ClientConnection?

    public init(host: String, port: UInt16, timeoutMilliseconds: Int = 30_000) {
        self.host = host
        self.port = port
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// - Parameter url: `http://host`, `http://host:port`, with or without a slash behind it.
    public convenience init(url: String, timeoutMilliseconds: Int = 30_000) throws(HTTPClientError) {
        var rest = Substring(url)
        guard rest.hasPrefix("http://") else { throw .malformedURL(url) }
        rest = rest.dropFirst(7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var port: UInt16 = 80
        if let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") {
            guard let number = UInt16(rest[rest.index(after: colon)...]) else { throw .malformedURL(url) }
            port = number
            rest = rest[..<colon]
        }
        if rest.hasPrefix("["), rest.hasSuffix("]") { rest = rest.dropFirst().dropLast() }
        guard !rest.isEmpty, !rest.contains(where: { "/?#@".contains($0) }) else { throw .malformedURL(url) }
        self.init(host: String(rest), port: port, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Sends a request and waits for its answer. A kept connection that the server has closed meanwhile is made anew.
    ///
    /// - Parameter timeout: between two octets, not in all.
    public func send(
        _ method: HTTPMethod, _ target: String, fields: [HTTPField] = [], body: [UInt8] = []
    ) throws(HTTPClientError) -> HTTPClientResponse {
        let bytes = request(method, target, fields, body)
        if let kept = connection, !kept.isStale {
            connection = nil
            do throws(HTTPClientError) {
                return try exchange(kept, bytes, method)
            } catch .closedByServer where method == .get || method == .head {
                // The server closed the idle connection while the request was on its way; a read may be asked again.
            }
        }
        connection = nil
        let fresh = try ClientConnection(host: host, port: port, timeoutMilliseconds: timeoutMilliseconds)
        return try exchange(fresh, bytes, method)
    }

    private func exchange(
        _ connection: ClientConnection, _ bytes: [UInt8], _ method: HTTPMethod
    ) throws(HTTPClientError) -> HTTPClientResponse {
        try connection.write(bytes)
        let (response, persistence) = try connection.readResponse(to: method)
        if case .keepAlive = persistence { self.connection = connection }
        return response
    }

    private func request(
        _ method: HTTPMethod, _ target: String, _ fields: [HTTPField], _ body: [UInt8]
    ) -> [UInt8] {
        let name = host.contains(":") ? "[\(host)]" : host
        var bytes = Array("\(method.name) \(target) HTTP/1.1\r\nHost: \(name):\(port)\r\n".utf8)
        for field in fields { bytes.append(contentsOf: "\(field.name): \(field.value)\r\n".utf8) }
        if !body.isEmpty || method == .post || method == .put || method == .patch {
            bytes.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8)
        }
        bytes.append("\r\n")
        bytes.append(contentsOf: body)
        return bytes
    }
}
