// The state of an engine counted again from nothing but its jobs, and each placement against what its job asked for.
// Knows nothing of how the engine counts or checks: everything is spelled out node by node.

public import Engine
import Model

extension Engine {
    /// The first disagreement between the state's counts, the free capacity and what the jobs say, or nil.
    /// Cost: all jobs and nodes.
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
        if let fault = fault ?? tally.firstDisagreement(with: state) { return fault }
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            for node in 0..<pool.layout.nodeCount {
                if let fault = tally.nodes[index][node].fault(of: pool.spec.node) { return "node \(node): \(fault)" }
                let free = free(PoolSlot(index), node: node)
                let milli = (0..<pool.spec.node.gpus).map { freeMilli(PoolSlot(index), node: node, gpu: $0) }
                if !tally.nodes[index][node].leaves(free, milli, of: pool.spec.node) {
                    return "what is free on node \(node) of pool \(index) is not what jobs leave"
                }
            }
        }
        return nil
    }
}

/// What jobs hold of one node.
private struct NodeUse {
    /// By GPU.
    var milli = [Int](repeating: 0, count: 16)
    var cpuMillis = 0
    var memoryMiB = 0
    var jobs: Set<JobNumber> = []
    /// The job that keeps it for itself.
    var owner: JobNumber?

    func fault(of shape: NodeShape) -> String? {
        if milli.contains(where: { $0 > 1000 }) { return "a GPU is taken twice" }
        if milli[shape.gpus...].contains(where: { $0 > 0 }) { return "gives GPUs that it has not" }
        if cpuMillis > shape.cpuMillis || memoryMiB > shape.memoryMiB { return "is oversubscribed" }
        return owner == nil || jobs.isSubset(of: [owner ?? JobNumber(0)]) ? nil : "is not left to its owner"
    }

    func leaves(
        _ free: (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int), _ freeMilli: [Int], of shape: NodeShape
    ) -> Bool {
        var mask: UInt16 = 0
        for gpu in 0..<shape.gpus where milli[gpu] == 0 { mask |= 1 << UInt16(gpu) }
        return free.gpuMask == mask && free.cpuMillis == shape.cpuMillis - cpuMillis
            && free.memoryMiB == shape.memoryMiB - memoryMiB
            && freeMilli.enumerated().allSatisfy { $1 == 1000 - milli[$0] }
    }
}

private struct Tally {
    var jobs = 0
    var byState = [Int](repeating: 0, count: JobState.allCases.count)
    var byGate = [Int](repeating: 0, count: GateKind.allCases.count)
    var gated = 0
    var byClass: [String: Int] = [:]
    var gpuMilliQueued = 0
    var preemptors: [JobNumber] = []
    var gpuMilliAllocated: [Int]
    var poolJobs: [Int]
    /// By pool and node.
    var nodes: [[NodeUse]]
    let pools: [PoolRecord]

    init(_ state: State) {
        pools = state.pools
        gpuMilliAllocated = pools.map { _ in 0 }
        poolJobs = pools.map { _ in 0 }
        nodes = pools.map { Array(repeating: NodeUse(), count: $0.layout.nodeCount) }
    }

