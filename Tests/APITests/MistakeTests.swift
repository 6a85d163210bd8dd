// Bodies and parameters with mistakes: all of them at once, each at its place, and nothing changed.

import API
import Engine
import Foundation
import HTTP
import Model
import TestKit
import Testing

@Suite struct MistakeTests {
    private func refuse(
        _ caller: APICaller, _ method: HTTPMethod, _ target: String, _ body: String, _ expected: Set<String>
    ) throws -> Answered {
        let digest = caller.backend.view.digest
        let answer = try caller.call(method, target, body)
        #expect(answer.status == 422 && answer.problem == "invalid-body", "\(answer.text)")
        #expect(Set(answer.mistakes) == expected)
        #expect(answer.mistakes.count == expected.count)
        #expect(caller.backend.view.digest == digest)
        return answer
    }

    @Test func `all mistakes of a job come at once, each with its pointer`() throws {
        let answer = try refuse(
            try APICaller(pools: "p"), .post, "/v1/jobs",
            """
            {"id":"not good","priorty":3,"tenant":7,"priority":1001,"workers":[{"count":0,"gpus":17,"cpuMillis":-1,
            "memoryMiB":1.5,"name":"a/b","colour":"red"}],"accelerators":["GB200","GB200",5],"scope":"galaxy",
            "allow":{"regions":["a/b/c"],"planets":[]},"deny":[],"maxRuntimeSeconds":0,"labels":{"ok":5}}
            """,
            [
                "/id invalid", "/priorty unknownField", "/tenant wrongType", "/priority outOfRange",
                "/workers/0/count outOfRange", "/workers/0/gpus outOfRange", "/workers/0/cpuMillis outOfRange",
                "/workers/0/memoryMiB wrongType", "/workers/0/name invalid", "/workers/0/colour unknownField",
                "/accelerators/1 duplicate", "/accelerators/2 wrongType", "/scope invalid",
                "/allow/regions/0 invalid", "/allow/planets unknownField", "/deny wrongType",
                "/maxRuntimeSeconds outOfRange", "/labels/ok wrongType",
            ])
        let unknown = answer.json["errors"].array.first { $0["pointer"].string == "/priorty" }
        #expect(unknown?["detail"].string?.contains("priority") == true)
        #expect(answer.json["detail"].string?.contains("18 mistakes") == true)
    }

    @Test func `a job needs workers, in one to eight groups of their own names`() throws {
        let caller = try APICaller(pools: "p")
        _ = try refuse(caller, .post, "/v1/jobs", "{}", ["/workers missing"])
        _ = try refuse(caller, .post, "/v1/jobs", "{\"workers\":[]}", ["/workers tooShort"])
        let group = "{\"count\":1,\"gpus\":1}"
        let nine = Array(repeating: group, count: 9).joined(separator: ",")
        _ = try refuse(caller, .post, "/v1/jobs", "{\"workers\":[\(nine)]}", ["/workers tooLong"])
        _ = try refuse(caller, .post, "/v1/jobs", "{\"workers\":[\(group),\(group)]}", ["/workers/1/name duplicate"])
        _ = try refuse(
            caller, .post, "/v1/jobs", "{\"workers\":[{}]}", ["/workers/0/count missing", "/workers/0/gpus missing"])
        _ = try refuse(caller, .post, "/v1/jobs", "[]", [" wrongType"])
    }

    @Test func `all mistakes of what a gang asks for come at once`() throws {
        let answer = try refuse(
            try APICaller(pools: "p"), .post, "/v1/jobs",
            """
            {"workers":[{"name":"a","count":0,"gpus":1},{"name":"b","minCount":1,"gpus":1},{"name":"c","maxCount":2,"gpus":1},
            {"name":"d","count":1,"minCount":1,"maxCount":2,"gpus":1},{"name":"e","minCount":3,"maxCount":2,"gpus":1},
            {"name":"f","count":1,"gpus":2,"gpuMilli":500},{"name":"g","count":1,"gpus":0,"cpuMillis":0},
            {"name":"h","count":1,"gpuMilli":0,"segment":{"size":0,"tier":"pool"},"spread":{}}],
            "accelerators":[{"model":"a b","speedMilli":0},{"speed":1},"x",{"model":"x"}],"scaleBySpeed":1,
            "scope":{"required":"rack","preferred":7,"patienceSeconds":-1,"patience":2},"split":{"maxPools":1},
            "exclusive":"node","preemptible":"yes","usesSpares":true}
            """,
            [
                "/workers/0/count outOfRange", "/workers/1/maxCount missing", "/workers/2/minCount missing",
                "/workers/3/count invalid", "/workers/4/maxCount outOfRange", "/workers/5/gpuMilli invalid",
                "/workers/6/cpuMillis missing", "/workers/7/gpuMilli outOfRange", "/workers/7/segment/size outOfRange",
                "/workers/7/segment/tier invalid", "/workers/7/spread missing", "/accelerators/0/model invalid",
                "/accelerators/0/speedMilli outOfRange", "/accelerators/1/model missing",
                "/accelerators/1/speed unknownField", "/accelerators/3 duplicate", "/scaleBySpeed wrongType",
                "/scope/required invalid", "/scope/preferred wrongType", "/scope/patienceSeconds outOfRange",
                "/scope/patience unknownField", "/split/maxPools outOfRange", "/exclusive invalid",
                "/preemptible wrongType", "/usesSpares invalid",
            ])
        #expect(answer.json["detail"].string?.contains("25 mistakes") == true)
    }

