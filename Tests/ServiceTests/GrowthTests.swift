// An elastic gang grows though nobody asks for anything, in a running service, and what it then has survives a restart.

import API
import Engine
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct GrowthTests {
    @Test("The writer wakes by itself when a gang may grow, and a restart keeps its workers")
    func wakes() throws {
        var configuration = LocalService.small
        configuration.scheduler.resizeIntervalSeconds = 1
        let fleet = Fleets.of([Fleets.pool("pool", Caller.pool(nodes: 3))])
        let first = try LocalService(configuration, fleet: fleet)
        #expect(try first.caller.post("/v1/jobs", Caller.job("filler", workers: 2, gpus: 4)).status == 201)
        let body = #"{"id":"elastic","workers":[{"minCount":1,"maxCount":3,"gpus":4}]}"#
        #expect(try first.caller.post("/v1/jobs", body).status == 201)
        #expect(first.service.backend?.view.jobs["elastic"]?.life.placement?.workerCount == 1)
        #expect(try first.caller.delete("/v1/jobs/filler").status == 200)
        // Looks at the view alone, which wakes no writer.
        #expect(eventually { first.service.backend?.view.jobs["elastic"]?.life.placement?.workerCount == 3 })
        let answer = try first.caller.get("/v1/jobs/elastic").text
        #expect(answer.contains(#""resizedAt":"#) && answer.contains(#""nodeCount":3"#))
        #expect(try first.caller.get("/metrics").text.contains("berth_gang_growths_total 1"))
        let disk = first.disk.afterKill()
        #expect(first.service.stop() == 0)
        let second = try LocalService(configuration, disk: disk, fleet: fleet)
        #expect(second.service.backend?.view.jobs["elastic"]?.life.placement?.workerCount == 3)
        #expect(second.service.stop() == 0)
    }
}
