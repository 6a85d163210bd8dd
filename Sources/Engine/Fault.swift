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
            if let fault = fault(of: slot) { return fault }
            if claims.openUntil(pool: slot.index) != nil { return "nodes of the pool at slot \(slot.index) are kept" }
            return state[slot].jobs == 0 ? nil : "the pool at slot \(slot.index) is in use"
        case .nodeChanged(let slot, let node, _):
            if let fault = fault(of: slot) { return fault }
            return state[slot].nodeStates.indices.contains(node) ? nil : "node \(node) is not in its pool"
        case .jobSubmitted(let number, let spec):
            guard number.value == state.nextJobNumber else { return "job number \(number.value) is not next" }
            if spec.array != nil { return "job \(spec.id) is a task and comes by itself" }
            return fault(of: spec, number: number) ?? faultOfNames(spec)
        case .jobPlaced(let number, let placement):
            if let fault = fault(of: number, .queued) { return fault }
            guard let job = state.jobs[number] else { return nil }
            if job.life.isGated { return "job \(job.id) is behind a gate" }
            return fault(of: placement, for: job) ?? faultOfNodes(placement)
        case .jobStarted(let number): return fault(of: number, .placed)
        case .jobEnded(let number, .cancelled, .caller, _):
            return fault(of: number, .queued, .placed, .running, .preempting, .repairing)
        case .jobEnded(let number, _, .caller, _): return faultOfRun(number)
        case .jobEnded(let number, .failed, _, _): return fault(of: number, .queued)
        case .jobEnded(let number, _, let cause, _): return "job number \(number.value) ends well by \(cause)"
        case .jobRequeued(let number, .preempted): return fault(of: number, .preempting)
        case .jobRequeued(let number, _): return fault(of: number, .placed, .running, .preempting, .repairing)
        case .jobForgotten(let number):
            if isAwaited(number) { return "others wait for job number \(number.value)" }
            return ended.first == number ? nil : "job number \(number.value) is not next to go"
        case .tenantPut(let spec):
            return spec.fault.map { "tenant \(spec.path) \($0)" }
        case .tenantRemoved(let slot):
            guard slot != .fleet, state.tenants.records.indices.contains(slot.index),
                let record = state.tenants.records[slot.index]
            else { return "there is no tenant at slot \(slot.index)" }
            return record.children == 0 && record.liveJobs == 0 ? nil : "tenant \(record.path) is in use"
        case .fairShareSet(let policy):
            return Bounds.halfLifeSeconds ~= policy.halfLifeSeconds ? nil : "the half-life is out of bounds"
        case .jobHeld(let number): return fault(of: number, .queued) ?? faultOfGate(number) { !$0.life.isHeld }
        case .jobReleased(let number): return fault(of: number, .queued) ?? faultOfGate(number) { $0.life.isHeld }
        case .jobOpened(let number): return fault(of: number, .queued) ?? faultOfGate(number) { $0.life.isEarly }
        case .jobDependencyMet(let number, let dependency):
            return fault(of: number, .queued) ?? faultOfGate(number) { $0.unmetDependencies.contains(dependency) }
        case .priorityClassPut(let spec): return spec.fault.map { "priority class \(spec.name) \($0)" }
        case .priorityClassDeleted(let name):
            guard let known = state.priorityClass(named: name) else { return "there is no priority class \(name)" }
            return known.jobs == 0 ? nil : "priority class \(name) is in use"
        case .jobReserved(let number, let reservation):
            if let fault = fault(of: number, .queued) { return fault }
            return state.jobs[number].flatMap { fault(of: reservation, for: $0) }
        case .jobUnreserved(let number):
            if let fault = fault(of: number, .queued) { return fault }
            return state.jobs[number]?.life.reservation == nil ? "job number \(number.value) has no reservation" : nil
        case .jobSearchGivenUp(let number): return fault(of: number, .queued)
        case .jobArraySubmitted(let number, let spec):
            guard number.value == state.nextJobNumber else { return "array number \(number.value) is not next" }
            guard let array = spec.array else { return "array \(spec.id) has no tasks" }
            return faultOfArray(spec, array, number) ?? faultOfNames(spec)
        case .jobTurnCame(let number):
            if let fault = fault(of: number, .queued) ?? faultOfGate(number, { $0.life.awaitsTurn }) { return fault }
            let record = state.jobs[number]?.arrayNumber.flatMap { state.arrays[$0] }
            guard let record, record.hasTurn, nextTurn(of: record) == number else {
                return "the turn of job number \(number.value) has not come"
            }
            return nil
        case .jobPreempting(let number, let eviction):
            if let fault = fault(of: number, .placed, .running) { return fault }
            return state.jobs[number].flatMap { fault(of: eviction, for: $0) }
        case .jobSpared(let number):
            return faultOfEviction(number) { _ in true }
        case .jobShrunk(let number):
            return faultOfEviction(number) { $0.keeps != nil }
        case .jobCheckpointed(let number): return faultOfRun(number)
        case .nodesChanged(let slot, let runs): return fault(of: slot) ?? fault(of: runs, in: slot)
        case .jobRepairing(let number, let until):
            if !(Bounds.moments ~= until) { return "job number \(number.value) is repaired out of time" }
            return fault(of: number, .placed, .running)
        case .jobRepaired(let number, let placement): return faultOfRepair(number, placement)
        case .jobGrown(let number, let placement): return faultOfGrowth(number, placement)
        }
    }

    private func faultOfRun(_ number: JobNumber) -> String? {
        if let fault = fault(of: number, .running, .preempting, .repairing) { return fault }
        return state.jobs[number].flatMap { $0.isRunning ? nil : "job \($0.id) does not run" }
    }

    private func faultOfEviction(_ number: JobNumber, _ isSuch: (Eviction) -> Bool) -> String? {
        guard let job = state.jobs[number] else { return "there is no job number \(number.value)" }
        return job.life.eviction.map(isSuch) ?? false ? nil : "job \(job.id) was not asked to leave so"
    }

    /// What keeps something from being taken back from a job that is placed or runs.
    private func fault(of eviction: Eviction, for job: Job) -> String? {
        if job.life.eviction != nil { return "job \(job.id) is asked to leave already" }
        if !(Bounds.moments ~= eviction.deadline) { return "job \(job.id) is to leave out of time" }
        guard let keeps = eviction.keeps, let placement = job.life.placement else { return nil }
        return fault(of: keeps, within: placement, for: job)
    }

    /// What keeps a job from going on with a part of its place.
    func fault(of kept: Placement, within placement: Placement, for job: Job) -> String? {
        if let fault = faultOfForm(kept, job) ?? fault(ofRules: kept, for: job) { return fault }
        let isWithin = kept.parts.allSatisfy { part in
            placement.parts.contains { $0.group == part.group && $0.pool == part.pool && $0.need == part.need }
        }
        guard isWithin else { return "job \(job.id) is to go on elsewhere" }
        packer.give(placement)
        defer { packer.take(placement) }
        return packer.canTake(kept) ? nil : "job \(job.id) is to go on where it is not"
    }

    /// Runs of nodes rise, do not meet in a node and stay in their pool, and each of their nodes changes.
    private func fault(of runs: [NodeStateRun], in slot: PoolSlot) -> String? {
        if runs.isEmpty { return "no node of the pool at slot \(slot.index) changes" }
        let end = state[slot].nodeStates.count
        var next = 0
        for run in runs {
            guard run.node >= next, run.node < end, 1...end - run.node ~= run.nodeCount else {
                return "\(run.nodeCount) nodes from \(run.node) are not in their pool"
            }
            if let node = run.nodes.first(where: { state[slot].nodeStates[$0] == run.state }) {
                return "node \(node) of the pool at slot \(slot.index) is \(run.state.name) already"
            }
            next = run.nodes.upperBound
        }
        return nil
    }

    /// What keeps a place from being kept for a job.
    func fault(of reservation: Reservation, for job: Job) -> String? {
        if job.life.isGated { return "job \(job.id) is behind a gate" }
        if let fault = faultOfForm(reservation.placement, job) { return fault }
        for part in reservation.placement.parts {
            if let fault = fault(of: part.pool) { return fault }
            if packer.need(of: job.spec.workers[part.group].demand, pool: part.pool.index) != part.need {
                return "a worker of job \(job.id) is promised what it does not need"
            }
        }
        let moments = [reservation.madeAt, reservation.movedAt, reservation.start]
        return moments.allSatisfy { Bounds.moments ~= $0 } ? nil : "job \(job.id) is promised a place out of time"
    }

    /// A gate opens or shuts once.
    private func faultOfGate(_ number: JobNumber, _ mayChange: (Job) -> Bool) -> String? {
        guard let job = state.jobs[number], !mayChange(job) else { return nil }
        return "that gate of job \(job.id) is so already"
    }

    /// What a new job names must be there.
    private func faultOfNames(_ spec: JobSpec) -> String? {
        if !spec.priorityClass.isEmpty && state.priorityClass(named: spec.priorityClass) == nil {
            return "job \(spec.id) names the priority class \(spec.priorityClass), which is not there"
        }
        let unknown = spec.after.first { state.awaited($0.job) == nil }
        return unknown.map { "job \(spec.id) waits for job \($0.job), which is not there" }
    }

    func fault(of number: JobNumber, _ allowed: JobState...) -> String? {
        guard let job = state.jobs[number] else { return "there is no job number \(number.value)" }
        return allowed.contains(job.state) ? nil : "job \(job.id) is \(job.state.name)"
    }

    func fault(of slot: PoolSlot) -> String? {
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
        if state.jobs[spec.id] != nil || state.arrays[spec.id] != nil { return "job \(spec.id) is there already" }
        if !TenantPath.isValid(spec.tenant) { return "job \(spec.id) is of no tenant" }
        return spec.fault.map { "job \(spec.id) \($0)" }
    }
}

extension PoolSpec {
    /// Whether a pool like this may become `other` while jobs hold some of it: at another price, billed otherwise, under
    /// another contract, or grown at its end.
    func mayBecome(_ other: PoolSpec, layout: PoolLayout) -> Bool {
        var changed = self
        changed.priceMicroUSDPerGPUHour = other.priceMicroUSDPerGPUHour
        changed.purchase = other.purchase
        changed.billing = other.billing
        changed.labels = other.labels
        changed.reservation = other.reservation
        changed.topology = other.topology
        return changed == other && (topology == other.topology || layout.isPrefix(of: PoolLayout(other.topology)))
    }
}
