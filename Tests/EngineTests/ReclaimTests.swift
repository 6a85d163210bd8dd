// Preemption between tenants: what was lent is taken back by its owner, and smaller shares come before larger ones.

import Engine
import Model
import TestKit
import Testing

@Suite struct ReclaimTests {
    /// Eight nodes of eight GPUs, without grace.
    static func harness(_ tenants: [TenantSpec] = []) -> EngineHarness {
        var harness = PreemptionTests.harness(nodes: 8, grace: 0)
        for tenant in tenants { harness.run(.putTenant(tenant)) }
        return harness
    }

    static func halves(lend: Int64? = nil) -> [TenantSpec] {
        ["a", "b"].map { TenantSpec(path: $0, quotas: [TenantTests.gpus(32, lend: lend)]) }
    }

    static func fill(_ tenant: String, _ jobs: Int, _ harness: inout EngineHarness, priority: Int = 0) {
        for number in 0..<jobs {
            let spec = JobSpec(
                id: "\(tenant.replacing("/", with: "-"))\(number)", tenant: tenant, priority: priority,
                workers: [WorkerGroup(count: 1, demand: Demand(gpus: 8))], isPreemptible: true)
            // All at one moment: of what is past nothing counts.
            harness.run(.submit(spec), afterSeconds: 0)
        }
    }

    static func holding(_ tenant: String, _ harness: borrowing EngineHarness) -> Int {
        let state = harness.engine.state
        return state.tenants.slot(of: tenant).map { Int(state.tenants[$0].usage.gpuMilli / 8000) } ?? 0
    }

    @Test("An owner takes back what it lent, whatever the priority of those who borrowed it, and no more")
    func reclaim() {
        var harness = Self.harness(Self.halves())
        Self.fill("b", 8, &harness, priority: 900)
        #expect(Self.holding("b", harness) == 8)
        Self.fill("a", 6, &harness)
        #expect(Self.holding("a", harness) == 4)
        #expect(Self.holding("b", harness) == 4)
        #expect(harness.engine.work.preemptions[Int(PreemptionKind.reclaim.rawValue)] == 4)
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("Who would borrow takes nothing from a tenant within its own quota, whatever its priority")
    func borrowersYield() {
        var harness = Self.harness(Self.halves())
        Self.fill("a", 4, &harness)
        Self.fill("b", 4, &harness)
        PreemptionTests.submit("more", &harness, priority: 900, tenant: "b")
        // Of its own tenant's it takes one.
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [4, 4])
        #expect(harness.state(of: "more") == .placed)
        var other = Self.harness(Self.halves())
        Self.fill("a", 5, &other)
        Self.fill("b", 3, &other, priority: 900)
        PreemptionTests.submit("own", &other, priority: 900, tenant: "b")
        #expect([Self.holding("a", other), Self.holding("b", other)] == [4, 4])
    }

    @Test("What was borrowed and is not preemptible stays until it ends")
    func notPreemptible() {
        var harness = Self.harness(Self.halves())
        for number in 0..<8 {
            PreemptionTests.submit("b\(number)", &harness, tenant: "b", preemptible: false)
        }
        Self.fill("a", 1, &harness)
        #expect(Self.holding("a", harness) == 0)
    }

    @Test("Who would borrow reclaims nothing")
    func borrowersReclaimNothing() {
        var harness = Self.harness(Self.halves())
        Self.fill("b", 5, &harness, priority: 5)
        Self.fill("a", 3, &harness)
        PreemptionTests.submit("large", &harness, nodes: 2, tenant: "a")
        #expect(harness.state(of: "large") == .queued)
        PreemptionTests.submit("small", &harness, tenant: "a")
        #expect(harness.state(of: "small") == .placed)
    }

