// What tenants have, use, lend and may still take, as their owners want to see it. All but the outlook follows from the state and
// the time, so that a copy of the state answers it.

public import Model

/// A tenant's part in one unit of quota, with all below it. Amounts are thousandths of a GPU, or micro-USD per hour.
public struct QuotaReading: Hashable, Sendable {
    /// Nil for the price of all.
    public let accelerator: String?
    /// In force now.
    public let nominal: Int64
    public let used: Int64
    /// Of `used`, what goes beyond its own and what those below it put in.
    public let borrowed: Int64
    /// Of what it leaves idle, what others use now; where several lend, in proportion to what each leaves idle.
    public let lent: Int64
    /// The most that one more job of it may take now, as far as quota goes.
    public let available: Int64
}

/// What the jobs of a tenant meet now on one accelerator model.
public struct OutlookReading: Sendable {
    public let accelerator: String
    /// Pools that the tenant's rules of place allow.
    public let pools: Int
    /// GPUs in them, and those wholly free on nodes that accept ordinary work.
    public let gpus: Int
    public let gpusFree: Int
    /// The largest gang of whole nodes, in GPUs, that fits in one place of each tier now, whatever the quota.
    public let largestGang: (domain: Int, block: Int, pool: Int)
    /// The most that quota leaves, in thousandths of a GPU; nil where no quota counts it.
    public let quotaLeft: Int64?
}

/// All about a tenant at one moment.
public struct TenantReading: Sendable {
    public let record: TenantRecord
    /// By accelerator, in the order of their numbers; the price of all first.
    public let quotas: [QuotaReading]
    /// In use, by accelerator.
    public let used: [(accelerator: String, gpuMilli: Int64)]
    /// Its dominant share of the fleet over its weight, of what it holds and lately held, in millionths.
    public let shareMillionths: UInt64
    /// Used up in the month of `moment`.
    public let gpuHours: Int64
    public let microUSD: Int64
    public let month: Month
    /// Whether any rule keeps every further job waiting now.
    public let jobsAtLimit: Bool
    public let budgetIsUsedUp: Bool
}

extension State {
    /// Cost: all tenants once for each unit of quota, and those that are asked for.
    public func tenantReadings(_ slots: [TenantSlot], at moment: Timestamp) -> [TenantReading] {
        let moment = max(moment, at)
        let quotas = QuotaTree(self, at: moment)
        let lending = quotas.accelerators.indices.map { Lending(quotas.cells[$0], tenants) }
        var shares = FairShare()
        shares.refresh(self, at: moment)
        return slots.map { slot in
            let record = tenants[slot]
            var meter = record.meter
            meter.settle(to: moment, record.usage, tenants.policy)
            var jobsAtLimit = false
            var budgetIsUsedUp = false
            switch tenantBar(slot, at: moment) {
            case .runningJobs: jobsAtLimit = true
            case .budget: budgetIsUsedUp = true
            default: break
            }
            return TenantReading(
                record: record,
                quotas: quotas.accelerators.indices.map {
                    quotas.reading($0, of: slot, lent: lending[$0].lent(by: slot, quotas.cells[$0], tenants), self)
                },
                used: accelerators.enumerated().compactMap { number, name in
                    let milli = record.gpuMilli(ofAccelerator: number)
                    return milli == 0 ? nil : (name, milli)
                },
                shareMillionths: UInt64((UInt128(shares.shares[slot.index]) * 1_000_000) >> 40),
                gpuHours: meter.gpuHours, microUSD: meter.microUSD, month: Month(moment), jobsAtLimit: jobsAtLimit,
                budgetIsUsedUp: budgetIsUsedUp)
        }
    }
}

extension Engine {
    /// What the jobs of a tenant meet now, by accelerator in the order of their numbers. Cost: that of `poolReadings`.
    public mutating func outlook(of slot: TenantSlot, at moment: Timestamp) -> [OutlookReading] {
        let quotas = QuotaTree(state, at: max(moment, now))
        let pools = poolReadings().filter { placeBar(slot, pool: $0.slot.index) == nil }
        return state.accelerators.enumerated().compactMap { number, name in
            let here = pools.filter { state[$0.slot].acceleratorNumber == number }
            if here.isEmpty { return nil }
            let unit = quotas.accelerators.firstIndex(of: number)
            return OutlookReading(
                accelerator: name, pools: here.count, gpus: here.reduce(0) { $0 + $1.gpus },
                gpusFree: here.reduce(0) { $0 + $1.gpusFree },
                largestGang: (
                    here.map(\.largestGang.domain).max() ?? 0, here.map(\.largestGang.block).max() ?? 0,
                    here.map(\.largestGang.pool).max() ?? 0
                ),
                quotaLeft: unit.map { Int64(clamping: max(0, quotas.available(slot, $0, state.tenants))) })
        }
    }
}

extension QuotaTree {
    fileprivate func reading(_ unit: Int, of slot: TenantSlot, lent: Int128, _ state: State) -> QuotaReading {
        let number = accelerators[unit]
        let scale: Int128 = number < 0 ? 1000 : 1
        func amount(_ value: Int128) -> Int64 { Int64(clamping: value / scale) }
        let cell = cells[unit][slot.index]
        let record = state.tenants[slot]
        return QuotaReading(
            accelerator: number < 0 ? nil : state.accelerators[number], nominal: amount(cell.nominal),
            used: number < 0 ? amount(record.usage.price) : record.gpuMilli(ofAccelerator: number),
            borrowed: amount(cell.borrowed), lent: amount(lent),
            available: amount(max(0, available(slot, unit, state.tenants))))
    }
}

/// What siblings borrow of one unit and what they leave idle, by the tenant above them.
private struct Lending {
    private struct Pot {
        var borrowed: Int128 = 0
        var idle: Int128 = 0
        var used: Int128 = 0
    }

    private var pots: [Pot]

    init(_ cells: [QuotaTree.Cell], _ tenants: TenantTable) {
        pots = Array(repeating: Pot(), count: cells.count)
        for (slot, record) in tenants.records.enumerated().dropFirst() {
            guard let parent = record?.info.parent.index else { continue }
            pots[parent].borrowed += cells[slot].borrowed
            pots[parent].idle += cells[slot].idle
            pots[parent].used += max(0, cells[slot].used - cells[slot].kept)
        }
    }

    /// What others use of a tenant's idle quota.
    func lent(by slot: TenantSlot, _ cells: [QuotaTree.Cell], _ tenants: TenantTable) -> Int128 {
        if slot == .fleet { return 0 }
        let parent = tenants[slot].info.parent
        let pot = pots[parent.index]
        if pot.idle == 0 { return 0 }
        let above = cells[parent.index]
        let outwards = lent(by: parent, cells, tenants)
        // What those in the tree want of each other: beyond what the tenant above has itself, which goes first.
        let wanted = min(pot.idle, max(0, pot.borrowed + (above.used - pot.used) + outwards - above.nominal))
        return cells[slot.index].idle * wanted / pot.idle
    }
}

extension QuotaTree.Cell {
    /// Beyond its own and what those below put in.
    fileprivate var borrowed: Int128 { max(0, used - subtree) }
    /// What it lends and nobody of its own uses.
    fileprivate var idle: Int128 { max(0, subtree - max(used, kept)) }
}
