// One pass: which shapes may fit after what changed, and in which order they are tried.
// Equal shapes are tried once; a job that cannot fit is never tried again until a pool it may use has grown.

import HeapModule
import Model
import Packing

extension Engine {
    /// Runs of nodes that one command's placements write before the rest is left to the next: the largest gang on top of
    /// that is still far below what a record of the journal may hold.
    static let runsPerCommand = 200_000

    /// Places all that may fit now, earliest first, until nothing does or the command's budget is used. Nothing while there
    /// are more gates to settle than one command may.
    mutating func schedule(at: Timestamp) {
        guard settleGates(at: at) else { return }
        // With no budget at all, callers would resume for ever.
        var budget = max(1, settings.placementsPerCommand)
        var runs = Self.runsPerCommand
        repeat {
            work.passes += 1
            trimIndexes()
            refreshWatchers()
            refreshHolds()
            var candidates = gatherCandidates()
            while let next = candidates.popMin() {
                guard budget > 0 && runs > 0 else {
                    // Everything not tried yet waits for the next command.
                    untried.insert(next.shape)
                    for rest in candidates.unordered { untried.insert(rest.shape) }
                    return
                }
                if let placed = place(next, at: at) {
                    budget -= 1
                    runs -= placed
                    if let key = head(of: next.shape) { candidates.insert(Attempt(key: key, shape: next.shape)) }
                }
            }
            refreshHolds()
        } while hasPendingWork
    }

    /// A shape to try, ordered by its first job.
    struct Attempt: Comparable {
        let key: QueueKey
        let shape: ShapeIndex

        static func < (left: Attempt, right: Attempt) -> Bool { left.key < right.key }
    }

    func head(of shape: ShapeIndex) -> QueueKey? { queue.firsts[shape]?.key }

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
            if let key = head(of: shape) { candidates.insert(Attempt(key: key, shape: shape)) }
        }
        return candidates
    }

    /// Tries the first job of a shape; places it or lets the shape wait for growth. The runs it wrote, or nil.
    private mutating func place(_ attempt: Attempt, at: Timestamp) -> Int? {
        work.tries += 1
        let gang = gang(of: attempt.shape)
        var placement = Placement.none
        let found: Bool
        if holds.isEmpty {
            found = packer.find(gang, into: &placement) { _ in false }
        } else {
            found = packer.find(gang, into: &placement) { [holds] pool in holds.keeps(attempt.key, from: pool) }
        }
        guard found else {
            work.misses += 1
            watchers.watch(attempt.shape, gang)
            return nil
        }
        emit(.jobPlaced(number: attempt.key.number, placement: placement), at: at)
        work.placements += 1
        return placement.runs.count
    }
}
