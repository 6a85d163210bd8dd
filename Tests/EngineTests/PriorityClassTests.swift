// Priority classes: what a job takes from one, when, and what becomes of it when the class changes.

import Engine
import Model
import TestKit
import Testing

@Suite struct PriorityClassTests {
    static func put(_ name: String, _ value: Int, to harness: inout EngineHarness) -> Outcome {
        harness.run(
            .putPriorityClass(
                PriorityClass(name: name, value: value, preemption: .never, minRuntimeSeconds: 60)))
    }

    @Test("Jobs are ordered by the value that their class had when they came, alone and in batches")
    func order() {
        for isBatch in [false, true] {
            var harness = GateTests.harness()
            _ = Self.put("low", 1, to: &harness)
            _ = Self.put("high", 900, to: &harness)
            harness.submit("full", workers: 4)
            let group = WorkerGroup(count: 4, demand: Demand(gpus: 8))
            let specs = [("a", "low", 0), ("b", "", 500), ("c", "high", 0), ("d", "", 901)].map {
                JobSpec(id: $0.0, priority: $0.2, priorityClass: $0.1, workers: [group])
            }
            if isBatch {
                harness.run(.cancel(id: "full"))
                harness.run(.submitBatch(specs))
            } else {
                for spec in specs { harness.run(.submit(spec)) }
            }
            // What comes later is no matter of theirs.
            _ = Self.put("high", 0, to: &harness)
            _ = Self.put("low", 1000, to: &harness)
            if !isBatch { harness.run(.cancel(id: "full")) }
            for id in ["d", "c", "b", "a"] {
                #expect(harness.state(of: id) == .placed, "\(id) \(isBatch)")
                harness.run(.cancel(id: id))
            }
        }
    }

    @Test("A job keeps what its class said: priority, preemption and least run time")
    func kept() {
        var harness = GateTests.harness()
        _ = Self.put("c", 7, to: &harness)
        _ = GateTests.submit("a", to: &harness) { $0.priorityClass = "c" }
        harness.run(.putPriorityClass(PriorityClass(name: "c", value: 9)))
        _ = GateTests.submit("b", to: &harness) { $0.priorityClass = "c" }
        let lives = ["a", "b"].compactMap { harness.engine.state.jobs[$0]?.life }
        #expect(lives.map(\.priority) == [7, 9])
        #expect(lives.map(\.preemption) == [.never, .lower])
        #expect(lives.map(\.minRuntimeSeconds) == [60, 0])
    }

    @Test("A class is put once, is not deleted while jobs that have not ended name it, and there are so many at most")
    func life() {
        var harness = GateTests.harness { $0.limits.priorityClasses = 2 }
        #expect(harness.facts(of: .putPriorityClass(PriorityClass(name: "c", value: 1))).count == 1)
        #expect(harness.facts(of: .putPriorityClass(PriorityClass(name: "c", value: 1))).isEmpty)
        _ = Self.put("b", 2, to: &harness)
        #expect(
            GateTests.refusal(Self.put("a", 3, to: &harness)) == .limitReached(name: "limits.priorityClasses", limit: 2)
        )
        #expect(GateTests.refusal(Self.put("b", 3, to: &harness)) == nil)
        #expect(harness.engine.state.priorityClasses.map(\.spec.name) == ["b", "c"])
        _ = GateTests.submit("queued", to: &harness, workers: 9) { $0.priorityClass = "c" }
        _ = GateTests.submit("runs", to: &harness) { $0.priorityClass = "c" }
        #expect(
            GateTests.refusal(harness.run(.deletePriorityClass(name: "c"))) == .priorityClassInUse(name: "c", jobs: 2))
        harness.complete("runs")
        harness.run(.cancel(id: "queued"))
        #expect(GateTests.refusal(harness.run(.deletePriorityClass(name: "c"))) == nil)
        #expect(GateTests.refusal(harness.run(.deletePriorityClass(name: "c"))) == .priorityClassNotFound(name: "c"))
        #expect(harness.engine.state.priorityClass(named: "b")?.spec.value == 3)
    }
}
