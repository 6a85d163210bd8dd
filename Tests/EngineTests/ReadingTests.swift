// What the engine says of the present: pools against a count by hand, and why a job waits in situations built for it.

import Engine
import Model
import TestKit
import Testing

@Suite struct ReadingTests {
    /// Nodes that ordinary work may have when they are ready and free.
    static func ordinary(_ state: State, _ slot: PoolSlot) -> [Bool] {
        let layout = state[slot].layout
        return (0..<layout.nodeCount).map { node in
            Int(layout.domainStart[layout.domain(ofNode: node) + 1]) - node > state[slot].spec.sparesPerDomain
        }
    }

    /// Nodes kept by exclusive gangs, and for jobs that wait.
    static func kept(_ state: State, _ slot: PoolSlot) -> Set<Int> {
        let layout = state[slot].layout
        func place(_ node: Int, _ tier: Tier) -> Int {
            if tier == .node { return node }
            let domain = layout.domain(ofNode: node)
            return tier == .block ? layout.block(ofDomain: domain) : domain
        }
        var kept: Set<Int> = []
        state.jobs.forEach { job in
            guard let placement = job.life.reservation?.placement ?? job.life.placement, !job.state.hasEnded else {
                return true
            }
            guard let tier = placement.exclusive ?? job.life.reservation.map({ _ in Tier.node }) else { return true }
            for node in 0..<layout.nodeCount where placement.holds(node: node, of: slot) {
                kept.formUnion((0..<layout.nodeCount).filter { place($0, tier) == place(node, tier) })
            }
            return true
        }
        return kept
    }

    /// Workers of `gpus` GPUs that fit on each node now, with CPU and memory by share.
    static func fits(_ engine: borrowing Engine, _ slot: PoolSlot, gpus: Int) -> [Int] {
        let pool = engine.state[slot]
        let shape = pool.spec.node
        let cpuMillis = shape.cpuMillis * gpus / shape.gpus
        let memoryMiB = shape.memoryMiB * gpus / shape.gpus
        let ordinary = ordinary(engine.state, slot)
        let kept = kept(engine.state, slot)
        var fits: [Int] = []
        for node in 0..<pool.layout.nodeCount {
            let free = engine.free(slot, node: node)
            var fit = free.gpuMask.nonzeroBitCount / gpus
            if cpuMillis > 0 { fit = min(fit, free.cpuMillis / cpuMillis) }
            if memoryMiB > 0 { fit = min(fit, free.memoryMiB / memoryMiB) }
            let isOpen = pool.nodeStates[node] == .ready && ordinary[node] && !kept.contains(node)
            fits.append(isOpen ? fit : 0)
        }
        return fits
    }

    /// Sums over the places of a scope.
    static func sums(_ fits: [Int], _ layout: PoolLayout, _ scope: Tier) -> [Int] {
        var sums: [Int: Int] = [:]
        for (node, fit) in fits.enumerated() {
            let domain = layout.domain(ofNode: node)
            let place = [Tier.node: node, .domain: domain, .block: layout.block(ofDomain: domain)][scope] ?? 0
            sums[place, default: 0] += fit
        }
        return sums.keys.sorted().map { sums[$0] ?? 0 }
    }

