// An engine under test with its clock and its journal, a count of the whole state from nothing but its jobs,
// and seeded histories of commands.

public import Engine
public import Model

/// Runs commands a second apart and keeps what a journal would hold.
public struct EngineHarness: ~Copyable {
    public var engine: Engine
    public var clock = ManualClock()
    public private(set) var transactions: [Transaction] = []

    public init(settings: EngineSettings = EngineSettings()) { engine = Engine(settings: settings) }

    /// The engine that a restart from a snapshot would give.
    public init(image: StateImage, settings: EngineSettings, clock: ManualClock) throws {
        engine = try Engine(image: image, settings: settings)
        self.clock = clock
    }

    @discardableResult
    public mutating func run(_ command: Command) -> Outcome {
        clock.advance(seconds: 1)
        let (outcome, transaction) = engine.decide(command, at: clock.now)
        if let transaction { transactions.append(transaction) }
        return outcome
    }

    /// The facts of `command`, none where nothing changed.
    public mutating func facts(of command: Command) -> [Fact] {
        let before = transactions.count
        run(command)
        return transactions.count > before ? transactions[before].facts : []
    }

    /// Resumes until nothing is pending, at most so often. Returns how often it did.
    @discardableResult
    public mutating func settle(atMost times: Int = 10_000) -> Int {
        for time in 0..<times {
            if !engine.hasPendingWork { return time }
            run(.resume)
        }
        return times
    }

    // MARK: Short ways to say what tests say often

    @discardableResult
    public mutating func submit(
        _ id: String, gpus: Int = 8, workers: Int = 1, priority: Int = 0, scope: Scope = .pool,
        accelerators: [String] = [], allow: PlaceList = PlaceList(), deny: PlaceList = PlaceList()
    ) -> Outcome {
        run(
            .submit(
                JobSpec(
                    id: id, priority: priority, workers: [WorkerGroup(count: workers, demand: Demand(gpus: gpus))],
                    accelerators: accelerators, scope: scope, allow: allow, deny: deny)))
    }

    /// Starts a placed job and lets it succeed.
    public mutating func complete(_ id: String) {
        run(.start(id: id))
        run(.finish(id: id, end: .succeeded, message: ""))
    }

    public func state(of id: String) -> JobState? { engine.state.jobs[id]?.state }

    public func pool(of id: String) -> String? {
        engine.state.jobs[id]?.life.placement.map { engine.state[$0.pool].spec.name }
    }
}

extension PoolSpec {
    /// A pool of 8-GPU nodes: `blocks` x `domains` x `nodes`.
    public static func sample(
        _ name: String, blocks: Int = 1, domains: Int = 1, nodes: Int = 4, gpus: Int = 8, accelerator: String = "h100",
        provider: String = "aws", region: String = "east", price: Int64 = 1000
    ) -> PoolSpec {
        PoolSpec(
            name: name, provider: provider, region: region, accelerator: accelerator,
            node: NodeShape(gpus: gpus, cpuMillis: gpus * 8000, memoryMiB: gpus * 65_536),
            topology: .counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: nodes),
            priceMicroUSDPerGPUHour: price)
    }
}

// MARK: - The state counted again

extension Engine {
    /// The first disagreement between the state's counts, the free capacity and what the jobs say, or nil.
    /// Knows nothing of how the engine counts: everything is added up from the jobs. Cost: all jobs and nodes.
    public func firstDisagreement() -> String? {
        if let fault = firstFault() { return fault }
        var tally = Tally(state)
        var last = JobNumber(0)
        var fault: String?
        state.jobs.forEach { job in
            fault = job.number > last ? tally.add(job) : "jobs are out of order at \(job.id)"
            if state.jobs[job.id] !== job { fault = "job \(job.id) is not found by its id" }
            last = job.number
            return fault == nil
        }
        return fault ?? tally.firstDisagreement(with: state) { slot, node in free(slot, node: node) }
    }
}

private struct Tally {
    var jobs = 0
    var byState = [Int](repeating: 0, count: JobState.allCases.count)
    var gpusQueued = 0
    var gpusAllocated: [Int]
    var poolJobs: [Int]
    /// By pool and node.
    var used: [[(gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int)]]
    let pools: [PoolRecord]

