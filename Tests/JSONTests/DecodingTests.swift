// Owns the tests of decoding: mistakes, their pointers, the nearest name.
// It must not know the grammar.

import Testing

@testable import JSON

private enum Tier: String, CaseIterable { case node, domain, block, pool }

@Suite struct DecodingTests {
    private func failure(_ text: String, maxMistakes: Int = 64, _ body: (inout ObjectReader) -> Void) -> JSONFailure? {
        do throws(JSONFailure) {
            try decodeObject(Array(text.utf8), maxMistakes: maxMistakes, body)
            return nil
        } catch {
            return error
        }
    }

    private func mistakes(_ text: String, _ body: (inout ObjectReader) -> Void) -> [String] {
        failure(text, body)?.mistakes.map { "\($0.pointer) \($0.code)" } ?? []
    }

    @Test func `a correct body gives its values`() throws {
        let text = """
            {"name":"x","count":3,"ratio":0.5,"price":"3.2","cheap":0.000001,"on":true,"tier":"block",
             "labels":{"b":"2","a":"1"},"regions":["r1","r2"],"groups":[{"n":1},{"n":2}],"grid":[[1],[2,3]],
             "inner":{"deep":{"v":-5}},"big":18446744073709551615}
            """
        let total = try decodeObject(Array(text.utf8)) { r in
            let value1: UInt64 = r.integer("big")
            #expect(value1 == .max)
            let value2 = r.string("name")
            #expect(value2 == "x")
            let value3: Int32 = r.integer("count", in: 1...100_000)
            #expect(value3 == 3)
            let value4 = r.double("ratio")
            #expect(value4 == 0.5)
            let value5 = r.micros("price")
            #expect(value5 == 3_200_000)
            let value6 = r.micros("cheap")
            #expect(value6 == 1)
            let value7 = r.boolean("on")
            #expect(value7)
            let value8 = r.choice("tier", of: Tier.self)
            #expect(value8 == .block)
            let value9 = r.stringMap("labels").map { $0.0 + $0.1 }
            #expect(value9 == ["a1", "b2"])
            let value10 = r.array("regions") { $0.string() }
            #expect(value10 == ["r1", "r2"])
            let value11 = r.array("grid") { $0.array { $0.integer() as Int } }
            #expect(value11 == [[1], [2, 3]])
            let value12 = r.optionalString("absent")
            #expect(value12 == nil)
            let deep: Int = r.object("inner") { $0.object("deep") { $0.integer("v") } }
            return r.objects("groups") { $0.integer("n") as Int }.reduce(deep, +)
        }
        #expect(total == -2)
    }

