// The request line: method, target and version, one space between each (RFC 9112 section 3). It knows no fields.

struct RequestLine: Sendable {
    let method: HTTPMethod
    let version: HTTPVersion
    let form: RequestTarget.Form
    private let targetStart: UInt32
    private let targetCount: UInt32

    /// Where the target stands in the head.
    var target: Range<Int> { Int(targetStart)..<Int(targetStart + targetCount) }

    init(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestFailure) {
        var place = range.lowerBound
        while place < range.upperBound, Octet.isToken(bytes[place]) { place += 1 }
        let methodRange = range.lowerBound..<place
        guard !methodRange.isEmpty, place < range.upperBound, bytes[place] == Octet.space else {
            throw RequestFailure(400, "The request line does not begin with a method and a space.")
        }
        let start = place + 1
        place = range.upperBound
        while place > start, bytes[place - 1] != Octet.space { place -= 1 }
        guard place > start else {
            throw RequestFailure(400, "The request line has no version.")
        }
        version = try Self.version(bytes, place..<range.upperBound)
        method = HTTPMethod(bytes, methodRange)
        if method == .other("CONNECT") {
            throw RequestFailure(501, "This server opens no tunnels: CONNECT is not implemented.")
        }
        let target = start..<place - 1
        form = try RequestTarget.form(bytes, target, method: method)
        targetStart = UInt32(target.lowerBound)
        targetCount = UInt32(target.count)
    }

    private static func version(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestFailure) -> HTTPVersion {
        let prefix: StaticString = "HTTP/"
        let expected = unsafe UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        let start = range.lowerBound
        guard range.count == 8, (0..<5).allSatisfy({ unsafe bytes[start + $0] == expected[$0] }),
            Octet.isDigit(bytes[start + 5]), bytes[start + 6] == Octet.dot, Octet.isDigit(bytes[start + 7])
        else { throw RequestFailure(400, "The request line does not end with a version such as HTTP/1.1.") }
        switch (bytes[start + 5] - Octet.zero, bytes[start + 7] - Octet.zero) {
        case (1, 0): return .http10
        case (1, 1): return .http11
        default: throw RequestFailure(505, "This server speaks HTTP/1.1 and HTTP/1.0 only.")
        }
    }
}