    @Test(arguments: [
        ("", ",\"scope\":{\"required\":\"block\",\"preferred\":\"block\"}", "/scope/preferred invalid"),
        ("", ",\"scope\":{\"preferred\":\"region\"}", "/scope/preferred invalid"),
        ("", ",\"scope\":{\"patienceSeconds\":5}", "/scope/patienceSeconds invalid"),
        ("", ",\"split\":{\"maxPools\":2},\"scope\":\"pool\"", "/scope invalid"),
        ("", ",\"split\":{\"maxPools\":2},\"scope\":{\"required\":\"domain\"}", "/scope invalid"),
        ("", ",\"usesSpares\":true", "/usesSpares invalid"), ("", ",\"scaleBySpeed\":true", "/accelerators missing"),
        (",\"segment\":{\"size\":4,\"tier\":\"node\"}", "", "/workers/0/segment invalid"),
        (",\"segment\":{\"size\":3,\"tier\":\"block\"}", ",\"scope\":\"domain\"", "/workers/0 invalid"),
        (
            ",\"segment\":{\"size\":3,\"tier\":\"node\"},\"spread\":{\"workersPerNode\":2}", "",
            "/workers/0/segment invalid"
        ),
        (
            ",\"segment\":{\"size\":3,\"tier\":\"node\"},\"spread\":{\"workersPerDomain\":2}", "",
            "/workers/0/segment invalid"
        ),
        (",\"spread\":{\"workersPerNode\":5}", ",\"scope\":\"node\"", "/workers/0 invalid"),
        (",\"spread\":{\"workersPerDomain\":5}", ",\"scope\":\"domain\"", "/workers/0 invalid"),
    ])
    func `fields that forbid each other are one mistake that says what to do`(
        group: String, job: String, mistake: String
    ) throws {
        let caller = try APICaller(pools: "p")
        let body = "{\"workers\":[{\"count\":6,\"gpus\":1\(group)}]\(job)}"
        let answer = try refuse(caller, .post, "/v1/jobs", body, [mistake])
        let detail = answer.json["errors"][0]["detail"].string ?? ""
        #expect(detail.hasSuffix("."))
        // With groups and scopes that bear each other it is taken.
        #expect(try caller.call(.post, "/v1/jobs", "{\"workers\":[{\"count\":6,\"gpus\":1}]}").status == 201)
    }

    @Test(arguments: [
        (
            "\"topology\":{\"blocks\":1,\"domainsPerBlock\":1,\"nodesPerDomain\":18,\"cliquesPerDomain\":4}",
            "/topology/cliquesPerDomain invalid"
        ),
        (
            "\"topology\":{\"blocks\":1,\"domainsPerBlock\":1,\"nodesPerDomain\":18,\"cliquesPerDomain\":2},\"sparesPerDomain\":9",
            "/sparesPerDomain outOfRange"
        ),
        ("\"nodes\":[{\"name\":\"a\"}],\"sparesPerDomain\":1", "/sparesPerDomain outOfRange"),
        ("\"nodes\":[{\"name\":\"a\"}],\"sparesPerDomain\":-1", "/sparesPerDomain outOfRange"),
        ("\"nodes\":[{\"name\":\"a\"}],\"reservation\":\"a b\"", "/reservation invalid"),
        ("\"nodes\":[{\"name\":\"a\"}],\"allowsGPUShares\":1", "/allowsGPUShares wrongType"),
        ("\"nodes\":[{\"name\":\"a\",\"clique\":\"\"}]", "/nodes/0/clique invalid"),
        (
            "\"nodes\":[{\"name\":\"a\",\"domain\":\"d\",\"clique\":\"c\"},{\"name\":\"b\",\"domain\":\"d\"}]",
            "/nodes invalid"
        ),
    ])
    func `a pool's cliques, spares and shares have rules`(fields: String, mistake: String) throws {
        _ = try refuse(
            try APICaller(), .put, "/v1/pools/q",
            "{\"provider\":\"a\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":1,\"memoryMiB\":1},"
                + fields + "}", [mistake])
    }

