// One pass: which shapes may fit after what changed, in which order they are tried, and whom a pool is held for.
// Equal shapes are tried once; a job that cannot fit is never tried again until a pool it may use has grown.

import HeapModule
import Model
import Packing

/// Pools held for jobs that were passed over too often, so that jobs behind them cannot starve them.
struct Holds: Equatable {
    /// By pool: the key of the job it is held for. A job behind that key may not use the pool.
    private(set) var byPool: [Int: QueueKey] = [:]
    /// No job waits long enough for a hold before this many placements were made; 0 until the first look.
    var nextCheck: UInt64 = 0

    var isEmpty: Bool { byPool.isEmpty }

    func keeps(_ key: QueueKey, from pool: Int) -> Bool { byPool[pool].map { $0 < key } ?? false }

    func holder(of pool: Int) -> QueueKey? { byPool[pool] }

    mutating func hold(_ pool: Int, for key: QueueKey) { byPool[pool] = key }

    mutating func clear() { byPool.removeAll(keepingCapacity: true) }

    static func == (left: Holds, right: Holds) -> Bool { left.byPool == right.byPool }
}

extension Engine {
    /// Most pools held at a time.
    static let mostHolds = 8

    /// Places all that may fit now, earliest first, until nothing does or the command's budget is used.
    mutating func schedule(at: Timestamp) {
        var budget = settings.placementsPerCommand
        repeat {
            work.passes += 1
            refreshWatchers()
            refreshHolds()
            var candidates = gatherCandidates()
            while let next = candidates.popMin() {
                guard budget > 0 else {
                    // Everything not tried yet waits for the next command.
                    untried.insert(next.shape)
                    for rest in candidates.unordered { untried.insert(rest.shape) }
                    return
                }
                if place(next, at: at) {
                    budget -= 1
                    if let key = head(of: next.shape) { candidates.insert(Candidate(key: key, shape: next.shape)) }
                }
            }
            let before = holds
            refreshHolds()
            // A pool no longer held is open again to those it was held against.
            if holds != before { triesAll = true }
        } while hasPendingWork
    }

    /// A shape to try, ordered by its first job.
    struct Candidate: Comparable {
        let key: QueueKey
        let shape: ShapeIndex

        static func < (left: Candidate, right: Candidate) -> Bool { left.key < right.key }
    }

    mutating func head(of shape: ShapeIndex) -> QueueKey? {
        if queue.count(shape) == 0 { return nil }
        return queue.head(shape) { [jobs = state.jobs] key in jobs[key.number]?.state == .queued }
    }

    /// The shapes that wait and may fit: those told to be tried, and those that fit a pool that grew.
    private mutating func gatherCandidates() -> Heap<Candidate> {
        var shapes = untried
        if triesAll {
            for index in queue.shapes.indices where queue.count(index) > 0 { shapes.insert(index) }
        } else {
            for pool in grown where pool < watchers.count {
                for shape in watchers[pool] where mayFit(shape, pool: pool) { shapes.insert(shape) }
            }
        }
        untried.removeAll(keepingCapacity: true)
        grown.removeAll(keepingCapacity: true)
        triesAll = false
        var candidates = Heap<Candidate>()
        for shape in shapes.sorted() {
            if let key = head(of: shape) { candidates.insert(Candidate(key: key, shape: shape)) }
        }
        return candidates
    }

    private func mayFit(_ shape: ShapeIndex, pool: Int) -> Bool {
        guard let gang = queue[shape].gang, queue.count(shape) > 0 else { return false }
        for at in gang.targets.indices where gang.targets[at].pool == pool { return packer.fits(gang, target: at) }
        return false
    }

    /// Tries the first job of a shape; places it or lets the shape wait for growth.
    private mutating func place(_ candidate: Candidate, at: Timestamp) -> Bool {
        work.tries += 1
        let gang = gang(of: candidate.shape)
        var placement = Placement.none
        let found: Bool
        if holds.isEmpty {
            found = packer.find(gang, into: &placement)
        } else {
            found = packer.find(gang, into: &placement) { [holds] pool in holds.keeps(candidate.key, from: pool) }
        }
        guard found else {
            work.misses += 1
            watch(candidate.shape, gang)
            if let job = state.jobs[candidate.key.number] {
                holds.nextCheck = min(
                    holds.nextCheck, job.life.queuedAtPlacement + UInt64(settings.placementsBeforeHold))
            }
            return false
        }
        emit(.jobPlaced(number: candidate.key.number, placement: placement), at: at)
        work.placements += 1
        return true
    }

    // MARK: Gangs and who watches which pool

