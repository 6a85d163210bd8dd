// That no single decision costs without end: counts of work, never times.

import Model
import Packing
import TestKit
import Testing

@Suite struct BoundTests {
    typealias Group = GangForm.Group

    private static let mostWork: UInt64 = 1 << 19

    /// A pool of domains of four nodes with 8 GPUs, of each of which the first `used` are taken.
    private static func packer(blocks: Int = 1, domains: Int, used: Int = 0, allowsGPUShares: Bool = false) -> Packer {
        var packer = Packer()
        let topology = Topology.counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: 4)
        let shape = NodeShape(gpus: 8, cpuMillis: 80_000, memoryMiB: 80_000)
        let need = WorkerNeed(gpus: used, gpuMilli: 1000, cpuMillis: 0, memoryMiB: 0)
        packer.put(
            pool: 0, layout: PoolLayout(topology),
            spec: PoolSpec(
                name: "p", provider: "p", region: "r", accelerator: "a", node: shape, topology: topology,
                allowsGPUShares: allowsGPUShares, priceMicroUSDPerGPUHour: 1000))
        if used == 0 { return packer }
        let run = NodeRun(
            node: 0, nodeCount: UInt16(topology.nodeCount), gpuMask: UInt16(1 << used - 1), workers: 1)
        packer.take(
            Placement(
                tier: .pool, cost: .zero,
                parts: [PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: 1)], runs: [run]))
        return packer
    }

    /// What a search for a gang costs, and how many workers it found places for.
    private static func work(_ packer: inout Packer, _ form: GangForm) -> (work: UInt64, workers: Int?) {
        let gang = packer.gang(form, pools: [Candidate(pool: 0, rank: 0)])
        let before = packer.layoutWork
        var placement = Placement.none
        let isFound = packer.find(gang, into: &placement)
        return (packer.layoutWork - before, isFound ? placement.workerCount : nil)
    }

    private static func group(_ count: Int, gpus: Int, cpuMillis: Int = 1000) -> Group {
        Group(count: count, demand: Demand(gpus: gpus, cpuMillis: cpuMillis, memoryMiB: 1))
    }

    @Test func `A gang that has room group by group and in sum but never together is given up after so much work`() {
        // Four free GPUs a node hold one worker of three, and then none of two.
        var packer = Self.packer(domains: 600, used: 4)
        let form = GangForm(
            groups: [Self.group(2, gpus: 3), Self.group(2, gpus: 3, cpuMillis: 2000), Self.group(2, gpus: 2)],
            scope: .domain)
        let (work, workers) = Self.work(&packer, form)
        #expect(workers == nil)
        #expect(work > Self.mostWork / 2 && work < Self.mostWork + 4096)
    }

    @Test func `Where all groups together need more than is free, none is laid out`() {
        var packer = Self.packer(domains: 600, used: 4)
        let form = GangForm(
            groups: [Self.group(2, gpus: 4), Self.group(2, gpus: 4, cpuMillis: 2000), Self.group(1, gpus: 1)],
            scope: .domain)
        let (work, workers) = Self.work(&packer, form)
        #expect(workers == nil)
        #expect(work <= 1200)
    }

    @Test func `The growth of many elastic groups ends after so much work, with all that stood before`() {
        var packer = Self.packer(domains: 1024)
        let groups = (0..<8).map { number in
            Group(
                count: 600, maxCount: 2000, demand: Demand(gpus: 0, cpuMillis: 32_000 + number, memoryMiB: 1),
                spread: Spread(workersPerNode: 1, workersPerDomain: 3))
        }
        let (work, workers) = Self.work(&packer, GangForm(groups: groups, scope: .pool))
        #expect(workers ?? 0 > 4800)
        // The layout at hand is always finished.
        #expect(work < 2 * Self.mostWork + 200_000)
        let fault = packer.firstFault()
        #expect(fault == nil)
    }

    @Test func `A gang that is exclusive in its block orders no places where all blocks are alike`() {
        var packer = Self.packer(blocks: 40, domains: 50)
        var form = GangForm(groups: [Self.group(1, gpus: 1)], scope: .pool)
        form.exclusive = .block
        let (work, workers) = Self.work(&packer, form)
        #expect(workers == 1)
        #expect(work < 1000)
    }

    @Test(arguments: [(steps: 100, most: UInt64(4097)), (steps: 10_000, most: 6000)])
    func `A batch searches among no more nodes than its steps are worth`(steps: Int, most: UInt64) {
        var packer = Self.packer(domains: 1500, used: 1, allowsGPUShares: true)
        let half = Demand(gpus: 1, gpuMilli: 500, cpuMillis: 1000)
        packer.setMix([MixEntry(demand: half, workers: 1, tier: .pool, accelerators: [], weight: 1)])
        let gangs = [half, Demand(gpus: 8)].map {
            packer.gang(
                GangForm(groups: [Group(count: 1, demand: $0)], scope: .pool), pools: [Candidate(pool: 0, rank: 0)])
        }
        let places = packer.plan(gangs, requests: [0, 1, 0], steps: steps)
        #expect(places.map { $0 != nil } == [true, false, true])
        let searched = packer.batchNodes
        #expect(searched <= most && searched + 2000 > most)
    }

    @Test func `Orders of nodes for demands that come once do not gather`() {
        var packer = Self.packer(domains: 50, allowsGPUShares: true)
        let half = Demand(gpus: 1, gpuMilli: 500)
        packer.setMix([MixEntry(demand: half, workers: 1, tier: .pool, accelerators: [], weight: 1)])
        for node in 0..<200 {
            let need = WorkerNeed(gpus: 1, gpuMilli: 1 + node, cpuMillis: node, memoryMiB: node)
            packer.take(
                Placement(
                    tier: .node, cost: .zero,
                    parts: [PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: 1)],
                    runs: [NodeRun(node: UInt32(node), nodeCount: 1, gpuMask: 1, workers: 1)]))
        }
        for milli in 1...400 {
            let demand = Demand(gpus: 1, gpuMilli: milli, cpuMillis: 1000)
            let (_, workers) = Self.work(&packer, GangForm(groups: [Group(count: 1, demand: demand)], scope: .pool))
            #expect(workers == 1)
        }
        let orders = packer.nodeOrders(pool: 0)
        #expect(orders == 64)
    }

    @Test func `Of one demand under many rules only the indexes that a gang waits with are kept`() {
        var packer = Self.packer(domains: 4)
        let forms = (1...40).map { most in
            var group = Self.group(1, gpus: 0)
            group.spread = Spread(workersPerNode: most)
            return GangForm(groups: [group], scope: .pool)
        }
        for form in forms { _ = Self.work(&packer, form) }
        let before = packer.generation
        packer.trimIndexes(keeping: [forms[2], forms[20]], onReserved: false)
        let after = packer.generation
        // Sixteen stay, those that are used among them.
        #expect(after == before + 24)
        let generation = packer.generation
        for form in [forms[2], forms[20]] { _ = Self.work(&packer, form) }
        packer.trimIndexes(keeping: [], onReserved: false)
        let isKept = packer.generation == generation
        #expect(isKept)
    }
}
