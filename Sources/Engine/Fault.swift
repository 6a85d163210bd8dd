// Why a fact cannot be applied now, so that a foreign or damaged journal is refused and does not trap.
// Asks for what the state needs to stay whole, not for what today's policy would decide.

import Model
import Packing

extension Engine {
    /// What makes `fact` impossible now, in words, or nil.
    func fault(of fact: Fact) -> String? {
        switch fact {
        case .poolPut(let slot, let spec): return fault(of: spec, at: slot)
        case .poolDeleted(let slot):
            return fault(of: slot) ?? (state[slot].jobs == 0 ? nil : "the pool at slot \(slot.index) is in use")
        case .nodeChanged(let slot, let node, _):
            if let fault = fault(of: slot) { return fault }
            return state[slot].nodeStates.indices.contains(node) ? nil : "node \(node) is not in its pool"
        case .jobSubmitted(let number, let spec):
            guard number.value == state.nextJobNumber else { return "job number \(number.value) is not next" }
            return fault(of: spec, number: number)
        case .jobPlaced(let number, let placement):
            if let fault = fault(of: number, .queued) { return fault }
            guard let job = state.jobs[number] else { return nil }
            return fault(of: placement, for: job) ?? faultOfNodes(placement)
        case .jobStarted(let number): return fault(of: number, .placed)
        case .jobEnded(let number, .cancelled, _): return fault(of: number, .queued, .placed, .running)
        case .jobEnded(let number, _, _): return fault(of: number, .running)
        case .jobRequeued(let number, _): return fault(of: number, .placed, .running)
        case .jobForgotten(let number):
            return ended.first == number ? nil : "job number \(number.value) is not next to go"
        }
    }

    private func fault(of number: JobNumber, _ allowed: JobState...) -> String? {
        guard let job = state.jobs[number] else { return "there is no job number \(number.value)" }
        return allowed.contains(job.state) ? nil : "job \(job.id) is \(job.state.name)"
    }

    private func fault(of slot: PoolSlot) -> String? {
        state.pools.indices.contains(slot.index) && !state[slot].isDeleted
            ? nil : "there is no pool at slot \(slot.index)"
    }

    // MARK: Pools

    private func fault(of spec: PoolSpec, at slot: PoolSlot) -> String? {
        if let fault = spec.fault { return "pool \(spec.name) \(fault)" }
        if slot.index == state.pools.count {
            if slot.index >= Bounds.poolSlots { return "pool \(spec.name) is beyond the last slot" }
            return state.slot(named: spec.name) == nil ? nil : "pool \(spec.name) is there already"
        }
        if let fault = fault(of: slot) { return fault }
        let pool = state[slot]
        return pool.spec.mayBecome(spec, layout: pool.layout) ? nil : "pool \(pool.spec.name) cannot become this one"
    }

    // MARK: Jobs

    func fault(of spec: JobSpec, number: JobNumber) -> String? {
        if spec.id.isEmpty { return "job number \(number.value) has no id" }
        if number.value == 0 || number.value >= 1 << 48 { return "job number \(number.value) is out of range" }
        if state.jobs[spec.id] != nil { return "job \(spec.id) is there already" }
        return spec.fault.map { "job \(spec.id) \($0)" }
    }

    /// What keeps `job` from holding `placement`, whatever state the nodes are in.
    func fault(of placement: Placement, for job: Job) -> String? {
        if let fault = fault(of: placement.pool) { return fault }
        let layout = state[placement.pool].layout
        let group = job.spec.workers[0]
        guard placement.gpusPerWorker > 0, Int(placement.gpusPerWorker) == group.demand.gpus else {
            return "a worker of job \(job.id) has \(placement.gpusPerWorker) GPUs"
        }
        var workers = 0
        var first = Int.max
        var last = 0
        for run in placement.runs {
            let (perNode, rest) = run.gpuMask.nonzeroBitCount.quotientAndRemainder(
                dividingBy: Int(placement.gpusPerWorker))
            let end = Int(run.node) + Int(run.nodeCount)
            if run.nodeCount == 0 || perNode == 0 || rest != 0 { return "job \(job.id) has part of a worker" }
            if end > layout.nodeCount { return "job \(job.id) is on node \(end - 1), which is not in its pool" }
            workers += perNode * Int(run.nodeCount)
            first = min(first, Int(run.node))
            last = max(last, end - 1)
        }
        if workers != group.count { return "job \(job.id) has \(workers) of \(group.count) workers" }
        if placement.hasOverlap { return "job \(job.id) has a GPU twice" }
        let tier = layout.tier(from: first, to: last)
        if placement.tier != tier || tier > job.spec.scope.tier { return "job \(job.id) is spread over a \(tier.name)" }
        return packer.canTake(placement) ? nil : "the place of job \(job.id) is not free"
    }