    init(_ state: State) {
        pools = state.pools
        gpusAllocated = pools.map { _ in 0 }
        poolJobs = pools.map { _ in 0 }
        used = pools.map { Array(repeating: (0, 0, 0), count: $0.layout.nodeCount) }
    }

    mutating func add(_ job: Job) -> String? {
        jobs += 1
        byState[Int(job.state.rawValue)] += 1
        if job.state == .queued {
            gpusQueued += job.spec.gpuCount
            return job.life.placement == nil ? nil : "job \(job.id) waits and has a place"
        }
        guard job.state.holdsCapacity else { return nil }
        guard let placement = job.life.placement else { return "job \(job.id) is \(job.state.name) without a place" }
        let group = job.spec.workers[0]
        if placement.workerCount != group.count || placement.gpuCount != job.spec.gpuCount {
            return "the gang of \(job.id) is not whole"
        }
        let slot = placement.pool.index
        gpusAllocated[slot] += placement.gpuCount
        poolJobs[slot] += 1
        var domains: Set<Int> = []
        var blocks: Set<Int> = []
        var nodes = 0
        for run in placement.runs {
            let workers = run.gpuMask.nonzeroBitCount / group.demand.gpus
            for node in Int(run.node)..<Int(run.node) + Int(run.nodeCount) {
                if used[slot][node].gpuMask & run.gpuMask != 0 { return "a GPU of node \(node) is taken twice" }
                used[slot][node].gpuMask |= run.gpuMask
                used[slot][node].cpuMillis += workers * Int(placement.cpuMillisPerWorker)
                used[slot][node].memoryMiB += workers * Int(placement.memoryMiBPerWorker)
                nodes += 1
                domains.insert(pools[slot].layout.domain(ofNode: node))
                blocks.insert(pools[slot].layout.block(ofDomain: pools[slot].layout.domain(ofNode: node)))
                if pools[slot].nodeStates[node].isDown { return "job \(job.id) is on a node that is down" }
            }
        }
        let tier: Tier = nodes == 1 ? .node : domains.count == 1 ? .domain : blocks.count == 1 ? .block : .pool
        if placement.tier != tier { return "job \(job.id) says \(placement.tier.name) and spans a \(tier.name)" }
        return tier <= job.spec.scope.tier ? nil : "job \(job.id) is spread beyond its scope"
    }

    func firstDisagreement(
        with state: State, free: (PoolSlot, Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int)
    ) -> String? {
        if state.jobs.count != jobs { return "\(state.jobs.count) jobs are counted, \(jobs) are there" }
        if state.jobsByState != byState { return "jobs by state are \(state.jobsByState), not \(byState)" }
        if state.gpusQueued != gpusQueued { return "\(state.gpusQueued) queued GPUs counted, \(gpusQueued) there" }
        for (index, pool) in pools.enumerated() {
            if pool.gpusAllocated != gpusAllocated[index] { return "pool \(index) miscounts its GPUs" }
            if pool.jobs != poolJobs[index] { return "pool \(index) miscounts its jobs" }
            if pool.isDeleted && poolJobs[index] > 0 { return "deleted pool \(index) has jobs" }
            if pool.isDeleted { continue }
            if state.slot(named: pool.spec.name) != PoolSlot(index) { return "pool \(index) is not found by name" }
            let shape = pool.spec.node
            for node in 0..<pool.layout.nodeCount {
                let used = used[index][node]
                if Int(used.gpuMask) >> shape.gpus != 0 { return "node \(node) gives GPUs that it has not" }
                if used.cpuMillis > shape.cpuMillis || used.memoryMiB > shape.memoryMiB {
                    return "node \(node) is oversubscribed"
                }
                let free = free(PoolSlot(index), node)
                if free.gpuMask != ~used.gpuMask & UInt16(truncatingIfNeeded: 1 << shape.gpus - 1)
                    || free.cpuMillis != shape.cpuMillis - used.cpuMillis
                    || free.memoryMiB != shape.memoryMiB - used.memoryMiB
                {
                    return "what is free on node \(node) of pool \(index) is not what jobs leave"
                }
            }
        }
        return nil
    }
}

// MARK: - Histories

