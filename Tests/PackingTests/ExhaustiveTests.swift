// Three nodes in every arrangement: every state with every plain gang, and every three jobs of a menu one after the
// other.

import Model
import Packing
import TestKit
import Testing

@Suite struct ExhaustiveTests {
    /// Which domain and block each of three nodes belongs to.
    static let arrangements: [[(domain: String, block: String)]] = [
        [("d0", "b0"), ("d0", "b0"), ("d0", "b0")],
        [("d0", "b0"), ("d0", "b0"), ("d1", "b0")],
        [("d0", "b0"), ("d1", "b0"), ("d1", "b0")],
        [("d0", "b0"), ("d1", "b0"), ("d2", "b0")],
        [("d0", "b0"), ("d0", "b0"), ("d1", "b1")],
        [("d0", "b0"), ("d1", "b0"), ("d2", "b1")],
        [("d0", "b0"), ("d1", "b1"), ("d2", "b2")],
    ]

    static func layout(_ arrangement: Int) -> PoolLayout {
        let listings = arrangements[arrangement].enumerated().map { index, place in
            NodeListing(name: "n\(index)", domain: place.domain, block: place.block)
        }
        return PoolLayout(.nodes(listings))
    }

    static let spec = PackerTests.spec(NodeShape(gpus: 2, cpuMillis: 3, memoryMiB: 2), allowsGPUShares: true)
    static let tiers = [Tier.node, .domain, .block, .pool]

    @Test(arguments: arrangements.indices)
    func `Three nodes in every state hold every plain gang where the reference does`(arrangement: Int) {
        let demands = [Demand(gpus: 1), Demand(gpus: 2), Demand(gpus: 1, cpuMillis: 2)]
        var packer = Packer()
        packer.put(pool: 0, layout: Self.layout(arrangement), spec: Self.spec)
        let candidate = Candidate(pool: 0, rank: 0)
        var gangs: [Gang] = []
        for demand in demands {
            for scope in Self.tiers {
                let form = GangForm(groups: [GangForm.Group(count: 1, demand: demand)], scope: scope)
                gangs.append(packer.gang(form, pools: [candidate]))
            }
        }
        // The state of a node: two bits of GPUs that are taken, and one more where it takes nothing new.
        for state in 0..<512 {
            var reference = ReferencePacker()
            reference.fleet.put(pool: 0, layout: Self.layout(arrangement), spec: Self.spec)
            var taken: [Placement] = []
            for node in 0..<3 {
                let bits = state >> (3 * node) & 7
                if bits & 3 > 0 {
                    var placement = PackerTests.hold(UInt16(bits & 3), node: node)
                    placement.parts[0].need = WorkerNeed(gpus: 1, cpuMillis: 1, memoryMiB: 1)
                    taken.append(placement)
                    packer.take(placement)
                    _ = reference.fleet.take(placement)
                }
                packer.setSchedulable(pool: 0, node: node, bits & 4 == 0)
                reference.fleet.setSchedulable(pool: 0, node: node, bits & 4 == 0)
            }
            for (number, demand) in demands.enumerated() {
                let form = GangForm(groups: [GangForm.Group(count: 1, demand: demand)], scope: .pool)
                let rooms = Self.tiers.map { reference.room(form, 0, candidate, tier: $0).max() ?? 0 }
                for scope in Self.tiers.indices {
                    for workers in 1...7 {
                        let at = number * Self.tiers.count + scope
                        gangs[at].resize(to: workers)
                        var placement = Placement.none
                        let found = packer.find(gangs[at], into: &placement)
                        let tier = (0...scope).first { rooms[$0] >= workers }
                        let isRight =
                            found
                            ? placement.tier == tier.map { Self.tiers[$0] } && placement.workerCount == workers
                                && reference.fleet.faults(taking: placement).isEmpty
                            : tier == nil
                        if !isRight { Issue.record("state \(state), \(workers) of \(demand) in \(Self.tiers[scope])") }
                    }
                }
            }
            let fault = packer.firstFault()
            #expect(fault == nil, "state \(state)")
            for placement in taken { packer.give(placement) }
        }
    }

    /// What a job of the menu may be: whole GPUs, shares, none, close, apart, alone, elastic, and of two groups.
    static let menu: [GangForm] = [
        form(Group(count: 1, demand: Demand(gpus: 1))),
        form(Group(count: 2, demand: Demand(gpus: 2)), scope: .domain),
        form(Group(count: 3, demand: Demand(gpus: 1)), scope: .block, preferred: .node),
        form(Group(count: 1, demand: Demand(gpus: 1, gpuMilli: 600))),
        form(Group(count: 3, demand: Demand(gpus: 1, gpuMilli: 400)), scope: .node),
        form(Group(count: 2, demand: Demand(gpus: 0, cpuMillis: 1, memoryMiB: 1))),
        form(Group(count: 2, demand: Demand(gpus: 1), segment: Segment(size: 2, tier: .node))),
        form(Group(count: 2, demand: Demand(gpus: 1), spread: Spread(workersPerNode: 1, workersPerDomain: 1))),
        form(Group(count: 1, demand: Demand(gpus: 1)), exclusive: .domain),
        form(Group(count: 1, maxCount: 4, demand: Demand(gpus: 1))),
        form(Group(count: 1, demand: Demand(gpus: 2)), Group(count: 2, demand: Demand(gpus: 1, gpuMilli: 500))),
        form(Group(count: 2, demand: Demand(gpus: 1)), Group(count: 1, demand: Demand(gpus: 2)), scope: .block),
    ]

