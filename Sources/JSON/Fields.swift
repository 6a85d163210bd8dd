// Reads the fields of objects and collects every mistake of a body at once, each with its JSON pointer.
// Knows no body's meaning; a field's name, type and bounds come from whoever asks for it.

/// What is wrong with one value.
public struct Mistake: Hashable, Sendable {
    public enum Code: String, CaseIterable, Sendable {
        case missing, unknownField, wrongType, outOfRange, tooLong, invalid, duplicate
    }

    /// JSON pointer (RFC 6901) of the value, or of the object that lacks it.
    public let pointer: String
    public let code: Code
    /// A sentence that says what to do.
    public let detail: String

    public init(pointer: String, code: Code, detail: String) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
    }
}

/// The mistakes of one body. Beyond `most` they are only counted.
public final class Mistakes {
    public static let most = 64
    public private(set) var list: [Mistake] = []
    public private(set) var leftOut = 0

    public init() {}

    public var isEmpty: Bool { list.isEmpty }

    public func add(_ pointer: Pointer, _ code: Mistake.Code, _ detail: String) {
        if list.count >= Self.most {
            leftOut += 1
        } else {
            list.append(Mistake(pointer: pointer.text, code: code, detail: detail))
        }
    }
}

/// The way from the root of a document to a value. Written out only when a mistake needs it.
public indirect enum Pointer: Sendable {
    case root
    case member(Pointer, String)
    case element(Pointer, Int)

    public var text: String {
        switch self {
        case .root: return ""
        case .member(let parent, let name):
            var escaped = ""
            for character in name {
                switch character {
                case "~": escaped += "~0"
                case "/": escaped += "~1"
                default: escaped.append(character)
                }
            }
            return parent.text + "/" + escaped
        case .element(let parent, let index): return parent.text + "/" + String(index)
        }
    }
}

/// The fields of one object. Ask for each field, then call `finish`, which reports the fields nobody asked for.
public struct Fields {
    public let mistakes: Mistakes
    public let pointer: Pointer
    private let value: JSONValue?
    private var asked: [String] = []
    private var found = 0

    /// A value that is no object is a mistake, and then every field is absent without a further one.
    public init(_ value: JSONValue, at pointer: Pointer = .root, _ mistakes: Mistakes) {
        self.mistakes = mistakes
        self.pointer = pointer
        if value.kind == .object {
            self.value = value
        } else {
            self.value = nil
            mistakes.add(pointer, .wrongType, "must be an object, not \(value.named)")
        }
    }

    public func pointer(_ name: String) -> Pointer { .member(pointer, name) }

    /// The field's value; nil where it is absent or null.
    public mutating func value(_ name: String) -> JSONValue? {
        asked.append(name)
        guard let member = value?[name] else { return nil }
        found += 1
        return member.isNull ? nil : member
    }

    /// As `value`, and an absent field is a mistake.
    public mutating func required(_ name: String) -> JSONValue? {
        if let member = value(name) { return member }
        if value != nil { mistakes.add(pointer(name), .missing, "is required") }
        return nil
    }

    private mutating func get(_ name: String, _ isRequired: Bool) -> JSONValue? {
        isRequired ? required(name) : value(name)
    }

    private func wrongType(_ name: String, _ expected: String, _ found: JSONValue) {
        mistakes.add(pointer(name), .wrongType, "must be \(expected), not \(found.named)")
    }

    /// A string of at most `maxBytes` bytes.
    public mutating func string(_ name: String, required isRequired: Bool = false, maxBytes: Int = 128) -> String? {
        guard let member = get(name, isRequired) else { return nil }
        guard let string = member.string else {
            wrongType(name, "a string", member)
            return nil
        }
        if string.utf8.count > maxBytes {
            mistakes.add(pointer(name), .tooLong, "has \(string.utf8.count) bytes; at most \(maxBytes) are allowed")
            return nil
        }
        return string
    }