    @Test func `all mistakes of a body are reported at once, each in its place`() {
        let text = """
            {"nmae":"x","count":0,"half":1.0,"huge":99999999999999999999,"word":"abcdef","tier":"blok","flag":null,
             "groups":[{"n":"1"},7,{"n":1,"m":2}],"labels":{"a":1},"few":[],"many":[1,2,3],"price":"1e3","a/b~":3}
            """
        let found = mistakes(text) { r in
            _ = r.string("name")
            _ = r.integer("count", in: 1...9) as Int
            _ = r.integer("half") as Int
            _ = r.integer("huge") as Int
            _ = r.string("word", maxBytes: 5)
            _ = r.choice("tier", of: Tier.self)
            _ = r.optionalBoolean("flag")
            _ = r.objects("groups") { $0.integer("n") as Int }
            _ = r.stringMap("labels")
            _ = r.array("few", count: 1...2) { $0.integer() as Int }
            _ = r.array("many", count: 1...2) { $0.integer() as Int }
            _ = r.micros("price")
            _ = r.string("a/b~")
            _ = r.object("gone") { $0.string("never reported") }
        }
        #expect(
            found == [
                "/name missing", "/count outOfRange", "/half wrongType", "/huge outOfRange", "/word tooLong",
                "/tier invalid", "/flag wrongType", "/groups/0/n wrongType", "/groups/1 wrongType",
                "/groups/2/m unknownField", "/labels/a wrongType", "/few tooShort", "/many tooLong", "/price invalid",
                "/a~1b~0 wrongType", "/gone missing", "/nmae unknownField",
            ])
    }

    @Test func `a sentence says what to do`() {
        let failure = failure("{\"nmae\":1,\"tier\":\"blok\",\"count\":1.0}") { r in
            _ = r.string("name")
            _ = r.choice("tier", of: Tier.self)
            _ = r.integer("count", in: 1...9) as Int
        }
        #expect(
            failure?.mistakes.map(\.message) == [
                "Add the field \"name\"; it is required.",
                "Give one of \"node\", \"domain\", \"block\", \"pool\", not \"blok\"; did you mean \"block\"?",
                "Write a whole number without fraction or exponent, not 1.0.",
                "Remove \"nmae\": there is no such field here; did you mean \"name\"?",
            ])
    }

    @Test func `mistakes beyond the cap are counted`() {
        let text = "{" + (0..<200).map { "\"unknown\($0)\":1" }.joined(separator: ",") + "}"
        let failure = failure(text) { r in _ = r.string("name") }
        #expect(failure?.mistakes.count == 64)
        #expect(failure?.leftOut == 137)
    }

    @Test func `no order of asking loses a field or invents one, in objects of any size`() {
        for seed in UInt64(1)...80 {
            var generator = SeededGenerator(seed)
            let pool: [StaticString] = [
                "a", "b", "c", "dd", "ee", "ff", "name", "mane", "region", "regions", "", "q\"q",
            ]
            let filler = Int.random(in: 0...1, using: &generator) * 70
            let present = pool.filter { _ in Bool.random(using: &generator) }
            var members = present.map { ($0.description, Tree.integer(1)) }
            members += (0..<filler).map { ("filler\($0)", .integer(0)) }
            members.shuffle(using: &generator)
            let asked = pool.filter { _ in Bool.random(using: &generator) }.shuffled(using: &generator)
            let failure = failure(String(decoding: Tree.object(members).bytes(), as: UTF8.self), maxMistakes: 500) {
                r in
                for name in asked {
                    let isThere = present.contains { $0.description == name.description }
                    let value13 = r.has(name)
                    #expect(value13 == isThere, "seed \(seed)")
                    let number: Int? = r.optionalInteger(name)
                    #expect((number == 1) == isThere, "seed \(seed)")
                }
            }
            let unknown = members.map { $0.0 }.filter { key in !asked.contains { $0.description == key } }
            #expect(
                failure?.mistakes.map(\.pointer) ?? [] == unknown.map { JSONPointer.appending($0, to: "") },
                "seed \(seed)")
        }
    }

    @Test func `a body that is no object or no JSON is one mistake`() {
        #expect(mistakes("[1]") { r in _ = r.string("name") } == [" wrongType"])
        let failure = failure("{\"a\":[1,}") { _ in }
        #expect(failure?.mistakes.map { "\($0.pointer) \($0.code)" } == ["/a/1 syntax"])
        #expect(failure?.mistakes.first?.message.hasPrefix("line 1, column 9: ") == true)
    }

    @Test func `two names that Swift takes for equal are a duplicate in a string map`() {
        #expect(
            mistakes("{\"m\":{\"\u{E9}\":\"1\",\"e\u{301}\":\"2\"}}") { r in _ = r.stringMap("m") } == ["/m duplicate"])
    }

    @Test func `a caller adds mistakes of its own and reads values its own way`() {
        let text = "{\"id\":\"bad id\",\"any\":[1,{}],\"ok\":\"x\"}"
        let found = mistakes(text) { r in
            let value14 = r.parsed("id", "a name without spaces") { $0.contains(" ") ? nil : $0 }
            #expect(value14 == nil)
            let value15 = r.parsed("ok", "a name without spaces") { $0.contains(" ") ? nil : $0 }
            #expect(value15 == "x")
            r.field("any")?.mistake(.invalid, "No.")
            r.mistake(.invalid, "ok", "Not that either.")
            r.mistake(.invalid, nil, "All of it.")
        }
        #expect(found == ["/id invalid", "/any invalid", "/ok invalid", " invalid"])
    }

    @Test func `random bodies never crash a decoder that expects something else`() {
        for seed in UInt64(1)...400 {
            var generator = SeededGenerator(seed)
            let keys = ["name", "count", "groups", "labels", "inner", "other"]
            let members = keys.filter { _ in Bool.random(using: &generator) }.map {
                ($0, Tree.random(&generator, depth: 3))
            }
            _ = failure(String(decoding: Tree.object(members).bytes(), as: UTF8.self)) { r in
                _ = r.string("name")
                _ = r.integer("count", in: 5...9) as UInt8
                _ = r.objects("groups") { $0.micros("price") }
                _ = r.stringMap("labels")
                _ = r.object("inner") { $0.double("x") }
            }
        }
    }

    @Test(
        arguments: [
            ("nmae", "name"), ("Name", "name"), ("max_runtime_seconds", "maxRuntimeSeconds"), ("worker", "workers"),
            ("prioritty", "priority"), ("regoin", "region"), ("zzz", nil), ("x", nil), ("", nil),
        ] as [(String, String?)])
    func `the nearest name is the one that was meant`(_ name: String, _ expected: String?) {
        let names = ["name", "workers", "priority", "region", "maxRuntimeSeconds", "q"]
        #expect(nearest(to: name, among: names) == expected)
    }
}
