// Owns the tests of the writer, of money and of NDJSON lines.
// It must not know decoding.

import Testing

@testable import JSON

@Suite struct WriterTests {
    private func written(_ style: JSONWriter.Style = .compact, _ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter(capacity: 16, style: style)
        body(&writer)
        return String(decoding: writer.take(), as: UTF8.self)
    }

    @Test func `commas stand between values and nowhere else`() {
        let text = written { w in
            w.object { w in
                w.field("a", 1)
                w.array("b") { w in
                    w.value(true)
                    w.null()
                    w.object { _ in }
                    w.array { _ in }
                    w.value("x")
                }
                w.field("c", ["y", "z"])
                w.field("d", map: [("k\"", "v")])
                w.field("e", raw: Array("[1]".utf8))
                w.field("f", micros: 3_200_000)
                w.objects("g", [1, 2]) { w, n in w.field("n", n) }
                w.nullField("h")
                w.field("i", text: "plain")
            }
        }
        #expect(
            text
                == "{\"a\":1,\"b\":[true,null,{},[],\"x\"],\"c\":[\"y\",\"z\"],\"d\":{\"k\\\"\":\"v\"},\"e\":[1],\"f\":\"3.20\","
                + "\"g\":[{\"n\":1},{\"n\":2}],\"h\":null,\"i\":\"plain\"}")
    }

    @Test func `pretty output indents by two spaces and leaves empty containers closed`() {
        let text = written(.pretty) { w in
            w.object { w in
                w.field("a", 1)
                w.array("b") { w in
                    w.value(1)
                    w.object { _ in }
                }
                w.array("c") { _ in }
            }
        }
        #expect(text == "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    {}\n  ],\n  \"c\": []\n}")
    }

    @Test func `every string is escaped so that it reads back, wherever the escape stands`() throws {
        #expect(
            written { $0.value("\"\\\u{8}\u{C}\n\r\t\u{0}\u{B}\u{1F}\u{7F}/\u{2028}é") }
                == "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u000b\\u001f\u{7F}/\u{2028}é\"")
        for code in UInt8(0)...0x7F {
            for padding in 0..<18 {
                let filler = String(repeating: "x", count: padding)
                let text = filler + String(Unicode.Scalar(code)) + filler
                let read = try JSONDocument(Array(written { $0.value(text) }.utf8)).root.string
                #expect(read == text)
            }
        }
    }

    @Test func `integers are written exactly`() {
        for integer in [0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 99999, 100_000, Int.max, -1, -10, Int.min] {
            #expect(written { $0.value(integer) } == String(integer))
        }
        #expect(written { $0.value(UInt64.max) } == "18446744073709551615")
        for seed in UInt64(1)...2000 {
            var generator = SeededGenerator(seed)
            let integer = generator.next() >> (seed % 64)
            #expect(written { $0.value(integer) } == String(integer), "seed \(seed)")
        }
    }

    @Test func `doubles are written shortest, and what is not finite becomes null`() {
        for (double, text) in [
            (0.1, "0.1"), (1, "1.0"), (-0.0, "-0.0"), (1e300, "1e+300"), (Double.leastNonzeroMagnitude, "5e-324"),
        ] {
            #expect(written { $0.value(double as Double) } == text)
        }
        #expect(written { $0.value(Double.nan) } == "null")
        #expect(written { $0.value(-Double.infinity) } == "null")
    }

    @Test func `a writer is reused, line by line and buffer by buffer`() {
        var writer = JSONWriter(capacity: 16)
        for round in 1...3 {
            for line in 1...3 {
                writer.object { $0.field("line", line * round) }
                writer.newLine()
            }
            let expected = "{\"line\":\(round)}\n{\"line\":\(2 * round)}\n{\"line\":\(3 * round)}\n"
            #expect(writer.withBytes { $0.count } == expected.utf8.count)
            #expect(writer.count == expected.utf8.count)
            if round == 2 {
                writer.reset()
            } else {
                #expect(String(decoding: writer.take(), as: UTF8.self) == expected)
            }
        }
        #expect(writer.take().isEmpty)
    }

    @Test(
        arguments: [
            (0, "0.00"), (1, "0.000001"), (10, "0.00001"), (3_200_000, "3.20"), (12_000_000, "12.00"),
            (1_234_560, "1.23456"), (-3_200_000, "-3.20"), (.max, "9223372036854.775807"),
            (.min, "-9223372036854.775808"),
        ] as [(Int64, String)])
    func `micros are written as decimals`(_ micros: Int64, _ text: String) {
        #expect(decimalString(micros: micros) == text)
        #expect(written { $0.value(micros: micros) } == "\"\(text)\"")
    }

    @Test(
        arguments: [
            ("12", 12_000_000), ("3.2", 3_200_000), ("0.000001", 1), ("0", 0), ("007", 7_000_000), ("1.50", 1_500_000),
            ("9223372036854.775807", .max),
        ] as [(String, Int64)])
    func `an amount is read exactly`(_ text: String, _ micros: Int64) {
        #expect(Money.micros(text) == .success(micros))
    }

    @Test(
        arguments: [
            ("", .malformed), (".", .malformed), ("1.", .malformed), (".5", .malformed), ("-1", .malformed),
            ("+1", .malformed), ("1e3", .malformed), ("1 ", .malformed), (" 1", .malformed), ("1,5", .malformed),
            ("1.2.3", .malformed), ("0x1", .malformed), ("١", .malformed), ("0.0000001", .tooPrecise),
            ("1.0000000", .tooPrecise), ("9223372036854.775808", .tooLarge), ("9223372036855", .tooLarge),
            ("99999999999999999999999999", .tooLarge),
        ] as [(String, Money.ParseError)])
    func `what is no amount is refused for its reason`(_ text: String, _ error: Money.ParseError) {
        #expect(Money.micros(text) == .failure(error))
    }

    @Test func `a random amount survives writing and reading`() {
        for seed in UInt64(1)...2000 {
            var generator = SeededGenerator(seed)
            let micros = Int64(truncatingIfNeeded: generator.next() >> (1 + seed % 60))
            #expect(Money.micros(decimalString(micros: micros)) == .success(micros), "seed \(seed)")
        }
    }

    @Test func `lines end with LF or CRLF, blank ones are skipped but counted`() {
        let text = "{\"a\":1}\n\n{\"b\":2}\r\n \t\r\n\r\n[1,2,3,4,5,6,7,8,9]\nlast"
        let bytes = Array(text.utf8)
        let lines = JSONLines(bytes).map { "\($0.number) " + String(decoding: bytes[$0.range], as: UTF8.self) }
        #expect(lines == ["1 {\"a\":1}", "3 {\"b\":2}", "6 [1,2,3,4,5,6,7,8,9]", "7 last"])
        #expect(Array(JSONLines([])) == [])
        #expect(Array(JSONLines(Array("\n\n".utf8))) == [])
        #expect(JSONLines(bytes, in: 9..<16).map(\.range) == [9..<16])
    }

    @Test func `lines agree with plain splitting`() {
        for seed in UInt64(1)...500 {
            var generator = SeededGenerator(seed)
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                Array("ab\n\r \u{8A}".utf8).randomElement(using: &generator) ?? 0
            }
            let expected = bytes.split(separator: Byte.lineFeed, omittingEmptySubsequences: false).enumerated()
                .compactMap { number, line -> String? in
                    let text = line.last == Byte.carriageReturn ? line.dropLast() : line
                    return text.allSatisfy(Byte.isWhite) ? nil : "\(number + 1) \(text.startIndex..<text.endIndex)"
                }
            #expect(JSONLines(bytes).map { "\($0.number) \($0.range)" } == expected, "seed \(seed)")
        }
    }
}
