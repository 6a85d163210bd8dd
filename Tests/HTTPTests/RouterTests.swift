// The route table: which route a request finds, and what it is told where there is none.

import Testing

@testable import HTTP

@Suite struct RouterTests {
    private let router: Router<String>

    init() throws {
        var routes: [Route<String>] = []
        for (method, pattern) in [
            (.get, "/"), (.get, "/v1/jobs"), (.post, "/v1/jobs"), (.post, "/v1/jobs:batch"), (.get, "/v1/jobs/{id}"),
            (.delete, "/v1/jobs/{id}"), (.post, "/v1/jobs/{id}:start"), (.get, "/v1/jobs/special"),
            (.post, "/v1/nodes/{pool}/{node...}:cordon"), (.get, "/v1/nodes/{pool}/{node...}"),
            (.get, "/v1/nodes/{pool}/all"), (.get, "/v1/jobs/{job}/events"),
        ] as [(HTTPMethod, String)] {
            routes.append(try Route(method, pattern, "\(method.name) \(pattern)"))
        }
        router = try Router(routes)
    }

    private func answer(_ method: String, _ target: String) throws -> String {
        let request = try request("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        return switch router.match(request) {
        case .found(let handler, let parameters):
            ([handler] + parameters.names.map { "\($0)=\(parameters[$0])" }).joined(separator: " ")
        case .notFound: "404"
        case .methodNotAllowed(let allow): "405 \(allow)"
        case .options(let allow): "204 \(allow)"
        case .methodNotImplemented: "501"
        }
    }

    @Test(arguments: [
        ("GET", "/", "GET /"), ("GET", "/v1/jobs", "GET /v1/jobs"), ("HEAD", "/v1/jobs", "GET /v1/jobs"),
        ("POST", "/v1/jobs:batch", "POST /v1/jobs:batch"), ("GET", "/v1/jobs/a", "GET /v1/jobs/{id} id=a"),
        ("GET", "/v1/jobs/a%2Fb%3Ac", "GET /v1/jobs/{id} id=a/b:c"),
        ("POST", "/v1/jobs/a:start", "POST /v1/jobs/{id}:start id=a"),
        ("POST", "/v1/jobs/a%3Ab:start", "POST /v1/jobs/{id}:start id=a:b"),
        ("GET", "/v1/jobs/special", "GET /v1/jobs/special"),
        ("DELETE", "/v1/jobs/special", "DELETE /v1/jobs/{id} id=special"),
        ("GET", "/v1/jobs/special/events", "GET /v1/jobs/{job}/events job=special"),
        ("POST", "/v1/nodes/p/a/b%2Fc/d:cordon", "POST /v1/nodes/{pool}/{node...}:cordon pool=p node=a/b/c/d"),
        ("GET", "/v1/nodes/p/a", "GET /v1/nodes/{pool}/{node...} pool=p node=a"),
        ("GET", "/v1/nodes/p/all", "GET /v1/nodes/{pool}/all pool=p"),
        ("GET", "/v1/nodes/p/all/b", "GET /v1/nodes/{pool}/{node...} pool=p node=all/b"),
    ])
    func `A request finds its route`(_ method: String, _ target: String, _ expected: String) throws {
        #expect(try answer(method, target) == expected)
    }

    @Test(arguments: [
        "/v1", "/v1/", "/v1/jobs/", "/v1//jobs", "//", "/v1/jobs/a:bogus", "/v1/jobs/a:start:start", "/v1/jobs/a:",
        "/v1:x/jobs", "/v1/jobs%3Abatch", "/v1/jobs/:start", "/v1/nodes/p", "/v1/nodes/p/", "/v1/nodes/p/a//b",
        "/v1/nodes/p/a:x/b", "/v1/nodes/p:x/a", "/V1/jobs",
    ])
    func `A path without a route is not found`(_ target: String) throws {
        #expect(try answer("GET", target) == "404")
    }

    @Test func `A method without a route is told which have one`() throws {
        #expect(try answer("PUT", "/v1/jobs") == "405 GET, POST, HEAD, OPTIONS")
        #expect(try answer("GET", "/v1/jobs:batch") == "405 POST, OPTIONS")
        #expect(try answer("OPTIONS", "/v1/jobs/a:start") == "204 POST, OPTIONS")
        #expect(try answer("OPTIONS", "*") == "204 GET, POST, DELETE, HEAD, OPTIONS")
        #expect(try answer("OPTIONS", "/nowhere") == "404")
        #expect(try answer("BREW", "/v1/jobs") == "501")
        #expect(try answer("get", "/v1/jobs") == "501")
    }

    @Test(arguments: ["v1", "/a//b", "/{a", "/{}", "/{a}/{a}", "/{a...}/b", "/a:", "/:b", "/a:b/c", "/a{b}"])
    func `A malformed pattern is no route`(_ pattern: String) {
        #expect(throws: RouteError.self) { try Route(.get, pattern, "") }
    }

    @Test func `A route stands once in its table`() throws {
        let routes = [try Route(.get, "/a/{b}", ""), try Route(.get, "/a/{c}", "")]
        #expect(throws: RouteError.duplicate(method: "GET", pattern: "/a/{c}")) { try Router(routes) }
    }

    @Test func `The table can be listed`() {
        #expect(router.routes.count == 12)
        #expect(router.routes[6].pattern.description == "/v1/jobs/{id}:start")
        #expect(router.routes[8].pattern.parameterNames == ["pool", "node"])
    }
}
