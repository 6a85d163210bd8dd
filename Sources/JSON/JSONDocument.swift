// Owns a text that was read: its bytes and its tape, immutable.
// It must not know the grammar or the fields of a body.

/// A JSON text that was read whole and found correct. Values are views of it.
///
/// It keeps the bytes it was given, without a copy, and one integer or so for each value. Reading is linear.
public final class JSONDocument: Sendable {
    let bytes: [UInt8]
    /// Where the text begins in `bytes`; offsets on the tape count from here.
    let origin: Int
    let tape: [UInt64]

    /// Reads `bytes`, or only `range` of them (a line of NDJSON, say), without copying.
    /// Throws what is wrong first; offset, line and column count from the start of the range.
    public init(
        _ bytes: [UInt8], in range: Range<Int>? = nil, limits: JSONLimits = JSONLimits()
    ) throws(JSONSyntaxError) {
        let range = range ?? 0..<bytes.count
        let input = bytes.span.extracting(range)
        var parser = Parser(limits: limits)
        do throws(Fault) {
            try parser.parse(input)
        } catch {
            throw JSONSyntaxError(error, in: input, pointer: parser.pointer(of: error, input), limits: limits)
        }
        self.bytes = bytes
        origin = range.lowerBound
        tape = parser.tape
    }

    /// Reads a copy of `span`.
    public convenience init(copying span: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONSyntaxError) {
        // The buffer is copied whole inside the closure.
        let bytes = unsafe span.withUnsafeBufferPointer { unsafe [UInt8]($0) }
        try self.init(bytes, limits: limits)
    }

    /// The one value of the text.
    public var root: JSONValue { JSONValue(document: self, index: 0) }

    /// What the string or key means.
    func text(_ word: UInt64) -> String {
        let bytes = bytes
        return String(utf8: bytes.span, word, origin: origin)
    }

    /// The bytes of a scalar as they were written, as a string.
    func sourceText(_ word: UInt64) -> String {
        let bytes = bytes
        return String(utf8: bytes.span, in: sourceRange(word))
    }

    func sourceRange(_ word: UInt64) -> Range<Int> {
        let start = origin &+ Tape.offset(word)
        return start..<(start &+ Tape.length(word))
    }

    /// UTF-8 bytes of what the string means, counted without making it when it has no escapes.
    func meantCount(_ word: UInt64) -> Int {
        let bytes = bytes
        return Tape.isEscaped(word) ? Unescape.bytes(bytes.span, sourceRange(word)).count : Tape.length(word)
    }

    /// Whether the string or key means exactly these bytes.
    @inline(__always)
    func isEqual(_ word: UInt64, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let bytes = bytes
        if Tape.isEscaped(word) { return unsafe Unescape.bytes(bytes.span, sourceRange(word)).elementsEqual(name) }
        guard Tape.length(word) == name.count else { return false }
        let start = origin &+ Tape.offset(word)
        let span = bytes.span
        for index in 0..<name.count where unsafe span[start &+ index] != name[index] { return false }
        return true
    }
}

extension String {
    /// The string that a string's or key's word means.
    init(utf8 input: Span<UInt8>, _ word: UInt64, origin: Int = 0) {
        let start = origin &+ Tape.offset(word)
        let range = start..<(start &+ Tape.length(word))
        if Tape.isEscaped(word) {
            self = String(decoding: Unescape.bytes(input, range), as: UTF8.self)
        } else {
            self.init(utf8: input, in: range)
        }
    }

    init(utf8 input: Span<UInt8>, in range: Range<Int>) {
        // The buffer is copied whole inside the closure.
        self = unsafe input.extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
