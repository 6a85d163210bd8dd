// What could be taken back for one waiting job, in the order in which it would be: surplus workers of elastic jobs, then gangs; what
// was borrowed from the preemptor's tenant, most borrowed first; then the least lost work, the larger gang, the newer job.

import HeapModule
import Model
import Packing

/// Something that may be taken back.
struct PreemptionCandidate {
    let job: Job
    let tenant: TenantSlot
    let kind: PreemptionKind
    /// What the job holds when this is taken: its place, or what it keeps where its surplus is taken before.
    let holds: Placement
    /// What an elastic job goes on with; nil where the gang leaves as a whole.
    let keeps: Placement?
    /// Work since the last checkpoint or start, in thousandths of a GPU times seconds.
    let lostMilliSeconds: Int128
    /// GPU capacity that is taken back, in thousandths of a GPU.
    let gpuMilli: Int

    var isGang: Bool { keeps == nil }

    func comesBefore(_ other: PreemptionCandidate) -> Bool {
        if lostMilliSeconds != other.lostMilliSeconds { return lostMilliSeconds < other.lostMilliSeconds }
        // Of equal loss larger gangs, so that fewer jobs are hit.
        if gpuMilli != other.gpuMilli { return gpuMilli > other.gpuMilli }
        return job.number > other.job.number
    }
}

/// All that could be taken back for a job, in order.
struct PreemptionCandidates {
    var all: [PreemptionCandidate] = []
    /// When time may add to it.
    var until: Timestamp?
    /// Whether something was left out that could have been taken.
    var isCut = false

    mutating func noteUntil(_ moment: Timestamp) { until = min(until ?? moment, moment) }
}

/// Relations of tenants by tenant and pool, found once for one search.
private struct Relations {
    private var known: [Int: TenantRelation] = [:]

    mutating func of(_ slot: TenantSlot, _ pool: Int, _ find: () -> TenantRelation) -> TenantRelation {
        let key = slot.index << 12 | pool
        if let relation = known[key] { return relation }
        let relation = find()
        known[key] = relation
        return relation
    }
}

extension Engine {
    /// All that may be taken back for a job, each by itself; whether all together may is told by `allowed`. Cost: the jobs that
    /// hold capacity and may give way.
    func candidates(_ rules: PreemptionRules) -> PreemptionCandidates {
        var found = PreemptionCandidates()
        var relations = Relations()
        var surplus: [PreemptionCandidate] = []
        var gangs: [PreemptionCandidate] = []
        let priority = rules.preemptor.life.priority
        let maySharesDecide = state.tenants.count > 1
        for (held, bag) in preemption.holders {
            if held > priority && bars.quotas.isEmpty { break }
            if held == priority && !maySharesDecide { continue }
            for number in bag.numbers {
                guard let job = state.jobs[number], let placement = job.life.placement,
                    let pool = placement.parts.first(where: { rules.pools.contains($0.pool.index) })?.pool.index
                else { continue }
                let slot = tenant(of: job)
                let relation = relations.of(slot, pool) {
                    self.relation(rules, to: slot, pool: pool, without: rules.inFlight)
                }
                guard let kind = right(of: rules, over: job, placement, relation, &found) else { continue }
                if let end = job.life.leastRunEnd, now < end {
                    found.noteUntil(end)
                    continue
                }
                let kept = shrunk(placement, of: job)
                if let kept { surplus.append(candidate(job, slot, kind, holds: placement, keeps: kept)) }
                guard job.isEvictable(protectedAfter: settings.preemptionsBeforeProtection) else { continue }
                if state.tenants[slot].evictions.count(at: now) >= settings.evictionsPerTenantAndHour {
                    found.noteUntil(EvictionCount.end(ofHourOf: now))
                    continue
                }
                gangs.append(candidate(job, slot, kind, holds: kept ?? placement, keeps: nil))
            }
        }
        surplus.sort { left, right in
            if (left.kind == .reclaim) != (right.kind == .reclaim) { return left.kind == .reclaim }
            return left.comesBefore(right)
        }
        gangs.sort { $0.comesBefore($1) }
        found.all = surplus + mostBorrowedFirst(gangs.filter { $0.kind == .reclaim }, rules)
        found.all += gangs.lazy.filter { $0.kind != .reclaim }
        if found.all.count > settings.preemptionCandidates {
            found.isCut = true
            found.all.removeLast(found.all.count - settings.preemptionCandidates)
        }
        return found
    }

    /// By what right something may be taken from a job, or nil.
    private func right(
        of rules: PreemptionRules, over job: Job, _ placement: Placement, _ relation: TenantRelation,
        _ found: inout PreemptionCandidates
    ) -> PreemptionKind? {
        if !relation.borrowed.isEmpty { return .reclaim }
        if job.life.priority < rules.preemptor.life.priority { return relation.yieldsToPriority ? .priority : nil }
        guard job.life.priority == rules.preemptor.life.priority, relation.isBeyondQuota, let fork = relation.fork
        else { return nil }
        var change = -rules.inFlight.usage(fork.victim)
        change += -usage(of: placement)
        if relation.preemptorShare < share(of: fork.victim, adding: change) { return .fairShare }
        // What is remembered of use fades in steps.
        let cell = state.tenants.policy.cell
        found.noteUntil(Timestamp(nanoseconds: (now.nanoseconds / cell + 1).multipliedClamping(by: cell)))
        return nil
    }

    func usage(of placement: Placement) -> Usage {
        state.usage(of: placement).reduce(into: Usage.none) { $0 += $1.usage }
    }

