// A journal that places a gang where its own rules forbid is refused for that rule, one test a rule.

import Engine
import Model
import TestKit
import Testing

@Suite struct ForgeryTests {
    /// What replay says of a job of `workers` placed as `forge` changes the engine's own placement; nil where that fact is
    /// accepted.
    static func refusal(
        pools: [PoolSpec] = [.sample("p", blocks: 2, domains: 2, nodes: 4)], before: [Command] = [],
        _ workers: [WorkerGroup], _ change: (inout JobSpec) -> Void = { _ in }, forge: (inout Placement) -> Void
    ) throws -> String? {
        var harness = EngineHarness()
        for pool in pools { harness.run(.putPool(pool)) }
        for command in before { harness.run(command) }
        let image = harness.engine.state.image
        harness.submit("a", workers, change)
        var transaction = try #require(harness.transactions.last)
        guard transaction.facts.count == 2, case .jobPlaced(let number, var placement) = transaction.facts[1] else {
            Issue.record("the job was not placed")
            return nil
        }
        forge(&placement)
        transaction.facts[1] = .jobPlaced(number: number, placement: placement)
        var engine = try Engine(image: image)
        do throws(ReplayError) {
            try engine.replay(transaction)
            return nil
        } catch {
            // That the state came out otherwise than live is no refusal of the fact.
            guard case .impossibleFact(_, let words) = error else { return nil }
            return words
        }
    }

    static func workers(_ count: Int, gpus: Int = 8, most: Int? = nil) -> WorkerGroup {
        WorkerGroup(count: count, maxCount: most, demand: Demand(gpus: gpus))
    }

    static func run(_ node: UInt32, _ nodes: UInt16 = 1, mask: UInt16 = 255, workers: UInt16 = 1) -> NodeRun {
        NodeRun(node: node, nodeCount: nodes, gpuMask: mask, workers: workers)
    }

    @Test("The same place in other words is accepted: what is checked is not what was chosen")
    func honest() throws {
        #expect(try Self.refusal([Self.workers(2)]) { _ in } == nil)
        // Other nodes of the same kind.
        #expect(try Self.refusal([Self.workers(2)]) { $0.runs = [Self.run(13, 2)] } == nil)
        #expect(try Self.refusal([Self.workers(2)]) { $0.cost.fragmentation = -5 } == nil)
    }

