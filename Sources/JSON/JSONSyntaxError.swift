// Owns the error of a text that is no JSON or breaks a limit: where it broke, and one sentence on what to do.
// It must not know fields or what they mean.

/// A text that is not JSON as RFC 8259 has it, or is more than `JSONLimits` allows. The text's writer must mend it.
public struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: String, Sendable, Equatable, CaseIterable {
        case empty, byteOrderMark, endOfInput, unexpectedByte, trailingComma, trailingContent
        case controlCharacter, invalidEscape, loneSurrogate, invalidUTF8, invalidNumber, duplicateKey
        case tooLarge, tooDeep, tooManyValues, stringTooLong
    }

    public let reason: Reason
    /// Bytes before the place, from the start of the text (of the range, when a range was read).
    public let offset: Int
    /// Counted from one; only line feeds end a line.
    public let line: Int
    /// Counted from one, in Unicode scalars.
    public let column: Int
    /// RFC 6901 pointer of the innermost value that had begun; empty for the whole text.
    public let pointer: String
    /// A sentence that says what is wrong and what to do, without the position.
    public let message: String

    public var description: String { "line \(line), column \(column): \(message)" }
}

/// What the parser throws: a place and a reason, made into a `JSONSyntaxError` once the text is no longer hot.
struct Fault: Error {
    var reason: JSONSyntaxError.Reason
    var offset: Int
    var expected: StaticString = ""
    /// The fault lies behind a finished value: its place is the container, not the next element.
    var isAfterValue = false
}

extension JSONSyntaxError {
    init(_ fault: Fault, in input: Span<UInt8>, pointer: String, limits: JSONLimits) {
        var line = 1
        var column = 1
        for index in 0..<min(fault.offset, input.count) {
            let byte = input[index]
            if byte == Byte.lineFeed {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        reason = fault.reason
        offset = fault.offset
        self.line = line
        self.column = column
        self.pointer = pointer
        let found = fault.offset < input.count ? Self.name(of: input[fault.offset]) : "the end"
        message = Self.sentence(fault, found: found, pointer: pointer, limits: limits)
    }

    private static func sentence(_ fault: Fault, found: String, pointer: String, limits: JSONLimits) -> String {
        switch fault.reason {
        case .empty: "The text is empty: send one JSON value."
        case .byteOrderMark: "The text begins with a byte order mark: send UTF-8 without one."
        case .endOfInput: "The text ends too early: \(fault.expected) was still to come."
        case .unexpectedByte: "Here should be \(fault.expected), not \(found)."
        case .trailingComma: "A comma stands before \(found): remove it."
        case .trailingContent: "The value has ended before \(found): send one value and nothing after it."
        case .controlCharacter: "A string holds \(found) bare: escape it, for example as \\n or \\u000a."
        case .invalidEscape:
            "There is no such escape: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u with four hexadecimal digits."
        case .loneSurrogate: "Half a surrogate pair is no character: write both halves, high then low, or neither."
        case .invalidUTF8: "\(found) does not continue UTF-8 here: send the text as UTF-8."
        case .invalidNumber: "A number goes wrong here: \(fault.expected)."
        case .duplicateKey: "This key of the object was there before: keep one of the two."
        case .tooLarge: "The text is longer than \(limits.inputBytes) bytes: send less at once."
        case .tooDeep: "Arrays and objects nest deeper than \(limits.depth): flatten them."
        case .tooManyValues: "The text holds more than \(limits.values) values: send less at once."
        case .stringTooLong: "A string is longer than \(limits.stringBytes) bytes: shorten it."
        }
    }

    private static func name(of byte: UInt8) -> String {
        if byte > 0x20 && byte < 0x7F { return "'\(Character(Unicode.Scalar(byte)))'" }
        switch byte {
        case Byte.space: return "a space"
        case Byte.tab: return "a tab"
        case Byte.lineFeed: return "a line feed"
        case Byte.carriageReturn: return "a carriage return"
        default: return "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
