// Gangs that ask for more than equal workers in one place, from submit to release.

import Engine
import Model
import TestKit
import Testing

@Suite struct GangTests {
    static func group(_ name: String, _ count: Int, gpus: Int, most: Int? = nil) -> WorkerGroup {
        WorkerGroup(name: name, count: count, maxCount: most, demand: Demand(gpus: gpus))
    }

    @Test("Groups are placed together or not at all, and given back together")
    func groups() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 4)))
        harness.submit("small")
        harness.submit("a", [Self.group("trainer", 3, gpus: 8), Self.group("server", 2, gpus: 4)])
        #expect(harness.state(of: "a") == .queued)
        harness.run(.cancel(id: "small"))
        #expect(harness.placement(of: "a")?.parts.map(\.group) == [0, 1])
        #expect(harness.engine.state.pools[0].gpuMilliAllocated == 32_000)
        #expect(harness.engine.state.pools[0].jobs == 1)
        harness.complete("a")
        #expect(harness.engine.state.pools[0].gpuMilliAllocated == 0)
        #expect(harness.engine.state.pools[0].jobs == 0)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("An elastic gang takes what there is between its least and its most")
    func elastic() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 4)))
        harness.submit("one")
        harness.submit("a", [Self.group("w", 2, gpus: 8, most: 8)])
        #expect(harness.placement(of: "a")?.workerCount == 3)
        harness.submit("b", [Self.group("w", 2, gpus: 8, most: 8)])
        #expect(harness.state(of: "b") == .queued)
        // What is queued is counted at its least.
        #expect(harness.engine.state.gpusQueued == 16)
        harness.run(.cancel(id: "a"))
        #expect(harness.placement(of: "b")?.workerCount == 3)
    }

    @Test("A split gang stands in several pools of a region, is counted once in each, and leaves each")
    func split() {
        var settings = EngineSettings()
        settings.repairGraceSeconds = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("one", nodes: 2)))
        harness.run(.putPool(.sample("two", nodes: 2)))
        harness.run(.putPool(.sample("far", nodes: 2, region: "west")))
        func split(_ id: String, _ count: Int, _ required: Tier) {
            harness.submit(id, [Self.group("w", count, gpus: 8)]) {
                $0.scope = Scope(required)
                $0.split = Split(maxPools: 3)
            }
        }
        split("a", 4, .region)
        #expect(harness.pools(of: "a") == ["one", "two"])
        #expect(harness.placement(of: "a")?.tier == .region)
        #expect(harness.engine.state.pools.map(\.jobs) == [1, 1, 0])
        split("b", 3, .region)
        #expect(harness.state(of: "b") == .queued)
        harness.run(.changeNode(pool: "two", node: LifeTests.node, action: .down))
        #expect(harness.state(of: "a") == .queued)
        #expect(harness.state(of: "b") == .placed)
        harness.run(.changeNode(pool: "two", node: LifeTests.node, action: .up))
        harness.run(.cancel(id: "b"))
        #expect(harness.pools(of: "a") == ["one", "two"])
        harness.run(.cancel(id: "a"))
        split("c", 5, .fleet)
        #expect(harness.placement(of: "c")?.tier == .provider)
        let refused = harness.run(.deletePool(name: "far"))
        if case .refused(.poolInUse("far", 1)) = refused {} else { Issue.record("\(refused)") }
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("Shares of a GPU stand together, and count as what they are")
    func shares() {
        var harness = EngineHarness()
        var spec = PoolSpec.sample("p", nodes: 1, gpus: 2)
        spec.allowsGPUShares = true
        harness.run(.putPool(spec))
        let share = WorkerGroup(count: 3, demand: Demand(gpus: 1, gpuMilli: 300))
        harness.submit("a", [share])
        harness.submit("whole", gpus: 1)
        #expect(harness.state(of: "whole") == .placed)
        #expect(harness.engine.state.pools[0].gpuMilliAllocated == 1900)
        #expect(harness.engine.state.pools[0].gpusAllocated == 2)
        harness.submit("b", [share])
        #expect(harness.state(of: "b") == .queued)
        harness.run(.cancel(id: "whole"))
        #expect(harness.state(of: "b") == .placed)
        let readings = harness.engine.poolReadings()
        #expect(readings[0].gpuMilliAllocated == 1800 && readings[0].gpusAllocated == 2)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("Nothing comes where an exclusive gang stands, and it goes where nothing is")
    func exclusive() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        harness.submit("small", gpus: 1)
        harness.submit("alone", [Self.group("w", 1, gpus: 8)]) { $0.exclusive = .domain }
        #expect(harness.placement(of: "alone")?.exclusive == .domain)
        harness.submit("three", workers: 2, scope: .domain)
        #expect(harness.state(of: "three") == .queued)
        harness.run(.cancel(id: "alone"))
        #expect(harness.state(of: "three") == .placed)
        harness.submit("again", [Self.group("w", 1, gpus: 8)]) { $0.exclusive = .domain }
        #expect(harness.state(of: "again") == .queued)
        // The last of what stood there goes, and with it the reason.
        harness.run(.cancel(id: "small"))
        #expect(harness.state(of: "again") == .placed)
    }

    @Test("Spare nodes are for those who may use them")
    func spares() {
        var harness = EngineHarness()
        var spec = PoolSpec.sample("p", nodes: 2)
        spec.sparesPerDomain = 1
        harness.run(.putPool(spec))
        harness.submit("a")
        harness.submit("b")
        #expect(harness.state(of: "b") == .queued)
        harness.submit("c", [Self.group("w", 1, gpus: 8)]) {
            $0.isPreemptible = true
            $0.usesSpares = true
        }
        #expect(harness.placement(of: "c")?.runs.first?.node == 1)
    }

    @Test("A gang that is scaled needs fewer workers where they are faster")
    func scaled() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("slow", nodes: 8)))
        harness.run(.putPool(.sample("fast", nodes: 3, accelerator: "b200")))
        for id in ["a", "b"] {
            harness.submit(id, [Self.group("w", 5, gpus: 8)]) {
                $0.scaleBySpeed = true
                $0.accelerators = [Accelerator("b200", speedMilli: 2000), Accelerator("h100")]
            }
        }
        #expect(harness.pool(of: "a") == "fast")
        #expect(harness.placement(of: "a")?.workerCount == 3)
        #expect(harness.pool(of: "b") == "slow")
        #expect(harness.placement(of: "b")?.workerCount == 5)
    }

    @Test("Nothing is kept for groups that fit each alone and never together")
    func heldInVain() throws {
        var settings = EngineSettings()
        settings.placementsBeforeReservation = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 3)))
        harness.submit("large", [Self.group("v", 2, gpus: 5), Self.group("w", 2, gpus: 5)])
        harness.submit("small")
        #expect(harness.state(of: "small") == .placed)
        let explanation = try ReadingTests.explain(&harness, "large")
        #expect(explanation.blockers.map(\.reason) == [.gangTooLarge])
    }

    @Test("The group that is too large for a pool is named")
    func groupNamed() throws {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 3)))
        harness.submit("a", [Self.group("v", 2, gpus: 8), Self.group("w", 1, gpus: 16)])
        var explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.workerTooLarge])
        #expect(explanation.blockers[0].group == 1)
        harness.submit("b", [Self.group("v", 40, gpus: 1), Self.group("w", 7, gpus: 4)])
        explanation = try ReadingTests.explain(&harness, "b")
        #expect(explanation.blockers.map(\.reason) == [.gangTooLarge])
        #expect(explanation.blockers[0].group == 0)
        #expect(explanation.blockers[0].workersThatFit == 24 && explanation.blockers[0].workersNeeded == 40)
    }

    @Test("A release wakes gangs of every form that it may hold", arguments: 0...6)
    func woken(form: Int) {
        var harness = EngineHarness()
        var pool = PoolSpec.sample("p", domains: 2, nodes: 2)
        pool.allowsGPUShares = true
        pool.sparesPerDomain = 1
        harness.run(.putPool(pool))
        harness.run(.putPool(.sample("q", nodes: 2)))
        harness.submit("f", [Self.group("w", 4, gpus: 8)]) {
            $0.isPreemptible = true
            $0.usesSpares = true
        }
        harness.submit("g", workers: 2)
        harness.submit("a", [Self.group("w", 2, gpus: 8)]) { spec in
            switch form {
            case 0: spec.workers.append(Self.group("v", 2, gpus: 4))
            case 1: spec.workers = [WorkerGroup(count: 6, demand: Demand(gpus: 1, gpuMilli: 300))]
            case 2: spec.workers[0].segment = Segment(size: 2, tier: .block)
            case 3: spec.workers[0].spread = Spread(workersPerNode: 1, workersPerDomain: 1)
            case 4: spec.exclusive = .domain
            case 5: (spec.scope, spec.split) = (Scope(.fleet), Split(maxPools: 2))
            default: (spec.isPreemptible, spec.usesSpares) = (true, true)
            }
        }
        #expect(harness.state(of: "a") == .queued)
        let tries = harness.engine.work.tries
        harness.run(.start(id: "g"))
        #expect(harness.engine.work.tries == tries)
        harness.run(.cancel(id: "f"))
        harness.run(.cancel(id: "g"))
        #expect((harness.state(of: "a") == .placed) == (form != 0))
    }
}
