// The digest sees every field: a state that differs in one of them has another digest.

import Engine
import Model
import TestKit
import Testing

@Suite struct DigestTests {
    static let spec = JobSpec(
        id: "a", name: "n", tenant: "t", priority: 1, priorityClass: "c",
        workers: [
            WorkerGroup(
                name: "w", count: 2, demand: Demand(gpus: 4, cpuMillis: 5, memoryMiB: 6),
                segment: Segment(size: 2, tier: .domain), spread: Spread(workersPerNode: 3, workersPerDomain: 4))
        ],
        accelerators: [Accelerator("h100")], scope: Scope(.provider, preferred: .block, patienceSeconds: 5),
        split: Split(maxPools: 3), exclusive: .block, allow: PlaceList(providers: ["p"], regions: ["r"], pools: ["o"]),
        deny: PlaceList(providers: ["P"], regions: ["R"], pools: ["O"]), maxRuntimeSeconds: 9,
        labels: [Label(name: "l", value: "v")], notBefore: Timestamp(nanoseconds: 50),
        after: [Dependency(job: "d")], maxWaitSeconds: 8, deadline: Timestamp(nanoseconds: 900))

    static let placement = Placement(
        tier: .domain, exclusive: .block, cost: PlacementCost(price: 1, fragmentation: 2, topology: 3),
        parts: [
            PlacementPart(
                group: 0, pool: PoolSlot(0), need: WorkerNeed(gpus: 4, cpuMillis: 5, memoryMiB: 6), runEnd: 2)
        ],
        runs: [
            NodeRun(node: 1, nodeCount: 1, gpuMask: 15, workers: 1),
            NodeRun(node: 3, nodeCount: 1, gpuMask: 15, workers: 1),
        ])

    static let life: JobLife = {
        let at = Timestamp(nanoseconds: 100)
        var life = JobLife(state: .running, revision: 7, submittedAt: at, queuedAt: at, queuedAtPlacement: 3)
        life.placedAt = at
        life.startedAt = at
        life.placement = placement
        return life
    }()

    @Test("No two jobs that differ in one field have one digest")
    func jobs() {
        let specs: [(inout JobSpec) -> Void] = [
            { _ in }, { $0.id = "b" }, { $0.name = "m" }, { $0.name = "" }, { $0.tenant = "u" }, { $0.priority = 2 },
            { $0.workers[0].name = "x" }, { $0.workers[0].count = 3 }, { $0.workers[0].demand.gpus = 5 },
            { $0.workers[0].demand.cpuMillis = nil }, { $0.workers[0].demand.cpuMillis = 6 },
            { $0.workers[0].demand.memoryMiB = nil }, { $0.workers[0].demand.memoryMiB = 7 },
            { $0.workers.append($0.workers[0]) }, { $0.accelerators = [] },
            { $0.accelerators.append(Accelerator("b200")) },
            { $0.accelerators[0].model = "b200" }, { $0.accelerators[0].speedMilli = 999 },
            { $0.workers[0].maxCount = 4 }, { $0.workers[0].demand.gpuMilli = 500 },
            { $0.workers[0].segment = nil }, { $0.workers[0].segment?.size = 1 },
            { $0.workers[0].segment?.tier = .node }, { $0.workers[0].spread.workersPerNode = nil },
            { $0.workers[0].spread.workersPerNode = 4 }, { $0.workers[0].spread.workersPerDomain = 3 },
            { $0.scope.required = .fleet }, { $0.scope.preferred = nil }, { $0.scope.preferred = .node },
            { $0.scope.patienceSeconds = 6 }, { $0.split = nil }, { $0.split?.maxPools = 4 },
            { $0.split?.minWorkersPerPool = 2 }, { $0.exclusive = nil }, { $0.exclusive = .domain },
            { $0.scaleBySpeed = true }, { $0.isPreemptible = true }, { $0.usesSpares = true },
            { $0.allow.providers = [] },
            { $0.allow.regions = ["p"] }, { $0.allow.pools.append("z") }, { $0.deny.providers = ["p"] },
            { $0.deny.regions = [] }, { $0.deny.pools = ["P"] }, { swap(&$0.allow, &$0.deny) },
            { $0.maxRuntimeSeconds = nil }, { $0.maxRuntimeSeconds = 10 }, { $0.labels = [] },
            { $0.labels[0].name = "k" }, { $0.labels[0].value = "w" }, { $0.labels[0] = Label(name: "lv", value: "") },
            { $0.priorityClass = "" }, { $0.hold = true }, { $0.notBefore = nil }, { $0.notBefore?.nanoseconds += 1 },
            { $0.after = [] }, { $0.after[0].job = "e" }, { $0.after[0].condition = .any },
            { $0.after.append(Dependency(job: "e")) }, { $0.maxWaitSeconds = nil }, { $0.maxWaitSeconds = 9 },
            { $0.deadline = nil }, { $0.deadline?.nanoseconds += 1 },
        ]
        let lives: [(inout JobLife) -> Void] = [
            { $0.state = .placed }, { $0.revision = 8 }, { $0.submittedAt.nanoseconds += 1 },
            { $0.queuedAt.nanoseconds += 1 }, { $0.placedAt = nil }, { $0.placedAt?.nanoseconds += 1 },
            { $0.startedAt = nil }, { $0.startedAt?.nanoseconds += 1 }, { $0.endedAt = $0.startedAt },
            { $0.requeues = 1 }, { $0.lastRequeue = .nodeDown }, { $0.lastRequeue = .nodeDraining },
            { $0.openedAt.nanoseconds += 1 }, { $0.endCause = .caller }, { $0.endCause = .maxWait },
            { $0.priority = 3 },
            { $0.preemption = .never }, { $0.minRuntimeSeconds = 1 }, { $0.isHeld = true }, { $0.isEarly = true },
            { $0.unmet = 1 }, { $0.unmet = 1 << 63 },
            { $0.queuedAtPlacement = 4 }, { $0.message = "m" }, { $0.placement = nil },
            { $0.placement?.parts[0].pool = PoolSlot(1) }, { $0.placement?.tier = .block },
            { $0.placement?.parts[0].need.gpus = 2 }, { $0.placement?.parts[0].need.gpuMilli = 2 },
            { $0.placement?.parts[0].need.cpuMillis = 6 }, { $0.placement?.parts[0].need.memoryMiB = 7 },
            { $0.placement?.parts[0].group = 1 }, { $0.placement?.parts[0].runEnd = 1 },
            { $0.placement?.exclusive = nil }, { $0.placement?.cost.price = 2 },
            { $0.placement?.cost.fragmentation = 1 }, { $0.placement?.cost.topology = 2 },
            { $0.placement?.runs[0].workers = 2 }, { $0.placement?.runs[0].node = 0 },
            { $0.placement?.runs[1].nodeCount = 2 }, { $0.placement?.runs[1].gpuMask = 240 },
            { $0.placement?.runs.removeLast() }, { $0.placement?.runs.swapAt(0, 1) },
        ]
        var digests: Set<UInt64> = []
        for change in specs {
            var spec = Self.spec
            change(&spec)
            digests.insert(Job(number: JobNumber(1), spec: spec, life: Self.life).digest)
        }
        for change in lives {
            var life = Self.life
            change(&life)
            digests.insert(Job(number: JobNumber(1), spec: Self.spec, life: life).digest)
        }
        digests.insert(Job(number: JobNumber(2), spec: Self.spec, life: Self.life).digest)
        #expect(digests.count == specs.count + lives.count + 1)
        let again = Job(number: JobNumber(1), spec: Self.spec, life: Self.life)
        #expect(digests.contains(again.digest))
    }

