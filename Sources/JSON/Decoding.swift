// Owns the decoding of one body: the document, and the mistakes met on the way.
// It must not know what a body means: field names and shapes are its callers'.

/// Reads `bytes` (or `range` of them) as one object and decodes it with `body`. All its mistakes are reported at once.
///
/// After a mistake the readers go on with placeholders (`""`, 0, the first case, an empty array), so `body` must only
/// build values, never act on them; what it returns is thrown away if there was any mistake.
@inlinable
public func decodeObject<T>(
    _ bytes: [UInt8], in range: Range<Int>? = nil, limits: JSONLimits = JSONLimits(),
    maxMistakes: Int = FieldDefaults.mistakes, _ body: (inout ObjectReader) -> T
) throws(JSONFailure) -> T {
    try Decoding.object(in: Decoding.read(bytes, range, limits), maxMistakes: maxMistakes, body)
}

/// The same for a copy of `span`.
@inlinable
public func decodeObject<T>(
    copying span: Span<UInt8>, limits: JSONLimits = JSONLimits(), maxMistakes: Int = FieldDefaults.mistakes,
    _ body: (inout ObjectReader) -> T
) throws(JSONFailure) -> T {
    try Decoding.object(in: Decoding.read(span, limits), maxMistakes: maxMistakes, body)
}

/// A document being decoded and the mistakes found so far. Readers share it; it is not for two threads.
///
/// `decodeObject` is the short way. Use this one when the body is no object, or when checks that span several bodies
/// are to add their mistakes.
public final class Decoding {
    public let document: JSONDocument
    public let maxMistakes: Int
    public private(set) var mistakes: [Mistake] = []
    /// Mistakes beyond `maxMistakes`: counted, not kept.
    public private(set) var leftOut = 0

    /// Names that were asked for in vain, by reader; the candidates when an unknown field turns up. One array for
    /// all readers, because one for each would cost an allocation for each object.
    private var absent: [(reader: Int, name: StaticString)] = []
    private var readers = 0

    public init(_ document: JSONDocument, maxMistakes: Int = FieldDefaults.mistakes) {
        self.document = document
        self.maxMistakes = maxMistakes
    }

    /// The reader of the whole text.
    public var root: ValueReader { ValueReader(decoding: self, index: 0) }

    public var hasMistakes: Bool { !mistakes.isEmpty || leftOut > 0 }

    /// Throws what was collected, if anything was.
    public func finish() throws(JSONFailure) {
        if hasMistakes { throw .mistakes(mistakes, leftOut: leftOut) }
    }

    /// Adds a mistake of the caller's own. The sentence is only made when there is room for it.
    public func add(_ code: Mistake.Code, at pointer: @autoclosure () -> String, _ message: @autoclosure () -> String) {
        guard mistakes.count < maxMistakes else { return leftOut += 1 }
        mistakes.append(Mistake(pointer: pointer(), code: code, message: message()))
    }

    func leaveOut(_ count: Int) { leftOut += count }

    func newReader() -> Int {
        readers &+= 1
        return readers
    }

    func noteAbsent(_ name: StaticString, reader: Int) {
        if absent.isEmpty { absent.reserveCapacity(32) }
        absent.append((reader, name))
    }

    func absentNames(reader: Int) -> [String] {
        absent.compactMap { $0.reader == reader ? $0.name.description : nil }
    }

    /// Forgets the names of a reader that has finished. Readers end in the order of their nesting, so they stand last.
    func forgetAbsent(reader: Int) {
        while let last = absent.last, last.reader >= reader { absent.removeLast() }
    }

    @usableFromInline
    static func read(_ bytes: [UInt8], _ range: Range<Int>?, _ limits: JSONLimits) throws(JSONFailure) -> JSONDocument {
        do throws(JSONSyntaxError) {
            return try JSONDocument(bytes, in: range, limits: limits)
        } catch {
            throw .syntax(error)
        }
    }

    @usableFromInline
    static func read(_ span: Span<UInt8>, _ limits: JSONLimits) throws(JSONFailure) -> JSONDocument {
        do throws(JSONSyntaxError) {
            return try JSONDocument(copying: span, limits: limits)
        } catch {
            throw .syntax(error)
        }
    }

    @inlinable
    static func object<T>(
        in document: JSONDocument, maxMistakes: Int, _ body: (inout ObjectReader) -> T
    ) throws(JSONFailure) -> T {
        let decoding = Decoding(document, maxMistakes: maxMistakes)
        let result = decoding.root.object(body)
        try decoding.finish()
        return result
    }
}
