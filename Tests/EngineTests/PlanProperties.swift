// Over random histories: what a plan claims is true when its moves are carried out one by one, and making it changes nothing.

import Engine
import Model
import Packing
import TestKit
import Testing

@Suite struct PlanProperties {
    /// An engine after a random history, with much that came and went.
    static func harness(seed: UInt64, _ history: inout History) -> EngineHarness {
        var harness = EngineHarness()
        history.percentRich = seed % 3 == 0 ? 60 : 20
        history.percentGated = 10
        for name in ["alpha", "bravo", "charlie", "delta"] {
            var pool = history.pool(name)
            if case .counts = pool.topology {
                pool.topology = .counts(blocks: 2, domainsPerBlock: 3, nodesPerDomain: 2)
                pool.sparesPerDomain = min(pool.sparesPerDomain, 1)
            }
            harness.run(.putPool(pool))
        }
        for _ in 0..<history.pick(60...260) { harness.run(history.command(harness.engine.state)) }
        return harness
    }

    static func request(_ history: inout History, _ state: State) -> DefragmentRequest {
        var request = DefragmentRequest()
        if history.chance(percent: 25) { request.filter.provider = history.pick(["aws", "gcp"]) }
        if history.chance(percent: 15) { request.filter.pools = ["alpha", "bravo"] }
        if history.chance(percent: 30) { request.maxMoves = history.pick(1...4) }
        if history.chance(percent: 20) { request.wholeDomains = history.pick(1...2) }
        if history.chance(percent: 20) {
            request.maxLost = GPUTime(gpuMilli: 8000, seconds: Int64(history.pick(0...90)))
        }
        if history.chance(percent: 10) { request.onlyPreemptible = true }
        request.mayCostMore = history.chance(percent: 50)
        return request
    }

    static func pools(_ filter: PoolFilter, _ state: State) -> Set<Int> {
        Set(state.pools.indices.filter { !state.pools[$0].isDeleted && filter.admits(state.pools[$0].spec) })
    }

    @Test(
        "Each move of a defragmentation is legal when those before it are done, and all of them win the domains they claim",
        arguments: 1...60)
    func defragment(seed: UInt64) throws {
        var history = History(seed: seed)
        let harness = Self.harness(seed: seed, &history)
        let state = harness.engine.state
        let digests = (state.digest, harness.engine.capacityDigest())
        for round in 0..<4 {
            let request = Self.request(&history, state)
            var planner = Planner(state, settings: EngineSettings(), at: harness.clock.now)
            let digest = planner.capacityDigest()
            #expect(digest == digests.1, "seed \(seed)")
            let plan = planner.defragment(request)
            let fault = planner.firstFault()
            #expect(fault == nil, "seed \(seed) round \(round)")
            var again = Planner(state, settings: EngineSettings(), at: harness.clock.now)
            let twin = again.defragment(request)
            #expect(twin.moves == plan.moves, "seed \(seed) round \(round)")
            let pools = Self.pools(request.filter, state)
            var replay = PlanReplay(state)
            let before = replay.freeDomains(of: pools)
            let bill = replay.bill()
            #expect(plan.freeBefore == before.count, "seed \(seed) round \(round)")
            var won: Set<DomainPlace> = []
            for (at, move) in plan.moves.enumerated() {
                let faults = replay.carryOut(move)
                try #require(faults.isEmpty, "seed \(seed) round \(round) move \(at): \(faults)")
                won.formUnion(move.won)
                let free = replay.freeDomains(of: pools)
                #expect(free.isSuperset(of: before.union(won)), "seed \(seed) round \(round) move \(at)")
                let isNoWorse = Self.isNoWorse(move, replay)
                #expect(isNoWorse, "seed \(seed) round \(round) move \(at)")
                #expect(move.to.parts.allSatisfy { pools.contains($0.pool.index) }, "seed \(seed) round \(round)")
            }
            let after = replay.freeDomains(of: pools)
            #expect(after == before.union(won), "seed \(seed) round \(round)")
            #expect(won.isDisjoint(with: before) && won.count == plan.won.count, "seed \(seed) round \(round)")
            let rise = replay.bill() - bill
            #expect(rise == plan.costMicroUSDPerHour, "seed \(seed) round \(round)")
            Self.checkBounds(plan, request, state, at: harness.clock.now, "seed \(seed) round \(round)")
        }
        #expect(harness.engine.state.digest == digests.0, "seed \(seed)")
        #expect(harness.engine.capacityDigest() == digests.1, "seed \(seed)")
    }

