// A parsed JSON text: the bytes and a flat tape of its values. Owns no meaning of any field.
// Nothing is copied at parsing; a string is decoded when it is asked for.

/// Bounds on what a text may hold.
public struct JSONLimits: Sendable {
    /// Arrays and objects inside one another.
    public var depth = 64
    public var values = 1_000_000
    /// The start of every value is kept in 32 bits.
    public var bytes = Int(UInt32.max)

    public init() {}
}

/// Why a text is not JSON: the place, and a sentence.
public struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from the start of the text.
    public let offset: Int
    /// From 1; the column counts bytes.
    public let line: Int
    public let column: Int
    public let reason: String

    public var description: String { "line \(line), column \(column): \(reason)" }
}

/// One value on the tape.
struct Node {
    enum Kind: UInt8 { case null, `false`, `true`, integer, fraction, string, escapedString, array, object }

    var kind: Kind
    /// The first byte of the value; for a string, the byte after the quotation mark.
    var start: UInt32
    /// Bytes of a number or of a string's inside; elements of an array; members of an object.
    var count: UInt32
    /// Tape index of the value after this one and all inside it.
    var next: UInt32
}

/// A JSON text (RFC 8259), read strictly: UTF-8 without a byte order mark, no trailing comma, no duplicate key, no comment.
public final class JSONDocument: Sendable {
    let bytes: [UInt8]
    let tape: [Node]

    /// Parses all of `bytes`. Linear in their number.
    public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONSyntaxError) {
        self.bytes = bytes
        tape = try Parser.tape(of: bytes, in: 0..<bytes.count, limits: limits)
    }

    /// Parses a part of `bytes`, such as one line.
    public init(
        _ bytes: [UInt8], in range: Range<Int>, limits: JSONLimits = JSONLimits()
    ) throws(JSONSyntaxError) {
        self.bytes = bytes
        tape = try Parser.tape(of: bytes, in: range, limits: limits)
    }

    public var root: JSONValue { JSONValue(document: self, index: 0) }
}

/// A value of a document.
public struct JSONValue: Sendable {
    let document: JSONDocument
    let index: Int

    public enum Kind: String, Sendable { case null, boolean, number, string, array, object }

    var node: Node { document.tape[index] }

    public var kind: Kind {
        switch node.kind {
        case .null: .null
        case .true, .false: .boolean
        case .integer, .fraction: .number
        case .string, .escapedString: .string
        case .array: .array
        case .object: .object
        }
    }

    public var isNull: Bool { node.kind == .null }

    public var boolean: Bool? {
        switch node.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// A number without fraction or exponent that fits. `1.0` and `1e3` are not integers here.
    public var integer: Int64? {
        let node = node
        guard node.kind == .integer else { return nil }
        let isNegative = document.bytes[Int(node.start)] == UInt8(ascii: "-")
        var value: Int64 = 0
        for at in Int(node.start) + (isNegative ? 1 : 0)..<Int(node.start) + Int(node.count) {
            let digit = Int64(document.bytes[at] &- 48)
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }

    /// The text of a number as it was written.
    public var numberText: String? {
        let node = node
        guard node.kind == .integer || node.kind == .fraction else { return nil }
        return String(decoding: document.bytes[Int(node.start)..<Int(node.start) + Int(node.count)], as: UTF8.self)
    }

    public var isInteger: Bool { node.kind == .integer }

    public var string: String? {
        let node = node
        switch node.kind {
        case .string:
            return String(decoding: document.bytes[Int(node.start)..<Int(node.start) + Int(node.count)], as: UTF8.self)
        case .escapedString: return String(decoding: unescaped(node), as: UTF8.self)
        default: return nil
        }
    }

    /// Bytes of a string after unescaping.
    private func unescaped(_ node: Node) -> [UInt8] {
        Escape.decode(document.bytes, Int(node.start)..<Int(node.start) + Int(node.count))
    }

    /// Elements of an array, or members of an object.
    public var count: Int {
        let node = node
        return node.kind == .array || node.kind == .object ? Int(node.count) : 0
    }

    /// The elements of an array; none of another value.
    public func forEachElement<E: Error>(_ body: (_ at: Int, JSONValue) throws(E) -> Void) throws(E) {
        let node = node
        guard node.kind == .array else { return }
        var at = index + 1
        for position in 0..<Int(node.count) {
            try body(position, JSONValue(document: document, index: at))
            at = Int(document.tape[at].next)
        }
    }

    /// The members of an object; none of another value.
    public func forEachMember<E: Error>(_ body: (_ name: String, JSONValue) throws(E) -> Void) throws(E) {
        let node = node
        guard node.kind == .object else { return }
        var at = index + 1
        for _ in 0..<Int(node.count) {
            try body(
                JSONValue(document: document, index: at).string ?? "", JSONValue(document: document, index: at + 1))
            at = Int(document.tape[at + 1].next)
        }
    }

    /// The member called `name`, if this is an object that has it. Cost: the members.
    public subscript(name: String) -> JSONValue? {
        let node = node
        guard node.kind == .object else { return nil }
        var at = index + 1
        for _ in 0..<Int(node.count) {
            if isKey(at, name) { return JSONValue(document: document, index: at + 1) }
            at = Int(document.tape[at + 1].next)
        }
        return nil
    }

    func isKey(_ at: Int, _ name: String) -> Bool {
        let key = document.tape[at]
        if key.kind == .escapedString { return JSONValue(document: document, index: at).string == name }
        guard Int(key.count) == name.utf8.count else { return false }
        var place = Int(key.start)
        for byte in name.utf8 {
            if document.bytes[place] != byte { return false }
            place += 1
        }
        return true
    }
}
