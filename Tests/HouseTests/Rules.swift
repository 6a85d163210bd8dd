// The laws of the house that a text can break, as functions over texts. Each finding says where and what.

struct Finding: Equatable, CustomStringConvertible {
    let path: String
    /// From 1; 0 for the file as a whole.
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}

enum Rules {
    static func findings(in source: SourceText) -> [Finding] {
        imports(source) + determinism(source) + opening(source) + exceptions(source) + leftovers(source)
    }

    // MARK: Which target may import what

    /// Our own modules, and what else each may import.
    static let table: [String: (own: Set<String>, outside: Set<String>)] = {
        let system: Set = ["Glibc", "Dispatch", "Synchronization"]
        let libraries: Set = ["Model", "Packing", "Engine", "JSON", "Storage", "HTTP", "API", "Service", "CLinux"]
        let foundation: Set = ["Foundation"]
        return [
            "Model": ([], []),
            "Packing": (["Model"], ["HeapModule"]),
            "Engine": (
                ["Model", "Packing"],
                ["HashTreeCollections", "HeapModule", "DequeModule", "OrderedCollections", "BitCollections"]
            ),
            "JSON": ([], []),
            "Storage": (["Model", "CLinux"], system),
            "HTTP": (["CLinux", "COpenSSL", "CZlib"], system),
            "API": (["Model", "Packing", "Engine", "JSON", "HTTP"], system),
            "Service": (libraries.subtracting(["Service"]), system.union(["Logging"])),
            "berth": (libraries, system.union(["ArgumentParser", "Logging"])),
            "Bench": (libraries, system.union(foundation)),
            "berth-bench": (libraries.union(["Bench", "CAllocations"]), system.union(["ArgumentParser"])),
            "TestKit": (libraries, system.union(foundation)),
        ]
    }()

    private static let ours: Set = Set(table.keys).union(["CLinux", "COpenSSL", "CZlib", "CAllocations"])

    static func imports(_ source: SourceText) -> [Finding] {
        // Tests may import what their target depends on; the package says so and the compiler sees to it.
        guard let target = source.target, !target.hasSuffix("Tests") else { return [] }
        guard let allowed = table[target] else {
            return [Finding(path: source.path, line: 0, what: "the target \(target) is not in the table of imports")]
        }
        return numbered(source.code).compactMap { line, code in
            guard let module = importedModule(code) else { return nil }
            if allowed.own.contains(module) || allowed.outside.contains(module) { return nil }
            let whose = ours.contains(module) ? "of ours" : "from outside"
            return Finding(path: source.path, line: line, what: "\(target) may not import \(module), a module \(whose)")
        }
    }

    /// `Model` for `public import Model` and for `import struct Model.Job`.
    static func importedModule(_ code: String) -> String? {
        let words = code.split(whereSeparator: { $0 == " " || $0 == ";" })
        guard let at = words.firstIndex(of: "import") else { return nil }
        let before: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        guard words[..<at].allSatisfy({ before.contains($0) || $0.hasPrefix("@") }) else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        let name = words[(at + 1)...].first { !kinds.contains($0) }
        return name?.split(separator: ".").first.map(String.init)
    }

    // MARK: The same state, command and time always give the same facts

    private static let undetermined = [
        "Date", ".random", ".randomElement", ".shuffle", ".shuffled", "SystemRandomNumberGenerator", "UUID",
        "clock_gettime", "DispatchTime", "ContinuousClock", "SuspendingClock", "Hasher", "hashValue", "Double", "Float",
        "Thread", "Task",
    ]

    static func determinism(_ source: SourceText) -> [Finding] {
        guard let target = source.target, target == "Packing" || target == "Engine" else { return [] }
        let unordered = source.code.compactMap(unorderedName)
        return numbered(source.code).flatMap { line, code in
            var what = undetermined.filter { code.holds(word: $0) }.map { "\($0) has no place in \(target)" }
            for view in [".keys", ".values"] where code.holds(word: view) && !code.contains("sorted") {
                what.append("\(view) comes in another order in each process")
            }
            for name in unordered where walks(code, name) {
                what.append("\(name) comes in another order in each process")
            }
            return what.map { Finding(path: source.path, line: line, what: $0) }
        }
    }

