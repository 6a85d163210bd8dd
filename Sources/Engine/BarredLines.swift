// Lines that are passed over because of their tenants' rules, and how much quota would have to be left to open them again.

import Model

/// By tenant, and tenants by the one above them: where a release leaves too little for all of these, none of them is looked at.
struct BarredLines {
    /// A line that was barred.
    struct Barred {
        let shape: ShapeIndex
        let kind: LineKind
        /// With less left of every accelerator's quota, in thousandths of a GPU, it stays barred.
        let least: Int128
    }

    /// What of one tenant is barred.
    private struct Own {
        /// The tenant above under which it is listed.
        var parent: TenantSlot?
        /// Of all its lines; more than can be where it has none.
        var least = Int128.max
        var lines: [Barred] = []

        mutating func refreshLeast() { least = lines.reduce(.max) { min($0, $1.least) } }
    }

    /// What is barred directly below one tenant.
    private struct Below {
        var tenants: [Int] = []
        /// No line of theirs needs less.
        var least = Int128.max
    }

    private var own: [Own] = []
    private var below: [Below] = []

    /// The tenants below which something may be barred.
    var parents: [TenantSlot] { below.indices.filter { below[$0].least < .max }.map { TenantSlot($0) } }

    func least(below parent: TenantSlot) -> Int128 { below[parent.index].least }

    func tenants(below parent: TenantSlot) -> [TenantSlot] { below[parent.index].tenants.map { TenantSlot($0) } }

    mutating func remember(_ line: Barred, of tenant: TenantSlot, below parent: TenantSlot) {
        while own.count <= tenant.index { own.append(Own()) }
        while below.count <= parent.index { below.append(Below()) }
        if own[tenant.index].parent != parent {
            own[tenant.index].parent = parent
            below[parent.index].tenants.append(tenant.index)
        }
        own[tenant.index].least = min(own[tenant.index].least, line.least)
        own[tenant.index].lines.append(line)
        below[parent.index].least = min(below[parent.index].least, line.least)
    }

    /// Takes out a tenant's lines that may be open with so much left; the others stay.
    mutating func take(from tenant: TenantSlot, left: Int128) -> [Barred] {
        if own[tenant.index].least > left { return [] }
        let all = own[tenant.index].lines
        own[tenant.index].lines = all.filter { $0.least > left }
        own[tenant.index].refreshLeast()
        return all.filter { $0.least <= left }
    }

    /// Takes note that a line is gone.
    mutating func forget(_ shape: ShapeIndex, _ kind: LineKind) {
        let tenant = kind.tenant.index
        guard tenant < own.count, !own[tenant].lines.isEmpty else { return }
        own[tenant].lines.removeAll { $0.shape == shape && $0.kind == kind }
        own[tenant].refreshLeast()
    }

    /// Lists no more who has nothing barred, or has moved, and finds the least of the others.
    mutating func refresh(below parent: TenantSlot) {
        var kept = Below()
        for tenant in below[parent.index].tenants where own[tenant].parent == parent {
            if own[tenant].lines.isEmpty {
                own[tenant].parent = nil
            } else {
                kept.tenants.append(tenant)
                kept.least = min(kept.least, own[tenant].least)
            }
        }
        below[parent.index] = kept
    }
}
