// Owns the byte constants of the grammar and the arithmetic that looks at eight bytes at once.
// It must not know documents, tapes or writers.

/// The bytes the grammar names.
enum Byte {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let zero = UInt8(ascii: "0")
    static let nine = UInt8(ascii: "9")
    static let minus = UInt8(ascii: "-")
    static let plus = UInt8(ascii: "+")
    static let dot = UInt8(ascii: ".")
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    @inline(__always)
    static func isWhite(_ byte: UInt8) -> Bool {
        byte == space || byte == lineFeed || byte == carriageReturn || byte == tab
    }
}

/// Eight bytes in a `UInt64`, the first byte lowest. Each test sets the top bit of the bytes it finds; a borrow can
/// set a false bit only above a true one, so the lowest set bit is always right and only it may be used.
enum Eight {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var tops: UInt64 { 0x8080_8080_8080_8080 }
    static var spaces: UInt64 { 0x2020_2020_2020_2020 }

    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word }

    /// Marks quotes, backslashes and control characters: what a writer must escape.
    @inline(__always)
    static func escapes(_ word: UInt64) -> UInt64 {
        (zeros(word ^ 0x2222_2222_2222_2222) | zeros(word ^ 0x5C5C_5C5C_5C5C_5C5C) | ((word &- spaces) & ~word)) & tops
    }

    /// Marks what `escapes` marks and every byte outside ASCII: where a reader must look closer.
    @inline(__always)
    static func stops(_ word: UInt64) -> UInt64 { escapes(word) | (word & tops) }

    /// Marks line feeds.
    @inline(__always)
    static func lineFeeds(_ word: UInt64) -> UInt64 { zeros(word ^ 0x0A0A_0A0A_0A0A_0A0A) & tops }

    /// How many bytes lie before the first marked one; `marks` is not zero.
    @inline(__always)
    static func firstMarked(_ marks: UInt64) -> Int { marks.trailingZeroBitCount >> 3 }
}

extension Span<UInt8> {
    /// The eight bytes from `index` on; they must all lie inside, which is checked.
    @inline(__always)
    func eight(at index: Int) -> UInt64 {
        // Any eight bytes are a valid integer, and the load checks its bounds.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }
}
