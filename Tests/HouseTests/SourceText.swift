// A Swift source as lines of code, with what stands in comments and in strings told apart from it.
// Knows no rule.

/// One file: its path from the root of the package, its text, and its lines without comments and strings.
struct SourceText {
    let path: String
    /// As they are.
    let lines: [Substring]
    /// Without comments, and with strings emptied.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = Self.stripped(Array(text)).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// `Engine` for `Sources/Engine/State.swift`, nil for what is in no target.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.count >= 3 && (parts[0] == "Sources" || parts[0] == "Tests") ? String(parts[1]) : nil
    }

    private enum Region { case code, lineComment, blockComment(depth: Int), string, longString }

    /// Interpolations count as text of their string.
    private static func stripped(_ text: [Character]) -> String {
        var result = ""
        var region = Region.code
        var at = 0
        func follows(_ word: String) -> Bool { text[at...].starts(with: word) }
        while at < text.count {
            let character = text[at]
            var width = 1
            switch region {
            case .code:
                if follows("//") {
                    region = .lineComment
                } else if follows("/*") {
                    region = .blockComment(depth: 1)
                    width = 2
                } else if follows("\"\"\"") {
                    region = .longString
                    width = 3
                } else if character == "\"" {
                    region = .string
                } else if character != "\n" {
                    result.append(character)
                }
            case .lineComment:
                if character == "\n" { region = .code }
            case .blockComment(let depth):
                if follows("/*") {
                    region = .blockComment(depth: depth + 1)
                    width = 2
                } else if follows("*/") {
                    region = depth == 1 ? .code : .blockComment(depth: depth - 1)
                    width = 2
                }
            case .string:
                if character == "\\" { width = 2 }
                if character == "\"" || character == "\n" { region = .code }
            case .longString:
                if follows("\"\"\"") {
                    region = .code
                    width = 3
                }
            }
            if character == "\n" { result.append("\n") }
            at += width
        }
        return result
    }
}

extension String {
    /// Whether `word` stands in it with no letter, digit or underscore on either side of its own ends.
    func holds(word: String) -> Bool {
        var rest = self[...]
        while let range = rest.firstRange(of: word) {
            let before = range.lowerBound > startIndex ? self[index(before: range.lowerBound)] : " "
            let after = range.upperBound < endIndex ? self[range.upperBound] : " "
            let opens = !(word.first?.isPartOfName ?? false) || !before.isPartOfName
            let closes = !(word.last?.isPartOfName ?? false) || !after.isPartOfName
            if opens && closes { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}

extension Character {
    fileprivate var isPartOfName: Bool { isLetter || isNumber || self == "_" }
}
