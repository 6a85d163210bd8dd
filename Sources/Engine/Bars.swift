// What keeps a tenant's jobs out of a pool whatever is free there: residency, denied providers, quota, running jobs, budget.

import Model
import Packing

/// Why a tenant may not use a pool now.
enum Bar {
    /// Its residency or denied providers, or those of a tenant above it.
    case place
    case runningJobs(TenantSlot, limit: Int)
    case budget(TenantSlot)
    /// The gang would take more than the quota has left.
    case quota(unit: Int, needed: Int128, available: Int128)
}

/// The pools that a tenant may not use now for a gang.
struct ClosedPools {
    /// By pool, one bit each.
    private var words: [UInt64] = []
    fileprivate(set) var isAll = false
    fileprivate(set) var isNone = true

    func contains(_ pool: Int) -> Bool {
        pool >> 6 < words.count && words[pool >> 6] >> UInt64(pool & 63) & 1 == 1
    }

    fileprivate mutating func insert(_ pool: Int) {
        while words.count <= pool >> 6 { words.append(0) }
        words[pool >> 6] |= 1 << UInt64(pool & 63)
    }
}

/// What the tenants' rules come to, and which lines they keep from being tried.
struct Bars {
    var quotas = QuotaTree()
    /// What `quotas` was made for.
    private var puts = UInt64.max
    private var isStale = true
    /// Whether any tenant has a rule besides its weight.
    private(set) var hasRules = false
    var barred = BarredLines()
    /// Whether something changed that may open what was barred.
    private(set) var mayOpen = false
    /// Whether rules changed since barred lines were looked at: then what each needs of which quota may have changed, too.
    fileprivate(set) var mayOpenAll = false

    /// When rules change by themselves: a quota begins or ends, or a month does for one with a budget.
    private(set) var changesAt: Timestamp?

    /// Takes note that the fleet changed, of which quotas depend.
    mutating func noteSupply() {
        isStale = true
        mayOpen = true
    }

    mutating func noteRelease() { if hasRules { mayOpen = true } }

    mutating func refresh(_ state: State, at moment: Timestamp) {
        if !isStale && puts == state.tenants.puts && (changesAt.map { moment < $0 } ?? true) { return }
        isStale = false
        mayOpen = true
        mayOpenAll = true
        puts = state.tenants.puts
        quotas = QuotaTree(state, at: moment)
        hasRules = state.tenants.records.contains { $0?.spec?.hasRules ?? false }
        changesAt = quotas.changesAt
        if state.tenants.records.contains(where: { $0?.spec?.budget?.isHard ?? false }) {
            let month = Month(moment).next.start
            changesAt = min(changesAt ?? month, month)
        }
    }

    mutating func noteOpened() {
        mayOpen = false
        mayOpenAll = false
    }
}

extension TenantSpec {
    /// Whether it may keep a job from a pool.
    fileprivate var hasRules: Bool {
        !quotas.isEmpty || budget?.isHard ?? false || maxRunningJobs != nil || !residency.isEmpty
            || !denyProviders.isEmpty
    }
}

extension State {
    /// What keeps a tenant from any further job at a moment.
    func tenantBar(_ slot: TenantSlot, at moment: Timestamp) -> Bar? {
        var found: Bar?
        tenants.path(from: slot) { above in
            let record = tenants[above]
            if let limit = record.spec?.maxRunningJobs, record.runningJobs >= limit {
                found = .runningJobs(above, limit: limit)
            } else if found == nil, let budget = record.spec?.budget, budget.isHard,
                isUsedUp(budget, of: record, at: moment)
            {
                found = .budget(above)
            }
        }
        return found
    }

    /// Whether a tenant, or one above it, may place nothing more this month.
    func hasUsedUpBudget(_ slot: TenantSlot, at moment: Timestamp) -> Bool {
        var isOver = false
        tenants.path(from: slot) { above in
            let record = tenants[above]
            if let budget = record.spec?.budget, budget.isHard, isUsedUp(budget, of: record, at: moment) {
                isOver = true
            }
        }
        return isOver
    }

