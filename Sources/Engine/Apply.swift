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
            setNodes([NodeStateRun(node: node, nodeCount: 1, state: nodeState)], of: slot)
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
            if let range = firstPredictions.take(number) { work.predictedStarts.note(range, started: at) }
            moves.note(placement, at: at)
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
                moves.note(placement, at: at)
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
                life.eviction = nil
                life.repairUntil = nil
                life.resizedAt = nil
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
                life.eviction = nil
                life.repairUntil = nil
                life.repairs = 0
                life.resizedAt = nil
                if cause == .preempted { life.preemptions += 1 }
            }
            leave(before)
            if let job = state.jobs[number], let shape = enterQueue(job) { untried.insert(shape) }
            work.requeues += 1
            if cause == .preempted { work.noteLoss(of: before, before.life.placement?.gpuMilli ?? 0, at: at) }
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
            noteKept(number)
        case .jobUnreserved(let number):
            change(number) { $0.reservation = nil }
            stopKeeping(for: .job(number))
            noteKept(number)
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
        case .jobPreempting, .jobSpared, .jobShrunk, .jobCheckpointed: applyPreemption(fact, at: at)
        case .nodesChanged(let slot, let runs): setNodes(runs, of: slot)
        case .jobRepairing(let number, let until):
            change(number) { life in
                life.state = .repairing
                life.repairUntil = until
            }
            work.losses += 1
        case .jobRepaired(let number, let placement):
            replacePlacement(of: number, with: placement, at: at)
            change(number) { life in
                life.state = life.startedAt == nil ? .placed : .running
                life.repairUntil = nil
                life.repairs += 1
            }
            work.repairs += 1
        case .jobGrown(let number, let placement):
            let before = replacePlacement(of: number, with: placement, at: at)
            change(number) { $0.resizedAt = at }
            work.growths += 1
            work.grownWorkers += UInt64(max(0, placement.workerCount - before.workerCount))
        }
    }

    private mutating func setNodes(_ runs: [NodeStateRun], of slot: PoolSlot) {
        moves.notePool(slot.index, at: state.at)
        for run in runs {
            for node in run.nodes {
                state.setNode(node, of: slot, to: run.state)
                packer.setSchedulable(pool: slot.index, node: node, run.state == .ready)
            }
            if run.state == .ready {
                noteRoom(in: slot.index)
                claims.touch(run.nodes, of: slot.index)
            } else {
                claims.suspect(run.nodes, of: slot.index)
                preemption.touchAll()
            }
            repairs.touch()
        }
    }

    private mutating func applyPreemption(_ fact: Fact, at: Timestamp) {
        switch fact {
        case .jobPreempting(let number, let eviction):
            let before = change(number) { life in
                life.eviction = eviction
                if eviction.keeps == nil { life.state = .preempting }
            }
            let kind = Int(eviction.kind.rawValue)
            if eviction.keeps == nil {
                state.tenants.countEviction(tenant(of: before), at: at)
                work.preemptions[kind] += 1
            } else {
                work.shrinks[kind] += 1
            }
        case .jobSpared(let number):
            change(number) { life in
                life.eviction = nil
                if life.state == .preempting { life.state = life.startedAt == nil ? .placed : .running }
            }
            work.spared += 1
        case .jobShrunk(let number):
            guard let before = state.jobs[number], let placement = before.life.placement,
                let keeps = before.life.eviction?.keeps
            else { preconditionFailure("a job shrinks that was not asked to") }
            replacePlacement(of: number, with: keeps, at: at)
            change(number) { life in
                life.eviction = nil
                life.resizedAt = at
            }
            work.noteLoss(of: before, placement.gpuMilli - keeps.gpuMilli, at: at)
        case .jobCheckpointed(let number):
            change(number) { $0.checkpointedAt = at }
        default: preconditionFailure("not a fact of preemption")
        }
    }

    /// Lets a job that holds capacity hold another placement, all counts with it.
    @discardableResult
    mutating func replacePlacement(of number: JobNumber, with placement: Placement, at: Timestamp) -> Placement {
        guard let end = limitEnd(of: number), let old = change(number, { $0.placement = placement }).life.placement,
            let job = state.jobs[number]
        else { preconditionFailure("a job without a place is given another") }
        packer.give(old)
        packer.take(placement)
        occupancy.remove(old, of: number, until: end)
        occupancy.add(placement, of: number, until: end)
        noteUse(old, of: job, -1)
        noteUse(placement, of: job, 1)
        moves.note(placement, at: at)
        noteGiven(old)
        noteCapacity()
        return old
    }

    /// Takes note that there is more room in a pool than before.
    mutating func noteRoom(in pool: Int) {
        grown.insert(pool)
        growth.touch(pool)
    }

    /// Takes note that what a placement held was given back.
    private mutating func noteGiven(_ placement: Placement) {
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) { claims.touch(placement.runs[run].nodes, of: part.pool.index) }
        }
        placement.forEachPool { noteRoom(in: $0.index) }
        moves.note(placement, at: state.at)
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
        moves.notePool(slot.index, at: state.at)
        fairShare.noteAll()
        bars.noteSupply()
        triesAll = true
        growth.touchAll()
    }

    /// Changes a job's life and returns the job as it was before.
    @discardableResult
    private mutating func change(_ number: JobNumber, _ body: (inout JobLife) -> Void) -> Job {
        guard let job = state.jobs[number] else { preconditionFailure("a fact names a job that is not there") }
        var life = job.life
        life.revision = state.revision
        body(&life)
        let changed = job.with(life)
        state.replace(job, with: changed)
        notePreemption(from: job, to: changed)
        noteRepair(from: job.life, to: changed)
        noteGrowth(from: job, to: changed)
        return job
    }

    /// Takes note of what a change of a job means for those that preempt and those that give way. The state knows it already.
    mutating func notePreemption(from before: Job?, to after: Job) {
        preemption.moveHolder(from: before, to: after, protectedAfter: settings.preemptionsBeforeProtection)
        let (old, new) = (before?.life.eviction, after.life.eviction)
        if old != new {
            preemption.moveEviction(of: after.number, from: old, to: new)
            if let new { timers.set(Timer(at: new.deadline, number: after.number, kind: .eviction)) }
            if old != nil { timers.unset(.eviction, isSet: waiting.isSet) }
            if let old { claims.touch(old.by) }
            if !preemption.isAnyoneLeaving { for preemptor in state.preemptors { preemption.touch(preemptor) } }
            if before == nil, let new { preemption.touch(new.by) }
        }
        let (was, kept) = (before?.keptPlace, after.keptPlace)
        if was == kept { return }
        // What is kept for a preemptor counts for its quota, or others would take that meanwhile.
        if let was {
            charge(was, to: tenant(of: after), -1)
            bars.noteRelease()
        }
        if let kept { charge(kept, to: tenant(of: after), 1) }
        if kept == nil || before == nil { preemption.touch(after.number) }
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
        if job.state == .queued {
            leaveQueue(job)
            _ = firstPredictions.take(job.number)
        }
        if job.state.holdsCapacity, let placement = job.life.placement {
            packer.give(placement)
            if let end = job.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds) {
                occupancy.remove(placement, of: job.number, until: end)
            }
            noteUse(placement, of: job, -1)
            noteGiven(placement)
            noteCapacity()
        }
    }
}
