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

    func overlaps(_ other: Claim) -> Bool { spans.contains { other.overlaps($0.nodes, of: $0.pool) } }

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
    /// By pool: until when some claim on it lets others in; nothing for a pool without claims.
    private var openUntil: [Timestamp?] = []
    /// Owners on whose nodes something was given back since they were tried.
    fileprivate(set) var touched: [ClaimOwner] = []
    /// Owners on whose nodes something was given back by what is being decided: only these may lose their places to others now,
    /// so that it does not matter who else is tried.
    private var fresh: [ClaimOwner] = []
    /// Owners of which some nodes may accept no work any more.
    private var suspects: [ClaimOwner] = []

    /// Claims of jobs that wait for others to end.
    private(set) var scheduled = 0

    var isEmpty: Bool { all.isEmpty }

    subscript(owner: ClaimOwner) -> Claim? { index(of: owner).map { all[$0] } }

    private func index(of owner: ClaimOwner) -> Int? {
        let at = place(of: owner)
        return at < all.count && all[at].owner == owner ? at : nil
    }

    private func place(of owner: ClaimOwner) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].owner < owner { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Until when others may use some kept nodes of a pool; nil where it has no kept nodes.
    func openUntil(pool: Int) -> Timestamp? { pool < openUntil.count ? openUntil[pool] : nil }

    /// The job for which nodes of a pool are kept that is due first, and when it is.
    func next(pool: Int) -> (owner: JobNumber, from: Timestamp?)? {
        var first: (owner: JobNumber, from: Timestamp?)?
        for claim in all where claim.contains(pool: pool) {
            guard case .job(let number) = claim.owner else { continue }
            if let first, first.from ?? .distantPast <= claim.openUntil ?? .distantPast { continue }
            first = (number, claim.openUntil)
        }
        return first
    }

    /// How many keep a node.
    func count(_ node: Int, of pool: Int) -> Int {
        pool < counts.count && node < counts[pool].count ? Int(counts[pool][node]) : 0
    }

    /// Adds a claim and returns the nodes that nobody kept before. Precondition: its owner has none.
    fileprivate mutating func add(_ claim: Claim) -> [NodeSpan] {
        all.insert(claim, at: place(of: claim.owner))
        if claim.openUntil != nil { scheduled += 1 }
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
        if claim.openUntil != nil { scheduled -= 1 }
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
            openUntil[span.pool] = claims.map { $0.openUntil ?? .distantPast }.max()
        }
    }

    /// Takes note that something was given back on nodes.
    mutating func touch(_ nodes: Range<Int>, of pool: Int) {
        guard openUntil(pool: pool) != nil else { return }
        for claim in all where !touched.contains(claim.owner) && claim.overlaps(nodes, of: pool) {
            touched.append(claim.owner)
            if !fresh.contains(claim.owner) { fresh.append(claim.owner) }
        }
    }

    func isFresh(_ owner: ClaimOwner) -> Bool { fresh.contains(owner) }

    mutating func forgetFresh() { fresh.removeAll() }

    /// Takes note that something else stands in an owner's way no more.
    mutating func touch(_ owner: JobNumber) {
        if index(of: .job(owner)) != nil && !touched.contains(.job(owner)) { touched.append(.job(owner)) }
    }

    mutating func touchAll() { touched = all.map(\.owner) }

    mutating func suspectAll() { suspects = all.map(\.owner) }

    mutating func restoreTouched(_ owners: [ClaimOwner]) { touched = owners }

    /// Takes note that nodes accept no work any more.
    mutating func suspect(_ nodes: Range<Int>, of pool: Int) {
        for claim in all where !suspects.contains(claim.owner) && claim.overlaps(nodes, of: pool) {
            suspects.append(claim.owner)
        }
    }

    func isSuspect(_ owner: ClaimOwner) -> Bool { suspects.contains(owner) }

    mutating func forgetSuspicion(_ owner: ClaimOwner) { suspects.removeAll { $0 == owner } }

    fileprivate mutating func takeTouched() -> [ClaimOwner] {
        defer { touched = [] }
        return touched.sorted()
    }
}

