// Arrays of jobs as a client sees them: submitted as one job, read as one array and as many jobs, cancelled together.

import API
import HTTP
import Model
import TestKit
import Testing

@Suite struct ArrayTests {
    private func body(_ id: String, _ array: String, _ more: String = "") -> String {
        "{\"id\":\"\(id)\",\"name\":\"rates\",\"workers\":[{\"count\":1,\"gpus\":4}],\"array\":\(array)\(more)}"
    }

    @Test func `an array is submitted, read, listed, worked off and cancelled`() throws {
        let caller = try APICaller(pools: "p")
        let sweep = body("sweep", "{\"count\":5,\"maxParallel\":2}")
        let answer = try caller.call(.post, "/v1/jobs", sweep)
        #expect(answer.status == 201 && answer.field("Location") == "/v1/arrays/sweep")
        #expect(answer.json["id"].string == "sweep" && answer.json["name"].string == "rates")
        #expect(answer.json["count"].int == 5 && answer.json["maxParallel"].int == 2)
        #expect(answer.json["tasks"]["placed"].int == 2 && answer.json["waitingForTurn"].int == 3)
        #expect(try caller.call(.post, "/v1/jobs", sweep).status == 200)
        #expect(try caller.call(.post, "/v1/jobs", body("sweep", "{\"count\":6}")).problem == "id-in-use")
        #expect(try caller.call(.post, "/v1/jobs", body("sweep.1", "{\"count\":1}")).problem == "id-in-use")

        let task = try caller.get("/v1/jobs/sweep.3").json
        #expect(task["array"]["id"].string == "sweep" && task["array"]["index"].int == 3)
        #expect(task["gates"][0]["gate"].string == "array" && task["gates"][0]["array"].string == "sweep")
        #expect(task["gates"][0]["maxParallel"].int == 2)
        #expect(task["gates"][0]["detail"].string?.contains("at most 2 of them") ?? false)

        try caller.submit("other")
        let list = try caller.get("/v1/jobs?array=sweep&limit=3").json
        #expect(list["jobs"].array.compactMap { $0["id"].string } == ["sweep.0", "sweep.1", "sweep.2"])
        let rest = try caller.get("/v1/jobs?array=sweep&cursor=\(list["nextCursor"].string ?? "")").json
        #expect(rest["jobs"].array.compactMap { $0["id"].string } == ["sweep.3", "sweep.4"])
        #expect(try caller.get("/v1/jobs?array=sweep&state=placed").json["jobs"].array.count == 2)

        try caller.call(.post, "/v1/jobs/sweep.0:start")
        try caller.call(.post, "/v1/jobs/sweep.0:finish", "{\"result\":\"succeeded\"}")
        let metrics = try caller.get("/metrics").text
        #expect(metrics.contains("berth_jobs_gated{gate=\"array\"} 2\n") && metrics.contains("berth_arrays 1\n"))
        let now = try caller.get("/v1/arrays/sweep").json
        #expect(now["tasks"]["succeeded"].int == 1 && now["tasks"]["placed"].int == 2 && !now["end"].isThere)
        for _ in 0..<2 {
            let cancelled = try caller.call(.post, "/v1/arrays/sweep:cancel")
            #expect(cancelled.status == 200 && cancelled.json["end"].string == "cancelled")
            #expect(cancelled.json["tasks"]["cancelled"].int == 4 && cancelled.json["waitingForTurn"].int == 0)
        }
        #expect(caller.backend.fault == nil)
    }

    @Test func `a job may follow an array`() throws {
        let caller = try APICaller(pools: "p")
        try caller.call(.post, "/v1/jobs", body("a", "{\"count\":2}"))
        let waits = try caller.submit("b", ",\"after\":[{\"job\":\"a\",\"condition\":\"any\"}]").json
        #expect(waits["gates"][0]["jobs"][0].string == "a")
        try caller.call(.post, "/v1/arrays/a:cancel")
        #expect(try caller.get("/v1/jobs/b").json["state"].string == "placed")
    }

    @Test func `what is wrong with an array is told`() throws {
        let caller = try APICaller(pools: "p")
        #expect(try caller.get("/v1/arrays/x").problem == "array-not-found")
        #expect(try caller.get("/v1/jobs?array=x").problem == "array-not-found")
        #expect(try caller.call(.post, "/v1/arrays/x:cancel").problem == "array-not-found")
        #expect(try caller.call(.post, "/v1/arrays/x:cancel", "{\"a\":1}").status == 422)
        #expect(try caller.get("/v1/jobs?array=%20").status == 400)
        func mistakes(_ id: String, _ array: String) throws -> [String] {
            try caller.call(.post, "/v1/jobs", body(id, array)).mistakes
        }
        #expect(try mistakes("a", "{}") == ["/array/count missing"])
        #expect(
            try mistakes("a", "{\"count\":10001,\"maxParallel\":0,\"x\":1}")
                == ["/array/count outOfRange", "/array/maxParallel outOfRange", "/array/x unknownField"])
        #expect(
            try mistakes(String(repeating: "a", count: 126), "{\"count\":11}") == ["/id invalid"])
        let line = body("a", "{\"count\":2}")
        let batch = try caller.call(
            .post, "/v1/jobs:batch", line + "\n", type: "application/x-ndjson")
        #expect(batch.lines[0]["status"].int == 422)
        #expect(batch.lines[0]["problem"]["errors"][0]["pointer"].string == "/array")
    }
}
