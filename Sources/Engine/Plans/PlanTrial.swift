// An engine to try moves on: made from a state that readers see, it shares nothing with the one that serves. It has no queue and
// writes no facts; gangs are lifted out of their places and settled in others, and back.

public import Model
import Packing

extension Engine {
    /// The capacity, the claims and the tenants' rules of `view` at a moment. Cost: the nodes, and all jobs.
    init(tryingOn view: State, settings: EngineSettings, at moment: Timestamp) {
        self.init(settings: settings)
        state = view
        now = max(view.at, moment)
        for (index, pool) in view.pools.enumerated() {
            places.note(pool.spec, at: PoolSlot(index))
            if pool.isDeleted { continue }
            packer.put(pool: index, layout: pool.layout, spec: pool.spec)
            for (node, nodeState) in pool.nodeStates.enumerated() where nodeState != .ready {
                packer.setSchedulable(pool: index, node: node, false)
            }
        }
        packer.setMix(view.mix.inUse)
        for job in view.jobs.all(where: { $0.state.holdsCapacity || $0.life.reservation != nil }) {
            if let placement = job.life.placement { packer.take(placement) }
            if let reservation = job.life.reservation { keep(reservation, for: job) }
        }
        bars.refresh(state, at: now)
    }

    /// Takes a gang out of its place. It waits then, and for no tier that it would only prefer.
    mutating func lift(_ job: Job) -> Job {
        guard let placement = job.life.placement else { preconditionFailure("a job that stands nowhere is lifted") }
        packer.give(placement)
        noteUse(placement, of: job, -1)
        var life = job.life
        life.state = .queued
        life.openedAt = Timestamp(nanoseconds: 0)
        life.placedAt = nil
        life.startedAt = nil
        life.eviction = nil
        life.repairUntil = nil
        life.repairs = 0
        life.resizedAt = nil
        life.placement = nil
        return replace(job, with: job.with(life))
    }

    /// Puts a lifted gang into a place. Precondition: the place is free.
    mutating func settle(_ job: Job, in placement: Placement) -> Job {
        var life = job.life
        life.state = .placed
        life.placedAt = now
        life.placement = placement
        return settle(job, as: job.with(life))
    }

    /// Puts a lifted gang back as it was.
    @discardableResult
    mutating func settle(_ lifted: Job, as job: Job) -> Job {
        guard let placement = job.life.placement else { preconditionFailure("a job is settled nowhere") }
        packer.take(placement)
        noteUse(placement, of: job, 1)
        return replace(lifted, with: job)
    }

    private mutating func replace(_ old: Job, with new: Job) -> Job {
        state.replace(old, with: new)
        return new
    }
}

extension JobTable {
    /// The jobs for which `counts` says yes, by rising number.
    func all(where counts: (Job) -> Bool) -> [Job] {
        var jobs: [Job] = []
        forEach { job in
            if counts(job) { jobs.append(job) }
            return true
        }
        return jobs
    }
}

extension PoolFilter {
    /// Whether a pool is all of what is said.
    public func admits(_ pool: PoolSpec) -> Bool {
        if !pools.isEmpty && !pools.contains(pool.name) { return false }
        if let accelerator, pool.accelerator != accelerator { return false }
        if let provider, pool.provider != provider { return false }
        return region.map { pool.isIn([$0]) } ?? true
    }
}
