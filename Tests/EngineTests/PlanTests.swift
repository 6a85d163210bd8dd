// Plans in situations built for them: what moves, what that loses and wins, and why nothing more does.

import Engine
import Model
import TestKit
import Testing

@Suite struct PlanTests {
    /// Domains of two nodes of eight GPUs. A pool has one block.
    static func harness(domains: Int = 3, _ change: (inout PoolSpec) -> Void = { _ in }) -> EngineHarness {
        var settings = EngineSettings()
        settings.searchPauseMilliseconds = 0
        var harness = EngineHarness(settings: settings)
        var pool = PoolSpec.sample("p", domains: domains, nodes: 2)
        change(&pool)
        harness.run(.putPool(pool))
        return harness
    }

    /// Places a gang of whole nodes on a domain of its own choice: fills all others meanwhile.
    @discardableResult
    static func put(
        _ id: String, nodes: Int = 1, on domain: Int, pool: String = "p", _ harness: inout EngineHarness,
        _ change: (inout JobSpec) -> Void = { _ in }
    ) -> JobState? {
        let layout = harness.engine.state.slot(named: pool).map { harness.engine.state[$0].layout }
        let others = (0..<(layout?.nodeCount ?? 0)).filter { layout?.domain(ofNode: $0) != domain }
        for node in others {
            harness.run(.changeNode(pool: pool, node: layout?.name(ofNode: node) ?? "", action: .cordon))
        }
        harness.submit(id, [WorkerGroup(count: nodes, demand: Demand(gpus: 8))]) {
            $0.allow.pools = [pool]
            change(&$0)
        }
        for node in others {
            harness.run(.changeNode(pool: pool, node: layout?.name(ofNode: node) ?? "", action: .uncordon))
        }
        return harness.state(of: id)
    }

    static func defragment(
        _ harness: borrowing EngineHarness, steps: Int = Bounds.planSteps,
        _ change: (inout DefragmentRequest) -> Void = { _ in }
    ) -> DefragmentPlan {
        var request = DefragmentRequest()
        change(&request)
        var planner = Planner(
            harness.engine.state, settings: harness.engine.settings, at: harness.clock.now, steps: steps)
        return planner.defragment(request)
    }

    static func evacuate(
        _ harness: borrowing EngineHarness, _ change: (inout EvacuationRequest) -> Void
    ) -> EvacuationPlan {
        var request = EvacuationRequest()
        change(&request)
        var planner = Planner(harness.engine.state, settings: harness.engine.settings, at: harness.clock.now)
        return planner.evacuate(request)
    }

    static func ids(_ plan: DefragmentPlan, _ harness: borrowing EngineHarness) -> [String] {
        plan.moves.map { harness.engine.state.jobs[$0.job]?.id ?? "?" }
    }

