// Supply: what putting a pool changes, what it keeps, and what it refuses.

import Engine
import Model
import TestKit
import Testing

@Suite struct PoolTests {
    static func harness() -> EngineHarness {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", blocks: 1, nodes: 2)))
        return harness
    }

    @Test("Putting the same pool again changes nothing")
    func identical() {
        var harness = Self.harness()
        #expect(harness.facts(of: .putPool(.sample("p", nodes: 2))).isEmpty)
    }

    @Test("Growth at the end keeps running jobs where they are and wakes what now fits")
    func growth() {
        var harness = Self.harness()
        harness.submit("a", workers: 2)
        harness.run(.start(id: "a"))
        harness.submit("b", workers: 2)
        let place = harness.engine.state.jobs["a"]?.life.placement
        let outcome = harness.run(.putPool(.sample("p", blocks: 2, nodes: 2)))
        guard case .pool(PoolSlot(0), created: false) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(harness.state(of: "a") == .running)
        #expect(harness.engine.state.jobs["a"]?.life.placement == place)
        #expect(harness.state(of: "b") == .placed)
        #expect(harness.engine.state.pools.count == 1)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("A pool is billed otherwise while jobs hold it: what runs keeps its price, what comes next has the new one")
    func billing() {
        var harness = EngineHarness()
        var spec = PoolSpec.sample("p", nodes: 2, price: 1000)
        spec.billing = .node
        harness.run(.putPool(spec))
        harness.submit("a", gpus: 4, workers: 1)
        harness.submit("b", gpus: 4, workers: 1)
        #expect(harness.placement(of: "a")?.cost.price == 8000 && harness.placement(of: "b")?.cost.price == 0)
        harness.submit("c", gpus: 4, workers: 1)
        #expect(harness.placement(of: "c")?.cost.price == 8000)
        spec.billing = .gpu
        guard case .pool(PoolSlot(0), created: false) = harness.run(.putPool(spec)) else {
            Issue.record("the change is refused")
            return
        }
        #expect(harness.engine.state[PoolSlot(0)].spec.billing == .gpu)
        harness.submit("d", gpus: 4, workers: 1)
        #expect(harness.placement(of: "c")?.cost.price == 8000 && harness.placement(of: "d")?.cost.price == 4000)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("A change that the nodes cannot follow is refused while jobs hold some of the pool, and changes nothing")
    func incompatible() {
        var harness = Self.harness()
        harness.submit("a")
        let digest = harness.engine.state.digest
        var specs = [PoolSpec.sample("p", nodes: 1), .sample("p", nodes: 3), .sample("p", nodes: 2, gpus: 4)]
        specs.append(.sample("p", nodes: 2, accelerator: "b200"))
        specs.append(.sample("p", nodes: 2, provider: "gcp"))
        specs.append(.sample("p", nodes: 2, region: "west"))
        for spec in specs {
            let outcome = harness.run(.putPool(spec))
            if case .refused(.poolInUse("p", 1)) = outcome {} else { Issue.record("\(outcome)") }
        }
        #expect(harness.engine.state.digest == digest)
    }

    @Test("Without jobs it takes a new slot, keeps node states by name, and ended jobs still name the old nodes")
    func replacement() throws {
        var harness = Self.harness()
        harness.submit("old", workers: 2)
        harness.complete("old")
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .drain))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .down))
        let outcome = harness.run(.putPool(.sample("p", nodes: 3, gpus: 4)))
        guard case .pool(PoolSlot(1), created: false) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let state = harness.engine.state
        #expect(state.pools[0].isDeleted && !state.pools[1].isDeleted)
        #expect(state.slot(named: "p") == PoolSlot(1))
        #expect(state.pools[1].nodeStates == [.down, .draining, .ready])
        #expect(state.pools[0].nodeStates == [.ready, .ready])
        let placement = try #require(state.jobs["old"]?.life.placement)
        #expect(placement.parts.map(\.pool) == [PoolSlot(0)])
        #expect(state[PoolSlot(0)].layout.name(ofNode: 1) == "b00/d000/n01")
        harness.submit("new", gpus: 4, workers: 1)
        #expect(harness.placement(of: "new")?.parts.map(\.pool) == [PoolSlot(1)])
        #expect(harness.engine.state.jobs["new"]?.life.placement?.runs.first?.node == 2)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("A deleted pool takes no work and its name is free for another")
    func deletion() {
        var harness = Self.harness()
        harness.submit("a")
        harness.complete("a")
        harness.run(.deletePool(name: "p"))
        harness.submit("b")
        #expect(harness.state(of: "b") == .queued)
        if case .refused(.poolNotFound("p")) = harness.run(.deletePool(name: "p")) {
        } else {
            Issue.record("deleted twice")
        }
        guard case .pool(PoolSlot(1), created: true) = harness.run(.putPool(.sample("p"))) else {
            Issue.record("the name is not free")
            return
        }
        #expect(harness.state(of: "b") == .placed)
    }

    @Test("Slots run out by name of their limit")
    func slots() {
        var harness = EngineHarness()
        for number in 0..<Bounds.poolSlots { harness.run(.putPool(.sample("p\(number)", nodes: 1))) }
        let digest = harness.engine.state.digest
        for spec in [PoolSpec.sample("more"), .sample("p0", nodes: 2, gpus: 4)] {
            let outcome = harness.run(.putPool(spec))
            if case .refused(.limitReached("poolSlots", Bounds.poolSlots)) = outcome {
            } else {
                Issue.record("\(outcome)")
            }
        }
        #expect(harness.engine.state.digest == digest)
        if case .pool(PoolSlot(0), false) = harness.run(.putPool(.sample("p0", nodes: 1, price: 1))) {
        } else {
            Issue.record("a known pool cannot change its price")
        }
    }
}
