// A digest tells values apart by each of their parts.

import Model
import Testing

@Suite struct DigestTests {
    static func digest(_ body: (inout Digest) -> Void) -> UInt64 {
        var digest = Digest(seed: 9)
        body(&digest)
        return digest.value
    }

    @Test func `The same words give the same digest in every process`() {
        // Written to disk, so it must never change.
        var digest = Digest(seed: 1)
        digest.add("berth")
        digest.add(42)
        #expect(digest.value == 11_597_767_090_106_375_056)
    }

    @Test func `Order, borders between texts and absent moments count`() {
        let digests: Set<UInt64> = [
            Self.digest {
                $0.add("ab")
                $0.add("c")
            },
            Self.digest {
                $0.add("a")
                $0.add("bc")
            },
            Self.digest {
                $0.add("c")
                $0.add("ab")
            },
            Self.digest { $0.add("abc") }, Self.digest { $0.add("abc\u{0}") }, Self.digest { $0.add("\u{0}abc") },
            Self.digest { $0.add("") }, Self.digest { $0.add("\u{0}") }, Self.digest { $0.add("abcdefgh") },
            Self.digest { $0.add("abcdefghi") }, Self.digest { $0.add(Timestamp(nanoseconds: 0)) },
            Self.digest { $0.add(Timestamp?.none) }, Self.digest { _ in },
        ]
        #expect(digests.count == 13)
    }

    @Test func `Each part of a job's specification changes its digest`() {
        let base = JobSpec(id: "a", workers: [WorkerGroup(count: 2, demand: Demand(gpus: 4))])
        let changes: [(inout JobSpec) -> Void] = [
            { $0.id = "b" }, { $0.name = "n" }, { $0.tenant = "t" }, { $0.priority = 1 },
            { $0.workers[0].count = 3 }, { $0.workers[0].name = "r" }, { $0.workers[0].demand.gpus = 2 },
            { $0.workers[0].demand.cpuMillis = 0 }, { $0.workers[0].demand.memoryMiB = 0 },
            { $0.workers.append($0.workers[0]) }, { $0.workers[0].maxCount = 4 },
            { $0.workers[0].demand.gpuMilli = 500 },
            { $0.workers[0].segment = Segment(size: 2, tier: .node) },
            { $0.workers[0].segment = Segment(size: 2, tier: .domain) },
            { $0.workers[0].segment = Segment(size: 1, tier: .node) }, { $0.workers[0].spread.workersPerNode = 1 },
            { $0.workers[0].spread.workersPerDomain = 1 }, { $0.accelerators = [Accelerator("H100")] },
            { $0.accelerators = [Accelerator("H100", speedMilli: 500)] }, { $0.scaleBySpeed = true },
            { $0.scope.required = .node }, { $0.scope.preferred = .node }, { $0.scope.patienceSeconds = 1 },
            { $0.split = Split(maxPools: 2) }, { $0.split = Split(maxPools: 2, minWorkersPerPool: 2) },
            { $0.exclusive = .domain }, { $0.exclusive = .block }, { $0.isPreemptible = true },
            { $0.usesSpares = true },
            { $0.allow.providers = ["x"] }, { $0.allow.regions = ["x"] }, { $0.allow.pools = ["x"] },
            { $0.deny.providers = ["x"] }, { $0.deny.regions = ["x"] }, { $0.deny.pools = ["x"] },
            { $0.maxRuntimeSeconds = 0 }, { $0.labels = [Label(name: "k", value: "v")] },
        ]
        var digests: Set<UInt64> = [base.digest]
        for change in changes {
            var spec = base
            change(&spec)
            digests.insert(spec.digest)
        }
        #expect(digests.count == changes.count + 1)
    }

    @Test func `Each part of a placement changes its job's digest`() {
        let spec = JobSpec(id: "a", workers: [WorkerGroup(count: 2, demand: Demand(gpus: 4))])
        let moment = Timestamp(nanoseconds: 5)
        let run = NodeRun(node: 3, nodeCount: 2, gpuMask: 15, workers: 1)
        let need = WorkerNeed(gpus: 4, cpuMillis: 5, memoryMiB: 6)
        let base = Placement(
            tier: .domain, parts: [PlacementPart(group: 0, pool: PoolSlot(1), need: need, runEnd: 1)], runs: [run])
        let changes: [(inout Placement) -> Void] = [
            { $0.parts[0].pool = PoolSlot(2) }, { $0.tier = .block }, { $0.exclusive = .domain },
            { $0.cost.price = 1 }, { $0.cost.fragmentation = 1 }, { $0.cost.topology = 1 }, { $0.parts[0].group = 1 },
            { $0.parts[0].need.gpus = 2 }, { $0.parts[0].need.gpuMilli = 500 }, { $0.parts[0].need.cpuMillis = 6 },
            { $0.parts[0].need.memoryMiB = 5 }, { $0.parts[0].runEnd = 0 }, { $0.runs[0].node = 4 },
            { $0.runs[0].nodeCount = 3 }, { $0.runs[0].gpuMask = 240 }, { $0.runs[0].workers = 2 },
            { $0.runs = [run, run] }, { $0.runs = [] }, { $0.parts = [] },
        ]
        var digests: Set<UInt64> = []
        for change in changes + [{ _ in }] {
            var life = JobLife(
                state: .placed, revision: 1, submittedAt: moment, queuedAt: moment, queuedAtPlacement: 0)
            var placement = base
            change(&placement)
            life.placement = placement
            digests.insert(Job(number: JobNumber(1), spec: spec, life: life).digest)
        }
        #expect(digests.count == changes.count + 1)
    }

    @Test func `A ready node adds nothing to the digest of the state`() {
        #expect(NodeState.ready.digest(slot: PoolSlot(0), node: 0) == 0)
        var digests: Set<UInt64> = []
        for state in NodeState.allCases where state != .ready {
            for node in 0..<4 { digests.insert(state.digest(slot: PoolSlot(1), node: node)) }
        }
        #expect(digests.count == 16)
    }
}