    static func domains(_ placement: Placement, _ harness: borrowing EngineHarness) -> [Int] {
        var domains: Set<Int> = []
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes {
                    domains.insert(harness.engine.state[part.pool].layout.domain(ofNode: node))
                }
            }
        }
        return domains.sorted()
    }

    static func notWon(_ plan: DefragmentPlan) -> [PlanObstacle: Int] {
        var counts: [PlanObstacle: Int] = [:]
        for obstacle in PlanObstacle.allCases where plan.notWon[Int(obstacle.rawValue)] > 0 {
            counts[obstacle] = plan.notWon[Int(obstacle.rawValue)]
        }
        return counts
    }

    // MARK: Defragment

    @Test("Of two half full domains the one with less work to lose is emptied into the other, and not into a free one")
    func least() {
        var harness = Self.harness()
        Self.put("old", on: 0, &harness)
        Self.put("new", on: 2, &harness)
        harness.run(.start(id: "old"))
        harness.run(.start(id: "new"), afterSeconds: 100)
        harness.run(.resume, afterSeconds: 3600)
        let plan = Self.defragment(harness)
        #expect(Self.ids(plan, harness) == ["new"] && plan.end == .nothingMore)
        #expect(plan.moves.map { Self.domains($0.to, harness) } == [[0]])
        #expect(plan.won == [DomainPlace(pool: PoolSlot(0), domain: 2)] && plan.freeBefore == 1)
        // An hour of eight GPUs.
        #expect(plan.lost == GPUTime(gpuHours: 8) && plan.lost.microGPUHours == 8_000_000)
        #expect(plan.costMicroUSDPerHour == 0)
        #expect(plan.basis.revision == harness.engine.state.revision && plan.basis.steps > 0)
        #expect(Self.notWon(plan) == [.jobMovedAlready: 1])
    }

    @Test("What has not started loses nothing, whatever it holds")
    func placed() {
        var harness = Self.harness()
        Self.put("running", on: 0, &harness)
        Self.put("placed", on: 1, &harness)
        harness.run(.start(id: "running"))
        harness.run(.resume, afterSeconds: 60)
        let plan = Self.defragment(harness)
        #expect(Self.ids(plan, harness) == ["placed"] && plan.lost == .zero)
    }

    @Test("A gang of several domains that moves wins all that it alone stood in, with one move")
    func several() {
        var harness = Self.harness(domains: 6)
        // Half of domains 0 to 3 each; two whole domains are free besides.
        for domain in 0..<4 { Self.put("s\(domain)", on: domain, &harness) }
        for domain in 0..<4 { Self.put("t\(domain)", on: domain, &harness) }
        harness.run(.cancel(id: "t0"))
        harness.run(.cancel(id: "t1"))
        harness.submit("wide", gpus: 8, workers: 4)
        #expect(Self.domains(harness.placement(of: "wide") ?? .none, harness) == [4, 5])
        harness.run(.cancel(id: "t2"))
        harness.run(.cancel(id: "t3"))
        for id in ["s0", "s1", "s2", "s3"] { harness.run(.start(id: id)) }
        // It would stand in four domains, where it stands in two.
        harness.run(.resume, afterSeconds: 100)
        #expect(Set(Self.ids(Self.defragment(harness), harness)).isDisjoint(with: ["wide"]))
        harness.run(.cancel(id: "wide"))
        let plan = Self.defragment(harness)
        #expect(plan.moves.count == 2 && plan.won.count == 2 && plan.freeBefore == 2)
    }

    @Test("Moves, work lost and domains are bounded as asked, and what that leaves out is told")
    func bounds() {
        var harness = Self.harness(domains: 4)
        for domain in 0..<4 { Self.put("j\(domain)", on: domain, &harness) }
        for domain in 0..<4 { harness.run(.start(id: "j\(domain)")) }
        harness.run(.resume, afterSeconds: 3600)
        #expect(Self.defragment(harness).moves.count == 2)
        let one = Self.defragment(harness) { $0.maxMoves = 1 }
        #expect(one.moves.count == 1 && Self.notWon(one)[.tooManyMoves] == 2)
        let wanted = Self.defragment(harness) { $0.wholeDomains = 1 }
        #expect(wanted.moves.count == 1 && wanted.end == .wholeDomainsWon && Self.notWon(wanted)[.notTried] == 2)
        let cheap = Self.defragment(harness) { $0.maxLost = GPUTime(gpuHours: 9) }
        #expect(cheap.moves.count == 1 && Self.notWon(cheap)[.tooMuchLost] == 2)
        let none = Self.defragment(harness) { $0.onlyPreemptible = true }
        #expect(none.moves.isEmpty && Self.notWon(none) == [.jobMayNotMove: 4] && none.end == .nothingMore)
        let givenUp = Self.defragment(harness, steps: 1)
        #expect(givenUp.moves.isEmpty && givenUp.end == .gaveUpSearching && givenUp.basis.steps >= 1)
    }

    @Test("Nothing moves to where it may not stand, and no domain is won that would not be whole")
    func places() {
        var harness = Self.harness(domains: 2)
        Self.put("a", on: 0, &harness)
        Self.put("b", on: 1, &harness)
        #expect(Self.defragment(harness).moves.count == 1)
        // The only other places are cordoned.
        for (domain, id) in [(0, "a"), (1, "b")] {
            guard let placement = harness.placement(of: id) else { continue }
            for node in [2 * domain, 2 * domain + 1] where !placement.holds(node: node, of: PoolSlot(0)) {
                let name = harness.engine.state.pools[0].layout.name(ofNode: node)
                harness.run(.changeNode(pool: "p", node: name, action: .cordon))
            }
        }
        #expect(Self.notWon(Self.defragment(harness)) == [.nodesUnavailable: 2])
    }

    @Test("A gang whose class lets it run for a while is not moved before")
    func minRuntime() {
        var harness = Self.harness(domains: 2)
        harness.run(.putPriorityClass(PriorityClass(name: "steady", value: 1, minRuntimeSeconds: 1000)))
        for (domain, id) in ["a", "b"].enumerated() {
            Self.put(id, on: domain, &harness) {
                $0.priorityClass = "steady"
            }
            harness.run(.start(id: id))
        }
        #expect(Self.notWon(Self.defragment(harness)) == [.jobMayNotMove: 2])
        harness.run(.resume, afterSeconds: 1000)
        #expect(Self.defragment(harness).won.count == 1)
    }

    @Test("What is kept for a waiting job is neither won nor taken")
    func reserved() {
        var harness = Self.harness(domains: 3)
        Self.put("a", on: 0, &harness)
        Self.put("b", on: 1, &harness)
        #expect(Self.defragment(harness).won.count == 1)
        harness.submit("large", [WorkerGroup(count: 6, demand: Demand(gpus: 8))])
        #expect(harness.engine.state.reservedJobs == 1)
        #expect(Self.notWon(Self.defragment(harness)) == [.keptForWaitingJob: 2])
    }

    @Test("A gang that keeps its domain from others stays, and so does one that fits nowhere else")
    func stays() {
        var harness = Self.harness(domains: 4)
        Self.put("alone", on: 0, &harness) { $0.exclusive = .domain }
        Self.put("left", nodes: 2, on: 1, &harness)
        #expect(Self.notWon(Self.defragment(harness)) == [.exclusiveJob: 1, .noOtherPlace: 1])
    }

    @Test("Moves stay within the pools that are asked for, and say what they add to the bill")
    func filters() {
        var harness = Self.harness(domains: 2)
        harness.run(.putPool(.sample("q", domains: 2, nodes: 2, provider: "gcp", region: "west", price: 3000)))
        Self.put("a", on: 0, &harness) { $0.allow.pools = [] }
        Self.put("q1", on: 0, pool: "q", &harness)
        Self.put("q2", on: 1, pool: "q", &harness)
        let here = Self.defragment(harness) { $0.filter.provider = "aws" }
        #expect(here.moves.isEmpty && Self.notWon(here) == [.noOtherPlace: 1] && here.freeBefore == 1)
        let there = Self.defragment(harness) { $0.filter.region = "gcp/west" }
        #expect(there.moves.count == 1 && there.costMicroUSDPerHour == 0)
        let same = Self.defragment(harness)
        #expect(same.won.count == 1 && same.costMicroUSDPerHour == 0 && Self.notWon(same)[.costsMore] == 1)
        // The job of p may go to q, where eight GPUs cost 16,000 more.
        let dearer = Self.defragment(harness) { $0.mayCostMore = true }
        #expect(Self.ids(dearer, harness) == ["a"] && dearer.costMicroUSDPerHour == 16_000)
        #expect(dearer.moves.map { $0.to.parts[0].pool } == [PoolSlot(1)])
    }

    @Test(
        "A tenant's rules of place hold for moves, and a quota that became smaller does not keep what runs from moving")
    func tenants() {
        var harness = Self.harness(domains: 2)
        Self.put("a", on: 0, &harness) { $0.tenant = "lab" }
        Self.put("b", on: 1, &harness) { $0.tenant = "lab" }
        var rules = TenantSpec(path: "lab")
        var quota = Quota(unit: .gpuMilli(accelerator: "h100"), nominal: 0)
        quota.borrowLimit = 0
        rules.quotas = [quota]
        harness.run(.putTenant(rules))
        #expect(Self.defragment(harness).won.count == 1)
        rules.denyProviders = ["aws"]
        harness.run(.putTenant(rules))
        #expect(Self.notWon(Self.defragment(harness)) == [.noOtherPlace: 2])
    }

    @Test("Spare nodes are no part of a domain, and an elastic gang moves with as many workers as it has")
    func sparesAndElastic() {
        var harness = Self.harness(domains: 2) { $0.sparesPerDomain = 1 }
        Self.put("spare", on: 0, &harness)
        #expect(Self.defragment(harness).freeBefore == 1)
        var other = Self.harness(domains: 2)
        Self.put("full", on: 0, &other)
        Self.put("f", on: 1, &other)
        let name = other.engine.state.pools[0].layout.name(ofNode: 3)
        other.run(.changeNode(pool: "p", node: name, action: .cordon))
        other.submit("half", gpus: 4)
        other.submit("e", [WorkerGroup(count: 1, maxCount: 2, demand: Demand(gpus: 4))]) { $0.scope = Scope(.node) }
        other.run(.changeNode(pool: "p", node: name, action: .uncordon))
        for id in ["full", "half"] { other.run(.cancel(id: id)) }
        let plan = Self.defragment(other)
        #expect(Self.ids(plan, other) == ["e"] && plan.won.count == 1)
        #expect(plan.moves.map(\.to.workerCount) == [1])
    }

    // MARK: Evacuate

    @Test(
        "The highest priority goes first to what room there is; others wait, and why is told as for any job that waits")
    func priorities() throws {
        var harness = Self.harness(domains: 1)
        harness.run(.putPool(.sample("q", domains: 1, nodes: 1, provider: "gcp", price: 4000)))
        for (id, priority) in [("low", 1), ("high", 9)] {
            Self.put(id, on: 0, &harness) {
                $0.priority = priority
                $0.allow.pools = ["p", "q"]
            }
        }
        #expect(harness.pool(of: "low") == "p" && harness.pool(of: "high") == "p")
        harness.run(.start(id: "low"))
        harness.run(.resume, afterSeconds: 450)
        let plan = Self.evacuate(harness) { $0.filter.provider = "aws" }
        #expect(plan.jobs.map(\.job.id) == ["high", "low"] && plan.nodes == 2 && plan.gpus == 16)
        guard case .moves(let move) = try #require(plan.jobs.first).outcome,
            case .waits(let explanation?) = plan.jobs[1].outcome
        else {
            Issue.record("one moves and one waits")
            return
        }
        #expect(move.to.parts.map(\.pool) == [PoolSlot(1)] && move.costMicroUSDPerHour == 24_000)
        #expect(Set(explanation.blockers.map(\.reason)) == [.capacityBusy, .nodesUnavailable])
        #expect(plan.moving.jobs == 1 && plan.moving.lost == .zero && plan.moving.gpuMilli == 8000)
        #expect(plan.waiting.jobs == 1 && plan.waiting.lost == GPUTime(gpuMilli: 8000, seconds: 450))
        #expect(plan.waiting.costMicroUSDPerHour == -8000 && plan.notTried.jobs == 0)
    }

    @Test("A gang that stands only partly there leaves whole; what it leaves elsewhere is open to those after it")
    func partly() {
        var harness = Self.harness(domains: 2)
        harness.submit("wide", gpus: 8, workers: 4, priority: 5)
        let plan = Self.evacuate(harness) { $0.domains = [DomainPlace(pool: PoolSlot(0), domain: 1)] }
        #expect(plan.jobs.map(\.job.id) == ["wide"] && plan.waiting.jobs == 1 && plan.nodes == 2)
        let other = Self.evacuate(harness) { $0.filter.provider = "gcp" }
        #expect(other.jobs.isEmpty && other.nodes == 0)
    }

    @Test("Jobs that wait and want what is emptied are counted by what ties them to it")
    func queued() {
        var harness = Self.harness(domains: 1)
        harness.run(.putPool(.sample("q", domains: 1, nodes: 1, accelerator: "b200", provider: "gcp", price: 4000)))
        Self.put("a", nodes: 2, on: 0, &harness)
        Self.put("b", on: 0, pool: "q", &harness)
        harness.submit("kept", gpus: 8, workers: 2, accelerators: ["h100"])
        harness.submit("only", gpus: 8, workers: 1, accelerators: ["h100"])
        harness.submit("either", gpus: 8, workers: 1, accelerators: ["h100", "b200"])
        harness.submit("other", gpus: 8, workers: 1, accelerators: ["b200", "h100"])
        harness.run(.hold(id: "only"))
        let plan = Self.evacuate(harness) { $0.filter.pools = ["p"] }
        let ties = plan.queued.map { "\($0.job.id) \($0.tie)" }
        #expect(ties.contains("kept placeKept") && ties.contains("only nowhereElse"))
        #expect(!ties.contains { $0.hasPrefix("other firstChoice") || $0.hasPrefix("other nowhereElse") })
        #expect(plan.queuedByTie.reduce(0, +) == plan.queued.count)
        let few = Self.evacuate(harness) {
            $0.filter.pools = ["p"]
            $0.limit = 1
        }
        #expect(few.queued.count == 1 && few.jobs.count == 1 && few.queuedByTie == plan.queuedByTie)
    }
}
