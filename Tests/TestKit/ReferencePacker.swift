// Whether a gang fits anywhere, and at what least cost, said as plainly as possible: ranks, pools, tiers and places one
// after the other, everything looked at. Shares no code with the core. Slow on purpose.

public import Model
public import Packing

/// A way to place a gang that the reference knows.
public struct ReferenceFit: Equatable, Sendable {
    /// One, or several with a split.
    public var pools: [Int]
    public var tier: Tier
    /// Price and topology of its least counts, the lowest there is, or where a pool is billed by the node those of the
    /// place that is chosen there; nil where the reference does not know it.
    public var cost: Int64?
    /// The most workers that one place of `tier` could give its first group.
    public var room: Int?
}

public enum ReferenceAnswer: Equatable, Sendable {
    case nowhere
    /// The lowest rank that holds the gang, with every pool of that rank that does; or, where only several pools
    /// together do, one fit.
    case fits(rank: Int, [ReferenceFit])
    /// The search was given up: it would have taken too long.
    case tooHard
}

public struct ReferencePacker: Sendable {
    public var fleet = ShadowFleet()
    /// Of steps of one search over several groups.
    public var patience = 20_000

    public init() {}

    /// A lower rank always goes first, and one pool before several, which may then be of that rank and all lower ones.
    public func find(_ form: GangForm, _ candidates: [Candidate]) -> ReferenceAnswer {
        for rank in Set(candidates.map(\.rank)).sorted() {
            var fits: [ReferenceFit] = []
            var isKnown = true
            for candidate in candidates where candidate.rank == rank {
                switch fit(form, candidate) {
                case .fits(let fit): fits.append(fit)
                case .nowhere: break
                case .tooHard: isKnown = false
                }
            }
            if !isKnown { return .tooHard }
            // While it has patience for a smaller tier, a gang goes to one pool.
            if fits.isEmpty, form.split != nil, form.scope >= .region {
                switch split(form, candidates.filter { $0.rank <= rank }) {
                case .fits(let fit): fits.append(fit)
                case .nowhere: break
                case .tooHard: return .tooHard
                }
            }
            if !fits.isEmpty { return .fits(rank: rank, fits) }
        }
        return .nowhere
    }

    enum OneAnswer {
        case nowhere
        case fits(ReferenceFit)
        case tooHard
    }

    // MARK: One pool

    /// The smallest tier of one pool that holds the gang's least counts.
    func fit(_ form: GangForm, _ candidate: Candidate) -> OneAnswer {
        guard let needs = needs(form, candidate) else { return .nowhere }
        for tier in [Tier.node, .domain, .block, .pool] where tier <= form.scope {
            if needs.count == 1 {
                let room = room(form, 0, candidate, tier: tier).max() ?? 0
                if room < needs[0].least { continue }
                let cost = leastCost(form, needs, candidate, tier: tier)
                return .fits(ReferenceFit(pools: [candidate.pool], tier: tier, cost: cost, room: room))
            }
            switch search(form, candidate, tier: tier) {
            case .some(true):
                let cost = leastCost(form, needs, candidate, tier: tier)
                return .fits(ReferenceFit(pools: [candidate.pool], tier: tier, cost: cost))
            case .some(false): break
            case .none: return .tooHard
            }
        }
        return .nowhere
    }

    /// What each group takes in a pool and how many of it at least; nil where an empty node cannot hold a worker.
    func needs(_ form: GangForm, _ candidate: Candidate) -> [(need: WorkerNeed, least: Int)]? {
        guard let pool = fleet.pools[candidate.pool] else { return nil }
        var needs: [(need: WorkerNeed, least: Int)] = []
        for (at, group) in form.groups.enumerated() {
            guard let need = pool.need(of: group.demand) else { return nil }
            needs.append((need, PlacementRules.counts(form, at, speedMilli: candidate.speedMilli).least))
        }
        return needs
    }

    /// The most workers of one group alone that each place of a tier could hold, by definition: what fits in each node,
    /// no more in a node or domain than the spread allows, and whole segments only.
    public func room(_ form: GangForm, _ at: Int, _ candidate: Candidate, tier: Tier) -> [Int] {
        guard let pool = fleet.pools[candidate.pool], let need = pool.need(of: form.groups[at].demand) else {
            return []
        }
        let (group, size) = (form.groups[at], form.groups[at].segment?.size ?? 1)
        func whole(_ room: Int, in tier: Tier) -> Int {
            var room = room
            if tier == .node { room = min(room, group.spread.workersPerNode ?? room) }
            if tier <= .domain { room = min(room, group.spread.workersPerDomain ?? room) }
            if let segment = group.segment, segment.tier <= tier { room -= room % size }
            return room
        }
        var rooms = pool.nodes.indices.map { node in
            let mayUse = fleet.mayUse(
                pool: candidate.pool, node: node, usesSpares: form.usesSpares, exclusive: form.exclusive)
            return mayUse ? whole(pool.nodes[node].fit(need), in: .node) : 0
        }
        for next in [Tier.domain, .block, .pool] where next <= tier {
            var sums = [Int](repeating: 0, count: pool.nodes.count)
            let below = Tier(rawValue: next.rawValue - 1) ?? .node
            var counted: Set<Int> = []
            for node in pool.nodes.indices where counted.insert(pool.place(below, ofNode: node)).inserted {
                sums[pool.place(next, ofNode: node)] += rooms[pool.place(below, ofNode: node)]
            }
            rooms = sums.map { whole($0, in: next) }
        }
        // A gang that stands in one place has no segment cut by it, but only whole ones.
        return rooms.map { $0 - $0 % size }
    }