    /// The name of a dictionary or set declared in this line: `var demands: [Demand: Int] = [:]`.
    static func unorderedName(_ code: String) -> String? {
        let declaration =
            /\b(?:var|let)\s+(\w+)(?:\s*:\s*(?:\[[^\[\]()]+:[^\[\]]+\]|Set<|Dictionary<)|\s*=\s*(?:Set|Dictionary)[(<])/
        return code.firstMatch(of: declaration).map { String($0.1) }
    }

    private static func walks(_ code: String, _ name: String) -> Bool {
        if code.contains("sorted") { return false }
        let tokens = code.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "." || $0 == "[" || $0 == "(") }
        if code.holds(word: "for"), let at = tokens.firstIndex(of: "in"), at + 1 < tokens.count,
            tokens[at + 1] == name || tokens[at + 1] == "self.\(name)"
        {
            return true
        }
        return [
            ".forEach", ".map", ".flatMap", ".compactMap", ".filter", ".reduce", ".first", ".enumerated", ".popFirst",
        ]
        .contains { code.holds(word: name + $0) }
    }

    // MARK: Every file says what it owns

    static func opening(_ source: SourceText) -> [Finding] {
        let first = source.lines.first { !$0.hasPrefix("// swift-tools-version") } ?? ""
        let words = first.split(separator: " ")
        if words.first == "//" && words.count >= 4 { return [] }
        return [
            Finding(path: source.path, line: 1, what: "the file does not open with a comment that says what it owns")
        ]
    }

    // MARK: What needs a reason beside it

    private static let exceptional = ["try!", "fatalError(", "@unchecked Sendable"]
    /// Spelled in two parts, for this file is read by the rule too. It is a flag, so it stands in a string.
    static let unchecked = "-O" + "unchecked"

    static func exceptions(_ source: SourceText) -> [Finding] {
        numbered(source.code).flatMap { line, code in
            var found = exceptional.filter { code.contains($0) }
            if source.lines[line - 1].contains(unchecked), !isComment(source.lines[line - 1]) {
                found.append(unchecked)
            }
            let here = source.lines[line - 1].contains("//")
            let above = line >= 2 && isComment(source.lines[line - 2])
            if here || above { return [] as [Finding] }
            return found.map { Finding(path: source.path, line: line, what: "\($0) without a comment that says why") }
        }
    }

    private static func isComment(_ line: Substring) -> Bool { line.drop { $0 == " " }.hasPrefix("//") }

    // MARK: What belongs elsewhere

    static let notes = ["TO" + "DO", "FIX" + "ME"]

    static func leftovers(_ source: SourceText) -> [Finding] {
        numbered(source.lines.map(String.init)).flatMap { line, text in
            notes.filter { text.holds(word: $0) }.map {
                Finding(path: source.path, line: line, what: "\($0): do it, or open an issue")
            }
        }
    }

    // MARK: The top of the repository

    private static let top: Set = ["Package.swift", "Sources", "Tests", "Config", "Dockerfile", "README.md"]

    /// Names at the top that are neither in the design nor ignored by git.
    static func strangers(_ names: [String], ignored: String) -> [String] {
        let patterns = ignored.split(separator: "\n").map { $0.hasSuffix("/") ? String($0.dropLast()) : String($0) }
        return names.filter { name in
            if name.hasPrefix(".") || top.contains(name) { return false }
            return !patterns.contains { matches(name, $0) }
        }.sorted()
    }

    /// Patterns with one star, as `.gitignore` here has them.
    private static func matches(_ name: String, _ pattern: String) -> Bool {
        guard let star = pattern.firstIndex(of: "*") else { return name == pattern }
        return name.hasPrefix(pattern[..<star]) && name.hasSuffix(pattern[pattern.index(after: star)...])
    }

    private static func numbered<Line>(_ lines: [Line]) -> [(line: Int, Line)] {
        lines.enumerated().map { ($0 + 1, $1) }
    }
}