/// Draws commands against the state as it is, from one seed. The same seed and engine give the same history.
public struct History: Sendable {
    /// Source: Sebastiano Vigna, splitmix64 (2015).
    private var random: UInt64
    private var submitted = 0
    /// Jobs are submitted while fewer wait.
    public var mostQueued = 40

    public init(seed: UInt64) { random = seed &* 0x9E37_79B9_7F4A_7C15 &+ 7 }

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
        let draw = pick(1...100)
        switch draw {
        case ...45:
            if state.count(of: .queued) >= mostQueued { return .cancel(id: job(state, .queued)) }
            // Now and then the same job again, or another one under its id.
            if chance(percent: 5), submitted > 0 { return .submit(spec(id: "j\(pick(0...submitted))")) }
            submitted += 1
            return .submit(spec(id: chance(percent: 10) ? "" : "j\(submitted)"))
        case ...60: return .start(id: job(state, .placed))
        case ...72:
            return .finish(id: job(state, .running), end: pick([.succeeded, .failed]), message: pick(["", "done"]))
        case ...79: return .cancel(id: job(state, pick([.queued, .placed, .running])))
        case ...91:
            guard let slot = livePool(state) else { return .putPool(pool("alpha")) }
            let layout = state[slot].layout
            return .changeNode(
                pool: state[slot].spec.name, node: layout.name(ofNode: pick(0...layout.nodeCount - 1)),
                action: pick([.cordon, .drain, .uncordon, .uncordon, .down, .up, .up]))
        case ...98: return .putPool(changedPool(state))
        case 99: return .deletePool(name: pick(Self.poolNames))
        default: return .resume
        }
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

    private mutating func livePool(_ state: State) -> PoolSlot? {
        let live = state.pools.indices.filter { !state.pools[$0].isDeleted }
        return live.isEmpty ? nil : PoolSlot(pick(live))
    }

    public mutating func spec(id: String) -> JobSpec {
        var demand = Demand(gpus: pick([1, 2, 4, 4, 8, 8]))
        if chance(percent: 15) { demand.cpuMillis = pick([0, 1000, 20_000, 64_000]) }
        if chance(percent: 15) { demand.memoryMiB = pick([0, 4096, 200_000, 524_288]) }
        let workers = chance(percent: 70) ? pick(1...4) : pick(4...20)
        return JobSpec(
            id: id, priority: pick([0, 0, 0, 5, 1000]), workers: [WorkerGroup(count: workers, demand: demand)],
            accelerators: pick([[], [], ["h100"], ["b200", "h100"], ["tpu"]]),
            scope: pick([.pool, .pool, .block, .domain, .node]),
            allow: chance(percent: 15)
                ? PlaceList(regions: [pick(["east", "aws/east", "gcp/west", "west"])]) : PlaceList(),
            deny: chance(percent: 10) ? PlaceList(pools: [pick(Self.poolNames)]) : PlaceList())
    }

    public mutating func pool(_ name: String) -> PoolSpec {
        var spec = PoolSpec.sample(
            name, blocks: pick(1...2), domains: pick(1...3), nodes: pick(1...4), gpus: pick([4, 8, 8, 16]),
            accelerator: pick(["h100", "h100", "b200"]), provider: pick(["aws", "gcp"]),
            region: pick(["east", "west"]), price: Int64(pick([1000, 1000, 2000])))
        if chance(percent: 30) { spec.topology = .nodes(listings(blocks: pick(1...3))) }
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

    /// A new pool, or a known one at another price, grown, or changed beyond that.
    private mutating func changedPool(_ state: State) -> PoolSpec {
        let name = pick(Self.poolNames)
        guard let slot = state.slot(named: name), !chance(percent: 15) else { return pool(name) }
        var spec = state[slot].spec
        switch pick(1...3) {
        case 1: spec.priceMicroUSDPerGPUHour = Int64(pick([500, 1000, 2000]))
        case 2:
            switch spec.topology {
            case .counts(let blocks, let domainsPerBlock, let nodesPerDomain):
                if blocks < 6 {
                    spec.topology = .counts(
                        blocks: blocks + 1, domainsPerBlock: domainsPerBlock, nodesPerDomain: nodesPerDomain)
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
