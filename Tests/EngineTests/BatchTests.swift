// Jobs that come together: which of them are placed, in which order, and what they leave to others.

import Engine
import Model
import TestKit
import Testing

@Suite struct BatchTests {
    static func job(_ id: String, gpus: Int, workers: Int = 1, priority: Int = 0) -> JobSpec {
        JobSpec(id: id, priority: priority, workers: [WorkerGroup(count: workers, demand: Demand(gpus: gpus))])
    }

    @Test("The hardest jobs of a batch are placed first, whatever their order, and one record holds all")
    func hardestFirst() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        let before = harness.transactions.count
        harness.run(.submitBatch([Self.job("a", gpus: 2), Self.job("b", gpus: 8), Self.job("c", gpus: 8)]))
        #expect(harness.transactions.count == before + 1)
        #expect(["a", "b", "c"].map { harness.state(of: $0) } == [.queued, .placed, .placed])
        // One by one the small job would have taken the place of a large one.
        var single = EngineHarness()
        single.run(.putPool(.sample("p", nodes: 2)))
        for job in [Self.job("a", gpus: 2), Self.job("b", gpus: 8), Self.job("c", gpus: 8)] { single.run(.submit(job)) }
        #expect(["a", "b", "c"].map { single.state(of: $0) } == [.placed, .placed, .queued])
    }

    @Test("A higher priority goes before a harder job, and of equal jobs the earlier is placed")
    func priority() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.run(
            .submitBatch([
                Self.job("hard1", gpus: 8), Self.job("hard2", gpus: 8), Self.job("easy", gpus: 1, priority: 9),
            ]))
        #expect(harness.state(of: "easy") == .placed)
        #expect(harness.state(of: "hard1") == .placed)
        #expect(harness.state(of: "hard2") == .queued)
    }

    @Test("An older job of equal shape is not passed over")
    func older() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("first")
        harness.submit("second")
        harness.submit("old")
        harness.run(.submitBatch([Self.job("new", gpus: 8), Self.job("other", gpus: 4)]))
        #expect(["old", "new", "other"].map { harness.state(of: $0) } == [.queued, .queued, .queued])
        harness.complete("first")
        #expect(["old", "new", "other"].map { harness.state(of: $0) } == [.placed, .queued, .queued])
    }

    @Test("Each job of a batch is answered as it would be alone: made, there already, or refused")
    func outcomes() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a", gpus: 4)
        let outcome = harness.run(
            .submitBatch([
                Self.job("a", gpus: 4), Self.job("a", gpus: 2), Self.job("b", gpus: 2), Self.job("b", gpus: 2),
            ]))
        guard case .batch(let outcomes) = outcome else { return #expect(Bool(false)) }
        let said = outcomes.map { outcome -> String in
            switch outcome {
            case .job(let job, let created): "\(job.id) \(created) \(job.state.name)"
            case .refused(let refusal): "\(refusal)"
            default: "something else"
            }
        }
        #expect(
            said == ["a false placed", "\(Refusal.idInUse(id: "a"))", "b true placed", "b false placed"])
        let empty = harness.transactions.count
        harness.run(.submitBatch([]))
        harness.run(.submitBatch([Self.job("a", gpus: 4)]))
        #expect(harness.transactions.count == empty)
    }

    @Test("A search finds room for shares that the order alone leaves out")
    func search() {
        func placed(_ steps: Int) -> Int {
            var settings = EngineSettings()
            settings.batchSearchSteps = steps
            var harness = EngineHarness(settings: settings)
            var pool = PoolSpec.sample("p", nodes: 3)
            pool.allowsGPUShares = true
            harness.run(.putPool(pool))
            var random = History(seed: 5)
            let jobs = (0..<120).map { number in
                JobSpec(
                    id: "j\(number)",
                    workers: [
                        WorkerGroup(
                            count: 1,
                            demand: Demand(
                                gpus: 1, gpuMilli: random.pick([190, 270, 310, 440, 530, 620]),
                                cpuMillis: random.pick(1...9) * 1000))
                    ])
            }
            harness.run(.submitBatch(jobs))
            let fault = harness.engine.firstDisagreement()
            #expect(fault == nil)
            return harness.engine.state.gpuMilliAllocated
        }
        let (without, with) = (placed(0), placed(8192))
        #expect(with > without)
    }

    @Test("A job that fits nowhere does not drive the others of its batch to a pool that is wanted less or costs more")
    func sidewaysSteps() {
        func pool(_ name: String, _ accelerator: String, _ price: Int64, billing: Billing = .gpu) -> PoolSpec {
            var pool = PoolSpec.sample(name, nodes: 2, gpus: 2, accelerator: accelerator, price: price)
            pool.allowsGPUShares = true
            pool.billing = billing
            return pool
        }
        // One that no node holds, and one whose only pool is full.
        for hopeless in [Demand(gpus: 8), Demand(gpus: 2)] {
            for billing in Billing.allCases {
                var harness = EngineHarness()
                harness.run(.putPool(pool("full", "h200", 1_000_000)))
                harness.submit("filler", gpus: 2, workers: 2)
                harness.run(.putPool(pool("fast", "h100", 2_000_000, billing: billing)))
                harness.run(.putPool(pool("slow", "l4", 9_000_000)))
                var jobs = (0..<6).map { number in
                    JobSpec(
                        id: "s\(number)",
                        workers: [
                            WorkerGroup(count: 1, demand: Demand(gpus: 1, gpuMilli: 300, cpuMillis: 100, memoryMiB: 0))
                        ], accelerators: [Accelerator("h100"), Accelerator("l4")])
                }
                jobs.append(
                    JobSpec(
                        id: "big", workers: [WorkerGroup(count: 1, demand: hopeless)],
                        accelerators: [Accelerator("h200")]))
                harness.run(.submitBatch(jobs))
                #expect(harness.state(of: "big") == .queued)
                #expect((0..<6).allSatisfy { harness.pool(of: "s\($0)") == "fast" }, "\(hopeless) \(billing)")
                // Six times 300 fit on the two GPUs of one node.
                let nodes = Set((0..<6).compactMap { harness.placement(of: "s\($0)")?.runs.first?.node })
                if billing == .node { #expect(nodes.count == 1, "\(hopeless)") }
            }
        }
    }

    @Test("What the search of a batch may not move keeps its place")
    func searchKeepsRicher() {
        for change: (inout JobSpec) -> Void in [
            {
                $0.isPreemptible = true; $0.usesSpares = true
            }, { $0.workers[0].spread.workersPerDomain = 1 },
            { $0.workers[0].maxCount = 2 },
        ] {
            var harness = EngineHarness()
            var pool = PoolSpec.sample("p", nodes: 1, gpus: 2)
            pool.allowsGPUShares = true
            harness.run(.putPool(pool))
            var rich = JobSpec(id: "rich", workers: [WorkerGroup(count: 1, demand: Demand(gpus: 2))])
            change(&rich)
            let small = JobSpec(id: "small", workers: [WorkerGroup(count: 1, demand: Demand(gpus: 1, gpuMilli: 500))])
            harness.run(.submitBatch([small, rich]))
            #expect(harness.state(of: "rich") == .placed)
            #expect(harness.state(of: "small") == .queued)
        }
    }
}