extension Engine {
    /// Keeps the nodes of a job's reservation for it. Cost: the nodes, and the claims.
    mutating func keep(_ reservation: Reservation, for job: Job) {
        moves.note(reservation.placement, at: state.at)
        setReserved(claims.add(claim(reservation, of: job.number)), true)
    }

    private func claim(_ reservation: Reservation, of number: JobNumber) -> Claim {
        let seconds = state.jobs[number]?.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds
        return Claim(
            owner: .job(number), openUntil: reservation.cause == .preemption ? nil : reservation.start,
            end: reservation.start.adding(seconds: seconds), spans: spans(of: reservation.placement))
    }

    mutating func stopKeeping(for owner: ClaimOwner) {
        let freed = claims.remove(owner)
        setReserved(freed, false)
        for span in freed {
            noteRoom(in: span.pool)
            moves.notePool(span.pool, at: state.at)
        }
    }

    /// Takes a claim out for a trial, and puts it back.
    mutating func suspend(_ claim: Claim) { setReserved(claims.remove(claim.owner), false) }
    mutating func resume(_ claim: Claim) { setReserved(claims.add(claim), true) }

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

    /// The owners of claims whose places are free now, to be tried in their turn. Cost: the claims that were touched.
    mutating func readyOwners() -> [Attempt] {
        var ready: [Attempt] = []
        for case .job(let number) in claims.takeTouched() {
            guard let job = state.jobs[number], let reservation = job.life.reservation,
                packer.canTake(reservation.placement), faultOfNodes(reservation.placement) == nil,
                !isPromisedSooner(number), let shape = queue.index(of: ShapeKey(job.spec, asking: job.scope(at: now))),
                let attempt = attempt(number, of: shape)
            else { continue }
            ready.append(attempt)
        }
        return ready
    }

    /// The attempt of a job for which a place is kept.
    mutating func attempt(_ owner: JobNumber, of shape: ShapeIndex) -> Attempt? {
        state.jobs[owner].map { Attempt(key: key(of: $0), shape: shape, owner: owner) }
    }

    /// Whether a node of a job's place is kept for another who is to come first.
    func isPromisedSooner(_ number: JobNumber) -> Bool {
        guard let reservation = state.jobs[number]?.life.reservation else { return false }
        // Asked while its claim is out for a trial, too.
        let claim = claims[.job(number)] ?? claim(reservation, of: number)
        func turn(_ claim: Claim) -> (Timestamp, ClaimOwner) { (claim.openUntil ?? .distantPast, claim.owner) }
        return claims.all.contains { turn($0) < turn(claim) && $0.overlaps(claim) }
    }

    /// Places a job whose kept place is free, there or on a better one.
    mutating func placeOwner(_ number: JobNumber, of shape: ShapeIndex, mayPlace: Bool, at: Timestamp) -> Try {
        // It may have been placed meanwhile, or have lost its place to one ahead of it.
        guard let job = state.jobs[number], job.isOpen, job.life.reservation != nil else { return .passed }
        // What is kept for it counts for its tenant's quota already.
        let kept = job.keptPlace
        if let kept { charge(kept, to: tenant(of: job), -1) }
        let found = findForOwner(job, of: shape)
        if let kept { charge(kept, to: tenant(of: job), 1) }
        guard let found else { return .passed }
        return mayPlace ? .placed(place(number, found.placement, found.broken, at: at)) : .left
    }

    private mutating func findForOwner(_ job: Job, of shape: ShapeIndex) -> (placement: Placement, broken: [JobNumber])?
    {
        let gang = gang(of: shape)
        let closed = closedPools(tenant(of: job), gang)
        if closed.isAll { return nil }
        work.tries += 1
        return find(gang, shape, closed, tenant(of: job), job.number)
    }
}
