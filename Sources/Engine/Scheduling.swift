// One pass: which shapes may fit after what changed, and in which order they are tried.
// Equal shapes are tried once; a job that cannot fit is never tried again until a pool it may use has grown.

import HeapModule
import Model
import Packing

extension Engine {
    /// Runs of nodes that one command's placements write before the rest is left to the next: the largest gang on top of
    /// that, with a run for each of `Bounds.workersPerJob`, is still below what a record of the journal may hold.
    static let runsPerCommand = 200_000

    /// Places all that may fit now, earliest first, until nothing does or the command's budget is used. Nothing while there
    /// are more gates to settle than one command may.
    mutating func schedule(at: Timestamp) {
        guard settleGates(at: at) else { return }
        // With no budget at all, callers would resume for ever.
        var budget = PassBudget(placements: max(1, settings.placementsPerCommand), runs: Self.runsPerCommand)
        preemption.releases = 0
        repeat {
            work.passes += 1
            trimIndexes()
            refreshWatchers()
            openLines()
            placeOwners(at: at)
            settlePreemptions(at: at)
            refreshHolds()
            var candidates = gatherCandidates()
            while let next = candidates.popMin() {
                // Shares only grow while jobs are placed: what stood in the heap was no later than this.
                guard let first = head(of: next.shape) else { continue }
                if let other = candidates.min, other.key < first.key {
                    candidates.insert(Attempt(key: first.key, shape: next.shape))
                    continue
                }
                if budget.isUsedUp {
                    // Everything not tried yet waits for the next command.
                    untried.insert(next.shape)
                    for rest in candidates.unordered { untried.insert(rest.shape) }
                    return
                }
                switch place(first, of: next.shape, at: at) {
                case .placed(let written):
                    budget.placements -= 1
                    budget.runs -= written
                case .passed: break
                case .missed: continue
                }
                if let next = attempt(next.shape) { candidates.insert(next) }
            }
            refreshHolds()
            // Nobody is asked to leave while there may be room.
            if hasPlacementWork { continue }
            guard preempt(&budget, at: at) else { return }
        } while hasPendingWork
    }

    /// A shape to try, ordered by its first job.
    struct Attempt: Comparable {
        let key: OrderKey
        let shape: ShapeIndex

        static func < (left: Attempt, right: Attempt) -> Bool { left.key < right.key }
    }

    mutating func attempt(_ shape: ShapeIndex) -> Attempt? {
        head(of: shape).map { Attempt(key: $0.key, shape: shape) }
    }

    /// What became of an attempt.
    private enum Try {
        /// So many runs were written.
        case placed(Int)
        /// The line is passed over; another of the shape may be placed.
        case passed
        /// No job of the shape fits.
        case missed
    }

    /// The shapes that wait and may fit: those told to be tried, and those that fit a pool that grew.
    private mutating func gatherCandidates() -> Heap<Attempt> {
        var shapes = untried
        if triesAll {
            for index in queue.shapes.indices where queue.count(index) > 0 { shapes.insert(index) }
        } else {
            for pool in grown { wake(pool, into: &shapes) }
        }
        untried.removeAll()
        grown.removeAll()
        triesAll = false
        var candidates = Heap<Attempt>()
        for shape in shapes {
            queue.forgetMisses(of: shape)
            if let attempt = attempt(shape) { candidates.insert(attempt) }
        }
        return candidates
    }

    /// Tries the first job of a shape; places it or lets the shape wait for growth.
    private mutating func place(_ first: (line: Int, key: OrderKey), of shape: ShapeIndex, at: Timestamp) -> Try {
        let gang = gang(of: shape)
        let tenant = queue.lines[shape][first.line].tenant
        let closed = closedPools(tenant, gang)
        if closed.isAll {
            barLine(first.line, of: shape)
            return .passed
        }
        work.tries += 1
        guard let placement = find(gang, shape, closed, queue.lines[shape][first.line], first.key.number) else {
            work.misses += 1
            watchers.watch(shape, gang)
            if closed.isNone && holds.isEmpty && claims.isEmpty { return .missed }
            // Of pools that are held, later ones may use no more.
            queue.miss(first.line, of: shape, all: closed.isNone && !bars.hasRules)
            return .passed
        }
        emit(.jobPlaced(number: first.key.number, placement: placement), at: at)
        work.placements += 1
        return .placed(placement.runs.count)
    }

    /// A place for a job among the pools that are open to it, at no more than its tenant's quota.
    private mutating func find(
        _ gang: Gang, _ shape: ShapeIndex, _ closed: ClosedPools, _ line: Line, _ number: JobNumber
    ) -> Placement? {
        let key = line.arrival
        var placement = Placement.none
        if closed.isNone && holds.isEmpty && claims.isEmpty {
            guard packer.find(gang, into: &placement, isHeld: { _ in false }) else { return nil }
        } else if !findBesideClaims(gang, shape, closed, key, number, into: &placement) {
            return nil
        }
        if bars.quotas.isEmpty || isWithinQuota(placement, of: line.tenant) { return placement }
        // An elastic gang that takes more than its tenant may is content with its least.
        var least = queue[shape].key
        least.form.shrink()
        let small = resolve(least)
        let isFound = packer.find(small, into: &placement) { [holds] pool in
            closed.contains(pool) || holds.keeps(key, from: pool)
        }
        return isFound ? placement : nil
    }

    /// A place that stands in the way of no claim: on nodes that nobody keeps, or that are kept for this job; else on any that
    /// it leaves, by its limit, before they are due.
    private mutating func findBesideClaims(
        _ gang: Gang, _ shape: ShapeIndex, _ closed: ClosedPools, _ key: ArrivalKey, _ number: JobNumber,
        into placement: inout Placement
    ) -> Bool {
        let end = now.adding(seconds: state.jobs[number]?.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds)
        // An exclusive gang would close the rest of its places, too.
        let isExclusive = gang.form.exclusive != nil
        let own = claims[.job(number)]
        if let own { lift(own, true) }
        defer { if let own { lift(own, false) } }
        let isFound = packer.find(gang, into: &placement) { [holds, claims] pool in
            closed.contains(pool) || holds.keeps(key, from: pool)
                || isExclusive && claims.openUntil(pool: pool).map { $0 < end } ?? false
        }
        if isFound { return true }
        guard gang.targets.contains(where: { claims.openUntil(pool: $0.pool).map { $0 >= end } ?? false }) else {
            return false
        }
        var form = queue[shape].key
        form.form.usesReserved = true
        let open = resolve(form)
        return packer.find(open, into: &placement) { [holds, claims] pool in
            closed.contains(pool) || holds.keeps(key, from: pool)
                || claims.openUntil(pool: pool).map { $0 < end } ?? false
        }
    }
}
