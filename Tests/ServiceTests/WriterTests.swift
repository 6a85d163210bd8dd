// The writer inside this process: order, batches, a full inbox, health beside a writer that is held, placements that go on.

import API
import Foundation
import HTTP
import JSON
import Model
import Storage
import Synchronization
import TestKit
import Testing

@testable import Service

@Suite struct WriterTests {
    @Test("Answers leave in the order of the work, whatever its kind")
    func orderOfAnswers() throws {
        let local = try LocalService()
        let order = Mutex<[Int]>([])
        let done = DispatchGroup()
        let gate = local.holdWriter()
        for number in 0..<100 {
            done.enter()
            let answer = PendingAnswer(
                Responder { _ in
                    order.withLock { $0.append(number) }
                    done.leave()
                })
            let entry = InboxEntry(answer: answer) { desk in
                if number % 3 != 0 {
                    let group = WorkerGroup(count: 1, demand: Demand(gpus: 1))
                    _ = desk.decide(.submit(JobSpec(id: "job\(number)", workers: [group])))
                }
                return HTTPResponse(200)
            }
            #expect(local.writer.post(entry))
        }
        gate.open()
        done.wait()
        #expect(order.withLock { $0 } == Array(0..<100))
        #expect(local.service.stop() == 0)
    }

    @Test("Posts that come while the writer is busy share one flush")
    func oneFlushForMany() throws {
        let local = try LocalService()
        let before = try #require(local.service.backend?.reading)
        let gate = local.holdWriter()
        let calls = Calls()
        for number in 0..<8 {
            calls.add(Int(local.service.port)) {
                try $0.post("/v1/jobs", Caller.job("j\(number)", workers: 1, gpus: 2))
            }
        }
        #expect(eventually { local.writer.inbox.depth == 8 })
        gate.open()
        #expect(calls.wait().map { $0?.status } == Array(repeating: 201, count: 8))
        let after = try #require(local.service.backend?.reading)
        #expect(after.journalRecords - before.journalRecords == 8)
        #expect(after.journalFlushes - before.journalFlushes == 1)
        #expect(local.service.stop() == 0)
    }

    @Test("A full inbox answers 503 with Retry-After and changes nothing; health goes on; what waits is answered")
    func fullInbox() throws {
        var configuration = LocalService.small
        configuration.scheduler.inboxCapacity = 4
        let local = try LocalService(configuration)
        let caller = local.caller
        let gate = local.holdWriter()
        let calls = Calls()
        for number in 0..<4 {
            calls.add(Int(local.service.port)) {
                try $0.post("/v1/jobs", Caller.job("in\(number)", workers: 1, gpus: 1))
            }
        }
        #expect(eventually { local.writer.inbox.depth == 4 })
        let refused = try caller.post("/v1/jobs", Caller.job("out", workers: 1, gpus: 1))
        #expect(refused.status == 503)
        #expect(refused.problem == "overloaded")
        #expect(refused.field("Retry-After") == "1")
        // The writer is still held: each of these is answered beside it.
        #expect(try caller.get("/livez").status == 200)
        let ready = try caller.get("/readyz")
        #expect(ready.status == 503)
        #expect(ready.text.contains("\"inbox\""))
        #expect(try caller.get("/v1/jobs").status == 200)
        #expect(try caller.get("/v1/pools").status == 200)
        gate.open()
        #expect(calls.wait().map { $0?.status } == [201, 201, 201, 201])
        #expect(try caller.get("/v1/jobs/out").status == 404)
        #expect(try caller.get("/readyz").status == 200)
        #expect(local.service.stop() == 0)
    }

    @Test("Placements beyond one command's budget go on by themselves", arguments: [1, 3])
    func placementsGoOn(budget: Int) throws {
        var configuration = LocalService.small
        configuration.scheduler.placementsPerCommand = budget
        let local = try LocalService(configuration, fleet: Fleets.one(nodes: 16))
        let caller = local.caller
        #expect(try caller.post("/v1/jobs", Caller.job("whole", workers: 16, gpus: 4)).status == 201)
        for number in 0..<16 {
            #expect(try caller.post("/v1/jobs", Caller.job("one\(number)", workers: 1, gpus: 4)).status == 201)
        }
        #expect(try caller.get("/v1/jobs?state=queued")["jobs"]?.count == 16)
        #expect(try caller.delete("/v1/jobs/whole").status == 200)
        // Only reads from here on.
        #expect(try eventually { try caller.get("/v1/jobs?state=placed")["jobs"]?.count == 16 })
        #expect(local.service.stop() == 0)
    }

