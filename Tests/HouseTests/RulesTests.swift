// Each rule fails once on a text made to break it, and passes on one that keeps it.

import Testing

@Suite struct RulesTests {
    static func findings(_ path: String, _ code: String) -> [String] {
        Rules.findings(in: SourceText(path: path, text: "// What this file owns.\n" + code)).map(\.what)
    }

    @Test(
        "A target that imports what it may not is found",
        arguments: [
            ("Model", "import Packing"), ("Model", "import Foundation"), ("Packing", "public import Engine"),
            ("Packing", "import Glibc"), ("Engine", "import JSON"), ("Engine", "import Foundation"),
            ("Engine", "@testable import Storage"), ("JSON", "import Model"), ("JSON", "import Glibc"),
            ("Storage", "internal import Packing"), ("Storage", "import Foundation"), ("HTTP", "import Model"),
            ("HTTP", "import API"), ("HTTP", "import Foundation"), ("API", "import Storage"), ("API", "import CLinux"),
            ("API", "import struct Service.Server"), ("Service", "import Foundation"), ("Service", "import TestKit"),
            ("berth", "import TestKit"), ("Unheard", "import Model"),
        ])
    func wrongImports(target: String, line: String) {
        #expect(Self.findings("Sources/\(target)/Some.swift", line).count == 1)
    }

    @Test(
        "A target that imports what it may is left in peace",
        arguments: [
            ("Packing", "public import Model"), ("Engine", "import Packing"), ("Engine", "import HeapModule"),
            ("Storage", "import CLinux"), ("Storage", "import Glibc"), ("HTTP", "internal import COpenSSL"),
            ("HTTP", "import Dispatch"), ("API", "import Engine"), ("API", "import Synchronization"),
            ("Service", "import Logging"), ("Service", "import API"), ("berth", "import ArgumentParser"),
            ("Model", "// import Packing"), ("Model", "let text = \"import Packing\""), ("Model", "let important = 1"),
        ])
    func rightImports(target: String, line: String) {
        #expect(Self.findings("Sources/\(target)/Some.swift", line) == [])
    }

    @Test(
        "What is not determined by state, command and time is found in the core",
        arguments: [
            "let now = Date()", "let at = Date.now", "let id = UUID()", "let pick = values.randomElement()",
            "let pick = Int.random(in: 0..<3)", "values.shuffle()", "clock_gettime(CLOCK_REALTIME, &time)",
            "let at = DispatchTime.now()", "let clock = ContinuousClock()", "let share: Double = 0", "Float(1)",
            "for key in table.keys { use(key) }", "let all = table.values.map { $0 }", "let hash = name.hashValue",
            "var table: [String: Int] = [:]\nfor (name, count) in table { use(name, count) }",
            "let seen = Set(names)\nseen.forEach { use($0) }",
            "var seen: Set<Int> = []\nfor number in seen { use(number) }",
            "private var grown: Set<Int> = []\nlet first = grown.first",
        ], ["Packing", "Engine"])
    func undetermined(code: String, target: String) {
        #expect(Self.findings("Sources/\(target)/Some.swift", code).count == 1)
    }

    @Test(
        "The core may keep dictionaries that it does not walk, and say any word in a comment or a string",
        arguments: [
            "// Double the Date(.random)", "let text = \"UUID() \\\" Date()\"",
            "/* Float /* Double */ UUID( */ let x = 1",
            "let candidate = isUpToDate(x)", "var table: [String: Int] = [:]\nlet count = table[name]",
            "var table: [String: Int] = [:]\nfor name in table.keys.sorted() { use(name) }",
            "var found: [(name: Int, at: Int)] = []\nfor pair in found { use(pair) }",
            "let shapes: [Int] = []\nfor shape in shapes { use(shape) }", "let text = \"\"\"\n  Date()\n  \"\"\"",
        ])
    func determined(code: String) {
        #expect(Self.findings("Sources/Engine/Some.swift", code) == [])
        #expect(Self.findings("Sources/Packing/Some.swift", code) == [])
    }

    @Test("A file that does not open with what it owns is found")
    func opening() {
        func found(_ text: String) -> Int { Rules.opening(SourceText(path: "Sources/Model/A.swift", text: text)).count }
        #expect(found("public struct A {}") == 1)
        #expect(found("\n// What it owns.") == 1)
        #expect(found("//\n// A.swift") == 1)
        #expect(found("") == 1)
        #expect(found("// What it owns, in words.\nstruct A {}") == 0)
        #expect(found("// swift-tools-version: 6.2\n// The targets of Berth.") == 0)
        #expect(found("// swift-tools-version: 6.2\nimport PackageDescription") == 1)
    }

    @Test(
        "What needs a reason is found without a comment beside it",
        arguments: [
            "let value = try! work()", "fatalError(\"no\")", "final class Box: @unchecked Sendable {}",
            "let flags = [\"\(Rules.unchecked)\"]",
        ])
    func exceptions(code: String) {
        #expect(Self.findings("Sources/HTTP/Some.swift", "\n" + code).count == 1)
        #expect(Self.findings("Sources/HTTP/Some.swift", "\n// Because of this.\n" + code) == [])
        #expect(Self.findings("Sources/HTTP/Some.swift", "\n" + code + " // Because of this.") == [])
        #expect(Self.findings("Sources/HTTP/Some.swift", "\n// " + code) == [])
    }

    @Test("Notes to oneself are found, in comments too", arguments: Rules.notes)
    func leftovers(note: String) {
        #expect(Self.findings("Tests/HTTPTests/Some.swift", "// \(note): later").count == 1)
        #expect(Self.findings("Tests/HTTPTests/Some.swift", "let \(note.lowercased())s = 1") == [])
    }

    @Test("A stranger at the top of the repository is found")
    func strangers() {
        let ignored = ".build/\nberth-data/\nPackage.resolved\n*.swp\n"
        let names = ["Package.swift", "Sources", ".git", "berth-data", "Package.resolved", "x.swp", "notes.md", "docs"]
        #expect(Rules.strangers(names, ignored: ignored) == ["docs", "notes.md"])
    }
}