    private func faultOfNodes(_ placement: Placement) -> String? {
        let states = state[placement.pool].nodeStates
        for run in placement.runs {
            let nodes = Int(run.node)..<Int(run.node) + Int(run.nodeCount)
            if let node = nodes.first(where: { states[$0] != .ready }) { return "node \(node) accepts no work" }
        }
        return nil
    }
}

extension Placement {
    /// Whether two runs have a node in common. A node stands in one run only, with all its GPUs.
    fileprivate var hasOverlap: Bool {
        let ordered = runs.sorted { $0.node < $1.node }
        return zip(ordered, ordered.dropFirst()).contains { Int($0.node) + Int($0.nodeCount) > Int($1.node) }
    }
}

extension PoolLayout {
    /// The smallest tier that holds both nodes.
    fileprivate func tier(from first: Int, to last: Int) -> Tier {
        if first == last { return .node }
        let (firstDomain, lastDomain) = (domain(ofNode: first), domain(ofNode: last))
        if firstDomain == lastDomain { return .domain }
        return block(ofDomain: firstDomain) == block(ofDomain: lastDomain) ? .block : .pool
    }
}

extension PoolSpec {
    /// Whether a pool like this may become `other` while jobs hold some of it: at another price, or grown at its end.
    func mayBecome(_ other: PoolSpec, layout: PoolLayout) -> Bool {
        var changed = self
        changed.priceMicroUSDPerGPUHour = other.priceMicroUSDPerGPUHour
        changed.purchase = other.purchase
        changed.labels = other.labels
        changed.topology = other.topology
        return changed == other && (topology == other.topology || layout.isPrefix(of: PoolLayout(other.topology)))
    }

    /// What the columns cannot hold.
    fileprivate var fault: String? {
        guard 1...Bounds.gpusPerNode ~= node.gpus, 0...Bounds.cpuMillisPerNode ~= node.cpuMillis,
            0...Bounds.memoryMiBPerNode ~= node.memoryMiB
        else { return "has a node out of bounds" }
        guard 0...Bounds.priceMicroUSDPerGPUHour ~= priceMicroUSDPerGPUHour else { return "has a price out of bounds" }
        return topology.isInBounds ? nil : "has a topology out of bounds"
    }
}

extension Topology {
    fileprivate var isInBounds: Bool {
        let size = 1...Bounds.nodesPerPool
        switch self {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain):
            // Each factor is at most 2^20, so no product overflows.
            return size ~= blocks && size ~= domainsPerBlock && 1...Bounds.nodesPerDomain ~= nodesPerDomain
                && size ~= blocks * domainsPerBlock * nodesPerDomain
        case .nodes(let listings):
            guard size ~= listings.count, Set(listings.map(\.name)).count == listings.count else { return false }
            let layout = PoolLayout(self)
            return zip(layout.domainStart, layout.domainStart.dropFirst()).allSatisfy {
                $1 - $0 <= Bounds.nodesPerDomain
            }
        }
    }
}

extension JobSpec {
    /// What the queue and the columns cannot hold.
    fileprivate var fault: String? {
        guard workers.count == 1 else { return "has \(workers.count) worker groups" }
        let group = workers[0]
        guard 0...Bounds.priority ~= priority else { return "has priority \(priority)" }
        guard 1...Bounds.workersPerJob ~= group.count else { return "has \(group.count) workers" }
        guard 1...Bounds.gpusPerNode ~= group.demand.gpus,
            0...Bounds.cpuMillisPerNode ~= group.demand.cpuMillis ?? 0,
            0...Bounds.memoryMiBPerNode ~= group.demand.memoryMiB ?? 0
        else { return "has a worker out of bounds" }
        return nil
    }
}