    @Test func `all mistakes of a pool come at once`() throws {
        let caller = try APICaller()
        _ = try refuse(
            caller, .put, "/v1/pools/p",
            """
            {"name":"q","provider":"","region":"r","node":{"gpus":32,"cpuMillis":1,"memoryGB":5},"purchase":"stolen","billing":"rack",
            "priceUSDPerGPUHour":3.5,"labels":{"a b":"c"},"topology":{"blocks":1,"domainsPerBlock":1,"nodesPerDomain":5000}}
            """,
            [
                "/name invalid", "/provider invalid", "/accelerator missing", "/node/gpus outOfRange",
                "/node/memoryMiB missing", "/node/memoryGB unknownField", "/purchase invalid", "/billing invalid",
                "/priceUSDPerGPUHour wrongType", "/labels invalid", "/topology/nodesPerDomain outOfRange",
            ])
        let head =
            "{\"provider\":\"a\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":1,\"memoryMiB\":1}"
        let counts = ",\"topology\":{\"blocks\":1024,\"domainsPerBlock\":1024,\"nodesPerDomain\":2}"
        _ = try refuse(caller, .put, "/v1/pools/p", head + "}", [" missing"])
        _ = try refuse(caller, .put, "/v1/pools/p", head + counts + "}", ["/topology outOfRange"])
        _ = try refuse(caller, .put, "/v1/pools/p", head + ",\"nodes\":[]}", ["/nodes tooShort"])
        _ = try refuse(
            caller, .put, "/v1/pools/p", head + ",\"nodesFile\":\"/etc/passwd\"}",
            [" missing", "/nodesFile unknownField"])
        _ = try refuse(
            caller, .put, "/v1/pools/p",
            head
                + ",\"nodes\":[{\"name\":\"n\"},{\"name\":\"n\"},{\"name\":\"m\",\"domain\":\"n\",\"block\":\"other\"}]}",
            ["/nodes duplicate", "/nodes invalid"])
        for price in ["-1", "1e3", ".5", "1.2345678", "1000000.000001", "99999999999999999999", ""] {
            let answer = try caller.call(
                .put, "/v1/pools/p", head + ",\"nodes\":[{\"name\":\"n\"}],\"priceUSDPerGPUHour\":\"\(price)\"}")
            #expect(answer.mistakes == ["/priceUSDPerGPUHour invalid"], "\(price)")
        }
        #expect(caller.backend.view.pools.isEmpty)
    }

