// Why a job waits: every pool of the fleet with the first thing that keeps the job out of it, counted and ranked.
// Reads the state as it is now; changes nothing but caches.

public import Model
import Packing

/// What keeps a waiting job out of a pool. Closed: a program may switch on it. In order of how near the job is to a place.
public enum BlockReason: UInt8, CaseIterable, Comparable, Sendable {
    /// It fits; jobs ahead of it are being placed.
    case waitingForTurn
    /// It fits, but the pool is kept for a job that waited too long.
    case heldForOtherJob
    /// It would fit were less of the pool taken.
    case capacityBusy
    /// It would fit an empty pool were fewer nodes cordoned, draining or down.
    case nodesUnavailable
    /// The gang is larger than the largest place of its scope, even an empty one.
    case gangTooLarge
    /// No node of the pool can hold one worker.
    case workerTooLarge
    /// The job does not name this accelerator.
    case acceleratorNotWanted
    /// The job's lists do not allow the pool, its region or its provider.
    case placeNotAllowed

    public static func < (left: BlockReason, right: BlockReason) -> Bool { left.rawValue < right.rawValue }
}

/// One reason and the pools it holds for.
public struct Blocker: Hashable, Sendable {
    public let reason: BlockReason
    public fileprivate(set) var pools: Int
    /// The pool nearest to holding the job, and the most workers of it that one place of its scope could take there.
    public fileprivate(set) var nearestPool: String
    public fileprivate(set) var workersThatFit: Int
    /// The job that the nearest pool is held for.
    public fileprivate(set) var heldFor: String?
}

/// All that keeps a job from being placed, nearest to a place first.
public struct Explanation: Hashable, Sendable {
    public let workers: Int
    public let blockers: [Blocker]

    /// Whether some pool could hold the job were it empty and all its nodes ready.
    public var couldEverFit: Bool { blockers.contains { $0.reason < .gangTooLarge } }
}

extension Engine {
    /// Why `job` waits; empty for a job that does not. Cost: the pools; and the nodes of those whose nodes changed.
    public mutating func explain(_ job: Job) -> Explanation {
        let key = ShapeKey(job.spec)
        guard job.state == .queued, let shape = queue.index(of: key) else {
            return Explanation(workers: key.workers, blockers: [])
        }
        refreshHolds()
        let gang = gang(of: shape)
        var blockers: [Blocker] = []
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            let blocker = blocker(of: job, key, gang, pool: index)
            guard let at = blockers.firstIndex(where: { $0.reason == blocker.reason }) else {
                blockers.append(blocker)
                continue
            }
            blockers[at].pools += 1
            if blocker.workersThatFit > blockers[at].workersThatFit {
                blockers[at].nearestPool = blocker.nearestPool
                blockers[at].workersThatFit = blocker.workersThatFit
                blockers[at].heldFor = blocker.heldFor
            }
        }
        blockers.sort { $0.reason < $1.reason }
        return Explanation(workers: key.workers, blockers: blockers)
    }

    private mutating func blocker(of job: Job, _ key: ShapeKey, _ gang: Gang, pool index: Int) -> Blocker {
        let pool = state.pools[index]
        func because(_ reason: BlockReason, fit: Int = 0, heldFor: String? = nil) -> Blocker {
            Blocker(reason: reason, pools: 1, nearestPool: pool.spec.name, workersThatFit: fit, heldFor: heldFor)
        }
        if !key.allows(pool.spec) { return because(.placeNotAllowed) }
        if key.preference(for: pool.spec.accelerator) == nil { return because(.acceleratorNotWanted) }
        guard let at = gang.targets.firstIndex(where: { $0.pool == index }) else { return because(.workerTooLarge) }
        let whenEmpty = packer.mostWhenEmpty(gang.targets[at].need, pool: index, scope: gang.scope)
        if whenEmpty < gang.workers { return because(.gangTooLarge, fit: whenEmpty) }
        let fit = packer.largestFit(gang, target: at)
        if fit >= gang.workers {
            guard let holder = holds.holder(of: index), holder < QueueKey(job) else {
                return because(.waitingForTurn, fit: fit)
            }
            return because(.heldForOtherJob, fit: fit, heldFor: state.jobs[holder.number]?.id)
        }
        let whenIdle = mostWhenIdle(gang.targets[at].need, pool: index, scope: gang.scope)
        return because(whenIdle < gang.workers ? .nodesUnavailable : .capacityBusy, fit: fit)
    }
}
