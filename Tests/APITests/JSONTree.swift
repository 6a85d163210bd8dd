// A JSON text as a tree, parsed by Foundation: nothing of Berth's own reader or writer has a part in it.

import Foundation

/// A value of JSON, or nothing where a test looked for one that is not there.
indirect enum JSON: Sendable, CustomStringConvertible {
    case nothing, null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([JSON])
    case members([String: JSON])

    init(parsing data: Data) throws {
        self.init(try JSONSerialization.jsonObject(with: data, options: [.fragmentsAllowed]))
    }

    private init(_ any: Any) {
        switch any {
        case let text as String: self = .text(text)
        case let list as [Any]: self = .list(list.map { JSON($0) })
        case let members as [String: Any]: self = .members(members.mapValues { JSON($0) })
        // Foundation reads true as a number too; only its type tells.
        case let number as NSNumber where "\(type(of: number))".contains("Bool"): self = .boolean(number.boolValue)
        case let number as NSNumber:
            if let integer = Int(exactly: number) {
                self = .integer(integer)
            } else {
                self = .number(number.doubleValue)
            }
        default: self = .null
        }
    }

    subscript(_ name: String) -> JSON {
        if case .members(let members) = self { return members[name] ?? .nothing }
        return .nothing
    }

    subscript(_ index: Int) -> JSON { index < array.count ? array[index] : .nothing }

    var string: String? { if case .text(let text) = self { text } else { nil } }
    var int: Int? { if case .integer(let integer) = self { integer } else { nil } }
    /// An integer is a number, too.
    var isNumber: Bool { if case .number = self { true } else { int != nil } }
    var bool: Bool? { if case .boolean(let boolean) = self { boolean } else { nil } }
    var array: [JSON] { if case .list(let list) = self { list } else { [] } }
    var isArray: Bool { if case .list = self { true } else { false } }
    var isObject: Bool { if case .members = self { true } else { false } }
    var isThere: Bool { if case .nothing = self { false } else { true } }

    var keys: [String] { if case .members(let members) = self { members.keys.sorted() } else { [] } }

    /// JSON again, for texts without escapes.
    var description: String {
        switch self {
        case .nothing: "nothing"
        case .null: "null"
        case .boolean(let boolean): "\(boolean)"
        case .integer(let integer): "\(integer)"
        case .number(let number): "\(number)"
        case .text(let text): "\"\(text)\""
        case .list(let list): "[" + list.map(\.description).joined(separator: ",") + "]"
        case .members: "{" + keys.map { "\"\($0)\":\(self[$0])" }.joined(separator: ",") + "}"
        }
    }
}
