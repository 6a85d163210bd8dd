// The strict reader: one pass over the bytes, a tape of values, an error at the first byte that is not JSON.
// Grammar: RFC 8259. Well-formed UTF-8: Unicode 15, table 3-7.

struct Parser {
    private let bytes: [UInt8]
    private let range: Range<Int>
    private let limits: JSONLimits
    private var at: Int
    private var depth = 0
    private var tape: [Node] = []

    static func tape(of bytes: [UInt8], in range: Range<Int>, limits: JSONLimits) throws(JSONSyntaxError) -> [Node] {
        var parser = Parser(bytes: bytes, range: range, limits: limits)
        if range.count > limits.bytes { throw parser.error("the text is longer than \(limits.bytes) bytes") }
        parser.tape.reserveCapacity(range.count / 8 + 4)
        parser.skipSpace()
        try parser.value()
        parser.skipSpace()
        if parser.at < range.upperBound { throw parser.error("there is something after the end of the value") }
        return parser.tape
    }

    private init(bytes: [UInt8], range: Range<Int>, limits: JSONLimits) {
        self.bytes = bytes
        self.range = range
        self.limits = limits
        at = range.lowerBound
    }

    private func error(_ reason: String, at offset: Int? = nil) -> JSONSyntaxError {
        let offset = min(offset ?? at, range.upperBound)
        var line = 1
        var lineStart = range.lowerBound
        for place in range.lowerBound..<offset where bytes[place] == 0x0A {
            line += 1
            lineStart = place + 1
        }
        return JSONSyntaxError(
            offset: offset - range.lowerBound, line: line, column: offset - lineStart + 1, reason: reason)
    }

    @inline(__always)
    private var current: UInt8? { at < range.upperBound ? bytes[at] : nil }

    @inline(__always)
    private mutating func skipSpace() {
        while at < range.upperBound {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at += 1
        }
    }

    @inline(__always)
    private mutating func append(_ kind: Node.Kind, start: Int, count: Int) throws(JSONSyntaxError) {
        if tape.count >= limits.values { throw error("there are more than \(limits.values) values") }
        tape.append(Node(kind: kind, start: UInt32(start), count: UInt32(count), next: UInt32(tape.count + 1)))
    }

