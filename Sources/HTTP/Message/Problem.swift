// The problems that HTTP itself reports, and their small JSON body (RFC 9457).
// It knows no problem of the service, and no JSON but its own.

/// A problem found before or behind every handler.
public struct HTTPProblem: Hashable, Sendable {
    public let status: HTTPStatus
    public let detail: String

    public init(status: HTTPStatus, detail: String) {
        self.status = status
        self.detail = detail
    }

    /// The last word of the problem's type: `bad-request` of `urn:berth:problem:bad-request`.
    public var slug: String {
        status.reason.lowercased().replacing(" ", with: "-")
    }

    /// The built-in answer.
    public var response: HTTPResponse {
        var body: [UInt8] = []
        body.append("{\"type\":\"urn:berth:problem:")
        body.append(contentsOf: slug.utf8)
        body.append("\",\"title\":\"")
        body.append(contentsOf: status.reason.utf8)
        body.append("\",\"status\":")
        body.append(decimal: Int(status.code))
        body.append(",\"detail\":\"")
        Self.appendEscaped(detail, to: &body)
        body.append("\"}\n")
        return HTTPResponse(status, contentType: "application/problem+json", body: body)
    }

    private static func appendEscaped(_ text: String, to body: inout [UInt8]) {
        for octet in text.utf8 {
            switch octet {
            case 0x22: body.append("\\\"")
            case 0x5C: body.append("\\\\")
            case 0..<0x20: body.append(" ")
            default: body.append(octet)
            }
        }
    }
}
