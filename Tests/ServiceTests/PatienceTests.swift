// A job that waits for its preferred tier is placed when its patience ends, though nobody asks for anything.

import API
import Engine
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct PatienceTests {
    /// Four domains of one node each: a gang of two fits no domain, and two gangs fit the pool.
    static let fleet = Fleets.of([Fleets.pool("pool", Caller.pool(domains: 4, nodes: 1))])
    static let scope = #","scope":{"required":"pool","preferred":"domain","patienceSeconds":1}"#

    /// Looks at the view alone, which wakes no writer.
    static func placedAt(_ id: String, _ local: LocalService) -> Timestamp? {
        local.service.backend?.view.jobs[id]?.life.placedAt
    }

    @Test("The writer wakes by itself when the patience of a waiting job ends, once for each job")
    func wakes() throws {
        let local = try LocalService(fleet: Self.fleet)
        for id in ["a", "b"] {
            #expect(try local.caller.post("/v1/jobs", Caller.job(id, workers: 2, gpus: 4, Self.scope)).status == 201)
        }
        #expect(Self.placedAt("a", local) == nil)
        #expect(eventually { Self.placedAt("a", local) != nil && Self.placedAt("b", local) != nil })
        for id in ["a", "b"] {
            let job = try #require(local.service.backend?.view.jobs[id])
            let waited = try #require(Self.placedAt(id, local)).nanoseconds(since: job.life.queuedAt)
            #expect(waited >= 1_000_000_000)
        }
        #expect(local.service.stop() == 0)
    }

    @Test("So it does after a restart, for a job that waited before")
    func restart() throws {
        let first = try LocalService(fleet: Self.fleet)
        #expect(try first.caller.post("/v1/jobs", Caller.job("a", workers: 2, gpus: 4, Self.scope)).status == 201)
        let disk = first.disk.afterKill()
        #expect(first.service.stop() == 0)
        let second = try LocalService(disk: disk, fleet: Self.fleet)
        #expect(eventually { Self.placedAt("a", second) != nil })
        #expect(second.service.stop() == 0)
    }
}
