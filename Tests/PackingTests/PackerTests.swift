// Sentences about the core that a reader should find spelled out, and what it refuses to do.

import Model
import Packing
import TestKit
import Testing

@Suite struct PackerTests {
    static let shape = NodeShape(gpus: 4, cpuMillis: 4000, memoryMiB: 4096)
    static let spec = spec()

    static func spec(
        _ shape: NodeShape = shape, allowsGPUShares: Bool = false, sparesPerDomain: Int = 0
    ) -> PoolSpec {
        PoolSpec(
            name: "pool", provider: "aws", region: "east", accelerator: "gb300", node: shape, topology: .nodes([]),
            allowsGPUShares: allowsGPUShares, sparesPerDomain: sparesPerDomain)
    }

    static func packer(blocks: Int, domainsPerBlock: Int, nodesPerDomain: Int, pools: Int = 1) -> Packer {
        var packer = Packer()
        let layout = PoolLayout(
            .counts(blocks: blocks, domainsPerBlock: domainsPerBlock, nodesPerDomain: nodesPerDomain))
        for number in 0..<pools { packer.put(pool: number, layout: layout, spec: spec) }
        return packer
    }

    /// Workers of one GPU each on all GPUs of a mask.
    static func hold(_ gpuMask: UInt16, pool: Int = 0, node: Int, nodeCount: Int = 1) -> Placement {
        let need = WorkerNeed(gpus: 1, cpuMillis: 1000, memoryMiB: 1024)
        return Placement(
            tier: .pool, parts: [PlacementPart(group: 0, pool: PoolSlot(pool), need: need, runEnd: 1)],
            runs: [
                NodeRun(
                    node: UInt32(node), nodeCount: UInt16(nodeCount), gpuMask: gpuMask,
                    workers: UInt16(gpuMask.nonzeroBitCount))
            ])
    }

    static func form(_ workers: Int, gpus: Int, scope: Tier = .pool) -> GangForm {
        GangForm(groups: [GangForm.Group(count: workers, demand: Demand(gpus: gpus))], scope: scope)
    }

    static func candidates(_ pools: [(pool: Int, rank: Int)] = [(0, 0)]) -> [Candidate] {
        pools.map { Candidate(pool: $0.pool, rank: $0.rank) }
    }

    /// Places a gang or gives nil; takes it.
    static func place(_ packer: inout Packer, _ form: GangForm, pools: [Candidate] = candidates()) -> Placement? {
        let gang = packer.gang(form, pools: pools)
        var placement = Placement.none
        guard packer.find(gang, into: &placement) else { return nil }
        packer.take(placement)
        return placement
    }

    static func place(
        _ packer: inout Packer, workers: Int, gpus: Int, scope: Tier = .pool,
        pools: [(pool: Int, rank: Int)] = [(0, 0)]
    ) -> Placement? {
        place(&packer, form(workers, gpus: gpus, scope: scope), pools: candidates(pools))
    }

    @Test func `One GPU goes to the fullest node of the fullest domain`() {
        var packer = Self.packer(blocks: 1, domainsPerBlock: 3, nodesPerDomain: 2)
        packer.take(Self.hold(0b0111, node: 2))
        packer.take(Self.hold(0b0111, node: 4))
        packer.take(Self.hold(0b0001, node: 5))
        let placement = Self.place(&packer, workers: 1, gpus: 1)
        #expect(placement?.runs == [NodeRun(node: 4, nodeCount: 1, gpuMask: 0b1000, workers: 1)])
    }

    @Test func `A gang larger than a domain takes domains whole and ends in the tightest`() {
        var packer = Self.packer(blocks: 2, domainsPerBlock: 3, nodesPerDomain: 3)
        packer.take(Self.hold(0b1111, node: 12, nodeCount: 2))
        let placement = Self.place(&packer, workers: 4, gpus: 4)
        #expect(placement?.tier == .block)
        // The second block has two whole domains and one node left over: it is the tighter one.
        #expect(placement?.masks.map(\.node) == [9, 10, 11, 14])
    }

