// The route table as a tree of segments: from a method and a path to a handler. Literals win over parameters, parameters over
// rest parameters, segment by segment from the left, and what leads nowhere is tried again with the next.
// It knows nothing of what a handler is.

/// A row of the table.
public struct Route<Handler> {
    public let method: HTTPMethod
    public let pattern: RoutePattern
    public let handler: Handler

    public init(_ method: HTTPMethod, _ pattern: String, _ handler: Handler) throws(RouteError) {
        self.method = method
        self.pattern = try RoutePattern(pattern)
        self.handler = handler
    }
}

extension Route: Sendable where Handler: Sendable {}

/// What the table says of a request.
public enum RouteMatch<Handler> {
    case found(Handler, RouteParameters)
    /// 404.
    case notFound
    /// 405, with the value of `Allow`.
    case methodNotAllowed(allow: String)
    /// OPTIONS: 204 with the value of `Allow`.
    case options(allow: String)
    /// 501: no route anywhere has this method.
    case methodNotImplemented
}

/// The decoded parameters of a match; a rest parameter has its segments joined by slashes.
public struct RouteParameters: Hashable, Sendable {
    let names: [String]
    let values: [String]

    static let none = RouteParameters(names: [], values: [])

    public var count: Int { values.count }

    /// - Precondition: the route's pattern has a parameter of this name.
    public subscript(_ name: String) -> String {
        guard let index = names.firstIndex(of: name) else { preconditionFailure("no parameter is called \(name)") }
        return values[index]
    }

    /// In the order of the pattern.
    public subscript(_ index: Int) -> String { values[index] }
}

/// A table of routes. A match takes time in proportion to the path's segments and allocates for parameters alone.
public struct Router<Handler: Sendable>: Sendable {
    /// What ends at a node, for one verb or none.
    private struct Leaf {
        let verb: String?
        let isRest: Bool
        var methods: [(method: HTTPMethod, route: Int)] = []
        var allow = ""
    }

    private struct Node {
        var literals: [(text: String, node: Int)] = []
        var parameter: Int?
        var leaves: [Leaf] = []
    }

    /// All routes, in the order of the table.
    public let routes: [Route<Handler>]
    private var nodes = [Node()]
    private let names: [[String]]
    private var allowAll = ""

    public init(_ routes: [Route<Handler>]) throws(RouteError) {
        self.routes = routes
        names = routes.map(\.pattern.parameterNames)
        for index in routes.indices { try insert(index) }
        for node in nodes.indices {
            for leaf in nodes[node].leaves.indices {
                nodes[node].leaves[leaf].allow = Self.allow(nodes[node].leaves[leaf].methods.map(\.method))
            }
        }
        allowAll = Self.allow(routes.map(\.method))
    }

    public func match(_ request: HTTPRequest) -> RouteMatch<Handler> {
        request.isForServer ? .options(allow: allowAll) : match(request.method, request.path)
    }

    public func match(_ method: HTTPMethod, _ path: [PathSegment]) -> RouteMatch<Handler> {
        var search = Search(method: method)
        if find(&search, path, depth: 0, node: 0), let route = search.route {
            let names = names[route]
            return .found(
                routes[route].handler, names.isEmpty ? .none : RouteParameters(names: names, values: search.values))
        }
        if case .other = method, !routes.contains(where: { $0.method == method }) { return .methodNotImplemented }
        guard let allow = search.allow else { return .notFound }
        return method == .options ? .options(allow: allow) : .methodNotAllowed(allow: allow)
    }

    private struct Search {
        let method: HTTPMethod
        var values: [String] = []
        var route: Int?
        /// What the first path that fits allows, should no method fit.
        var allow: String?
    }

    private func find(_ search: inout Search, _ path: [PathSegment], depth: Int, node: Int) -> Bool {
        guard depth < path.count else {
            return node == 0 && nodes[0].leaves.contains { !$0.isRest && choose(&search, $0) }
        }
        let segment = path[depth]
        let isLast = depth == path.count - 1
        guard !segment.name.isEmpty, isLast || segment.verb == nil else {
            return findRest(&search, path, depth: depth, node: node)
        }
        for literal in nodes[node].literals where literal.text == segment.name {
            if step(&search, path, depth: depth, to: literal.node) { return true }
        }
        if let parameter = nodes[node].parameter {
            search.values.append(segment.name)
            if step(&search, path, depth: depth, to: parameter) { return true }
            search.values.removeLast()
        }
        return findRest(&search, path, depth: depth, node: node)
    }

    /// Goes on behind a segment that fits, or ends there.
    private func step(_ search: inout Search, _ path: [PathSegment], depth: Int, to node: Int) -> Bool {
        guard depth == path.count - 1 else { return find(&search, path, depth: depth + 1, node: node) }
        for leaf in nodes[node].leaves where !leaf.isRest && leaf.verb == path[depth].verb {
            if choose(&search, leaf) { return true }
        }
        return false
    }

    private func findRest(_ search: inout Search, _ path: [PathSegment], depth: Int, node: Int) -> Bool {
        for leaf in nodes[node].leaves where leaf.isRest && leaf.verb == path[path.count - 1].verb {
            let rest = path[depth...]
            guard rest.allSatisfy({ !$0.name.isEmpty }), rest.dropLast().allSatisfy({ $0.verb == nil }) else {
                continue
            }
            search.values.append(rest.map(\.name).joined(separator: "/"))
            if choose(&search, leaf) { return true }
            search.values.removeLast()
        }
        return false
    }

    private func choose(_ search: inout Search, _ leaf: Leaf) -> Bool {
        let wanted = search.method
        let chosen =
            leaf.methods.first { $0.method == wanted }
            ?? (wanted == .head ? leaf.methods.first { $0.method == .get } : nil)
        if search.allow == nil { search.allow = leaf.allow }
        guard let chosen else { return false }
        search.route = chosen.route
        return true
    }

    private mutating func insert(_ index: Int) throws(RouteError) {
        let route = routes[index]
        var node = 0
        var isRest = false
        for segment in route.pattern.segments {
            switch segment {
            case .literal(let text):
                if let next = nodes[node].literals.first(where: { $0.text == text }) {
                    node = next.node
                } else {
                    nodes[node].literals.append((text, nodes.count))
                    node = nodes.count
                    nodes.append(Node())
                }
            case .parameter:
                if let next = nodes[node].parameter {
                    node = next
                } else {
                    nodes[node].parameter = nodes.count
                    node = nodes.count
                    nodes.append(Node())
                }
            case .rest:
                isRest = true
            }
        }
        let verb = route.pattern.verb
        if !nodes[node].leaves.contains(where: { $0.verb == verb && $0.isRest == isRest }) {
            nodes[node].leaves.append(Leaf(verb: verb, isRest: isRest))
        }
        for leaf in nodes[node].leaves.indices
        where nodes[node].leaves[leaf].verb == verb && nodes[node].leaves[leaf].isRest == isRest {
            guard !nodes[node].leaves[leaf].methods.contains(where: { $0.method == route.method }) else {
                throw .duplicate(method: route.method.name, pattern: route.pattern.description)
            }
            nodes[node].leaves[leaf].methods.append((route.method, index))
        }
    }

    private static func allow(_ methods: [HTTPMethod]) -> String {
        var names: [String] = []
        for name in methods.map(\.name) + (methods.contains(.get) ? ["HEAD"] : []) + ["OPTIONS"]
        where !names.contains(name) {
            names.append(name)
        }
        return names.joined(separator: ", ")
    }
}
