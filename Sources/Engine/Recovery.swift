// How an engine comes back: from a snapshot's image and from the journal's transactions, each checked before it is applied.

public import Model
import Packing

extension Engine {
    /// An engine with the state of a snapshot. Throws where the image cannot be a state, or is not the one of its digest.
    public init(image: StateImage, settings: EngineSettings = EngineSettings()) throws(ReplayError) {
        self.init(settings: settings)
        now = image.at
        if let fault = image.mix.fault { throw .impossibleFact(revision: image.revision, fault) }
        state.mix = image.mix
        packer.setMix(image.mix.inUse)
        guard Bounds.halfLifeSeconds ~= image.fairShare.halfLifeSeconds else {
            throw .impossibleFact(revision: image.revision, "the half-life is out of bounds")
        }
        if let fault = TenantTable.fault(of: image.tenants, at: image.at)
            ?? state.tenants.restore(image.tenants, policy: image.fairShare)
        {
            throw .impossibleFact(revision: image.revision, fault)
        }
        for known in image.priorityClasses {
            let isNext = state.priorityClasses.last.map { $0.spec.name < known.spec.name } ?? true
            if let fault = isNext ? known.spec.fault : "is out of order" {
                throw .impossibleFact(revision: image.revision, "priority class \(known.spec.name) \(fault)")
            }
            state.put(known.spec, revision: known.revision)
        }
        for (index, pool) in image.pools.enumerated() {
            if let fault = restore(pool, at: PoolSlot(index)) {
                throw .impossibleFact(revision: image.revision, fault)
            }
        }
        state.nextJobNumber = image.nextJobNumber
        var lastArray = JobNumber(0)
        for array in image.arrays {
            if let fault = restore(array, after: lastArray) {
                throw .impossibleFact(revision: image.revision, fault)
            }
            lastArray = JobNumber(array.number.value + UInt64(array.spec.array?.count ?? 0))
        }
        var endings: [(revision: UInt64, number: JobNumber)] = []
        var last = JobNumber(0)
        for job in image.jobs {
            if let fault = job.number > last ? restore(job) : "jobs are out of order" {
                throw .impossibleFact(revision: image.revision, fault)
            }
            last = job.number
            if job.state.hasEnded { endings.append((job.life.revision, job.number)) }
        }
        if let fault = settleRestoredArrays() { throw .impossibleFact(revision: image.revision, fault) }
        endings.sort { $0 < $1 }
        for (_, number) in endings { ended.append(number) }
        state.revision = image.revision
        state.at = image.at
        state.placements = image.placements
        state.searchedAt = image.searchedAt
        state.tenants.restoreMeters(image.tenants)
        for index in state.pools.indices { state.pools[index].revision = image.pools[index].revision }
        claims.suspectAll()
        moves = Moves(since: image.at)
        state.isSettled = image.isSettled
        triesAll = !image.isSettled
        mayPreempt = !image.isSettled
        // What was given back on kept nodes and not yet looked at is not in the image.
        if image.isSettled {
            preemption.forgetTouched()
            repairs.forgetTouched()
            noteGrowthDue()
            growth.forgetTouched()
        } else {
            claims.touchAll()
        }
        guard state.digest == image.digest else { throw .digestMismatch(revision: image.revision) }
        bars.refresh(state, at: now)
        if image.isSettled { bars.noteOpened() }
        barClosedLines()
    }

    private mutating func restore(_ pool: PoolImage, at slot: PoolSlot) -> String? {
        if let fault = fault(of: .poolPut(slot: slot, spec: pool.spec)) { return fault }
        putPool(pool.spec, at: slot)
        for (node, nodeState) in pool.unready {
            if let fault = fault(of: .nodeChanged(slot: slot, node: node, state: nodeState)) { return fault }
            state.setNode(node, of: slot, to: nodeState)
            packer.setSchedulable(pool: slot.index, node: node, nodeState == .ready)
        }
        if pool.isDeleted {
            state.deletePool(at: slot)
            packer.remove(pool: slot.index)
        }
        return nil
    }

    private mutating func restore(_ job: Job) -> String? {
        if let fault = fault(of: job.spec, number: job.number) { return fault }
        if let fault = faultOfTask(job) { return fault }
        if let fault = job.life.fault(of: job.spec) { return "job \(job.id) \(fault)" }
        if !job.state.hasEnded && !job.spec.priorityClass.isEmpty
            && state.priorityClass(named: job.spec.priorityClass) == nil
        {
            return "job \(job.id) names a priority class that is not there"
        }
        if let index = job.unmetDependencies.first(where: { state.awaited(job.spec.after[$0].job) == nil }) {
            return "job \(job.id) waits for job \(job.spec.after[index].job), which is not there"
        }
        if job.number.value >= state.nextJobNumber { return "job number \(job.number.value) is yet to come" }
        switch job.state {
        case .queued:
            if job.life.placement != nil { return "job \(job.id) waits and has a place" }
            if let reservation = job.life.reservation, let fault = fault(of: reservation, for: job) { return fault }
        case .placed, .running, .preempting, .repairing:
            guard let placement = job.life.placement else { return "job \(job.id) runs nowhere" }
            if let fault = fault(of: placement, for: job) { return fault }
            packer.take(placement)
            if let keeps = job.life.eviction?.keeps, let fault = fault(of: keeps, within: placement, for: job) {
                return fault
            }
            if let end = job.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds) {
                occupancy.add(placement, of: job.number, until: end)
            }
        case .succeeded, .failed, .cancelled:
            if let placement = job.life.placement, let fault = faultOfForm(placement, job) { return fault }
        }
        if !job.state.hasEnded && state.tenants.slot(of: job.spec.tenant) == nil {
            return "job \(job.id) is of a tenant that is not there"
        }
        state.insert(job)
        if job.state == .queued { enterQueue(job) }
        if let reservation = job.life.reservation { keep(reservation, for: job) }
        notePreemption(from: nil, to: job)
        noteRepair(from: nil, to: job)
        noteGrowth(from: nil, to: job)
        return nil
    }

    /// Applies one transaction of the journal and checks that the state came out as it was live.
    /// After an error the engine may have applied some of the facts and is of no further use.
    public mutating func replay(_ transaction: Transaction) throws(ReplayError) {
        guard transaction.firstRevision == state.revision + 1 else {
            throw .revisionGap(expected: state.revision + 1, found: transaction.firstRevision)
        }
        if transaction.at < state.at {
            throw .impossibleFact(revision: transaction.firstRevision, "time goes back from \(state.at)")
        }
        advance(to: transaction.at)
        for fact in transaction.facts {
            if let fault = fault(of: fact) { throw .impossibleFact(revision: state.revision + 1, fault) }
            apply(fact, at: transaction.at)
        }
        guard state.digest == transaction.stateDigest else { throw .digestMismatch(revision: state.revision) }
        // The journal says what was placed and not what was tried.
        triesAll = true
        growth.touchAll()
        claims.touchAll()
        claims.suspectAll()
    }
}
