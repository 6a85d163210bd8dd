// Domains, blocks and pools that change their state with one command: one fact, the right nodes, and the jobs that stood there.

import Engine
import Model
import TestKit
import Testing

@Suite struct PlaceChangeTests {
    /// A pool of 2 blocks x 2 domains x 2 nodes of 8 GPUs.
    static func harness() -> EngineHarness {
        var harness = EngineHarness()
        harness.run(
            .putPool(
                PoolSpec(
                    name: "p", provider: "aws", region: "east", accelerator: "H100",
                    node: NodeShape(gpus: 8, cpuMillis: 8000, memoryMiB: 8000),
                    topology: .counts(blocks: 2, domainsPerBlock: 2, nodesPerDomain: 2))))
        return harness
    }

    static func nodes(_ harness: borrowing EngineHarness, _ state: NodeState) -> [Int] {
        let states = harness.engine.state.pools[0].nodeStates
        return states.indices.filter { states[$0] == state }
    }

    @Test(
        "A place goes down with one fact, and only its nodes do",
        arguments: [(PoolPlace.domain("b01/d000"), 4..<6), (.block("b01"), 4..<8), (.pool, 0..<8)])
    func oneFact(place: PoolPlace, nodes: Range<Int>) {
        var harness = Self.harness()
        let facts = harness.facts(of: .changePlace(pool: "p", place: place, action: .down))
        let run = NodeStateRun(node: nodes.lowerBound, nodeCount: nodes.count, state: .down)
        #expect(facts == [.nodesChanged(slot: PoolSlot(0), runs: [run])])
        #expect(Self.nodes(harness, .down) == Array(nodes))
        #expect(harness.facts(of: .changePlace(pool: "p", place: place, action: .down)).isEmpty)
        harness.run(.changePlace(pool: "p", place: place, action: .up))
        #expect(Self.nodes(harness, .ready).count == 8)
    }

    @Test("Jobs on a lost domain are requeued once each and in order of arrival, and go elsewhere at once; others stay")
    func jobsMove() {
        var harness = Self.harness()
        for (id, domain) in [("a", "b00/d000"), ("b", "b00/d000"), ("c", "b01/d001")] {
            // Only the domain that is wanted is open.
            harness.run(.changePlace(pool: "p", place: .pool, action: .cordon))
            harness.run(.changePlace(pool: "p", place: .domain(domain), action: .uncordon))
            harness.submit(id, gpus: 4, workers: 2, scope: .domain)
            harness.run(.changePlace(pool: "p", place: .pool, action: .uncordon))
        }
        harness.run(.start(id: "a"))
        let before = harness.placement(of: "c")
        let outcome = harness.run(.changePlace(pool: "p", place: .domain("b00/d000"), action: .down))
        guard case .place(let change) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let ids = change.requeued.compactMap { harness.engine.state.jobs[$0]?.id }
        #expect(ids == ["a", "b"] && change.changedNodes == 2 && change.nodes == 0..<2)
        #expect(harness.state(of: "a") == .placed && harness.state(of: "b") == .placed)
        for id in ["a", "b"] {
            let runs = harness.placement(of: id)?.runs ?? []
            #expect(!runs.isEmpty && runs.allSatisfy { $0.node >= 2 }, "\(id)")
        }
        #expect(harness.placement(of: "c") == before)
        let count = harness.transactions.last?.facts.count { if case .nodesChanged = $0 { true } else { false } }
        #expect(count == 1)
    }

    @Test("A drained place keeps what runs, sends away what has not started, and leaves nodes that are down alone")
    func drain() {
        var harness = Self.harness()
        harness.submit("runs", workers: 2, scope: .domain)
        harness.run(.start(id: "runs"))
        harness.submit("placed", workers: 6)
        harness.run(.changeNode(pool: "p", node: "b00/d001/n00", action: .cordon))
        harness.run(.changePlace(pool: "p", place: .pool, action: .drain))
        #expect(harness.state(of: "runs") == .running && harness.state(of: "placed") == .queued)
        #expect(Self.nodes(harness, .draining).count == 8)
        harness.run(.changePlace(pool: "p", place: .block("b01"), action: .down))
        let facts = harness.facts(of: .changePlace(pool: "p", place: .pool, action: .drain))
        #expect(facts.isEmpty && Self.nodes(harness, .downCordoned).count == 4)
        #expect(harness.state(of: "runs") == .running)
    }

