// Who is next: tenants by what they hold and lately held over their weight, and priority that grows by waiting.

import Engine
import Model
import TestKit
import Testing

@Suite struct FairShareTests {
    /// A full pool of eight nodes, held by `filler`, and a queue behind it: three jobs of each tenant, one tenant's before the
    /// other's.
    static func contended(_ tenants: [TenantSpec] = [], jobs: Int = 3, settings: EngineSettings = EngineSettings())
        -> EngineHarness
    {
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 8)))
        for tenant in tenants { harness.run(.putTenant(tenant)) }
        harness.submit("filler", workers: 8)
        for tenant in ["a", "b"] {
            for number in 0..<jobs {
                harness.submit("\(tenant)\(number)", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) {
                    $0.tenant = tenant
                }
            }
        }
        return harness
    }

    /// The ids placed by the last transaction, in order.
    static func placed(_ harness: borrowing EngineHarness) -> [String] {
        harness.transactions.last?.facts.compactMap { fact in
            guard case .jobPlaced(let number, _) = fact else { return nil }
            return harness.engine.state.jobs[number]?.id
        } ?? []
    }

    @Test("Equal tenants alternate, whoever came first")
    func alternate() {
        var harness = Self.contended()
        harness.run(.cancel(id: "filler"))
        #expect(Self.placed(harness) == ["a0", "b0", "a1", "b1", "a2", "b2"])
    }

    @Test("A tenant of twice the weight gets twice as much")
    func weights() {
        var harness = Self.contended([TenantSpec(path: "b", weight: 2)], jobs: 8)
        harness.run(.cancel(id: "filler"))
        let placed = Self.placed(harness)
        #expect(placed.count == 8)
        #expect(5...6 ~= placed.count { $0.hasPrefix("b") })
    }

    @Test("What a tenant held lately counts against it and fades")
    func memory() {
        func first(afterDays days: Int64) -> String? {
            var harness = EngineHarness()
            harness.run(.putPool(.sample("p", nodes: 8)))
            harness.submit("past", [WorkerGroup(count: 8, demand: Demand(gpus: 8))]) { $0.tenant = "a" }
            harness.run(.resume, afterSeconds: 10 * 86_400)
            harness.run(.cancel(id: "past"))
            harness.submit("little", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "b" }
            harness.run(.resume, afterSeconds: 86_400)
            harness.run(.cancel(id: "little"))
            harness.run(.resume, afterSeconds: days * 86_400)
            harness.submit("filler", workers: 8)
            for tenant in ["a", "b"] {
                harness.submit(tenant, [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = tenant }
            }
            harness.run(.cancel(id: "filler"))
            return Self.placed(harness).first
        }
        #expect(first(afterDays: 1) == "b")
        #expect(first(afterDays: 40) == "b")
        // After so many half-lives nothing is left of either, and who came first is first.
        #expect(first(afterDays: 7 * 60) == "a")
    }

    @Test("In a tree shares are compared level by level")
    func tree() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 8)))
        harness.submit("busy", [WorkerGroup(count: 2, demand: Demand(gpus: 8))]) { $0.tenant = "lab/x" }
        harness.submit("ops", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "ops" }
        harness.submit("filler", workers: 5)
        // The lab as a whole holds more than ops, though lab/y holds nothing.
        for tenant in ["lab/x", "lab/y", "ops"] {
            harness.submit("next-" + tenant.replacing("/", with: "-"), [WorkerGroup(count: 1, demand: Demand(gpus: 8))])
            {
                $0.tenant = tenant
            }
        }
        harness.run(.cancel(id: "filler"))
        #expect(Self.placed(harness) == ["next-ops", "next-lab-y", "next-lab-x"])
    }

    @Test("Dear GPUs count more than cheap ones, CPU counts where a tenant takes mostly CPU")
    func dominantShare() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("cheap", nodes: 8, price: 1000)))
        harness.run(.putPool(.sample("dear", nodes: 8, accelerator: "b200", price: 9000)))
        func share(_ tenant: String) -> UInt64 {
            guard let slot = harness.engine.state.tenants.slot(of: tenant) else { return 0 }
            return harness.engine.state.tenantReadings([slot], at: harness.clock.now)[0].shareMillionths
        }
        for (tenant, accelerator) in [("c", "h100"), ("d", "b200")] {
            harness.submit(tenant, [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) {
                $0.tenant = tenant
                $0.accelerators = [Accelerator(accelerator)]
            }
        }
        // By price a dear node is nine of eighty, a cheap one's CPU is one of sixteen; half of each counts as held now.
        #expect(56_200...56_250 ~= share("d"))
        #expect(31_249...31_250 ~= share("c"))
        harness.submit("e", [WorkerGroup(count: 1, demand: Demand(gpus: 0, cpuMillis: 64_000))]) { $0.tenant = "e" }
        #expect(31_249...31_250 ~= share("e"))
    }

    @Test("Waiting wins points of priority, a bounded number of them")
    func aging() {
        var settings = EngineSettings()
        settings.agingSeconds = 100
        settings.agingPoints = 5
        for (priority, seconds, first) in [(3, 250, "new"), (3, 450, "old"), (5, 10_000, "old"), (6, 10_000, "new")] {
            var harness = EngineHarness(settings: settings)
            harness.run(.putPool(.sample("p", nodes: 8)))
            harness.submit("filler", workers: 8)
            harness.submit("old")
            harness.run(.resume, afterSeconds: Int64(seconds))
            harness.submit("new", priority: priority)
            harness.run(.cancel(id: "filler"))
            #expect(Self.placed(harness).first == first, "\(priority) \(seconds)")
        }
    }
}
