// Holds: nobody waits for ever because others are smaller, and nobody waits for a hold that can help no one.

import Engine
import Model
import TestKit
import Testing

@Suite struct HoldTests {
    static func harness(placementsBeforeHold: Int = 10) -> EngineHarness {
        var settings = EngineSettings()
        settings.placementsBeforeHold = placementsBeforeHold
        return EngineHarness(settings: settings)
    }

    /// An endless stream of one-node jobs on four nodes, three at a time: each ends when the next but two has come.
    /// `large` comes with the second. Returns how many were placed before `large` was, or nil.
    static func bypasses(_ harness: inout EngineHarness) -> UInt64? {
        harness.run(.putPool(.sample("p", nodes: 4)))
        var before: UInt64 = 0
        for number in 0..<300 {
            harness.submit("s\(number)")
            if number == 1 {
                harness.submit("large", workers: 3)
                before = harness.engine.state.placements
            }
            if number >= 2 { harness.run(.cancel(id: "s\(number - 2)")) }
            if harness.state(of: "large") == .placed { return harness.engine.state.placements - before - 1 }
        }
        return nil
    }

    @Test("A large job is passed over a bounded number of times by an endless stream of small ones")
    func noStarvation() {
        var harness = Self.harness()
        let bypasses = Self.bypasses(&harness)
        #expect(bypasses.map { 1...10 ~= $0 } == true)
        var lax = Self.harness(placementsBeforeHold: 100_000)
        let without = Self.bypasses(&lax)
        #expect(without == nil)
    }

    @Test("A hold keeps its own pool for the job and leaves other pools open; then the pool opens again")
    func holdsOnePool() {
        var harness = Self.harness(placementsBeforeHold: 2)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.run(.putPool(.sample("q", nodes: 1, accelerator: "b200")))
        harness.submit("a", accelerators: ["h100"])
        harness.submit("large", workers: 2, accelerators: ["h100"])
        for id in ["x", "y"] {
            harness.submit(id, accelerators: ["b200"])
            harness.run(.cancel(id: id))
        }
        harness.submit("small", accelerators: ["h100"])
        #expect(harness.state(of: "small") == .queued)
        harness.submit("other", accelerators: ["b200"])
        #expect(harness.state(of: "other") == .placed)
        harness.submit("urgent", gpus: 4, priority: 1, accelerators: ["h100"])
        #expect(harness.state(of: "urgent") == .placed)
        harness.run(.cancel(id: "urgent"))
        harness.run(.cancel(id: "a"))
        #expect(harness.state(of: "large") == .placed)
        harness.run(.cancel(id: "large"))
        #expect(harness.state(of: "small") == .placed)
    }

    @Test("Jobs of many tenants that a hold keeps out cost no try until it ends")
    func keptOutCostNothing() {
        var harness = Self.harness(placementsBeforeHold: 1)
        harness.run(.putPool(.sample("p", nodes: 2)))
        // Whoever has rules is told apart from the others of its shape.
        harness.run(.putTenant(TenantSpec(path: "t0", maxRunningJobs: 5)))
        harness.submit("a")
        harness.submit("large", workers: 2)
        harness.submit("passes")
        harness.run(.cancel(id: "passes"))
        let before = harness.engine.work.tries
        for tenant in 0..<50 {
            harness.submit("j\(tenant)", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "t\(tenant)" }
        }
        let after = harness.engine.work.tries
        #expect(after == before)
        harness.run(.cancel(id: "large"))
        #expect((0..<50).count { harness.state(of: "j\($0)") == .placed } == 1)
    }

    @Test("When the held job is cancelled, those it was held against go on at once")
    func cancelOpens() {
        var harness = Self.harness(placementsBeforeHold: 1)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a")
        harness.submit("large", workers: 2)
        harness.submit("passes")
        harness.run(.cancel(id: "passes"))
        harness.submit("small")
        #expect(harness.state(of: "small") == .queued)
        harness.run(.cancel(id: "large"))
        #expect(harness.state(of: "small") == .placed)
    }

    @Test("A release in a held pool tries none of those it is held against")
    func heldAreNotTried() {
        var harness = Self.harness(placementsBeforeHold: 1)
        harness.run(.putPool(.sample("p", nodes: 4)))
        for id in ["a", "b", "c"] { harness.submit(id) }
        harness.submit("large", workers: 4)
        harness.submit("passes", gpus: 4)
        harness.run(.cancel(id: "passes"))
        for gpus in [1, 2, 3] { harness.submit("small\(gpus)", gpus: gpus) }
        let tries = harness.engine.work.tries
        harness.run(.cancel(id: "a"))
        harness.run(.cancel(id: "b"))
        #expect(harness.engine.work.tries == tries)
        harness.run(.cancel(id: "c"))
        #expect(harness.state(of: "large") == .placed)
    }

