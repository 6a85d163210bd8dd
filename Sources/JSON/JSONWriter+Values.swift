// Owns the text of scalars: escaping, digits, decimals.
// It must not know punctuation between values.

extension JSONWriter {
    public mutating func null() {
        beginValue()
        appendLiteral("null")
    }

    public mutating func value(_ boolean: Bool) {
        beginValue()
        appendLiteral(boolean ? "true" : "false")
    }

    public mutating func value(_ integer: Int) { value(Int64(integer)) }

    public mutating func value(_ integer: Int64) {
        beginValue()
        if integer < 0 { append(Byte.minus) }
        appendDigits(integer.magnitude)
    }

    public mutating func value(_ integer: UInt64) {
        beginValue()
        appendDigits(integer)
    }

    /// The shortest text that reads back as the same double; JSON has no infinity and no NaN, they become null.
    public mutating func value(_ double: Double) {
        guard double.isFinite else { return null() }
        beginValue()
        appendRaw(double.description)
    }

    public mutating func value(_ string: String) {
        beginValue()
        appendQuoted(string)
    }

    /// A text known to need no escaping: ASCII without quotes, backslashes and control characters.
    public mutating func value(_ text: StaticString) {
        beginValue()
        append(Byte.quote)
        appendLiteral(text)
        append(Byte.quote)
    }

    /// An amount as a string: 3_200_000 is "3.20".
    public mutating func value(micros: Int64) {
        beginValue()
        append(Byte.quote)
        appendDecimal(micros: micros)
        append(Byte.quote)
    }

    /// One value that is JSON already. It is not checked.
    public mutating func value(raw bytes: [UInt8]) { value(raw: bytes.span) }

    public mutating func value(raw bytes: Span<UInt8>) {
        beginValue()
        // The bytes are copied inside the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append($0, 0..<$0.count) }
    }

    // MARK: Text

    @inline(__always)
    mutating func appendLiteral(_ text: StaticString) {
        // The literal's bytes are copied inside the closure.
        text.withUTF8Buffer { unsafe append($0, 0..<$0.count) }
    }

    private mutating func appendRaw(_ text: String) {
        var text = text
        // The bytes are copied inside the closure.
        text.withUTF8 { unsafe append($0, 0..<$0.count) }
    }

    /// The string in quotes. Runs without escapes are found eight bytes at a time and copied whole.
    mutating func appendQuoted(_ string: String) {
        append(Byte.quote)
        var string = string
        // The bytes are copied inside the closure.
        string.withUTF8 { text in
            var start = 0
            var index = 0
            let words = unsafe Span(_unsafeElements: text)
            while true {
                while index &+ 8 <= text.count {
                    let marks = Eight.escapes(words.eight(at: index))
                    if marks != 0 {
                        index &+= Eight.firstMarked(marks)
                        break
                    }
                    index &+= 8
                }
                guard index < text.count else { break }
                let byte = words[index]
                if byte < 0x20 || byte == Byte.quote || byte == Byte.backslash {
                    unsafe append(text, start..<index)
                    appendEscape(byte)
                    start = index &+ 1
                }
                index &+= 1
            }
            unsafe append(text, start..<text.count)
        }
        append(Byte.quote)
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
    mutating func appendDigits(_ magnitude: UInt64) {
        if magnitude < 10 { return append(Byte.zero &+ UInt8(truncatingIfNeeded: magnitude)) }
        let digitCount = Self.digitCount(magnitude)
        append(upTo: digitCount) { output, start in
            Self.write(magnitude, digitCount, &output, start)
            return digitCount
        }
    }

    mutating func appendDecimal(micros: Int64) {
        if micros < 0 { append(Byte.minus) }
        let (whole, fraction) = micros.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        appendDigits(whole)
        append(upTo: 7) { output, start in
            output[start] = Byte.dot
            Self.write(fraction, 6, &output, start &+ 1)
            var digits = 6
            while digits > 2, output[start &+ digits] == Byte.zero { digits &-= 1 }
            return digits &+ 1
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
