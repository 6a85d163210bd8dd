// Nodes that are kept for someone: for a waiting job, from the reservation that it has. Kept nodes are closed to all gangs but
// those that leave them in time. Follows from the jobs' reservations.

import Model
import Packing

/// Whom nodes are kept for.
enum ClaimOwner: Hashable, Comparable {
    case job(JobNumber)
}

/// Neighbouring nodes of a pool.
struct NodeSpan: Comparable {
    let pool: Int
    let nodes: Range<Int>

    static func < (left: NodeSpan, right: NodeSpan) -> Bool {
        (left.pool, left.nodes.lowerBound) < (right.pool, right.nodes.lowerBound)
    }
}

/// Nodes that are kept for one owner.
struct Claim {
    let owner: ClaimOwner
    /// Others may use the nodes if they are gone by then; nil where nobody may.
    let openUntil: Timestamp?
    /// When the owner leaves by its limit.
    let end: Timestamp
    /// In order, without overlap.
    let spans: [NodeSpan]

    func contains(pool: Int) -> Bool { spans.contains { $0.pool == pool } }

    /// Whether a run of a pool's nodes has any in common with it.
    func overlaps(_ nodes: Range<Int>, of pool: Int) -> Bool {
        var low = 0
        var high = spans.count
        let first = NodeSpan(pool: pool, nodes: nodes.lowerBound..<nodes.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if spans[middle] < first { low = middle + 1 } else { high = middle }
        }
        if low < spans.count, spans[low].pool == pool, spans[low].nodes.overlaps(nodes) { return true }
        return low > 0 && spans[low - 1].pool == pool && spans[low - 1].nodes.overlaps(nodes)
    }
}

/// All claims.
struct Claims {
    /// By owner.
    private(set) var all: [Claim] = []
    /// Claims on each node, by pool; shorter than the pool where the rest has none.
    private var counts: [[UInt16]] = []
    /// By pool: until when all claims on it let others in; nothing for a pool without claims.
    private var openUntil: [Timestamp?] = []
    /// Owners on whose nodes something was given back since they were tried.
    fileprivate(set) var touched: [ClaimOwner] = []

    var isEmpty: Bool { all.isEmpty }

    subscript(owner: ClaimOwner) -> Claim? { index(of: owner).map { all[$0] } }

    private func index(of owner: ClaimOwner) -> Int? {
        let at = place(of: owner)
        return at < all.count && all[at].owner == owner ? at : nil
    }

    private func place(of owner: ClaimOwner) -> Int { all.firstIndex { $0.owner >= owner } ?? all.count }

    /// Until when others may use the kept nodes of a pool; nil where it has no kept nodes.
    func openUntil(pool: Int) -> Timestamp? { pool < openUntil.count ? openUntil[pool] : nil }

    /// How many keep a node.
    func count(_ node: Int, of pool: Int) -> Int {
        pool < counts.count && node < counts[pool].count ? Int(counts[pool][node]) : 0
    }

    /// Adds a claim and returns the nodes that nobody kept before. Precondition: its owner has none.
    fileprivate mutating func add(_ claim: Claim) -> [NodeSpan] {
        all.insert(claim, at: place(of: claim.owner))
        for span in claim.spans {
            while counts.count <= span.pool { counts.append([]) }
            let missing = span.nodes.upperBound - counts[span.pool].count
            if missing > 0 { counts[span.pool].append(contentsOf: repeatElement(0, count: missing)) }
            for node in span.nodes { counts[span.pool][node] += 1 }
        }
        refreshOpen(claim)
        return alone(claim)
    }

    /// Takes a claim out and returns the nodes that nobody keeps now.
    fileprivate mutating func remove(_ owner: ClaimOwner) -> [NodeSpan] {
        guard let at = index(of: owner) else { return [] }
        let freed = alone(all[at])
        let claim = all.remove(at: at)
        for span in claim.spans { for node in span.nodes { counts[span.pool][node] -= 1 } }
        refreshOpen(claim)
        touched.removeAll { $0 == owner }
        return freed
    }

    /// The nodes of a claim that no other has.
    func alone(_ claim: Claim) -> [NodeSpan] {
        var spans: [NodeSpan] = []
        for span in claim.spans {
            var start: Int?
            for node in span.nodes {
                let isAlone = counts[span.pool][node] == 1
                if isAlone && start == nil { start = node }
                if !isAlone, let from = start {
                    spans.append(NodeSpan(pool: span.pool, nodes: from..<node))
                    start = nil
                }
            }
            if let start { spans.append(NodeSpan(pool: span.pool, nodes: start..<span.nodes.upperBound)) }
        }
        return spans
    }

    private mutating func refreshOpen(_ changed: Claim) {
        for span in changed.spans {
            while openUntil.count <= span.pool { openUntil.append(nil) }
            let claims = all.lazy.filter { $0.contains(pool: span.pool) }
            openUntil[span.pool] = claims.map { $0.openUntil ?? Timestamp(nanoseconds: .min) }.min()
        }
    }