    /// The shape's gang over the pools as they are now.
    mutating func gang(of shape: ShapeIndex) -> Gang {
        if let gang = queue[shape].gang, gang.generation == packer.generation { return gang }
        var gang = resolve(queue[shape].key)
        packer.trimIndexes { [queue] pool, need in
            queue.shapes.contains { other in
                guard let other, other.count > 0 || other.key == queue[shape].key else { return false }
                return other.gang?.targets.contains { $0.pool == pool && $0.need == need }
                    ?? (other.key == queue[shape].key)
            }
        }
        if gang.generation != packer.generation { gang = resolve(queue[shape].key) }
        queue[shape].gang = gang
        return gang
    }

    /// The pools a shape may use by rank: the order of its accelerators, then price.
    private mutating func resolve(_ key: ShapeKey) -> Gang {
        var found: [(preference: Int, price: Int64, pool: Int)] = []
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            guard key.allows(pool.spec), let preference = key.preference(for: pool.spec.accelerator) else { continue }
            found.append((preference, pool.spec.priceMicroUSDPerGPUHour, index))
        }
        found.sort { $0 < $1 }
        var ranked: [(pool: Int, rank: Int)] = []
        for (at, entry) in found.enumerated() {
            let isSameRank =
                at > 0 && found[at - 1].preference == entry.preference && found[at - 1].price == entry.price
            ranked.append((entry.pool, at == 0 ? 0 : ranked[at - 1].rank + (isSameRank ? 0 : 1)))
        }
        return packer.gang(workers: key.workers, demand: key.demand, scope: key.scope, pools: ranked)
    }

    private mutating func watch(_ shape: ShapeIndex, _ gang: Gang) {
        for target in gang.targets {
            while watchers.count <= target.pool { watchers.append([]) }
            if !watchers[target.pool].contains(shape) { watchers[target.pool].append(shape) }
        }
    }

    /// Drops watchers that no longer wait, and makes all anew after the pools changed.
    private mutating func refreshWatchers() {
        if watchedGeneration != packer.generation {
            watchers = []
            for index in queue.shapes.indices where queue.count(index) > 0 { watch(index, gang(of: index)) }
            watchedGeneration = packer.generation
        }
        for pool in grown where pool < watchers.count { watchers[pool].removeAll { queue.count($0) == 0 } }
    }

    // MARK: Holds

    /// Finds the first waiting jobs that were passed over too often and holds for each the pool nearest to fitting it.
    /// Depends on nothing but the state. Cost: nothing while no job waits so long, else the shapes that wait.
    private mutating func refreshHolds() {
        if holds.isEmpty && state.placements < holds.nextCheck { return }
        holds.clear()
        holds.nextCheck = .max
        var overdue: [Candidate] = []
        for shape in queue.shapes.indices {
            guard let key = head(of: shape), let job = state.jobs[key.number] else { continue }
            let due = job.life.queuedAtPlacement + UInt64(settings.placementsBeforeHold)
            if due <= state.placements { overdue.append(Candidate(key: key, shape: shape)) }
            holds.nextCheck = min(holds.nextCheck, max(due, state.placements + 1))
        }
        overdue.sort()
        for candidate in overdue {
            if holds.byPool.count >= Self.mostHolds { break }
            let gang = gang(of: candidate.shape)
            var nearest: (room: Int, pool: Int)?
            for at in gang.targets.indices {
                let target = gang.targets[at]
                if holds.holder(of: target.pool) != nil { continue }
                if packer.mostWhenEmpty(target.need, pool: target.pool, scope: gang.scope) < gang.workers { continue }
                let room = packer.largestFit(gang, target: at)
                if nearest.map({ room > $0.room }) ?? true { nearest = (room, target.pool) }
            }
            if let nearest { holds.hold(nearest.pool, for: candidate.key) }
        }
    }
}

extension ShapeKey {
    /// Whether the lists of places let the job use a pool. A region may be named alone or as `provider/region`.
    func allows(_ pool: PoolSpec) -> Bool {
        if !allow.providers.isEmpty && !allow.providers.contains(pool.provider) { return false }
        if !allow.regions.isEmpty && !Self.names(pool, in: allow.regions) { return false }
        if !allow.pools.isEmpty && !allow.pools.contains(pool.name) { return false }
        return !deny.providers.contains(pool.provider) && !Self.names(pool, in: deny.regions)
            && !deny.pools.contains(pool.name)
    }

    private static func names(_ pool: PoolSpec, in regions: [String]) -> Bool {
        regions.contains { $0 == pool.region || $0 == pool.provider + "/" + pool.region }
    }

    /// How much the job wants this accelerator, 0 most; nil where it does not.
    func preference(for accelerator: String) -> Int? {
        accelerators.isEmpty ? 0 : accelerators.firstIndex(of: accelerator)
    }
}
