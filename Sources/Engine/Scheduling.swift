// One pass: which shapes may fit after what changed, and in which order they are tried.
// Equal shapes are tried once; a job that cannot fit is never tried again until a pool it may use has grown.

import HeapModule
import Model
import Packing

extension Engine {
    /// Runs of nodes that one command's placements write before the rest is left to the next: the largest gang on top of
    /// that, with a run for each of `Bounds.workersPerJob`, is still below what a record of the journal may hold.
    static let runsPerCommand = 200_000

    /// Units of work that one command spends on layouts of gangs of several groups or rules, whether it finds places or not,
    /// before the rest is left to the next: some twenty milliseconds (`Packer.layoutWork`).
    public static let layoutWorkPerCommand: UInt64 = 1 << 21

    /// Places all that may fit now, earliest first, until nothing does or the command's budget is used. Nothing while there
    /// are more gates to settle than one command may.
    mutating func schedule(at: Timestamp) {
        hasScheduled = true
        guard settleGates(at: at) else { return }
        var budget = budget
        preemption.releases = 0
        repeat {
            work.passes += 1
            trimIndexes()
            refreshWatchers()
            openLines()
            // What runs is made whole before anything new is placed.
            guard repairGangs(&budget, at: at) else { return }
            // Where nobody is overtaken, what waits first is what decides, whether anything grew for it or not.
            if !settings.overtaking { triesAll = true }
            var candidates = Heap<Attempt>()
            gatherCandidates(into: &candidates)
            while let next = candidates.popMin() {
                if isLayoutWorkUsedUp { return leave(next, and: candidates) }
                if let owner = next.owner {
                    if let now = attempt(owner, of: next.shape), let other = candidates.min, other.key < now.key {
                        candidates.insert(now)
                        continue
                    }
                    switch placeOwner(owner, of: next.shape, mayPlace: !budget.isUsedUp, at: at) {
                    case .placed(let written): budget.notePlacement(written)
                    case .left: return leave(next, and: candidates)
                    case .passed, .missed: break
                    }
                    gatherCandidates(into: &candidates)
                    continue
                }
                // Shares only grow while jobs are placed: what stood in the heap was no later than this.
                guard let first = head(of: next.shape) else { continue }
                if let other = candidates.min, other.key < first.key {
                    candidates.insert(Attempt(key: first.key, shape: next.shape))
                    continue
                }
                switch place(first, of: next.shape, mayPlace: !budget.isUsedUp, at: at) {
                case .placed(let written): budget.notePlacement(written)
                case .left: return leave(next, and: candidates)
                case .passed: break
                case .missed:
                    if !settings.overtaking { candidates = Heap() }
                    continue
                }
                if let next = attempt(next.shape) { candidates.insert(next) }
                // What is kept no longer is open to those behind at once, or a small budget would place others.
                gatherCandidates(into: &candidates)
            }
            settlePreemptions(at: at)
            // Nobody is asked to leave while there may be room.
            if hasPlacementWork { continue }
            guard preempt(&budget, at: at) else { return }
            if hasPlacementWork { continue }
            seekPlaces(at: at)
            if hasPlacementWork { continue }
            guard growGangs(&budget, at: at) else { return }
        } while hasPendingWork
    }

    /// Looks for victims where nothing else is to be done, and goes on from there if some are found.
    mutating func preempt(at: Timestamp) {
        let known = facts.count
        var budget = budget
        preemption.releases = 0
        _ = preempt(&budget, at: at)
        if facts.count > known { schedule(at: at) }
    }

    /// With no budget at all, callers would resume for ever.
    private var budget: PassBudget {
        PassBudget(placements: max(1, settings.placementsPerCommand), runs: Self.runsPerCommand)
    }
    /// Whether the command has searched as much for layouts as it may. A command that has not begun to may always do so.
    var isLayoutWorkUsedUp: Bool { packer.layoutWork - layoutWorkBefore >= Self.layoutWorkPerCommand }

    /// A shape to try, ordered by its first job.
    struct Attempt: Comparable {
        let key: OrderKey
        let shape: ShapeIndex
        /// A job for which a place is kept that is free now, wherever it stands in its line.
        var owner: JobNumber?

        static func < (left: Attempt, right: Attempt) -> Bool { left.key < right.key }
    }

    mutating func attempt(_ shape: ShapeIndex) -> Attempt? {
        head(of: shape).map { Attempt(key: $0.key, shape: shape) }
    }

    /// Leaves what was not tried yet to the next command.
    private mutating func leave(_ attempt: Attempt, and others: Heap<Attempt>) {
        for attempt in others.unordered + [attempt] {
            if let owner = attempt.owner { claims.touch(owner) } else { untried.insert(attempt.shape) }
        }
    }

    /// What became of an attempt.
    enum Try {
        /// So many runs were written.
        case placed(Int)
        /// The line is passed over; another of the shape may be placed.
        case passed
        /// No job of the shape fits.
        case missed
        /// It fits, and the command has placed as much as it may.
        case left
    }

    /// The shapes that wait and may fit: those told to be tried, and those that fit a pool that grew.
    private mutating func gatherCandidates(into candidates: inout Heap<Attempt>) {
        if !hasUntried { return }
        var shapes = untried
        if triesAll {
            for index in queue.shapes.indices where queue.count(index) > 0 { shapes.insert(index) }
        } else {
            for pool in grown { wake(pool, into: &shapes) }
        }
        untried.removeAll()
        grown.removeAll()
        triesAll = false
        for shape in shapes {
            queue.forgetMisses(of: shape)
            if let attempt = attempt(shape) { candidates.insert(attempt) }
        }
        for owner in readyOwners() { candidates.insert(owner) }
    }

    /// Tries the first job of a shape; places it or lets the shape wait for growth.
    private mutating func place(
        _ first: (line: Int, key: OrderKey), of shape: ShapeIndex, mayPlace: Bool, at: Timestamp
    ) -> Try {
        let gang = gang(of: shape)
        let tenant = queue.heads[shape][first.line].tenant
        let closed = closedPools(tenant, gang)
        if closed.isAll {
            barClosedLines(of: shape)
            return .passed
        }
        work.tries += 1
        guard let (placement, broken) = find(gang, shape, closed, tenant, first.key.number) else {
            work.misses += 1
            watchers.watch(shape, gang)
            if closed.isNone && claims.isEmpty || !settings.overtaking { return .missed }
            // Where nodes are kept, those that stay as long or longer may use no more, unless some are kept for them.
            // One that may use all pools tells for those that may use fewer, unless quota decides how many workers it has.
            if closed.isNone && (!bars.hasRules || gang.form.groups.allSatisfy { $0.maxCount == $0.count }) {
                queue.missAll(from: first.line, of: shape)
            } else {
                queue.miss(first.line, of: shape, isPartlyClosed: !closed.isNone)
            }
            return .passed
        }
        return mayPlace ? .placed(place(first.key.number, placement, broken, at: at)) : .left
    }

    /// Returns the runs that were written.
    mutating func place(_ number: JobNumber, _ placement: Placement, _ broken: [JobNumber], at: Timestamp) -> Int {
        let wasKept = claims[.job(number)] != nil
        for number in broken { emit(.jobUnreserved(number: number), at: at) }
        emit(.jobPlaced(number: number, placement: placement), at: at)
        work.placements += 1
        if wasKept { seekSuccessor(at: at) }
        return placement.runs.count
    }
}
