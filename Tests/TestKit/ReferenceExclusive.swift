// What an exclusive gang has to pay at least: every set of places that it might keep to itself is looked at.

import Model
import Packing

extension ReferencePacker {
    /// The most places of which all sets are looked at.
    private static let mostPlaces = 10

    /// The least price and topology of one exclusive group in a place of `tier`. Nil for several groups, for more
    /// places than can be looked at, and where a segment spans several of the places that are kept.
    func exclusiveCost(_ form: GangForm, _ counts: [Int], _ candidate: Candidate, tier: Tier) -> Int64? {
        guard let exclusive = form.exclusive, let pool = fleet.pools[candidate.pool], counts.count == 1 else {
            return nil
        }
        if let segment = form.groups[0].segment, segment.tier > exclusive { return nil }
        let rooms = room(form, 0, candidate, tier: min(tier, exclusive))
        var gpusOfPlace: [Int: Int] = [:]
        for node in pool.nodes.indices {
            gpusOfPlace[pool.place(exclusive, ofNode: node), default: 0] += pool.spec.node.gpus
        }
        var least: Int?
        if tier <= exclusive {
            for node in pool.nodes.indices where rooms[pool.place(tier, ofNode: node)] >= counts[0] {
                let gpus = gpusOfPlace[pool.place(exclusive, ofNode: node)] ?? 0
                least = min(least ?? gpus, gpus)
            }
        } else {
            for outer in Set(pool.nodes.indices.map { pool.place(tier, ofNode: $0) }) {
                let places = Set(pool.nodes(in: tier, outer).map { pool.place(exclusive, ofNode: $0) }).sorted()
                if places.count > Self.mostPlaces { return nil }
                for bits in 0..<1 << places.count {
                    let set = places.indices.filter { bits >> $0 & 1 == 1 }.map { places[$0] }
                    if set.reduce(0, { $0 + rooms[$1] }) < counts[0] { continue }
                    let gpus = set.reduce(0) { $0 + (gpusOfPlace[$1] ?? 0) }
                    least = min(least ?? gpus, gpus)
                }
            }
        }
        return least.map { gpus in
            let price = Int64(gpus) * candidate.priceMicroUSDPerGPUHour
            return price + PlacementRules.topology(form, tier: tier, price: price)
        }
    }
}
