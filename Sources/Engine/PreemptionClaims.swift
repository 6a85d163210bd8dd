// Nodes that are kept for waiting jobs, as far as a job before these may have them: it is not kept from them while victims are
// sought for it, and those behind lose what it takes.

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
