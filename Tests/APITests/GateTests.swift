// Gates, dependencies, waits and deadlines as a client sees them, with all that may be wrong about them.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct GateTests {
    private func gates(_ job: JSON) -> [String] { job["gates"].array.compactMap { $0["gate"].string } }

    @Test func `a held job is queued, says so everywhere, and is placed when it is released`() throws {
        let caller = try APICaller(pools: "p")
        let answer = try caller.submit("a", ",\"hold\":true")
        #expect(answer.status == 201 && answer.json["state"].string == "queued")
        #expect(answer.json["hold"].bool == true && gates(answer.json) == ["held"])
        #expect(answer.json["gates"][0]["detail"].string == "The job is held until POST /v1/jobs/{id}:release.")
        #expect(answer.json["reasons"][0]["reason"].string == "waitingForTurn")
        #expect(try gates(caller.get("/v1/jobs").json["jobs"][0]) == ["held"])
        let queue = try caller.get("/v1/queue").json
        #expect(queue["jobCount"].int == 1 && queue["gatedJobCount"].int == 1 && queue["shapeCount"].int == 0)
        #expect(try caller.get("/metrics").text.contains("berth_jobs_gated{gate=\"held\"} 1"))
        for _ in 0..<2 {
            let released = try caller.call(.post, "/v1/jobs/a:release")
            #expect(released.status == 200 && released.json["state"].string == "placed")
            #expect(!released.json["gates"].isThere)
        }
        let refused = try caller.call(.post, "/v1/jobs/a:hold")
        #expect(refused.status == 409 && refused.problem == "illegal-transition")
        #expect(refused.json["state"].string == "placed")
        for verb in ["hold", "release"] {
            #expect(try caller.call(.post, "/v1/jobs/x:\(verb)").problem == "job-not-found")
            #expect(try caller.call(.post, "/v1/jobs/a:\(verb)", "{\"x\":1}").status == 422)
            #expect(try caller.call(.post, "/v1/jobs/a:\(verb)?x=1").status == 400)
        }
    }

    @Test func `a queued job may be held and goes on where it stood`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("full", count: 8)
        try caller.submit("a")
        for _ in 0..<2 {
            let held = try caller.call(.post, "/v1/jobs/a:hold")
            #expect(held.status == 200 && gates(held.json) == ["held"])
            #expect(held.json["reasons"][0]["reason"].string == "capacityBusy")
        }
        try caller.call(.delete, "/v1/jobs/full")
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "queued")
        #expect(try caller.call(.post, "/v1/jobs/a:release").json["state"].string == "placed")
    }

    @Test func `times come back as they were given, and the same body is the same job`() throws {
        let caller = try APICaller(pools: "p")
        let more =
            ",\"notBefore\":\"2027-01-31T18:00:00.000000001+02:00\",\"deadline\":\"2027-02-28T00:00:00Z\",\"maxWaitSeconds\":60"
        let job = try caller.submit("a", more).json
        #expect(job["notBefore"].string == "2027-01-31T16:00:00.000000001Z")
        #expect(job["deadline"].string == "2027-02-28T00:00:00.000Z" && job["maxWaitSeconds"].int == 60)
        #expect(gates(job) == ["notBefore"] && job["gates"][0]["until"].string == "2027-01-31T16:00:00.000000001Z")
        let again =
            ",\"notBefore\":\"2027-01-31T16:00:00.000000001Z\",\"deadline\":\"2027-02-28T00:00:00.000Z\",\"maxWaitSeconds\":60"
        #expect(try caller.submit("a", again).status == 200)
        #expect(try caller.submit("a", ",\"maxWaitSeconds\":60").problem == "id-in-use")
    }

    @Test func `a job that follows others names them, and starts or fails with them`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("first")
        let more = ",\"after\":[{\"job\":\"first\"}]"
        let waits = try caller.submit("a", more).json
        #expect(gates(waits) == ["after"] && waits["gates"][0]["jobs"][0].string == "first")
        #expect(waits["gates"][0]["detail"].string == "The job waits for the end of 'first'.")
        #expect(waits["after"][0]["condition"].string == "succeeded")
        try caller.submit(
            "b", ",\"after\":[{\"job\":\"first\",\"condition\":\"any\"},{\"job\":\"a\",\"condition\":\"any\"}]")
        try caller.call(.delete, "/v1/jobs/first")
        let failed = try caller.get("/v1/jobs/a").json
        #expect(failed["state"].string == "failed" && failed["endCause"].string == "dependencyFailed")
        #expect(
            failed["message"].string == "It was to follow job 'first' once that succeeded, and it was cancelled.")
        #expect(try caller.get("/v1/jobs/b").json["state"].string == "placed")
        // What has ended already is judged at once.
        let late = try caller.submit("late", more)
        #expect(late.status == 201 && late.json["state"].string == "failed")
        #expect(try caller.get("/metrics").text.contains("berth_jobs_ended_total{cause=\"dependencyFailed\"} 2"))
        #expect(caller.backend.fault == nil)
    }

    @Test func `every job that is not there is named with its pointer, and so is all else that is wrong`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("there")
        let digest = caller.backend.view.digest
        let answer = try caller.submit(
            "a",
            ",\"after\":[{\"job\":\"x\"},{\"job\":\"there\"},{\"job\":\"y\",\"condition\":\"any\"}],\"priorityClass\":\"urgent\",\"deadline\":\"2020-01-01T00:00:00Z\""
        )
        #expect(answer.status == 422 && answer.problem == "invalid-body")
        #expect(
            answer.mistakes == [
                "/priorityClass invalid", "/after/0/job invalid", "/after/2/job invalid", "/deadline invalid",
            ])
        #expect(answer.json["detail"].string?.contains("4 mistakes") == true)
        #expect(answer.json["errors"][1]["detail"].string?.contains("\"x\"") == true)
        #expect(caller.backend.view.digest == digest)
        // The most there may be: one more than is shown.
        let all = (0..<64).map { "{\"job\":\"x\($0)\"}" }.joined(separator: ",")
        let many = try caller.submit("a", ",\"after\":[\(all)],\"priorityClass\":\"urgent\"")
        #expect(many.mistakes.count == 64 && many.json["errorsLeftOut"].int == 1)
    }

    @Test func `in a batch a line may follow a line before it`() throws {
        let caller = try APICaller(pools: "p")
        func line(_ id: String, _ after: String) -> String {
            "{\"id\":\"\(id)\",\"workers\":[{\"count\":1,\"gpus\":1}],\"after\":[\(after.isEmpty ? "" : "{\"job\":\"\(after)\"}")]}"
        }
        let body = [line("b", "a"), line("a", ""), line("c", "a")].joined(separator: "\n")
        let answer = try caller.call(.post, "/v1/jobs:batch", body, type: "application/x-ndjson")
        #expect(answer.lines.compactMap { $0["status"].int } == [422, 201, 201])
        #expect(answer.lines[0]["problem"]["errors"][0]["pointer"].string == "/after/0/job")
        #expect(gates(answer.lines[2]["job"]) == ["after"])
    }

    @Test(arguments: [
        (",\"hold\":1", ["/hold wrongType"]), (",\"notBefore\":5", ["/notBefore wrongType"]),
        (",\"notBefore\":\"tomorrow\"", ["/notBefore invalid"]),
        (",\"notBefore\":\"2026-02-29T00:00:00Z\"", ["/notBefore invalid"]),
        (",\"notBefore\":\"1969-12-31T23:59:59Z\"", ["/notBefore invalid"]),
        (",\"deadline\":\"2200-01-01T00:00:00Z\"", ["/deadline invalid"]),
        (",\"deadline\":\"2027-01-01T00:00:00\"", ["/deadline invalid"]),
        (",\"maxWaitSeconds\":0", ["/maxWaitSeconds outOfRange"]),
        (",\"maxWaitSeconds\":316224001", ["/maxWaitSeconds outOfRange"]),
        (",\"after\":\"a\"", ["/after wrongType"]), (",\"after\":[\"a\"]", ["/after/0 wrongType"]),
        (",\"after\":[{}]", ["/after/0/job missing"]),
        (",\"after\":[{\"job\":\"a b\",\"when\":1}]", ["/after/0/job invalid", "/after/0/when unknownField"]),
        (",\"after\":[{\"job\":\"a\",\"condition\":\"failed\"}]", ["/after/0/condition invalid"]),
        (",\"after\":[{\"job\":\"a\"},{\"job\":\"a\",\"condition\":\"any\"}]", ["/after/1 duplicate"]),
        (",\"priority\":5,\"priorityClass\":\"urgent\"", ["/priorityClass invalid"]),
        (",\"priorityClass\":\"a b\"", ["/priorityClass invalid"]),
        (
            ",\"notBefore\":\"2027-01-01T00:00:00Z\",\"deadline\":\"2027-01-01T00:59:59Z\",\"maxRuntimeSeconds\":3600",
            ["/deadline invalid"]
        ),
        (
            ",\"hold\":\"yes\",\"notBefore\":\"x\",\"maxWaitSeconds\":-1,\"deadline\":7",
            ["/hold wrongType", "/notBefore invalid", "/maxWaitSeconds outOfRange", "/deadline wrongType"]
        ),
    ])
    func `bad input is refused at its place`(more: String, mistakes: [String]) throws {
        let caller = try APICaller(pools: "p")
        let answer = try caller.submit("j", more)
        #expect(answer.status == 422 && Set(answer.mistakes) == Set(mistakes), "\(answer.text)")
        #expect(answer.json["errors"].array.allSatisfy { $0["detail"].string?.hasSuffix(".") == true })
        #expect(caller.backend.view.jobs.count == 0)
    }

    @Test func `more than 64 jobs to follow are refused`() throws {
        let all = (0..<65).map { "{\"job\":\"x\($0)\"}" }.joined(separator: ",")
        #expect(try APICaller(pools: "p").submit("a", ",\"after\":[\(all)]").mistakes == ["/after tooLong"])
    }

    @Test func `a deadline that cannot be met is refused with the earliest that could be`() throws {
        let caller = try APICaller(pools: "p")
        let answer = try caller.submit("a", ",\"maxRuntimeSeconds\":3600,\"deadline\":\"2026-11-23T03:00:00Z\"")
        #expect(answer.mistakes == ["/deadline invalid"])
        #expect(answer.json["errors"][0]["detail"].string?.contains("2026-11-23T03:08:39.") == true)
        #expect(
            try caller.submit("a", ",\"maxRuntimeSeconds\":3600,\"deadline\":\"2026-11-23T03:10:00Z\"").status == 201)
    }

    @Test func `a job that waited as long as it may, or missed its deadline, says what stood in the way`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("full", count: 8)
        try caller.submit("waits", ",\"maxWaitSeconds\":1")
        try caller.submit("misses", ",\"maxRuntimeSeconds\":60,\"deadline\":\"2026-11-23T02:09:40Z\"")
        // Each command takes a millisecond here.
        for _ in 0..<2000 { caller.backend.decide(.resume) }
        let waited = try caller.get("/v1/jobs/waits").json
        #expect(waited["state"].string == "failed" && waited["endCause"].string == "maxWait")
        #expect(waited["message"].string?.contains("1 pool is too full") == true)
        let missed = try caller.get("/v1/jobs/misses").json
        #expect(missed["state"].string == "failed" && missed["endCause"].string == "deadlineMissed")
        #expect(missed["message"].string?.contains("2026-11-23T02:09:40.000Z") == true)
        try caller.call(.delete, "/v1/jobs/full")
        #expect(try caller.get("/v1/jobs/full").json["endCause"].string == "caller")
    }
}