    /// Best fit by domain puts the rest into the roomiest domain instead. Neither rule can keep more whole domains than the
    /// other in every history: it is the gang which leaves that decides.
    @Test(arguments: [(leaving: 0, ours: 0, other: 1), (leaving: 1, ours: 1, other: 0)])
    func `Which domain the rest of a gang should have gone to depends on who leaves next`(
        leaving: Int, ours: Int, other: Int
    ) throws {
        func wholeDomains(_ packer: borrowing Packer) -> Int {
            let isFree = (0..<12).map { packer.free(pool: 0, node: $0).gpuMask == 0b1111 }
            return (0..<3).count { isFree[$0 * 4..<$0 * 4 + 4].allSatisfy(\.self) }
        }
        var packer = Self.packer(blocks: 1, domainsPerBlock: 3, nodesPerDomain: 4)
        let gangs = try [3, 2].map { try #require(Self.place(&packer, workers: $0, gpus: 4)) }
        let another = packer.fork()
        let last = try #require(Self.place(&packer, workers: 5, gpus: 4))
        #expect(GangTests.counts(last) == [[3: 1, 8: 1, 9: 1, 10: 1, 11: 1]])
        packer.give(gangs[leaving])
        #expect(wholeDomains(packer) == ours)

        another.take(Self.hold(0b1111, node: 8, nodeCount: 4))
        another.take(Self.hold(0b1111, node: 6))
        another.give(gangs[leaving])
        #expect(wholeDomains(another) == other)
    }

    @Test func `Fewer domains go before a tighter block`() {
        var packer = Self.packer(blocks: 2, domainsPerBlock: 4, nodesPerDomain: 2)
        // Block 0 keeps one node in each domain: four workers need four domains there, and two in block 1.
        for domain in 0..<4 { packer.take(Self.hold(0b1111, node: domain * 2)) }
        let placement = Self.place(&packer, workers: 4, gpus: 4)
        #expect(placement?.masks.map(\.node) == [8, 9, 10, 11])
    }

    @Test func `A lower rank wins over a tighter fit, and a tighter fit over a lower number`() {
        var packer = Self.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 2, pools: 3)
        packer.take(Self.hold(0b0001, pool: 1, node: 0))
        packer.take(Self.hold(0b0011, pool: 2, node: 0))
        let tight = Self.place(&packer, workers: 1, gpus: 1, pools: [(0, 5), (1, 5), (2, 5)])
        #expect(tight?.parts[0].pool == PoolSlot(2))
        let ranked = Self.place(&packer, workers: 1, gpus: 1, pools: [(0, 1), (1, 5), (2, 5)])
        #expect(ranked?.parts[0].pool == PoolSlot(0))
    }

    @Test func `A gang that does not fit its scope is not placed at all`() {
        var packer = Self.packer(blocks: 2, domainsPerBlock: 2, nodesPerDomain: 2)
        let before = packer.digest()
        #expect(Self.place(&packer, workers: 5, gpus: 1, scope: .node) == nil)
        #expect(Self.place(&packer, workers: 9, gpus: 1, scope: .domain) == nil)
        #expect(Self.place(&packer, workers: 17, gpus: 1, scope: .block) == nil)
        #expect(Self.place(&packer, workers: 33, gpus: 1, scope: .pool) == nil)
        let after = packer.digest()
        #expect(before == after)
        #expect(Self.place(&packer, workers: 32, gpus: 1, scope: .pool)?.gpuMilli == 32_000)
    }

