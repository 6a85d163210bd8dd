// Who may take capacity back from whom: by priority, as the owner of quota that was lent, or by a smaller share. Each rule is a
// function of the state, the quotas and the time.

import Model
import Packing

/// What one waiting job may do to others.
struct PreemptionRules {
    let preemptor: Job
    let tenant: TenantSlot
    let gang: Gang
    /// The pools of its targets.
    let pools: PoolBits
    /// What the preemptor's tenant would use more.
    var usage: Usage
    /// What those hold that leave already, less what is kept for those that they leave for.
    let inFlight: TakenUse

    init(_ preemptor: Job, of tenant: TenantSlot, _ gang: Gang, usage: Usage, inFlight: TakenUse) {
        self.preemptor = preemptor
        self.tenant = tenant
        self.gang = gang
        self.usage = usage
        self.inFlight = inFlight
        pools = PoolBits(gang.targets.lazy.map(\.pool))
    }
}

/// Pools as bits.
struct PoolBits {
    private var words: [UInt64] = []

    init(_ pools: some Sequence<Int>) {
        for pool in pools {
            while words.count <= pool >> 6 { words.append(0) }
            words[pool >> 6] |= 1 << UInt64(pool & 63)
        }
    }

    func contains(_ pool: Int) -> Bool {
        pool >> 6 < words.count && words[pool >> 6] >> UInt64(pool & 63) & 1 == 1
    }
}

/// How a tenant stands to the one of the preemptor, by the rules of quota and share.
struct TenantRelation {
    /// What may be reclaimed of it by unit of quota: what it and those above it have borrowed. Empty where nothing may be.
    var borrowed: [(unit: Int, amount: Int128)] = []
    /// The two below the tenant that both have in common; nil where one is above the other.
    var fork: (preemptor: TenantSlot, victim: TenantSlot)?
    /// Whether shares may be compared: neither it nor one above it is within its own quota.
    var isBeyondQuota = false
    /// Whether its jobs yield to higher priority. Those of a tenant within its own quota do not yield to one that would borrow:
    /// it could reclaim at once what it lost.
    var yieldsToPriority = true
    /// The share of the preemptor's side of the fork with the preemptor.
    var preemptorShare: UInt64 = 0
}

extension TenantTable {
    /// The tenants on the two ways down from the last that two tenants have in common; nil where one is above the other.
    func fork(_ left: TenantSlot, _ right: TenantSlot) -> (left: TenantSlot, right: TenantSlot)? {
        var (left, right) = (left, right)
        while self[left].info.depth > self[right].info.depth { left = self[left].info.parent }
        while self[right].info.depth > self[left].info.depth { right = self[right].info.parent }
        if left == right { return nil }
        while self[left].info.parent != self[right].info.parent {
            left = self[left].info.parent
            right = self[right].info.parent
        }
        return (left, right)
    }
}

extension Engine {
    /// How a tenant with a job in `pool` stands to the preemptor's. Cost: the depth of the tree, and the units of quota.
    func relation(
        _ rules: PreemptionRules, to victim: TenantSlot, pool: Int, without taken: TakenUse
    ) -> TenantRelation {
        var relation = TenantRelation()
        guard let fork = state.tenants.fork(rules.tenant, victim) else { return relation }
        relation.fork = (fork.left, fork.right)
        var more = -rules.inFlight.usage(fork.left)
        more += rules.usage
        relation.preemptorShare = share(of: fork.left, adding: more)
        let units = bars.quotas.units(ofAccelerator: state.pools[pool].acceleratorNumber)
        let amounts = units.map { borrowed(from: victim, upTo: fork.right, unit: $0, without: taken) }
        relation.isBeyondQuota = units.isEmpty || amounts.contains { $0 > 0 }
        let isWithin = rules.gang.targets.firstIndex { $0.pool == pool }.map { target in
            units.allSatisfy { isWithinNominal(fork.left, adding: rules, target: target, unit: $0) }
        }
        if isWithin ?? false {
            relation.borrowed = zip(units, amounts).filter { $1 > 0 }.map { ($0, $1) }
        } else {
            relation.yieldsToPriority = relation.isBeyondQuota
        }
        return relation
    }

    /// What a tenant has borrowed of a unit: the least that it, or one above it up to `top`, holds beyond its own.
    private func borrowed(
        from victim: TenantSlot, upTo top: TenantSlot, unit: Int, without taken: TakenUse
    ) -> Int128 {
        var least = Int128.max
        var slot = victim
        while true {
            let used = bars.quotas.used(slot, unit, state) - taken.amount(slot, bars.quotas.accelerators[unit])
            least = min(least, used - bars.quotas.owned(slot, unit))
            if slot == top { return max(0, least) }
            slot = state.tenants[slot].info.parent
        }
    }

    /// Whether a tenant with the gang on top holds no more than its own and what is owned below it.
    private func isWithinNominal(
        _ slot: TenantSlot, adding rules: PreemptionRules, target: Int, unit: Int
    ) -> Bool {
        let milli = Int128(rules.gang.leastMilli(target: target))
        let price = Int128(state.pools[rules.gang.targets[target].pool].spec.priceMicroUSDPerGPUHour)
        let need = bars.quotas.accelerators[unit] < 0 ? milli * price : milli
        let used =
            bars.quotas.used(slot, unit, state) - rules.inFlight.amount(slot, bars.quotas.accelerators[unit])
        return used + need <= bars.quotas.owned(slot, unit)
    }

    /// The share of a tenant, with all below it, were its use another.
    func share(of slot: TenantSlot, adding change: Usage) -> UInt64 {
        var record = state.tenants[slot]
        record.meter.settle(to: now, record.usage, state.tenants.policy)
        record.usage += change
        return FairShare.share(record, state.supply, state.tenants.policy, at: now)
    }

    /// What a gang uses in one of its targets: the one where it costs least, or most.
    func usage(of gang: Gang, most isMost: Bool) -> Usage {
        var best: Usage?
        for at in gang.targets.indices {
            let pool = gang.targets[at].pool
            let milli = Int64(gang.leastMilli(target: at))
            var usage = Usage(
                gpuMilli: milli, price: Int128(milli) * Int128(state.pools[pool].spec.priceMicroUSDPerGPUHour))
            for group in gang.form.groups {
                guard let need = packer.need(of: group.demand, pool: pool) else { continue }
                usage.cpuMillis += Int64(group.count * need.cpuMillis)
                usage.memoryMiB += Int64(group.count * need.memoryMiB)
            }
            guard let known = best else {
                best = usage
                continue
            }
            if (usage.price < known.price) != isMost { best = usage }
        }
        return best ?? .none
    }
}

extension QuotaTree {
    /// The units that count GPUs of an accelerator: its own and the price of all, as far as anyone has a quota of them.
    func units(ofAccelerator number: Int) -> [Int] {
        accelerators.indices.filter { accelerators[$0] < 0 || accelerators[$0] == number }
    }

    /// What a tenant and all below it own of a unit, lent or not.
    func owned(_ slot: TenantSlot, _ unit: Int) -> Int128 {
        slot.index < cells[unit].count ? cells[unit][slot.index].owned : 0
    }

    /// What a tenant and all below it hold of a unit.
    func used(_ slot: TenantSlot, _ unit: Int, _ state: State) -> Int128 {
        let record = state.tenants[slot]
        let number = accelerators[unit]
        return number < 0 ? record.usage.price : Int128(record.gpuMilli(ofAccelerator: number))
    }
}