    @Test("Placements that a full disk stopped go on by themselves when there is room")
    func placementsWaitForRoom() throws {
        var configuration = LocalService.small
        configuration.scheduler.placementsPerCommand = 1
        // How often places are sought depends on the clock, and so would what the journal takes.
        configuration.scheduler.reservations = 0
        // How many jobs fit until the disk is full, found out with two services of the same kind: by hundreds, for
        // neighbours are one record, and then one by one.
        var hundreds = 0
        var ones = 0
        for attempt in 0..<3 {
            let disk = FaultyDisk(capacity: 3 << 19)
            let local = try LocalService(configuration, disk: disk, fleet: Fleets.one(nodes: 16))
            let caller = local.caller
            _ = try caller.post("/v1/jobs", Caller.job("whole", workers: 16, gpus: 4))
            _ = try caller.batch((0..<16).map { Caller.job("one\($0)", workers: 1, gpus: 4) })
            let label = #","labels":{"filler":"\#(String(repeating: "x", count: 200))"}"#
            func send(_ count: Int) throws -> Bool {
                let jobs = (0..<count).map { _ in #"{"workers":[{"count":17,"gpus":4}]\#(label)}"# }
                return try caller.batch(jobs).status == 200
            }
            if attempt == 0 {
                while try send(100) { hundreds += 1 }
            } else {
                for _ in 0..<hundreds - 1 { #expect(try send(100)) }
                if attempt == 1 {
                    while try send(1) { ones += 1 }
                } else {
                    // Less is left than sixteen placements need, each a flush of its own.
                    for _ in 0..<ones - 1 { #expect(try send(1)) }
                }
            }
            if attempt == 2 {
                #expect(try caller.delete("/v1/jobs/whole").status == 200)
                #expect(try eventually { try caller.get("/readyz").status == 503 })
                let placed = try caller.get("/v1/jobs?state=placed")["jobs"]?.count ?? 0
                #expect((1..<16).contains(placed))
                disk.setCapacity(.max)
                #expect(try eventually { try caller.get("/v1/jobs?state=placed")["jobs"]?.count == 16 })
                #expect(try caller.get("/readyz").status == 200)
            }
            #expect(local.service.stop() == 0)
        }
    }

    @Test("While the state is read, /livez answers and everything else says that the service is starting")
    func starting() throws {
        let disk = FaultyDisk()
        let first = try LocalService(disk: disk)
        #expect(try first.caller.post("/v1/jobs", Caller.job("kept", workers: 1, gpus: 1)).status == 201)
        #expect(first.service.stop() == 0)
        let gate = Gate()
        let service = try RunningService(LocalService.small, log: LineLog.logger(LocalService.small.log))
        let recovered = DispatchSemaphore(value: 0)
        let next = disk.afterKill()
        Thread.detachNewThread {
            _ = try? service.recover(fleet: nil) { options throws(StorageError) in
                gate.wait()
                return try Store.open(next, options)
            }
            recovered.signal()
        }
        let caller = Caller(port: Int(service.port))
        #expect(try caller.get("/livez").status == 200)
        for path in ["/readyz", "/healthz", "/v1/jobs/kept", "/v1/fleet", "/metrics", "/", "/nowhere"] {
            let reply = try caller.get(path)
            #expect(reply.status == 503, "\(path)")
            #expect(reply.problem == "starting", "\(path)")
            #expect(reply.field("Retry-After") == "1", "\(path)")
        }
        #expect(try caller.post("/v1/jobs", Caller.job("early", workers: 1, gpus: 1)).problem == "starting")
        gate.open()
        recovered.wait()
        #expect(try caller.get("/readyz").status == 200)
        #expect(try caller.get("/v1/jobs/kept").status == 200)
        #expect(try caller.get("/v1/jobs/early").status == 404)
        #expect(service.stop() == 0)
    }
}
