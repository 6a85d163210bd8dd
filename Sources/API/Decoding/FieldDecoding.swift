// What fields of many bodies share: names and what they may be, closed sets of words, labels.

import JSON
import Model

/// What names may be, as a sentence about what is expected and as a check.
enum Rule {
    static let name = "1 to 128 letters, digits, '.', '_' and '-' that begin with a letter or digit"
    static let nodeName = name + ", in parts separated by '/'"
    static let tenant = nodeName + ", at most \(Bounds.tenantDepth) of them"
    static let moment = "a time from 1970 to 2199 such as 2027-01-31T18:00:00Z, with 'Z' or an offset such as +02:00"
    static let region = "a region's name, alone or behind its provider's name and '/'"

    /// `us-central1` or `google/us-central1`.
    static func isRegion(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { Names.isValid(String($0)) }
    }
}

extension ObjectReader {
    mutating func name(_ field: StaticString) -> String? { parsed(field, Rule.name) { Names.isValid($0) ? $0 : nil } }

    mutating func optionalName(_ field: StaticString) -> String? {
        optionalParsed(field, Rule.name) { Names.isValid($0) ? $0 : nil }
    }

    /// Names that differ from one another; none where the field is absent.
    mutating func names(
        _ field: StaticString, _ expected: String = Rule.name, maxBytes: Int = Bounds.nameBytes,
        _ isValid: (String) -> Bool = Names.isValid
    ) -> [String] {
        var seen: [String] = []
        return optionalArray(field, count: 0...Bounds.listEntries) { element in
            let name = element.parsed(expected, maxBytes: maxBytes) { isValid($0) ? $0 : nil } ?? ""
            if !name.isEmpty && seen.contains(name) {
                element.mistake(.duplicate, "Leave this '\(name)' out: it stands in the list before.")
            }
            seen.append(name)
            return name
        } ?? []
    }

    /// One of a closed set of words.
    mutating func word<Value>(_ field: StaticString, _ words: Words<Value>) -> Value? {
        parsed(field, words.expected) { words[$0] }
    }

    mutating func optionalWord<Value>(_ field: StaticString, _ words: Words<Value>) -> Value? {
        optionalParsed(field, words.expected) { words[$0] }
    }

    /// A time that a job may name.
    mutating func optionalMoment(_ field: StaticString) -> Timestamp? {
        optionalParsed(field, Rule.moment, maxBytes: 64) { text in
            Timestamp(text).flatMap { Bounds.moments ~= $0 ? $0 : nil }
        }
    }

    mutating func labels() -> [Label] {
        let entries =
            optionalStringMap(
                "labels", maxEntries: Bounds.labels, maxNameBytes: Bounds.nameBytes,
                maxValueBytes: Bounds.labelValueBytes) ?? []
        for (name, _) in entries where !Names.isValidNodeName(name) {
            mistake(.invalid, "labels", "Name the label '\(name)' with \(Rule.nodeName).")
        }
        return entries.map { Label(name: $0.0, value: $0.1) }
    }
}