    @Test func `What a demand leaves out is the node's share by GPU, rounded down`() {
        var packer = Packer()
        packer.put(
            pool: 0, layout: PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1)),
            spec: Self.spec(NodeShape(gpus: 3, cpuMillis: 1000, memoryMiB: 100)))
        let needs = [
            packer.need(of: Demand(gpus: 1), pool: 0), packer.need(of: Demand(gpus: 2, cpuMillis: 0), pool: 0),
            packer.need(of: Demand(gpus: 4), pool: 0), packer.need(of: Demand(gpus: 1, cpuMillis: 1001), pool: 0),
            packer.need(of: Demand(gpus: 1, memoryMiB: 101), pool: 0),
        ]
        #expect(
            needs == [
                WorkerNeed(gpus: 1, cpuMillis: 333, memoryMiB: 33), WorkerNeed(gpus: 2, cpuMillis: 0, memoryMiB: 66),
                nil, nil, nil,
            ])
        let placement = Self.place(&packer, workers: 3, gpus: 1)
        #expect(placement?.runs.first?.gpuMask == 0b111)
        let free = packer.free(pool: 0, node: 0)
        #expect(free.cpuMillis == 1 && free.memoryMiB == 1)
    }

    @Test func `A need that no empty node holds fits no gang`() {
        var packer = Self.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 2)
        let need = WorkerNeed(gpus: 1, cpuMillis: 5000, memoryMiB: 0)
        for scope in [Tier.node, .domain, .block, .pool] {
            let count = packer.gangsThatFit(workers: 1, need: need, pool: 0, scope: scope)
            let most = packer.mostWhenEmpty(need, pool: 0, scope: scope)
            #expect(count == 0 && most == 0)
        }
        let gang = packer.gang(
            GangForm(groups: [GangForm.Group(count: 1, demand: Demand(gpus: 1, cpuMillis: 5000))], scope: .pool),
            pools: Self.candidates())
        #expect(gang.isEmpty)
        var placement = Placement.none
        let found = packer.find(gang, into: &placement)
        #expect(!found)
    }

    @Test func `An empty pool holds as much as its tree says`() {
        let listings = [("b0", "d0", 2), ("b0", "d1", 3), ("b1", "d2", 4)].flatMap { block, domain, count in
            (0..<count).map { NodeListing(name: "\(domain)-\($0)", domain: domain, block: block) }
        }
        var packer = Packer()
        packer.put(pool: 3, layout: PoolLayout(.nodes(listings)), spec: Self.spec)
        let need = WorkerNeed(gpus: 2, cpuMillis: 0, memoryMiB: 0)
        var most: [Int] = []
        for scope in [Tier.node, .domain, .block, .pool] {
            most.append(packer.mostWhenEmpty(need, pool: 3, scope: scope))
        }
        #expect(most == [2, 8, 10, 18])
    }

    @Test func `A node that takes nothing new keeps what it has`() throws {
        var packer = Self.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 2)
        let held = try #require(Self.place(&packer, workers: 1, gpus: 2))
        packer.setSchedulable(pool: 0, node: 0, false)
        var free = packer.freeGPUs(pool: 0)
        #expect(free == (all: 6, schedulable: 4))
        #expect(Self.place(&packer, workers: 1, gpus: 2)?.runs.first?.node == 1)
        packer.give(held)
        free = packer.freeGPUs(pool: 0)
        #expect(free == (all: 6, schedulable: 2))
        #expect(Self.place(&packer, workers: 1, gpus: 4) == nil)
        packer.setSchedulable(pool: 0, node: 0, true)
        #expect(Self.place(&packer, workers: 1, gpus: 4)?.runs.first?.node == 0)
    }

    @Test func `Trimming lets idle indexes go and keeps those that are claimed`() {
        var packer = Packer(idleIndexesPerPool: 2)
        packer.put(
            pool: 0, layout: PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 2)), spec: Self.spec)
        _ = packer.gang(PackerTests.form(1, gpus: 1, scope: .node), pools: PackerTests.candidates())
        let before = packer.generation
        func trim(_ packer: inout Packer, keeping gpus: [Int]) {
            packer.trimIndexes(keeping: gpus.map { PackerTests.form(2, gpus: $0, scope: .pool) }, onReserved: false)
        }
        trim(&packer, keeping: [1])
        let untouched = packer.generation
        #expect(untouched == before)
        for gpus in 2...4 {
            _ = packer.gang(PackerTests.form(1, gpus: gpus, scope: .node), pools: PackerTests.candidates())
        }
        trim(&packer, keeping: [1, 2, 3, 4])
        let claimed = packer.generation
        #expect(claimed == before)
        trim(&packer, keeping: [1, 2, 4])
        let oneLess = packer.generation
        #expect(oneLess == before + 1)
        trim(&packer, keeping: [1])
        let after = packer.generation
        #expect(after == before + 2)
        let fault = packer.firstFault()
        #expect(fault == nil)
        #expect(
            Self.place(&packer, workers: 1, gpus: 1)?.runs == [NodeRun(node: 0, nodeCount: 1, gpuMask: 1, workers: 1)])
    }

    @Test func `One very large domain among small ones costs no memory for fits that do not occur`() {
        let listings = (0..<4096).map { NodeListing(name: "l\($0)", domain: "large", block: "b") }
        let single = (0..<16_000).map { NodeListing(name: "s\($0)", domain: "d\($0)", block: "b") }
        var packer = Packer()
        packer.put(
            pool: 0, layout: PoolLayout(.nodes(listings + single)),
            spec: Self.spec(NodeShape(gpus: 16, cpuMillis: 16_000, memoryMiB: 16_384)))
        let placement = Self.place(&packer, workers: 65_536, gpus: 1)
        #expect(placement?.tier == .domain)
        let bytes = packer.bytes
        #expect(bytes < 128 * 20_096)
    }

    @Test func `A run of nodes may cross domains and be given back node by node`() {
        let packer = Self.packer(blocks: 2, domainsPerBlock: 2, nodesPerDomain: 3)
        let before = packer.digest()
        packer.take(Self.hold(0b0110, node: 1, nodeCount: 10))
        var fault = packer.firstFault()
        #expect(fault == nil)
        for node in 1...10 { packer.give(Self.hold(0b0110, node: node)) }
        fault = packer.firstFault()
        #expect(fault == nil)
        let after = packer.digest()
        #expect(before == after)
    }

    @Test func `Taking what is taken stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let packer = PackerTests.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1)
            packer.take(PackerTests.hold(0b0011, node: 0))
            packer.take(PackerTests.hold(0b0110, node: 0))
        }
    }

    @Test func `Giving back what is free stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let packer = PackerTests.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1)
            packer.take(PackerTests.hold(0b0011, node: 0))
            packer.give(PackerTests.hold(0b0110, node: 0))
        }
    }

    @Test func `A gang older than the pools stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var packer = PackerTests.packer(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1)
            let gang = packer.gang(PackerTests.form(1, gpus: 1, scope: .node), pools: PackerTests.candidates())
            packer.put(
                pool: 1, layout: PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 1)),
                spec: PackerTests.spec)
            var placement = Placement.none
            _ = packer.find(gang, into: &placement)
        }
    }
}
