// Why a job waits: every pool of the fleet with the first thing that keeps the job out of it, counted and ranked.
// Reads the state as it is now; changes nothing but caches.

public import Model
import Packing

/// What keeps a waiting job out of a pool. Closed: a program may switch on it. In order of how near the job is to a place.
public enum BlockReason: UInt8, CaseIterable, Comparable, Sendable {
    /// It fits; jobs ahead of it are being placed, or its gates are not open.
    case waitingForTurn
    /// It fits within the tier that it requires, and waits a while for the smaller one that it prefers.
    case waitingForPreferred
    /// It fits, but only on nodes that are kept for jobs that came before, and by its limit it would not leave them in time.
    case reservedForOthers
    /// Its tenant, or one above, has as many jobs placed and running as it may.
    case tenantJobsAtLimit
    /// Its tenant, or one above, has used up the month's budget.
    case budgetUsedUp
    /// The gang would take more than its tenant's quota has left, with all that it may borrow.
    case quotaUsedUp
    /// It would fit were less of the pool taken.
    case capacityBusy
    /// It would fit an empty pool were fewer nodes cordoned, draining or down.
    case nodesUnavailable
    /// The gang is larger than the largest place of its scope, even an empty one.
    case gangTooLarge
    /// No node of the pool can hold one worker.
    case workerTooLarge
    /// The job does not name this accelerator.
    case acceleratorNotWanted
    /// The job's lists do not allow the pool, its region or its provider.
    case placeNotAllowed
    /// The residency or the denied providers of its tenant, or of one above, do not.
    case placeNotAllowedToTenant

    public static func < (left: BlockReason, right: BlockReason) -> Bool { left.rawValue < right.rawValue }
}

/// One reason and the pools it holds for.
public struct Blocker: Hashable, Sendable {
    public let reason: BlockReason
    public fileprivate(set) var pools: Int
    /// The pool nearest to holding the job; what follows is about it.
    public fileprivate(set) var nearestPool: String
    /// Index of the worker group that stands in the way: the largest one, or one that is too large.
    public fileprivate(set) var group: Int
    /// The most workers of that group that one place of `tier` could take, and the least that it must. Where both are
    /// equal or more fit than must, other groups or rules stand in the way.
    public fileprivate(set) var workersThatFit: Int
    public fileprivate(set) var workersNeeded: Int
    /// The tier that the job would be placed in.
    public fileprivate(set) var tier: Tier
    /// The job for which nodes of the nearest pool are kept next, and from when on.
    public fileprivate(set) var reservedFor: String?
    public fileprivate(set) var reservedFrom: Timestamp?
    /// The rule of a tenant that stands in the way.
    public fileprivate(set) var rule: TenantRule?
}

/// A rule of a tenant that keeps a job waiting, with the figures that decide.
public enum TenantRule: Hashable, Sendable {
    /// No more than `limit` jobs of `tenant`, and those below it, may be placed or run.
    case jobs(tenant: String, limit: Int)
    case budget(tenant: String)
    /// The least gang needs so much of a quota, and so much is left of it. For an accelerator in thousandths of a GPU, else in
    /// micro-USD per hour.
    case quota(accelerator: String?, needed: Int64, available: Int64)
}

/// All that keeps a job from being placed: its gates, then its reasons, nearest to a place first.
public struct Explanation: Hashable, Sendable {
    /// What keeps the job from being tried at all; its blockers are what would stand in the way were it tried now.
    public let gates: [Gate]
    /// Of the largest group.
    public let workers: Int
    /// The tier that the job asks for now: the preferred one while its patience lasts.
    public let tier: Tier
    /// When it stops waiting for the preferred tier; nil where it does not wait for it.
    public let settlesAt: Timestamp?
    public let blockers: [Blocker]
    /// What the job takes back from others, or could.
    public let preemption: PreemptionReading?

    /// False where it is proved that no pool could hold the job were it empty and all its nodes ready.
    public var couldEverFit: Bool { blockers.contains { $0.reason < .gangTooLarge } }
}

