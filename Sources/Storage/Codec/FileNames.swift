// The names of the files of a data directory. Numbers have twenty digits, so that names sort as numbers do.

enum FileName {
    static let lock = "lock"
    static let temporarySnapshot = "snapshot.tmp"
    static let temporarySpare = "spare.tmp"

    static func segment(_ firstRevision: UInt64) -> String { "journal-" + digits(firstRevision) + ".log" }
    static func snapshot(_ revision: UInt64) -> String { "snapshot-" + digits(revision) + ".snap" }
    static func spare(_ number: UInt64) -> String { "spare-" + digits(number) + ".log" }
    static func setAside(_ name: String) -> String { name + ".bad" }

    /// The first revisions of the journal's segments, rising.
    static func segments(in names: [String]) -> [UInt64] { numbers(names, "journal-", ".log") }
    /// The revisions of the snapshots, rising.
    static func snapshots(in names: [String]) -> [UInt64] { numbers(names, "snapshot-", ".snap") }
    static func spares(in names: [String]) -> [UInt64] { numbers(names, "spare-", ".log") }

    private static func digits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: 20 - text.utf8.count) + text
    }

    private static func numbers(_ names: [String], _ prefix: String, _ suffix: String) -> [UInt64] {
        names.compactMap { name -> UInt64? in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix),
                name.utf8.count == prefix.utf8.count + 20 + suffix.utf8.count
            else { return nil }
            let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
            return digits.utf8.allSatisfy { (48...57).contains($0) } ? UInt64(digits) : nil
        }.sorted()
    }
}
