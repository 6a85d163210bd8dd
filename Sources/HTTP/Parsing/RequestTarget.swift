// Request targets (RFC 9112 section 3.2): the forms, the path's segments and the query's items, each decoded exactly once.
// `%2F` is part of a segment and never splits one. It knows no routes.

struct RequestTarget: Sendable {
    var path: [PathSegment]
    var query: [QueryItem]

    enum Form: Sendable {
        case origin, absolute, asterisk
    }

    /// Which form the target has; visible ASCII without a fragment is checked here.
    static func form(
        _ bytes: Span<UInt8>, _ range: Range<Int>, method: HTTPMethod
    ) throws(RequestFailure) -> Form {
        guard !range.isEmpty else { throw RequestFailure(400, "The request target is empty.") }
        for place in range {
            let octet = bytes[place]
            guard octet > Octet.space, octet < Octet.delete else {
                throw RequestFailure(400, "The request target has an octet that must be percent-encoded.")
            }
            if octet == Octet.hash { throw RequestFailure(400, "The request target has a fragment.") }
        }
        if bytes[range.lowerBound] == Octet.slash { return .origin }
        if range.count == 1, bytes[range.lowerBound] == Octet.asterisk {
            guard method == .options else {
                throw RequestFailure(400, "The request target * is for OPTIONS only.")
            }
            return .asterisk
        }
        if authority(bytes, range) != nil { return .absolute }
        throw RequestFailure(400, "The request target is neither a path nor an absolute URI.")
    }

    /// Where the authority of an absolute target stands.
    private static func authority(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        let start = range.lowerBound
        let schemeCount: Int
        if range.count > 7, bytes.matches(start..<start + 7, lowercase: "http://") {
            schemeCount = 7
        } else if range.count > 8, bytes.matches(start..<start + 8, lowercase: "https://") {
            schemeCount = 8
        } else {
            return nil
        }
        var end = start + schemeCount
        while end < range.upperBound, bytes[end] != Octet.slash, bytes[end] != Octet.question { end += 1 }
        return start + schemeCount..<end
    }

    init(_ bytes: Span<UInt8>, _ range: Range<Int>, form: Form) throws(RequestFailure) {
        path = []
        query = []
        var start = range.lowerBound
        switch form {
        case .asterisk:
            return
        case .absolute:
            guard let authority = Self.authority(bytes, range), Host.isValid(bytes, authority) else {
                throw RequestFailure(400, "The request target's host is malformed.")
            }
            start = authority.upperBound
        case .origin:
            break
        }
        var end = start
        while end < range.upperBound, bytes[end] != Octet.question { end += 1 }
        if end - start > 1 { try readPath(bytes, start + 1..<end) }
        if end < range.upperBound { try readQuery(bytes, end + 1..<range.upperBound) }
    }

    private mutating func readPath(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestFailure) {
        path.reserveCapacity(6)
        var start = range.lowerBound
        while true {
            var end = start
            var firstColon: Int?
            while end < range.upperBound, bytes[end] != Octet.slash {
                if bytes[end] == Octet.colon, firstColon == nil { firstColon = end }
                end += 1
            }
            path.append(try Self.segment(bytes, start..<end, firstColon: firstColon))
            guard end < range.upperBound else { return }
            start = end + 1
        }
    }

    private static func segment(
        _ bytes: Span<UInt8>, _ range: Range<Int>, firstColon: Int?
    ) throws(RequestFailure) -> PathSegment {
        guard let firstColon else {
            let name = try decoded(bytes, range)
            guard name != ".", name != ".." else {
                throw RequestFailure(400, "The path has a dot segment.")
            }
            return PathSegment(name: name)
        }
        return PathSegment(
            name: try decoded(bytes, range.lowerBound..<firstColon),
            verb: try decoded(bytes, firstColon + 1..<range.upperBound))
    }

    private mutating func readQuery(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestFailure) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            var equals: Int?
            while end < range.upperBound, bytes[end] != Octet.ampersand {
                if bytes[end] == Octet.equals, equals == nil { equals = end }
                end += 1
            }
            if end > start {
                let value = equals.map { $0 + 1..<end } ?? end..<end
                query.append(
                    QueryItem(
                        name: try Self.decoded(bytes, start..<(equals ?? end)), value: try Self.decoded(bytes, value)))
            }
            start = end + 1
        }
    }

    /// The range with its percent-encoding undone once, as valid UTF-8 without NUL.
    private static func decoded(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestFailure) -> String {
        guard let first = range.first(where: { bytes[$0] == Octet.percent }) else { return bytes.text(range) }
        var octets = bytes.array(range.lowerBound..<first)
        octets.reserveCapacity(range.count)
        var place = first
        while place < range.upperBound {
            guard bytes[place] == Octet.percent else {
                octets.append(bytes[place])
                place += 1
                continue
            }
            guard place + 2 < range.upperBound, let high = Octet.hexadecimal(bytes[place + 1]),
                let low = Octet.hexadecimal(bytes[place + 2])
            else { throw RequestFailure(400, "The request target has a malformed percent-encoding.") }
            let octet = high << 4 | low
            guard octet != 0 else { throw RequestFailure(400, "The request target has an encoded NUL.") }
            octets.append(octet)
            place += 3
        }
        guard let text = String(validating: octets, as: UTF8.self) else {
            throw RequestFailure(400, "The request target does not decode to UTF-8.")
        }
        return text
    }
}

/// A host with an optional port (RFC 9110 section 7.2), without user information and without a path.
enum Host {
    static func isValid(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let first = range.first else { return false }
        var place = first
        if bytes[first] == Octet.openBracket {
            place += 1
            while place < range.upperBound, bytes[place] != Octet.closeBracket {
                guard Octet.hexadecimal(bytes[place]) != nil || [Octet.colon, Octet.dot].contains(bytes[place]) else {
                    return false
                }
                place += 1
            }
            guard place < range.upperBound, place > first + 1 else { return false }
            place += 1
        } else {
            while place < range.upperBound, Octet.isHostName(bytes[place]) { place += 1 }
            guard place > first else { return false }
        }
        guard place < range.upperBound else { return true }
        guard bytes[place] == Octet.colon, range.upperBound - place <= 6 else { return false }
        return (place + 1..<range.upperBound).allSatisfy { Octet.isDigit(bytes[$0]) }
    }
}