    /// Takes note that something was given back on nodes.
    mutating func touch(_ nodes: Range<Int>, of pool: Int) {
        guard openUntil(pool: pool) != nil else { return }
        for claim in all where !touched.contains(claim.owner) && claim.overlaps(nodes, of: pool) {
            touched.append(claim.owner)
        }
    }

    /// Takes note that something else stands in an owner's way no more.
    mutating func touch(_ owner: ClaimOwner) {
        if index(of: owner) != nil && !touched.contains(owner) { touched.append(owner) }
    }

    mutating func touchAll() { touched = all.map(\.owner) }

    fileprivate mutating func takeTouched() -> [ClaimOwner] {
        defer { touched = [] }
        return touched.sorted()
    }
}

extension Engine {
    /// Keeps the nodes of a job's reservation for it. Cost: the nodes, and the claims.
    mutating func keep(_ reservation: Reservation, for job: Job) {
        let claim = Claim(
            owner: .job(job.number), openUntil: reservation.cause == .preemption ? nil : reservation.start,
            end: reservation.start.adding(seconds: job.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds),
            spans: spans(of: reservation.placement))
        setReserved(claims.add(claim), true)
    }

    mutating func stopKeeping(for owner: ClaimOwner) {
        let freed = claims.remove(owner)
        setReserved(freed, false)
        for span in freed { grown.insert(span.pool) }
    }

    /// Lets an owner see what is kept for it alone, or no more.
    mutating func lift(_ claim: Claim, _ isLifted: Bool) { setReserved(claims.alone(claim), !isLifted) }

    mutating func setReserved(_ spans: [NodeSpan], _ isReserved: Bool) {
        for span in spans { packer.setReserved(pool: span.pool, nodes: span.nodes, isReserved) }
    }

    /// The nodes of a placement, and all of the places that it has for itself.
    func spans(of placement: Placement) -> [NodeSpan] {
        var spans: [NodeSpan] = []
        for (at, part) in placement.parts.enumerated() {
            let layout = state[part.pool].layout
            for run in placement.runRange(at) {
                var nodes = placement.runs[run].nodes
                if let tier = placement.exclusive {
                    nodes =
                        layout.nodes(ofPlace: tier, with: nodes.lowerBound)
                        .lowerBound..<layout.nodes(
                            ofPlace: tier, with: nodes.upperBound - 1
                        ).upperBound
                }
                spans.append(NodeSpan(pool: part.pool.index, nodes: nodes))
            }
        }
        spans.sort()
        var merged: [NodeSpan] = []
        for span in spans {
            if let last = merged.last, last.pool == span.pool, span.nodes.lowerBound <= last.nodes.upperBound {
                let end = max(last.nodes.upperBound, span.nodes.upperBound)
                merged[merged.count - 1] = NodeSpan(pool: span.pool, nodes: last.nodes.lowerBound..<end)
            } else {
                merged.append(span)
            }
        }
        return merged
    }

    /// Places the owners of claims whose places are free now, in order. Cost: the claims that were touched; and the nodes of
    /// those that are placed.
    mutating func placeOwners(at: Timestamp) {
        for case .job(let number) in claims.takeTouched() {
            guard let job = state.jobs[number], let reservation = job.life.reservation,
                let claim = claims[.job(number)], packer.canTake(reservation.placement),
                faultOfNodes(reservation.placement) == nil
            else { continue }
            if isPromisedSooner(claim, at: at) { continue }
            discountPreemption(of: job, 1)
            let isOpen = isOpen(reservation.placement, to: job)
            discountPreemption(of: job, -1)
            guard isOpen else {
                // Those that leave may take with them what stands in the way.
                if !preemption.leaving(for: number).isEmpty { continue }
                emit(.jobUnreserved(number: number), at: at)
                continue
            }
            emit(.jobPlaced(number: number, placement: reservation.placement), at: at)
            work.placements += 1
        }
    }

    /// Whether a node of a claim is also kept for another who comes before its owner would leave.
    private func isPromisedSooner(_ claim: Claim, at: Timestamp) -> Bool {
        let end = at.nanoseconds + (claim.end.nanoseconds - (claim.openUntil ?? at).nanoseconds)
        return claims.all.contains { other in
            guard other.owner != claim.owner, (other.openUntil?.nanoseconds ?? .min) < end else { return false }
            // Of two on the same nodes the one that was to come first does.
            if let mine = claim.openUntil, let its = other.openUntil, (mine, claim.owner) < (its, other.owner) {
                return false
            }
            return claim.spans.contains { other.overlaps($0.nodes, of: $0.pool) }
        }
    }

    /// Whether the rules of a job's tenant let it stand somewhere.
    private mutating func isOpen(_ placement: Placement, to job: Job) -> Bool {
        bars.refresh(state, at: now)
        let slot = tenant(of: job)
        if !bars.hasRules { return true }
        if state.tenantBar(slot, at: now) != nil { return false }
        if placement.parts.contains(where: { placeBar(slot, pool: $0.pool.index) != nil }) { return false }
        return bars.quotas.isEmpty || isWithinQuota(placement, of: slot)
    }
}
