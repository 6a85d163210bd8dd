// Owns the grammar: it walks the bytes once and writes the tape.
// It must not know fields, mistakes or what a text is for.

/// One pass over a text. The containers still open are chained by the parent links on the tape, so that there is
/// neither recursion nor a stack of its own.
struct Parser {
    let limits: JSONLimits
    var tape: [UInt64] = []
    /// Tape index of the innermost open container, or -1.
    var container = -1
    var isInObject = false
    private var depth = 0
    private var values = 0
    /// Hash table for objects of many keys, kept from one such object to the next.
    var slots: [UInt32] = []

    init(limits: JSONLimits) { self.limits = limits }

    /// Writes the tape of `input`. Linear in its bytes.
    mutating func parse(_ input: Span<UInt8>) throws(Fault) {
        guard input.count <= limits.inputBytes, input.count < Tape.limit else {
            throw Fault(reason: .tooLarge, offset: 0)
        }
        if input.count >= 3, input[0] == 0xEF, input[1] == 0xBB, input[2] == 0xBF {
            throw Fault(reason: .byteOrderMark, offset: 0)
        }
        tape.reserveCapacity(input.count / 8 + 16)
        var index = Self.skipWhite(input, 0)
        if index == input.count { throw Fault(reason: .empty, offset: index) }
        repeat {
            index = try value(input, index)
            index = try afterValue(input, index)
        } while container >= 0
        index = Self.skipWhite(input, index)
        if index < input.count { throw Fault(reason: .trailingContent, offset: index, isAfterValue: true) }
    }

    /// Reads one scalar or empty container, going into containers until it has one. Returns the index behind it.
    @inline(__always)
    private mutating func value(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        var index = start
        while true {
            guard index < input.count else { throw Fault(reason: .endOfInput, offset: index, expected: "a value") }
            values &+= 1
            if values > limits.values { throw Fault(reason: .tooManyValues, offset: index) }
            let byte = input[index]
            switch byte {
            case Byte.quote:
                return try string(input, index &+ 1)
            case Byte.openBrace:
                try open(.object, at: index)
                index = Self.skipWhite(input, index &+ 1)
                if index < input.count, input[index] == Byte.closeBrace {
                    try close(input)
                    return index &+ 1
                }
                index = try key(input, index)
            case Byte.openBracket:
                try open(.array, at: index)
                index = Self.skipWhite(input, index &+ 1)
                if index < input.count, input[index] == Byte.closeBracket {
                    try close(input)
                    return index &+ 1
                }
            case Byte.minus, Byte.zero...Byte.nine:
                return try number(input, index)
            case UInt8(ascii: "t"):
                return try literal(input, index, "true", .yes)
            case UInt8(ascii: "f"):
                return try literal(input, index, "false", .no)
            case UInt8(ascii: "n"):
                return try literal(input, index, "null", .null)
            default:
                let closes = byte == Byte.closeBracket && container >= 0 && !isInObject
                throw Fault(reason: closes ? .trailingComma : .unexpectedByte, offset: index, expected: "a value")
            }
        }
    }

    /// Closes what ends here and goes to the start of the next value, if there is one.
    @inline(__always)
    private mutating func afterValue(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        var index = start
        while container >= 0 {
            tape[container &+ 1] &+= 1
            index = Self.skipWhite(input, index)
            guard index < input.count else {
                throw Fault(
                    reason: .endOfInput, offset: index, expected: isInObject ? "',' or '}'" : "',' or ']'",
                    isAfterValue: true)
            }
            let byte = input[index]
            if byte == Byte.comma {
                index = Self.skipWhite(input, index &+ 1)
                return isInObject ? try key(input, index) : index
            }
            guard byte == (isInObject ? Byte.closeBrace : Byte.closeBracket) else {
                throw Fault(
                    reason: .unexpectedByte, offset: index, expected: isInObject ? "',' or '}'" : "',' or ']'",
                    isAfterValue: true)
            }
            try close(input)
            index &+= 1
        }
        return index
    }

    @inline(__always)
    private mutating func open(_ kind: Tape.Kind, at offset: Int) throws(Fault) {
        depth &+= 1
        if depth > limits.depth { throw Fault(reason: .tooDeep, offset: offset) }
        let parent = UInt64(truncatingIfNeeded: container &+ 1) << 32
        container = tape.count
        isInObject = kind == .object
        tape.append(Tape.word(kind, offset: offset, length: 0))
        tape.append(parent)
        if isInObject { tape.append(0) }
    }

    @inline(__always)
    private mutating func close(_ input: Span<UInt8>) throws(Fault) {
        let second = tape[container &+ 1]
        if isInObject, Tape.count(second) > Self.keysComparedEach { try refuseDuplicates(input) }
        tape[container] |= UInt64(truncatingIfNeeded: tape.count)
        container = Tape.parent(second)
        isInObject = container >= 0 && Tape.isObject(tape[container])
        depth &-= 1
    }

    /// Reads a key and its colon. Returns the index of the value's first byte.
    @inline(__always)
    private mutating func key(_ input: Span<UInt8>, _ start: Int) throws(Fault) -> Int {
        guard start < input.count else { throw Fault(reason: .endOfInput, offset: start, expected: "a key") }
        guard input[start] == Byte.quote else {
            let closes = input[start] == Byte.closeBrace
            throw Fault(
                reason: closes ? .trailingComma : .unexpectedByte, offset: start, expected: "a key in double quotes")
        }
        var index = try string(input, start &+ 1)
        try note(tape[tape.count &- 1], input)
        index = Self.skipWhite(input, index)
        guard index < input.count else { throw Fault(reason: .endOfInput, offset: index, expected: "':'") }
        guard input[index] == Byte.colon else {
            throw Fault(reason: .unexpectedByte, offset: index, expected: "':'")
        }
        return Self.skipWhite(input, index &+ 1)
    }

    @inline(__always)
    static func skipWhite(_ input: Span<UInt8>, _ start: Int) -> Int {
        var index = start
        while index < input.count {
            if input[index] > Byte.space { return index }
            guard Byte.isWhite(input[index]) else { return index }
            index &+= 1
            // Indented text comes in runs of spaces.
            while index &+ 8 <= input.count, input.eight(at: index) == Eight.spaces { index &+= 8 }
        }
        return index
    }
}
