// All that must hold of a placement, said once and plainly: for each broken rule a sentence. Knows how a gang is asked
// for and how a fleet stands, and nothing of how a place is sought.

public import Model
public import Packing

/// Looks at one placement that was found for a gang and is not taken yet.
public struct PlacementRules {
    private let form: GangForm
    private let candidates: [Candidate]
    private let fleet: ShadowFleet
    private let placement: Placement
    /// Empty where every rule is kept.
    public private(set) var broken: [String] = []

    public init(_ form: GangForm, candidates: [Candidate], fleet: ShadowFleet, placement: Placement) {
        self.form = form
        self.candidates = candidates
        self.fleet = fleet
        self.placement = placement
        checkForm()
        // Nothing else can be asked of what names no nodes.
        if broken.isEmpty { checkRuns() }
        if !broken.isEmpty { return }
        broken += fleet.faults(taking: placement)
        checkNodes()
        checkCounts()
        checkTier()
        checkSegments()
        checkSpread()
        checkSplit()
        checkCost()
    }

    private mutating func expect(_ isKept: Bool, _ rule: String) {
        if !isKept { broken.append(rule) }
    }

    private func candidate(_ part: Int) -> Candidate? {
        candidates.first { $0.pool == placement.parts[part].pool.index }
    }

    /// Parts by group, then pool, each with runs; each group of the gang, each pool a candidate.
    private mutating func checkForm() {
        expect(!placement.parts.isEmpty, "there are no parts")
        var end = 0
        for (at, part) in placement.parts.enumerated() {
            expect(part.runEnd > end, "part \(at) has no runs")
            end = max(end, part.runEnd)
            expect(form.groups.indices.contains(part.group), "part \(at) is of no group")
            guard let candidate = candidate(at), let pool = fleet.pools[candidate.pool] else {
                expect(false, "pool \(part.pool.index) is no candidate")
                continue
            }
            if at > 0 {
                let before = placement.parts[at - 1]
                expect((before.group, before.pool) < (part.group, part.pool), "part \(at) is out of order")
            }
            guard form.groups.indices.contains(part.group) else { continue }
            expect(part.need == pool.need(of: form.groups[part.group].demand), "part \(at) takes \(part.need)")
        }
        expect(end == placement.runs.count, "the parts end at run \(end) of \(placement.runs.count)")
        for run in placement.runs { expect(run.nodeCount > 0 && run.workers > 0, "an empty run") }
        expect(placement.exclusive == form.exclusive, "exclusive is \(String(describing: placement.exclusive))")
    }

    /// Runs within their pools.
    private mutating func checkRuns() {
        for (at, part) in placement.parts.enumerated() {
            let nodes = fleet.pools[part.pool.index]?.nodes.count ?? 0
            for run in placement.runRange(at) {
                expect(placement.runs[run].nodes.upperBound <= nodes, "run \(run) goes beyond its pool")
            }
        }
    }

