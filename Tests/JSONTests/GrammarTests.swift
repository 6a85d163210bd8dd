// Owns the table of what RFC 8259 accepts and refuses, and the limits.
// It must not know decoding.

import Testing

@testable import JSON

@Suite struct GrammarTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "1234567890", "0.5", "-0.5", "1.0", "1e3", "1E3", "1e+3",
        "1e-3", "0e0", "0E+00", "1.25e10", "123456789012345678901234567890", "0.000000000000000000000000000001",
        "\"\"", "\"a\"", "\"abcdefg\"", "\"abcdefgh\"", "\"abcdefghi\"", "\" \"", "\"/\"", "\"\\/\"", "\"\\\\\"",
        "\"\\\"\"", "\"\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u0041\"", "\"\\uABCD\"", "\"\\uabcd\"",
        "\"\\uD834\\uDD1E\"", "\"\\ud834\\udd1e\"", "\"\\uFFFF\"", "\"\\uDBFF\\uDFFF\"", "\"\\uE000\"", "\"é\"",
        "\"€\"",
        "\"𝄞\"", "\"\u{7F}\"", "\"\u{2028}\u{2029}\"", "\"\u{FEFF}\"", "\"\u{10FFFF}\"", "[]", "[ ]", "[\t\n\r ]", "{}",
        "{ }", "[1]", "[1,2]", "[ 1 , 2 ]", "[[]]", "[[],[]]", "[{}]", "[null,true,false]", "{\"a\":1}", "{\"a\":{}}",
        "{\"a\":[]}", "{\"\":0}", "{\"a\":1,\"b\":2}", "{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":{\"a\":{\"a\":1}}}",
        "{\"a\":1,\"A\":2}", "{\"a\":1,\"a \":2}", "[{\"a\":1},{\"a\":2}]", " 1", "1 ", "\t\n\r 1 \r\n\t", "\n[]\n",
        "{\"a\":\"\\u0022\"}", "[\"\\\\\",\"\\\\\"]", "[\"a\",\"\\\"\"]", "[-0.0e-0]", "[1,[2,[3,[4]]]]",
        "[                  1]", "\"12345678\\n12345678\\n\"", "{\"\\u0000\":1}",
    ])
    func `a correct text is accepted`(_ text: String) {
        #expect(refusal(text) == nil)
    }

    @Test(
        arguments: [
            ("", .empty), (" ", .empty), ("\n\n", .empty), ("nul", .endOfInput), ("nulL", .unexpectedByte),
            ("NULL", .unexpectedByte), ("True", .unexpectedByte), ("tru e", .unexpectedByte),
            ("nulll", .trailingContent),
            ("truefalse", .trailingContent), ("NaN", .unexpectedByte), ("Infinity", .unexpectedByte),
            ("-Infinity", .invalidNumber), ("undefined", .unexpectedByte), ("+1", .unexpectedByte), ("-", .endOfInput),
            ("- 1", .invalidNumber), ("--1", .invalidNumber), ("01", .invalidNumber), ("-01", .invalidNumber),
            ("00", .invalidNumber), ("1.", .endOfInput), ("[1.]", .invalidNumber), (".5", .unexpectedByte),
            ("-.5", .invalidNumber), ("1e", .endOfInput), ("1e+", .endOfInput), ("[1e]", .invalidNumber),
            ("1.e3", .invalidNumber), ("1e1.5", .trailingContent), ("0x10", .trailingContent),
            ("1_000", .trailingContent),
            ("1 2", .trailingContent), ("1,", .trailingContent), ("1.2.3", .trailingContent),
            ("[1 2]", .unexpectedByte),
            ("\"", .endOfInput), ("\"a", .endOfInput), ("\"\\\"", .endOfInput), ("\"\\", .endOfInput),
            ("'a'", .unexpectedByte), ("a", .unexpectedByte), ("\"\\a\"", .invalidEscape), ("\"\\'\"", .invalidEscape),
            ("\"\\x41\"", .invalidEscape), ("\"\\u\"", .endOfInput), ("\"\\u12\"", .endOfInput),
            ("\"\\u12G4\"", .invalidEscape), ("\"\\U0041\"", .invalidEscape), ("\"\\0\"", .invalidEscape),
            ("\"\\u+123\"", .invalidEscape), ("\"\\uD800\"", .loneSurrogate), ("\"\\uDC00\"", .loneSurrogate),
            ("\"\\uD800\\uD800\"", .loneSurrogate), ("\"\\uD800\\n12345\"", .loneSurrogate),
            ("\"\\uDC00\\uD800\"", .loneSurrogate), ("\"\\uD800x\\uDC00\"", .loneSurrogate),
            ("\"\\uD834\\u0041\"", .loneSurrogate), ("\"\n\"", .controlCharacter), ("\"\t\"", .controlCharacter),
            ("\"\u{0}\"", .controlCharacter), ("\"abcdefgh\u{1F}\"", .controlCharacter), ("[", .endOfInput),
            ("]", .unexpectedByte), ("[1", .endOfInput), ("[1,", .endOfInput), ("[,1]", .unexpectedByte),
            ("[1,]", .trailingComma), ("[1,,2]", .unexpectedByte), ("[1}", .unexpectedByte), ("[1]]", .trailingContent),
            ("[1:2]", .unexpectedByte), ("[\"a\" \"b\"]", .unexpectedByte), ("{", .endOfInput), ("}", .unexpectedByte),
            ("{]", .unexpectedByte), ("{\"a\"", .endOfInput), ("{\"a\":", .endOfInput), ("{\"a\":1", .endOfInput),
            ("{\"a\":1,", .endOfInput), ("{\"a\":1,}", .trailingComma), ("{,\"a\":1}", .unexpectedByte),
            ("{\"a\" 1}", .unexpectedByte), ("{\"a\"::1}", .unexpectedByte), ("{\"a\":}", .unexpectedByte),
            ("{\"a\"}", .unexpectedByte), ("{a:1}", .unexpectedByte), ("{1:1}", .unexpectedByte),
            ("{null:1}", .unexpectedByte), ("{'a':1}", .unexpectedByte), ("{\"a\":1 \"b\":2}", .unexpectedByte),
            ("{\"a\":1]", .unexpectedByte), ("{}}", .trailingContent), ("{\"a\":1,\"a\":2}", .duplicateKey),
            ("{\"\":1,\"\":2}", .duplicateKey), ("{\"a\":1,\"b\":2,\"a\":1}", .duplicateKey),
            ("{\"a\":1,\"\\u0061\":2}", .duplicateKey), ("{\"\\u0061\":1,\"a\":2}", .duplicateKey),
            ("{\"\\u0061\":{\"x\":[1]},\"\\u0061\":2}", .duplicateKey), ("[{\"k\":{\"a\":1,\"a\":2}}]", .duplicateKey),
            ("{\"é\":1,\"\\u00e9\":2}", .duplicateKey), ("{\"𝄞\":1,\"\\ud834\\udd1e\":2}", .duplicateKey),
            ("/* c */ 1", .unexpectedByte), ("1 // c", .trailingContent), ("# 1", .unexpectedByte),
            ("\u{FEFF}1", .byteOrderMark), ("\u{A0}1", .unexpectedByte), ("\u{B}1", .unexpectedByte),
            ("\u{C}1", .unexpectedByte), ("1\u{0}", .trailingContent), ("[1\u{0}]", .unexpectedByte),
            ("\u{2028}1", .unexpectedByte), ("[1]x", .trailingContent), ("{} {}", .trailingContent),
        ] as [(String, JSONSyntaxError.Reason)])
    func `a wrong text is refused for its reason`(_ text: String, _ reason: JSONSyntaxError.Reason) {
        #expect(refusal(text)?.reason == reason)
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xE2, 0x28, 0xA1],
            [0xF0, 0x9F, 0x98], [0xF0, 0x9F, 0x28, 0x80], [0xE9],
        ] as [[UInt8]])
    func `bytes that are no UTF-8 are refused wherever they stand`(_ wrong: [UInt8]) {
        for padding in 0..<18 {
            let filler = [UInt8](repeating: UInt8(ascii: "x"), count: padding)
            #expect(refusal([Byte.quote] + filler + wrong + filler + [Byte.quote])?.reason == .invalidUTF8)
            #expect(refusal([Byte.quote] + filler + wrong) != nil)
        }
    }

    @Test func `sixty-four levels are accepted and sixty-five are not`() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + (open == "[" ? "" : "1")
                    + String(repeating: close, count: depth)
            }
            #expect(refusal(nested(64)) == nil)
            #expect(refusal(nested(65))?.reason == .tooDeep)
            #expect(refusal(String(repeating: open, count: 100_000))?.reason == .tooDeep)
        }
        #expect(refusal("[[1]]", limits: JSONLimits(depth: 1))?.reason == .tooDeep)
    }

    @Test func `each limit is reached exactly`() {
        #expect(refusal("[1,2]", limits: JSONLimits(values: 3)) == nil)
        #expect(refusal("[1,2]", limits: JSONLimits(values: 2))?.reason == .tooManyValues)
        #expect(refusal("\"abc\"", limits: JSONLimits(stringBytes: 3)) == nil)
        #expect(refusal("\"abc\"", limits: JSONLimits(stringBytes: 2))?.reason == .stringTooLong)
        #expect(refusal("{\"abc\":1}", limits: JSONLimits(stringBytes: 2))?.reason == .stringTooLong)
        #expect(refusal("[1,2]", limits: JSONLimits(inputBytes: 5)) == nil)
        #expect(refusal("[1,2]", limits: JSONLimits(inputBytes: 4))?.reason == .tooLarge)
    }

    @Test func `two hundred thousand keys are read, and one duplicate among them is found`() {
        let keys = (0..<200_000).map { "\"key-\($0)\":\($0)" }
        let text = "{" + keys.joined(separator: ",") + "}"
        #expect(refusal(text) == nil)
        let error = refusal("{" + keys.joined(separator: ",") + ",\"key-7\\u0037\":1}")
        #expect(error?.reason == .duplicateKey)
        #expect(error?.pointer == "/key-77")
        #expect(error?.offset == text.utf8.count)
    }

    @Test func `a duplicate is found at every size of object and every distance`() {
        for size in [2, 5, 31, 32, 33, 34, 35, 64, 65, 200] {
            let keys = (0..<size).map { "\"k\($0)\":{\"k0\":0}" }
            #expect(refusal("{" + keys.joined(separator: ",") + "}") == nil)
            for twin in [0, size / 2, size - 1] {
                let error = refusal("{" + keys.joined(separator: ",") + ",\"k\(twin)\":1}")
                #expect(error?.reason == .duplicateKey)
                #expect(error?.pointer == "/k\(twin)")
            }
        }
    }

    @Test func `a megabyte string is read whole`() throws {
        let plain = String(repeating: "abcdefg\u{E9}", count: 120_000)
        let escaped = String(repeating: "x\\n", count: 400_000)
        let document = try JSONDocument(Array("[\"\(plain)\",\"\(escaped)\"]".utf8))
        let strings = document.root.elements.map { $0.string }
        #expect(strings == [plain, String(repeating: "x\n", count: 400_000)])
    }

    @Test(arguments: [
        ("[1,2,x]", 5, 1, 6, "/2"), ("[1,2 3]", 5, 1, 6, ""), ("{\"a\":x}", 5, 1, 6, "/a"),
        ("{\"a\":[0,{\"b/~c\":nope}]}", 17, 1, 18, "/a/1/b~1~0c"), ("{\n  \"a\": 1,\n  b: 2\n}", 14, 3, 3, ""),
        ("[\"é\",x]", 6, 1, 6, "/1"), ("{\"a\":1}x", 7, 1, 8, ""), ("{\"a\":[1],\"b\":[[],{},tru]}", 23, 1, 24, "/b/2"),
        ("[[1],[2],[3,[4,5", 16, 1, 17, "/2/1"), ("{\"a\":{\"b\":1", 11, 1, 12, "/a"), ("{\"a\" 1}", 5, 1, 6, "/a"),
        ("{\"x\":{\"k\":1,\"k\":2}}", 12, 1, 13, "/x/k"), ("\n\n \"\\q\"", 4, 3, 3, ""), ("", 0, 1, 1, ""),
        ("[1,]", 3, 1, 4, "/1"),
    ])
    func `an error says where it is`(_ text: String, _ offset: Int, _ line: Int, _ column: Int, _ pointer: String)
        throws
    {
        let error = try #require(refusal(text))
        #expect(error.offset == offset)
        #expect(error.line == line)
        #expect(error.column == column)
        #expect(error.pointer == pointer)
        #expect(error.message.hasSuffix(".") || error.message.contains(":"))
    }
}
