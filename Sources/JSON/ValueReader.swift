// Owns the decoding of one value into a Swift value, and the sentences of what can be wrong with it.
// It must not know field names: `ObjectReader` finds the value, this reads it.

/// Reads one value of a body as what its caller expects. What is wrong is noted as a mistake, and a placeholder
/// returned: `""`, zero or the bound nearest to it, false, the first case, an empty array.
public struct ValueReader {
    @usableFromInline let decoding: Decoding
    @usableFromInline let index: Int

    @inline(__always)
    init(decoding: Decoding, index: Int) {
        self.decoding = decoding
        self.index = index
    }

    /// The value itself, for what the readers do not offer.
    public var value: JSONValue { JSONValue(document: decoding.document, index: index) }

    /// The value's RFC 6901 pointer. Linear in the siblings of its path.
    public var pointer: String { decoding.document.pointer(of: index) }

    /// Notes a mistake of the caller's own about this value.
    public func mistake(_ code: Mistake.Code, _ message: @autoclosure () -> String) {
        decoding.add(code, at: pointer, message())
    }

    private var word: UInt64 { decoding.document.tape[index] }

    /// A string of at least `minBytes` and at most `maxBytes` UTF-8 bytes.
    public func string(minBytes: Int = 0, maxBytes: Int = FieldDefaults.stringBytes) -> String {
        let word = word
        guard Tape.isString(word) else { return wrongType("a string", "") }
        return check(word, minBytes, maxBytes) ? decoding.document.text(word) : ""
    }

    private func check(_ word: UInt64, _ minBytes: Int, _ maxBytes: Int) -> Bool {
        let count = decoding.document.meantCount(word)
        if count > maxBytes {
            mistake(.tooLong, "Shorten the string to at most \(maxBytes) bytes; it has \(count).")
        } else if count < minBytes {
            mistake(.tooShort, minBytes == 1 ? "Give a string that is not empty." : "Give at least \(minBytes) bytes.")
        } else {
            return true
        }
        return false
    }

    public func boolean() -> Bool { value.boolean ?? wrongType("true or false", false) }

    /// An integer of any width within `range`. 1.0 and 1e3 are no integers.
    @inlinable
    public func integer<I: FixedWidthInteger>(in range: ClosedRange<I> = I.min...I.max) -> I {
        I(truncatingIfNeeded: integer(from: Int128(range.lowerBound), through: Int128(range.upperBound)))
    }

    @usableFromInline
    func integer(from low: Int128, through high: Int128) -> Int128 {
        if let integer = value.integer, integer >= low, integer <= high { return integer }
        let placeholder = min(max(0, low), high)
        switch value.kind {
        case .integer:
            mistake(.outOfRange, "Give an integer from \(low) to \(high), not \(shown(value.numberText ?? "")).")
        case .decimal:
            mistake(
                .wrongType, "Write a whole number without fraction or exponent, not \(shown(value.numberText ?? "")).")
        default:
            return wrongType("an integer", placeholder)
        }
        return placeholder
    }

    /// A number of either kind within `range`, as the nearest double.
    public func double(
        in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) -> Double {
        guard let text = value.numberText else { return wrongType("a number", range.lowerBound) }
        if let double = value.double, range.contains(double) { return double }
        mistake(.outOfRange, "Give a number from \(range.lowerBound) to \(range.upperBound), not \(shown(text)).")
        return range.lowerBound
    }

    /// An amount of money in micros, exact: a string such as "3.20", or a number written that way.
    public func micros(in range: ClosedRange<Int64> = 0...Int64.max) -> Int64 {
        let word = word
        let isNumber = value.numberText != nil
        guard isNumber || Tape.isString(word) else { return wrongType("an amount such as \"3.20\"", range.lowerBound) }
        // Anything longer than this is no amount, and is not worth copying.
        let text =
            Tape.length(word) > 64 ? "" : isNumber ? decoding.document.sourceText(word) : decoding.document.text(word)
        switch Money.micros(text) {
        case .success(let micros):
            if range.contains(micros) { return micros }
            mistake(
                .outOfRange,
                "Give an amount from \(decimalString(micros: range.lowerBound)) to \(decimalString(micros: range.upperBound))."
            )
        case .failure(.tooLarge):
            mistake(.outOfRange, "Give an amount of at most \(decimalString(micros: range.upperBound)).")
        case .failure(let error):
            mistake(.invalid, error.message)
        }
        return range.lowerBound
    }

    /// One of the raw values of an enumeration with at least one case; the message lists them.
    @inlinable
    public func choice<E: RawRepresentable & CaseIterable>(
        of type: E.Type = E.self
    ) -> E where E.RawValue == String {
        if let text = choiceText() {
            if let choice = E(rawValue: text) { return choice }
            noChoice(text, E.allCases.map(\.rawValue))
        }
        return E.allCases.first!
    }

    @usableFromInline
    func choiceText() -> String? { Tape.isString(word) ? string() : wrongType("a string", nil) }

    @usableFromInline
    func noChoice(_ text: String, _ allowed: [String]) {
        let list = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
        let hint = nearest(to: text, among: allowed).map { "; did you mean \"\($0)\"?" } ?? "."
        mistake(.invalid, "Give one of \(list), not \"\(shown(text))\"\(hint)")
    }

