// Owns strings, numbers and literals of the grammar, UTF-8 and escapes among them.
// It must not know containers.

extension Parser {
    /// Reads a string from behind its opening quote. Returns the index behind the closing one.
    @inline(__always)
    mutating func string(_ input: Span<UInt8>, _ first: Int) throws(Fault) -> Int {
        var index = first
        var kind = Tape.Kind.string
        while true {
            while index &+ 8 <= input.count {
                let stops = Eight.stops(input.eight(at: index))
                if stops != 0 {
                    index &+= Eight.firstMarked(stops)
                    break
                }
                index &+= 8
            }
            guard index < input.count else {
                throw Fault(reason: .endOfInput, offset: index, expected: "the closing quote of a string")
            }
            let byte = input[index]
            if byte == Byte.quote { break }
            if byte == Byte.backslash {
                kind = .escapedString
                index = try escape(input, index)
            } else if byte >= 0x80 {
                index = try scalar(input, index)
            } else if byte < 0x20 {
                throw Fault(reason: .controlCharacter, offset: index)
            } else {
                index &+= 1
            }
        }
        if index &- first > limits.stringBytes { throw Fault(reason: .stringTooLong, offset: first &- 1) }
        tape.append(Tape.word(kind, offset: first, length: index &- first))
        return index &+ 1
    }

    /// Reads one escape from its backslash on. Surrogates come in pairs or not at all.
    private func escape(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        guard start + 1 < input.count else {
            throw Fault(reason: .endOfInput, offset: start + 1, expected: "the rest of an escape")
        }
        switch input[start + 1] {
        case Byte.quote, Byte.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start + 2
        case UInt8(ascii: "u"):
            let unit = try hexadecimal(input, start)
            guard unit & 0xF800 == 0xD800 else { return start + 6 }
            guard unit < 0xDC00, start + 7 < input.count, input[start + 6] == Byte.backslash,
                input[start + 7] == UInt8(ascii: "u"), try hexadecimal(input, start + 6) & 0xFC00 == 0xDC00
            else { throw Fault(reason: .loneSurrogate, offset: start) }
            return start + 12
        default:
            throw Fault(reason: .invalidEscape, offset: start)
        }
    }

    private func hexadecimal(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> UInt32 {
        guard start + 6 <= input.count else {
            throw Fault(reason: .endOfInput, offset: input.count, expected: "the rest of an escape")
        }
        var unit: UInt32 = 0
        for index in start + 2..<start + 6 {
            guard let digit = Unescape.digit(input[index]) else { throw Fault(reason: .invalidEscape, offset: start) }
            unit = unit << 4 | digit
        }
        return unit
    }

    /// Reads one character outside ASCII: the table of well-formed sequences of the Unicode standard (3-7).
    private func scalar(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        let lead = input[start]
        let count: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: count = 2
        case 0xE0: (count, second) = (3, 0xA0...0xBF)
        case 0xED: (count, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: count = 3
        case 0xF0: (count, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: count = 4
        case 0xF4: (count, second) = (4, 0x80...0x8F)
        default: throw Fault(reason: .invalidUTF8, offset: start)
        }
        for index in start + 1..<start + count {
            guard index < input.count else {
                throw Fault(reason: .endOfInput, offset: index, expected: "the rest of a UTF-8 character")
            }
            let allowed = index == start + 1 ? second : 0x80...0xBF
            guard allowed.contains(input[index]) else { throw Fault(reason: .invalidUTF8, offset: index) }
        }
        return start + count
    }

    /// Reads a number. It is an integer only when it has neither fraction nor exponent.
    @inline(__always)
    mutating func number(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        var kind = Tape.Kind.integer
        var index = start
        if input[index] == Byte.minus { index &+= 1 }
        let first = index
        index = try digits(input, index, "a digit must follow '-'")
        if index &- first > 1, input[first] == Byte.zero {
            throw Fault(reason: .invalidNumber, offset: first, expected: "remove the zeros it begins with")
        }
        if index < input.count, input[index] == Byte.dot {
            kind = .decimal
            index = try digits(input, index &+ 1, "a digit must follow '.'")
        }
        if index < input.count, input[index] | 0x20 == UInt8(ascii: "e") {
            kind = .decimal
            index &+= 1
            if index < input.count, input[index] == Byte.plus || input[index] == Byte.minus { index &+= 1 }
            index = try digits(input, index, "the exponent needs a digit")
        }
        tape.append(Tape.word(kind, offset: start, length: index &- start))
        return index
    }

    @inline(__always)
    private func digits(_ input: Span<UInt8>, _ start: Int, _ expected: StaticString) throws(Fault) -> Int {
        var index = start
        while index < input.count, Byte.isDigit(input[index]) { index &+= 1 }
        if index > start { return index }
        if index < input.count { throw Fault(reason: .invalidNumber, offset: index, expected: expected) }
        throw Fault(reason: .endOfInput, offset: index, expected: "a digit")
    }

    mutating func literal(
        _ input: Span<UInt8>, _ start: Int, _ text: StaticString, _ kind: Tape.Kind
    ) throws(Fault) -> Int {
        let count = text.utf8CodeUnitCount
        for index in 0..<count {
            guard start + index < input.count else {
                throw Fault(reason: .endOfInput, offset: input.count, expected: "the rest of a word")
            }
            // Inside the literal by the loop's bounds.
            guard unsafe input[start + index] == text.utf8Start[index] else {
                throw Fault(
                    reason: .unexpectedByte, offset: start + index, expected: "the rest of true, false or null")
            }
        }
        tape.append(Tape.word(kind, offset: start, length: count))
        return start + count
    }
}

/// Turns the text between two quotes into the bytes it means. The parser has checked every escape before.
enum Unescape {
    static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case Byte.zero...Byte.nine: UInt32(byte - Byte.zero)
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// The UTF-8 bytes meant by `input[range]`. Linear.
    static func bytes(_ input: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = input[index]
            guard byte == Byte.backslash else {
                output.append(byte)
                index += 1
                continue
            }
            index += 2
            switch input[index - 1] {
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = unit(input, index)
                index += 4
                if scalar & 0xFC00 == 0xD800 {
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + (unit(input, index + 2) & 0x3FF)
                    index += 6
                }
                append(scalar, to: &output)
            case let plain: output.append(plain)
            }
        }
        return output
    }

    private static func unit(_ input: Span<UInt8>, _ start: Int) -> UInt32 {
        var unit: UInt32 = 0
        for index in start..<start + 4 { unit = unit << 4 | (digit(input[index]) ?? 0) }
        return unit
    }

    private static func append(_ scalar: UInt32, to output: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
