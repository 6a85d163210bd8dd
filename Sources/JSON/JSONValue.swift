// Owns the view of one value of a document: its kind, its parts, its exact text.
// It must not know mistakes: what is not there is nil.

/// One value of a document; a reference and an index, cheap to copy.
public struct JSONValue: Sendable {
    public enum Kind: Sendable, Equatable {
        case object, array, string, boolean, null
        /// A number without fraction and exponent, of any size.
        case integer
        /// A number with a fraction or an exponent, even 1.0 and 1e3.
        case decimal
    }

    let document: JSONDocument
    let index: Int

    @inline(__always)
    var word: UInt64 { document.tape[index] }

    public var kind: Kind {
        switch Tape.kind(word) {
        case .object: .object
        case .array: .array
        case .string, .escapedString: .string
        case .integer: .integer
        case .decimal: .decimal
        case .yes, .no: .boolean
        case .null: .null
        }
    }

    /// The string's text, copied out of the document.
    public var string: String? { Tape.isString(word) ? document.text(word) : nil }

    public var boolean: Bool? {
        switch Tape.kind(word) {
        case .yes: true
        case .no: false
        default: nil
        }
    }

    public var isNull: Bool { Tape.kind(word) == .null }

    /// The integer, exact; nil for another kind, for 1.0 and 1e3, and beyond 64 bits.
    public var int64: Int64? { integer.flatMap { Int64(exactly: $0) } }
    public var uint64: UInt64? { integer.flatMap { UInt64(exactly: $0) } }

    /// The integer if its magnitude fits in 64 bits.
    var integer: Int128? {
        let word = word
        guard Tape.kind(word) == .integer else { return nil }
        let range = document.sourceRange(word)
        let source = document.bytes
        let bytes = source.span
        let isNegative = bytes[range.lowerBound] == Byte.minus
        let first = isNegative ? range.lowerBound &+ 1 : range.lowerBound
        // Twenty digits are the most a UInt64 has; nineteen always fit.
        guard range.upperBound &- first <= 20 else { return nil }
        var magnitude: UInt64 = 0
        for index in first..<min(range.upperBound, first &+ 19) {
            magnitude = magnitude &* 10 &+ UInt64(bytes[index] &- Byte.zero)
        }
        if range.upperBound &- first == 20 {
            let (tens, overflowsTens) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = tens.addingReportingOverflow(UInt64(bytes[first &+ 19] &- Byte.zero))
            if overflowsTens || overflows { return nil }
            magnitude = sum
        }
        return isNegative ? -Int128(magnitude) : Int128(magnitude)
    }

    /// The nearest double of a number of either kind; nil when it is too large to be finite.
    public var double: Double? {
        guard let text = numberText, let double = Double(text), double.isFinite else { return nil }
        return double
    }

    /// A number's exact text as it was written.
    public var numberText: String? {
        switch Tape.kind(word) {
        case .integer, .decimal: document.sourceText(word)
        default: nil
        }
    }

    /// Elements of an array or members of an object; zero for the rest. Constant time.
    public var count: Int { Tape.isContainer(word) ? Tape.count(document.tape[index + 1]) : 0 }

    /// The RFC 6901 pointer of this value. Linear in the siblings of its path; for messages, not for hot paths.
    public var pointer: String { document.pointer(of: index) }

    /// Elements of an array in order; none for another kind.
    public var elements: Elements {
        Tape.kind(word) == .array
            ? Elements(document: document, cursor: index + 2, end: Tape.length(word))
            : Elements(document: document, cursor: 0, end: 0)
    }

    /// Members of an object in the order they were written; none for another kind.
    public var members: Members {
        Tape.isObject(word)
            ? Members(document: document, cursor: index + 3, end: Tape.length(word))
            : Members(document: document, cursor: 0, end: 0)
    }

    /// The member of that name, if this is an object that has one. Linear in the members.
    public subscript(name: String) -> JSONValue? {
        let name = Array(name.utf8)
        guard Tape.isObject(word), document.tape[index + 2] & KeyBucket.of(name) != 0 else { return nil }
        var key = index + 3
        let end = Tape.length(word)
        while key < end {
            // The buffer does not leave the closure.
            let isHere = unsafe name.withUnsafeBufferPointer { unsafe document.isEqual(document.tape[key], $0) }
            if isHere { return JSONValue(document: document, index: key + 1) }
            key = Tape.next(key + 1, document.tape[key + 1])
        }
        return nil
    }

    public struct Elements: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var cursor: Int
        let end: Int

        public mutating func next() -> JSONValue? {
            guard cursor < end else { return nil }
            let index = cursor
            cursor = Tape.next(index, document.tape[index])
            return JSONValue(document: document, index: index)
        }
    }

    public struct Members: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var cursor: Int
        let end: Int

        public mutating func next() -> (key: String, value: JSONValue)? {
            guard cursor < end else { return nil }
            let index = cursor
            cursor = Tape.next(index + 1, document.tape[index + 1])
            return (document.text(document.tape[index]), JSONValue(document: document, index: index + 1))
        }
    }
}