    /// What `parse` makes of a string; nil there (or a wrong type) is a mistake that says what was `expected`,
    /// such as "a time like 2026-01-31T12:00:00Z". The one reader that returns nil after a mistake.
    @inlinable
    public func parsed<T>(
        _ expected: String, maxBytes: Int = FieldDefaults.stringBytes, _ parse: (String) -> T?
    ) -> T? {
        guard let text = parsable(expected, maxBytes) else { return nil }
        if let result = parse(text) { return result }
        unparsable(expected, text)
        return nil
    }

    @usableFromInline
    func parsable(_ expected: String, _ maxBytes: Int) -> String? {
        let word = word
        guard Tape.isString(word) else { return wrongType("\(expected), as a string", nil) }
        return check(word, 0, maxBytes) ? decoding.document.text(word) : nil
    }

    @usableFromInline
    func unparsable(_ expected: String, _ text: String) {
        mistake(.invalid, "Give \(expected), not \"\(shown(text))\".")
    }

    /// An array with a count in `count`, each element decoded by `element`.
    @inlinable
    public func array<T>(
        count: ClosedRange<Int> = 0...FieldDefaults.elements, _ element: (ValueReader) -> T
    ) -> [T] {
        var cursor = arrayStart(count)
        guard cursor >= 0 else { return [] }
        var elements: [T] = []
        elements.reserveCapacity(value.count)
        while let reader = nextElement(&cursor) { elements.append(element(reader)) }
        return elements
    }

    @usableFromInline
    func arrayStart(_ count: ClosedRange<Int>) -> Int {
        guard Tape.kind(word) == .array else { return wrongType("an array", -1) }
        return checkCount(count, "elements") ? index + 2 : -1
    }

    @usableFromInline
    func nextElement(_ cursor: inout Int) -> ValueReader? {
        let tape = decoding.document.tape
        guard cursor < Tape.length(tape[index]) else { return nil }
        let element = cursor
        cursor = Tape.next(element, tape[element])
        return ValueReader(decoding: decoding, index: element)
    }

    private func checkCount(_ count: ClosedRange<Int>, _ what: String) -> Bool {
        let found = value.count
        if count.contains(found) { return true }
        let tooMany = found > count.upperBound
        mistake(
            tooMany ? .tooLong : .tooShort,
            "Give at \(tooMany ? "most \(count.upperBound)" : "least \(count.lowerBound)") \(what); there are \(found)."
        )
        return false
    }

    /// An object whose members are all strings, sorted by name. No two names are equal as Swift compares strings,
    /// so `Dictionary(uniqueKeysWithValues:)` is safe.
    public func stringMap(
        maxEntries: Int = FieldDefaults.mapEntries, maxNameBytes: Int = FieldDefaults.stringBytes,
        maxValueBytes: Int = FieldDefaults.stringBytes
    ) -> [(String, String)] {
        let word = word
        guard Tape.isObject(word) else { return wrongType("an object of strings", []) }
        guard checkCount(0...max(0, maxEntries), "entries") else { return [] }
        var entries: [(String, String)] = []
        entries.reserveCapacity(value.count)
        var key = index + 3
        while key < Tape.length(word) {
            let value = ValueReader(decoding: decoding, index: key + 1)
            let name = decoding.document.tape[key]
            if decoding.document.meantCount(name) > maxNameBytes {
                value.mistake(.tooLong, "Shorten this name to at most \(maxNameBytes) bytes.")
            } else {
                entries.append((decoding.document.text(name), value.string(maxBytes: maxValueBytes)))
            }
            key = Tape.next(key + 1, value.word)
        }
        entries.sort { $0.0 < $1.0 }
        // Different bytes may still be one string: é as one scalar and as two.
        for place in entries.indices.dropFirst().reversed() where entries[place].0 == entries[place - 1].0 {
            mistake(.duplicate, "Two names are \"\(shown(entries[place].0))\" in different encodings: keep one.")
            entries.remove(at: place)
        }
        return entries
    }

    /// An object, decoded by `body`; fields nobody asked for are mistakes. If the value is no object, `body` still
    /// runs, over nothing and without further mistakes.
    @inlinable
    public func object<T>(_ body: (inout ObjectReader) -> T) -> T {
        var reader = objectReader()
        let result = body(&reader)
        reader.finish()
        return result
    }

    @usableFromInline
    func objectReader() -> ObjectReader {
        let isObject = Tape.isObject(word)
        if !isObject { wrongType("an object", ()) }
        return ObjectReader(decoding: decoding, object: isObject ? index : nil)
    }

    private func wrongType<T>(_ expected: String, _ placeholder: T) -> T {
        let found =
            switch value.kind {
            case .object: "an object"
            case .array: "an array"
            case .string: "a string"
            case .boolean: value.boolean == true ? "true" : "false"
            case .null: "null; or leave the field out"
            case .integer, .decimal: "the number \(shown(value.numberText ?? ""))"
            }
        mistake(.wrongType, "Give \(expected) here, not \(found).")
        return placeholder
    }
}

/// A caller's text as a message may show it: at most 64 characters.
func shown(_ text: String) -> String { text.count > 64 ? text.prefix(64) + "..." : text }