    @Test func `all mistakes of a finish come at once`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        try caller.call(.post, "/v1/jobs/a:start")
        _ = try refuse(
            caller, .post, "/v1/jobs/a:finish",
            "{\"result\":\"cancelled\",\"message\":\"\(String(repeating: "x", count: 1025))\",\"why\":1}",
            ["/result invalid", "/message tooLong", "/why unknownField"])
        _ = try refuse(caller, .post, "/v1/jobs/a:finish", "{}", ["/result missing"])
    }

    @Test func `more mistakes than are listed are counted`() throws {
        let fields = (0..<100).map { "\"x\($0)\":0" }.joined(separator: ",")
        let answer = try APICaller(pools: "p").call(
            .post, "/v1/jobs", "{\"workers\":[{\"count\":1,\"gpus\":1}],\(fields)}")
        let listed = answer.mistakes.count
        #expect(answer.status == 422 && listed <= 64)
        #expect(answer.json["errorsLeftOut"].int == 100 - listed)
    }

    @Test(arguments: [
        "", "{", "{\"workers\":[{\"count\":1,\"gpus\":1}],}",
        "{\"id\":\"a\",\"id\":\"a\",\"workers\":[{\"count\":1,\"gpus\":1}]}",
        "{\"workers\":[{\"count\":1,\"gpus\":1,}]}", "{\"workers\":[{\"count\":01,\"gpus\":1}]}", "{'workers':1}",
        "\u{FEFF}{}", "{} {}", "{\"a\":NaN}", "// no\n{}", "{\"a\":\"\u{1}\"}",
    ])
    func `what is not JSON is a 400 with line and column`(body: String) throws {
        let caller = try APICaller(pools: "p")
        let digest = caller.backend.view.digest
        let answer = try caller.call(.post, "/v1/jobs", body)
        #expect(answer.status == 400 && answer.problem == "invalid-json")
        #expect(answer.json["detail"].string?.hasPrefix("Line ") == true)
        #expect(caller.backend.view.digest == digest)
    }

    @Test func `a body of another media type is a 415 that shows what to give curl`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        for (method, target, type) in [
            (HTTPMethod.post, "/v1/jobs", "application/x-www-form-urlencoded"), (.post, "/v1/jobs", "text/plain"),
            (.put, "/v1/pools/q", "application/jsonx"), (.post, "/v1/jobs/a:finish", "application/x-ndjson"),
            (.post, "/v1/jobs:batch", "application/json"),
        ] {
            let answer = try caller.call(method, target, "{}", type: type)
            #expect(answer.status == 415 && answer.problem == "unsupported-media-type", "\(target)")
            #expect(answer.json["detail"].string?.contains("-H 'Content-Type: application/") == true)
        }
        #expect(try caller.call(.post, "/v1/jobs", "{}", type: nil).status == 415)
        let charset = "Application/JSON; charset=utf-8"
        #expect(
            try caller.call(.post, "/v1/jobs", "{\"workers\":[{\"count\":1,\"gpus\":1}]}", type: charset).status == 201)
    }

    @Test(arguments: [
        ("/v1/jobs?stat=queued", "did you mean 'state'?"), ("/v1/jobs?limit=1&limit=2", "stands twice"),
        ("/v1/jobs?state=done", "queued, placed"), ("/v1/jobs?state=", "queued, placed"),
        ("/v1/jobs?state=placed,", "queued, placed"), ("/v1/jobs?limit=0", "from 1 to 1000"),
        ("/v1/jobs?limit=1001", "from 1 to 1000"), ("/v1/jobs?limit=+5", "from 1 to 1000"),
        ("/v1/jobs?limit=05", "from 1 to 1000"), ("/v1/jobs?cursor=5", "nextCursor"),
        ("/v1/jobs?cursor=c+5", "nextCursor"), ("/v1/jobs?cursor=c05", "nextCursor"),
        ("/v1/jobs?cursor=czzzzzzzzzzzzz", "nextCursor"), ("/v1/jobs?node=p", "a pool's name, '/'"),
        ("/v1/jobs?tenant=", "letters, digits"), ("/v1/jobs?pool=p&node=q/b00/d000/n00", "leave one out"),
        ("/v1/pools?provder=aws", "did you mean 'provider'?"), ("/v1/pools/p?x", "None is known here"),
        ("/v1/pools/p/nodes?state=cordon", "ready, cordoned"), ("/v1/queue?cursor=c1", "Known are limit."),
        ("/v1/fleet?limit=1", "None is known here"), ("/readyz?verbose=2", "true or false"), ("/?a", "None is known"),
        ("/metrics?a=1", "None is known"), ("/openapi.json?a=1", "None is known"),
        ("/v1/jobs/a?fields=id", "None is known"),
    ])
    func `a parameter that is unknown, doubled or malformed is a 400 that says what is known`(
        target: String, words: String
    ) throws {
        let caller = try APICaller(pools: "p", "q")
        let answer = try caller.get(target)
        #expect(answer.status == 400 && answer.problem == "invalid-parameter")
        #expect(answer.json["detail"].string?.contains(words) == true, "\(answer.text)")
    }

    @Test func `a call that takes no body refuses one, and an empty object is none`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        for (method, target) in [
            (HTTPMethod.post, "/v1/jobs/a:start"), (.delete, "/v1/jobs/a"), (.delete, "/v1/pools/p"),
            (.post, "/v1/nodes/p/b00/d000/n00:cordon"),
        ] {
            for body in ["{\"force\":true}", "}{", "[]", "x"] {
                let answer = try caller.call(method, target, body)
                #expect(answer.status == 422 && answer.problem == "invalid-body", "\(target) \(body)")
            }
        }
        #expect(try caller.call(.post, "/v1/jobs/a:start", " {\n} ").status == 200)
        #expect(try caller.call(.post, "/v1/jobs/a:start", "").status == 200)
    }

    @Test func `methods a path does not take are 405 with Allow, unknown ones 501, and OPTIONS is 204`() throws {
        let caller = try APICaller(pools: "p")
        let patch = try caller.call(.patch, "/v1/jobs")
        #expect(patch.status == 405 && patch.problem == "method-not-allowed")
        #expect(Set((patch.field("Allow") ?? "").components(separatedBy: ", ")) == ["GET", "POST", "HEAD", "OPTIONS"])
        #expect(try caller.call(.get, "/v1/jobs:batch").field("Allow") == "POST, OPTIONS")
        let brew = try caller.call(.other("BREW"), "/v1/jobs")
        #expect(brew.status == 501 && brew.problem == "not-implemented")
        let options = try caller.call(.options, "/v1/pools/p")
        #expect(options.status == 204 && options.field("Allow") == "GET, PUT, DELETE, HEAD, OPTIONS")
        #expect(try caller.call(.options, "*").status == 204)
        #expect(try caller.call(.head, "/v1/fleet").status == 200)
    }
}
