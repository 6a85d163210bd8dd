// Gangs that lose workers with their nodes: who stays, where others are found, and what becomes of those for whom none are.

import Engine
import Model
import TestKit
import Testing

@Suite struct RepairTests {
    /// A pool of 2 blocks x 2 domains x 4 nodes of 8 GPUs.
    static func harness(
        blocks: Int = 2, domains: Int = 2, nodes: Int = 4, spares: Int = 0,
        _ change: (inout EngineSettings) -> Void = { _ in }
    ) -> EngineHarness {
        var settings = EngineSettings()
        change(&settings)
        var harness = EngineHarness(settings: settings)
        var pool = PoolSpec.sample("p", blocks: blocks, domains: domains, nodes: nodes)
        pool.sparesPerDomain = spares
        harness.run(.putPool(pool))
        return harness
    }

    /// Submits a gang of whole nodes and starts it.
    static func run(
        _ id: String, _ harness: inout EngineHarness, nodes: Int, most: Int? = nil, scope: Tier = .pool,
        _ change: (inout JobSpec) -> Void = { _ in }
    ) {
        harness.submit(id, [WorkerGroup(count: nodes, maxCount: most, demand: Demand(gpus: 8))]) {
            $0.scope = Scope(scope)
            change(&$0)
        }
        harness.run(.start(id: id))
    }

    /// The node of each worker.
    static func nodes(_ id: String, _ harness: borrowing EngineHarness) -> [Int] {
        harness.placement(of: id)?.runs.flatMap { Array($0.nodes) } ?? []
    }

    static func down(_ node: Int, _ harness: inout EngineHarness) {
        let name = harness.engine.state.pools[0].layout.name(ofNode: node)
        harness.run(.changeNode(pool: "p", node: name, action: .down))
    }

    static func up(_ node: Int, _ harness: inout EngineHarness) {
        let name = harness.engine.state.pools[0].layout.name(ofNode: node)
        harness.run(.changeNode(pool: "p", node: name, action: .up))
    }

    static func life(_ id: String, _ harness: borrowing EngineHarness) throws -> JobLife {
        try #require(harness.engine.state.jobs[id]).life
    }

    @Test("The workers that live stay, with their numbers, and another node of the domain takes over at once")
    func sameDomain() throws {
        var harness = Self.harness()
        Self.run("a", &harness, nodes: 3)
        let before = Self.nodes("a", harness)
        Self.down(before[1], &harness)
        let after = Self.nodes("a", harness)
        #expect(harness.state(of: "a") == .running)
        #expect(after[0] == before[0] && after[2] == before[2])
        #expect(after[1] != before[1] && after[1] / 4 == before[1] / 4)
        let life = try Self.life("a", harness)
        #expect(life.repairs == 1 && life.requeues == 0 && life.repairUntil == nil)
    }

    @Test("Spare nodes go first, whatever the job says")
    func spares() {
        var harness = Self.harness(spares: 1)
        Self.run("a", &harness, nodes: 2)
        let before = Self.nodes("a", harness)
        Self.down(before[0], &harness)
        #expect(Self.nodes("a", harness)[0] % 4 == 3 && Self.nodes("a", harness)[0] / 4 == before[0] / 4)
        let image = harness.engine.state.image
        #expect(throws: Never.self) { _ = try Engine(image: image) }
    }

