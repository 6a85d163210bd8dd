// How much of each unit a tenant may still take: nominal quota, what it may borrow of what others leave idle, what they lend.
// Follows from the state and the time; a change of use costs the tenants above it.

import Model

/// The quotas in force at one moment and what is used of them. The arithmetic of lending over a tree is that of Kueue's
/// hierarchical cohorts (sigs.k8s.io/kueue, resource_node.go): what a tenant keeps for itself is counted in it alone, all
/// else in the pot of the tenant above.
struct QuotaTree {
    /// A tenant's part in one unit. Amounts are thousandths of a GPU, or thousandths of a micro-USD per hour.
    struct Cell {
        var parent = 0
        var nominal: Int128 = 0
        /// Its own and that of all below it, whether they lend it or not.
        var owned: Int128 = 0
        /// As far as it may go beyond its own; `unlimited` for all that is idle.
        var borrowLimit = QuotaTree.unlimited
        /// Its own and what those below it put into its pot.
        var subtree: Int128 = 0
        /// What of `subtree` it does not lend.
        var kept: Int128 = 0
        /// In use here, and in the pot by those below.
        var used: Int128 = 0
    }

    static let unlimited = Int128.max >> 2

    /// By unit, those of which anyone has a quota; each by slot.
    private(set) var cells: [[Cell]] = []
    /// By unit and slot: the most that any tenant directly below keeps for itself.
    private var mostKept: [[Int128]] = []
    /// The number of each unit's accelerator, or -1 for the price of all.
    private(set) var accelerators: [Int] = []
    /// When a quota begins or ends next.
    private(set) var changesAt: Timestamp?

    var isEmpty: Bool { accelerators.isEmpty }

    init() {}

    init(_ state: State, at moment: Timestamp) {
        let records = state.tenants.records
        for record in records {
            for quota in record?.spec?.quotas ?? [] {
                for end in [quota.from, quota.until] {
                    if let end, end > moment { changesAt = min(changesAt ?? end, end) }
                }
                let number = Self.number(of: quota.unit, in: state)
                if let number, !accelerators.contains(number) { accelerators.append(number) }
            }
        }
        accelerators.sort()
        // Those below before those above.
        let order = records.indices.sorted { left, right in
            let depths = (records[left]?.info.depth ?? 0, records[right]?.info.depth ?? 0)
            return (depths.0, left) > (depths.1, right)
        }
        for number in accelerators {
            var unit = [Cell](repeating: Cell(), count: records.count)
            var below = [Int128](repeating: 0, count: records.count)
            let promised = Self.promised(number, state)
            var assigned: Int128 = 0
            for slot in order {
                guard let record = records[slot] else { continue }
                unit[slot].parent = record.info.parent.index
                let quota = Self.quota(record.spec, number, state, at: moment)
                let factor: Int128 = number < 0 ? 1000 : 1
                unit[slot].nominal = Int128(quota?.nominal ?? 0) * factor
                // What belongs to no tenant may be borrowed by all.
                if slot == 0 {
                    let all = number < 0 ? state.supply.price : Int128(state.gpuMilliByAccelerator[number])
                    unit[0].nominal = max(0, all - assigned)
                }
                unit[slot].borrowLimit = quota?.borrowLimit.map { Int128($0) * factor } ?? Self.unlimited
                unit[slot].subtree += unit[slot].nominal
                unit[slot].owned += unit[slot].nominal
                if let lend = quota?.lendLimit { unit[slot].kept = max(0, unit[slot].subtree - Int128(lend) * factor) }
                let held = number < 0 ? record.usage.price : Int128(record.gpuMilli(ofAccelerator: number))
                let total = held + promised[slot]
                unit[slot].used += total - below[slot]
                if slot == 0 { continue }
                let parent = record.info.parent.index
                assigned += unit[slot].nominal
                unit[parent].owned += unit[slot].owned
                unit[parent].subtree += unit[slot].subtree - unit[slot].kept
                unit[parent].used += max(0, unit[slot].used - unit[slot].kept)
                below[parent] += total
            }
            var mostKept = [Int128](repeating: 0, count: records.count)
            for cell in unit.dropFirst() { mostKept[cell.parent] = max(mostKept[cell.parent], cell.kept) }
            self.mostKept.append(mostKept)
            cells.append(unit)
        }
    }

