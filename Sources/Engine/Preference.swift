// Which pools a shape may use, and in what order it wants them.

import Model
import Packing

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

extension Engine {
    /// The shape's gang over the pools as they are now.
    mutating func gang(of shape: ShapeIndex) -> Gang {
        if let gang = queue.gang(shape), gang.generation == packer.generation { return gang }
        let gang = resolve(queue[shape].key)
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

    /// Demands that come to the queue before the packer's idle indexes are looked through again.
    private static let demandsPerTrim: UInt64 = 64

    /// Lets go of indexes of demands that nobody waits with, now and then. Outdates gangs.
    mutating func trimIndexes() {
        if queue.demandsCome < nextTrim { return }
        nextTrim = queue.demandsCome + Self.demandsPerTrim
        var demands: Set<Demand> = []
        var claimed: Set<Claim> = []
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            let demand = queue[shape].key.demand
            guard demands.insert(demand).inserted else { continue }
            for (pool, record) in state.pools.enumerated() where !record.isDeleted {
                if let need = packer.need(of: demand, pool: pool) { claimed.insert(Claim(pool: pool, need: need)) }
            }
        }
        packer.trimIndexes { pool, need in claimed.contains(Claim(pool: pool, need: need)) }
    }

    private struct Claim: Hashable {
        let pool: Int
        let need: WorkerNeed
    }
}