    @Test("An equal job of higher priority passes a hold that its shape was kept out by")
    func urgentEqualShape() {
        var harness = Self.harness(placementsBeforeHold: 1)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a")
        harness.submit("large", workers: 2, priority: 1)
        harness.submit("passes", gpus: 4)
        harness.run(.cancel(id: "passes"))
        harness.submit("small")
        #expect(harness.state(of: "small") == .queued)
        harness.submit("urgent", priority: 2)
        #expect(harness.state(of: "urgent") == .placed)
        #expect(harness.state(of: "small") == .queued)
    }

    @Test("No pool is held for a job that its ready nodes cannot hold")
    func holdsNothingInVain() {
        var harness = Self.harness(placementsBeforeHold: 1)
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        for node in ["b00/d000/n00", "b00/d001/n00"] {
            harness.run(.changeNode(pool: "p", node: node, action: .down))
        }
        harness.submit("large", workers: 2, scope: .domain)
        for number in 0..<5 {
            harness.submit("s\(number)")
            #expect(harness.state(of: "s\(number)") == .placed)
            harness.run(.cancel(id: "s\(number)"))
        }
        harness.submit("last")
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .up))
        harness.run(.cancel(id: "last"))
        #expect(harness.state(of: "large") == .placed)
    }

    @Test("A job larger than every pool holds none of them")
    func tooLargeHoldsNothing() {
        var harness = Self.harness(placementsBeforeHold: 0)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("huge", workers: 3)
        harness.submit("small")
        #expect(harness.state(of: "small") == .placed)
        harness.run(.putPool(.sample("p", blocks: 2, nodes: 2)))
        #expect(harness.state(of: "huge") == .placed)
    }

    @Test("When a first job leaves, the one behind it has waited as long as it has")
    func nextFirst() {
        var harness = Self.harness(placementsBeforeHold: 10)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.run(.putPool(.sample("q", nodes: 1, accelerator: "b200")))
        harness.submit("a", accelerators: ["h100"])
        harness.submit("large", workers: 2, accelerators: ["h100"])
        for number in 0..<10 {
            if number == 5 { harness.submit("urgent", workers: 2, priority: 5, accelerators: ["h100"]) }
            harness.submit("s\(number)", accelerators: ["b200"])
            harness.run(.cancel(id: "s\(number)"))
        }
        harness.submit("early", gpus: 4, accelerators: ["h100"])
        #expect(harness.state(of: "early") == .placed)
        harness.run(.cancel(id: "early"))
        harness.run(.cancel(id: "urgent"))
        harness.submit("late", gpus: 4, accelerators: ["h100"])
        #expect(harness.state(of: "late") == .queued)
    }

    @Test("A pool that grows, or gets its nodes back, is held at once for the job that it can now hold")
    func supplyMakesHolds() {
        var harness = Self.harness(placementsBeforeHold: 3)
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a")
        harness.submit("huge", workers: 4)
        for number in 0..<4 {
            harness.submit("before\(number)")
            #expect(harness.state(of: "before\(number)") == .placed)
            harness.run(.cancel(id: "before\(number)"))
        }
        harness.run(.putPool(.sample("p", blocks: 2, nodes: 2)))
        harness.submit("after")
        #expect(harness.state(of: "after") == .queued)
        harness.run(.changeNode(pool: "p", node: "b01/d000/n01", action: .down))
        #expect(harness.state(of: "after") == .placed)
        harness.run(.cancel(id: "after"))
        harness.run(.changeNode(pool: "p", node: "b01/d000/n01", action: .up))
        harness.submit("again")
        #expect(harness.state(of: "again") == .queued)
        harness.run(.cancel(id: "a"))
        #expect(harness.state(of: "huge") == .placed)
    }

    @Test("With a tiny budget the rest follows by resume, in order")
    func resume() {
        var settings = EngineSettings()
        settings.placementsPerCommand = 2
        var harness = EngineHarness(settings: settings)
        for number in 0..<7 { harness.submit("j\(number)") }
        harness.run(.putPool(.sample("p", nodes: 7)))
        #expect(harness.engine.state.count(of: .placed) == 2)
        #expect(harness.state(of: "j1") == .placed)
        let resumes = harness.settle()
        #expect(resumes == 3)
        #expect(harness.engine.state.count(of: .placed) == 7)
        #expect(harness.facts(of: .resume).isEmpty)
    }
}