    private mutating func value() throws(JSONSyntaxError) {
        guard let byte = current else { throw error("a value is missing") }
        switch byte {
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "t"): try word("true", .true)
        case UInt8(ascii: "f"): try word("false", .false)
        case UInt8(ascii: "n"): try word("null", .null)
        default: throw error("a value cannot begin with \(Self.name(byte))")
        }
    }

    private static func name(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
    }

    private mutating func word(_ word: String, _ kind: Node.Kind) throws(JSONSyntaxError) {
        let start = at
        for expected in word.utf8 {
            guard current == expected else {
                throw error("only true, false and null are written without quotation marks", at: start)
            }
            at += 1
        }
        try append(kind, start: start, count: at - start)
    }

    private mutating func number() throws(JSONSyntaxError) {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let firstDigit = at
        try digits()
        if bytes[firstDigit] == 48 && at - firstDigit > 1 { throw error("a number has a leading zero", at: firstDigit) }
        var kind = Node.Kind.integer
        if current == UInt8(ascii: ".") {
            kind = .fraction
            at += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            kind = .fraction
            at += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        try append(kind, start: start, count: at - start)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = at
        while let byte = current, byte &- 48 < 10 { at += 1 }
        if at == start { throw error("a digit is missing") }
    }

    // MARK: Strings

    private mutating func string() throws(JSONSyntaxError) {
        at += 1
        let start = at
        var hasEscapes = false
        while true {
            skipPlain()
            guard let byte = current else { throw error("a string does not end", at: start - 1) }
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                try escape()
            } else if byte < 0x20 {
                throw error("a control character in a string must be escaped")
            } else {
                try multibyte()
            }
        }
        try append(hasEscapes ? .escapedString : .string, start: start, count: at - start)
        at += 1
    }

    /// Passes over printable ASCII without quotation mark and backslash, eight bytes at a time.
    @inline(__always)
    private mutating func skipPlain() {
        while at + 8 <= range.upperBound {
            let word = load(at)
            let ones: UInt64 = 0x0101_0101_0101_0101
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5C)
            let high = ones &* 0x80
            // A byte's high bit is set where the byte is 0, below 0x20, or not ASCII.
            let stops =
                ((quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | (word &- ones &* 0x20) & ~word | word)
                & high
            if stops != 0 {
                at += stops.trailingZeroBitCount >> 3
                return
            }
            at += 8
        }
        while let byte = current, byte >= 0x20, byte < 0x80, byte != 0x22, byte != 0x5C { at += 1 }
    }

    /// Eight bytes as they lie in memory; the caller has checked that they are inside the range.
    @inline(__always)
    private func load(_ at: Int) -> UInt64 {
        unsafe bytes.withUnsafeBytes {
            unsafe UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        }
    }

    private mutating func escape() throws(JSONSyntaxError) {
        let start = at
        at += 1
        guard let byte = current else { throw error("an escape does not end", at: start) }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        case UInt8(ascii: "u"):
            let unit = try hex(start)
            if (0xDC00...0xDFFF).contains(unit) { throw error("a low surrogate stands alone", at: start) }
            guard (0xD800...0xDBFF).contains(unit) else { return }
            guard at + 1 < range.upperBound, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") else {
                throw error("a high surrogate stands alone", at: start)
            }
            at += 2
            if !(0xDC00...0xDFFF).contains(try hex(start)) { throw error("a high surrogate stands alone", at: start) }
        default: throw error("there is no escape \\\(Self.name(byte))", at: start)
        }
    }

    private mutating func hex(_ start: Int) throws(JSONSyntaxError) -> UInt32 {
        guard at + 4 <= range.upperBound, let unit = Escape.hex(bytes, at) else {
            throw error("\\u needs four hexadecimal digits", at: start)
        }
        at += 4
        return unit
    }

    private mutating func multibyte() throws(JSONSyntaxError) {
        let first = bytes[at]
        let (count, low, high): (Int, UInt8, UInt8) =
            switch first {
            case 0xC2...0xDF: (2, 0x80, 0xBF)
            case 0xE0: (3, 0xA0, 0xBF)
            case 0xED: (3, 0x80, 0x9F)
            case 0xE1...0xEF: (3, 0x80, 0xBF)
            case 0xF0: (4, 0x90, 0xBF)
            case 0xF1...0xF3: (4, 0x80, 0xBF)
            case 0xF4: (4, 0x80, 0x8F)
            default: (0, 0, 0)
            }
        guard count > 0, at + count <= range.upperBound, (low...high).contains(bytes[at + 1]),
            bytes[at + 2..<max(at + 2, at + count)].allSatisfy({ $0 & 0xC0 == 0x80 })
        else { throw error("the text is not UTF-8") }
        at += count
    }

    // MARK: Arrays and objects

    private mutating func enter() throws(JSONSyntaxError) -> Int {
        depth += 1
        if depth > limits.depth { throw error("arrays and objects nest deeper than \(limits.depth)") }
        let index = tape.count
        try append(bytes[at] == UInt8(ascii: "{") ? .object : .array, start: at, count: 0)
        at += 1
        skipSpace()
        return index
    }

    private mutating func leave(_ index: Int, count: Int) {
        at += 1
        depth -= 1
        tape[index].count = UInt32(count)
        tape[index].next = UInt32(tape.count)
    }

    private mutating func array() throws(JSONSyntaxError) {
        let index = try enter()
        var count = 0
        if current == UInt8(ascii: "]") { return leave(index, count: 0) }
        while true {
            try value()
            count += 1
            skipSpace()
            switch current {
            case UInt8(ascii: ","):
                at += 1
                skipSpace()
            case UInt8(ascii: "]"): return leave(index, count: count)
            default: throw error("',' or ']' is missing in an array")
            }
        }
    }

    private mutating func object() throws(JSONSyntaxError) {
        let index = try enter()
        var keys = KeySet()
        var count = 0
        if current == UInt8(ascii: "}") { return leave(index, count: 0) }
        while true {
            guard current == UInt8(ascii: "\"") else {
                throw error("a name in quotation marks is missing in an object")
            }
            let keyStart = at
            let key = tape.count
            try string()
            if keys.insert(tape[key], at: key, bytes, tape, from: index) {
                throw error(
                    "the name \(String(decoding: bytes[keyStart..<at], as: UTF8.self)) stands twice in an object",
                    at: keyStart)
            }
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw error("':' is missing after a name") }
            at += 1
            skipSpace()
            try value()
            count += 1
            skipSpace()
            switch current {
            case UInt8(ascii: ","):
                at += 1
                skipSpace()
            case UInt8(ascii: "}"): return leave(index, count: count)
            default: throw error("',' or '}' is missing in an object")
            }
        }
    }
}