    @Test("Pool readings are what counting node by node gives", arguments: 1...12)
    func bruteForce(seed: UInt64) {
        var harness = EngineHarness()
        var history = History(seed: seed &+ 300)
        for step in 0..<200 {
            harness.run(history.command(harness.engine.state))
            if step % 10 > 0 { continue }
            let state = harness.engine.state
            let readings = harness.engine.poolReadings()
            #expect(readings.map(\.slot.index) == state.pools.indices.filter { !state.pools[$0].isDeleted })
            for reading in readings {
                let pool = state[reading.slot]
                let gpus = pool.spec.node.gpus
                let whole = Self.fits(harness.engine, reading.slot, gpus: gpus)
                func sums(_ scope: Tier) -> [Int] { Self.sums(whole, pool.layout, scope) }
                func count(_ scope: Tier, gang: Int) -> Int {
                    let perWorker = min(gang, gpus)
                    let fits = Self.fits(harness.engine, reading.slot, gpus: perWorker)
                    let workers = (gang + perWorker - 1) / perWorker
                    return Self.sums(fits, pool.layout, scope).reduce(0) { $0 + $1 / workers }
                }
                let comment: Comment = "seed \(seed) step \(step) pool \(pool.spec.name)"
                #expect(reading.gpus == pool.layout.nodeCount * gpus, comment)
                #expect(reading.gpuMilliAllocated == pool.gpuMilliAllocated, comment)
                #expect(reading.gpusAllocated == pool.gpusAllocated && reading.gpusBroken >= 0, comment)
                #expect(
                    reading.gpusAllocated + reading.gpusBroken + reading.gpusFree + reading.gpusUnavailable
                        == reading.gpus, comment)
                #expect(reading.freeNodes == whole.count { $0 == 1 }, comment)
                let ordinary = Self.ordinary(state, reading.slot).map { $0 ? 1 : 0 }
                func free(_ scope: Tier) -> Int {
                    // Where all nodes are spares there is no place to be free.
                    let size = Self.sums(ordinary, pool.layout, scope).max() ?? 0
                    return size == 0 ? 0 : sums(scope).count { $0 == size }
                }
                #expect(reading.freeDomains == free(.domain), comment)
                #expect(reading.freeBlocks == free(.block), comment)
                #expect(reading.largestGang.domain == (sums(.domain).max() ?? 0) * gpus, comment)
                #expect(reading.largestGang.block == (sums(.block).max() ?? 0) * gpus, comment)
                #expect(reading.largestGang.pool == whole.reduce(0, +) * gpus, comment)
                #expect(reading.room.map(\.gpus) == Engine.gangSizes, comment)
                for room in reading.room {
                    #expect(room.inOneDomain == count(.domain, gang: room.gpus), comment)
                    #expect(room.inOneBlock == count(.block, gang: room.gpus), comment)
                    #expect(room.inOnePool == count(.pool, gang: room.gpus), comment)
                }
            }
        }
    }

    // MARK: Why a job waits

    static func explain(_ harness: inout EngineHarness, _ id: String) throws -> Explanation {
        let job = harness.engine.state.jobs[id]
        return harness.engine.explain(try #require(job))
    }

    @Test("Every pool is counted once, under the first thing that keeps the job out, nearest to a place first")
    func allReasons() throws {
        var settings = EngineSettings()
        settings.placementsBeforeReservation = 3
        var harness = EngineHarness(settings: settings)
        // Held for `large`: two nodes, one of them taken.
        harness.run(.putPool(.sample("held", nodes: 2, region: "r0")))
        harness.submit("taken", allow: PlaceList(pools: ["held"]))
        harness.submit("large", workers: 2, allow: PlaceList(pools: ["held"]))
        // Full.
        harness.run(.putPool(.sample("busy", nodes: 2, region: "r0")))
        harness.submit("filler", workers: 2, allow: PlaceList(pools: ["busy"]))
        // Fuller, so that the other one is the nearest.
        harness.run(.putPool(.sample("busier", nodes: 1, region: "r0")))
        harness.submit("filler2", workers: 1, allow: PlaceList(pools: ["busier"]))
        harness.submit("little", gpus: 4, allow: PlaceList(pools: ["busy"]))
        harness.run(.cancel(id: "filler"))
        harness.submit("filler3", gpus: 4, workers: 3, allow: PlaceList(pools: ["busy"]))
        // Its only node is cordoned.
        harness.run(.putPool(.sample("cordoned", nodes: 1, region: "r0")))
        harness.run(.changeNode(pool: "cordoned", node: LifeTests.node, action: .cordon))
        // Nodes too small for one worker; an accelerator not named; a region not allowed.
        harness.run(.putPool(.sample("small", nodes: 2, gpus: 4, region: "r0")))
        harness.run(.putPool(.sample("other", nodes: 2, accelerator: "b200", region: "r0")))
        harness.run(.putPool(.sample("far", nodes: 2, region: "r1")))
        harness.submit("a", accelerators: ["h100"], allow: PlaceList(regions: ["r0"]))
        let explanation = try Self.explain(&harness, "a")
        #expect(explanation.workers == 1)
        #expect(
            explanation.blockers.map(\.reason) == [
                .reservedForOthers, .capacityBusy, .nodesUnavailable, .workerTooLarge, .acceleratorNotWanted,
                .placeNotAllowed,
            ])
        #expect(explanation.blockers.map(\.pools) == [1, 2, 1, 1, 1, 1])
        #expect(explanation.blockers.map(\.nearestPool) == ["held", "busy", "cordoned", "small", "other", "far"])
        #expect(explanation.blockers[0].reservedFor == "large")
        #expect(explanation.blockers[0].workersThatFit == 1)
        #expect(explanation.blockers.dropFirst().allSatisfy { $0.reservedFor == nil })
        #expect(explanation.couldEverFit)
        let placed = try Self.explain(&harness, "taken")
        #expect(placed.blockers.isEmpty)
    }

    @Test("A gang larger than any place of its scope is told so, with the most that one place could take")
    func gangTooLarge() throws {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 3)))
        harness.submit("a", workers: 4, scope: .domain)
        let explanation = try Self.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.gangTooLarge])
        #expect(explanation.blockers[0].workersThatFit == 3)
        #expect(!explanation.couldEverFit)
        harness.submit("b", workers: 4)
        #expect(harness.state(of: "b") == .placed)
    }

    @Test("Cordons that break every domain are named, though the pool as a whole has room")
    func nodesUnavailableByDomain() throws {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        for node in ["b00/d000/n00", "b00/d001/n00"] {
            harness.run(.changeNode(pool: "p", node: node, action: .cordon))
        }
        harness.submit("a", workers: 2, scope: .domain)
        var explanation = try Self.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.nodesUnavailable])
        #expect(explanation.couldEverFit)
        harness.submit("b", gpus: 1)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .uncordon))
        explanation = try Self.explain(&harness, "a")
        let isPlaced = harness.state(of: "a") == .placed
        #expect(isPlaced || explanation.blockers.map(\.reason) == [.capacityBusy])
    }

    @Test("While a budget leaves placements for later, a job that fits waits for its turn")
    func waitingForTurn() throws {
        var settings = EngineSettings()
        settings.placementsPerCommand = 1
        var harness = EngineHarness(settings: settings)
        harness.submit("a")
        harness.submit("b")
        harness.run(.putPool(.sample("p", nodes: 2)))
        let explanation = try Self.explain(&harness, "b")
        #expect(explanation.blockers.map(\.reason) == [.waitingForTurn])
        harness.settle()
        #expect(harness.state(of: "b") == .placed)
    }

    @Test("Reasons always add up to the live pools, ranked, and a restart gives the same ones", arguments: 1...6)
    func sums(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var harness = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 600)
        for step in 0..<240 {
            harness.run(history.command(harness.engine.state))
            if step % 12 > 0 { continue }
            let state = harness.engine.state
            var again = try EngineHarness(image: state.image, settings: settings, clock: harness.clock)
            // The time of a command that changed nothing is in no journal.
            for _ in 0..<2 {
                harness.run(.resume, afterSeconds: 0)
                again.run(.resume, afterSeconds: 0)
            }
            for reading in harness.engine.queueReading(limit: 20) {
                let explanation = harness.engine.explain(reading.head)
                #expect(explanation.blockers.reduce(0) { $0 + $1.pools } == state.pools.count { !$0.isDeleted })
                #expect(explanation.blockers.map(\.reason) == Set(explanation.blockers.map(\.reason)).sorted())
                #expect(explanation == again.engine.explain(reading.head), "seed \(seed) step \(step)")
            }
        }
    }
}
