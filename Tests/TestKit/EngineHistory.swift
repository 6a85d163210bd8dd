// Histories of commands for an engine, drawn from one seed against the state as it is.

public import Engine
public import Model

/// Draws commands against the state as it is, from one seed. The same seed and engine give the same history.
public struct History: Sendable {
    /// Source: Sebastiano Vigna, splitmix64 (2015).
    private var random: UInt64
    private var submitted = 0
    /// Jobs are submitted while fewer wait.
    public var mostQueued = 40
    /// How many of a hundred jobs ask for more than a plain gang.
    public var percentRich = 50
    /// How many of a hundred jobs have gates, or a deadline, or a class.
    public var percentGated = 30
    /// How many of a hundred submissions are arrays.
    public var percentArrays = 0
    /// How many of a hundred jobs may be taken back for a higher claim.
    public var percentPreemptible = 40
    /// How many of a hundred groups of jobs that ask for more are elastic.
    public var percentElastic = 15

    /// How many of a hundred changes of nodes are of whole domains, blocks or pools.
    public var percentPlaces = 0

    public init(seed: UInt64) { random = seed &* 0x2545_F491_4F6C_DD1D &+ 7 }

    public mutating func next() -> UInt64 {
        random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = random
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    public mutating func pick(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    public mutating func pick<Value>(_ values: [Value]) -> Value { values[pick(0...values.count - 1)] }

    public mutating func chance(percent: Int) -> Bool { pick(1...100) <= percent }

    /// Some command; most change something, some are refused or say again what was said.
    public mutating func command(_ state: State) -> Command {
        if state.pools.isEmpty { return .putPool(pool("alpha")) }
        if chance(percent: percentGated / 3) { return gateCommand(state) }
        if chance(percent: percentPreemptible / 10) { return preemptionCommand(state) }
        let draw = pick(1...100)
        switch draw {
        case ...45:
            if state.count(of: .queued) >= mostQueued { return .cancel(id: job(state, .queued)) }
            // Now and then the same job again, or another one under its id.
            if chance(percent: 5), submitted > 0 { return .submit(spec(id: "j\(pick(0...submitted))", state)) }
            if chance(percent: 10) {
                return .submitBatch(
                    (0..<pick(1...6)).map { _ in
                        submitted += 1
                        return spec(id: chance(percent: 10) ? "" : "j\(submitted)", state)
                    })
            }
            submitted += 1
            var asked = spec(id: chance(percent: 10) ? "" : "j\(submitted)", state)
            if percentArrays > 0 && chance(percent: percentArrays) {
                asked.array = JobArray(count: pick(1...8), maxParallel: pick(1...4))
            }
            return .submit(asked)
        case ...60: return .start(id: job(state, .placed))
        case ...72:
            return .finish(id: job(state, .running), end: pick([.succeeded, .failed]), message: pick(["", "done"]))
        case ...79:
            if percentArrays > 0 && chance(percent: percentArrays) { return .cancelArray(id: array(state)) }
            return .cancel(id: job(state, pick([.queued, .placed, .running, .preempting])))
        case ...91:
            guard let slot = livePool(state) else { return .putPool(pool("alpha")) }
            let layout = state[slot].layout
            if percentPlaces > 0 && chance(percent: percentPlaces) { return placeCommand(state[slot]) }
            return .changeNode(
                pool: state[slot].spec.name, node: layout.name(ofNode: pick(0...layout.nodeCount - 1)),
                action: pick([.cordon, .drain, .uncordon, .uncordon, .down, .up, .up]))
        case ...95: return .putPool(changedPool(state))
        case 96, 97: return .putTenant(tenant(state))
        case 98:
            return chance(percent: 30)
                ? .setFairShare(FairSharePolicy(halfLifeSeconds: pick([60, 3600, 604_800])))
                : .deleteTenant(path: pick(Self.tenants))
        case 99: return .deletePool(name: pick(Self.poolNames))
        default: return .resume
        }
    }

    private mutating func preemptionCommand(_ state: State) -> Command {
        switch pick(1...10) {
        case ...4: return .checkpoint(id: job(state, .running))
        case ...8: return .stopped(id: job(state, .preempting))
        default: return .finish(id: job(state, .preempting), end: .succeeded, message: "")
        }
    }

    private mutating func placeCommand(_ pool: PoolRecord) -> Command {
        let domain = pick(0...pool.layout.domainCount - 1)
        let places: [PoolPlace] = [
            .pool, .block(pool.layout.name(ofBlock: pool.layout.block(ofDomain: domain))),
            .domain(pool.layout.name(ofDomain: domain)), .domain(pool.layout.name(ofDomain: domain)),
        ]
        return .changePlace(
            pool: pool.spec.name, place: pick(places),
            action: pick([.cordon, .drain, .uncordon, .uncordon, .down, .up, .up]))
    }

    private static let poolNames = ["alpha", "bravo", "charlie", "delta"]

    /// Some job in `wanted` if there is one near a random number, else whichever is there.
    private mutating func job(_ state: State, _ wanted: JobState) -> String {
        let start = JobNumber(UInt64(pick(0...Int(state.nextJobNumber))))
        var found: Job?
        var any: Job?
        for from in [start, JobNumber(0)] where found == nil {
            state.jobs.forEach(after: from) { job in
                any = job
                if job.state == wanted { found = job }
                return found == nil
            }
        }
        // Sometimes the wrong one, to be refused.
        return (chance(percent: 5) ? any : found ?? any)?.id ?? "nobody"
    }

    /// The array of the first task from a random number on.
    private mutating func array(_ state: State) -> String {
        var found: String?
        state.jobs.forEach(after: JobNumber(UInt64(pick(0...Int(state.nextJobNumber))))) { job in
            found = job.arrayID
            return found == nil
        }
        return found ?? "nobody"
    }

    private static let tenants = ["default", "default", "lab", "lab/vision", "lab/text", "lab/text/eval", "ops"]

    /// A tenant with some of all that a tenant may have, in force now, soon or no more.
    private mutating func tenant(_ state: State) -> TenantSpec {
        var spec = TenantSpec(path: pick(Self.tenants), weight: pick([1, 1, 2, 5]))
        if chance(percent: 50) {
            for unit in [QuotaUnit.microUSDPerHour, .gpuMilli(accelerator: "b200"), .gpuMilli(accelerator: "h100")]
            where chance(percent: 50) {
                let scale: Int64 = 1000
                var quota = Quota(unit: unit, nominal: Int64(pick([0, 16, 64, 200])) * scale)
                quota.borrowLimit = pick([nil, nil, 0, 16 * scale])
                quota.lendLimit = pick([nil, nil, 0, 8 * scale])
                spec.quotas.append(quota)
                if chance(percent: 25) {
                    var passing = quota
                    passing.nominal += 64 * scale
                    passing.from = Timestamp(nanoseconds: state.at.nanoseconds + Int64(pick(-5...20)) * 1_000_000_000)
                    passing.until = Timestamp(
                        nanoseconds: (passing.from?.nanoseconds ?? 0) + Int64(pick(1...20)) * 1_000_000_000)
                    spec.quotas.append(passing)
                }
            }
        }
        if chance(percent: 15) { spec.budget = Budget(gpuHours: Int64(pick(0...3)), isHard: chance(percent: 50)) }
        if chance(percent: 15) { spec.maxRunningJobs = pick(1...8) }
        if chance(percent: 15) { spec.maxQueuedJobs = pick(2...12) }
        if chance(percent: 10) { spec.residency = [pick(["east", "gcp/west"])] }
        if chance(percent: 10) { spec.denyProviders = [pick(["aws", "gcp"])] }
        return spec
    }

    private mutating func livePool(_ state: State) -> PoolSlot? {
        let live = state.pools.indices.filter { !state.pools[$0].isDeleted }
        return live.isEmpty ? nil : PoolSlot(pick(live))
    }

    /// A plain gang mostly, else one with some of all that a gang may ask for, alone or together.
    public mutating func spec(id: String) -> JobSpec {
        var spec = JobSpec(
            id: id, tenant: pick(Self.tenants), priority: pick([0, 0, 0, 5, 1000]), workers: [group("worker")],
            accelerators: pick([[], [], ["h100"], ["b200", "h100"], ["tpu"]]).map { Accelerator($0) },
            scope: Scope(pick([.pool, .pool, .block, .domain, .node])),
            allow: chance(percent: 15)
                ? PlaceList(regions: [pick(["east", "aws/east", "gcp/west", "west"])]) : PlaceList(),
            deny: chance(percent: 10) ? PlaceList(pools: [pick(Self.poolNames)]) : PlaceList())
        spec.isPreemptible = chance(percent: percentPreemptible)
        if chance(percent: 100 - percentRich) { return spec }
        // One feature by itself, or each with a chance of its own.
        let only = chance(percent: 50) ? pick(0...8) : nil
        func has(_ feature: Int, _ random: inout History) -> Bool {
            only.map { $0 == feature } ?? random.chance(percent: 25)
        }
        if has(0, &self) { spec.workers += [group("server"), group("third")].prefix(pick(1...2)) }
        if has(1, &self) { spec.workers[0].demand = Demand(gpus: 1, gpuMilli: pick([100, 250, 300, 500, 700])) }
        if has(2, &self) { spec.workers.append(cpuGroup()) }
        if has(3, &self) {
            let required = pick([Tier.domain, .block, .pool, .region, .fleet])
            let preferred = pick(Tier.allCases.filter { $0 < required })
            spec.scope = Scope(required, preferred: preferred, patienceSeconds: pick([0, 1, 3, 10, 60]))
        }
        if has(4, &self) {
            spec.scope.required = max(spec.scope.required, pick([.region, .provider, .fleet, .fleet]))
            spec.split = Split(maxPools: pick(2...3), minWorkersPerPool: pick([1, 1, 2]))
        }
        if has(5, &self) { spec.exclusive = pick([.domain, .block]) }
        if has(6, &self) {
            spec.scaleBySpeed = true
            spec.accelerators = [Accelerator("b200", speedMilli: pick([500, 1500, 2000])), Accelerator("h100")]
        }
        if has(7, &self) {
            spec.isPreemptible = true
            spec.usesSpares = true
        }
        for at in spec.workers.indices {
            if has(8, &self) { addRules(to: &spec.workers[at], within: spec.scope.required) }
            if chance(percent: percentElastic) { spec.workers[at].maxCount = spec.workers[at].count * pick(1...3) }
        }
        return spec
    }

    private mutating func group(_ name: String) -> WorkerGroup {
        var demand = Demand(gpus: pick([1, 2, 4, 4, 8, 8]))
        if chance(percent: 15) { demand.cpuMillis = pick([0, 1000, 20_000, 64_000]) }
        if chance(percent: 15) { demand.memoryMiB = pick([0, 4096, 200_000, 524_288]) }
        return WorkerGroup(name: name, count: chance(percent: 70) ? pick(1...4) : pick(4...20), demand: demand)
    }

    private mutating func cpuGroup() -> WorkerGroup {
        WorkerGroup(
            name: "cpu", count: pick(1...3), demand: Demand(gpus: 0, cpuMillis: pick([500, 8000]), memoryMiB: 1024))
    }

    private mutating func addRules(to group: inout WorkerGroup, within scope: Tier) {
        if chance(percent: 60) {
            let size = pick(1...4)
            group.segment = Segment(size: size, tier: pick([Tier.node, .domain, .block].filter { $0 <= scope }))
            group.count = (group.count + size - 1) / size * size
            group.maxCount = group.count
        }
        if chance(percent: 50) { group.spread.workersPerNode = pick(1...3) }
        if chance(percent: 30) { group.spread.workersPerDomain = pick(2...6) }
    }

    public mutating func pool(_ name: String) -> PoolSpec {
        var spec = PoolSpec.sample(
            name, blocks: pick(1...2), domains: pick(1...3), nodes: pick(1...4), gpus: pick([4, 8, 8, 16]),
            accelerator: pick(["h100", "h100", "b200"]), provider: pick(["aws", "gcp"]),
            region: pick(["east", "west"]), price: Int64(pick([1000, 1000, 2000])))
        if chance(percent: 30) { spec.topology = .nodes(listings(blocks: pick(1...3))) }
        if chance(percent: 20) {
            spec.topology = .counts(blocks: 2, domainsPerBlock: 2, nodesPerDomain: 4, cliquesPerDomain: 2)
        }
        spec.allowsGPUShares = chance(percent: 40)
        spec.billing = chance(percent: 40) ? .node : .gpu
        if chance(percent: 25) { spec.sparesPerDomain = 1 }
        return spec
    }

    private mutating func listings(blocks: Int) -> [NodeListing] {
        var listings: [NodeListing] = []
        for block in 0..<blocks {
            for domain in 0..<pick(1...2) {
                for node in 0..<pick(1...4) {
                    listings.append(
                        NodeListing(name: "n\(block)-\(domain)-\(node)", domain: "d\(domain)", block: "b\(block)"))
                }
            }
        }
        return listings
    }

    /// A new pool, or a known one at another price, billed otherwise, grown, or changed beyond that.
    private mutating func changedPool(_ state: State) -> PoolSpec {
        let name = pick(Self.poolNames)
        guard let slot = state.slot(named: name), !chance(percent: 15) else { return pool(name) }
        var spec = state[slot].spec
        switch pick(1...4) {
        case 4: spec.billing = spec.billing == .gpu ? .node : .gpu
        case 1: spec.priceMicroUSDPerGPUHour = Int64(pick([500, 1000, 2000]))
        case 2:
            switch spec.topology {
            case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliques):
                if blocks < 6 {
                    spec.topology = .counts(
                        blocks: blocks + 1, domainsPerBlock: domainsPerBlock, nodesPerDomain: nodesPerDomain,
                        cliquesPerDomain: cliques)
                }
            case .nodes(let known):
                if known.count < 40 {
                    spec.topology = .nodes(
                        known + [NodeListing(name: "more\(known.count)", domain: "d", block: "more\(known.count)")])
                }
            }
        default: break
        }
        return spec
    }
}
