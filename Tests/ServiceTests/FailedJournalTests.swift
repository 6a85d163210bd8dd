// A journal that cannot be written: what was answered is true, what was not is nowhere to be seen, and nothing more is taken.

import Foundation
import HTTP
import JSON
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct FailedJournalTests {
    enum Break: CaseIterable { case flush, write }

    @Test(
        "A failed write or flush answers its whole batch with 503, shows none of it, and ends all writing",
        arguments: Break.allCases)
    func failedFlush(_ kind: Break) throws {
        let local = try LocalService(fleet: Fleets.one(nodes: 4))
        let caller = local.caller
        #expect(try caller.post("/v1/jobs", Caller.job("before", workers: 4, gpus: 4)).status == 201)
        let revision = try caller.get("/v1/fleet").revision
        let gate = local.holdWriter()
        let calls = Calls()
        let port = Int(local.service.port)
        for number in 0..<4 {
            calls.add(port) { try $0.post("/v1/jobs", Caller.job("lost\(number)", workers: 1, gpus: 1)) }
        }
        calls.add(port) { try $0.delete("/v1/jobs/before") }
        #expect(eventually { local.writer.inbox.depth == 5 })
        switch kind {
        case .flush: local.disk.failFlush(1)
        case .write: local.disk.failWrite(1)
        }
        gate.open()
        for reply in calls.wait() {
            #expect(reply?.status == 503)
            #expect(reply?.problem == "journal-failed")
        }
        // Neither the published state nor the scheduler's own shows what was not made durable.
        #expect(try caller.get("/v1/jobs")["jobs"]?.count == 1)
        #expect(try caller.get("/v1/jobs/before")["state"]?.string == "placed")
        #expect(try caller.get("/v1/jobs/lost0").status == 404)
        let fleet = try caller.get("/v1/fleet")
        #expect(fleet.revision == revision)
        #expect(fleet["gpusAllocated"]?.int64 == 16)
        #expect(try caller.get("/v1/queue")["jobCount"]?.int64 == 0)
        let nodes = try caller.get("/v1/pools/pool/nodes")
        #expect(nodes.list("nodes").map { $0["gpusFree"]?.int64 } == [0, 0, 0, 0])
        // No further write is taken, though the disk is well again.
        let flushes = local.disk.flushes
        let later = try caller.post("/v1/jobs", Caller.job("later", workers: 1, gpus: 1))
        #expect(later.problem == "journal-failed")
        #expect(try caller.delete("/v1/jobs/before").problem == "journal-failed")
        #expect(local.disk.flushes == flushes)
        let ready = try caller.get("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("The journal has failed"))
        #expect(try caller.get("/livez").status == 200)
        #expect(local.service.stop() == 74)
        // The next process, after a power cut or without one, finds what was acknowledged.
        for disk in [local.disk.afterPowerCut(.losesAll), local.disk.afterKill()] {
            let next = try LocalService(disk: disk, fleet: Fleets.one(nodes: 4))
            #expect(try next.caller.get("/v1/jobs/later").status == 404)
            #expect(try next.caller.get("/v1/jobs/before").status == 200)
            #expect(next.service.stop() == 0)
        }
        let cut = try LocalService(disk: local.disk.afterPowerCut(.losesAll), fleet: Fleets.one(nodes: 4))
        #expect(try cut.caller.get("/v1/jobs/before")["state"]?.string == "placed")
        #expect(cut.service.stop() == 0)
    }

    @Test("What a broken batch left in the journal's memory never reaches the disk")
    func brokenBatch() throws {
        let local = try LocalService(fleet: Fleets.one(nodes: 4)) { $0.recordBytes = 2048 }
        let caller = local.caller
        let gate = local.holdWriter()
        let calls = Calls()
        let port = Int(local.service.port)
        calls.add(port) { try $0.post("/v1/jobs", Caller.job("small", workers: 1, gpus: 1)) }
        #expect(eventually { local.writer.inbox.depth == 1 })
        let label = String(repeating: "x", count: 250)
        let labels = (0..<20).map { #""l\#($0)":"\#(label)""# }.joined(separator: ",")
        calls.add(port) {
            try $0.post("/v1/jobs", Caller.job("large", workers: 1, gpus: 1, #","labels":{\#(labels)}"#))
        }
        #expect(eventually { local.writer.inbox.depth == 2 })
        gate.open()
        #expect(calls.wait().map { $0?.problem } == ["journal-failed", "journal-failed"])
        // A call that passes the writer, and so ends a batch.
        #expect(try caller.get("/v1/queue").status == 200)
        #expect(try caller.get("/v1/jobs/small").status == 404)
        #expect(local.service.stop() == 74)
        let next = try LocalService(disk: local.disk.afterKill(), fleet: Fleets.one(nodes: 4))
        #expect(try next.caller.get("/v1/jobs/small").status == 404)
        #expect(next.service.stop() == 0)
    }

    @Test("Acknowledged work is there after a power cut at any moment of a flush", arguments: 1...6)
    func powerCutInAFlush(operations: Int) throws {
        let local = try LocalService(fleet: Fleets.one(nodes: 4))
        #expect(try local.caller.post("/v1/jobs", Caller.job("told", workers: 1, gpus: 4)).status == 201)
        local.disk.cutPower(afterOperations: operations - 1)
        var told = ["told"]
        for number in 0..<4 {
            let reply = try local.caller.post("/v1/jobs", Caller.job("j\(number)", workers: 1, gpus: 1))
            if reply.status == 201 { told.append("j\(number)") } else { #expect(reply.problem == "journal-failed") }
        }
        #expect(told.count < 5)
        #expect(local.service.stop() == 74)
        for seed in 0..<4 {
            let cut = seed == 0 ? PowerCut.losesAll : .tears(seed: UInt64(seed))
            let next = try LocalService(disk: local.disk.afterPowerCut(cut), fleet: Fleets.one(nodes: 4))
            for id in told { #expect(try next.caller.get("/v1/jobs/\(id)").status == 200, "\(id), seed \(seed)") }
            #expect(next.service.stop() == 0)
        }
    }
}
