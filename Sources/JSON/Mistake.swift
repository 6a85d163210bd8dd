// Owns what a caller is told about one wrong field, and the failure of a whole body.
// It must not know HTTP.

/// One mistake of a body: where, which, and what to do about it.
public struct Mistake: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable across versions: programs may compare it.
    public enum Code: String, Sendable, Equatable, CaseIterable {
        /// The text is no JSON; it is then the only mistake.
        case syntax
        case unknownField, missing, wrongType, outOfRange, tooShort, tooLong, invalid, duplicate
    }

    /// RFC 6901 pointer into the body; empty for the whole body.
    public let pointer: String
    public let code: Code
    /// A sentence that says what to do.
    public let message: String

    public init(pointer: String, code: Code, message: String) {
        self.pointer = pointer
        self.code = code
        self.message = message
    }

    public var description: String { "\(pointer.isEmpty ? "the body" : pointer): \(message)" }
}

/// Why a body could not be decoded.
public enum JSONFailure: Error, Sendable, Equatable {
    case syntax(JSONSyntaxError)
    /// At least one mistake, in the order they were met; `leftOut` more were counted but not kept.
    case mistakes([Mistake], leftOut: Int)

    /// The same as one list: a syntax error is one mistake whose message begins with line and column.
    public var mistakes: [Mistake] {
        switch self {
        case .syntax(let error): [Mistake(pointer: error.pointer, code: .syntax, message: error.description)]
        case .mistakes(let mistakes, _): mistakes
        }
    }

    public var leftOut: Int {
        switch self {
        case .syntax: 0
        case .mistakes(_, let leftOut): leftOut
        }
    }
}
