// Tenants: what quota they have, borrow and lend; what their other rules keep them from; and what comes of it for a job that waits.

import Engine
import Model
import TestKit
import Testing

@Suite struct TenantTests {
    static func gpus(_ nominal: Int64, of accelerator: String = "h100", borrow: Int64? = nil, lend: Int64? = nil)
        -> Quota
    {
        Quota(
            unit: .gpuMilli(accelerator: accelerator), nominal: nominal * 1000, borrowLimit: borrow.map { $0 * 1000 },
            lendLimit: lend.map { $0 * 1000 })
    }

    /// Eight nodes of eight GPUs.
    static func harness(_ tenants: [TenantSpec] = []) -> EngineHarness {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 8)))
        for tenant in tenants { harness.run(.putTenant(tenant)) }
        return harness
    }

    /// How many of so many jobs of one node each find a place for a tenant.
    static func placed(_ jobs: Int, of tenant: String, _ harness: inout EngineHarness) -> Int {
        (0..<jobs).count { number in
            let id = "\(tenant.replacing("/", with: "-"))-\(number)"
            harness.submit(id, [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = tenant }
            return harness.state(of: id) == .placed
        }
    }

    static func reasons(_ id: String, _ harness: inout EngineHarness) -> [BlockReason] {
        guard let job = harness.engine.state.jobs[id] else { return [] }
        return harness.engine.explain(job).blockers.map(\.reason)
    }

    // MARK: Quota

    @Test("A tenant takes its own, then what is idle, and no more than its borrow limit beyond its own")
    func borrowLimit() {
        var free = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(16)])])
        #expect(Self.placed(9, of: "a", &free) == 8)
        var limited = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(16, borrow: 8)])])
        #expect(Self.placed(9, of: "a", &limited) == 3)
        #expect(Self.reasons("a-3", &limited) == [.quotaUsedUp])
        var none = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(16, borrow: 0)])])
        #expect(Self.placed(9, of: "a", &none) == 2)
    }

    @Test("What a tenant does not lend stays free for it, what it lends does not")
    func lendLimit() {
        let tenants = { (lend: Int64?) in
            [
                TenantSpec(path: "a", quotas: [Self.gpus(32, lend: lend)]),
                TenantSpec(path: "b", quotas: [Self.gpus(32)]),
            ]
        }
        for (lend, others) in [(nil, 8), (0, 4), (8, 5)] as [(Int64?, Int)] {
            var harness = Self.harness(tenants(lend))
            #expect(Self.placed(8, of: "b", &harness) == others)
            #expect(Self.placed(8, of: "a", &harness) == 8 - others)
        }
    }

    @Test("Siblings lend to each other before cousins do, and a limit of the tenant above holds for all below it")
    func cousins() {
        var harness = Self.harness([
            TenantSpec(path: "lab", quotas: [Self.gpus(0, borrow: 8)]),
            TenantSpec(path: "lab/x", quotas: [Self.gpus(16)]), TenantSpec(path: "lab/y", quotas: [Self.gpus(8)]),
            TenantSpec(path: "ops", quotas: [Self.gpus(40)]),
        ])
        // Its own two, one of its sibling, one of its cousins by leave of the lab.
        #expect(Self.placed(8, of: "lab/x", &harness) == 4)
        #expect(Self.placed(1, of: "lab/y", &harness) == 0)
        let now = harness.clock.now
        func quota(_ path: String) -> QuotaReading? {
            harness.engine.state.tenants.slot(of: path).flatMap {
                harness.engine.state.tenantReadings([$0], at: now)[0].quotas.first
            }
        }
        #expect(quota("lab/x")?.borrowed == 16_000)
        #expect(quota("lab/y")?.lent == 8000)
        #expect(quota("lab")?.borrowed == 8000)
        #expect(quota("ops")?.lent == 8000)
        #expect(quota("ops")?.available == 32_000)
    }

    @Test("A tenant without a quota borrows what belongs to nobody and what others leave idle, and yields to their own")
    func withoutQuota() {
        var harness = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(32, lend: 0)])])
        #expect(Self.placed(8, of: "guest", &harness) == 4)
        #expect(Self.placed(8, of: "a", &harness) == 4)
        var unlimited = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(1, of: "tpu")])])
        #expect(Self.placed(9, of: "guest", &unlimited) == 8)
    }

    @Test("A quota of the price counts GPUs of all models at their pools' prices")
    func price() {
        var harness = Self.harness([
            TenantSpec(
                path: "a", quotas: [Quota(unit: .microUSDPerHour, nominal: 8 * 1000 + 4 * 3000, borrowLimit: 0)])
        ])
        harness.run(.putPool(.sample("q", nodes: 8, accelerator: "b200", price: 3000)))
        #expect(Self.placed(1, of: "a", &harness) == 1)
        harness.submit("half", [WorkerGroup(count: 1, demand: Demand(gpus: 4))]) {
            $0.tenant = "a"
            $0.accelerators = [Accelerator("b200")]
        }
        #expect(harness.state(of: "half") == .placed)
        harness.submit("more", [WorkerGroup(count: 1, demand: Demand(gpus: 1))]) { $0.tenant = "a" }
        #expect(Self.reasons("more", &harness) == [.quotaUsedUp])
        // Cheaper pools leave room.
        harness.run(.putPool(.sample("q", nodes: 8, accelerator: "b200", price: 2000)))
        #expect(harness.state(of: "more") == .placed)
    }

    @Test("A release, a larger quota and a lender's leave each wake the jobs that waited for quota, in order")
    func wakes() {
        var harness = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(8, borrow: 0)])])
        #expect(Self.placed(4, of: "a", &harness) == 1)
        harness.run(.cancel(id: "a-0"))
        #expect(harness.state(of: "a-1") == .placed)
        harness.run(.putTenant(TenantSpec(path: "a", quotas: [Self.gpus(8, borrow: 8)])))
        #expect(harness.state(of: "a-2") == .placed)
        #expect(harness.state(of: "a-3") == .queued)
        harness.run(.deleteTenant(path: "a"))
        #expect(harness.state(of: "a-3") == .queued)
        harness.run(.putTenant(TenantSpec(path: "a")))
        #expect(harness.state(of: "a-3") == .placed)
    }

    @Test("One that may have no more does not keep others of equal jobs from their places, nor hold a pool")
    func barredDoesNotBlock() {
        var settings = EngineSettings()
        settings.placementsBeforeReservation = 2
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 8)))
        harness.run(.putTenant(TenantSpec(path: "a", quotas: [Self.gpus(8, borrow: 0)])))
        #expect(Self.placed(3, of: "a", &harness) == 1)
        #expect(Self.placed(5, of: "b", &harness) == 5)
        #expect(Self.reasons("a-1", &harness) == [.quotaUsedUp])
    }

    @Test("A quota of next week holds from its beginning to its end without any other change")
    func passingQuota() {
        var harness = Self.harness()
        let now = harness.clock.now
        var passing = Self.gpus(16, borrow: 0)
        passing.from = Timestamp(nanoseconds: now.nanoseconds + 100_000_000_000)
        passing.until = Timestamp(nanoseconds: now.nanoseconds + 200_000_000_000)
        harness.run(.putTenant(TenantSpec(path: "a", quotas: [Self.gpus(8, borrow: 0), passing])))
        #expect(Self.placed(4, of: "a", &harness) == 1)
        #expect(harness.engine.nextDeadline == passing.from)
        harness.run(.resume, afterSeconds: 90)
        #expect(harness.state(of: "a-1") == .queued)
        harness.run(.resume, afterSeconds: 10)
        #expect(harness.state(of: "a-1") == .placed)
        #expect(harness.state(of: "a-2") == .queued)
        harness.run(.resume, afterSeconds: 100)
        harness.run(.cancel(id: "a-0"))
        // Its own alone again, and one job holds it.
        #expect(harness.state(of: "a-2") == .queued)
    }

    @Test("An elastic gang takes no more than its tenant may, and never less than its least")
    func elastic() {
        var harness = Self.harness([TenantSpec(path: "a", quotas: [Self.gpus(24, borrow: 0)])])
        harness.submit("e", [WorkerGroup(count: 2, maxCount: 6, demand: Demand(gpus: 8))]) { $0.tenant = "a" }
        let workers = harness.placement(of: "e")?.workerCount ?? 0
        #expect(2...3 ~= workers)
    }

    @Test(
        "Used never goes beyond nominal and borrow limit, nor into what others keep, whatever comes", arguments: 1...8)
    func conservation(seed: UInt64) {
        var harness = EngineHarness()
        var history = History(seed: seed &+ 900)
        history.percentRich = 30
        harness.run(.putPool(.sample("p", blocks: 2, domains: 3, nodes: 4)))
        harness.run(.putPool(.sample("q", nodes: 6, accelerator: "b200", price: 3000)))
        let paths = ["default", "lab", "lab/vision", "lab/text", "lab/text/eval", "ops"]
        for path in paths {
            var quota = Self.gpus(Int64(history.pick([0, 8, 24])))
            quota.borrowLimit = history.pick([nil, 0, 16_000])
            quota.lendLimit = history.pick([nil, 0, 8000])
            harness.run(.putTenant(TenantSpec(path: path, weight: history.pick([1, 3]), quotas: [quota])))
        }
        var most = 0
        for step in 0..<300 {
            let command = history.command(harness.engine.state)
            switch command {
            case .putPool, .deletePool, .putTenant, .deleteTenant: continue
            default: harness.run(command)
            }
            let state = harness.engine.state
            for path in paths {
                guard let slot = state.tenants.slot(of: path), let quota = state.tenants[slot].spec?.quotas.first else {
                    continue
                }
                let used = state.tenants[slot].gpuMilli(ofAccelerator: 0)
                most = max(most, Int(used))
                let below = state.tenants.records.compactMap { $0 }.filter {
                    $0.path == path || $0.path.hasPrefix(path + "/")
                }
                let own = below.reduce(Int64(0)) { $0 + ($1.spec?.quotas.first?.nominal ?? 0) }
                if let limit = quota.borrowLimit {
                    #expect(used <= own + limit, "seed \(seed) step \(step) \(path)")
                }
                // Others leave what it does not lend.
                if let lend = quota.lendLimit {
                    let others = state.tenants[.fleet].gpuMilli(ofAccelerator: 0) - used
                    let all = max(state.gpuMilliByAccelerator[0], Self.assigned(state))
                    #expect(others <= all - max(0, own - lend), "seed \(seed) step \(step) \(path)")
                }
            }
        }
        #expect(most > 16_000, "seed \(seed)")
    }

    private static func assigned(_ state: State) -> Int64 {
        state.tenants.records.reduce(0) { $0 + ($1?.spec?.quotas.first?.nominal ?? 0) }
    }

    // MARK: Other rules

    @Test("No more jobs of a tenant and those below it run than may")
    func runningJobs() {
        var harness = Self.harness([TenantSpec(path: "lab", maxRunningJobs: 2)])
        #expect(Self.placed(1, of: "lab", &harness) == 1)
        #expect(Self.placed(3, of: "lab/x", &harness) == 1)
        #expect(Self.reasons("lab-x-1", &harness) == [.tenantJobsAtLimit])
        harness.run(.cancel(id: "lab-0"))
        #expect(harness.state(of: "lab-x-1") == .placed)
    }

    @Test("A full queue of a tenant refuses its next job, and no other's")
    func queuedJobs() {
        var harness = Self.harness([TenantSpec(path: "lab", maxQueuedJobs: 1, maxRunningJobs: 0)])
        #expect(Self.placed(1, of: "lab/x", &harness) == 0)
        let refused = harness.run(
            .submit(JobSpec(id: "n", tenant: "lab/new", workers: [WorkerGroup(count: 1, demand: Demand(gpus: 1))])))
        guard case .refused(.tenantQueueFull("lab", 1)) = refused else { Issue.record("\(refused)"); return }
        #expect(harness.engine.state.tenants.slot(of: "lab/new") == nil)
        #expect(Self.placed(1, of: "ops", &harness) == 1)
    }

    @Test("A hard budget stops what comes next once it is used up, until the next month; a warning stops nothing")
    func budget() {
        for isHard in [true, false] {
            var harness = Self.harness([TenantSpec(path: "a", budget: Budget(gpuHours: 16, isHard: isHard))])
            #expect(Self.placed(1, of: "a", &harness) == 1)
            harness.run(.resume, afterSeconds: 2 * 3600)
            harness.submit("late", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "a" }
            #expect(harness.state(of: "late") == (isHard ? .queued : .placed))
            guard isHard else { continue }
            #expect(Self.reasons("late", &harness) == [.budgetUsedUp])
            harness.run(.cancel(id: "a-0"))
            #expect(harness.state(of: "late") == .queued)
            let next = Month(harness.clock.now).next.start
            #expect(harness.engine.nextDeadline == next)
            harness.run(.resume, afterSeconds: next.nanoseconds(since: harness.clock.now) / 1_000_000_000 + 1)
            #expect(harness.state(of: "late") == .placed)
        }
    }

    @Test("Residency and denied providers of a tenant hold for all below it, and a job's own lists never widen them")
    func residency() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("east", provider: "aws", region: "east")))
        harness.run(.putPool(.sample("west", provider: "gcp", region: "west")))
        harness.run(.putTenant(TenantSpec(path: "eu", residency: ["gcp/west"])))
        harness.run(.putTenant(TenantSpec(path: "eu/secret", residency: ["east", "west"], denyProviders: ["gcp"])))
        harness.submit("a", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "eu/x" }
        #expect(harness.pool(of: "a") == "west")
        harness.submit("b", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) {
            $0.tenant = "eu/secret"
            $0.allow = PlaceList(regions: ["east", "west"])
        }
        #expect(Self.reasons("b", &harness) == [.placeNotAllowedToTenant])
        // Requeued, it goes nowhere else either.
        for node in 0..<4 { harness.run(.changeNode(pool: "west", node: "b00/d000/n0\(node)", action: .down)) }
        #expect(harness.state(of: "a") == .queued)
    }

    // MARK: The table of tenants

    @Test("Tenants that jobs only name come and are forgotten when there is no room; those that were put stay")
    func implicit() {
        var settings = EngineSettings()
        settings.limits.tenants = 3
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 8)))
        harness.run(.putTenant(TenantSpec(path: "kept")))
        #expect(Self.placed(1, of: "a/b", &harness) == 1)
        let refused = harness.submit("x", [WorkerGroup(count: 1, demand: Demand(gpus: 1))]) { $0.tenant = "c" }
        guard case .refused(.limitReached("limits.tenants", 3)) = refused else { Issue.record("\(refused)"); return }
        harness.run(.cancel(id: "a-b-0"))
        #expect(Self.placed(1, of: "c", &harness) == 1)
        #expect(harness.engine.state.tenants.slot(of: "a/b") == nil)
        #expect(harness.engine.state.tenants.slot(of: "kept") != nil)
        let inUse = harness.run(.deleteTenant(path: "c"))
        guard case .refused(.tenantInUse("c", 1, 0)) = inUse else { Issue.record("\(inUse)"); return }
    }

    @Test("A tenant that is put twice alike changes nothing")
    func idempotent() {
        var harness = Self.harness()
        let spec = TenantSpec(path: "a/b", weight: 2, quotas: [Self.gpus(8)])
        #expect(harness.facts(of: .putTenant(spec)) == [.tenantPut(spec: spec)])
        #expect(harness.facts(of: .putTenant(spec)).isEmpty)
        #expect(harness.engine.state.tenants.slot(of: "a") != nil)
    }
}
