// Who is next among tenants: the dominant share of what a tenant holds and lately held, over its weight, level by level down the
// tree. Follows from the state and the time.

import Model

/// Shares by tenant, and the order that follows from them.
struct FairShare {
    /// Dominant share over weight, in 2^-40 of the fleet, by slot.
    private(set) var shares: [UInt64] = []
    /// The step of time of which these are.
    private var cell = Int64.min
    private var generation = UInt64.max
    /// The place of each tenant among all, by share within those of one parent; equal ones share a place. By slot.
    private(set) var ranks: [UInt32] = []
    private var isOrdered = false
    /// Those below each tenant, in order, by slot.
    private var children: [[Int]] = []
    private var changed: [TenantSlot] = []
    private var isStale = true
    /// Counts how often shares were brought up to a moment.
    private(set) var stamp: UInt64 = 0
    /// When any share became less, or all may have changed.
    private var loweredAt: UInt64 = 0
    /// When each share last became more, by slot.
    private var raisedAt: [UInt64] = []

    func rank(_ slot: TenantSlot) -> UInt32 { slot.index < ranks.count ? ranks[slot.index] : 0 }

    /// Whether who was the first of some may be so no more since `stamp`, where that was one of this tenant: others that only moved
    /// back do not matter.
    func mayDiffer(since stamp: UInt64, _ slot: TenantSlot, _ tenants: TenantTable) -> Bool {
        if loweredAt > stamp { return true }
        if self.stamp == stamp { return false }
        var isRaised = false
        tenants.path(from: slot) { above in
            if above.index < raisedAt.count && raisedAt[above.index] > stamp { isRaised = true }
        }
        return isRaised
    }

    /// Takes note of a change of use.
    mutating func note(_ slot: TenantSlot) {
        if isStale { return }
        changed.append(slot)
        // Beyond that, to look at all costs no more.
        if changed.count > 64 { noteAll() }
    }

    /// Takes note that all may have changed: the fleet, a weight, a tenant that came or went.
    mutating func noteAll() {
        isStale = true
        changed.removeAll(keepingCapacity: true)
    }

    /// Brings shares and ranks up to a moment. Cost: nothing where nothing changed, else the tenants.
    mutating func refresh(_ state: State, at moment: Timestamp) {
        let tenants = state.tenants
        let now = moment.nanoseconds / tenants.policy.cell
        if isStale || now != cell || tenants.members != generation {
            isStale = false
            stamp += 1
            loweredAt = stamp
            if tenants.members != generation { listChildren(tenants) }
            generation = tenants.members
            cell = now
            shares = tenants.records.map { record in
                record.map { Self.share($0, state.supply, tenants.policy, at: moment) } ?? 0
            }
            isOrdered = false
        } else if !changed.isEmpty {
            stamp += 1
            for slot in changed {
                guard tenants.records.indices.contains(slot.index), tenants.records[slot.index] != nil else { continue }
                tenants.path(from: slot) {
                    let share = Self.share(tenants[$0], state.supply, tenants.policy, at: moment)
                    if share < shares[$0.index] { loweredAt = stamp }
                    if share > shares[$0.index] { raisedAt[$0.index] = stamp }
                    shares[$0.index] = share
                }
            }
            isOrdered = false
        }
        changed.removeAll(keepingCapacity: true)
        if !isOrdered { order() }
    }

    private mutating func listChildren(_ tenants: TenantTable) {
        children = [[Int]](repeating: [], count: tenants.records.count)
        for (slot, record) in tenants.records.enumerated().dropFirst() {
            if let record { children[record.info.parent.index].append(slot) }
        }
        ranks = [UInt32](repeating: 0, count: tenants.records.count)
        raisedAt = [UInt64](repeating: 0, count: tenants.records.count)
    }

    private mutating func order() {
        var next: UInt32 = 0
        order(below: 0, &next)
        isOrdered = true
    }

    private mutating func order(below parent: Int, _ next: inout UInt32) {
        // Nearly in order from the last time.
        for at in children[parent].indices.dropFirst() {
            var at = at
            while at > 0, isBefore(children[parent][at], children[parent][at - 1]) {
                children[parent].swapAt(at, at - 1)
                at -= 1
            }
        }
        var last: UInt64?
        for at in children[parent].indices {
            let child = children[parent][at]
            let isLeaf = children[child].isEmpty
            if shares[child] != last || !isLeaf { next += 1 }
            last = isLeaf ? shares[child] : nil
            ranks[child] = next
            if !isLeaf { order(below: child, &next) }
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool { (shares[left], left) < (shares[right], right) }

    /// Dominant share over weight, in 2^-40 of the fleet.
    static func share(
        _ record: TenantRecord, _ supply: Usage, _ policy: FairSharePolicy, at moment: Timestamp
    ) -> UInt64 {
        let claims = record.meter.claims(at: moment, record.usage, policy)
        let all = supply.claims
        var most: Int128 = 0
        // In 512ths of what all pools have: 2^31 times that is 2^40.
        for kind in 0..<3 where all[kind] > 0 { most = max(most, claims[kind] << 31 / all[kind]) }
        return UInt64(clamping: most / Int128(record.weight))
    }

    /// A job's place among all that wait.
    func key(priority: Int, _ slot: TenantSlot, _ number: JobNumber, _ tenants: TenantTable) -> OrderKey {
        var path: [6 of UInt64] = .init(repeating: 0)
        var at = slot
        while at != .fleet {
            let record = tenants[at]
            path[record.info.depth - 1] = at.index < shares.count ? shares[at.index] : 0
            at = record.info.parent
        }
        return OrderKey(
            priority: Bounds.priority - priority, shares: (path[0], path[1], path[2], path[3], path[4], path[5]),
            number: number)
    }
}

/// A job's place in the order: higher priority first, then the tenant with the smaller share, level by level, then earlier
/// arrival. Smaller is earlier.
struct OrderKey: Comparable {
    /// What is missing to the highest priority.
    let priority: Int
    let shares: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    let number: JobNumber

    static func == (left: OrderKey, right: OrderKey) -> Bool { left.number == right.number }

    static func < (left: OrderKey, right: OrderKey) -> Bool {
        if left.priority != right.priority { return left.priority < right.priority }
        if left.shares != right.shares { return left.shares < right.shares }
        return left.number < right.number
    }
}
