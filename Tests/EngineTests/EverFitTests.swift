// That no gang is said to fit nowhere which an idle fleet would hold.

import Engine
import Model
import TestKit
import Testing

@Suite struct EverFitTests {
    /// A pool of nodes with 8 GPUs and 64 CPUs.
    private static func couldEverFit(_ workers: [WorkerGroup], nodes: Int) throws -> (said: Bool, isPlaced: Bool) {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: nodes)))
        harness.submit("a", workers) { $0.hold = true }
        let said = try ReadingTests.explain(&harness, "a").couldEverFit
        harness.run(.release(id: "a"))
        return (said, harness.state(of: "a") == .placed)
    }

    @Test(
        "Groups that fill each other's gaps could fit, though one laid out as densely as can be leaves the other none")
    func gaps() throws {
        let small = WorkerGroup(name: "a", count: 2, demand: Demand(gpus: 4, cpuMillis: 1000))
        let large = WorkerGroup(name: "b", count: 2, demand: Demand(gpus: 4, cpuMillis: 33_000))
        let (said, isPlaced) = try Self.couldEverFit([small, large], nodes: 2)
        #expect(said && isPlaced)
    }

    @Test("Groups that together need more nodes than there are could never fit, whatever is summed up")
    func together() throws {
        func groups(_ first: Demand, _ second: Demand) -> [WorkerGroup] {
            [WorkerGroup(name: "a", count: 2, demand: first), WorkerGroup(name: "b", count: 1, demand: second)]
        }
        // Of 16 GPUs: 18, then 15 of which no two stand in one node, then two whole nodes and a GPU.
        let volumes = groups(Demand(gpus: 6), Demand(gpus: 6))
        let halves = groups(Demand(gpus: 5), Demand(gpus: 5))
        let wholes = groups(Demand(gpus: 8), Demand(gpus: 1, cpuMillis: 0))
        // More than half of a node's CPU each.
        let cpus = groups(Demand(gpus: 1, cpuMillis: 33_000), Demand(gpus: 2, cpuMillis: 33_000))
        for workers in [volumes, halves, wholes, cpus] {
            let (said, isPlaced) = try Self.couldEverFit(workers, nodes: 2)
            #expect(!said && !isPlaced)
            let larger = try Self.couldEverFit(workers, nodes: 3)
            #expect(larger.said && larger.isPlaced)
        }
        // Two of three GPUs leave two of a node's eight, which hold no third.
        let thirds = [
            WorkerGroup(name: "a", count: 3, demand: Demand(gpus: 3)),
            WorkerGroup(name: "b", count: 2, demand: Demand(gpus: 3, cpuMillis: 1000)),
        ]
        let (said, isPlaced) = try Self.couldEverFit(thirds, nodes: 2)
        #expect(!said && !isPlaced)
    }

    @Test("Where an idle fleet places a gang, it was never said that it could not fit", arguments: UInt64(1)...60)
    func neverFalse(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var harness = EngineHarness()
        var pools: [DrawnPool] = []
        for number in 0..<random.pick(1...2) {
            pools.append(random.pool(number: number, isSmall: true))
            harness.run(.putPool(pools[number].spec))
        }
        for number in 0..<25 {
            var spec = random.job(random.features().union([.groups]), for: pools, isSmall: true)
            spec.id = "a\(number)"
            spec.hold = true
            harness.run(.submit(spec))
            guard harness.state(of: spec.id) == .queued else { continue }
            let explanation = try ReadingTests.explain(&harness, spec.id)
            harness.run(.release(id: spec.id))
            let isPlaced = harness.state(of: spec.id) == .placed
            #expect(explanation.couldEverFit || !isPlaced, "seed \(seed): \(spec)")
            harness.run(.cancel(id: spec.id))
        }
    }
}