    static func isNoWorse(_ move: PlannedMove, _ replay: borrowing PlanReplay) -> Bool {
        move.to.tier <= move.from.tier
            && [Tier.node, .domain, .block, .pool].allSatisfy {
                replay.fleet.places($0, of: move.to).count <= replay.fleet.places($0, of: move.from).count
            }
    }

    static func checkBounds(
        _ plan: DefragmentPlan, _ request: DefragmentRequest, _ state: State, at now: Timestamp, _ label: String
    ) {
        #expect(Set(plan.moves.map(\.job)).count == plan.moves.count, "\(label): a job moves twice")
        #expect(plan.moves.count <= request.maxMoves, "\(label)")
        var lost = GPUTime.zero
        for move in plan.moves {
            guard let job = state.jobs[move.job] else { continue }
            var expected: Int64 = 0
            if job.state == .running, let started = job.life.startedAt {
                let start = max(started, job.life.checkpointedAt ?? started)
                expected = Int64(move.from.gpuMilli) * (now.nanoseconds(since: start) / 1_000_000_000)
            }
            #expect(move.lost.gpuMilliSeconds == expected, "\(label)")
            let isSame = job.spec.scaleBySpeed || move.to.workerCount == move.from.workerCount
            #expect(isSame, "\(label)")
            #expect(!request.onlyPreemptible || job.spec.isPreemptible, "\(label)")
            lost = lost + move.lost
        }
        #expect(plan.lost == lost && lost <= request.maxLost ?? lost, "\(label)")
        #expect(request.mayCostMore || plan.costMicroUSDPerHour <= 0, "\(label)")
        if plan.end == .wholeDomainsWon { #expect(plan.won.count >= request.wholeDomains ?? .max, "\(label)") }
        #expect(plan.end != .gaveUpSearching, "\(label)")
    }

    @Test("A search that gives up says so, with a plan that is legal as far as it goes", arguments: 1...10)
    func givesUp(seed: UInt64) throws {
        var history = History(seed: seed)
        let harness = Self.harness(seed: seed, &history)
        let state = harness.engine.state
        for steps in [0, 20, 60, 120, 200] {
            var planner = Planner(state, settings: EngineSettings(), at: harness.clock.now, steps: steps)
            let plan = planner.defragment(DefragmentRequest())
            var replay = PlanReplay(state)
            for move in plan.moves {
                let faults = replay.carryOut(move)
                #expect(faults.isEmpty, "seed \(seed) steps \(steps): \(faults)")
            }
            let fault = planner.firstFault()
            #expect(fault == nil && plan.basis.maxSteps == steps, "seed \(seed) steps \(steps)")
            #expect(steps > 0 || plan.end == .gaveUpSearching || plan.notWon[0] == 0, "seed \(seed)")
        }
    }

    @Test(
        "Who leaves what is emptied goes where it may, the highest priority first, and who waits fits nowhere",
        arguments: 1...40)
    func evacuate(seed: UInt64) throws {
        var history = History(seed: seed)
        let harness = Self.harness(seed: seed, &history)
        let state = harness.engine.state
        let digest = harness.engine.capacityDigest()
        for round in 0..<3 {
            var request = EvacuationRequest()
            request.filter.provider = history.chance(percent: 50) ? history.pick(["aws", "gcp"]) : nil
            request.filter.region = history.chance(percent: 30) ? history.pick(["east", "gcp/west"]) : nil
            let chosen = Self.pools(request.filter, state)
            if history.chance(percent: 50) {
                for pool in chosen.sorted() {
                    request.domains.append(
                        DomainPlace(
                            pool: PoolSlot(pool),
                            domain: history.pick(0...state.pools[pool].layout.domainCount - 1)))
                }
            }
            var planner = Planner(state, settings: EngineSettings(), at: harness.clock.now)
            let plan = planner.evacuate(request)
            let fault = planner.firstFault()
            #expect(fault == nil, "seed \(seed) round \(round)")
            var replay = PlanReplay(state)
            var emptied: Set<NodePlace> = []
            for pool in chosen {
                for node in 0..<state.pools[pool].layout.nodeCount {
                    let place = DomainPlace(
                        pool: PoolSlot(pool), domain: state.pools[pool].layout.domain(ofNode: node))
                    if !request.domains.isEmpty && !request.domains.contains(place) { continue }
                    emptied.insert(NodePlace(pool: pool, node: node))
                    replay.setReady(pool, node, false)
                }
            }
            #expect(plan.nodes == emptied.count, "seed \(seed) round \(round)")
            var leaving: [JobNumber] = []
            for number in replay.places.keys.sorted() {
                guard let place = replay.places[number] else { continue }
                if !replay.nodes(of: place).isDisjoint(with: emptied) { leaving.append(number) }
            }
            #expect(plan.jobs.map(\.job.number).sorted() == leaving, "seed \(seed) round \(round)")
            let priorities = plan.jobs.map(\.job.life.priority)
            #expect(priorities == priorities.sorted(by: >), "seed \(seed) round \(round)")
            let bill = replay.bill()
            for evacuated in plan.jobs {
                switch evacuated.outcome {
                case .moves(let move):
                    let faults = replay.carryOut(move)
                    try #require(faults.isEmpty, "seed \(seed) round \(round): \(faults)")
                    let isOut = replay.nodes(of: move.to).isDisjoint(with: emptied)
                    #expect(isOut, "seed \(seed) round \(round)")
                case .waits(let explanation):
                    replay.stop(evacuated.job.number)
                    let reasons = explanation?.blockers.map(\.reason) ?? []
                    #expect(
                        !reasons.contains(.waitingForTurn) && !reasons.contains(.waitingForPreferred),
                        "seed \(seed) round \(round): \(evacuated.job.id) \(reasons)")
                case .notTried: Issue.record("seed \(seed) round \(round): it gave up")
                }
            }
            let cost = plan.moving.costMicroUSDPerHour + plan.waiting.costMicroUSDPerHour
            let rise = replay.bill() - bill
            #expect(rise == cost, "seed \(seed) round \(round)")
            #expect(plan.moving.jobs + plan.waiting.jobs == leaving.count, "seed \(seed) round \(round)")
        }
        #expect(harness.engine.state.digest == state.digest && harness.engine.capacityDigest() == digest)
    }

    @Test(
        "Random plans win domains, move gangs and leave gangs without a place, so that the properties above say something"
    )
    func coverage() {
        var (won, moved, waiting, spread) = (0, 0, 0, 0)
        for seed in UInt64(1)...40 {
            var history = History(seed: seed)
            let harness = Self.harness(seed: seed, &history)
            let state = harness.engine.state
            var planner = Planner(state, settings: EngineSettings(), at: harness.clock.now)
            let plan = planner.defragment(DefragmentRequest())
            won += plan.won.count
            moved += plan.moves.count
            spread += plan.moves.count { $0.from.tier > .domain }
            var other = Planner(state, settings: EngineSettings(), at: harness.clock.now)
            var request = EvacuationRequest()
            request.filter.provider = "aws"
            waiting += other.evacuate(request).waiting.jobs
        }
        #expect(won >= 10 && moved >= 15 && waiting >= 10 && spread >= 1, "\(won) \(moved) \(waiting) \(spread)")
    }
}
