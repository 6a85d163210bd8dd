// Owns the short forms for reading a field: each is `required` or `field`, then the method of `ValueReader`.
// It must not know anything those two do not.

extension ObjectReader {
    public mutating func string(
        _ name: StaticString, minBytes: Int = 0, maxBytes: Int = FieldDefaults.stringBytes
    ) -> String {
        required(name)?.string(minBytes: minBytes, maxBytes: maxBytes) ?? ""
    }

    public mutating func optionalString(
        _ name: StaticString, minBytes: Int = 0, maxBytes: Int = FieldDefaults.stringBytes
    ) -> String? {
        field(name)?.string(minBytes: minBytes, maxBytes: maxBytes)
    }

    public mutating func boolean(_ name: StaticString) -> Bool { required(name)?.boolean() ?? false }

    public mutating func optionalBoolean(_ name: StaticString) -> Bool? { field(name)?.boolean() }

    @inlinable
    public mutating func integer<I: FixedWidthInteger>(
        _ name: StaticString, in range: ClosedRange<I> = I.min...I.max
    ) -> I {
        required(name)?.integer(in: range) ?? Swift.min(Swift.max(0, range.lowerBound), range.upperBound)
    }

    @inlinable
    public mutating func optionalInteger<I: FixedWidthInteger>(
        _ name: StaticString, in range: ClosedRange<I> = I.min...I.max
    ) -> I? {
        field(name)?.integer(in: range)
    }

    public mutating func double(
        _ name: StaticString,
        in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) -> Double {
        required(name)?.double(in: range) ?? range.lowerBound
    }

    public mutating func optionalDouble(
        _ name: StaticString,
        in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) -> Double? {
        field(name)?.double(in: range)
    }

    public mutating func micros(_ name: StaticString, in range: ClosedRange<Int64> = 0...Int64.max) -> Int64 {
        required(name)?.micros(in: range) ?? range.lowerBound
    }

    public mutating func optionalMicros(
        _ name: StaticString, in range: ClosedRange<Int64> = 0...Int64.max
    ) -> Int64? {
        field(name)?.micros(in: range)
    }

    @inlinable
    public mutating func choice<E: RawRepresentable & CaseIterable>(
        _ name: StaticString, of type: E.Type = E.self
    ) -> E where E.RawValue == String {
        required(name)?.choice(of: type) ?? E.allCases.first!
    }

    @inlinable
    public mutating func optionalChoice<E: RawRepresentable & CaseIterable>(
        _ name: StaticString, of type: E.Type = E.self
    ) -> E? where E.RawValue == String {
        field(name)?.choice(of: type)
    }

    /// Nil after a mistake, absence among them.
    @inlinable
    public mutating func parsed<T>(
        _ name: StaticString, _ expected: String, maxBytes: Int = FieldDefaults.stringBytes, _ parse: (String) -> T?
    ) -> T? {
        required(name)?.parsed(expected, maxBytes: maxBytes, parse)
    }

    /// Nil after a mistake and when absent.
    @inlinable
    public mutating func optionalParsed<T>(
        _ name: StaticString, _ expected: String, maxBytes: Int = FieldDefaults.stringBytes, _ parse: (String) -> T?
    ) -> T? {
        field(name)?.parsed(expected, maxBytes: maxBytes, parse)
    }

    @inlinable
    public mutating func array<T>(
        _ name: StaticString, count: ClosedRange<Int> = 0...FieldDefaults.elements, _ element: (ValueReader) -> T
    ) -> [T] {
        required(name)?.array(count: count, element) ?? []
    }

    @inlinable
    public mutating func optionalArray<T>(
        _ name: StaticString, count: ClosedRange<Int> = 0...FieldDefaults.elements, _ element: (ValueReader) -> T
    ) -> [T]? {
        field(name)?.array(count: count, element)
    }

    /// An array of objects.
    @inlinable
    public mutating func objects<T>(
        _ name: StaticString, count: ClosedRange<Int> = 0...FieldDefaults.elements,
        _ body: (inout ObjectReader) -> T
    ) -> [T] {
        array(name, count: count) { $0.object(body) }
    }

    @inlinable
    public mutating func optionalObjects<T>(
        _ name: StaticString, count: ClosedRange<Int> = 0...FieldDefaults.elements,
        _ body: (inout ObjectReader) -> T
    ) -> [T]? {
        optionalArray(name, count: count) { $0.object(body) }
    }

    /// If the object is missing, `body` still runs, over nothing and without further mistakes.
    @inlinable
    public mutating func object<T>(_ name: StaticString, _ body: (inout ObjectReader) -> T) -> T {
        if let field = required(name) { return field.object(body) }
        var nothing = ObjectReader(overNothing: decoding)
        return body(&nothing)
    }

    @inlinable
    public mutating func optionalObject<T>(_ name: StaticString, _ body: (inout ObjectReader) -> T) -> T? {
        field(name)?.object(body)
    }

    /// An object of strings, sorted by name.
    public mutating func stringMap(
        _ name: StaticString, maxEntries: Int = FieldDefaults.mapEntries,
        maxNameBytes: Int = FieldDefaults.stringBytes, maxValueBytes: Int = FieldDefaults.stringBytes
    ) -> [(String, String)] {
        required(name)?.stringMap(
            maxEntries: maxEntries, maxNameBytes: maxNameBytes, maxValueBytes: maxValueBytes) ?? []
    }

    public mutating func optionalStringMap(
        _ name: StaticString, maxEntries: Int = FieldDefaults.mapEntries,
        maxNameBytes: Int = FieldDefaults.stringBytes, maxValueBytes: Int = FieldDefaults.stringBytes
    ) -> [(String, String)]? {
        field(name)?.stringMap(maxEntries: maxEntries, maxNameBytes: maxNameBytes, maxValueBytes: maxValueBytes)
    }

    @usableFromInline
    init(overNothing decoding: Decoding) { self.init(decoding: decoding, object: nil) }
}
