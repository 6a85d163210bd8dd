// The domains that a plan may empty, as rows: who stands in each, and what keeps it from being won.

import Model
import Packing

/// Why an occupied domain is not won. Closed: a program may switch on it.
public enum PlanObstacle: UInt8, CaseIterable, Sendable {
    /// The plan was complete, or its search gave up, before it came to this one.
    case notTried
    /// It has nodes that are cordoned, draining or down.
    case nodesUnavailable
    /// Nodes of it are kept for a waiting job.
    case keptForWaitingJob
    /// A gang keeps it from others.
    case exclusiveJob
    /// A gang there may not be moved: it stands partly beyond the pools of the plan, has not run for as long as its class lets it,
    /// or is not preemptible where only such are to move.
    case jobMayNotMove
    /// A gang came there with an earlier move.
    case jobMovedAlready
    /// A gang there fits nowhere else as well as it does there.
    case noOtherPlace
    /// All that stands there fits elsewhere, and would add to the bill.
    case costsMore
    /// Emptying it takes more moves than are left.
    case tooManyMoves
    /// Emptying it loses more than may be lost.
    case tooMuchLost
}

/// The domains of some pools, those as large as the largest of their pool. Spare nodes are no part of them.
struct PlanDomains {
    struct Row {
        let place: DomainPlace
        /// With its spares.
        let nodes: Range<Int>
        /// With a worker on one of its ordinary nodes, by rising number.
        var jobs: [JobNumber] = []
        /// What keeps it from being won whoever moves.
        var fixed: PlanObstacle?
        /// What did when it was tried, with the jobs that it has.
        var failure: PlanObstacle?
        var isWon = false
        /// Counts changes of its jobs.
        var version = 0

        /// Whether nothing is taken of it and all of it can be.
        var isFree: Bool { jobs.isEmpty && fixed == nil }
        var obstacle: PlanObstacle? { jobs.isEmpty ? nil : fixed ?? failure ?? .notTried }
    }

    private(set) var rows: [Row] = []
    /// By pool: its rows, or nil for a pool that is not the plan's.
    private var ranges: [Range<Int>?]
    private let spares: [Int]
    /// Jobs that may not be moved, and those that were.
    private(set) var pinned: Set<JobNumber> = []
    private(set) var moved: Set<JobNumber> = []

    subscript(row: Int) -> Row {
        get { rows[row] }
        set { rows[row] = newValue }
    }

    /// Cost: the domains and nodes of the pools, and the jobs that stand there.
    init(_ engine: borrowing Engine, _ request: DefragmentRequest) {
        let state = engine.state
        ranges = Array(repeating: nil, count: state.pools.count)
        spares = state.pools.map { $0.spec.sparesPerDomain }
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted && request.filter.admits(pool.spec) {
            addRows(of: PoolSlot(index), pool, engine.claims)
        }
        for job in state.jobs.all(where: { $0.state.holdsCapacity }) {
            guard let placement = job.life.placement else { continue }
            if placement.exclusive != nil { note(.exclusiveJob, in: engine.spans(of: placement)) }
            add(job, placement)
            let isWithin = placement.parts.allSatisfy { contains(pool: $0.pool.index) }
            if !isWithin || !job.mayMove(request, at: engine.now) { pinned.insert(job.number) }
        }
    }

    private mutating func addRows(of slot: PoolSlot, _ pool: PoolRecord, _ claims: Claims) {
        let layout = pool.layout
        func nodes(_ domain: Int) -> Range<Int> {
            Int(layout.domainStart[domain])..<Int(layout.domainStart[domain + 1])
        }
        let largest = (0..<layout.domainCount).reduce(0) { max($0, nodes($1).count) }
        let first = rows.count
        defer { ranges[slot.index] = first..<rows.count }
        if largest <= pool.spec.sparesPerDomain { return }
        for domain in 0..<layout.domainCount where nodes(domain).count == largest {
            let all = nodes(domain)
            var row = Row(place: DomainPlace(pool: slot, domain: domain), nodes: all)
            if pool.nodeStates[all.dropLast(pool.spec.sparesPerDomain)].contains(where: { $0 != .ready }) {
                row.fixed = .nodesUnavailable
            } else if all.contains(where: { claims.count($0, of: slot.index) > 0 }) {
                row.fixed = .keptForWaitingJob
            }
            rows.append(row)
        }
    }

    private mutating func note(_ obstacle: PlanObstacle, in spans: [NodeSpan]) {
        for span in spans {
            for row in rowsOf(span.pool, span.nodes, withSpares: true) where rows[row].fixed == nil {
                rows[row].fixed = obstacle
            }
        }
    }

    /// The rows with an ordinary node among some; those of a pool stand in the order of their nodes.
    private func rowsOf(_ pool: Int, _ nodes: Range<Int>, withSpares: Bool = false) -> [Int] {
        guard let range = ranges[pool] else { return [] }
        // The first row of the pool that ends behind the first of the nodes.
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].nodes.upperBound <= nodes.lowerBound { low = middle + 1 } else { high = middle }
        }
        var found: [Int] = []
        while low < range.upperBound, rows[low].nodes.lowerBound < nodes.upperBound {
            let ordinary = rows[low].nodes.dropLast(withSpares ? 0 : spares[pool])
            if ordinary.overlaps(nodes) { found.append(low) }
            low += 1
        }
        return found
    }

    /// The rows in which a gang stands, each once.
    func rows(of placement: Placement) -> [Int] {
        var found: [Int] = []
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) { found += rowsOf(part.pool.index, placement.runs[run].nodes) }
        }
        found.sort()
        var last = -1
        return found.filter { row in
            defer { last = row }
            return row != last
        }
    }

    private mutating func add(_ job: Job, _ placement: Placement) {
        for row in rows(of: placement) {
            let jobs = rows[row].jobs
            let at = jobs.firstIndex { $0 > job.number } ?? jobs.count
            rows[row].jobs.insert(job.number, at: at)
        }
    }

    /// Takes note that a job moved, and returns the rows whose jobs changed.
    mutating func move(_ job: Job, from old: Placement, to new: Placement) -> [Int] {
        moved.insert(job.number)
        let left = rows(of: old)
        for row in left { rows[row].jobs.removeAll { $0 == job.number } }
        add(job, new)
        let changed = left + rows(of: new)
        for row in changed {
            rows[row].version += 1
            rows[row].failure = nil
        }
        return changed
    }

    func contains(pool: Int) -> Bool { ranges[pool] != nil }
}

extension Job {
    fileprivate func mayMove(_ request: DefragmentRequest, at now: Timestamp) -> Bool {
        if spec.exclusive != nil || request.onlyPreemptible && !spec.isPreemptible { return false }
        if state == .placed { return true }
        guard state == .running, let start = life.startedAt else { return false }
        return start.adding(seconds: life.minRuntimeSeconds) <= now
    }
}
