// Owns the layout of the tape: one flat array of integers that says where each value of a text lies.
// It must not know the grammar.
//
// Each value is one word: kind (4 bits, highest), offset of its first byte (30 bits), then 30 bits that are the
// length in bytes, or for a container the tape index behind its last entry (0 while it is open).
//   string, key   offset and length of what stands between the quotes; `escapedString` holds a backslash
//   number, true, false, null   offset and length of the text
//   array         word, then `count | (parent + 1) << 32`, then its elements
//   object        word, then `count | (parent + 1) << 32`, then the key mask, then key, value, key, value, ...
// The parent is the tape index of the container around it (no parent: 0 stands there). Bit `KeyBucket.of(key)` of
// the key mask is set for every key: a clear bit proves a name absent without looking at a key.

enum Tape {
    enum Kind: UInt8 {
        case object = 1
        case array, string, escapedString, integer, decimal, yes, no, null
    }

    static let lengthBits: UInt64 = 30
    static let mask: UInt64 = 1 << 30 - 1
    /// Offsets and tape indexes must stay below this.
    static let limit = 1 << 30

    @inline(__always)
    static func word(_ kind: Kind, offset: Int, length: Int) -> UInt64 {
        UInt64(kind.rawValue) << 60 | UInt64(truncatingIfNeeded: offset) << 30 | UInt64(truncatingIfNeeded: length)
    }

    @inline(__always)
    static func kind(_ word: UInt64) -> Kind {
        // Every word is made by `word(_:offset:length:)`; the default only satisfies the type.
        Kind(rawValue: UInt8(truncatingIfNeeded: word >> 60)) ?? .null
    }

    @inline(__always)
    static func isString(_ word: UInt64) -> Bool { word >> 60 == 3 || word >> 60 == 4 }

    @inline(__always)
    static func isEscaped(_ word: UInt64) -> Bool { word >> 60 == 4 }

    @inline(__always)
    static func isContainer(_ word: UInt64) -> Bool { word >> 60 <= 2 }

    @inline(__always)
    static func isObject(_ word: UInt64) -> Bool { word >> 60 == 1 }

    @inline(__always)
    static func offset(_ word: UInt64) -> Int { Int(truncatingIfNeeded: word >> 30 & mask) }

    @inline(__always)
    static func length(_ word: UInt64) -> Int { Int(truncatingIfNeeded: word & mask) }

    @inline(__always)
    static func range(_ word: UInt64) -> Range<Int> {
        let offset = offset(word)
        return offset..<(offset &+ length(word))
    }

    /// Words before the first entry of the container.
    @inline(__always)
    static func headerCount(_ word: UInt64) -> Int { isObject(word) ? 3 : 2 }

    @inline(__always)
    static func count(_ second: UInt64) -> Int { Int(truncatingIfNeeded: second & 0xFFFF_FFFF) }

    /// The container around it, or -1.
    @inline(__always)
    static func parent(_ second: UInt64) -> Int { Int(truncatingIfNeeded: second >> 32) &- 1 }

    /// The tape index behind the value at `index`, whose word is given. Constant time.
    @inline(__always)
    static func next(_ index: Int, _ word: UInt64) -> Int { isContainer(word) ? length(word) : index &+ 1 }
}

/// Which of 64 buckets a key falls into: cheap, and only ever a hint.
enum KeyBucket {
    @inline(__always)
    static func of(count: Int, first: UInt8, middle: UInt8, last: UInt8) -> UInt64 {
        let ends = UInt64(first) | UInt64(middle) << 8 | UInt64(last) << 16 | UInt64(truncatingIfNeeded: count) << 24
        return 1 << ((ends &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }

    @inline(__always)
    static func of(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        if range.isEmpty { return 1 }
        return of(
            count: range.count, first: bytes[range.lowerBound], middle: bytes[range.lowerBound &+ range.count >> 1],
            last: bytes[range.upperBound &- 1])
    }

    static func of(_ bytes: [UInt8]) -> UInt64 { of(bytes.span, 0..<bytes.count) }
}
