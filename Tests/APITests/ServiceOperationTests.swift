// Health, metrics, the index, and what a service under stress answers.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct ServiceOperationTests {
    @Test func `the index names every path that needs no parameter`() throws {
        let index = try APICaller().get("/").json
        let paths = index["links"].keys.compactMap { index["links"][$0].string }
        let expected = RouteTable.rows.filter { $0.method == .get && !$0.pattern.contains("{") && $0.pattern != "/" }
        #expect(Set(paths) == Set(expected.map(\.pattern)))
    }

    @Test func `health answers at once, and readiness tells the failing checks`() throws {
        let caller = try APICaller()
        caller.backend.isFull = true
        #expect(try caller.get("/livez").json["status"].string == "alive")
        #expect(try caller.get("/livez?verbose").status == 200)
        #expect(try caller.get("/readyz").text == "{\"status\":\"ready\"}\n")
        #expect(try caller.get("/readyz?verbose").json["checks"].array.count == 1)
        #expect(try caller.get("/healthz?verbose=false").text == "{\"status\":\"ready\"}\n")
        caller.backend.checks.append(
            HealthCheck(name: "notDraining", isPassing: false, detail: "The service is stopping."))
        for path in ["/readyz", "/healthz"] {
            let answer = try caller.get(path)
            #expect(answer.status == 503 && answer.json["status"].string == "notReady")
            #expect(answer.json["checks"].array.compactMap { $0["name"].string } == ["notDraining"])
            #expect(try caller.get(path + "?verbose").json["checks"].array.count == 2)
        }
        #expect(try caller.get("/livez").status == 200)
    }

    @Test func `while the state is read everything but liveness says so`() throws {
        for target in ["/v1/jobs", "/readyz", "/metrics"] {
            let response = BerthAPI.starting(try HTTPRequest(.get, target))
            #expect(response.status.code == 503 && response.field("Retry-After") == "1")
            #expect(String(decoding: response.body, as: UTF8.self).contains("urn:berth:problem:starting"))
        }
        let alive = BerthAPI.starting(try HTTPRequest(.get, "/livez"))
        #expect(alive.status.code == 200 && alive.field("X-Berth-Revision") == "0")
    }

    private static let writes: [(HTTPMethod, String, String?)] = [
        (.post, "/v1/jobs", "{\"workers\":[{\"count\":1,\"gpus\":1}]}"), (.delete, "/v1/jobs/a", nil),
        (.post, "/v1/jobs/a:start", nil), (.post, "/v1/jobs/a:finish", "{\"result\":\"failed\"}"),
        (.delete, "/v1/pools/p", nil), (.post, "/v1/nodes/p/b00/d000/n00:cordon", nil),
        (.post, "/v1/nodes/p/b00/d000/n00:drain", nil), (.post, "/v1/nodes/p/b00/d000/n00:uncordon", nil),
        (.post, "/v1/nodes/p/b00/d000/n00:down", nil), (.post, "/v1/nodes/p/b00/d000/n00:up", nil),
        (.post, "/v1/pools/p/domains/b00/d000:down", nil), (.post, "/v1/pools/p/blocks/b00:drain", nil),
        (.post, "/v1/pools/p:cordon", nil),
    ]

    @Test(arguments: [
        (WriteStop.diskFull, "disk-full", Optional("10")), (.journalFailed("flush: EIO"), "journal-failed", nil),
        (.stopping, "stopping", "5"),
    ])
    func `a write that cannot be kept is a 503 with its own type, and reads go on`(
        stop: WriteStop, type: String, retry: String?
    ) throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        caller.backend.stopWrites(stop)
        let digest = caller.backend.view.digest
        for (method, target, body) in Self.writes {
            let answer = try caller.call(method, target, body)
            #expect(answer.status == 503 && answer.problem == type, "\(target)")
            #expect(answer.field("Retry-After") == retry)
        }
        #expect(try caller.put("q").problem == type)
        #expect(caller.backend.view.digest == digest)
        for target in [
            "/v1/jobs", "/v1/jobs/a", "/v1/pools", "/v1/pools/p", "/v1/pools/p/nodes", "/v1/fleet", "/v1/queue",
            "/metrics",
        ] {
            #expect(try caller.get(target).status == 200, "\(target)")
        }
    }

    @Test func `a full inbox is a 503 that says when to come back, and what needs no scheduler goes on`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        try caller.submit("waits", count: 100)
        caller.backend.isFull = true
        let digest = caller.backend.view.digest
        for (method, target, body) in Self.writes + [
            (.get, "/v1/jobs/waits", nil), (.get, "/v1/fleet", nil), (.get, "/v1/queue", nil),
        ] {
            let answer = try caller.call(method, target, body)
            #expect(answer.status == 503 && answer.problem == "overloaded", "\(target)")
            #expect(answer.field("Retry-After") == "1")
        }
        let batch = try caller.call(
            .post, "/v1/jobs:batch", "{\"workers\":[{\"count\":1,\"gpus\":1}]}", type: "application/x-ndjson")
        #expect(batch.status == 503 && batch.problem == "overloaded")
        #expect(caller.backend.view.digest == digest)
        for target in ["/v1/jobs", "/v1/jobs/a", "/v1/pools", "/v1/pools/p", "/readyz", "/", "/openapi.json"] {
            #expect(try caller.get(target).status == 200, "\(target)")
        }
        let page = try MetricsText(caller.get("/metrics").text)
        #expect(page["berth_jobs", "state=\"queued\""] == 1)
        #expect(page.samples.allSatisfy { $0.name != "berth_pool_placeable_gangs" })
    }

    @Test func `the metrics page is well formed and agrees with the state`() throws {
        let caller = try APICaller(pools: "p", "q")
        let histogram = Histogram()
        for nanoseconds: UInt64 in [900, 1_000, 70_000, 3_000_000, 20_000_000_000] {
            histogram.add(nanoseconds: nanoseconds)
        }
        var parts = ServiceReading()
        parts.decisions = histogram.reading
        parts.inboxCapacity = 4096
        parts.http.failures = [400: 2, 413: 1]
        caller.backend.parts = parts
        try caller.submit("a", count: 2)
        try caller.submit("b", count: 1, gpus: 1)
        try caller.submit("c", count: 100)
        try caller.call(.delete, "/v1/jobs/b")
        try caller.call(.get, "/nowhere")
        let answer = try caller.get("/metrics")
        #expect(answer.contentType == "text/plain; version=0.0.4; charset=utf-8")
        let page = try MetricsText(answer.text)
        let view = caller.backend.view
        for state in JobState.allCases {
            #expect(page["berth_jobs", "state=\"\(state.name)\""] == Double(view.count(of: state)))
        }
        #expect(page["berth_queue_gpus"] == 400)
        #expect(page["berth_revision"] == Double(view.revision))
        #expect(page["berth_ready"] == 1)
        for (pool, allocated) in [("p", view.pools[0].gpusAllocated), ("q", view.pools[1].gpusAllocated)] {
            let labels = "pool=\"\(pool)\",provider=\"aws\",region=\"us-east-1\",accelerator=\"GB200\""
            #expect(page["berth_pool_gpus", labels] == 32)
            #expect(page["berth_pool_gpus_allocated", labels] == Double(allocated))
            #expect(page["berth_pool_gpu_milli_allocated", labels] == Double(allocated) * 1000)
        }
        #expect(page["berth_placements_total"] == 2)
        #expect(page["berth_http_requests_total", "route=\"/v1/jobs\",method=\"POST\",code=\"2xx\""] == 3)
        #expect(page["berth_http_requests_total", "route=\"none\",method=\"any\",code=\"4xx\""] == 1)
        #expect(page["berth_http_refusals_total", "code=\"400\""] == 2)
        #expect(page["berth_decision_seconds_count"] == 5)
        #expect(page["berth_decision_seconds_bucket", "le=\"1e-06\""] == 2)
        #expect(page["berth_decision_seconds_bucket", "le=\"10\""] == 4)
        #expect(page["berth_decision_seconds_sum"].map { abs($0 - 20.0030719) < 1e-9 } == true)
        #expect(page["berth_pool_placeable_gangs", "pool=\"p\",gpus=\"8\""] != nil)
    }
}
