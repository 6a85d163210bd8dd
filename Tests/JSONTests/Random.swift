// Owns the seeded randomness of these tests and the random documents made from it.
// It must not know what is tested.

@testable import JSON

/// SplitMix64: small, and the same on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A document as the tests see it: what is written and what must be read back.
indirect enum Tree: Equatable {
    case object([(String, Tree)])
    case array([Tree])
    case string(String)
    case integer(Int64)
    case unsigned(UInt64)
    case double(Double)
    case boolean(Bool)
    case null

    static func == (left: Tree, right: Tree) -> Bool {
        switch (left, right) {
        case (.object(let a), .object(let b)):
            // Keys are compared by bytes: equal strings may be different keys.
            a.count == b.count
                && zip(a, b).allSatisfy { Array($0.0.utf8) == Array($1.0.utf8) && $0.1 == $1.1 }
        case (.array(let a), .array(let b)): a == b
        case (.string(let a), .string(let b)): Array(a.utf8) == Array(b.utf8)
        case (.integer(let a), .integer(let b)): a == b
        case (.unsigned(let a), .unsigned(let b)): a == b
        case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
        case (.boolean(let a), .boolean(let b)): a == b
        case (.null, .null): true
        default: false
        }
    }

    static func random(_ generator: inout SeededGenerator, depth: Int = 0) -> Tree {
        switch Int.random(in: depth > 5 ? 2...9 : 0...9, using: &generator) {
        case 0:
            var seen: Set<[UInt8]> = []
            let members = (0..<Int.random(in: 0...40, using: &generator) / (depth + 1)).compactMap { _ in
                let key = text(&generator)
                return seen.insert(Array(key.utf8)).inserted ? (key, random(&generator, depth: depth + 1)) : nil
            }
            return .object(members)
        case 1:
            return .array(
                (0..<Int.random(in: 0...12, using: &generator)).map { _ in random(&generator, depth: depth + 1) })
        case 2, 3: return .string(text(&generator))
        case 4:
            return .integer(
                Int64.random(in: Int64.min...Int64.max, using: &generator)
                    >> Int64.random(in: 0...63, using: &generator))
        case 5: return .unsigned(UInt64.random(in: UInt64(Int64.max) + 1...UInt64.max, using: &generator))
        case 6:
            let double = Double(bitPattern: generator.next())
            return .double(double.isFinite ? double : 0.1)
        case 7, 8: return .boolean(Bool.random(using: &generator))
        default: return .null
        }
    }

    static func text(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...24, using: &generator) {
            let highest: UInt32 = [0x1F, 0x7E, 0x7E, 0x7FF, 0xFFFF, 0x10FFFF].randomElement(using: &generator) ?? 0x7E
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...highest, using: &generator)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    func write(to writer: inout JSONWriter) {
        switch self {
        case .object(let members):
            writer.object { writer in
                for (key, tree) in members {
                    writer.key(string: key)
                    tree.write(to: &writer)
                }
            }
        case .array(let elements):
            writer.array { writer in
                for tree in elements { tree.write(to: &writer) }
            }
        case .string(let text): writer.value(text)
        case .integer(let integer): writer.value(integer)
        case .unsigned(let integer): writer.value(integer)
        case .double(let double): writer.value(double)
        case .boolean(let boolean): writer.value(boolean)
        case .null: writer.null()
        }
    }

    func bytes(_ style: JSONWriter.Style = .compact) -> [UInt8] {
        var writer = JSONWriter(capacity: 16, style: style)
        write(to: &writer)
        return writer.take()
    }

    init(_ value: JSONValue) {
        switch value.kind {
        case .object: self = .object(value.members.map { ($0.key, Tree($0.value)) })
        case .array: self = .array(value.elements.map { Tree($0) })
        case .string: self = .string(value.string ?? "")
        case .boolean: self = .boolean(value.boolean ?? false)
        case .null: self = .null
        case .decimal: self = .double(value.double ?? .nan)
        case .integer: self = value.int64.map { .integer($0) } ?? value.uint64.map { .unsigned($0) } ?? .null
        }
    }
}

/// The error of a text, or nil if it is accepted.
func refusal(_ text: String, limits: JSONLimits = JSONLimits()) -> JSONSyntaxError? {
    refusal(Array(text.utf8), limits: limits)
}

func refusal(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) -> JSONSyntaxError? {
    do throws(JSONSyntaxError) {
        _ = try JSONDocument(bytes, limits: limits)
        return nil
    } catch {
        return error
    }
}