    @Test("Runs join neighbours that come to one state, and only those")
    func runs() {
        var harness = Self.harness()
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .down))
        harness.run(.changeNode(pool: "p", node: "b00/d001/n01", action: .cordon))
        let facts = harness.facts(of: .changePlace(pool: "p", place: .block("b00"), action: .down))
        #expect(
            facts.first
                == .nodesChanged(
                    slot: PoolSlot(0),
                    runs: [
                        NodeStateRun(node: 0, nodeCount: 1, state: .down),
                        NodeStateRun(node: 2, nodeCount: 1, state: .down),
                        NodeStateRun(node: 3, nodeCount: 1, state: .downCordoned),
                    ]))
        harness.run(.changePlace(pool: "p", place: .pool, action: .up))
        #expect(Self.nodes(harness, .cordoned) == [3])
    }

    @Test("A job that waits is placed as soon as its domain is back")
    func up() {
        var harness = Self.harness()
        harness.run(.changePlace(pool: "p", place: .pool, action: .down))
        harness.submit("a", workers: 2, scope: .domain)
        harness.run(.changePlace(pool: "p", place: .domain("b00/d001"), action: .up))
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("What is not there is refused by name and changes nothing")
    func refused() {
        var harness = Self.harness()
        let digest = harness.engine.state.digest
        let commands: [(Command, Refusal)] = [
            (.changePlace(pool: "x", place: .pool, action: .down), .poolNotFound(name: "x")),
            (
                .changePlace(pool: "p", place: .block("b02"), action: .down),
                .placeNotFound(pool: "p", place: .block("b02"))
            ),
            (
                .changePlace(pool: "p", place: .domain("b00"), action: .up),
                .placeNotFound(pool: "p", place: .domain("b00"))
            ),
        ]
        for (command, refusal) in commands {
            let outcome = harness.run(command)
            if case .refused(refusal) = outcome {} else { Issue.record("\(command): \(outcome)") }
            #expect(harness.engine.state.digest == digest)
        }
    }

    @Test(
        "A place changes as its nodes one by one would, and leaves no job on lost nodes and none that it need not move",
        arguments: UInt64(1)...24)
    func asNodesWould(seed: UInt64) throws {
        var harness = EngineHarness()
        var history = History(seed: seed)
        for _ in 0..<120 { harness.run(history.command(harness.engine.state)) }
        for step in 0..<40 {
            harness.run(history.command(harness.engine.state))
            let open = harness.engine.state.pools.indices.filter { !harness.engine.state.pools[$0].isDeleted }
            guard !open.isEmpty else { continue }
            let slot = PoolSlot(history.pick(open))
            let pool = harness.engine.state[slot]
            let domain = history.pick(0...pool.layout.domainCount - 1)
            let place = history.pick([
                PoolPlace.pool, .block(pool.layout.name(ofBlock: pool.layout.block(ofDomain: domain))),
                .domain(pool.layout.name(ofDomain: domain)),
            ])
            let action = history.pick(NodeAction.allCases)
            // What time brings comes first.
            harness.run(.resume)
            var before: [String: (JobState, Placement)] = [:]
            harness.engine.state.jobs.forEach { job in
                if job.state.holdsCapacity, let placement = job.life.placement {
                    before[job.id] = (job.state, placement)
                }
                return true
            }
            let outcome = harness.run(
                .changePlace(pool: pool.spec.name, place: place, action: action), afterSeconds: 0)
            // Listed domains of several blocks may share a name.
            guard case .place(let change) = outcome else { continue }
            for node in pool.nodeStates.indices {
                let old = pool.nodeStates[node]
                let expected = change.nodes.contains(node) ? old.after(action) ?? old : old
                #expect(harness.engine.state[slot].nodeStates[node] == expected, "seed \(seed) step \(step)")
            }
            let changed = change.nodes.filter {
                pool.nodeStates[$0].after(action) ?? pool.nodeStates[$0] != pool.nodeStates[$0]
            }
            let (requeued, repairing) = (Set(change.requeued), Set(change.repairing))
            for (id, (old, placement)) in before {
                guard let job = harness.engine.state.jobs[id] else { continue }
                let stood = changed.contains { placement.holds(node: $0, of: slot) }
                let lost = harness.engine.state.lostWorkers(of: placement)
                let isLost = stood && action == .down
                let mustGo =
                    isLost && (old == .preempting || lost == placement.workerCount)
                    || stood && action == .drain && old == .placed
                let mayStay = isLost && !mustGo && (old == .placed || old == .running)
                try #require(requeued.contains(job.number) == mustGo, "seed \(seed) step \(step) job \(id)")
                try #require(repairing.contains(job.number) == mayStay, "seed \(seed) step \(step) job \(id)")
                if mustGo || !job.state.holdsCapacity { continue }
                let stays = harness.engine.state.living(of: placement).allSatisfy { living in
                    job.life.placement?.holds(node: living.node, of: living.slot) ?? false
                }
                try #require(stays, "seed \(seed) step \(step) job \(id)")
                if lost == 0 { try #require(job.life.placement == placement, "seed \(seed) step \(step) job \(id)") }
            }
            let fault = harness.engine.firstDisagreement()
            #expect(fault == nil, "seed \(seed) step \(step)")
        }
        try harness.expectReplayed(seed)
    }
}

extension State {
    /// The nodes of a place that are not down.
    fileprivate func living(of placement: Placement) -> [(slot: PoolSlot, node: Int)] {
        placement.parts.indices.flatMap { at in
            let slot = placement.parts[at].pool
            let nodes = placement.runs[placement.runRange(at)].flatMap { Array($0.nodes) }
            return nodes.filter { !self[slot].nodeStates[$0].isDown }.map { (slot, $0) }
        }
    }
}

extension EngineHarness {
    /// An engine that replays the journal, and one that starts from the image, are as the live one.
    fileprivate func expectReplayed(_ seed: UInt64) throws {
        var replayed = Engine(settings: engine.settings)
        for transaction in transactions { try replayed.replay(transaction) }
        let restarted = try Engine(image: engine.state.image, settings: engine.settings)
        let digests = [replayed.state.digest, restarted.state.digest]
        let capacities = [replayed.capacityDigest(), restarted.capacityDigest()]
        #expect(digests.allSatisfy { $0 == engine.state.digest }, "seed \(seed)")
        #expect(capacities.allSatisfy { $0 == engine.capacityDigest() }, "seed \(seed)")
    }
}
