// Predicted starts as a client sees them: the range and the place in the order, why there is none, what that means for a deadline,
// and what the metrics count.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct PredictionTests {
    private static func caller(reservations: Int = 1) throws -> APICaller {
        var settings = EngineSettings()
        settings.reservations = reservations
        let caller = try APICaller(backend: DeskBackend(settings: settings))
        try caller.put("p", blocks: 1, domains: 1, nodes: 2)
        try caller.submit("full", count: 2, ",\"maxRuntimeSeconds\":600")
        return caller
    }

    @Test func `a queued job says between when it starts, who is ahead of it, and on what that rests`() throws {
        let caller = try Self.caller()
        let head = try caller.submit("head", count: 2, ",\"maxRuntimeSeconds\":1000").json
        let kept = head["predictedStart"]
        #expect(kept["earliest"].string == head["reservation"]["start"].string && kept["earliest"].isThere)
        #expect(kept["latest"].string == kept["earliest"].string && kept["basis"].string == "limits")
        #expect(kept["movedAt"].string == head["reservation"]["movedAt"].string)
        #expect(kept["position"]["overall"].int == 0 && kept["ahead"].array.isEmpty && !kept["none"].isThere)
        try caller.submit("other", count: 2)
        let other = try caller.get("/v1/jobs/other").json
        #expect(!other["reservation"].isThere)
        let range = other["predictedStart"]
        #expect(range["ahead"].array.compactMap(\.string) == ["head"])
        #expect(range["position"]["overall"].int == 1 && range["position"]["inItsPools"].int == 1)
        let earliest = try #require(range["earliest"].string.flatMap { Timestamp($0) })
        let latest = try #require(range["latest"].string.flatMap { Timestamp($0) })
        #expect(earliest <= latest)
        #expect(latest >= DeskBackend.start.adding(seconds: 1600))
        #expect(range["movedAt"].isThere)
        // No list asks the scheduler.
        #expect(try !caller.get("/v1/jobs").json["jobs"][1]["predictedStart"].isThere)
        let queue = try caller.get("/v1/queue").json
        #expect(queue["shapes"].array.count == 1)
        #expect(queue["shapes"][0]["first"]["predictedStart"]["position"]["overall"].int == 0)
        #expect(queue["shapes"][0]["first"]["predictedStart"]["earliest"].string == kept["earliest"].string)
    }

    @Test func `without a limit the basis is an assumed one`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("full", count: 8)
        #expect(try caller.submit("a").json["predictedStart"]["basis"].string == "assumedLimits")
    }

    @Test func `where no start can be told the answer says why, with the gates that are not open`() throws {
        let caller = try Self.caller()
        let held = try caller.submit("held", ",\"hold\":true,\"notBefore\":\"2027-01-31T18:00:00Z\"").json[
            "predictedStart"]
        #expect(held["none"].string == "gated" && !held["earliest"].isThere && !held["position"].isThere)
        #expect(held["gates"].array.compactMap(\.string) == ["held", "notBefore"])
        #expect(held["detail"].string?.contains("POST /v1/jobs/{id}:release") == true)
        let huge = try caller.submit("huge", count: 3).json
        #expect(huge["couldEverFit"].bool == false && huge["predictedStart"]["none"].string == "neverFits")
        #expect(!huge["predictedStart"]["gates"].isThere)
        #expect(try !caller.get("/v1/jobs/full").json["predictedStart"].isThere)
    }

    @Test func `a deadline that the predicted start misses is told at once, and why`() throws {
        let caller = try Self.caller()
        func submit(_ id: String, _ deadline: String) throws -> JSON {
            try caller.submit(id, ",\"maxRuntimeSeconds\":600,\"deadline\":\"\(deadline)\"").json["deadlineOutlook"]
        }
        // The place is free ten minutes after 02:08, and it runs for ten.
        let late = try submit("late", "2026-11-23T02:20:00Z")
        #expect(late["outlook"].string == "late" && late["earliestEnd"].isThere && late["latestEnd"].isThere)
        #expect(late["detail"].string?.contains("2026-11-23T02:20:00.000Z") == true)
        #expect(try submit("surely", "2026-12-23T00:00:00Z")["outlook"].string == "onTime")
        #expect(try submit("held", "2026-12-23T00:00:00Z\",\"hold\":true,\"name\":\"x")["outlook"].string == "unknown")
        #expect(try caller.get("/v1/jobs/late").json["deadlineOutlook"]["outlook"].string == "late")
        #expect(try !caller.submit("none").json["deadlineOutlook"].isThere)
    }

    @Test func `the metrics count where starts fell in the ranges that were told first`() throws {
        let caller = try Self.caller()
        try caller.submit("a", count: 2)
        try caller.call(.delete, "/v1/jobs/full")
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "placed")
        let metrics = try caller.get("/metrics").text
        #expect(metrics.contains("berth_predicted_starts_total{fell=\"before\"} 1"))
        #expect(metrics.contains("berth_predicted_starts_total{fell=\"within\"} 0"))
    }
}