    @Test("No two pools that differ in one field have one digest")
    func pools() {
        let listing = NodeListing(name: "n", domain: "d", block: "b")
        let changes: [(inout PoolSpec) -> Void] = [
            { _ in }, { $0.name = "q" }, { $0.provider = "gcp" }, { $0.region = "west" }, { $0.accelerator = "tpu" },
            { $0.instanceType = "large" }, { $0.node.gpus = 4 }, { $0.node.cpuMillis += 1 }, { $0.node.memoryMiB += 1 },
            { $0.topology = .counts(blocks: 2, domainsPerBlock: 1, nodesPerDomain: 4) },
            { $0.topology = .counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: 4) },
            { $0.topology = .counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 5) },
            { $0.topology = .nodes([listing]) }, { $0.topology = .nodes([listing, listing]) },
            { $0.topology = .nodes([NodeListing(name: "m", domain: "d", block: "b")]) },
            { $0.topology = .counts(blocks: 1, domainsPerBlock: 1, nodesPerDomain: 4, cliquesPerDomain: 2) },
            { $0.topology = .nodes([NodeListing(name: "n", domain: "d", clique: "c", block: "b")]) },
            { $0.topology = .nodes([NodeListing(name: "n", domain: "d", block: "b", reservation: "r")]) },
            { $0.allowsGPUShares = true }, { $0.sparesPerDomain = 1 }, { $0.reservation = "r" },
            { $0.topology = .nodes([NodeListing(name: "n", domain: "e", block: "b")]) },
            { $0.topology = .nodes([NodeListing(name: "n", domain: "d", block: "c")]) },
            { $0.purchase = .spot }, { $0.billing = .node }, { $0.priceMicroUSDPerGPUHour += 1 },
            { $0.labels = [Label(name: "a", value: "b")] },
        ]
        var digests: Set<UInt64> = []
        for change in changes {
            var spec = PoolSpec.sample("p")
            change(&spec)
            digests.insert(spec.digest(slot: PoolSlot(0), isDeleted: false))
        }
        digests.insert(PoolSpec.sample("p").digest(slot: PoolSlot(1), isDeleted: false))
        digests.insert(PoolSpec.sample("p").digest(slot: PoolSlot(0), isDeleted: true))
        #expect(digests.count == changes.count + 2)
    }

    @Test("No two priority classes that differ in one field have one digest")
    func priorityClasses() {
        let spec = PriorityClass(name: "n", value: 1, minRuntimeSeconds: 2, description: "d")
        let changes: [(inout PriorityClass) -> Void] = [
            { _ in }, { $0.name = "m" }, { $0.value = 2 }, { $0.preemption = .never }, { $0.minRuntimeSeconds = 1 },
            { $0.description = "" },
        ]
        let digests = FaultTests.all(changes, of: spec).map(\.digest) + [spec.digest]
        #expect(Set(digests).count == changes.count)
    }

    @Test("A changed image is another state: node states, counters, jobs left out")
    func images() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p")))
        harness.submit("a")
        harness.submit("b")
        harness.run(.changeNode(pool: "p", node: "b00/d000/n03", action: .cordon))
        let image = harness.engine.state.image
        let changes: [(inout StateImage) -> Void] = [
            { $0.revision += 1 }, { $0.nextJobNumber += 1 }, { $0.placements += 1 }, { $0.jobs.removeLast() },
            { $0.pools[0].unready[0].node = 2 }, { $0.pools[0].unready[0].state = .draining },
            { $0.pools[0].unready = [] }, { $0.pools[0].spec.labels = [Label(name: "a", value: "b")] },
            { $0.digest &+= 1 },
        ]
        for (index, change) in changes.enumerated() {
            var changed = image
            change(&changed)
            #expect(throws: ReplayError.digestMismatch(revision: changed.revision), "change \(index)") {
                _ = try Engine(image: changed)
            }
        }
    }
}
