// What each thing that a gang may ask for means, in one small example each.

import Model
import Packing
import TestKit
import Testing

@Suite struct GangTests {
    typealias Group = GangForm.Group

    static func packer(
        blocks: Int = 1, domains: Int = 2, nodes: Int = 2, allowsGPUShares: Bool = false, sparesPerDomain: Int = 0,
        pools: Int = 1
    ) -> Packer {
        var packer = Packer()
        let layout = PoolLayout(.counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: nodes))
        let spec = PackerTests.spec(allowsGPUShares: allowsGPUShares, sparesPerDomain: sparesPerDomain)
        for number in 0..<pools { packer.put(pool: number, layout: layout, spec: spec) }
        return packer
    }

    /// Workers on each node of each pool, by part.
    static func counts(_ placement: Placement?) -> [[Int: Int]] {
        guard let placement else { return [] }
        return placement.parts.indices.map { part in
            var counts: [Int: Int] = [:]
            for run in placement.runRange(part) {
                for node in placement.runs[run].nodes { counts[node, default: 0] += Int(placement.runs[run].workers) }
            }
            return counts
        }
    }

    @Test func `Shares of one GPU leave the others whole, and what is shared is not given whole`() {
        var packer = Self.packer(domains: 1, nodes: 1, allowsGPUShares: true)
        let half = GangForm(groups: [Group(count: 1, demand: Demand(gpus: 1, gpuMilli: 500))], scope: .node)
        let first = PackerTests.place(&packer, half)
        let second = PackerTests.place(&packer, half)
        #expect(first?.runs == [NodeRun(node: 0, nodeCount: 1, gpuMask: 1, workers: 1)])
        #expect(second?.runs == first?.runs)
        let free = (packer.free(pool: 0, node: 0).gpuMask, packer.freeMilli(pool: 0, node: 0, gpu: 0))
        #expect(free == (0b1110, 0))
        #expect(PackerTests.place(&packer, workers: 1, gpus: 4) == nil)
        let need = packer.need(of: Demand(gpus: 1, gpuMilli: 500), pool: 0)
        #expect(need == WorkerNeed(gpus: 1, gpuMilli: 500, cpuMillis: 500, memoryMiB: 512))
        let plain = Self.packer()
        let none = plain.need(of: Demand(gpus: 1, gpuMilli: 500), pool: 0)
        #expect(none == nil)
    }

    @Test func `Workers without GPUs go where CPU is left`() {
        var packer = Self.packer(domains: 1, nodes: 2)
        packer.take(PackerTests.hold(0b1111, node: 0))
        let form = GangForm(groups: [Group(count: 3, demand: Demand(gpus: 0, cpuMillis: 1300))], scope: .pool)
        let placement = PackerTests.place(&packer, form)
        #expect(placement?.runs == [NodeRun(node: 1, nodeCount: 1, gpuMask: 0, workers: 3)])
        #expect(placement?.cost == .zero)
    }

    /// Pools of two nodes each, in which half a GPU is what usually comes.
    static func sharedPools(_ pools: [(gpus: Int, price: Int64, billing: Billing)]) -> Packer {
        var packer = Packer()
        for (number, (gpus, price, billing)) in pools.enumerated() {
            let topology = Topology.counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: 1)
            packer.put(
                pool: number, layout: PoolLayout(topology),
                spec: PoolSpec(
                    name: "p\(number)", provider: "p", region: "r", accelerator: "a",
                    node: NodeShape(gpus: gpus, cpuMillis: gpus * 1000, memoryMiB: gpus * 1000), topology: topology,
                    allowsGPUShares: true, billing: billing, priceMicroUSDPerGPUHour: price))
        }
        packer.setMix([MixEntry(demand: half, workers: 1, tier: .pool, accelerators: [], weight: 1)])
        return packer
    }

    static let half = Demand(gpus: 1, gpuMilli: 500)

    static func halfAGPU(_ packer: inout Packer, prices: [Int64]) -> Gang {
        packer.gang(
            GangForm(groups: [Group(count: 1, demand: half)], scope: .pool),
            pools: prices.indices.map { Candidate(pool: $0, rank: 0, priceMicroUSDPerGPUHour: prices[$0]) })
    }

    @Test
    func `Where the node is billed, one worker goes to an open node, and a new one is opened where it is best used`() {
        // The small node is cheaper as a whole, the large one for each GPU.
        var packer = Self.sharedPools([(2, 3_500_000, .node), (8, 2_000_000, .node)])
        let gang = Self.halfAGPU(&packer, prices: [3_500_000, 2_000_000])
        var prices: [Int64] = []
        var placement = Placement.none
        for _ in 0..<17 where packer.find(gang, into: &placement) {
            packer.take(placement)
            #expect(placement.parts[0].pool == PoolSlot(1))
            #expect(placement.cost.fragmentation == 0)
            prices.append(placement.cost.price)
        }
        #expect(prices == [16_000_000] + Array(repeating: 0, count: 15) + [16_000_000])
        packer.give(placement)
        let fits = packer.find(gang, into: &placement)
        #expect(fits && placement.cost.price == 16_000_000)
    }

    @Test(arguments: [(10_000_000, 1), (6_000_000, 0)])
    func `A node that is opened competes by its price with GPUs that are billed one by one`(price: Int64, pool: Int) {
        // Half a GPU for 5 or 3 USD an hour, or a node for 4.
        var packer = Self.sharedPools([(4, price, .gpu), (4, 1_000_000, .node)])
        let gang = Self.halfAGPU(&packer, prices: [price, 1_000_000])
        var placement = Placement.none
        let fits = packer.find(gang, into: &placement)
        #expect(fits && placement.parts[0].pool == PoolSlot(pool))
        #expect(placement.cost.price == min(price / 2, 4_000_000))
    }

    @Test func `All groups are placed, or none is`() {
        var packer = Self.packer(domains: 1, nodes: 2)
        var form = GangForm(
            groups: [Group(count: 1, demand: Demand(gpus: 4)), Group(count: 4, demand: Demand(gpus: 1))],
            scope: .domain)
        let before = packer.digest()
        form.groups[1].count = 5
        form.groups[1].maxCount = 5
        #expect(PackerTests.place(&packer, form) == nil)
        let after = packer.digest()
        #expect(after == before)
        form.groups[1].count = 4
        form.groups[1].maxCount = 4
        #expect(Self.counts(PackerTests.place(&packer, form)).map { $0.values.reduce(0, +) } == [1, 4])
    }

    @Test func `Segments are not cut where their tier ends`() {
        // Each domain holds five workers, so only four of it by segments of two.
        var packer = Self.packer(domains: 3, nodes: 2)
        for domain in 0..<3 { packer.take(PackerTests.hold(0b0111, node: domain * 2)) }
        func form(_ count: Int) -> GangForm {
            GangForm(
                groups: [Group(count: count, demand: Demand(gpus: 1), segment: Segment(size: 2, tier: .domain))],
                scope: .pool)
        }
        #expect(PackerTests.place(&packer, form(14)) == nil)
        let counts = Self.counts(PackerTests.place(&packer, form(12))).first ?? [:]
        #expect((0..<3).allSatisfy { (counts[$0 * 2] ?? 0) + (counts[$0 * 2 + 1] ?? 0) == 4 })
    }

    @Test func `Spread keeps workers apart`() {
        var packer = Self.packer(domains: 2, nodes: 2)
        func form(_ count: Int) -> GangForm {
            let spread = Spread(workersPerNode: 2, workersPerDomain: 3)
            return GangForm(groups: [Group(count: count, demand: Demand(gpus: 1), spread: spread)], scope: .pool)
        }
        #expect(PackerTests.place(&packer, form(7)) == nil)
        let counts = Self.counts(PackerTests.place(&packer, form(6))).first ?? [:]
        #expect(counts.values.allSatisfy { $0 <= 2 } && counts.values.reduce(0, +) == 6)
    }

    @Test func `An exclusive gang wants an empty domain, pays for it, and keeps it`() {
        var packer = Self.packer(domains: 2, nodes: 2)
        packer.take(PackerTests.hold(1, node: 0))
        var form = PackerTests.form(1, gpus: 1)
        form.exclusive = .domain
        let placement = PackerTests.place(
            &packer, form, pools: [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 10)])
        #expect(placement?.runs == [NodeRun(node: 2, nodeCount: 1, gpuMask: 1, workers: 1)])
        #expect(placement?.exclusive == .domain && placement?.cost.price == 80)
        #expect(PackerTests.place(&packer, form) == nil)
        var free = packer.freeGPUs(pool: 0)
        #expect(free == (all: 14, schedulable: 7))
        let others = (packer.canTake(PackerTests.hold(1, node: 3)), packer.canTake(PackerTests.hold(2, node: 0)))
        #expect(others == (false, true))
        #expect(PackerTests.place(&packer, workers: 8, gpus: 1) == nil)
        if let placement { packer.give(placement) }
        free = packer.freeGPUs(pool: 0)
        #expect(free == (all: 15, schedulable: 15))
        #expect(PackerTests.place(&packer, workers: 8, gpus: 1)?.tier == .domain)
    }

    @Test func `An elastic gang takes the most that the smallest place of its least has`() {
        var packer = Self.packer(domains: 2, nodes: 2)
        packer.take(PackerTests.hold(0b1111, node: 0))
        packer.take(PackerTests.hold(0b0001, node: 2))
        let form = GangForm(groups: [Group(count: 5, maxCount: 100, demand: Demand(gpus: 1))], scope: .pool)
        let placement = PackerTests.place(&packer, form)
        #expect(placement?.tier == .domain)
        #expect(Self.counts(placement) == [[2: 3, 3: 4]])
    }

    @Test func `A gang goes over several pools only with leave, and only where one does not hold it`() {
        var packer = Self.packer(domains: 1, nodes: 2, pools: 3)
        let candidates = [
            Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 3, region: 0),
            Candidate(pool: 1, rank: 0, priceMicroUSDPerGPUHour: 2, region: 1),
            Candidate(pool: 2, rank: 0, priceMicroUSDPerGPUHour: 1, region: 0),
        ]
        var form = PackerTests.form(10, gpus: 1, scope: .fleet)
        #expect(PackerTests.place(&packer, form, pools: candidates) == nil)
        form.split = Split(maxPools: 2, minWorkersPerPool: 3)
        form.scope = .region
        let near = PackerTests.place(&packer, form, pools: candidates)
        #expect(near?.parts.map(\.pool) == [PoolSlot(0), PoolSlot(2)])
        #expect(near?.parts.indices.map { near?.workerCount($0) } == [3, 7])
        #expect(near?.tier == .region && near?.cost.price == 16)
        if let near { packer.give(near) }
        form.scope = .fleet
        let cheap = PackerTests.place(&packer, form, pools: candidates)
        #expect(cheap?.parts.map(\.pool) == [PoolSlot(1), PoolSlot(2)])
        #expect(cheap?.tier == .provider)
    }

    @Test func `A slow pool needs more workers and a fast one fewer`() {
        for (speed, workers) in [(500, 8), (1000, 4), (1500, 3), (3000, 2), (8000, 1)] {
            var packer = Self.packer()
            var form = PackerTests.form(4, gpus: 1)
            form.scaleBySpeed = true
            let placement = PackerTests.place(
                &packer, form, pools: [Candidate(pool: 0, rank: 0, speedMilli: speed)])
            #expect(placement?.workerCount == workers)
        }
    }

    @Test func `Spare nodes are for gangs that may be taken back`() {
        var packer = Self.packer(domains: 1, nodes: 2, sparesPerDomain: 1)
        #expect(PackerTests.place(&packer, workers: 5, gpus: 1) == nil)
        #expect(PackerTests.place(&packer, workers: 4, gpus: 1)?.tier == .node)
        var form = PackerTests.form(4, gpus: 1)
        form.usesSpares = true
        #expect(PackerTests.place(&packer, form)?.runs.first?.node == 1)
    }

    @Test func `A tier beyond the preferred one costs a twentieth of the price for each step`() {
        func choose(_ price: Int64) -> Placement? {
            var packer = Self.packer(blocks: 2, domains: 1, nodes: 2, pools: 2)
            // In pool 0 eight workers find no domain.
            packer.take(PackerTests.hold(1, pool: 0, node: 0))
            packer.take(PackerTests.hold(1, pool: 0, node: 2))
            var form = PackerTests.form(8, gpus: 1)
            form.preferred = .domain
            return PackerTests.place(
                &packer, form,
                pools: [
                    Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 100),
                    Candidate(pool: 1, rank: 0, priceMicroUSDPerGPUHour: price),
                ])
        }
        #expect(choose(109)?.parts[0].pool == PoolSlot(1))
        #expect(choose(111)?.parts[0].pool == PoolSlot(0))
        #expect(choose(111)?.cost == PlacementCost(price: 800, topology: 80))
    }
}
