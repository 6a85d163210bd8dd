// What is promised already while victims are sought: nodes that are kept for waiting jobs, which a job before these may have, and
// quota that those give back who leave and those take for whom they leave.

import Model
import Packing

/// Claims whose nodes are open for a while.
struct LiftedClaims {
    fileprivate(set) var spans: [NodeSpan] = []
    fileprivate var claims: [Claim] = []
    /// Pools with nodes that are kept for others still.
    fileprivate(set) var others = PoolBits([])

    var isEmpty: Bool { claims.isEmpty }

    /// Whom of them some nodes are kept for, by rising number.
    func owners(at spans: [NodeSpan]) -> [JobNumber] {
        claims.compactMap { claim in
            guard case .job(let number) = claim.owner,
                spans.contains(where: { claim.overlaps($0.nodes, of: $0.pool) })
            else { return nil }
            return number
        }
    }
}

extension Engine {
    /// Opens the nodes that are kept for a job, and for jobs behind it that nobody leaves for, and for nobody else.
    mutating func liftClaims(behind job: Job) -> LiftedClaims {
        var lifted = LiftedClaims()
        if claims.isEmpty { return lifted }
        let mine = key(of: job)
        var others: [Int] = []
        for claim in claims.all {
            guard case .job(let number) = claim.owner, let other = state.jobs[number],
                number == job.number || other.life.reservation?.cause == .schedule && mine < key(of: other)
            else {
                others += claim.spans.map(\.pool)
                continue
            }
            lifted.claims.append(claim)
        }
        lifted.others = PoolBits(others)
        for claim in lifted.claims { lifted.spans += open(claim, among: lifted.claims) }
        setReserved(lifted.spans, false)
        // What a job gives up for itself displaces nobody.
        lifted.claims.removeAll { $0.owner == .job(job.number) }
        return lifted
    }

    /// The nodes of a claim that only these claims have, each in the first of them.
    private func open(_ claim: Claim, among lifted: [Claim]) -> [NodeSpan] {
        var spans: [NodeSpan] = []
        for span in claim.spans {
            for node in span.nodes {
                let having = lifted.filter { $0.overlaps(node..<node + 1, of: span.pool) }
                guard having.count == claims.count(node, of: span.pool), having.first?.owner == claim.owner else {
                    continue
                }
                if let last = spans.last, last.pool == span.pool, last.nodes.upperBound == node {
                    spans[spans.count - 1] = NodeSpan(pool: span.pool, nodes: last.nodes.lowerBound..<node + 1)
                } else {
                    spans.append(NodeSpan(pool: span.pool, nodes: node..<node + 1))
                }
            }
        }
        return spans
    }
}

extension Engine {
    /// What those hold that leave already, less what is kept for those that they leave for. Cost: these.
    func preemptionInFlight() -> TakenUse {
        var taken = TakenUse()
        for number in state.preemptors {
            guard let job = state.jobs[number], let place = job.keptPlace else { continue }
            taken.add(state.usage(of: place), -1, of: tenant(of: job), state.tenants)
        }
        forEachLeaving { slot, holds, keeps in
            taken.add(state.usage(of: holds), 1, of: slot, state.tenants)
            if let keeps { taken.add(state.usage(of: keeps), -1, of: slot, state.tenants) }
        }
        return taken
    }

    /// Counts for quotas what those hold that leave as given back (`sign` 1), or no more (-1). For an owner of a kept place so also
    /// that place, and not what those hold that leave for it.
    mutating func discountPreemption(of owner: Job?, _ sign: Int128) {
        if bars.quotas.isEmpty { return }
        if let owner, let place = owner.keptPlace { charge(place, to: tenant(of: owner), -sign) }
        var changes: [(TenantSlot, Placement, Placement?)] = []
        forEachLeaving(but: owner?.number) { changes.append(($0, $1, $2)) }
        for (slot, holds, keeps) in changes {
            charge(holds, to: slot, -sign)
            if let keeps { charge(keeps, to: slot, sign) }
        }
    }

    private func forEachLeaving(
        but owner: JobNumber? = nil, _ body: (TenantSlot, _ holds: Placement, _ keeps: Placement?) -> Void
    ) {
        for (by, jobs) in preemption.leaving where by != owner {
            for number in jobs {
                guard let job = state.jobs[number], let holds = job.life.placement, let eviction = job.life.eviction
                else { continue }
                body(tenant(of: job), holds, eviction.keeps)
            }
        }
    }
}
