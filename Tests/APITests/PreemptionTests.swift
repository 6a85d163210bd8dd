// Preemption as a client sees it: who must leave, until when and for whom, what it says of itself, and what the metrics count.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct PreemptionTests {
    /// One that looks for victims at once, however much has just been decided.
    private static func caller() throws -> APICaller {
        var settings = EngineSettings()
        settings.searchPauseMilliseconds = 0
        return try APICaller(backend: DeskBackend(settings: settings))
    }

    /// One node of 8 GPUs on which a preemptible job runs, and one of higher priority that waits for it.
    private func story() throws -> APICaller {
        let caller = try Self.caller()
        try caller.put("p", blocks: 1, domains: 1, nodes: 1, gpus: 8)
        try caller.submit("low", count: 2, ",\"preemptible\":true")
        try caller.call(.post, "/v1/jobs/low:start")
        try caller.submit("high", count: 2, ",\"priority\":5")
        return caller
    }

    @Test func `a victim says for whom and until when it must leave, the preemptor who leaves`() throws {
        let caller = try story()
        let low = try caller.get("/v1/jobs/low").json
        #expect(low["state"].string == "preempting" && low["preemptedBy"].string == "high")
        #expect(low["preemptionKind"].string == "priority" && low["deadlineAt"].isThere && low["placement"].isThere)
        let high = try caller.get("/v1/jobs/high").json
        #expect(high["state"].string == "queued" && high["preemptionOutlook"]["outlook"].string == "inProgress")
        let victim = high["preemptionOutlook"]["victims"][0]
        #expect(victim["job"].string == "low" && victim["tenant"].string == "default")
        #expect(victim["gpuMilli"].int == 8000 && victim["isSurplus"].bool == false)
        #expect(victim["deadlineAt"].string == low["deadlineAt"].string)
        #expect(high["preemptionOutlook"]["detail"].string?.hasPrefix("job 'low' leaves for it until") == true)
        #expect(try caller.get("/v1/jobs?state=preempting").json["jobs"].array.count == 1)
        let saved = try caller.call(.post, "/v1/jobs/low:checkpoint")
        #expect(saved.status == 200 && saved.json["checkpointedAt"].isThere)
        for _ in 0..<2 {
            let stopped = try caller.call(.post, "/v1/jobs/low:stopped")
            #expect(stopped.status == 200 && stopped.json["state"].string == "queued")
            #expect(stopped.json["preemptions"].int == 1 && stopped.json["lastRequeue"].string == "preempted")
            #expect(!stopped.json["deadlineAt"].isThere && !stopped.json["preemptedBy"].isThere)
        }
        #expect(try caller.get("/v1/jobs/high").json["state"].string == "placed")
        let metrics = try caller.get("/metrics").text
        #expect(metrics.contains("berth_preemptions_total{kind=\"priority\",of=\"gang\"} 1"))
        #expect(metrics.contains("berth_jobs{state=\"preempting\"} 0"))
    }

    @Test func `a preemptor that goes spares its victim, which is seen in its answer`() throws {
        let caller = try story()
        try caller.call(.delete, "/v1/jobs/high")
        let low = try caller.get("/v1/jobs/low").json
        #expect(low["state"].string == "running" && !low["deadlineAt"].isThere && !low["preemptions"].isThere)
        #expect(try caller.get("/metrics").text.contains("berth_preemptions_spared_total 1"))
    }

    @Test func `a job that can displace nobody says so`() throws {
        let caller = try Self.caller()
        try caller.put("p", blocks: 1, domains: 1, nodes: 1, gpus: 8)
        try caller.submit("low", count: 2, ",\"preemptible\":true")
        try caller.submit("equal", count: 2)
        let equal = try caller.get("/v1/jobs/equal").json
        #expect(equal["preemptionOutlook"]["outlook"].string == "impossible")
        #expect(!equal["preemptionOutlook"]["victims"].isThere)
        // Where it is behind a gate it is told what it would do.
        try caller.submit("held", count: 2, ",\"priority\":5,\"hold\":true")
        let held = try caller.get("/v1/jobs/held").json
        #expect(held["preemptionOutlook"]["outlook"].string == "possible")
        #expect(held["preemptionOutlook"]["victims"][0]["job"].string == "low")
        #expect(try caller.get("/v1/jobs/low").json["state"].string == "placed")
    }

    @Test func `what does not apply is refused`() throws {
        let caller = try story()
        for (path, status) in [
            ("/v1/jobs/high:checkpoint", 409), ("/v1/jobs/high:stopped", 409), ("/v1/jobs/low:start", 409),
            ("/v1/jobs/low:hold", 409), ("/v1/jobs/x:checkpoint", 404), ("/v1/jobs/x:stopped", 404),
            ("/v1/jobs/low:stopped?x=1", 400),
        ] {
            #expect(try caller.call(.post, path).status == status, "\(path)")
        }
        #expect(try caller.call(.post, "/v1/jobs/low:stopped", "{\"x\":1}").status == 422)
        #expect(try caller.call(.post, "/v1/jobs/low:checkpoint", "{\"x\":1}").status == 422)
        #expect(try caller.get("/v1/jobs/low").json["state"].string == "preempting")
    }
}
