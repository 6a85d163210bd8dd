// Reads what `ByteWriter` wrote, strictly: one encoding a value, no trap and no large allocation on any bytes.

/// Why bytes are not what they should be, and where in the buffer.
struct DecodeError: Error, Hashable {
    enum Reason: Hashable {
        case truncated, overlongNumber, numberOutOfRange, countTooLarge, notUTF8, trailingBytes
        case unknownValue(UInt8, of: String)
    }
    var reason: Reason
    var position: Int
}

extension DecodeError.Reason: CustomStringConvertible {
    var description: String {
        switch self {
        case .truncated: "it ends too early"
        case .overlongNumber: "a number is longer than it needs to be"
        case .numberOutOfRange: "a number is out of range"
        case .countTooLarge: "a list is said to be longer than the bytes that hold it"
        case .notUTF8: "text is not UTF-8"
        case .trailingBytes: "bytes follow its end"
        case .unknownValue(let value, let type): "\(value) is not a \(type)"
        }
    }
}

struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position: Int
    private let end: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range is inside the buffer")
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    init(_ bytes: [UInt8]) { self.init(bytes, 0..<bytes.count) }

    var isAtEnd: Bool { position == end }
    var remaining: Int { end - position }

    func fail(_ reason: DecodeError.Reason) -> DecodeError { DecodeError(reason: reason, position: position) }

    func finish() throws(DecodeError) {
        if position != end { throw fail(.trailingBytes) }
    }

    @inline(__always)
    mutating func byte() throws(DecodeError) -> UInt8 {
        guard position < end else { throw fail(.truncated) }
        defer { position &+= 1 }
        return bytes[position]
    }

    mutating func fixed<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws(DecodeError) -> Number
    {
        guard remaining >= MemoryLayout<Number>.size else { throw fail(.truncated) }
        defer { position += MemoryLayout<Number>.size }
        return bytes.fixed(at: position, type)
    }

    @inline(__always)
    mutating func varint() throws(DecodeError) -> UInt64 {
        let first = try byte()
        return first < 0x80 ? UInt64(first) : try longVarint(first)
    }

    private mutating func longVarint(_ first: UInt8) throws(DecodeError) -> UInt64 {
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while true {
            let byte = try byte()
            // The tenth byte holds the one bit that is left.
            if shift == 63 && byte > 1 { throw fail(.numberOutOfRange) }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                if byte == 0 { throw fail(.overlongNumber) }
                return value
            }
            shift += 7
        }
    }

    mutating func unsigned<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type
    ) throws(DecodeError) -> Number {
        guard let value = Number(exactly: try varint()) else { throw fail(.numberOutOfRange) }
        return value
    }

    @inline(__always)
    mutating func signed64() throws(DecodeError) -> Int64 {
        let zigzag = try varint()
        return Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
    }

    @inline(__always)
    mutating func signed() throws(DecodeError) -> Int { Int(try signed64()) }

    /// A count of items of which each takes at least `leastBytes`, so that no count reserves more than the bytes justify.
    @inline(__always)
    mutating func count(leastBytes: Int = 1) throws(DecodeError) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining / leastBytes) else { throw fail(.countTooLarge) }
        return Int(value)
    }

    mutating func text() throws(DecodeError) -> String { try text(count: try count()) }

    /// Text whose count of bytes was read before.
    mutating func text(count: Int) throws(DecodeError) -> String {
        guard count <= remaining else { throw fail(.truncated) }
        if count == 0 { return "" }
        let text = try utf8(position..<position + count)
        position += count
        return text
    }

    private func utf8(_ range: Range<Int>) throws(DecodeError) -> String {
        do { return String(copying: try UTF8Span(validating: bytes.span.extracting(range))) } catch {
            throw fail(.notUTF8)
        }
    }

    mutating func flag() throws(DecodeError) -> Bool {
        let value = try byte()
        if value > 1 { throw fail(.unknownValue(value, of: "flag")) }
        return value == 1
    }

    mutating func isPresent() throws(DecodeError) -> Bool { try flag() }

    @inline(__always)
    mutating func optional<Value>(
        _ read: (inout ByteReader) throws(DecodeError) -> Value
    ) throws(DecodeError) -> Value? {
        try isPresent() ? try read(&self) : nil
    }

    @inline(__always)
    mutating func list<Value>(
        leastBytes: Int = 1, _ read: (inout ByteReader) throws(DecodeError) -> Value
    ) throws(DecodeError) -> [Value] {
        let count = try count(leastBytes: leastBytes)
        if count == 0 { return [] }
        var values: [Value] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try read(&self)) }
        return values
    }

    /// A value of an enum by its raw byte.
    mutating func choice<Value: RawRepresentable>(_ type: Value.Type) throws(DecodeError) -> Value
    where Value.RawValue == UInt8 {
        let raw = try byte()
        guard let value = Value(rawValue: raw) else { throw fail(.unknownValue(raw, of: "\(type)")) }
        return value
    }
}

extension [UInt8] {
    /// The little-endian number at `offset`.
    func fixed<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _ type: Number.Type = Number.self) -> Number
    {
        precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= count, "the number is inside the buffer")
        return Number(littleEndian: unsafe span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }
}