    /// Nodes take new work, spares only from those who may; a part has each node once, or once for each GPU it shares.
    private mutating func checkNodes() {
        for (at, part) in placement.parts.enumerated() {
            guard let pool = fleet.pools[part.pool.index] else { continue }
            var seen: Set<[Int]> = []
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes {
                    expect(pool.nodes[node].isSchedulable, "node \(node) takes nothing new")
                    expect(form.usesSpares || !pool.nodes[node].isSpare, "node \(node) is a spare")
                    let mask = part.need.isShare ? Int(placement.runs[run].gpuMask) : 0
                    expect(seen.insert([node, mask]).inserted, "node \(node) is twice in part \(at)")
                }
            }
        }
    }

    /// Every group has between its least and its most workers, counted at the speed of the pools that hold it.
    private mutating func checkCounts() {
        for group in form.groups.indices {
            let parts = placement.parts.indices.filter { placement.parts[$0].group == group }
            let speeds = Set(parts.compactMap { candidate($0)?.speedMilli })
            expect(!form.scaleBySpeed || speeds.count == 1, "group \(group) stands in pools of speeds \(speeds)")
            let workers = parts.reduce(0) { $0 + placement.workerCount($1) }
            let (least, most) = Self.counts(form, group, speedMilli: speeds.first ?? 1000)
            expect(least <= workers && workers <= most, "group \(group) has \(workers) of \(least)...\(most) workers")
            let size = form.groups[group].segment?.size ?? 1
            expect(workers % size == 0, "group \(group) has a cut segment")
        }
    }

    /// The fewest workers of a group that do at a speed, and the most that it may have, in whole segments.
    public static func counts(_ form: GangForm, _ group: Int, speedMilli: Int) -> (least: Int, most: Int) {
        let group = form.groups[group]
        let size = group.segment?.size ?? 1
        let speed = form.scaleBySpeed ? speedMilli : 1000
        var least = 0
        while least * speed < group.count * 1000 || least % size != 0 { least += 1 }
        var most = group.maxCount * 1000 / speed
        while most % size != 0 { most -= 1 }
        return (least, max(least, most))
    }

    /// The tier that is claimed is the smallest that holds the gang, and no larger than its scope.
    private mutating func checkTier() {
        let smallest: Tier
        let pools = placement.parts.indices.compactMap { candidate($0) }
        if Set(pools.map(\.pool)).count > 1 {
            smallest =
                Set(pools.map(\.region)).count == 1
                ? .region : Set(pools.map(\.provider)).count == 1 ? .provider : .fleet
        } else {
            smallest = [Tier.node, .domain, .block].first { fleet.places($0, of: placement).count == 1 } ?? .pool
        }
        expect(placement.tier == smallest, "tier is \(placement.tier), not \(smallest)")
        expect(smallest <= form.scope, "tier \(smallest) is beyond the scope \(form.scope)")
        if form.split == nil { expect(smallest <= .pool, "several pools without leave to split") }
    }

    /// Workers of a group in each place of a tier.
    private func workers(of group: Int, in tier: Tier) -> [ShadowPlace: Int] {
        var workers: [ShadowPlace: Int] = [:]
        for (at, part) in placement.parts.enumerated() where part.group == group {
            guard let pool = fleet.pools[part.pool.index] else { continue }
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes {
                    let place = ShadowPlace(pool: part.pool.index, tier: tier, index: pool.place(tier, ofNode: node))
                    workers[place, default: 0] += Int(placement.runs[run].workers)
                }
            }
        }
        return workers
    }

    /// A group's workers can be cut into segments, each in one place of the segment's tier, when and only when each
    /// such place holds a multiple of the size: no segment has workers in two places, and within a place any cut will
    /// do.
    private mutating func checkSegments() {
        for (group, asked) in form.groups.enumerated() {
            guard let segment = asked.segment else { continue }
            for (place, count) in workers(of: group, in: segment.tier) {
                expect(count % segment.size == 0, "\(count) workers of group \(group) in \(place) cut a segment")
            }
        }
    }

    private mutating func checkSpread() {
        for (group, asked) in form.groups.enumerated() {
            for (tier, most) in [(Tier.node, asked.spread.workersPerNode), (.domain, asked.spread.workersPerDomain)] {
                guard let most else { continue }
                for (place, count) in workers(of: group, in: tier) {
                    expect(count <= most, "\(count) workers of group \(group) in \(place)")
                }
            }
        }
    }

    /// No more pools than the split allows, and of each group in each of its pools no fewer workers: the least, in
    /// whole segments, or the whole group where it is smaller than that.
    private mutating func checkSplit() {
        let pools = Set(placement.parts.map(\.pool))
        expect(pools.count <= form.split?.maxPools ?? 1, "\(pools.count) pools")
        guard let split = form.split, pools.count > 1 else { return }
        for at in placement.parts.indices {
            let group = placement.parts[at].group
            let size = form.groups[group].segment?.size ?? 1
            let least = min(
                (split.minWorkersPerPool + size - 1) / size * size,
                Self.counts(form, group, speedMilli: candidate(at)?.speedMilli ?? 1000).least)
            expect(placement.workerCount(at) >= least, "part \(at) has fewer workers than \(least)")
        }
    }

    /// The price of each part, rounded up, or of the nodes that it opens where its pool is billed by the node, or of the
    /// places an exclusive gang keeps; a twentieth of it for each tier beyond the preferred one.
    private mutating func checkCost() {
        let price = Self.price(form, candidates: candidates, fleet: fleet, placement: placement)
        expect(placement.cost.price == price, "price is \(placement.cost.price), not \(price)")
        let topology = Self.topology(form, tier: placement.tier, price: price)
        expect(placement.cost.topology == topology, "topology costs \(placement.cost.topology), not \(topology)")
        // What is used that nothing else could use is at most all of the node or of the domains.
        let tier = min(placement.tier, .domain)
        let most = Self.price(of: fleet.places(tier, of: placement), candidates, fleet)
        expect(
            placement.cost.fragmentation >= -(most + most / 100), "fragmentation is \(placement.cost.fragmentation)")
    }

    public static func price(
        _ form: GangForm, candidates: [Candidate], fleet: ShadowFleet, placement: Placement
    ) -> Int64 {
        var prices: [Int: Int64] = [:]
        for candidate in candidates { prices[candidate.pool] = candidate.priceMicroUSDPerGPUHour }
        guard let exclusive = form.exclusive else {
            let byGPU = placement.parts.indices.filter { part in
                fleet.pools[placement.parts[part].pool.index]?.spec.billing == .gpu
            }
            let opened = fleet.places(.node, of: placement).filter { node in
                fleet.pools[node.pool]?.spec.billing == .node && fleet.isEmpty(node)
            }
            return byGPU.reduce(self.price(of: opened, candidates, fleet)) { sum, part in
                sum + (Int64(placement.gpuMilli(part)) * prices[placement.parts[part].pool.index, default: 0] + 999)
                    / 1000
            }
        }
        return self.price(of: fleet.places(exclusive, of: placement), candidates, fleet)
    }

    /// The price of all GPUs of some places.
    private static func price(
        of places: Set<ShadowPlace>, _ candidates: [Candidate], _ fleet: ShadowFleet
    ) -> Int64 {
        places.reduce(0) { sum, place in
            guard let pool = fleet.pools[place.pool], let candidate = candidates.first(where: { $0.pool == place.pool })
            else { return sum }
            let nodes = pool.nodes(in: place.tier, place.index).count
            return sum + Int64(nodes * pool.spec.node.gpus) * candidate.priceMicroUSDPerGPUHour
        }
    }

    public static func topology(_ form: GangForm, tier: Tier, price: Int64) -> Int64 {
        guard let preferred = form.preferred, tier > preferred else { return 0 }
        return Int64(tier.rawValue - preferred.rawValue) * (price / 20)
    }
}
