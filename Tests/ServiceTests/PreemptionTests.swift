// A victim's time is up though nobody asks for anything, in the process that gave it the notice and in one that came after it.

import API
import Engine
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct PreemptionTests {
    static let fleet = Fleets.of([Fleets.pool("pool", Caller.pool(nodes: 1))])

    static var configuration: Configuration {
        var configuration = LocalService.small
        configuration.scheduler.preemptionGraceSeconds = 1
        return configuration
    }

    /// A job that runs and must leave for another.
    static func submit(_ local: LocalService) throws {
        let jobs = [("low", #","preemptible":true"#), ("high", #","priority":5"#)]
        for (id, more) in jobs {
            #expect(try local.caller.post("/v1/jobs", Caller.job(id, workers: 1, gpus: 4, more)).status == 201)
        }
        #expect(eventually { local.service.backend?.view.jobs["low"]?.state == .preempting })
    }

    /// Looks at the view alone, which wakes no writer.
    static func isDone(_ local: LocalService) -> Bool {
        local.service.backend?.view.jobs["high"]?.state == .placed
            && local.service.backend?.view.jobs["low"]?.life.preemptions == 1
    }

    @Test("The writer wakes by itself when the time of a victim is up")
    func wakes() throws {
        let local = try LocalService(Self.configuration, fleet: Self.fleet)
        try Self.submit(local)
        #expect(eventually { Self.isDone(local) })
        #expect(local.service.stop() == 0)
    }

    @Test("So it does after a restart, and the place was kept")
    func restart() throws {
        let first = try LocalService(Self.configuration, fleet: Self.fleet)
        try Self.submit(first)
        let disk = first.disk.afterKill()
        #expect(first.service.stop() == 0)
        let second = try LocalService(Self.configuration, disk: disk, fleet: Self.fleet)
        #expect(eventually { Self.isDone(second) })
        #expect(second.service.stop() == 0)
    }
}
