// The OpenAPI file as a test reads it, and as much of JSON Schema (2020-12) as the file uses. An answer's field that the file
// does not know is a fault here, though a client must bear it.

import API
import Foundation
import HTTP
import Synchronization
import Testing

final class OpenAPIFile: Sendable {
    static let shared = OpenAPIFile()

    let text: String
    let root: JSON
    private let expressions = Mutex<[String: NSRegularExpression]>([:])

    private init() {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/API/Resources/openapi.json")
        let bytes = (try? Data(contentsOf: path)) ?? Data()
        text = String(decoding: bytes, as: UTF8.self)
        root = (try? JSON(parsing: bytes)) ?? .nothing
    }

    func schema(_ name: String) -> JSON { root["components"]["schemas"][name] }

    func resolve(_ value: JSON) -> JSON {
        guard let reference = value["$ref"].string else { return value }
        var found = root
        for part in reference.dropFirst(2).split(separator: "/") {
            found = found[part.replacingOccurrences(of: "~1", with: "/")]
        }
        return resolve(found)
    }

    /// A path of the file for a pattern of the route table.
    static func path(of pattern: String) -> String { pattern.replacingOccurrences(of: "...}", with: "}") }

    /// The operation that answers `request`, where there is one.
    private func operation(_ method: HTTPMethod, _ request: HTTPRequest) -> JSON? {
        for row in RouteTable.rows where row.method == method || (method == .head && row.method == .get) {
            guard Self.fits(request.path, row.pattern) else { continue }
            return root["paths"][Self.path(of: row.pattern)][row.method.name.lowercased()]
        }
        return nil
    }

    /// Whether a path is one of a pattern's: told here anew, so that the router is not judged by itself.
    private static func fits(_ path: [PathSegment], _ pattern: String) -> Bool {
        let parts = pattern == "/" ? [] : pattern.dropFirst().split(separator: "/").map(String.init)
        guard let last = path.last, let lastPart = parts.last else { return path.isEmpty && parts.isEmpty }
        let verb = lastPart.split(separator: ":").dropFirst().first.map(String.init)
        let names = parts.dropLast() + [String(lastPart.split(separator: ":")[0])]
        let isRest = lastPart.contains("...")
        guard last.verb == verb, path.dropLast().allSatisfy({ $0.verb == nil }), path.allSatisfy({ !$0.name.isEmpty }),
            isRest ? path.count >= names.count : path.count == names.count
        else { return false }
        return zip(path, names).allSatisfy { $1.hasPrefix("{") || $0.name == $1 }
    }

    /// What in an answer is not as the file says.
    func faults(in answered: Answered, to method: HTTPMethod, _ request: HTTPRequest) throws -> [String] {
        if answered.status == 204 { return answered.text.isEmpty ? [] : ["204 with a body"] }
        guard let operation = operation(method, request) else {
            return faults(answered.json, schema("Problem"), "")
        }
        let response = resolve(operation["responses"]["\(answered.status)"])
        guard response.isThere else { return ["the file has no answer \(answered.status)"] }
        let media = (answered.contentType ?? "").split(separator: ";").first.map(String.init) ?? ""
        let content = response["content"][media]
        guard content.isThere else { return ["the file has no \(media) for \(answered.status)"] }
        if content["x-line-schema"].isThere {
            return answered.lines.flatMap { faults($0, content["x-line-schema"], "") }
        }
        if media == "text/plain" { return [] }
        var found = faults(answered.json, content["schema"], "")
        for (name, header) in response["headers"].keys.map({ ($0, response["headers"][$0]) }) {
            let isRequired = resolve(header)["required"].bool ?? false
            if isRequired && answered.field(name) == nil { found.append("no \(name)") }
        }
        for field in answered.fields where !["cache-control"].contains(field.name.lowercased()) {
            if !response["headers"].keys.contains(field.name) { found.append("\(field.name) is not in the file") }
        }
        return found
    }

    // MARK: Schemas

    func faults(_ value: JSON, _ given: JSON, _ at: String) -> [String] {
        let schema = resolve(given)
        var found: [String] = []
        func fault(_ text: String) { found.append("\(at.isEmpty ? "/" : at): \(text)") }
        if let type = schema["type"].string, !Self.has(value, type) {
            return ["\(at): is not of type \(type): \(String(describing: value).prefix(80))"]
        }
        if schema["enum"].isThere, !schema["enum"].array.contains(where: { $0.description == value.description }) {
            fault("\(value) is not in the enum")
        }
        if schema["const"].isThere, schema["const"].description != value.description {
            fault("\(value) is not the constant")
        }
        if let least = schema["minimum"].int, let number = value.int, number < least { fault("\(number) < \(least)") }
        if let most = schema["maximum"].int, let number = value.int, number > most { fault("\(number) > \(most)") }
        if let text = value.string {
            if let least = schema["minLength"].int, text.count < least { fault("too short") }
            if let most = schema["maxLength"].int, text.count > most { fault("too long") }
            if let pattern = schema["pattern"].string, !matches(text, pattern) {
                fault("'\(text)' does not match \(pattern)")
            }
        }
        if value.isArray {
            if let least = schema["minItems"].int, value.array.count < least { fault("too few") }
            if let most = schema["maxItems"].int, value.array.count > most { fault("too many") }
            if schema["items"].isThere {
                for (index, element) in value.array.enumerated() {
                    found += faults(element, schema["items"], at + "/\(index)")
                }
            }
        }
        if value.isObject { found += members(value, schema, at) }
        for part in schema["allOf"].array { found += faults(value, part, at) }
        if schema["oneOf"].isThere {
            let fitting = schema["oneOf"].array.filter { faults(value, $0, at).isEmpty }.count
            if fitting != 1 {
                fault("fits \(fitting) of oneOf")
                if fitting == 0 { for part in schema["oneOf"].array { found += faults(value, part, at) } }
            }
        }
        return found
    }

    private func matches(_ text: String, _ pattern: String) -> Bool {
        expressions.withLock { known in
            let expression = known[pattern] ?? (try? NSRegularExpression(pattern: pattern))
            known[pattern] = expression
            return expression?.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
        }
    }

    private func members(_ value: JSON, _ schema: JSON, _ at: String) -> [String] {
        var found: [String] = []
        for name in schema["required"].array.compactMap(\.string) where !value[name].isThere {
            found.append("\(at): \(name) is missing")
        }
        for name in value.keys {
            if schema["properties"][name].isThere {
                found += faults(value[name], schema["properties"][name], at + "/" + name)
            } else if schema["additionalProperties"].isObject {
                found += faults(value[name], schema["additionalProperties"], at + "/" + name)
            } else if schema["type"].string == "object", schema["properties"].isThere {
                found.append("\(at): \(name) is not in the file")
            }
        }
        return found
    }

    private static func has(_ value: JSON, _ type: String) -> Bool {
        switch type {
        case "object": value.isObject
        case "array": value.isArray
        case "string": value.string != nil
        case "integer": value.int != nil
        case "number": value.isNumber
        case "boolean": value.bool != nil
        default: false
        }
    }
}
