// Query parameters, read strictly: an unknown or doubled one is a mistake that names the nearest known one.

import HTTP
import JSON
import Model

struct ParameterMistake: Error {
    var detail: String
}

struct Parameters {
    private let items: [QueryItem]

    /// Takes the query of a request that may have only parameters called `known`.
    init(_ request: HTTPRequest, known: [String]) throws(ParameterMistake) {
        items = request.query
        for (index, item) in items.enumerated() {
            guard known.contains(item.name) else {
                let hint = nearest(to: item.name, among: known).map { "; did you mean '\($0)'?" } ?? ""
                let list = known.isEmpty ? "None is known here." : "Known are " + known.joined(separator: ", ") + "."
                throw ParameterMistake(detail: "'\(item.name)' is not a parameter here\(hint) \(list)")
            }
            if items[..<index].contains(where: { $0.name == item.name }) {
                throw ParameterMistake(detail: "'\(item.name)' stands twice.")
            }
        }
    }

    subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

    func limit(default fallback: Int = 100) throws(ParameterMistake) -> Int {
        guard let text = self["limit"] else { return fallback }
        guard let limit = Int(text), (1...1000).contains(limit), String(limit) == text else {
            throw ParameterMistake(detail: "limit is '\(text)'; it must be an integer from 1 to 1000.")
        }
        return limit
    }

    /// The position that a cursor names; 0 without one.
    func cursor() throws(ParameterMistake) -> UInt64 {
        guard let text = self["cursor"] else { return 0 }
        guard text.utf8.count <= 14, let position = UInt64(text.dropFirst(), radix: 36), position < 1 << 48,
            text == Self.cursor(position)
        else {
            throw ParameterMistake(detail: "cursor is '\(text)'; it must be the nextCursor of an earlier page.")
        }
        return position
    }

    static func cursor(_ position: UInt64) -> String { "c" + String(position, radix: 36) }

    /// One or more of a closed set of words, with commas between them.
    func words<Value>(_ name: String, _ words: [(String, Value)]) throws(ParameterMistake) -> [Value]? {
        guard let text = self[name] else { return nil }
        var values: [Value] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let word = words.first(where: { $0.0 == part }) else {
                throw ParameterMistake(
                    detail: "\(name) has '\(part)'; it must be one or more of "
                        + words.map(\.0).joined(separator: ", ") + ", with commas between them.")
            }
            values.append(word.1)
        }
        return values
    }

    /// A name as jobs, tenants and pools have it.
    func name(_ name: String) throws(ParameterMistake) -> String? {
        guard let text = self[name] else { return nil }
        guard Names.isValid(text) else {
            throw ParameterMistake(detail: "\(name) is '\(text)'; it must be \(Rule.name).")
        }
        return text
    }

    /// The path of a tenant.
    func tenant(_ name: String) throws(ParameterMistake) -> String? {
        guard let text = self[name] else { return nil }
        guard TenantPath.isValid(text) else {
            throw ParameterMistake(detail: "\(name) is '\(text)'; it must be \(Rule.tenant).")
        }
        return text
    }

    /// True for `?name` and `?name=true`.
    func flag(_ name: String) throws(ParameterMistake) -> Bool {
        switch self[name] {
        case nil, "false": return false
        case "", "true": return true
        case let text?: throw ParameterMistake(detail: "\(name) is '\(text)'; it must be true or false.")
        }
    }
}
