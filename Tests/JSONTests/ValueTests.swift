// Owns the tests of values: numbers at their edges, strings, round trips, mutations and noise.
// It must not know decoding.

import Testing

@testable import JSON

@Suite struct ValueTests {
    private func root(_ text: String) throws -> JSONValue { try JSONDocument(Array(text.utf8)).root }

    @Test func `a random document reads back as it was written, compact and pretty`() throws {
        for seed in UInt64(1)...300 {
            var generator = SeededGenerator(seed)
            let tree = Tree.random(&generator)
            for style in [JSONWriter.Style.compact, .pretty] {
                let document = try JSONDocument(tree.bytes(style))
                #expect(Tree(document.root) == tree, "seed \(seed)")
            }
        }
    }

    @Test func `a document inside other bytes reads as it does alone`() throws {
        for seed in UInt64(1)...60 {
            var generator = SeededGenerator(seed)
            let tree = Tree.random(&generator)
            let bytes = tree.bytes()
            let padding = [UInt8](repeating: UInt8(ascii: "9"), count: Int.random(in: 1...20, using: &generator))
            let document = try JSONDocument(padding + bytes + padding, in: padding.count..<padding.count + bytes.count)
            #expect(Tree(document.root) == tree, "seed \(seed)")
            let copied = try JSONDocument(copying: bytes.span)
            #expect(Tree(copied.root) == tree, "seed \(seed)")
        }
    }

    @Test func `a mutated document is refused or still reads back from what it writes`() throws {
        for seed in UInt64(1)...1500 {
            var generator = SeededGenerator(seed)
            var bytes = Tree.random(&generator).bytes()
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(Array("{}[],:\"\\-0e.".utf8).randomElement(using: &generator) ?? 0, at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            guard let document = try? JSONDocument(bytes) else {
                let error = try #require(refusal(bytes))
                #expect(error.offset >= 0 && error.offset <= bytes.count, "seed \(seed)")
                continue
            }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(Array(text.utf8) == bytes, "accepted what is no UTF-8, seed \(seed)")
            _ = Tree(document.root)
        }
    }

    @Test func `noise never crashes and what it has accepted can be walked`() {
        for seed in UInt64(1)...4000 {
            var generator = SeededGenerator(seed)
            let alphabet = seed % 2 == 0 ? Array("{}[]:,\"\\u0a1-.e ntf\u{E9}".utf8) : Array(0...255)
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            if let document = try? JSONDocument(bytes) { _ = Tree(document.root) }
        }
    }

    @Test func `every prefix of a document is refused`() {
        let bytes = Array("{\"a\":[1,-2.5e+3,\"x\\u00e9\\ud834\\udd1e€\",true,false,null],\"b\":{\"c\":{}}}".utf8)
        #expect(refusal(bytes) == nil)
        for count in 0..<bytes.count { #expect(refusal(Array(bytes[..<count])) != nil, "\(count) bytes") }
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("99999999999999999999", nil),
            ("100000000000000000000000", nil), ("1.0", nil), ("1e3", nil), ("\"1\"", nil),
        ] as [(String, Int64?)])
    func `a signed integer is exact or nothing`(_ text: String, _ expected: Int64?) throws {
        #expect(try root(text).int64 == expected)
    }

    @Test(
        arguments: [
            ("18446744073709551615", .max), ("18446744073709551616", nil), ("28446744073709551615", nil), ("-1", nil),
            ("9999999999999999999", 9_999_999_999_999_999_999), ("10000000000000000000", 10_000_000_000_000_000_000),
        ] as [(String, UInt64?)])
    func `an unsigned integer is exact or nothing`(_ text: String, _ expected: UInt64?) throws {
        #expect(try root(text).uint64 == expected)
    }

    @Test func `a number keeps its text and gives the nearest double`() throws {
        let value = try root("[1.10,1e400,-0.0,12,5e-324]")
        #expect(value.elements.map { $0.numberText } == ["1.10", "1e400", "-0.0", "12", "5e-324"])
        #expect(value.elements.map { $0.double } == [1.1, nil, -0.0, 12, Double.leastNonzeroMagnitude])
        #expect(value.elements.map { $0.kind } == [.decimal, .decimal, .decimal, .integer, .decimal])
    }

    @Test func `escapes mean what they say`() throws {
        let text = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD834\\uDD1E\\u0000.\""
        #expect(try root(text).string == "\"\\/\u{8}\u{C}\n\r\tA\u{E9}\u{20AC}\u{1D11E}\u{0}.")
    }

    @Test func `members are found by name, escaped or not`() throws {
        let value = try root("{\"a\":1,\"\\u0062\":2,\"\":3,\"a~/b\":[{\"x\":true}]}")
        #expect(value["a"]?.int64 == 1)
        #expect(value["b"]?.int64 == 2)
        #expect(value[""]?.int64 == 3)
        #expect(value["c"] == nil)
        #expect(value["a~/b"]?.elements.map { $0["x"]?.pointer } == ["/a~0~1b/0/x"])
        #expect(value.count == 4)
        #expect(value.pointer == "")
    }
}