    @Test("Too few or too many workers")
    func counts() throws {
        #expect(
            try Self.refusal([Self.workers(2, most: 3)]) { $0.runs = [Self.run(0, 4)] }
                == "job a has 4 of 2 workers")
        #expect(
            try Self.refusal([Self.workers(2, most: 3)]) {
                $0.runs = [Self.run(0)]
                $0.tier = .node
            } == "job a has 1 of 2 workers")
        #expect(try Self.refusal([Self.workers(2, most: 3)]) { $0.runs = [Self.run(0, 2)] } == nil)
    }

    @Test("Workers counted at another speed than their pool's")
    func speed() throws {
        let pools = [PoolSpec.sample("p", nodes: 8, accelerator: "b200")]
        func scaled(_ spec: inout JobSpec) {
            spec.scaleBySpeed = true
            spec.accelerators = [Accelerator("b200", speedMilli: 2000)]
        }
        func refusal(_ nodes: UInt16) throws -> String? {
            try Self.refusal(pools: pools, [Self.workers(5)], scaled) { $0.runs = [Self.run(0, nodes)] }
        }
        #expect(try refusal(3) == nil)
        #expect(try refusal(2) == "job a has 2 of 5 workers")
        #expect(try refusal(5) == "job a has 5 of 5 workers")
    }

    @Test("A group that is missing, or stands in a pool twice, or out of order")
    func parts() throws {
        let groups = [Self.workers(1), Self.workers(2)]
        let words = "job a has parts that make no gang"
        #expect(
            try Self.refusal(groups) {
                $0.parts.removeLast()
                $0.runs.removeLast($0.runs.count - $0.parts[0].runEnd)
            } == words)
        #expect(
            try Self.refusal(groups) {
                $0.parts.swapAt(0, 1)
                $0.parts[0].runEnd = 1
                $0.parts[1].runEnd = $0.runs.count
            } == words)
        #expect(
            try Self.refusal([Self.workers(2)]) {
                $0.runs = [Self.run(0), Self.run(1)]
                $0.parts = [$0.parts[0], $0.parts[0]]
                $0.parts[0].runEnd = 1
                $0.parts[1].runEnd = 2
            } == words)
        #expect(try Self.refusal(groups) { $0.parts[1].runEnd += 1 } == words)
        #expect(try Self.refusal(groups) { $0.parts[0].runEnd = .min } == words)
    }

    @Test("GPUs that are no whole number of workers, on nodes that have none, or that two groups share")
    func gpus() throws {
        let part = "job a has part of a worker"
        #expect(try Self.refusal([Self.workers(1)]) { $0.runs = [Self.run(0, mask: 127)] } == part)
        #expect(try Self.refusal([Self.workers(1)]) { $0.runs = [Self.run(0, workers: 2)] } == part)
        #expect(try Self.refusal([Self.workers(1, gpus: 1)]) { $0.runs = [Self.run(0, mask: 256)] } == part)
        #expect(try Self.refusal([Self.workers(1)]) { $0.runs = [Self.run(0, 0)] } == part)
        #expect(
            try Self.refusal([Self.workers(1, gpus: 4), Self.workers(1, gpus: 4)]) {
                $0.runs = [Self.run(0, mask: 15), Self.run(0, mask: 30)]
            } == "the place of job a is not free")
        #expect(try Self.refusal([Self.workers(1)]) { $0.parts[0].need.cpuMillis -= 1 } != nil)
        #expect(try Self.refusal([Self.workers(1)]) { $0.runs = [Self.run(16)] } != nil)
        #expect(try Self.refusal([Self.workers(1)]) { $0.runs = [Self.run(.max, .max)] } != nil)
    }

    @Test("Shares beyond a GPU, of several GPUs at once, twice of one GPU, and where none are allowed")
    func shares() throws {
        var pool = PoolSpec.sample("p", nodes: 2)
        pool.allowsGPUShares = true
        let share = WorkerGroup(count: 3, demand: Demand(gpus: 1, gpuMilli: 400))
        func refusal(_ runs: [NodeRun]) throws -> String? {
            try Self.refusal(pools: [pool], [share]) {
                $0.runs = runs
                $0.parts[0].runEnd = runs.count
            }
        }
        #expect(try refusal([Self.run(0, mask: 1, workers: 2), Self.run(0, mask: 4)]) == nil)
        #expect(try refusal([Self.run(0, mask: 1, workers: 3)]) == "job a has part of a worker")
        #expect(try refusal([Self.run(0, mask: 3, workers: 3)]) == "job a has part of a worker")
        #expect(try refusal([Self.run(0, mask: 1, workers: 2), Self.run(0, mask: 1)]) == "job a has a GPU twice")
        let words = try Self.refusal(pools: [.sample("other", price: 9000), pool], [share]) {
            $0.parts[0].pool = PoolSlot(0)
        }
        #expect(words == "a worker of job a takes what it does not need")
    }

    @Test("A worker without GPUs has no GPU")
    func zeroGPUs() throws {
        let group = WorkerGroup(count: 2, demand: Demand(gpus: 0, cpuMillis: 1000))
        #expect(try Self.refusal([group]) { $0.runs[0].gpuMask = 1 } == "job a has part of a worker")
        #expect(try Self.refusal([group]) { $0.runs[0].workers = .max } != nil)
    }

    @Test("A tier that is claimed smaller or larger than it is, or beyond the scope")
    func tier() throws {
        for tier in Tier.allCases where tier != .domain {
            #expect(try Self.refusal([Self.workers(2)]) { $0.tier = tier } == "job a is spread over a domain")
        }
        let scattered = [Self.run(0), Self.run(5)]
        func refusal(_ scope: Tier) throws -> String? {
            try Self.refusal([Self.workers(2)], { $0.scope = Scope(scope) }) {
                $0.runs = scattered
                $0.parts[0].runEnd = 2
                $0.tier = .block
            }
        }
        #expect(try refusal(.block) == nil)
        #expect(try refusal(.domain) == "job a is spread over a block")
    }

    @Test("A segment that is cut, and workers closer than their spread")
    func distance() throws {
        var group = Self.workers(4, gpus: 4)
        group.segment = Segment(size: 2, tier: .node)
        #expect(
            try Self.refusal([group]) { $0.runs = [Self.run(0, 4, mask: 15)] }
                == "job a has a segment in more than one node")
        group.segment = Segment(size: 2, tier: .domain)
        func across(_ placement: inout Placement) {
            placement.runs = [Self.run(1, 3, mask: 15), Self.run(4, mask: 15)]
            placement.parts[0].runEnd = 2
            placement.tier = .block
        }
        #expect(try Self.refusal([group], forge: across) == "job a has a segment in more than one domain")
        group.segment = nil
        #expect(try Self.refusal([group], forge: across) == nil)
        group.spread = Spread(workersPerNode: 1)
        #expect(
            try Self.refusal([group]) { $0.runs = [Self.run(0, 2, workers: 2)] }
                == "job a has more than 1 workers in a node")
        group.spread = Spread(workersPerDomain: 2)
        #expect(try Self.refusal([group], forge: across) == "job a has more than 2 workers in a domain")
    }

    @Test("A gang over more pools than it may have, too far apart, or with too few workers in one")
    func split() throws {
        let pools = [
            PoolSpec.sample("p0", nodes: 3), .sample("p1", nodes: 3), .sample("p2", nodes: 3),
            .sample("west", nodes: 3, region: "west"),
        ]
        /// Workers by pool.
        func refusal(_ counts: [UInt16], _ tier: Tier, _ change: @escaping (inout JobSpec) -> Void) throws -> String? {
            try Self.refusal(pools: pools, [Self.workers(5)], change) { placement in
                placement.runs = counts.filter { $0 > 0 }.map { Self.run(0, $0) }
                var runEnd = 0
                placement.parts = counts.enumerated().compactMap { pool, count in
                    if count == 0 { return nil }
                    runEnd += 1
                    var part = placement.parts[0]
                    part.pool = PoolSlot(pool)
                    part.runEnd = runEnd
                    return part
                }
                placement.tier = tier
            }
        }
        func inRegion(_ spec: inout JobSpec) {
            spec.scope = Scope(.region)
            spec.split = Split(maxPools: 2, minWorkersPerPool: 2)
        }
        #expect(try refusal([3, 2], .region, inRegion) == nil)
        #expect(try refusal([2, 1, 2], .region, inRegion) == "job a is split over 3 pools")
        #expect(try refusal([3, 0, 0, 2], .provider, inRegion) == "job a is spread over a provider")
        #expect(try refusal([3, 2], .provider, inRegion) == "job a is spread over a region")
        let even = { (spec: inout JobSpec) in
            spec.scope = Scope(.fleet)
            spec.split = Split(maxPools: 3, minWorkersPerPool: 2)
        }
        #expect(try refusal([3, 2], .region, even) == nil)
        #expect(try refusal([3, 1, 1], .region, even) == "job a has too little in one pool")
    }

    @Test("A gang in two pools without leave to split")
    func noSplit() throws {
        let pools = [PoolSpec.sample("p"), .sample("q")]
        let words = try Self.refusal(pools: pools, [Self.workers(1), Self.workers(1)], { $0.scope = Scope(.fleet) }) {
            $0.parts[0].pool = PoolSlot(0)
            $0.parts[1].pool = PoolSlot(1)
            $0.tier = .region
        }
        #expect(words == "job a is split over 2 pools")
    }

    @Test("A gang that is exclusive where it did not ask, is not where it did, or stands beside others")
    func exclusive() throws {
        let words = "job a is not as exclusive as it asked"
        #expect(try Self.refusal([Self.workers(1)]) { $0.exclusive = .domain } == words)
        #expect(try Self.refusal([Self.workers(1)], { $0.exclusive = .domain }) { $0.exclusive = nil } == words)
        #expect(try Self.refusal([Self.workers(1)], { $0.exclusive = .domain }) { $0.exclusive = .block } == words)
        let beside = JobSpec(id: "beside", workers: [Self.workers(1, gpus: 1)])
        let taken = try Self.refusal(before: [.submit(beside)], [Self.workers(1)], { $0.exclusive = .domain }) {
            $0.runs = [Self.run(1)]
        }
        #expect(taken == "the place of job a is not free")
        var alone = beside
        alone.exclusive = .block
        let kept = try Self.refusal(before: [.submit(alone)], [Self.workers(1)]) { $0.runs = [Self.run(7)] }
        #expect(kept == "the place of job a is not free")
    }

    @Test("Spare nodes for a job that may not have them")
    func spares() throws {
        var pool = PoolSpec.sample("p", domains: 2, nodes: 4)
        pool.sparesPerDomain = 1
        func refusal(_ mayUse: Bool, _ run: NodeRun) throws -> String? {
            try Self.refusal(
                pools: [pool], [Self.workers(2)],
                {
                    $0.isPreemptible = mayUse
                    $0.usesSpares = mayUse
                }
            ) { $0.runs = [run] }
        }
        #expect(try refusal(false, Self.run(5, 2)) == nil)
        #expect(try refusal(false, Self.run(2, 2)) == "job a is on spare node 3")
        #expect(try refusal(false, Self.run(6, 2)) == "job a is on spare node 7")
        #expect(try refusal(true, Self.run(6, 2)) == nil)
    }

    @Test("A cost that cannot be added up")
    func cost() throws {
        for value in [Int64.max, .min, -1] {
            #expect(try Self.refusal([Self.workers(1)]) { $0.cost.price = value } != nil)
            #expect(try Self.refusal([Self.workers(1)]) { $0.cost.topology = value } != nil)
        }
        for value in [Int64.max, .min] {
            #expect(try Self.refusal([Self.workers(1)]) { $0.cost.fragmentation = value } != nil)
        }
    }
}
