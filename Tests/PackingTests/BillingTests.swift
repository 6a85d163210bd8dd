// Pools that are billed by the node: what opens a node pays for all of it, the price is what the bill rises by, and it is
// kept low where the order of places allows.

import Model
import Packing
import TestKit
import Testing

@Suite struct BillingTests {
    private static let dollar: Int64 = 1_000_000

    private static func spec(_ billing: Billing, allowsGPUShares: Bool = false) -> PoolSpec {
        var spec = PackerTests.spec(allowsGPUShares: allowsGPUShares)
        spec.billing = billing
        return spec
    }

    /// Pools of one block, each of so many nodes of four GPUs in one domain.
    private static func packer(_ billings: [Billing], nodes: Int = 4, allowsGPUShares: Bool = false) -> Packer {
        var packer = Packer()
        let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: nodes))
        for (number, billing) in billings.enumerated() {
            packer.put(pool: number, layout: layout, spec: spec(billing, allowsGPUShares: allowsGPUShares))
        }
        return packer
    }

    private static func candidates(_ dollars: [Int64]) -> [Candidate] {
        dollars.enumerated().map { Candidate(pool: $0, rank: 0, priceMicroUSDPerGPUHour: $1 * dollar) }
    }

    @Test func `What opens a node pays for all of it, and what comes after pays nothing there`() {
        var packer = Self.packer([.node])
        let pools = Self.candidates([2])
        let prices = (0..<6).map { _ in
            PackerTests.place(&packer, PackerTests.form(1, gpus: 1), pools: pools)?.cost.price
        }
        #expect(prices == [8, 0, 0, 0, 8, 0].map { $0 * Self.dollar })
        let gang = PackerTests.place(&packer, PackerTests.form(3, gpus: 2), pools: pools)
        #expect(gang?.cost.price == 8 * Self.dollar, "one of its workers stands on the node that is open")
    }

    @Test func `An open node of a dear pool is cheaper than one of a cheap pool that would have to be opened`() {
        var packer = Self.packer([.node, .node, .gpu])
        packer.take(PackerTests.hold(0b0001, pool: 1, node: 2))
        let pools = Self.candidates([2, 5, 3])
        let first = PackerTests.place(&packer, PackerTests.form(3, gpus: 1, scope: .node), pools: pools)
        #expect(first?.parts[0].pool == PoolSlot(1) && first?.cost.price == 0)
        // Now three GPUs for 3 each, or a node of four for 2 each.
        let second = PackerTests.place(&packer, PackerTests.form(3, gpus: 1, scope: .node), pools: pools)
        #expect(second?.parts[0].pool == PoolSlot(0) && second?.cost.price == 8 * Self.dollar)
        let third = PackerTests.place(&packer, PackerTests.form(2, gpus: 1, scope: .node), pools: pools)
        #expect(third?.parts[0].pool == PoolSlot(2) && third?.cost.price == 6 * Self.dollar)
    }

    @Test func `A node in use goes before an empty one that holds as many workers`() {
        for billing in Billing.allCases {
            var packer = Self.packer([billing])
            // A worker of three GPUs fits once on an empty node and once beside a worker of one.
            packer.take(PackerTests.hold(0b0001, node: 2))
            let form = GangForm(
                groups: [GangForm.Group(count: 1, demand: Demand(gpus: 3, cpuMillis: 0, memoryMiB: 0))], scope: .node)
            let placement = PackerTests.place(&packer, form, pools: Self.candidates([1]))
            #expect(placement?.runs[0].node == (billing == .node ? 2 : 0))
        }
    }

    @Test func `A gang in a domain fills the nodes in use before it opens one`() {
        var packer = Self.packer([.node], nodes: 5)
        for node in 1...3 { packer.take(PackerTests.hold(0b0011, node: node)) }
        let placement = PackerTests.place(
            &packer, PackerTests.form(6, gpus: 1, scope: .domain), pools: Self.candidates([1]))
        #expect(placement?.runs == [NodeRun(node: 1, nodeCount: 3, gpuMask: 0b1100, workers: 2)])
        #expect(placement?.cost.price == 0)
    }

    @Test func `Groups of one gang share the nodes that they open, and an exclusive gang pays for all that it keeps`() {
        var packer = Self.packer([.node])
        func group(_ count: Int, _ gpus: Int) -> GangForm.Group {
            GangForm.Group(count: count, demand: Demand(gpus: gpus, cpuMillis: 100, memoryMiB: 0))
        }
        let roles = GangForm(groups: [group(1, 3), group(2, 0)], scope: .domain)
        #expect(PackerTests.place(&packer, roles, pools: Self.candidates([1]))?.cost.price == 4 * Self.dollar)
        for billing in Billing.allCases {
            var packer = Self.packer([billing])
            let alone = GangForm(groups: [group(1, 3)], scope: .domain, exclusive: .domain)
            let placement = PackerTests.place(&packer, alone, pools: Self.candidates([1]))
            #expect(placement?.cost.price == 16 * Self.dollar)
        }
    }

    @Test func `Shares on several GPUs open their node once`() {
        var packer = Self.packer([.node], allowsGPUShares: true)
        let form = GangForm(
            groups: [GangForm.Group(count: 9, demand: Demand(gpus: 1, gpuMilli: 600, cpuMillis: 0, memoryMiB: 0))],
            scope: .domain)
        let placement = PackerTests.place(&packer, form, pools: Self.candidates([1]))
        #expect(placement?.runs.count ?? 0 > 3)
        #expect(placement?.cost.price == 12 * Self.dollar)
    }

    @Test func `A pool may be billed otherwise while work stands in it`() {
        var packer = Self.packer([.gpu])
        let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 4))
        let form = PackerTests.form(1, gpus: 1)
        #expect(PackerTests.place(&packer, form, pools: Self.candidates([1]))?.cost.price == Self.dollar)
        packer.put(pool: 0, layout: layout, spec: Self.spec(.node))
        #expect(PackerTests.place(&packer, form, pools: Self.candidates([1]))?.cost.price == 0)
        var fork = packer.fork()
        #expect(PackerTests.place(&fork, form, pools: Self.candidates([1]))?.cost.price == 0)
        packer.put(pool: 0, layout: layout, spec: Self.spec(.gpu))
        #expect(PackerTests.place(&packer, form, pools: Self.candidates([1]))?.cost.price == Self.dollar)
    }

    /// Beside the reference: no node costs less for one worker, opening and waste together.
    @Test(arguments: UInt64(1)...60)
    func `One worker opens a node only where that costs less than what it would waste of those in use`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let gpus = random.pick([4, 6, 8])
        let shape = NodeShape(gpus: gpus, cpuMillis: gpus * 1000, memoryMiB: gpus * 1024)
        var spec = PackerTests.spec(shape)
        spec.billing = .node
        let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: 3))
        var harness = Harness(layout: layout, spec: spec, seed: seed, hasMix: true)
        harness.tellMix(
            (0..<3).map { _ in
                MixEntry(
                    demand: Demand(gpus: random.pick(1...gpus)), workers: 1, tier: .pool, accelerators: [],
                    weight: UInt64(random.pick(1...9)))
            })
        for _ in 0..<30 {
            let form = GangForm(
                groups: [GangForm.Group(count: 1, demand: Demand(gpus: random.pick(1...gpus)))], scope: .pool)
            harness.place(form, [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1_000_000)])
            if random.chance(percent: 40) { harness.release() }
        }
        harness.checkAll()
        #expect(harness.tally.singles > 5, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...100)
    func `A gang opens no more nodes of its domain than it must, and the bill rises by its price`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pool = random.pool()
        var spec = pool.spec
        spec.billing = .node
        let layout = PoolLayout(pool.topology)
        var harness = Harness(layout: layout, spec: spec, seed: seed)
        let candidate = Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1000)
        func openNodes() -> [Bool] {
            harness.reference.fleet.pools[0]?.nodes.map { !$0.isEmpty(spec.node) } ?? []
        }
        for _ in 0..<25 {
            let demand = Demand(gpus: harness.random.pick(1...min(3, spec.node.gpus)))
            let count = harness.random.pick(1...12)
            let form = GangForm(groups: [GangForm.Group(count: count, demand: demand)], scope: .domain)
            let (before, rooms) = (openNodes(), harness.reference.room(form, 0, candidate, tier: .node))
            let heldBefore = harness.held.count
            harness.place(form, [candidate])
            guard harness.held.count > heldBefore, let placement = harness.held.last else {
                harness.release()
                continue
            }
            let bill = zip(before, openNodes()).count { !$0 && $1 } * spec.node.gpus * 1000
            #expect(placement.cost.price == Int64(bill), "seed \(seed)")
            guard placement.tier == .domain else { continue }
            let nodes = layout.domain(ofNode: Int(placement.runs[0].node))
            let domain = rooms.indices.filter { layout.domain(ofNode: $0) == nodes }
            var left = count - domain.filter { before[$0] }.reduce(0) { $0 + rooms[$1] }
            var fewest = 0
            for room in domain.filter({ !before[$0] }).map({ rooms[$0] }).sorted(by: >) where left > 0 {
                left -= room
                fewest += 1
            }
            #expect(bill == fewest * spec.node.gpus * 1000, "seed \(seed): \(placement)")
        }
    }

    @Test(arguments: UInt64(1)...60)
    func `The prices of a plan add up to what the bill rises by when it is taken`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var packer = Self.packer([.node, .node], allowsGPUShares: true)
        let forms = (0..<4).map { _ in
            let demand =
                random.chance(percent: 50)
                ? Demand(gpus: random.pick(1...3))
                : Demand(gpus: 1, gpuMilli: random.pick([300, 500]), cpuMillis: random.pick([100, 900]))
            return GangForm(
                groups: [GangForm.Group(count: random.pick([1, 1, 3]), demand: demand)], scope: .pool,
                preferred: random.pick([nil, .node]))
        }
        packer.setMix(
            forms.map { form in
                MixEntry(
                    demand: form.groups[0].demand, workers: 1, tier: .pool, accelerators: [],
                    weight: UInt64(random.pick(1...9)))
            })
        let gangs = forms.map { packer.gang($0, pools: Self.candidates([1, 1])) }
        let requests = (0..<24).map { _ in random.pick(0...gangs.count - 1) }
        let places = packer.plan(gangs, requests: requests, steps: 400)
        var opened = 0
        for place in places {
            guard let place else { continue }
            var nodes: Set<[Int]> = []
            for (at, part) in place.parts.enumerated() {
                for run in place.runRange(at) {
                    for node in place.runs[run].nodes {
                        let free = packer.free(pool: part.pool.index, node: node)
                        let isWhole = (0..<4).allSatisfy {
                            packer.freeMilli(pool: part.pool.index, node: node, gpu: $0) == 1000
                        }
                        if isWhole && free.cpuMillis == 4000 && free.memoryMiB == 4096 {
                            nodes.insert([part.pool.index, node])
                        }
                    }
                }
            }
            #expect(place.cost.price == Int64(nodes.count) * 4 * Self.dollar, "seed \(seed): \(place)")
            opened += nodes.count
            packer.take(place)
        }
        #expect(opened > 1 && opened <= 8, "seed \(seed)")
    }
}