    private func isUsedUp(_ budget: Budget, of record: TenantRecord, at moment: Timestamp) -> Bool {
        var meter = record.meter
        meter.settle(to: moment, record.usage, tenants.policy)
        return budget.gpuHours.map { meter.gpuHours >= $0 } ?? false
            || budget.microUSD.map { meter.microUSD >= $0 } ?? false
    }
}

extension Engine {
    /// Whether rules of place keep a tenant out of a pool.
    func placeBar(_ slot: TenantSlot, pool: Int) -> Bar? {
        let spec = state.pools[pool].spec
        var isBarred = false
        state.tenants.path(from: slot) { above in
            guard let rules = state.tenants[above].spec else { return }
            if rules.denyProviders.contains(spec.provider)
                || !rules.residency.isEmpty && !spec.isIn(rules.residency)
            {
                isBarred = true
            }
        }
        return isBarred ? .place : nil
    }

    /// Whether a tenant's quota keeps a gang out of a target. Precondition: `bars` is refreshed.
    func quotaBar(_ slot: TenantSlot, _ gang: Gang, target: Int) -> Bar? {
        let pool = state.pools[gang.targets[target].pool]
        let milli = Int128(gang.leastMilli(target: target))
        if milli == 0 { return nil }
        for (unit, accelerator) in bars.quotas.accelerators.enumerated() {
            guard accelerator < 0 || accelerator == pool.acceleratorNumber else { continue }
            let available = bars.quotas.available(slot, unit, state.tenants)
            let need = accelerator < 0 ? milli * Int128(pool.spec.priceMicroUSDPerGPUHour) : milli
            if need > 0 && need > available { return .quota(unit: unit, needed: need, available: available) }
        }
        return nil
    }

    /// The pools of a gang that its tenant may not use now. Cost: the gang's pools; nothing where no tenant has rules.
    func closedPools(_ slot: TenantSlot, _ gang: Gang) -> ClosedPools {
        var closed = ClosedPools()
        if !bars.hasRules { return closed }
        let isBarred = state.tenantBar(slot, at: now) != nil
        var open = 0
        for at in gang.targets.indices {
            let pool = gang.targets[at].pool
            if isBarred || quotaBar(slot, gang, target: at) != nil || placeBar(slot, pool: pool) != nil {
                closed.insert(pool)
            } else {
                open += 1
            }
        }
        closed.isAll = open == 0 && !gang.isEmpty
        closed.isNone = open == gang.targets.count
        return closed
    }

    /// Whether a placement takes no more than its tenant may: an elastic gang may have come out larger than its least.
    func isWithinQuota(_ placement: Placement, of slot: TenantSlot) -> Bool {
        let parts = state.usage(of: placement)
        return bars.quotas.accelerators.enumerated().allSatisfy { unit, accelerator in
            let need = parts.reduce(Int128(0)) { $0 + $1.amount(accelerator) }
            return need <= max(0, bars.quotas.available(slot, unit, state.tenants))
        }
    }

    /// Passes a line over until something changes that may open it.
    mutating func barLine(_ line: Int, of shape: ShapeIndex) {
        noteBarred(line, of: shape)
        queue.bar([line], of: shape)
    }

    /// Remembers what a line would need to be open again.
    private mutating func noteBarred(_ line: Int, of shape: ShapeIndex) {
        let tenant = queue.heads[shape][line].tenant
        let gang = gang(of: shape)
        var least = Int128.max
        for at in gang.targets.indices {
            // What other rules keep out now, they may let in whatever the quota.
            if case .quota(let unit, let needed, _) = quotaBar(tenant, gang, target: at),
                bars.quotas.accelerators[unit] >= 0
            {
                least = min(least, needed)
            } else {
                least = 0
            }
        }
        bars.barred.remember(
            BarredLines.Barred(shape: shape, kind: queue.heads[shape][line].kind, least: least), of: tenant,
            below: state.tenants.parent(of: tenant))
    }

