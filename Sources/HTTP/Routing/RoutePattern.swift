// A route's pattern, such as `/v1/nodes/{pool}/{node...}:cordon`, in its parts. It knows no other route.

/// A pattern: literal segments, `{name}` for one segment, `{name...}` for the rest of the path, and `:verb` at the end.
public struct RoutePattern: Hashable, Sendable, CustomStringConvertible {
    enum Segment: Hashable, Sendable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    let segments: [Segment]
    let verb: String?
    public let description: String

    /// The parameters' names in the order of the pattern.
    public var parameterNames: [String] {
        segments.compactMap { segment in
            switch segment {
            case .literal: nil
            case .parameter(let name), .rest(let name): name
            }
        }
    }

    init(_ text: String) throws(RouteError) {
        description = text
        guard text.hasPrefix("/") else { throw .malformedPattern(text, "it does not begin with a slash") }
        var body = text.dropFirst()
        if let colon = body.lastIndex(of: ":") {
            let verb = body[body.index(after: colon)...]
            guard !verb.isEmpty, !verb.contains("/"), !verb.contains("}") else {
                throw .malformedPattern(text, "its verb is malformed")
            }
            self.verb = String(verb)
            body = body[..<colon]
        } else {
            verb = nil
        }
        var segments: [Segment] = []
        if !body.isEmpty {
            for part in body.split(separator: "/", omittingEmptySubsequences: false) {
                if case .rest? = segments.last {
                    throw .malformedPattern(text, "something follows its rest parameter")
                }
                segments.append(try Self.segment(part, of: text))
            }
        }
        guard verb == nil || !segments.isEmpty else { throw .malformedPattern(text, "its verb has no segment") }
        self.segments = segments
        guard Set(parameterNames).count == parameterNames.count else {
            throw .malformedPattern(text, "two of its parameters have one name")
        }
    }

    private static func segment(_ part: Substring, of text: String) throws(RouteError) -> Segment {
        guard part.hasPrefix("{") else {
            guard !part.isEmpty, !part.contains(where: { "{}:".contains($0) }) else {
                throw .malformedPattern(text, "a segment of it is malformed")
            }
            return .literal(String(part))
        }
        guard part.hasSuffix("}") else { throw .malformedPattern(text, "a parameter of it has no closing brace") }
        let name = part.dropFirst().dropLast()
        let bare = name.hasSuffix("...") ? name.dropLast(3) : name
        guard !bare.isEmpty, bare.allSatisfy({ $0.isLetter || $0.isNumber }) else {
            throw .malformedPattern(text, "a parameter of it has a malformed name")
        }
        return name.count == bare.count ? .parameter(String(bare)) : .rest(String(bare))
    }
}

/// Why a table of routes is no table.
public enum RouteError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformedPattern(String, String)
    case duplicate(method: String, pattern: String)

    public var description: String {
        switch self {
        case .malformedPattern(let pattern, let reason): "The pattern \(pattern) is malformed: \(reason)."
        case .duplicate(let method, let pattern): "The route \(method) \(pattern) stands twice in the table."
        }
    }
}