    public mutating func integer(_ name: String, in range: ClosedRange<Int>, required isRequired: Bool = false) -> Int?
    {
        guard let member = get(name, isRequired) else { return nil }
        guard member.kind == .number else {
            wrongType(name, "an integer", member)
            return nil
        }
        guard member.isInteger else {
            mistakes.add(
                pointer(name), .wrongType,
                "must be an integer without fraction or exponent, not \(member.numberText ?? "")")
            return nil
        }
        guard let integer = member.integer, range.contains(Int(integer)) else {
            mistakes.add(
                pointer(name), .outOfRange,
                "is \(member.numberText ?? ""); it must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return Int(integer)
    }

    public mutating func boolean(_ name: String, required isRequired: Bool = false) -> Bool? {
        guard let member = get(name, isRequired) else { return nil }
        if let boolean = member.boolean { return boolean }
        wrongType(name, "true or false", member)
        return nil
    }

    /// One of a closed set of words.
    public mutating func word<Value>(_ name: String, _ words: [(String, Value)], required isRequired: Bool = false)
        -> Value?
    {
        guard let member = get(name, isRequired) else { return nil }
        guard let string = member.string else {
            wrongType(name, "a string", member)
            return nil
        }
        if let word = words.first(where: { $0.0 == string }) { return word.1 }
        mistakes.add(
            pointer(name), .invalid,
            "is '\(clipped(string))'; it must be one of " + words.map(\.0).joined(separator: ", "))
        return nil
    }

    /// The elements of an array, each with its pointer. An absent field has none.
    public mutating func array(
        _ name: String, required isRequired: Bool = false, count range: ClosedRange<Int> = 0...Int.max
    ) -> [(value: JSONValue, pointer: Pointer)]? {
        guard let member = get(name, isRequired) else { return nil }
        guard member.kind == .array else {
            wrongType(name, "an array", member)
            return nil
        }
        guard range.contains(member.count) else {
            let bounds =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            mistakes.add(pointer(name), .outOfRange, "has \(member.count) elements; it must have \(bounds)")
            return nil
        }
        var elements: [(value: JSONValue, pointer: Pointer)] = []
        elements.reserveCapacity(member.count)
        let base = pointer(name)
        member.forEachElement { at, element in elements.append((element, .element(base, at))) }
        return elements
    }

    /// Strings that differ from one another.
    public mutating func strings(
        _ name: String, required isRequired: Bool = false, maxCount: Int = 64, maxBytes: Int = 128,
        check: (String) -> String? = { _ in nil }
    ) -> [String]? {
        guard let elements = array(name, required: isRequired, count: 0...maxCount) else { return nil }
        var strings: [String] = []
        for (element, pointer) in elements {
            guard let string = element.string else {
                mistakes.add(pointer, .wrongType, "must be a string, not \(element.named)")
                continue
            }
            if string.utf8.count > maxBytes {
                mistakes.add(pointer, .tooLong, "has \(string.utf8.count) bytes; at most \(maxBytes) are allowed")
            } else if let fault = check(string) {
                mistakes.add(pointer, .invalid, fault)
            } else if strings.contains(string) {
                mistakes.add(pointer, .duplicate, "'\(string)' stands twice")
            } else {
                strings.append(string)
            }
        }
        return strings
    }

    /// An object's fields; nil where it is absent.
    public mutating func object(_ name: String, required isRequired: Bool = false) -> Fields? {
        get(name, isRequired).map { Fields($0, at: pointer(name), mistakes) }
    }

    /// An object of strings, ordered by name.
    public mutating func stringMap(
        _ name: String, maxCount: Int, maxBytes: Int, check: (String) -> String? = { _ in nil }
    ) -> [(name: String, value: String)]? {
        guard let member = value(name) else { return nil }
        guard member.kind == .object else {
            wrongType(name, "an object of strings", member)
            return nil
        }
        if member.count > maxCount {
            mistakes.add(pointer(name), .outOfRange, "has \(member.count) entries; at most \(maxCount) are allowed")
            return nil
        }
        var entries: [(name: String, value: String)] = []
        let base = pointer(name)
        member.forEachMember { key, value in
            let place = Pointer.member(base, key)
            if let fault = check(key) {
                mistakes.add(place, .invalid, fault)
            } else if let string = value.string {
                if string.utf8.count > maxBytes {
                    mistakes.add(place, .tooLong, "has \(string.utf8.count) bytes; at most \(maxBytes) are allowed")
                } else {
                    entries.append((key, string))
                }
            } else {
                mistakes.add(place, .wrongType, "must be a string, not \(value.named)")
            }
        }
        entries.sort { $0.name < $1.name }
        return entries
    }

    /// Reports every field that nobody asked for, with the nearest known one.
    public func finish() {
        guard let value, found < value.count else { return }
        value.forEachMember { name, _ in
            if asked.contains(name) { return }
            let hint = nearest(to: name, among: asked).map { "; did you mean '\($0)'?" } ?? ""
            mistakes.add(pointer(name), .unknownField, "is not a field here" + hint)
        }
    }

    private func clipped(_ text: String) -> String { text.count > 40 ? text.prefix(40) + "…" : text }
}

extension JSONValue {
    /// The kind of the value with its article, for a sentence.
    public var named: String {
        switch kind {
        case .null: "null"
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// The candidate with the fewest edits to `name`, unless even that one is mostly another word.
/// Cost: the product of the lengths, for each candidate; names over 64 bytes have no nearest.
public func nearest(to name: String, among candidates: [String]) -> String? {
    let name = Array(name.lowercased().utf8)
    if name.count > 64 { return nil }
    var best: (edits: Int, candidate: String)?
    for candidate in candidates {
        let other = Array(candidate.lowercased().utf8)
        var row = Array(0...other.count)
        for (i, byte) in name.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, otherByte) in other.enumerated() {
                let substituted = diagonal + (byte == otherByte ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        let edits = row[other.count]
        if edits <= max(1, max(name.count, other.count) / 2) && (best.map { edits < $0.edits } ?? true) {
            best = (edits, candidate)
        }
    }
    return best?.candidate
}