    typealias Group = GangForm.Group

    static func form(_ groups: Group..., scope: Tier = .pool, preferred: Tier? = nil, exclusive: Tier? = nil)
        -> GangForm
    {
        GangForm(groups: groups, scope: scope, preferred: preferred, exclusive: exclusive)
    }

    @Test(arguments: arrangements.indices)
    func `Three jobs of a menu on three nodes are placed as the reference says, and given back in any order`(
        arrangement: Int
    ) {
        var harness = Harness(layout: Self.layout(arrangement), spec: Self.spec)
        harness.placeAll(3, of: Self.menu)
        #expect(harness.tally.searches == 12 + 12 * 12 + 12 * 12 * 12)
        #expect(harness.tally.missed == 0 && harness.tally.tooHard == 0)
    }

    /// The pools are of one node each, of other prices and with up to four free GPUs.
    @Test(arguments: 2...3)
    func `Every gang over three small pools is placed where the reference knows a way, and never dearer by half`(
        maxPools: Int
    ) {
        let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1))
        var packer = Packer()
        for pool in 0..<3 { packer.put(pool: pool, layout: layout, spec: PackerTests.spec) }
        let candidates = [2, 1, 4].enumerated().map {
            Candidate(pool: $0, rank: 0, priceMicroUSDPerGPUHour: $1 * 1000)
        }
        for state in 0..<125 {
            var reference = ReferencePacker()
            var taken: [Placement] = []
            for (pool, free) in [state % 5, state / 5 % 5, state / 25].enumerated() {
                reference.fleet.put(pool: pool, layout: layout, spec: PackerTests.spec)
                if free == 4 { continue }
                taken.append(PackerTests.hold(15 & ~(1 << UInt16(free) - 1), pool: pool, node: 0))
            }
            for placement in taken {
                packer.take(placement)
                _ = reference.fleet.take(placement)
            }
            for minWorkersPerPool in 1...3 {
                for workers in 1...12 {
                    var form = PackerTests.form(workers, gpus: 1, scope: .fleet)
                    form.split = Split(maxPools: maxPools, minWorkersPerPool: minWorkersPerPool)
                    let gang = packer.gang(form, pools: candidates)
                    var placement = Placement.none
                    let found = packer.find(gang, into: &placement)
                    var least: Int64?
                    if case .fits(_, let fits) = reference.find(form, candidates) {
                        least = fits.compactMap(\.cost).min()
                    }
                    let rules = PlacementRules(
                        form, candidates: candidates, fleet: reference.fleet, placement: placement)
                    let isRight =
                        found
                        ? rules.broken.isEmpty && least.map { placement.cost.total <= $0 + $0 / 2 } ?? false
                        : least == nil
                    if !isRight { Issue.record("state \(state): \(form), least \(least ?? -1): \(placement)") }
                }
            }
            for placement in taken { packer.give(placement) }
        }
    }
}

extension Harness {
    /// One pool, in which jobs come from a menu.
    init(layout: PoolLayout, spec: PoolSpec, seed: UInt64 = 0, hasMix: Bool = false) {
        self.init(seed: seed, pools: 1...1, features: [.shares], hasMix: hasMix)
        packer.remove(pool: 0)
        reference.fleet.remove(pool: 0)
        pools = [DrawnPool(spec: spec, grown: spec.topology)]
        layouts = [layout]
        packer.put(pool: 0, layout: layout, spec: spec)
        reference.fleet.put(pool: 0, layout: layout, spec: spec)
    }

    /// Every job of a menu is placed where it fits, after it every other one, and so on to a depth. After each, the
    /// state is what it was before, in whatever order the jobs are given back.
    mutating func placeAll(_ depth: Int, of menu: [GangForm]) {
        if depth == 0 || !isSound { return }
        for form in menu {
            let before = packer.digest()
            let count = held.count
            let placement = search(form, [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1000)])
            if let placement { take(placement) }
            if depth == 1 { checkAll() }
            placeAll(depth - 1, of: menu)
            if depth == 1, held.count == 3 {
                // The first is given back and taken again while the others stay.
                packer.give(held[0])
                let canTake = packer.canTake(held[0])
                check(canTake, "what was given back cannot be taken")
                packer.take(held[0])
            }
            if held.count > count, let last = held.popLast() {
                packer.give(last)
                let faults = reference.fleet.give(last)
                check(faults.isEmpty, "\(faults)")
            }
            let after = packer.digest()
            check(after == before, "taking and giving back changed the state")
        }
    }
}
