// The methods of HTTP that Berth has a use for, and the two versions it speaks.
// It knows no routes and no bodies.

/// A request's method. Methods are case-sensitive (RFC 9110 section 9.1): `get` is `.other("get")`.
public enum HTTPMethod: Hashable, Sendable {
    case get, head, post, put, patch, delete, options
    case other(String)

    public var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other(let name): name
        }
    }

    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        func spells(_ name: StaticString) -> Bool {
            let expected = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            for offset in 0..<range.count where unsafe bytes[range.lowerBound + offset] != expected[offset] {
                return false
            }
            return true
        }
        switch range.count {
        case 3 where spells("GET"): self = .get
        case 3 where spells("PUT"): self = .put
        case 4 where spells("POST"): self = .post
        case 4 where spells("HEAD"): self = .head
        case 5 where spells("PATCH"): self = .patch
        case 6 where spells("DELETE"): self = .delete
        case 7 where spells("OPTIONS"): self = .options
        default: self = .other(bytes.text(range))
        }
    }
}

public enum HTTPVersion: Hashable, Sendable {
    case http10, http11
}
