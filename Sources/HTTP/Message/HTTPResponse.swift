// An answer as its handler makes it. Date, Content-Length and Connection are the server's to write.
// It knows no connection.

public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    /// The Content-Type field; nil sends none.
    public var contentType: String?
    /// Further fields; those that are the server's to write are left out. A name must be a token; control characters of a value are sent as spaces, so no value can
    /// break out of its line.
    public var fields: [HTTPField]
    public var content: Content

    public enum Content: Sendable {
        case bytes([UInt8])
        /// The answer to HEAD where the handler would rather not make the body: its length alone.
        case omitted(count: Int)
    }

    public init(
        _ status: HTTPStatus, contentType: String? = nil, fields: [HTTPField] = [], body: [UInt8] = []
    ) {
        self.status = status
        self.contentType = contentType
        self.fields = fields
        content = .bytes(body)
    }

    public init(_ status: HTTPStatus, contentType: String? = nil, fields: [HTTPField] = [], bodyCount: Int) {
        precondition(bodyCount >= 0)
        self.status = status
        self.contentType = contentType
        self.fields = fields
        content = .omitted(count: bodyCount)
    }

    /// A plain text, for people and tests.
    public static func text(_ status: HTTPStatus, _ text: String) -> HTTPResponse {
        HTTPResponse(status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// The body's octets; none where they were omitted.
    public var body: [UInt8] {
        switch content {
        case .bytes(let bytes): bytes
        case .omitted: []
        }
    }

    /// The first further field under `name`, whatever its case.
    public func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    public mutating func add(_ name: String, _ value: String) {
        fields.append(HTTPField(name, value))
    }
}