    /// Price and topology of a gang at its least counts in a place of `tier`; nil where it is not known.
    private func leastCost(
        _ form: GangForm, _ needs: [(need: WorkerNeed, least: Int)], _ candidate: Candidate, tier: Tier
    ) -> Int64? {
        if form.exclusive != nil { return exclusiveCost(form, needs.map(\.least), candidate, tier: tier) }
        if fleet.pools[candidate.pool]?.spec.billing == .node {
            return openingPrice(form, candidate, tier: tier).map {
                $0 + PlacementRules.topology(form, tier: tier, price: $0)
            }
        }
        let price = needs.reduce(Int64(0)) { sum, group in
            sum + (Int64(group.least * group.need.totalMilli) * candidate.priceMicroUSDPerGPUHour + 999) / 1000
        }
        return price + PlacementRules.topology(form, tier: tier, price: price)
    }

    /// Whether some place of a tier holds the least counts of all groups, by trying every way; nil where it is not
    /// known.
    public func search(_ form: GangForm, _ candidate: Candidate, tier: Tier) -> Bool? {
        guard let pool = fleet.pools[candidate.pool], let needs = needs(form, candidate) else { return false }
        var isKnown = true
        for place in Set(pool.nodes.indices.map { pool.place(tier, ofNode: $0) }).sorted() {
            var search = ReferenceSearch(form, needs.map(\.least), patience: patience)
            search.add(fleet, candidate, needs.map(\.need), nodes: pool.nodes(in: tier, place))
            switch search.run() {
            case .some(true): return true
            case .some(false): break
            case .none: isKnown = false
            }
        }
        return isKnown ? false : nil
    }

    // MARK: Several pools

    /// Whether several pools together hold the gang, and for one group at what least cost: all sets of pools are looked
    /// at.
    func split(_ form: GangForm, _ candidates: [Candidate]) -> OneAnswer {
        guard let split = form.split else { return .nowhere }
        let able = candidates.filter { needs(form, $0) != nil }
        var best: ReferenceFit?
        var isKnown = true
        for bits in 0..<1 << able.count {
            let set = able.indices.filter { bits >> $0 & 1 == 1 }.map { able[$0] }
            if set.count < 2 || set.count > split.maxPools || !standTogether(form, set) { continue }
            let needs = set.compactMap { self.needs(form, $0) }
            if form.groups.count == 1 {
                guard let cost = leastCost(form, needs.map { $0[0] }, over: set) else { continue }
                if best.map({ cost < $0.cost ?? 0 }) ?? true {
                    let isByGPU = able.allSatisfy { fleet.pools[$0.pool]?.spec.billing == .gpu }
                    let known = form.exclusive == nil && isByGPU ? cost : nil
                    best = ReferenceFit(pools: set.map(\.pool), tier: tier(set), cost: known)
                }
                continue
            }
            var search = ReferenceSearch(form, needs[0].map(\.least), patience: patience)
            for (at, candidate) in set.enumerated() {
                let nodes = fleet.pools[candidate.pool]?.nodes.indices ?? 0..<0
                search.add(fleet, candidate, needs[at].map(\.need), nodes: Array(nodes))
            }
            switch search.run() {
            case .some(true): return .fits(ReferenceFit(pools: set.map(\.pool), tier: tier(set)))
            case .some(false): break
            case .none: isKnown = false
            }
        }
        if let best { return .fits(best) }
        return isKnown ? .nowhere : .tooHard
    }

    /// Pools of one region or provider where the scope says so, and of one speed where workers are counted by it.
    private func standTogether(_ form: GangForm, _ set: [Candidate]) -> Bool {
        if form.scaleBySpeed && Set(set.map(\.speedMilli)).count > 1 { return false }
        return tier(set) <= form.scope
    }

    private func tier(_ set: [Candidate]) -> Tier {
        if Set(set.map(\.region)).count == 1 { return .region }
        return Set(set.map(\.provider)).count == 1 ? .provider : .fleet
    }

    /// The least cost of one group over all pools of a set: the fewest workers in each, the rest to the cheapest first.
    /// Nil where they do not hold it exactly.
    private func leastCost(
        _ form: GangForm, _ needs: [(need: WorkerNeed, least: Int)], over set: [Candidate]
    ) -> Int64? {
        let (size, wanted) = (form.groups[0].segment?.size ?? 1, needs[0].least)
        let asked = form.split?.minWorkersPerPool ?? 1
        let fewest = min((asked + size - 1) / size * size, wanted)
        let rooms = set.map { room(form, 0, $0, tier: .pool)[0] }
        if rooms.contains(where: { $0 < fewest }) || fewest * set.count > wanted { return nil }
        var left = wanted - fewest * set.count
        var price: Int64 = 0
        func perWorker(_ at: Int) -> Int64 {
            Int64(needs[at].need.totalMilli) * set[at].priceMicroUSDPerGPUHour
        }
        for at in set.indices.sorted(by: { perWorker($0) < perWorker($1) }) {
            let more = min(left, rooms[at] - fewest)
            left -= more
            price += (Int64(fewest + more) * perWorker(at) + 999) / 1000
        }
        if left > 0 { return nil }
        return price + PlacementRules.topology(form, tier: tier(set), price: price)
    }
}
