// Which pools a shape may use, and in what order it wants them.

import Model
import Packing

extension ShapeKey {
    /// Whether the lists of places let the job use a pool. A region may be named alone or as `provider/region`.
    func allows(_ pool: PoolSpec) -> Bool {
        if !allow.providers.isEmpty && !allow.providers.contains(pool.provider) { return false }
        if !allow.regions.isEmpty && !pool.isIn(allow.regions) { return false }
        if !allow.pools.isEmpty && !allow.pools.contains(pool.name) { return false }
        return !deny.providers.contains(pool.provider) && !pool.isIn(deny.regions)
            && !deny.pools.contains(pool.name)
    }
}

extension PoolSpec {
    /// Whether one of these names its region, alone or as `provider/region`.
    func isIn(_ regions: [String]) -> Bool { regions.contains { $0 == region || $0 == provider + "/" + region } }
}

extension [Accelerator] {
    /// How much a job with this list wants an accelerator, 0 most, and its speed; nil where it does not.
    func preference(for model: String) -> (rank: Int, speedMilli: Int)? {
        if isEmpty { return (0, 1000) }
        guard let rank = firstIndex(where: { $0.model == model }) else { return nil }
        return (rank, self[rank].speedMilli)
    }
}

/// Small numbers for providers and their regions, so that nobody compares names to tell whether two pools share one.
struct PlaceNumbers {
    private var providers: [String: Int] = [:]
    private var regions: [String: Int] = [:]
    /// By slot.
    private var bySlot: [(provider: Int, region: Int)] = []

    subscript(slot: Int) -> (provider: Int, region: Int) { bySlot[slot] }

    /// Precondition: slots come in order the first time, and a slot keeps its provider and region.
    mutating func note(_ spec: PoolSpec, at slot: PoolSlot) {
        if slot.index < bySlot.count { return }
        let provider = providers[spec.provider] ?? providers.count
        providers[spec.provider] = provider
        let name = spec.provider + "\u{0}" + spec.region
        let region = regions[name] ?? regions.count
        regions[name] = region
        bySlot.append((provider, region))
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

    /// The shape's gang as it would be if it might stand on nodes that are kept for others.
    mutating func openGang(of shape: ShapeIndex) -> Gang {
        if let gang = queue[shape].openGang, gang.generation == packer.generation { return gang }
        var key = queue[shape].key
        key.form.usesReserved = true
        let gang = resolve(key)
        queue[shape].openGang = gang
        return gang
    }

    /// A shape's gang over the pools it may use, ranked by the order of its accelerators.
    mutating func resolve(_ key: ShapeKey) -> Gang {
        var candidates: [Candidate] = []
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            guard key.allows(pool.spec), let preference = key.accelerators.preference(for: pool.spec.accelerator)
            else { continue }
            candidates.append(
                Candidate(
                    pool: index, rank: preference.rank,
                    priceMicroUSDPerGPUHour: pool.spec.priceMicroUSDPerGPUHour, speedMilli: preference.speedMilli,
                    provider: places[index].provider, region: places[index].region))
        }
        return packer.gang(key.form, pools: candidates)
    }

    /// Demands that come to the queue before the packer's idle indexes are looked through again.
    private static let demandsPerTrim: UInt64 = 64

    /// Lets go of indexes of demands that nobody waits with, now and then. Outdates gangs.
    mutating func trimIndexes() {
        // Jobs behind gates make indexes when they are explained.
        let come = queue.demandsCome + gatedShapes.demandsCome
        if come < nextTrim { return }
        nextTrim = come + Self.demandsPerTrim
        let forms = queue.shapes.indices.compactMap { shape in
            queue.count(shape) > 0 ? queue[shape].key.form : nil
        }
        packer.trimIndexes(keeping: forms, onReserved: !claims.isEmpty)
    }
}
