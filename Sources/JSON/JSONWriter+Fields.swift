// Owns the short forms: a key and its value, a container around a closure.
// It must not know the buffer.

extension JSONWriter {
    public mutating func field(_ key: StaticString, _ boolean: Bool) {
        self.key(key)
        value(boolean)
    }

    public mutating func field(_ key: StaticString, _ integer: Int) {
        self.key(key)
        value(Int64(integer))
    }

    public mutating func field(_ key: StaticString, _ integer: Int64) {
        self.key(key)
        value(integer)
    }

    public mutating func field(_ key: StaticString, _ integer: UInt64) {
        self.key(key)
        value(integer)
    }

    public mutating func field(_ key: StaticString, _ double: Double) {
        self.key(key)
        value(double)
    }

    public mutating func field(_ key: StaticString, _ string: String) {
        self.key(key)
        value(string)
    }

    /// A text known to need no escaping.
    public mutating func field(_ key: StaticString, text: StaticString) {
        self.key(key)
        value(text)
    }

    public mutating func field(_ key: StaticString, micros: Int64) {
        self.key(key)
        value(micros: micros)
    }

    public mutating func field(_ key: StaticString, raw bytes: [UInt8]) {
        self.key(key)
        value(raw: bytes)
    }

    public mutating func nullField(_ key: StaticString) {
        self.key(key)
        null()
    }

    /// An object whose members `body` writes, as the next value.
    @inlinable
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    /// An array whose elements `body` writes, as the next value.
    @inlinable
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        beginArray()
        body(&self)
        endArray()
    }

    @inlinable
    public mutating func object(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        object(body)
    }

    @inlinable
    public mutating func array(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        array(body)
    }

    /// An array of one object for each element.
    @inlinable
    public mutating func objects<T>(
        _ key: StaticString, _ elements: some Sequence<T>, _ body: (inout JSONWriter, T) -> Void
    ) {
        self.key(key)
        beginArray()
        for element in elements {
            beginObject()
            body(&self, element)
            endObject()
        }
        endArray()
    }

    /// An array of strings.
    public mutating func field(_ key: StaticString, _ strings: [String]) {
        self.key(key)
        beginArray()
        for string in strings { value(string) }
        endArray()
    }

    /// An object of strings, in the order given.
    public mutating func field(_ key: StaticString, map entries: [(String, String)]) {
        self.key(key)
        beginObject()
        for (name, text) in entries {
            self.key(string: name)
            value(text)
        }
        endObject()
    }
}