    mutating func add(_ job: Job) -> String? {
        jobs += 1
        byState[Int(job.state.rawValue)] += 1
        for gate in job.gates { byGate[Int(gate.kind.rawValue)] += 1 }
        if !job.gates.isEmpty { gated += 1 }
        if job.gates.isEmpty != (job.isOpen || job.state != .queued) { return "job \(job.id) is open behind gates" }
        if !job.state.hasEnded { byClass[job.spec.priorityClass, default: 0] += 1 }
        if job.state == .queued {
            if job.life.reservation?.cause == .preemption { preemptors.append(job.number) }
            for group in job.spec.workers { gpuMilliQueued += group.count * group.demand.gpus * group.demand.gpuMilli }
            return job.life.placement == nil ? nil : "job \(job.id) waits and has a place"
        }
        guard job.state.holdsCapacity else { return nil }
        guard let placement = job.life.placement else { return "job \(job.id) is \(job.state.name) without a place" }
        for slot in Set(placement.parts.map(\.pool.index)) { poolJobs[slot] += 1 }
        let isLeaving = job.life.eviction.map { $0.keeps == nil } ?? false
        if isLeaving != (job.state == .preempting) { return "job \(job.id) is \(job.state.name) and leaves or not" }
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runs[placement.runRange(at)] {
                for node in run.nodes { take(run, of: part.need, for: job, part.pool.index, node) }
            }
        }
        let workers = Workers(placement, pools)
        for worker in workers.all where placement.exclusive != nil {
            for node in workers.place(of: worker, placement.exclusive ?? .domain) {
                nodes[worker.pool][node].owner = job.number
            }
        }
        return workers.fault(of: job, placement).map { "job \(job.id) \($0)" }
    }

    private mutating func take(_ run: NodeRun, of need: WorkerNeed, for job: Job, _ pool: Int, _ node: Int) {
        let milli = need.isShare ? Int(run.workers) * need.gpuMilli : 1000
        for gpu in 0..<16 where run.gpuMask >> UInt16(gpu) & 1 == 1 {
            nodes[pool][node].milli[gpu] += milli
            gpuMilliAllocated[pool] += milli
        }
        nodes[pool][node].cpuMillis += Int(run.workers) * need.cpuMillis
        nodes[pool][node].memoryMiB += Int(run.workers) * need.memoryMiB
        nodes[pool][node].jobs.insert(job.number)
    }

    /// What each tenant and all below it use, counted from the jobs.
    private func faultOfTenants(_ state: State) -> String? {
        var queued: [String: Int] = [:]
        var running: [String: Int] = [:]
        var usage: [String: Usage] = [:]
        state.jobs.forEach { job in
            if job.state.hasEnded { return true }
            var paths = [""]
            for part in job.spec.tenant.split(separator: "/") {
                paths.append(paths.last.map { $0.isEmpty ? String(part) : $0 + "/" + part } ?? "")
            }
            for path in paths {
                if job.state == .queued { queued[path, default: 0] += 1 } else { running[path, default: 0] += 1 }
            }
            guard job.state.holdsCapacity, let placement = job.life.placement else { return true }
            for (at, part) in placement.parts.enumerated() {
                let workers = Int64(placement.workerCount(at))
                let milli = workers * Int64(part.need.gpus * part.need.gpuMilli)
                for path in paths {
                    usage[path, default: .none] += Usage(
                        gpuMilli: milli,
                        price: Int128(milli) * Int128(pools[part.pool.index].spec.priceMicroUSDPerGPUHour),
                        cpuMillis: workers * Int64(part.need.cpuMillis), memoryMiB: workers * Int64(part.need.memoryMiB)
                    )
                }
            }
            return true
        }
        for record in state.tenants.records {
            guard let record else { continue }
            let path = record.path
            if record.queuedJobs != queued[path] ?? 0 { return "tenant '\(path)' miscounts its waiting jobs" }
            if record.runningJobs != running[path] ?? 0 { return "tenant '\(path)' miscounts its running jobs" }
            if record.usage != usage[path] ?? .none { return "tenant '\(path)' miscounts its use" }
            let below = state.tenants.records.count {
                $0.map { !$0.path.isEmpty && (TenantPath.parent(of: $0.path) ?? "") == path } ?? false
            }
            if record.children != below { return "tenant '\(path)' miscounts those below it" }
            queued[path] = nil
            running[path] = nil
            usage[path] = nil
        }
        return queued.isEmpty && running.isEmpty ? nil : "a job is of a tenant that is not there"
    }

    func firstDisagreement(with state: State) -> String? {
        if state.jobs.count != jobs { return "\(state.jobs.count) jobs are counted, \(jobs) are there" }
        if state.jobsByState != byState { return "jobs by state are \(state.jobsByState), not \(byState)" }
        if let fault = faultOfTenants(state) { return fault }
        if state.jobsByGate != byGate || state.gatedJobs != gated { return "jobs behind gates are miscounted" }
        for known in state.priorityClasses where known.jobs != byClass[known.spec.name] ?? 0 {
            return "the jobs of class \(known.spec.name) are miscounted"
        }
        if state.preemptors != preemptors { return "those for whom others leave are \(state.preemptors)" }
        if state.gpuMilliQueued != gpuMilliQueued { return "queued GPUs are miscounted" }
        for (index, pool) in pools.enumerated() {
            if pool.gpuMilliAllocated != gpuMilliAllocated[index] { return "pool \(index) miscounts its GPUs" }
            if pool.jobs != poolJobs[index] { return "pool \(index) miscounts its jobs" }
            if pool.isDeleted && poolJobs[index] > 0 { return "deleted pool \(index) has jobs" }
            if !pool.isDeleted && state.slot(named: pool.spec.name) != PoolSlot(index) {
                return "pool \(index) is not found by name"
            }
        }
        return nil
    }
}

