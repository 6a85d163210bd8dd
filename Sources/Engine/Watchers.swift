// Who waits for which pool, so that a release wakes the shapes that may now fit and no other.

import Model
import Packing

/// The shapes that were tried in vain, by the pools that might hold them.
struct Watchers {
    /// Shapes whose leads need the same of one pool under the same rules: one reading of the room tells how many workers
    /// the lead of any of them may have.
    struct Group {
        /// One gang of the group, and its target in this pool.
        let gang: Gang
        let target: Int
        /// In order.
        fileprivate(set) var waiting: [Waiting] = []

        fileprivate mutating func insert(_ new: Waiting) {
            var low = 0
            var high = waiting.count
            while low < high {
                let middle = (low + high) / 2
                if waiting[middle] < new { low = middle + 1 } else { high = middle }
            }
            if low < waiting.count && waiting[low] == new { return }
            waiting.insert(new, at: low)
        }
    }

    /// Fewer workers first: the least of the lead group in this pool.
    struct Waiting: Comparable {
        let workers: Int
        let shape: ShapeIndex

        static func < (left: Waiting, right: Waiting) -> Bool {
            (left.workers, left.shape) < (right.workers, right.shape)
        }
    }

    private struct Key: Hashable {
        let pool: Int
        let need: WorkerNeed
        let kind: Int
    }

    /// All of a gang's form on which room for its lead depends, but for what the lead needs. Gangs of several groups
    /// share a kind only when they are equal.
    private struct Kind: Hashable {
        let form: GangForm

        init(_ gang: Gang) {
            var form = gang.form
            if form.groups.count == 1 {
                // Of one worker alone the packer only tells whether it fits.
                form.groups[0].count = min(form.groups[0].count, 2)
                form.groups[0].maxCount = 0
                form.groups[0].demand = Demand(gpus: 0)
            }
            form.preferred = nil
            self.form = form
        }
    }

    private var byPool: [[Group]] = []
    private var kinds: [Kind: Int] = [:]
    private var places: [Key: Int] = [:]
    /// What these were made for: the packer's generation, and how often the queue let shapes go.
    fileprivate var generation: UInt64 = 0
    fileprivate var drops: UInt64 = 0

    /// The groups that wait for `pool`.
    func groups(_ pool: Int) -> [Group] { pool < byPool.count ? byPool[pool] : [] }

    /// Cost: the pools of the gang, and moving those behind it in their groups.
    mutating func watch(_ shape: ShapeIndex, _ gang: Gang) {
        forEachGroup(gang) { $0.insert(Waiting(workers: $1.workers, shape: shape)) }
    }

    fileprivate mutating func makeAnew(_ gangs: [(shape: ShapeIndex, gang: Gang)]) {
        byPool = []
        places = [:]
        kinds = [:]
        for (shape, gang) in gangs {
            forEachGroup(gang) { $0.waiting.append(Waiting(workers: $1.workers, shape: shape)) }
        }
        for pool in byPool.indices {
            for group in byPool[pool].indices { byPool[pool][group].waiting.sort() }
        }
    }

    private mutating func forEachGroup(_ gang: Gang, _ body: (inout Group, Target) -> Void) {
        let known = Kind(gang)
        let kind = kinds[known] ?? kinds.count
        kinds[known] = kind
        for (at, target) in gang.targets.enumerated() {
            while byPool.count <= target.pool { byPool.append([]) }
            let key = Key(pool: target.pool, need: target.need, kind: kind)
            let place = places[key] ?? byPool[target.pool].count
            if place == byPool[target.pool].count {
                byPool[target.pool].append(Group(gang: gang, target: at))
                places[key] = place
            }
            body(&byPool[target.pool][place], target)
        }
    }

    fileprivate mutating func forget(pool: Int, group: Int, where isIdle: (ShapeIndex) -> Bool) {
        byPool[pool][group].waiting.removeAll { isIdle($0.shape) }
    }
}

extension Engine {
    /// Makes all watchers anew after the pools changed, or shapes were let go whose indexes others may have now.
    mutating func refreshWatchers() {
        if watchers.generation == packer.generation && watchers.drops == queue.drops { return }
        var gangs: [(shape: ShapeIndex, gang: Gang)] = []
        for shape in queue.shapes.indices where queue.count(shape) > 0 { gangs.append((shape, gang(of: shape))) }
        watchers.makeAnew(gangs)
        watchers.generation = packer.generation
        watchers.drops = queue.drops
    }

    /// Adds the shapes that wait for `pool` and fit it now to `shapes`. Cost: the groups that wait for it, and the
    /// shapes that fit.
    mutating func wake(_ pool: Int, into shapes: inout IndexSet) {
        // Nodes that are kept are open to jobs that leave them in time.
        let openSeconds = claims.openUntil(pool: pool).map { max(-1, $0.nanoseconds(since: now)) / 1_000_000_000 } ?? 0
        for (at, group) in watchers.groups(pool).enumerated() {
            let room = packer.largestFit(group.gang, target: group.target)
            let kept = openSeconds > 0 ? roomWithKept(group, pool: pool) : room
            var hasIdle = false
            for waiting in group.waiting {
                if waiting.workers > max(room, kept) { break }
                guard queue.count(waiting.shape) > 0 else {
                    hasIdle = true
                    continue
                }
                if waiting.workers > room, !queue.hasLine(waiting.shape, noLongerThan: Int(openSeconds)) { continue }
                shapes.insert(waiting.shape)
            }
            // They come back when they wait again and are tried in vain.
            if hasIdle { watchers.forget(pool: pool, group: at) { [queue] in queue.count($0) == 0 } }
        }
    }

    /// The most workers that one place of a pool could take of a group's lead, with the nodes that are kept for others.
    private mutating func roomWithKept(_ group: Watchers.Group, pool: Int) -> Int {
        guard let first = group.waiting.first(where: { queue.count($0.shape) > 0 }) else { return 0 }
        let gang = openGang(of: first.shape)
        guard let target = gang.targets.firstIndex(where: { $0.pool == pool }) else { return 0 }
        return packer.largestFit(gang, target: target)
    }
}