    /// Bars all lines of a shape whose tenants may use none of its pools. While jobs are placed quotas only become less, so that each
    /// would be found so at its turn. Cost: the lines.
    mutating func barClosedLines(of shape: ShapeIndex) {
        let gang = gang(of: shape)
        var barred: [Int] = []
        queue.forEachOpen(of: shape) { line, head in
            if closedPools(head.tenant, gang).isAll { barred.append(line) }
        }
        for line in barred { noteBarred(line, of: shape) }
        queue.bar(barred, of: shape)
    }

    /// Passes over all lines whose tenants may have no more, or no more of some pools, as if each had been tried. Cost: the
    /// lines and their pools.
    mutating func barClosedLines() {
        bars.refresh(state, at: now)
        guard bars.hasRules else { return }
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            for line in queue.heads[shape].indices {
                let closed = closedPools(queue.heads[shape][line].tenant, gang(of: shape))
                if closed.isAll {
                    barLine(line, of: shape)
                } else if !closed.isNone {
                    queue.miss(line, of: shape, isPartlyClosed: true)
                }
            }
        }
    }

    /// Opens the lines that are barred no more and sees to it that their shapes are tried. Cost, once after what may open some: the
    /// tenants above those with barred lines, where they have enough left these, and those of their lines that this could hold.
    mutating func openLines() {
        bars.refresh(state, at: now)
        guard bars.mayOpen else { return }
        for shape in queue.partlyClosed { untried.insert(shape) }
        // What is kept for them may be free, and only quota was wanting.
        for preemptor in state.preemptors { claims.touch(preemptor) }
        let all = bars.mayOpenAll
        bars.noteOpened()
        growth.touchHeldBack()
        for parent in bars.barred.parents {
            // A tenant that is gone has nothing below it.
            let above = state.tenants.isThere(parent) ? bars.quotas.above(parent, state.tenants) : nil
            let most = all ? .max : above.map { bars.quotas.mostLeft(below: parent, $0) } ?? 0
            if bars.barred.least(below: parent) > most { continue }
            for tenant in bars.barred.tenants(below: parent) {
                let left = all ? .max : above.map { bars.quotas.mostLeft(tenant, $0) } ?? 0
                for line in bars.barred.take(from: tenant, left: left) { open(line, of: tenant) }
            }
            bars.barred.refresh(below: parent)
        }
    }

    /// Opens a barred line, or bars it again where its tenant may still use no pool.
    private mutating func open(_ line: BarredLines.Barred, of tenant: TenantSlot) {
        guard let at = queue.line(line.shape, line.kind), queue.heads[line.shape][at].marks.contains(.barred) else {
            return
        }
        if closedPools(tenant, gang(of: line.shape)).isAll { return barLine(at, of: line.shape) }
        queue.unbar(at, of: line.shape)
        untried.insert(line.shape)
    }

    /// Takes note that a tenant holds so much more (`sign` 1) or less (-1).
    mutating func noteUse(_ placement: Placement, of job: Job, _ sign: Int128) {
        let slot = tenant(of: job)
        fairShare.note(slot)
        if sign < 0 { bars.noteRelease() }
        charge(placement, to: slot, sign)
    }

    /// Counts a placement for a tenant's quota (`sign` 1), or no more (-1).
    mutating func charge(_ placement: Placement, to slot: TenantSlot, _ sign: Int128) {
        guard !bars.quotas.isEmpty else { return }
        let parts = state.usage(of: placement)
        for (unit, accelerator) in bars.quotas.accelerators.enumerated() {
            let amount = parts.reduce(Int128(0)) { $0 + $1.amount(accelerator) }
            bars.quotas.use(sign * amount, of: unit, by: slot, state.tenants)
        }
    }
}

extension PoolUsage {
    /// What it takes of an accelerator in thousandths of a GPU, or of the price of all for -1.
    func amount(_ number: Int) -> Int128 {
        number < 0 ? usage.price : number == accelerator ? Int128(usage.gpuMilli) : 0
    }
}
