// The queue: order, one try for equal shapes, and who is woken by what.

import Engine
import Model
import TestKit
import Testing

@Suite struct QueueTests {
    @Test("Higher priority goes first, then earlier arrival")
    func order() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 1)))
        harness.submit("first")
        harness.submit("low", priority: 0)
        harness.submit("high", priority: 7)
        harness.submit("late", priority: 7)
        harness.submit("lower shape", workers: 1, priority: 3, scope: .node)
        var placed: [String] = []
        for _ in 0..<5 {
            let running = ["first", "low", "high", "late", "lower shape"].first { harness.state(of: $0) == .placed }
            guard let running else { break }
            placed.append(running)
            harness.run(.cancel(id: running))
        }
        #expect(placed == ["first", "high", "late", "lower shape", "low"])
    }

    @Test("A requeued job stands where it arrived, before later ones")
    func requeuedOrder() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 1)))
        harness.submit("a")
        harness.submit("b")
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .down))
        let reading = harness.engine.queueReading(limit: 10)
        #expect(reading.count == 1)
        #expect(reading.first?.head.id == "a")
        #expect(reading.first?.jobs == 2)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .up))
        #expect(harness.state(of: "a") == .placed)
        #expect(harness.state(of: "b") == .queued)
    }

    @Test("The queue reads by shape in the order of first jobs, at most so many")
    func reading() {
        var harness = EngineHarness()
        harness.submit("a", gpus: 1)
        harness.submit("b", gpus: 2)
        harness.submit("c", gpus: 1, priority: 9)
        harness.submit("d", gpus: 4, priority: 1)
        let reading = harness.engine.queueReading(limit: 10)
        #expect(reading.map(\.head.id) == ["c", "d", "b"])
        #expect(reading.map(\.jobs) == [2, 1, 1])
        #expect(harness.engine.queueReading(limit: 2).map(\.head.id) == ["c", "d"])
        let shapes = harness.engine.queuedShapes
        #expect(shapes == 3)
    }

    @Test("A hundred thousand equal jobs that fit nowhere cost one try, and none when other capacity is released")
    func equalJobsAreTriedOnce() {
        var settings = EngineSettings()
        settings.reservations = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("h", nodes: 4)))
        harness.run(.putPool(.sample("b", nodes: 4, accelerator: "b200")))
        harness.submit("full", workers: 4, accelerators: ["b200"])
        let before = harness.engine.work
        for number in 0..<100_000 { harness.submit("q\(number)", workers: 3, accelerators: ["b200"]) }
        #expect(harness.engine.work.tries == before.tries + 1)
        for number in 0..<100 {
            harness.submit("s\(number)", accelerators: ["h100"])
            harness.complete("s\(number)")
        }
        // The hundred small ones themselves, and nothing else.
        #expect(harness.engine.work.tries == before.tries + 101)
        // Capacity that may hold one of them wakes the shape: one fits, the next is tried in vain.
        harness.run(.cancel(id: "full"))
        #expect(harness.engine.work.tries == before.tries + 103)
        #expect(harness.state(of: "q0") == .placed)
        #expect(harness.state(of: "q1") == .queued)
    }

    @Test("A release that is too small for a shape does not try it; one that is large enough does")
    func wakesWhatFits() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 4)))
        for number in 0..<4 { harness.submit("s\(number)") }
        harness.submit("two", workers: 2)
        harness.submit("three", workers: 3)
        let tries = harness.engine.work.tries
        harness.run(.cancel(id: "s0"))
        #expect(harness.engine.work.tries == tries)
        harness.run(.cancel(id: "s1"))
        #expect(harness.engine.work.tries == tries + 1)
        #expect(harness.state(of: "two") == .placed)
        #expect(harness.state(of: "three") == .queued)
    }

    @Test("Many demands that come and go leave few indexes and the right answers", arguments: [UInt64(1)])
    func manyDemands(seed: UInt64) {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("full", workers: 2)
        for number in 0..<500 {
            let demand = Demand(gpus: 1, cpuMillis: 1000 + number, memoryMiB: 1)
            harness.run(.submit(JobSpec(id: "d\(number)", workers: [WorkerGroup(count: 1, demand: demand)])))
            if number % 5 > 0 { harness.run(.cancel(id: "d\(number)")) }
        }
        harness.run(.cancel(id: "full"))
        #expect(harness.engine.state.count(of: .placed) == 16)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("Jobs cancelled behind a first one that never leaves do not gather, and the rest keep their order")
    func cancelledBehind() {
        var settings = EngineSettings()
        settings.reservations = 0
        var harness = EngineHarness(settings: settings)
        for number in 0..<2000 {
            harness.submit("j\(number)")
            if number % 100 > 0 { harness.run(.cancel(id: "j\(number)")) }
        }
        #expect(harness.engine.queueReading(limit: 1).first?.jobs == 20)
        harness.run(.putPool(.sample("p", nodes: 1)))
        for number in stride(from: 0, to: 2000, by: 100) {
            #expect(harness.state(of: "j\(number)") == .placed)
            harness.run(.cancel(id: "j\(number)"))
        }
        #expect(harness.engine.state.liveJobs == 0)
    }

    @Test("More idle shapes than are kept are let go, and their places in the table are used again")
    func idleShapes() {
        var settings = EngineSettings()
        settings.reservations = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 1)))
        harness.submit("full")
        for number in 0..<2500 {
            harness.submit("j\(number)", gpus: 1, deny: PlaceList(pools: ["x\(number)"]))
            if number % 500 > 0 { harness.run(.cancel(id: "j\(number)")) }
        }
        harness.run(.cancel(id: "full"))
        for number in stride(from: 0, to: 2500, by: 500) { #expect(harness.state(of: "j\(number)") == .placed) }
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("More shapes than are kept idle come, are placed, leave and are replayed")
    func manyShapes() throws {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 300)))
        for number in 0..<1100 {
            harness.submit("j\(number)", [WorkerGroup(count: 1, demand: Demand(gpus: 1, cpuMillis: number))])
            harness.submit("w\(number)", [WorkerGroup(count: 1, demand: Demand(gpus: 1, cpuMillis: 100_000 + number))])
            harness.run(.cancel(id: "w\(number)"))
        }
        #expect(harness.engine.state.count(of: .placed) == 1100)
        var again = Engine()
        for transaction in harness.transactions { try again.replay(transaction) }
        _ = again.decide(.resume, at: harness.clock.now)
        #expect(again.state.digest == harness.engine.state.digest)
    }

    @Test("A block with room for more workers than 32 bits count holds them, and tells so")
    func hugeRoom() {
        var harness = EngineHarness()
        var pool = PoolSpec.sample("cpu")
        pool.topology = .counts(blocks: 1, domainsPerBlock: 8192, nodesPerDomain: 18)
        pool.node = NodeShape(gpus: 8, cpuMillis: 256_000, memoryMiB: 2_097_152)
        harness.run(.putPool(pool))
        for (id, count, scope) in [("one", 1, Tier.node), ("many", 1_000_000, .block)] {
            harness.submit(id, [WorkerGroup(count: count, demand: Demand(gpus: 0, memoryMiB: 1))]) {
                $0.scope = Scope(scope)
            }
            #expect(harness.placement(of: id)?.workerCount == count)
        }
    }

    @Test("A gang that scaling by speed makes larger than a placement may be waits, and the engine goes on")
    func scaledBeyondBounds() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 4, nodes: 64)))
        func submit(_ id: String, _ count: Int, _ speed: Int) {
            harness.submit(id, [WorkerGroup(count: count, demand: Demand(gpus: 0, cpuMillis: 1))]) {
                $0.scaleBySpeed = true
                $0.accelerators = [Accelerator("h100", speedMilli: speed)]
            }
        }
        submit("most", 100_000, 100)
        #expect(harness.placement(of: "most")?.workerCount == 1_000_000)
        submit("more", Bounds.workersPerJob, 500)
        #expect(harness.state(of: "more") == .queued)
        submit("next", 10, 1000)
        #expect(harness.state(of: "next") == .placed)
    }
}