    /// What is kept of a unit for jobs for which others leave, by slot, with all below it: it counts as used.
    private static func promised(_ number: Int, _ state: State) -> [Int128] {
        var promised = [Int128](repeating: 0, count: state.tenants.records.count)
        for preemptor in state.preemptors {
            guard let job = state.jobs[preemptor], let placement = job.life.reservation?.placement,
                let slot = state.tenants.slot(of: job.spec.tenant)
            else { continue }
            let amount = state.usage(of: placement).reduce(Int128(0)) { $0 + $1.amount(number) }
            state.tenants.path(from: slot) { promised[$0.index] += amount }
        }
        return promised
    }

    /// Nil for an accelerator that no pool has.
    private static func number(of unit: QuotaUnit, in state: State) -> Int? {
        switch unit {
        case .gpuMilli(let accelerator): state.accelerators.firstIndex(of: accelerator)
        case .microUSDPerHour: -1
        }
    }

    /// The quota of a unit that is in force: a passing one before a lasting one.
    private static func quota(_ spec: TenantSpec?, _ number: Int, _ state: State, at moment: Timestamp) -> Quota? {
        let inForce = spec?.quotas.filter { Self.number(of: $0.unit, in: state) == number && $0.isInForce(at: moment) }
        return inForce?.first { $0.isPassing } ?? inForce?.first
    }

    /// Takes note that a tenant uses so much more or less of a unit.
    mutating func use(_ change: Int128, of unit: Int, by slot: TenantSlot, _ tenants: TenantTable) {
        make(slot, tenants)
        var slot = slot.index
        var change = change
        while change != 0 {
            let before = max(0, cells[unit][slot].used - cells[unit][slot].kept)
            cells[unit][slot].used += change
            if slot == 0 { return }
            change = max(0, cells[unit][slot].used - cells[unit][slot].kept) - before
            slot = cells[unit][slot].parent
        }
    }

    /// Tenants that jobs only name come without a quota of their own.
    mutating func make(_ slot: TenantSlot, _ tenants: TenantTable) {
        guard let first = cells.first, slot.index >= first.count || first[slot.index].parent == 0 else { return }
        for unit in cells.indices {
            while cells[unit].count <= slot.index { cells[unit].append(Cell()) }
            tenants.path(from: slot) { cells[unit][$0.index].parent = tenants[$0].info.parent.index }
        }
    }

    /// How much more of a unit a tenant may take now. May be below zero where quotas were lowered.
    func available(_ slot: TenantSlot, _ unit: Int, _ tenants: TenantTable) -> Int128 {
        var path: [7 of Int] = .init(repeating: 0)
        var depth = 0
        var at = slot
        while at != .fleet {
            path[depth] = at.index
            depth += 1
            at = tenants.parent(of: at)
        }
        var available = cells[unit][0].subtree - cells[unit][0].used
        while depth > 0 {
            depth -= 1
            available = self.available(TenantSlot(path[depth]), unit, available)
        }
        return available
    }

    /// The same where it is known how much more the tenant above may take.
    func available(_ slot: TenantSlot, _ unit: Int, _ above: Int128) -> Int128 {
        if slot.index >= cells[unit].count { return above }
        let cell = cells[unit][slot.index]
        var available = above
        if cell.borrowLimit < Self.unlimited {
            let taken = max(0, cell.used - cell.kept)
            available = min(available, cell.subtree - cell.kept - taken + cell.borrowLimit)
        }
        return available + max(0, cell.kept - cell.used)
    }

    /// How much more a tenant may take of each unit, to be asked for once for all below it.
    func above(_ slot: TenantSlot, _ tenants: TenantTable) -> [Int128] {
        cells.indices.map { available(slot, $0, tenants) }
    }

    /// The most that is left to a tenant of any accelerator, in thousandths of a GPU, where the one above may take so much.
    func mostLeft(_ slot: TenantSlot, _ above: [Int128]) -> Int128 {
        var most: Int128 = 0
        for (unit, accelerator) in accelerators.enumerated() where accelerator >= 0 {
            most = max(most, available(slot, unit, above[unit]))
        }
        return most
    }

    /// No tenant directly below one has more left.
    func mostLeft(below parent: TenantSlot, _ above: [Int128]) -> Int128 {
        var most: Int128 = 0
        for (unit, accelerator) in accelerators.enumerated() where accelerator >= 0 {
            let kept = parent.index < mostKept[unit].count ? mostKept[unit][parent.index] : 0
            most = max(most, above[unit] + kept)
        }
        return most
    }
}
