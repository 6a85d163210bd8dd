// Who waits for which pool, so that a release wakes the shapes that may now fit and no other.

import Packing

/// The shapes that were tried in vain, by the pools that might hold them.
struct Watchers {
    private var byPool: [IndexSet] = []
    /// The packer's generation that these were made for; 0 before the first.
    var generation: UInt64 = 0

    /// The shapes that wait for `pool`.
    subscript(pool: Int) -> IndexSet { pool < byPool.count ? byPool[pool] : IndexSet() }

    mutating func watch(_ shape: ShapeIndex, _ gang: Gang) {
        for target in gang.targets {
            while byPool.count <= target.pool { byPool.append(IndexSet()) }
            byPool[target.pool].insert(shape)
        }
    }

    mutating func forget(_ shape: ShapeIndex, pool: Int) { byPool[pool].remove(shape) }

    mutating func removeAll() { byPool.removeAll(keepingCapacity: true) }
}

extension Engine {
    /// Makes all watchers anew after the pools changed.
    mutating func refreshWatchers() {
        if watchers.generation == packer.generation { return }
        watchers.removeAll()
        for shape in queue.shapes.indices where queue.count(shape) > 0 { watchers.watch(shape, gang(of: shape)) }
        watchers.generation = packer.generation
    }

    /// Adds the shapes that wait for `pool` and fit it now to `shapes`. Cost: the shapes that wait for it.
    mutating func wake(_ pool: Int, into shapes: inout IndexSet) {
        for shape in watchers[pool] {
            if queue.count(shape) == 0 {
                // It comes back when it waits again and is tried in vain.
                watchers.forget(shape, pool: pool)
            } else if !shapes.contains(shape) && fits(shape, pool: pool) && !isHeld(pool, against: shape) {
                shapes.insert(shape)
            }
        }
    }

    private mutating func isHeld(_ pool: Int, against shape: ShapeIndex) -> Bool {
        guard let holder = holds.holder(of: pool), let key = head(of: shape) else { return false }
        return holder < key
    }

    private func fits(_ shape: ShapeIndex, pool: Int) -> Bool {
        guard let gang = queue.gang(shape) else { return false }
        for at in gang.targets.indices where gang.targets[at].pool == pool { return packer.fits(gang, target: at) }
        return false
    }
}
