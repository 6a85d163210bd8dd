// Which names are names.

import Model
import Testing

@Suite struct NamesTests {
    @Test(arguments: ["a", "Z", "0", "job-1", "a.b_c-d", "9lives", String(repeating: "x", count: 128)])
    func `A name is letters, digits, dots, lines and dashes`(name: String) {
        #expect(Names.isValid(name))
        #expect(Names.isValidNodeName(name))
    }

    @Test(arguments: [
        "", ".", "-a", "_a", ".a", "a b", "a\n", "a\u{0}", "ä", "a/", "/a", "a//b", "a/-b", "名",
        String(repeating: "x", count: 129),
    ])
    func `Anything else is none`(name: String) {
        #expect(!Names.isValid(name))
        #expect(!Names.isValidNodeName(name))
    }

    @Test func `Only a node's name has parts`() {
        #expect(!Names.isValid("b03/d017/n04"))
        #expect(Names.isValidNodeName("b03/d017/n04"))
    }
}