    private func candidate(
        _ job: Job, _ slot: TenantSlot, _ kind: PreemptionKind, holds: Placement, keeps: Placement?
    ) -> PreemptionCandidate {
        let milli = holds.gpuMilli - (keeps?.gpuMilli ?? 0)
        let since = job.life.unsavedSince ?? now
        let seconds = max(0, (Int128(now.nanoseconds) - Int128(since.nanoseconds)) / 1_000_000_000)
        return PreemptionCandidate(
            job: job, tenant: slot, kind: kind, holds: holds, keeps: keeps, lostMilliSeconds: Int128(milli) * seconds,
            gpuMilli: milli)
    }
}

extension Int64 {
    fileprivate func multipliedClamping(by other: Int64) -> Int64 {
        let (product, isBeyond) = multipliedReportingOverflow(by: other)
        return isBeyond ? .max : product
    }
}

/// What is taken of tenants on top of the state, by tenant and all above it.
struct TakenUse {
    private var usage: [TenantSlot: Usage] = [:]
    private var gpuMilli: [Int: Int64] = [:]

    func usage(_ slot: TenantSlot) -> Usage { usage[slot] ?? .none }

    /// Of an accelerator by its number, or of the price of all for -1.
    func amount(_ slot: TenantSlot, _ accelerator: Int) -> Int128 {
        accelerator < 0 ? usage(slot).price : Int128(gpuMilli[slot.index << 16 | accelerator] ?? 0)
    }

    /// What is taken (`sign` 1), or kept after all (-1).
    mutating func add(_ parts: [PoolUsage], _ sign: Int64, of slot: TenantSlot, _ tenants: TenantTable) {
        tenants.path(from: slot) { above in
            for part in parts {
                usage[above, default: .none] += sign < 0 ? -part.usage : part.usage
                gpuMilli[above.index << 16 | part.accelerator, default: 0] += sign * part.usage.gpuMilli
            }
        }
    }
}

extension Engine {
    /// Those of some candidates, in their order, that may be taken one after the other: no tenant loses more gangs than its
    /// budget of evictions, nor anything by quota or share once it has no more than the preemptor's may come to.
    func allowed(_ candidates: [PreemptionCandidate], _ rules: PreemptionRules) -> [PreemptionCandidate] {
        var taken = rules.inFlight
        var evictions: [TenantSlot: Int] = [:]
        return candidates.filter { candidate in
            var parts = TakenUse()
            parts.add(state.usage(of: candidate.holds), 1, of: candidate.tenant, state.tenants)
            if let keeps = candidate.keeps {
                parts.add(state.usage(of: keeps), -1, of: candidate.tenant, state.tenants)
            }
            guard let pool = candidate.holds.parts.first(where: { rules.pools.contains($0.pool.index) })?.pool.index
            else { return false }
            let relation = relation(rules, to: candidate.tenant, pool: pool, without: taken)
            switch candidate.kind {
            case .priority: if !relation.yieldsToPriority { return false }
            case .reclaim: if relation.borrowed.isEmpty { return false }
            case .fairShare:
                guard relation.isBeyondQuota, let fork = relation.fork else { return false }
                var change = -taken.usage(fork.victim)
                change += -parts.usage(fork.victim)
                if relation.preemptorShare >= share(of: fork.victim, adding: change) { return false }
            }
            if candidate.isGang {
                let known = evictions[candidate.tenant] ?? state.tenants[candidate.tenant].evictions.count(at: now)
                if known >= settings.evictionsPerTenantAndHour { return false }
                evictions[candidate.tenant] = known + 1
            }
            taken.add(state.usage(of: candidate.holds), 1, of: candidate.tenant, state.tenants)
            if let keeps = candidate.keeps {
                taken.add(state.usage(of: keeps), -1, of: candidate.tenant, state.tenants)
            }
            return true
        }
    }

    /// Always the next of the tenant that has most of what it borrowed left.
    private func mostBorrowedFirst(
        _ gangs: [PreemptionCandidate], _ rules: PreemptionRules
    ) -> [PreemptionCandidate] {
        if gangs.isEmpty { return [] }
        var lines: [TenantSlot: [PreemptionCandidate]] = [:]
        var tenants: [TenantSlot] = []
        for gang in gangs.reversed() {
            if lines[gang.tenant] == nil { tenants.append(gang.tenant) }
            lines[gang.tenant, default: []].append(gang)
        }
        var heap = Heap(
            tenants.compactMap { slot -> Borrower? in
                let pool = lines[slot]?.last?.holds.parts.first { rules.pools.contains($0.pool.index) }?.pool.index
                guard let pool, let most = relation(rules, to: slot, pool: pool, without: rules.inFlight).borrowed.first
                else { return nil }
                return Borrower(left: most.amount, accelerator: bars.quotas.accelerators[most.unit], tenant: slot)
            })
        var ordered: [PreemptionCandidate] = []
        while var borrower = heap.popMax() {
            guard let next = lines[borrower.tenant]?.popLast() else { continue }
            ordered.append(next)
            borrower.left -= state.usage(of: next.holds).reduce(0) { $0 + $1.amount(borrower.accelerator) }
            heap.insert(borrower)
        }
        return ordered
    }
}

/// A tenant and how much of what it borrowed it would have left.
private struct Borrower: Comparable {
    var left: Int128
    let accelerator: Int
    let tenant: TenantSlot

    static func < (left: Borrower, right: Borrower) -> Bool {
        left.left != right.left ? left.left < right.left : left.tenant.index > right.tenant.index
    }
}