    @Test("Of several that borrowed, the one that borrowed most gives back first")
    func mostBorrowed() {
        var harness = Self.harness([
            TenantSpec(path: "a", quotas: [TenantTests.gpus(48)]),
            TenantSpec(path: "b", quotas: [TenantTests.gpus(8)]),
            TenantSpec(path: "c", quotas: [TenantTests.gpus(8)]),
        ])
        // Of b more is lost than of c.
        Self.fill("b", 5, &harness)
        for number in 0..<5 { harness.run(.start(id: "b\(number)")) }
        Self.fill("c", 3, &harness)
        Self.fill("a", 2, &harness)
        #expect([Self.holding("b", harness), Self.holding("c", harness)] == [3, 3])
        Self.fill("a", 6, &harness)
        #expect([Self.holding("a", harness), Self.holding("b", harness), Self.holding("c", harness)] == [6, 1, 1])
    }

    @Test("A team within its quota reclaims for whom it pleases, and below a team everyone for themselves")
    func teams() {
        var harness = Self.harness([
            TenantSpec(path: "a", quotas: [TenantTests.gpus(32)]),
            TenantSpec(path: "b", quotas: [TenantTests.gpus(32)]),
        ])
        Self.fill("b/x", 8, &harness, priority: 9)
        #expect(Self.holding("b/x", harness) == 8)
        Self.fill("a/y", 5, &harness)
        #expect([Self.holding("a/y", harness), Self.holding("b/x", harness)] == [4, 4])
    }

    @Test("Among equal priority the smaller share takes from the larger, and a tie keeps what runs")
    func fairShare() {
        var harness = Self.harness()
        Self.fill("a", 8, &harness)
        Self.fill("b", 8, &harness)
        // Another one would make it four to four.
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [5, 3])
        harness.run(.resume, afterSeconds: 0)
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [5, 3])
    }

    @Test("A tenant within its own quota is no victim of shares, whatever its share")
    func withinNominal() {
        var harness = Self.harness([TenantSpec(path: "a", quotas: [TenantTests.gpus(48)])])
        Self.fill("a", 8, &harness)
        Self.fill("b", 8, &harness)
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [6, 2])
    }

    @Test("A larger weight takes more before shares are even")
    func weights() {
        var harness = Self.harness([TenantSpec(path: "b", weight: 3)])
        Self.fill("a", 8, &harness)
        Self.fill("b", 8, &harness)
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [3, 5])
    }

    @Test("Jobs that come while others leave count what those give back and what is kept")
    func burst() {
        var harness = PreemptionTests.harness(nodes: 8, grace: 30)
        for tenant in Self.halves() { harness.run(.putTenant(tenant)) }
        Self.fill("b", 8, &harness, priority: 900)
        Self.fill("a", 6, &harness)
        #expect(harness.engine.state.count(of: .preempting) == 4)
        harness.run(.resume, afterSeconds: 30)
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [4, 4])
        #expect(harness.engine.work.preemptions.reduce(0, +) == 4)
        var shares = PreemptionTests.harness(nodes: 8, grace: 30)
        Self.fill("a", 8, &shares)
        Self.fill("b", 8, &shares)
        #expect(shares.engine.state.count(of: .preempting) == 3)
        var limited = PreemptionTests.harness(nodes: 8, grace: 30)
        limited.run(.putTenant(TenantSpec(path: "a", quotas: [TenantTests.gpus(16, borrow: 0)])))
        Self.fill("b", 8, &limited)
        Self.fill("a", 4, &limited, priority: 5)
        #expect(limited.engine.state.count(of: .preempting) == 2)
        limited.run(.resume, afterSeconds: 30)
        #expect([Self.holding("a", limited), Self.holding("b", limited)] == [2, 6])
    }

    @Test("Quota that a victim gave back is kept for the owner with the place")
    func quotaIsKept() {
        var harness = PreemptionTests.harness(nodes: 8, grace: 30)
        for tenant in Self.halves() { harness.run(.putTenant(tenant)) }
        Self.fill("b", 7, &harness)
        PreemptionTests.submit("gang", &harness, nodes: 3, tenant: "a")
        #expect(harness.engine.state.count(of: .preempting) == 2)
        for id in ["b5", "b6"] where harness.state(of: id) == .preempting {
            harness.run(.stopped(id: id))
            PreemptionTests.submit("late-\(id)", &harness, tenant: "b")
        }
        harness.run(.resume, afterSeconds: 30)
        #expect(harness.state(of: "gang") == .placed)
        #expect([Self.holding("a", harness), Self.holding("b", harness)] == [3, 5])
    }
}
