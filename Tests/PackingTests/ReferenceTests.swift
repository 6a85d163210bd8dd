// Whether what the core is compared with is right itself: two ways of counting agree, and the rules find what breaks
// them.

import Model
import Packing
import TestKit
import Testing

@Suite struct ReferenceTests {
    @Test(arguments: UInt64(1)...150)
    func `Counting by definition and trying every way agree on one group`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let features = random.features().subtracting([.groups, .split])
        var harness = Harness(seed: seed, pools: 1...2, isSmall: true, features: features)
        for _ in 0..<8 { harness.step() }
        for job in harness.jobs {
            for candidate in harness.candidates() {
                for tier in [Tier.node, .domain, .block, .pool] {
                    let form = GangForm(job, scope: tier)
                    let (least, _) = PlacementRules.counts(form, 0, speedMilli: candidate.speedMilli)
                    let room = harness.reference.room(form, 0, candidate, tier: tier).max() ?? 0
                    guard let found = harness.reference.search(form, candidate, tier: tier) else { continue }
                    #expect(found == (room >= least), "seed \(seed): \(form) in \(candidate)")
                }
            }
        }
    }

    /// Four nodes of two GPUs in two domains of one block, then the same again in another block; the last node of each
    /// domain is a spare.
    static let spec = PackerTests.spec(
        NodeShape(gpus: 2, cpuMillis: 2000, memoryMiB: 200), allowsGPUShares: true, sparesPerDomain: 1)

    static func fleet() -> ShadowFleet {
        var fleet = ShadowFleet()
        fleet.put(
            pool: 0, layout: PoolLayout(.counts(blocks: 2, domainsPerBlock: 2, nodesPerDomain: 2)), spec: spec)
        fleet.setSchedulable(pool: 0, node: 4, false)
        return fleet
    }

    /// One worker of a whole GPU on each of nodes 0 and 2, and two halves of GPU 1 of node 0.
    static let form = GangForm(
        groups: [
            GangForm.Group(
                count: 2, demand: Demand(gpus: 1), segment: Segment(size: 2, tier: .block),
                spread: Spread(workersPerNode: 1, workersPerDomain: 1)),
            GangForm.Group(
                count: 2, demand: Demand(gpus: 1, gpuMilli: 500), segment: Segment(size: 2, tier: .node)),
        ], scope: .block, preferred: .node)

    static let placement = Placement(
        tier: .block, cost: PlacementCost(price: 3003, topology: 2 * 150),
        parts: [
            PlacementPart(
                group: 0, pool: PoolSlot(0), need: WorkerNeed(gpus: 1, cpuMillis: 1000, memoryMiB: 100), runEnd: 2),
            PlacementPart(
                group: 1, pool: PoolSlot(0),
                need: WorkerNeed(gpus: 1, gpuMilli: 500, cpuMillis: 500, memoryMiB: 50), runEnd: 3),
        ],
        runs: [
            NodeRun(node: 0, nodeCount: 1, gpuMask: 0b01, workers: 1),
            NodeRun(node: 2, nodeCount: 1, gpuMask: 0b01, workers: 1),
            NodeRun(node: 0, nodeCount: 1, gpuMask: 0b10, workers: 2),
        ])

    static func broken(
        _ form: GangForm = form, fleet: ShadowFleet = fleet(), _ change: (inout Placement) -> Void = { _ in }
    ) -> String {
        var placement = placement
        change(&placement)
        let candidate = Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1001)
        return PlacementRules(form, candidates: [candidate], fleet: fleet, placement: placement).broken
            .joined(separator: "; ")
    }

    @Test func `A placement that keeps all rules breaks none`() {
        #expect(Self.broken() == "")
    }

    @Test func `Each rule that a placement breaks is told`() {
        let changes: [(String, (inout Placement) -> Void)] = [
            ("tier is node", { $0.tier = .node }),
            ("tier is pool", { $0.tier = .pool }),
            ("exclusive is", { $0.exclusive = .domain }),
            ("price is", { $0.cost.price -= 1 }),
            ("topology costs", { $0.cost.topology += 1 }),
            ("fragmentation is", { $0.cost.fragmentation = -9000 }),
            ("no candidate", { $0.parts[1].pool = PoolSlot(1) }),
            ("out of order", { $0.parts[0].group = 1 }),
            ("of no group", { $0.parts[1].group = 2 }),
            ("takes WorkerNeed", { $0.parts[0].need.cpuMillis = 999 }),
            ("the parts end at run 2", { $0.parts[1].runEnd = 2 }),
            ("has no runs", { $0.parts[1].runEnd = 2 }),
            ("an empty run", { $0.runs[0].workers = 0 }),
            ("goes beyond", { $0.runs[0].node = 8 }),
            ("a GPU beyond the shape", { $0.runs[0].gpuMask = 0b100 }),
            ("0 GPUs for 1 workers", { $0.runs[0].gpuMask = 0 }),
            ("GPU 1 has -1000 left", { $0.runs[0].gpuMask = 0b10 }),
            ("has 3 of 2...2 workers", { $0.runs[2].workers = 3 }),
            ("has 1 of 2...2 workers", { $0.runs[2].workers = 1 }),
            ("cut a segment", { $0.runs[1].node = 6 }),
            ("2 workers of group 0 in", { $0.runs[1] = NodeRun(node: 0, nodeCount: 1, gpuMask: 0b10, workers: 1) }),
            ("is a spare", { $0.runs[1].node = 1 }),
            ("takes nothing new", { $0.runs[1].node = 4 }),
            ("twice in part 0", { $0.runs[1].node = 0 }),
            ("beyond the scope", { $0.runs[1].node = 6 }),
        ]
        for (told, change) in changes {
            let broken = Self.broken(Self.form, fleet: Self.fleet(), change)
            #expect(broken.contains(told), "\(told): \(broken)")
        }
    }

    @Test func `What another gang keeps to itself is no place, and an exclusive gang stands alone`() {
        var fleet = Self.fleet()
        var other = PackerTests.hold(0b10, node: 3)
        other.parts[0].need.memoryMiB = 100
        other.exclusive = .domain
        #expect(fleet.take(other) == [])
        #expect(Self.broken(fleet: fleet).contains("another gang keeps"))
        #expect(fleet.give(other) == [])
        #expect(fleet.kept.isEmpty)
        var form = Self.form
        form.exclusive = .domain
        let cost = PlacementCost(price: 8 * 1001, topology: 2 * 400)
        #expect(Self.broken(form, fleet: fleet) { ($0.exclusive, $0.cost) = (.domain, cost) } == "")
        other.exclusive = nil
        #expect(fleet.take(other) == [])
        #expect(Self.broken(form, fleet: fleet) { ($0.exclusive, $0.cost) = (.domain, cost) }.contains("is not empty"))
    }

    @Test func `A split keeps to its pools and to the least workers in each`() {
        var fleet = Self.fleet()
        fleet.put(
            pool: 1, layout: PoolLayout(.counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 2)), spec: Self.spec)
        let need = WorkerNeed(gpus: 1, cpuMillis: 1000, memoryMiB: 100)
        let placement = Placement(
            tier: .region, cost: PlacementCost(price: 300),
            parts: [
                PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: 1),
                PlacementPart(group: 0, pool: PoolSlot(1), need: need, runEnd: 2),
            ],
            runs: [
                NodeRun(node: 0, nodeCount: 1, gpuMask: 0b11, workers: 2),
                NodeRun(node: 0, nodeCount: 1, gpuMask: 0b01, workers: 1),
            ])
        func broken(_ split: Split?, scope: Tier = .fleet, regions: [Int] = [0, 0]) -> String {
            let form = GangForm(
                groups: [GangForm.Group(count: 3, demand: Demand(gpus: 1))], scope: scope, split: split)
            let candidates = [0, 1].map {
                Candidate(pool: $0, rank: $0, priceMicroUSDPerGPUHour: 100, region: regions[$0])
            }
            return PlacementRules(form, candidates: candidates, fleet: fleet, placement: placement).broken
                .joined(separator: "; ")
        }
        #expect(broken(Split(maxPools: 2)) == "")
        #expect(broken(Split(maxPools: 2), scope: .region) == "")
        #expect(broken(Split(maxPools: 2, minWorkersPerPool: 2)) == "part 1 has fewer workers than 2")
        #expect(broken(Split(maxPools: 1)) == "2 pools")
        #expect(broken(nil).contains("without leave to split"))
        #expect(broken(Split(maxPools: 2), regions: [0, 1]) == "tier is region, not provider")
    }
}
