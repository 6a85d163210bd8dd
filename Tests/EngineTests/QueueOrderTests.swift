// The order of the queue and overtaking as settings: by arrival, by priority, and nobody before one that does not fit.

import Engine
import Model
import TestKit
import Testing

@Suite struct QueueOrderTests {
    private func harness(_ order: QueueOrder, overtaking: Bool) -> EngineHarness {
        var settings = EngineSettings()
        settings.order = order
        settings.overtaking = overtaking
        settings.agingSeconds = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 4)))
        return harness
    }

    /// The jobs in the order in which they are placed, each ended after an hour and before the next.
    private func order(_ harness: inout EngineHarness, _ ids: [String]) -> [String] {
        var placed: [String] = []
        while let next = ids.first(where: { harness.state(of: $0) == .placed }) {
            placed.append(next)
            harness.run(.cancel(id: next), afterSeconds: 3600)
            harness.settle()
        }
        return placed
    }

    @Test("By arrival neither priority nor share counts")
    func arrival() {
        var harness = harness(.arrival, overtaking: true)
        harness.submit("a", workers: 4)
        harness.submit("b", workers: 4)
        harness.submit("c", workers: 4, priority: 900)
        harness.submit("other", [WorkerGroup(count: 4, demand: Demand(gpus: 8))]) { $0.tenant = "other" }
        harness.submit("shape", workers: 3, priority: 900)
        #expect(order(&harness, ["a", "b", "c", "other", "shape"]) == ["a", "b", "c", "other", "shape"])
    }

    @Test("By priority the share does not count, and arrival decides among equals")
    func priority() {
        for order in [QueueOrder.priority, .full] {
            var harness = harness(order, overtaking: true)
            harness.submit("a", workers: 4)
            harness.submit("b", workers: 4)
            harness.submit("c", workers: 4, priority: 1)
            harness.submit("other", [WorkerGroup(count: 4, demand: Demand(gpus: 8))]) { $0.tenant = "other" }
            let found = self.order(&harness, ["a", "b", "c", "other"])
            #expect(found == (order == .full ? ["a", "c", "other", "b"] : ["a", "c", "b", "other"]))
        }
    }

    @Test("Without overtaking a job that does not fit stops all behind it, whatever their shape and whenever they come")
    func strict() {
        for overtaking in [false, true] {
            var harness = harness(.arrival, overtaking: overtaking)
            harness.submit("running", workers: 3)
            harness.submit("head", workers: 2)
            harness.submit("small")
            harness.submit("smaller", gpus: 1)
            #expect(harness.state(of: "small") == (overtaking ? .placed : .queued))
            #expect(harness.state(of: "smaller") == .queued)
            harness.submit("late", gpus: 1)
            // A release that is too small for the head is nobody's.
            harness.run(.changeNode(pool: "p", node: "b00/d000/n03", action: .cordon))
            harness.run(.changeNode(pool: "p", node: "b00/d000/n03", action: .uncordon))
            #expect(harness.state(of: "late") == .queued)
            let isPending = harness.engine.hasPendingWork
            #expect(!isPending)
            harness.run(.cancel(id: "running"))
            for id in ["head", "small", "smaller", "late"] { #expect(harness.state(of: id) == .placed, "\(id)") }
        }
    }

    @Test("What a tenant's rules keep out holds nobody up, even without overtaking")
    func barred() {
        var harness = harness(.arrival, overtaking: false)
        harness.run(.putTenant(TenantSpec(path: "full", maxRunningJobs: 0)))
        harness.submit("barred", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "full" }
        harness.submit("next")
        #expect(harness.state(of: "barred") == .queued)
        #expect(harness.state(of: "next") == .placed)
    }

    @Test("A batch is placed in order where the order is not the service's own")
    func batch() {
        for overtaking in [false, true] {
            var harness = harness(.arrival, overtaking: overtaking)
            func job(_ id: String, _ workers: Int) -> JobSpec {
                JobSpec(id: id, workers: [WorkerGroup(count: workers, demand: Demand(gpus: 8))])
            }
            harness.run(.submitBatch([job("one", 1), job("five", 5), job("four", 4), job("two", 2)]))
            #expect(harness.state(of: "one") == .placed)
            #expect(harness.state(of: "four") == .queued)
            #expect(harness.state(of: "two") == (overtaking ? .placed : .queued))
        }
    }
}
