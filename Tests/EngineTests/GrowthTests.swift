// Elastic gangs that grow into room that nobody else wants: when, how far, and what keeps them from it.

import Engine
import Model
import TestKit
import Testing

@Suite struct GrowthTests {
    /// A pool of 2 blocks x 2 domains x 4 nodes of 8 GPUs.
    static func harness(
        interval: Int = 100, domains: Int = 2, _ change: (inout EngineSettings) -> Void = { _ in }
    ) -> EngineHarness {
        RepairTests.harness(domains: domains) {
            $0.resizeIntervalSeconds = interval
            change(&$0)
        }
    }

    static func fill(_ nodes: Int, _ harness: inout EngineHarness) {
        harness.submit("filler", workers: nodes)
        harness.run(.start(id: "filler"))
    }

    static func workers(_ id: String, _ harness: borrowing EngineHarness) -> Int {
        harness.placement(of: id)?.workerCount ?? 0
    }

    /// An elastic gang of two nodes and up to `most` that found no more than two.
    static func small(
        _ most: Int, _ harness: inout EngineHarness, scope: Tier = .pool, _ change: (inout JobSpec) -> Void = { _ in }
    ) {
        fill(14, &harness)
        RepairTests.run("e", &harness, nodes: 2, most: most, scope: scope, change)
    }

    @Test("A gang keeps its size for the interval, then takes what is idle, with its workers where they were")
    func afterTheInterval() throws {
        var harness = Self.harness()
        Self.small(6, &harness)
        #expect(Self.workers("e", harness) == 2)
        let before = RepairTests.nodes("e", harness)
        harness.run(.finish(id: "filler", end: .succeeded, message: ""))
        #expect(Self.workers("e", harness) == 2)
        let due = harness.engine.nextDeadline
        let placedAt = try RepairTests.life("e", harness).placedAt
        #expect(due != nil && due == placedAt?.adding(seconds: 100))
        harness.run(.resume, afterSeconds: 90)
        #expect(Self.workers("e", harness) == 2)
        harness.run(.resume, afterSeconds: 10)
        #expect(Self.workers("e", harness) == 6)
        let after = RepairTests.nodes("e", harness)
        #expect(Array(after.prefix(2)) == before && Set(after).count == 6)
        #expect(harness.state(of: "e") == .running)
        let life = try RepairTests.life("e", harness)
        #expect(life.resizedAt == harness.clock.now)
        let work = harness.engine.work
        #expect(work.growths == 1 && work.grownWorkers == 4)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
        // It has its most and is not looked at again.
        let isQuiet = harness.engine.nextDeadline == nil && !harness.engine.hasPendingWork
        #expect(isQuiet)
    }