/// The names of one object so far. Few are compared one by one on the tape; many go into a set.
private struct KeySet {
    private var count = 0
    private var many: Set<[UInt8]> = []
    private static let few = 12

    /// Whether the name was there before.
    mutating func insert(_ key: Node, at position: Int, _ bytes: [UInt8], _ tape: [Node], from object: Int) -> Bool {
        count += 1
        if count <= Self.few && key.kind == .string && many.isEmpty {
            return isOnTape(key, bytes, tape, from: object + 1, to: position)
        }
        if many.isEmpty {
            var at = object + 1
            while at < position {
                many.insert(Self.name(tape[at], bytes))
                at = Int(tape[at + 1].next)
            }
        }
        return !many.insert(Self.name(key, bytes)).inserted
    }

    private func isOnTape(_ key: Node, _ bytes: [UInt8], _ tape: [Node], from start: Int, to end: Int) -> Bool {
        var at = start
        while at < end {
            let other = tape[at]
            if other.count == key.count {
                var same = true
                for offset in 0..<Int(key.count)
                where bytes[Int(other.start) + offset] != bytes[Int(key.start) + offset] {
                    same = false
                    break
                }
                if same { return true }
            }
            at = Int(tape[at + 1].next)
        }
        return false
    }

    private static func name(_ node: Node, _ bytes: [UInt8]) -> [UInt8] {
        let range = Int(node.start)..<Int(node.start) + Int(node.count)
        return node.kind == .escapedString ? Escape.decode(bytes, range) : Array(bytes[range])
    }
}

/// Escapes of strings. The parser has checked them before anything here decodes them.
enum Escape {
    static func hex(_ bytes: [UInt8], _ at: Int) -> UInt32? {
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            let digit: UInt8 =
                switch byte {
                case 48...57: byte - 48
                case 65...70: byte - 55
                case 97...102: byte - 87
                default: 255
                }
            if digit == 255 { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    static func decode(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound {
            if bytes[at] != UInt8(ascii: "\\") {
                decoded.append(bytes[at])
                at += 1
                continue
            }
            let letter = bytes[at + 1]
            at += 2
            switch letter {
            case UInt8(ascii: "b"): decoded.append(8)
            case UInt8(ascii: "f"): decoded.append(12)
            case UInt8(ascii: "n"): decoded.append(10)
            case UInt8(ascii: "r"): decoded.append(13)
            case UInt8(ascii: "t"): decoded.append(9)
            case UInt8(ascii: "u"):
                var scalar = hex(bytes, at) ?? 0
                at += 4
                if (0xD800...0xDBFF).contains(scalar) {
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + ((hex(bytes, at + 2) ?? 0xDC00) - 0xDC00)
                    at += 6
                }
                decoded.append(contentsOf: String(UnicodeScalar(scalar).map(Character.init) ?? "?").utf8)
            default: decoded.append(letter)
            }
        }
        return decoded
    }
}