/// The workers of one placement, each by itself.
private struct Workers {
    struct Worker {
        let group: Int
        let pool: Int
        let node: Int
    }

    var all: [Worker] = []
    let pools: [PoolRecord]

    init(_ placement: Placement, _ pools: [PoolRecord]) {
        self.pools = pools
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runs[placement.runRange(at)] {
                for node in run.nodes {
                    for _ in 0..<run.workers {
                        all.append(Worker(group: part.group, pool: part.pool.index, node: node))
                    }
                }
            }
        }
    }

    /// The nodes of the place of a tier in which a worker stands.
    func place(of worker: Worker, _ tier: Tier) -> Range<Int> {
        let layout = pools[worker.pool].layout
        let domain = layout.domain(ofNode: worker.node)
        let block = layout.block(ofDomain: domain)
        let domains =
            tier == .block ? Int(layout.blockStart[block])..<Int(layout.blockStart[block + 1]) : domain..<domain + 1
        return tier == .node
            ? worker.node..<worker.node + 1
            : Int(layout.domainStart[domains.lowerBound])..<Int(layout.domainStart[domains.upperBound])
    }

    /// The name of the place of a tier in which a worker stands, unlike that of any other.
    private func name(_ worker: Worker, _ tier: Tier) -> String {
        let spec = pools[worker.pool].spec
        switch tier {
        case .fleet: return ""
        case .provider: return spec.provider
        case .region: return spec.provider + "/" + spec.region
        case .pool: return spec.name
        case .block, .domain, .node: return spec.name + "/\(place(of: worker, tier).lowerBound)"
        }
    }

    /// Workers of one group by place.
    private func counts(_ group: Int, _ tier: Tier) -> [Int] {
        Dictionary(grouping: all.filter { $0.group == group }) { name($0, tier) }.map(\.value.count)
    }

    func fault(of job: Job, _ placement: Placement) -> String? {
        let spec = job.spec
        let tier = Tier.allCases.first { tier in Set(all.map { name($0, tier) }).count == 1 }
        if placement.tier != tier { return "says \(placement.tier.name) and spans another tier" }
        if placement.tier > spec.scope.required { return "is spread beyond its scope" }
        if Set(all.map(\.pool)).count > spec.split?.maxPools ?? 1 { return "is in too many pools" }
        if placement.exclusive != spec.exclusive { return "is not as exclusive as it asked" }
        for (index, group) in spec.workers.enumerated() {
            // Work in thousandths, where a worker of speed s does s.
            let speeds = all.filter { $0.group == index }.map { worker in
                let model = pools[worker.pool].spec.accelerator
                return spec.scaleBySpeed ? spec.accelerators.first { $0.model == model }?.speedMilli ?? 1000 : 1000
            }
            let slack = (speeds.max() ?? 0) * (group.segment?.size ?? 1)
            let work = speeds.reduce(0, +)
            if work < group.count * 1000 || work >= group.maxCount * 1000 + slack { return "is not whole" }
            if let segment = group.segment, counts(index, segment.tier).contains(where: { $0 % segment.size > 0 }) {
                return "has a segment that is cut"
            }
            if let most = group.spread.workersPerNode, counts(index, .node).contains(where: { $0 > most }) {
                return "is too dense in a node"
            }
            if let most = group.spread.workersPerDomain, counts(index, .domain).contains(where: { $0 > most }) {
                return "is too dense in a domain"
            }
        }
        for worker in all {
            let pool = pools[worker.pool]
            if job.state != .repairing && pool.nodeStates[worker.node].isDown { return "is on a node that is down" }
            let spares = place(of: worker, .domain).suffix(pool.spec.sparesPerDomain)
            if !spec.usesSpares && job.life.repairs == 0 && spares.contains(worker.node) { return "is on a spare node" }
        }
        return nil
    }
}