    @Test("A gang grows at most once in the interval, and with interval zero never")
    func onceInTheInterval() {
        var harness = Self.harness()
        Self.small(16, &harness)
        harness.run(.resume, afterSeconds: 200)
        #expect(Self.workers("e", harness) == 2)
        // One that is done with makes room as soon as it goes.
        harness.run(.finish(id: "filler", end: .succeeded, message: ""))
        #expect(Self.workers("e", harness) == 16)
        var two = Self.harness()
        two.submit("a", workers: 7)
        two.submit("b", workers: 7)
        for id in ["a", "b"] { two.run(.start(id: id)) }
        RepairTests.run("e", &two, nodes: 2, most: 16)
        two.run(.finish(id: "a", end: .succeeded, message: ""), afterSeconds: 200)
        #expect(Self.workers("e", two) == 9)
        two.run(.finish(id: "b", end: .succeeded, message: ""), afterSeconds: 50)
        #expect(Self.workers("e", two) == 9)
        two.run(.resume, afterSeconds: 50)
        #expect(Self.workers("e", two) == 16)
        var never = Self.harness(interval: 0)
        Self.small(16, &never)
        never.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 10_000)
        never.run(.resume, afterSeconds: 10_000)
        #expect(Self.workers("e", never) == 2)
    }

    @Test("While a job waits that the pool could hold nobody grows, and once it is gone they do")
    func whileOthersWait() {
        var harness = Self.harness { $0.reservations = 0 }
        Self.small(6, &harness)
        harness.submit("large", workers: 15)
        harness.run(.finish(id: "filler", end: .succeeded, message: ""))
        #expect(harness.state(of: "large") == .queued)
        harness.run(.resume, afterSeconds: 200)
        #expect(Self.workers("e", harness) == 2)
        // What no pool can ever hold keeps nobody from growing.
        harness.submit("huge", workers: 17)
        harness.run(.cancel(id: "large"))
        #expect(harness.state(of: "huge") == .queued)
        #expect(Self.workers("e", harness) == 6)
    }

    @Test("A gang grows no further than its scope, its preferred tier, and with whole segments")
    func asFarAsItMay() {
        for (scope, preferred, most) in [(.domain, nil, 4), (.block, nil, 8), (.pool, .block, 8), (.pool, nil, 16)]
            as [(Tier, Tier?, Int)]
        {
            var harness = Self.harness()
            Self.small(16, &harness, scope: scope) { $0.scope = Scope(scope, preferred: preferred) }
            harness.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 200)
            #expect(Self.workers("e", harness) == most, "\(scope) \(String(describing: preferred))")
        }
        // Domains of five nodes hold one segment of three each.
        var harness = EngineHarness(settings: Self.harness().engine.settings)
        harness.run(.putPool(.sample("p", blocks: 1, domains: 3, nodes: 5)))
        harness.submit("filler", workers: 12)
        harness.run(.start(id: "filler"))
        harness.submit(
            "s",
            [WorkerGroup(count: 3, maxCount: 12, demand: Demand(gpus: 8), segment: Segment(size: 3, tier: .domain))])
        #expect(Self.workers("s", harness) == 3)
        harness.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 200)
        #expect(Self.workers("s", harness) == 9)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("Quota bounds growth, and more quota lets it go on")
    func quota() {
        var harness = Self.harness()
        harness.run(.putTenant(TenantSpec(path: "t", quotas: [TenantTests.gpus(32, borrow: 0)])))
        Self.small(16, &harness) { $0.tenant = "t" }
        harness.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 200)
        #expect(Self.workers("e", harness) == 4)
        harness.run(.resume, afterSeconds: 200)
        #expect(Self.workers("e", harness) == 4)
        harness.run(.putTenant(TenantSpec(path: "t", quotas: [TenantTests.gpus(64, borrow: 0)])))
        #expect(Self.workers("e", harness) == 8)
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test(
        "What a gang grew by is taken back for a higher claim, and it does not take it again before the interval is over"
    )
    func takenBack() throws {
        var harness = Self.harness { $0.preemptionGraceSeconds = 0 }
        Self.small(16, &harness)
        harness.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 200)
        #expect(Self.workers("e", harness) == 16)
        harness.submit("urgent", workers: 10, priority: 5)
        harness.settle()
        harness.run(.resume)
        #expect(harness.state(of: "urgent") == .placed)
        #expect(Self.workers("e", harness) == 2)
        harness.complete("urgent")
        #expect(Self.workers("e", harness) == 2)
        harness.run(.resume, afterSeconds: 100)
        #expect(Self.workers("e", harness) == 16)
    }

    @Test("Cordoned nodes and spares stay free")
    func closedNodes() {
        var harness = RepairTests.harness(spares: 1) { $0.resizeIntervalSeconds = 100 }
        harness.submit("filler", workers: 10)
        harness.run(.start(id: "filler"))
        RepairTests.run("e", &harness, nodes: 2, most: 16)
        let name = harness.engine.state.pools[0].layout.name(
            ofNode: harness.placement(of: "filler")?.runs[0].nodes.lowerBound ?? 0)
        harness.run(.changeNode(pool: "p", node: name, action: .cordon))
        harness.run(.finish(id: "filler", end: .succeeded, message: ""), afterSeconds: 200)
        // Twelve nodes are no spares, and one of them is cordoned.
        #expect(Self.workers("e", harness) == 11)
        harness.run(.changeNode(pool: "p", node: name, action: .uncordon), afterSeconds: 200)
        #expect(Self.workers("e", harness) == 12)
    }

    @Test("A restarted engine lets the same gangs grow at the same time")
    func afterRestart() throws {
        var harness = Self.harness()
        Self.small(6, &harness)
        harness.run(.finish(id: "filler", end: .succeeded, message: ""))
        var again = try EngineHarness(
            image: harness.engine.state.image, settings: harness.engine.settings, clock: harness.clock)
        let (due, sameDue) = (harness.engine.nextDeadline, again.engine.nextDeadline)
        #expect(due != nil && due == sameDue)
        harness.run(.resume, afterSeconds: 100)
        again.run(.resume, afterSeconds: 100)
        #expect(Self.workers("e", harness) == 6)
        let (last, sameLast) = (harness.transactions.last, again.transactions.last)
        #expect(last == sameLast)
    }
}
