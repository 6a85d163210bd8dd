// Reads the sources and holds them to the laws of the house. The rules themselves are in Rules.swift.

import Foundation
import Testing

@Suite struct HouseTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func sources() throws -> [SourceText] {
        var paths = ["Package.swift"]
        for folder in ["Sources", "Tests"] {
            let found = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
            paths += found.filter { $0.hasSuffix(".swift") }.map { folder + "/" + $0 }
        }
        return try paths.sorted().map { path in
            SourceText(path: path, text: try String(contentsOf: root.appending(path: path), encoding: .utf8))
        }
    }

    @Test("Every source keeps the laws of the house")
    func laws() throws {
        let sources = try Self.sources()
        #expect(sources.count > 30)
        for source in sources {
            for finding in Rules.findings(in: source) { Issue.record("\(finding)") }
        }
    }

    @Test("The top of the repository holds what the design says, and what git ignores")
    func top() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
        let ignored = try String(contentsOf: Self.root.appending(path: ".gitignore"), encoding: .utf8)
        #expect(Rules.strangers(names, ignored: ignored) == [])
    }
}
