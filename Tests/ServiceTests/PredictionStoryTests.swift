// When a waiting job starts, asked of a running service, before and after the machine lost power.

import API
import Engine
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct PredictionStoryTests {
    @Test("Queued jobs say when they start and who is ahead, and a restart says the same")
    func restart() throws {
        let fleet = Fleets.of([Fleets.pool("pool", Caller.pool(nodes: 2))])
        let first = try LocalService(LocalService.small, fleet: fleet)
        #expect(try first.caller.post("/v1/jobs", Self.job("full", seconds: 3600)).status == 201)
        let queued = try first.caller.post("/v1/jobs", Self.job("next", seconds: 600)).text
        #expect(queued.contains(#""predictedStart":{"earliest":"#) && queued.contains(#""basis":"limits""#))
        let last = try first.caller.post("/v1/jobs", Self.job("last", seconds: 600)).text
        #expect(last.contains(#""position":{"inItsPools":1,"overall":1}"#) && last.contains(#""ahead":["next"]"#))
        let before = try Self.range(first.caller, "next")
        let disk = first.disk.afterKill()
        #expect(first.service.stop() == 0)
        let second = try LocalService(LocalService.small, disk: disk, fleet: fleet)
        #expect(try Self.range(second.caller, "next") == before)
        #expect(try second.caller.get("/v1/jobs/last").text.contains(#""ahead":["next"]"#))
        #expect(try second.caller.delete("/v1/jobs/full").status == 200)
        #expect(
            try second.caller.get("/metrics").text.contains(#"berth_predicted_starts_total{fell="before"} 1"#))
        #expect(second.service.stop() == 0)
    }

    private static func job(_ id: String, seconds: Int) -> String {
        #"{"id":"\#(id)","workers":[{"count":2,"gpus":4}],"maxRuntimeSeconds":\#(seconds)}"#
    }

    /// The two ends as the answer has them.
    private static func range(_ caller: Caller, _ id: String) throws -> [String] {
        let text = try caller.get("/v1/jobs/\(id)").text
        return ["\"earliest\":\"", "\"latest\":\""].map { name in
            text.split(separator: name, maxSplits: 1).last.map { String($0.prefix { $0 != "\"" }) } ?? ""
        }
    }
}
