// Owns the output buffer, the punctuation between values and the nesting.
// It must not know what is written for whom.

/// Writes JSON into a buffer of its own; puts commas, and line breaks if pretty, by itself.
///
/// The caller keeps the order of the grammar: a key before each value of an object, an end for each beginning.
/// Debug builds check that. Every call is linear in the bytes it writes.
public struct JSONWriter: ~Copyable {
    public enum Style: Sendable {
        case compact
        /// One member or element on a line, indented by two spaces a level.
        case pretty
    }

    /// Initialized to its end; the first `used` bytes are written.
    private var storage: [UInt8]
    /// Bytes written so far.
    public var count: Int { used }
    private var used = 0
    private let isPretty: Bool
    private var needsComma = false
    private var isBehindKey = false
    private var depth = 0
    /// Bit n: the container n levels out is an object. Only for the checks; deeper than 64 it forgets.
    private var objects: UInt64 = 0

    public init(capacity: Int = 1024, style: Style = .compact) {
        storage = [UInt8](repeating: 0, count: max(capacity, 16))
        isPretty = style == .pretty
    }

    /// Makes room for `byteCount` more bytes at once.
    public mutating func reserve(_ byteCount: Int) { makeRoom(byteCount) }

    /// Hands out what was written; the writer starts again, without a buffer.
    public mutating func take() -> [UInt8] {
        storage.removeLast(storage.count - used)
        let bytes = storage
        storage = []
        restart()
        return bytes
    }

    /// Forgets what was written and keeps the buffer.
    public mutating func reset() { restart() }

    private mutating func restart() {
        assert(depth == 0, "a container was not ended")
        (used, needsComma, isBehindKey, depth, objects) = (0, false, false, 0, 0)
    }

    /// Shows what was written so far, without a copy.
    public func withBytes<R>(_ body: (Span<UInt8>) throws -> R) rethrows -> R {
        try body(storage.span.extracting(0..<used))
    }

    /// Ends a line of NDJSON (or any text): a line feed, and the next value stands alone again.
    public mutating func newLine() {
        assert(depth == 0, "a line ends inside a container")
        append(Byte.lineFeed)
        needsComma = false
    }

    // MARK: Containers

    public mutating func beginObject() { begin(Byte.openBrace, isObject: true) }
    public mutating func endObject() { end(Byte.closeBrace, isObject: true) }
    public mutating func beginArray() { begin(Byte.openBracket, isObject: false) }
    public mutating func endArray() { end(Byte.closeBracket, isObject: false) }

    private mutating func begin(_ byte: UInt8, isObject: Bool) {
        let comma = beginValue()
        append(upTo: 2) { output, start in
            var index = start
            if comma { Self.put(Byte.comma, &output, &index) }
            Self.put(byte, &output, &index)
            return index
        }
        depth &+= 1
        objects = objects << 1 | (isObject ? 1 : 0)
        needsComma = false
    }

    private mutating func end(_ byte: UInt8, isObject: Bool) {
        assert(
            depth > 0 && !isBehindKey && (depth > 64 || objects & 1 == (isObject ? 1 : 0)),
            "an end without its beginning")
        depth &-= 1
        objects >>= 1
        if isPretty && needsComma { breakLine(comma: false) }
        append(byte)
        needsComma = true
    }

    // MARK: Keys

    /// A key known to need no escaping: ASCII without quotes, backslashes and control characters.
    public mutating func key(_ key: StaticString) {
        let comma = beginKey()
        let isPretty = isPretty
        // The literal's bytes are copied inside the closure.
        key.withUTF8Buffer { key in
            append(upTo: key.count &+ 5) { output, start in
                var index = start
                if comma { Self.put(Byte.comma, &output, &index) }
                Self.put(Byte.quote, &output, &index)
                unsafe Self.copy(key, 0..<key.count, to: &output, at: index)
                index &+= key.count
                Self.put(Byte.quote, &output, &index)
                Self.put(Byte.colon, &output, &index)
                if isPretty { Self.put(Byte.space, &output, &index) }
                return index
            }
        }
    }

    /// Any key.
    public mutating func key(string key: String) {
        let comma = beginKey()
        appendQuoted(key, comma: comma)
        append(Byte.colon)
        if isPretty { append(Byte.space) }
    }

    /// Returns whether a comma is still to be put before the key.
    @inline(__always)
    private mutating func beginKey() -> Bool {
        assert(depth > 0 && !isBehindKey && (depth > 64 || objects & 1 == 1), "a key outside an object")
        let comma = needsComma
        needsComma = false
        isBehindKey = true
        guard isPretty else { return comma }
        breakLine(comma: comma)
        return false
    }

    // MARK: Punctuation and room

    /// Puts what belongs before a value, but returns whether a comma is still to be put: it goes out with the value,
    /// because each separate write checks anew that the buffer is not shared.
    @inline(__always)
    mutating func beginValue() -> Bool {
        assert(depth == 0 ? !needsComma : depth > 64 || isBehindKey == (objects & 1 == 1), "a value out of place")
        let comma = needsComma
        let breaks = isPretty && !isBehindKey && depth > 0
        needsComma = true
        isBehindKey = false
        guard breaks else { return comma }
        breakLine(comma: comma)
        return false
    }

    private mutating func breakLine(comma: Bool) {
        if comma { append(Byte.comma) }
        append(Byte.lineFeed)
        for _ in 0..<2 * depth { append(Byte.space) }
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        makeRoom(1)
        storage[used] = byte
        used &+= 1
    }

    /// Appends a run of bytes as it is.
    @inline(__always)
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        makeRoom(range.count)
        let start = used
        var output = storage.mutableSpan
        unsafe Self.copy(bytes, range, to: &output, at: start)
        used = start &+ range.count
    }

    /// Lets `write` fill at most `limit` bytes from `start` on; it returns the index behind the last one.
    @inline(__always)
    mutating func append(upTo limit: Int, _ write: (inout MutableSpan<UInt8>, _ start: Int) -> Int) {
        makeRoom(limit)
        let start = used
        var output = storage.mutableSpan
        let end = write(&output, start)
        used = end
    }

    @inline(__always)
    private mutating func makeRoom(_ byteCount: Int) {
        if storage.count &- used < byteCount { grow(byteCount) }
    }

    @inline(never)
    private mutating func grow(_ byteCount: Int) {
        let target = max(2 * storage.count, used + byteCount, 64)
        storage.reserveCapacity(target)
        storage.append(contentsOf: repeatElement(0, count: target - storage.count))
    }

    @inline(__always)
    static func put(_ byte: UInt8, _ output: inout MutableSpan<UInt8>, _ index: inout Int) {
        output[index] = byte
        index &+= 1
    }

    @inline(__always)
    static func copy(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, to output: inout MutableSpan<UInt8>, at start: Int
    ) {
        // Both bounds are checked here, then the bytes are moved at once.
        precondition(start + range.count <= output.count && range.upperBound <= bytes.count)
        unsafe output.withUnsafeMutableBufferPointer { output in
            guard let target = output.baseAddress, let source = bytes.baseAddress else { return }
            unsafe (target + start).update(from: source + range.lowerBound, count: range.count)
        }
    }
}
