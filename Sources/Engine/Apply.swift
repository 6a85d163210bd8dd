// A fact becomes a change of state, packer and queue. The one way the state ever changes, live and at recovery alike.

import DequeModule
import Model
import Packing

/// Ended jobs by rising end.
struct EndedJobs {
    private var numbers: Deque<JobNumber> = []

    var count: Int { numbers.count }
    var first: JobNumber? { numbers.first }

    mutating func append(_ number: JobNumber) { numbers.append(number) }
    mutating func removeFirst() { numbers.removeFirst() }
}

extension Engine {
    mutating func apply(_ fact: Fact, at: Timestamp) {
        state.revision += 1
        state.at = at
        switch fact {
        case .poolPut(let slot, let spec):
            putPool(spec, at: slot)
            noteCapacity()
        case .poolDeleted(let slot):
            state.deletePool(at: slot)
            fairShare.noteAll()
            bars.noteSupply()
            packer.remove(pool: slot.index)
            occupancy.forget(pool: slot.index)
            if slot.index < idleNodes.count { idleNodes[slot.index] = nil }
            triesAll = true
            noteCapacity()
        case .nodeChanged(let slot, let node, let nodeState):
            state.setNode(node, of: slot, to: nodeState)
            packer.setSchedulable(pool: slot.index, node: node, nodeState == .ready)
            if nodeState != .ready { claims.suspect(node..<node + 1, of: slot.index) }
            if nodeState == .ready {
                grown.insert(slot.index)
                claims.touch(node..<node + 1, of: slot.index)
            }
        case .jobSubmitted(let number, let spec):
            let job = Job(number: number, spec: spec, life: firstLife(of: spec, at: at))
            state.nextJobNumber = number.value + 1
            state.insert(job)
            enterQueue(job)
            noteDemand(spec)
        case .jobPlaced(let number, let placement):
            state.placements += 1
            if let promised = state.jobs[number]?.life.firstStart {
                work.predictions.note(promised: promised, started: at)
            }
            let job = change(number) { life in
                life.state = .placed
                life.placedAt = at
                life.placement = placement
                life.forgetPromises()
            }
            leaveQueue(job)
            packer.take(placement)
            if let end = limitEnd(of: number) { occupancy.add(placement, of: number, until: end) }
            noteUse(placement, of: job, 1)
            noteCapacity()
        case .jobStarted(let number):
            let before = change(number) { life in
                life.state = .running
                life.startedAt = at
            }
            if let placement = before.life.placement {
                occupancy.setEnd(
                    of: number, placement, from: before.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds),
                    to: limitEnd(of: number))
            }
        case .jobEnded(let number, let end, let cause, let message):
            let before = change(number) { life in
                life.state = end.state
                life.endedAt = at
                life.message = message
                life.endCause = cause
                life.isHeld = false
                life.isEarly = false
                life.unmet = 0
                life.awaitsTurn = false
                life.forgetPromises()
            }
            leave(before)
            dependents.noteEnd(of: number)
            noteTurns(of: before)
            ended.append(number)
            work.ends[Int(cause.rawValue)] += 1
        case .jobRequeued(let number, let cause):
            let before = change(number) { [placements = state.placements] life in
                life.state = .queued
                life.queuedAt = at
                life.openedAt = at
                life.queuedAtPlacement = placements
                life.placedAt = nil
                life.startedAt = nil
                life.placement = nil
                life.requeues += 1
                life.lastRequeue = cause
            }
            leave(before)
            if let job = state.jobs[number], let shape = enterQueue(job) { untried.insert(shape) }
            work.requeues += 1
        case .jobForgotten(let number):
            if let job = state.jobs[number] { state.remove(job) }
            precondition(ended.first == number, "jobs are forgotten in the order in which they ended")
            ended.removeFirst()
        case .tenantPut(let spec):
            _ = state.tenants.put(spec, at: at, revision: state.revision)
            fairShare.noteAll()
            noteOrder()
        case .tenantRemoved(let slot):
            state.tenants.remove(slot)
            fairShare.noteAll()
            noteOrder()
        case .fairShareSet(let policy):
            state.tenants.setPolicy(policy, at: at)
            fairShare.noteAll()
            noteOrder()
        case .jobHeld(let number): changeGates(number, at: at) { $0.isHeld = true }
        case .jobReleased(let number): changeGates(number, at: at) { $0.isHeld = false }
        case .jobOpened(let number): changeGates(number, at: at) { $0.isEarly = false }
        case .jobDependencyMet(let number, let dependency):
            changeGates(number, at: at) { $0.unmet &= ~(1 << UInt64(dependency)) }
        case .priorityClassPut(let spec): state.put(spec, revision: state.revision)
        case .priorityClassDeleted(let name): state.deletePriorityClass(named: name)
        case .jobReserved(let number, let reservation):
            change(number) {
                $0.reservation = reservation
                $0.searchGivenUpAt = nil
                $0.firstStart = $0.firstStart ?? reservation.start
            }
            state.searchedAt = at
            stopKeeping(for: .job(number))
            if let job = state.jobs[number] { keep(reservation, for: job) }
        case .jobUnreserved(let number):
            change(number) { $0.reservation = nil }
            stopKeeping(for: .job(number))
        case .jobSearchGivenUp(let number):
            change(number) { $0.searchGivenUpAt = at }
            state.searchedAt = at
        case .jobArraySubmitted(let number, let spec): applyArray(number, spec, at: at)
        case .jobTurnCame(let number):
            changeGates(number, at: at) { $0.awaitsTurn = false }
            if let job = state.jobs[number] {
                state.arrays.noteTurn(of: job)
                noteTurns(of: job)
            }
        }
    }

    /// Takes note that others may be ahead of those for whom nodes are kept.
    private mutating func noteOrder() { if !claims.isEmpty { triesAll = true } }

    /// Opens or shuts gates of a queued job. One whose last gate opens has come to the queue now.
    private mutating func changeGates(_ number: JobNumber, at: Timestamp, _ body: (inout JobLife) -> Void) {
        let before = change(number) { [placements = state.placements] life in
            let wasGated = life.isGated
            body(&life)
            if life.isGated { life.forgetPromises() }
            guard wasGated && !life.isGated else { return }
            life.openedAt = at
            life.queuedAtPlacement = placements
        }
        if let shape = moveInQueue(from: before, to: state.jobs[number]) { untried.insert(shape) }
    }

    mutating func putPool(_ spec: PoolSpec, at slot: PoolSlot) {
        let known = slot.index < state.pools.count ? state.pools[slot.index].info : nil
        let layout = known.flatMap { $0.spec.topology == spec.topology ? $0.layout : nil } ?? PoolLayout(spec.topology)
        state.putPool(PoolInfo(spec: spec, layout: layout), at: slot)
        packer.put(pool: slot.index, layout: layout, spec: spec)
        places.note(spec, at: slot)
        fairShare.noteAll()
        bars.noteSupply()
        triesAll = true
    }

    /// Changes a job's life and returns the job as it was before.
    @discardableResult
    private mutating func change(_ number: JobNumber, _ body: (inout JobLife) -> Void) -> Job {
        guard let job = state.jobs[number] else { preconditionFailure("a fact names a job that is not there") }
        var life = job.life
        life.revision = state.revision
        body(&life)
        state.replace(job, with: job.with(life))
        return job
    }

    mutating func noteDemand(_ spec: JobSpec) {
        let version = state.mix.version
        state.mix.note(spec)
        if state.mix.version == version { return }
        // A new mix may be the first under which nodes are weighed at all, and scarcity matters.
        packer.setMix(state.mix.inUse)
        priceMix()
    }

    /// Finds the scarcities of the mix again once so much less or more is free that they no longer hold.
    private mutating func noteCapacity() {
        let free = state.gpuMilliAll - state.gpuMilliAllocated
        if state.mix.isOutdated(freeMilli: free, allMilli: state.gpuMilliAll) { priceMix() }
    }

    private mutating func priceMix() {
        let scarcity = packer.scarcity(of: state.mix.inUse)
        let isNew = !zip(scarcity, state.mix.inUse).allSatisfy { $0 == $1.scarcity }
        state.mix.price(freeMilli: state.gpuMilliAll - state.gpuMilliAllocated, scarcity: scarcity)
        if isNew { packer.setMix(state.mix.inUse) }
    }

    /// When a job that holds capacity ends by its limit.
    func limitEnd(of number: JobNumber) -> Timestamp? {
        state.jobs[number]?.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds)
    }

    /// A job that waited leaves the queue; one that held capacity gives it back.
    private mutating func leave(_ job: Job) {
        if job.state == .queued { leaveQueue(job) }
        if job.state.holdsCapacity, let placement = job.life.placement {
            packer.give(placement)
            if let end = job.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds) {
                occupancy.remove(placement, of: job.number, until: end)
            }
            for (at, part) in placement.parts.enumerated() {
                for run in placement.runRange(at) { claims.touch(placement.runs[run].nodes, of: part.pool.index) }
            }
            noteUse(placement, of: job, -1)
            placement.forEachPool { grown.insert($0.index) }
            noteCapacity()
        }
    }
}
