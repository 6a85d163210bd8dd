// Owns the text of scalars: escaping, digits, decimals.
// It must not know punctuation between values.

extension JSONWriter {
    public mutating func null() { bare("null") }

    public mutating func value(_ boolean: Bool) { bare(boolean ? "true" : "false") }

    public mutating func value(_ integer: Int) { value(Int64(integer)) }

    public mutating func value(_ integer: Int64) {
        let comma = beginValue()
        appendDigits(integer.magnitude, comma: comma, isNegative: integer < 0)
    }

    public mutating func value(_ integer: UInt64) {
        let comma = beginValue()
        appendDigits(integer, comma: comma, isNegative: false)
    }

    /// The shortest text that reads back as the same double; JSON has no infinity and no NaN, they become null.
    public mutating func value(_ double: Double) {
        guard double.isFinite else { return null() }
        if beginValue() { append(Byte.comma) }
        var text = double.description
        // The bytes are copied inside the closure.
        text.withUTF8 { unsafe append($0, 0..<$0.count) }
    }

    public mutating func value(_ string: String) {
        let comma = beginValue()
        appendQuoted(string, comma: comma)
    }

    /// A text known to need no escaping: ASCII without quotes, backslashes and control characters.
    public mutating func value(_ text: StaticString) {
        if beginValue() { append(Byte.comma) }
        append(Byte.quote)
        appendLiteral(text)
        append(Byte.quote)
    }

    /// An amount as a string: 3_200_000 is "3.20".
    public mutating func value(micros: Int64) {
        if beginValue() { append(Byte.comma) }
        append(Byte.quote)
        appendDecimal(micros: micros)
        append(Byte.quote)
    }

    /// One value that is JSON already. It is not checked.
    public mutating func value(raw bytes: [UInt8]) { value(raw: bytes.span) }

    public mutating func value(raw bytes: Span<UInt8>) {
        if beginValue() { append(Byte.comma) }
        // The bytes are copied inside the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append($0, 0..<$0.count) }
    }

    @inline(__always)
    private mutating func bare(_ text: StaticString) {
        if beginValue() { append(Byte.comma) }
        appendLiteral(text)
    }

    // MARK: Text

    @inline(__always)
    mutating func appendLiteral(_ text: StaticString) {
        // The literal's bytes are copied inside the closure.
        text.withUTF8Buffer { unsafe append($0, 0..<$0.count) }
    }

    /// The string in quotes. Most need no escape: those go out in one write, found clean eight bytes at a time.
    mutating func appendQuoted(_ string: String, comma: Bool) {
        var string = string
        // The bytes are copied inside the closure.
        string.withUTF8 { text in
            let bytes = unsafe Span(_unsafeElements: text)
            var stop = Self.firstEscape(bytes, from: 0)
            guard stop < bytes.count else {
                return append(upTo: bytes.count &+ 3) { output, start in
                    var index = start
                    if comma { Self.put(Byte.comma, &output, &index) }
                    Self.put(Byte.quote, &output, &index)
                    unsafe Self.copy(text, 0..<text.count, to: &output, at: index)
                    index &+= text.count
                    Self.put(Byte.quote, &output, &index)
                    return index
                }
            }
            if comma { append(Byte.comma) }
            append(Byte.quote)
            var start = 0
            while stop < bytes.count {
                unsafe append(text, start..<stop)
                appendEscape(bytes[stop])
                start = stop + 1
                stop = Self.firstEscape(bytes, from: start)
            }
            unsafe append(text, start..<bytes.count)
            append(Byte.quote)
        }
    }

    /// Index of the first byte that must be escaped, or the count.
    @inline(__always)
    private static func firstEscape(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index &+ 8 <= bytes.count {
            let marks = Eight.escapes(bytes.eight(at: index))
            if marks != 0 { return index &+ Eight.firstMarked(marks) }
            index &+= 8
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte == Byte.quote || byte == Byte.backslash { return index }
            index &+= 1
        }
        return index
    }

    private mutating func appendEscape(_ byte: UInt8) {
        append(Byte.backslash)
        switch byte {
        case Byte.quote, Byte.backslash: append(byte)
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        default:
            appendLiteral(byte < 0x10 ? "u000" : "u001")
            let digit = byte & 0x0F
            append(digit < 10 ? Byte.zero + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    // MARK: Digits

    @inline(__always)
    mutating func appendDigits(_ magnitude: UInt64, comma: Bool, isNegative: Bool) {
        let digitCount = Self.digitCount(magnitude)
        append(upTo: digitCount &+ 2) { output, start in
            var index = start
            if comma { Self.put(Byte.comma, &output, &index) }
            if isNegative { Self.put(Byte.minus, &output, &index) }
            Self.write(magnitude, digitCount, &output, index)
            return index &+ digitCount
        }
    }

    mutating func appendDecimal(micros: Int64) {
        let (whole, fraction) = micros.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        appendDigits(whole, comma: false, isNegative: micros < 0)
        append(upTo: 7) { output, start in
            output[start] = Byte.dot
            Self.write(fraction, 6, &output, start &+ 1)
            var digits = 6
            while digits > 2, output[start &+ digits] == Byte.zero { digits &-= 1 }
            return start &+ digits &+ 1
        }
    }

    @inline(__always)
    private static func digitCount(_ magnitude: UInt64) -> Int {
        var count = 1
        var rest = magnitude
        while true {
            if rest < 10 { return count }
            if rest < 100 { return count &+ 1 }
            if rest < 1000 { return count &+ 2 }
            if rest < 10000 { return count &+ 3 }
            rest /= 10000
            count &+= 4
        }
    }

    /// Writes exactly `digitCount` digits, with zeros in front if need be, from the last to the first.
    @inline(__always)
    private static func write(
        _ magnitude: UInt64, _ digitCount: Int, _ output: inout MutableSpan<UInt8>, _ start: Int
    ) {
        var rest = magnitude
        var index = start &+ digitCount
        while index > start {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            index &-= 1
            output[index] = Byte.zero &+ UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
    }
}