    @Test("Where the domain is full the block is next, then the pool, as far as the scope allows")
    func outward() {
        for (scope, full, expected) in [
            (Tier.pool, 4, 4..<8), (.block, 4, 4..<8), (.pool, 8, 8..<16), (.block, 8, nil), (.domain, 4, nil),
        ] {
            var harness = Self.harness()
            Self.run("a", &harness, nodes: 4, scope: scope == .domain ? .domain : scope)
            let before = Self.nodes("a", harness)
            #expect(before == [0, 1, 2, 3])
            if full == 8 { Self.run("b", &harness, nodes: 4, scope: .domain) { $0.allow = PlaceList(pools: ["p"]) } }
            Self.down(2, &harness)
            let after = Self.nodes("a", harness)
            if let expected {
                #expect(
                    expected.contains(after[2]) && after[0] == 0 && after[1] == 1 && after[3] == 3, "\(scope) \(full)")
                #expect(harness.state(of: "a") == .running)
            } else {
                #expect(after == before && harness.state(of: "a") == .repairing, "\(scope) \(full)")
            }
        }
    }

    @Test("Where none is found until its time is up, the gang goes back to the queue without anyone's call")
    func late() throws {
        var harness = Self.harness(blocks: 1, domains: 1)
        Self.run("a", &harness, nodes: 4)
        Self.down(1, &harness)
        #expect(harness.state(of: "a") == .repairing)
        #expect(harness.engine.nextDeadline == harness.clock.now.adding(seconds: 60))
        harness.run(.resume, afterSeconds: 59)
        #expect(harness.state(of: "a") == .repairing)
        harness.run(.resume, afterSeconds: 1)
        #expect(harness.state(of: "a") == .queued)
        let life = try Self.life("a", harness)
        #expect(life.requeues == 1 && life.lastRequeue == .nodeDown && life.repairUntil == nil && life.repairs == 0)
        #expect(harness.engine.work.repairsGivenUp == 1)
    }

    @Test("A node that comes back makes the gang whole where it is")
    func back() {
        var harness = Self.harness(blocks: 1, domains: 1)
        Self.run("a", &harness, nodes: 4)
        let before = harness.placement(of: "a")
        Self.down(1, &harness)
        Self.down(2, &harness)
        Self.up(1, &harness)
        #expect(harness.state(of: "a") == .repairing)
        Self.up(2, &harness)
        #expect(harness.state(of: "a") == .running && harness.placement(of: "a") == before)
    }

    @Test("Repair goes before new work, however high its priority, and takes what is kept for it")
    func first() {
        var harness = Self.harness(blocks: 1, domains: 1, nodes: 4)
        Self.run("a", &harness, nodes: 2)
        Self.run("b", &harness, nodes: 2) { $0.maxRuntimeSeconds = 1000 }
        harness.submit("new", [WorkerGroup(count: 2, demand: Demand(gpus: 8))]) { $0.priority = 900 }
        #expect(harness.engine.state.jobs["new"]?.life.reservation != nil)
        let lost = Self.nodes("a", harness)[0]
        Self.down(lost, &harness)
        #expect(harness.state(of: "a") == .repairing)
        harness.run(.finish(id: "b", end: .succeeded, message: ""), afterSeconds: 5)
        #expect(harness.state(of: "a") == .running && harness.state(of: "new") == .queued)
        Self.up(lost, &harness)
        #expect(harness.state(of: "new") == .placed)
    }

    @Test("An elastic gang goes on with what it has when its time is up, if that is its least")
    func elastic() {
        for least in [2, 4] {
            var harness = Self.harness(blocks: 1, domains: 1, nodes: 4)
            Self.run("a", &harness, nodes: least, most: least == 4 ? 5 : 4)
            #expect(Self.nodes("a", harness).count == 4)
            Self.down(3, &harness)
            harness.run(.resume, afterSeconds: 60)
            #expect(harness.state(of: "a") == (least == 2 ? .running : .queued))
            if least == 2 { #expect(Self.nodes("a", harness) == [0, 1, 2]) }
        }
    }

    @Test("A gang that is lost whole, and any where no grace is given, goes back to the queue at once")
    func atOnce() {
        var harness = Self.harness(blocks: 1, domains: 1)
        Self.run("a", &harness, nodes: 4)
        harness.run(.changePlace(pool: "p", place: .pool, action: .down))
        #expect(harness.state(of: "a") == .queued)
        var hasty = Self.harness(blocks: 1, domains: 1) { $0.repairGraceSeconds = 0 }
        Self.run("a", &hasty, nodes: 4)
        Self.down(0, &hasty)
        #expect(hasty.state(of: "a") == .queued)
        var last = Self.harness(blocks: 1, domains: 1, nodes: 2)
        Self.run("a", &last, nodes: 2)
        Self.down(0, &last)
        #expect(last.state(of: "a") == .repairing)
        Self.down(1, &last)
        #expect(last.state(of: "a") == .queued)
    }

    @Test("Workers that share a node find others, each with its GPUs, and shares of a GPU do")
    func smallWorkers() {
        for demand in [Demand(gpus: 2), Demand(gpus: 1, gpuMilli: 500)] {
            var harness = EngineHarness()
            var pool = PoolSpec.sample("p", nodes: 3)
            pool.allowsGPUShares = true
            harness.run(.putPool(pool))
            harness.submit("a", [WorkerGroup(count: 6, demand: demand, spread: Spread(workersPerNode: 3))])
            harness.run(.start(id: "a"))
            let before = harness.placement(of: "a")
            Self.down(Self.nodes("a", harness)[0], &harness)
            #expect(harness.state(of: "a") == .running, "\(demand)")
            let after = harness.placement(of: "a")
            #expect(after?.workerCount == 6 && after != before, "\(demand) \(String(describing: before))")
            let fault = harness.engine.firstDisagreement()
            #expect(fault == nil)
        }
    }

    @Test("Two bad nodes of five hundred cost the job nothing but their workers")
    func large() {
        var harness = Self.harness(blocks: 4, domains: 8, nodes: 18)
        Self.run("hero", &harness, nodes: 500)
        let before = Self.nodes("hero", harness)
        for worker in [17, 401] { Self.down(before[worker], &harness) }
        let after = Self.nodes("hero", harness)
        #expect(harness.state(of: "hero") == .running)
        #expect(zip(before, after).count { $0 != $1 } == 2 && Set(after).count == 500)
    }

    @Test("An exclusive gang stays alone in its domains")
    func exclusive() {
        var harness = Self.harness(blocks: 1, domains: 2)
        Self.run("a", &harness, nodes: 3, scope: .domain) { $0.exclusive = .domain }
        let before = Self.nodes("a", harness)
        Self.down(before[0], &harness)
        #expect(harness.state(of: "a") == .running && Set(Self.nodes("a", harness).map { $0 / 4 }) == [before[0] / 4])
        harness.submit("b", [WorkerGroup(count: 1, demand: Demand(gpus: 8))])
        #expect(Self.nodes("b", harness)[0] / 4 != before[0] / 4)
    }

    @Test("A restart in the middle changes nothing")
    func restart() throws {
        var live = Self.harness(blocks: 1, domains: 1)
        Self.run("a", &live, nodes: 4)
        Self.down(1, &live)
        var again = try EngineHarness(
            image: live.engine.state.image, settings: EngineSettings(), clock: live.clock)
        #expect(again.engine.nextDeadline == live.engine.nextDeadline)
        let name = live.engine.state.pools[0].layout.name(ofNode: 1)
        for command in [Command.resume, .changeNode(pool: "p", node: name, action: .up), .resume] {
            live.run(command, afterSeconds: 10)
            again.run(command, afterSeconds: 10)
        }
        #expect(live.state(of: "a") == .running && again.engine.state.digest == live.engine.state.digest)
    }
}