extension Engine {
    /// Why `job` waits; empty for a job that does not. Cost: the pools; and the nodes of those whose nodes changed; and for a
    /// gang of several groups or rules the work of layouts that a command may spend. What it could have in the pools that
    /// are left then is not known, so that they count as busy.
    public mutating func explain(_ job: Job) -> Explanation { explain(job, seekingVictims: true) }

    /// `seekingVictims`: whether it is worth a search to tell what preemption means for it.
    mutating func explain(_ job: Job, seekingVictims: Bool) -> Explanation {
        let tier = job.scope(at: now)
        let key = ShapeKey(job.spec, asking: tier)
        var blockers: [Blocker] = []
        var preemption: PreemptionReading?
        if job.state == .queued {
            layoutWorkBefore = packer.layoutWork
            bars.refresh(state, at: now)
            // What is kept for the job itself is room for it.
            let own = claims[.job(job.number)]
            let touched = claims.touched
            if let own { suspend(own) }
            defer {
                if let own { resume(own) }
                claims.restoreTouched(touched)
            }
            // A job behind a gate need not have a shape among those that wait.
            let gang = queue.index(of: key).map { self.gang(of: $0) } ?? resolve(key)
            // What it will ask for once its patience ends.
            let laterKey = key.isPatient ? ShapeKey(job.spec, asking: job.spec.scope.required) : nil
            let later = laterKey.map { ($0, resolve($0)) }
            for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
                var blocker = blocker(of: job, key, gang, pool: index)
                if let (key, gang) = later, blocker.reason > .reservedForOthers {
                    let then = self.blocker(of: job, key, gang, pool: index)
                    if then.reason < blocker.reason { blocker = then.whilePatient }
                }
                blockers.add(blocker)
            }
            // Where there is room nobody need leave.
            if seekingVictims && !blockers.contains(where: { $0.reason == .waitingForTurn }) {
                preemption = preemptionReading(job, laterKey ?? key)
            }
        }
        blockers.sort { $0.reason < $1.reason }
        let settlesAt = job.isOpen && key.isPatient ? job.patienceEnd : nil
        return Explanation(
            gates: job.gates, workers: key.form.groups[key.form.lead].count, tier: tier, settlesAt: settlesAt,
            blockers: blockers, preemption: preemption)
    }

    private mutating func blocker(
        of job: Job, _ key: ShapeKey, _ gang: Gang, pool index: Int
    ) -> Blocker {
        let pool = state.pools[index]
        func because(
            _ reason: BlockReason, group: Int? = nil, fit: Int = 0, needed: Int = 0, rule: TenantRule? = nil
        ) -> Blocker {
            Blocker(
                reason: reason, pools: 1, nearestPool: pool.spec.name, group: group ?? gang.lead, workersThatFit: fit,
                workersNeeded: needed, tier: gang.form.scope, rule: rule)
        }
        if !key.allows(pool.spec) { return because(.placeNotAllowed) }
        if key.accelerators.preference(for: pool.spec.accelerator) == nil { return because(.acceleratorNotWanted) }
        let tenant = tenant(of: job)
        if placeBar(tenant, pool: index) != nil { return because(.placeNotAllowedToTenant) }
        guard let at = gang.targets.firstIndex(where: { $0.pool == index }) else {
            let group = gang.form.groups.firstIndex { packer.need(of: $0.demand, pool: index) == nil }
            return because(.workerTooLarge, group: group)
        }
        let needed = gang.targets[at].workers
        if let (group, most, least) = groupTooLarge(key, gang, target: at) {
            return because(.gangTooLarge, group: group, fit: most, needed: least)
        }
        let fit = packer.largestFit(gang, target: at)
        if let (reason, rule) = rule(tenant, gang, target: at) {
            return because(reason, fit: fit, needed: needed, rule: rule)
        }
        if fit >= needed && fitsNow(gang, target: at) { return because(.waitingForTurn, fit: fit, needed: needed) }
        if let (owner, from) = claims.next(pool: index), let fit = fitOnKept(key, pool: index) {
            var blocker = because(.reservedForOthers, fit: fit, needed: needed)
            blocker.reservedFor = state.jobs[owner]?.id
            blocker.reservedFrom = from
            return blocker
        }
        let reason: BlockReason =
            couldHold(key, gang, target: at, ready: true) ? .capacityBusy : .nodesUnavailable
        return because(reason, fit: fit, needed: needed)
    }

    /// The rule of a tenant that keeps the job out of a target now.
    private func rule(_ tenant: TenantSlot, _ gang: Gang, target: Int) -> (BlockReason, TenantRule)? {
        guard bars.hasRules, let bar = state.tenantBar(tenant, at: now) ?? quotaBar(tenant, gang, target: target) else {
            return nil
        }
        switch bar {
        case .place: return nil
        case .runningJobs(let slot, let limit):
            return (.tenantJobsAtLimit, .jobs(tenant: state.tenants[slot].path, limit: limit))
        case .budget(let slot): return (.budgetUsedUp, .budget(tenant: state.tenants[slot].path))
        case .quota(let unit, let needed, let available):
            let number = bars.quotas.accelerators[unit]
            let scale: Int128 = number < 0 ? 1000 : 1
            return (
                .quotaUsedUp,
                .quota(
                    accelerator: number < 0 ? nil : state.accelerators[number],
                    needed: Int64(clamping: (needed + scale - 1) / scale),
                    available: Int64(clamping: max(0, available) / scale))
            )
        }
    }

    /// The first group of which the target cannot hold the least even when empty, with the most that it could; the lead
    /// where each group fits alone and all together do not.
    private mutating func groupTooLarge(
        _ key: ShapeKey, _ gang: Gang, target: Int
    ) -> (group: Int, most: Int, least: Int)? {
        let pool = gang.targets[target].pool
        for group in gang.form.groups.indices where gang.form.split == nil || group == gang.lead {
            let most = packer.mostWhenEmpty(gang, target: target, group: group)
            let least = gang.form.split == nil ? leastWorkers(key, group, pool: pool) : gang.targets[target].workers
            if most < least { return (group, most, least) }
        }
        if couldHold(key, gang, target: target, ready: false) { return nil }
        let most = packer.mostWhenEmpty(gang, target: target, group: gang.lead)
        return (gang.lead, most, gang.targets[target].workers)
    }

    /// The most workers of the lead that a pool could take if nothing were kept there, where the whole gang would fit then.
    private mutating func fitOnKept(_ key: ShapeKey, pool: Int) -> Int? {
        var open = key
        open.form.usesReserved = true
        let gang = queue.index(of: key).map { openGang(of: $0) } ?? resolve(open)
        guard let target = gang.targets.firstIndex(where: { $0.pool == pool }), fitsNow(gang, target: target) else {
            return nil
        }
        return packer.largestFit(gang, target: target)
    }

    /// Whether the whole gang fits a target now, or with a split some pools of which it may be one. False, too, where that is not
    /// known after as much work as a command may spend.
    private mutating func fitsNow(_ gang: Gang, target: Int) -> Bool {
        if isLayoutWorkUsedUp { return false }
        if gang.form.split == nil { return packer.fitsWhole(gang, target: target) }
        var placement = Placement.none
        return packer.find(gang, into: &placement)
    }
}

extension Blocker {
    /// The same for a job that asks for this tier only later.
    fileprivate var whilePatient: Blocker {
        if reason != .waitingForTurn { return self }
        return Blocker(
            reason: .waitingForPreferred, pools: pools, nearestPool: nearestPool, group: group,
            workersThatFit: workersThatFit, workersNeeded: workersNeeded, tier: tier, rule: rule)
    }
}

extension [Blocker] {
    /// Counts a pool's blocker under its reason; the pool with most room stands for all of one reason.
    fileprivate mutating func add(_ new: Blocker) {
        guard let at = firstIndex(where: { $0.reason == new.reason }) else { return append(new) }
        let pools = self[at].pools + new.pools
        if new.workersThatFit > self[at].workersThatFit { self[at] = new }
        self[at].pools = pools
    }
}
