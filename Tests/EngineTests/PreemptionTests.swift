// Preemption by priority: who is asked to leave, what becomes of the place meanwhile, and who is never asked.

import Engine
import Model
import TestKit
import Testing

@Suite struct PreemptionTests {
    /// A pool of nodes with 8 GPUs each.
    static func harness(nodes: Int = 1, grace: Int = 30, _ change: (inout EngineSettings) -> Void = { _ in })
        -> EngineHarness
    {
        var settings = EngineSettings()
        settings.preemptionGraceSeconds = grace
        // Victims are sought at once, however much has just been decided.
        settings.searchPauseMilliseconds = 0
        change(&settings)
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: nodes)))
        return harness
    }

    /// Submits a preemptible gang of whole nodes, or of `gpus` GPUs on one.
    static func submit(
        _ id: String, _ harness: inout EngineHarness, nodes: Int = 1, gpus: Int = 8, priority: Int = 0,
        tenant: String = "default", preemptible: Bool = true, _ change: (inout JobSpec) -> Void = { _ in }
    ) {
        harness.submit(id, [WorkerGroup(count: nodes, demand: Demand(gpus: gpus))]) {
            $0.priority = priority
            $0.tenant = tenant
            $0.isPreemptible = preemptible
            change(&$0)
        }
    }

    static func run(_ id: String, _ harness: inout EngineHarness, nodes: Int = 1, gpus: Int = 8, priority: Int = 0) {
        submit(id, &harness, nodes: nodes, gpus: gpus, priority: priority)
        harness.run(.start(id: id))
    }

    static func states(_ ids: [String], _ harness: borrowing EngineHarness) -> [JobState?] {
        ids.map { harness.engine.state.jobs[$0]?.state }
    }

    static func job(_ id: String, _ harness: borrowing EngineHarness) throws -> Job {
        try #require(harness.engine.state.jobs[id])
    }

    static func reading(_ id: String, _ harness: inout EngineHarness) throws -> PreemptionReading? {
        harness.engine.explain(try job(id, harness)).preemption
    }

    @Test("A job of higher priority has a place kept, and gets it when the victim's time is up")
    func deadline() throws {
        var harness = Self.harness()
        Self.run("low", &harness)
        Self.submit("high", &harness, priority: 5)
        let asked = harness.clock.now
        let victim = try Self.job("low", harness)
        let preemptor = try Self.job("high", harness)
        #expect(victim.state == .preempting && preemptor.state == .queued)
        #expect(victim.life.eviction?.by == preemptor.number && victim.life.eviction?.kind == .priority)
        #expect(victim.life.eviction?.deadline == asked.adding(seconds: 30))
        #expect(preemptor.life.reservation?.cause == .preemption)
        #expect(harness.engine.nextDeadline == asked.adding(seconds: 30))
        guard case .inProgress(let victims) = try Self.reading("high", &harness) else {
            Issue.record("nobody leaves")
            return
        }
        #expect(victims.map(\.job) == ["low"] && victims[0].deadlineAt == asked.adding(seconds: 30))
        harness.run(.resume, afterSeconds: 29)
        #expect(harness.state(of: "low") == .preempting)
        harness.run(.resume, afterSeconds: 1)
        let after = try Self.job("low", harness)
        #expect(harness.state(of: "high") == .placed)
        #expect(after.state == .queued && after.life.lastRequeue == .preempted && after.life.preemptions == 1)
        #expect(after.number == victim.number && after.life.eviction == nil)
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("A victim that says it has stopped gives its place at once, and saying it twice changes nothing")
    func stopped() {
        var harness = Self.harness()
        Self.run("low", &harness)
        Self.submit("high", &harness, priority: 5)
        harness.run(.stopped(id: "low"))
        #expect(Self.states(["low", "high"], harness) == [.queued, .placed])
        let before = harness.engine.state.revision
        guard case .job = harness.run(.stopped(id: "low")) else {
            Issue.record("refused")
            return
        }
        #expect(harness.engine.state.revision == before)
        guard case .refused(.illegalTransition("high", .placed, "stopped")) = harness.run(.stopped(id: "high")) else {
            Issue.record("a job that was not asked to leave stopped")
            return
        }
    }

    @Test("Without grace all happens in one command")
    func noGrace() {
        var harness = Self.harness(grace: 0)
        Self.run("low", &harness)
        Self.submit("high", &harness, priority: 5)
        #expect(Self.states(["low", "high"], harness) == [.queued, .placed])
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("A victim that ends by itself makes room, and one that is cancelled")
    func victimEnds() {
        for end in [Command.finish(id: "low", end: .succeeded, message: ""), .cancel(id: "low")] {
            var harness = Self.harness()
            Self.run("low", &harness)
            Self.submit("high", &harness, priority: 5)
            harness.run(end)
            #expect(harness.state(of: "high") == .placed)
            #expect(harness.engine.state.jobs["low"]?.life.eviction == nil)
        }
    }

    @Test("Equal priority, a gang that is not preemptible and a policy of never take nothing back")
    func whoIsSafe() throws {
        var equal = Self.harness()
        Self.run("low", &equal, priority: 5)
        Self.submit("high", &equal, priority: 5)
        #expect(equal.state(of: "low") == .running)
        #expect(try Self.reading("high", &equal) == .impossible)
        var fixed = Self.harness()
        Self.submit("low", &fixed, preemptible: false)
        Self.submit("high", &fixed, priority: 5)
        #expect(fixed.state(of: "low") == .placed)
        var polite = Self.harness()
        polite.run(.putPriorityClass(PriorityClass(name: "polite", value: 900, preemption: .never)))
        Self.run("low", &polite)
        Self.submit("high", &polite) { $0.priorityClass = "polite" }
        #expect(polite.state(of: "low") == .running)
        #expect(try Self.reading("high", &polite) == nil)
    }

    @Test("Nobody is asked to leave before its least run time is over, and then without anyone's call")
    func leastRunTime() throws {
        var harness = Self.harness { $0.reservations = 0 }
        harness.run(.putPriorityClass(PriorityClass(name: "steady", value: 0, minRuntimeSeconds: 100)))
        Self.submit("low", &harness) { $0.priorityClass = "steady" }
        harness.run(.start(id: "low"), afterSeconds: 50)
        let end = harness.clock.now.adding(seconds: 100)
        Self.submit("high", &harness, priority: 5)
        #expect(harness.state(of: "low") == .running)
        #expect(try Self.reading("high", &harness) == .impossible)
        #expect(harness.engine.nextDeadline == end)
        harness.run(.resume, afterSeconds: 98)
        #expect(harness.state(of: "low") == .running)
        harness.run(.resume, afterSeconds: 1)
        #expect(harness.state(of: "low") == .preempting)
    }

    @Test("Where not the whole gang finds a place nobody is asked to leave")
    func wholeGang() throws {
        var harness = Self.harness(nodes: 2)
        Self.run("low", &harness)
        Self.submit("fixed", &harness, preemptible: false)
        Self.submit("high", &harness, nodes: 2, priority: 5)
        #expect(harness.state(of: "low") == .running)
        #expect(try Self.reading("high", &harness) == .impossible)
        // Those that would stay beyond the first moment that "high" can start take nothing for themselves.
        Self.submit("long", &harness, priority: 4)
        #expect(harness.state(of: "low") == .running)
        Self.submit("small", &harness, priority: 4) { $0.maxRuntimeSeconds = 100 }
        #expect(harness.state(of: "low") == .preempting)
    }

    @Test("The least lost work goes first, and a checkpoint saves it")
    func leastLost() {
        for saved in [false, true] {
            var harness = Self.harness(nodes: 2)
            Self.run("old", &harness)
            harness.run(.resume, afterSeconds: 100)
            Self.run("young", &harness)
            harness.run(.resume, afterSeconds: 100)
            if saved { harness.run(.checkpoint(id: "old")) }
            Self.submit("high", &harness, priority: 5)
            #expect(harness.state(of: saved ? "old" : "young") == .preempting)
            #expect(harness.state(of: saved ? "young" : "old") == .running)
        }
    }

    @Test("Of equal loss the fewest jobs go, then the newest")
    func fewestJobs() {
        var harness = Self.harness(nodes: 2)
        Self.submit("large", &harness)
        for id in ["a", "b"] { Self.submit(id, &harness, gpus: 4) }
        Self.submit("high", &harness, priority: 5)
        #expect(Self.states(["large", "a", "b"], harness) == [.preempting, .placed, .placed])
        var equal = Self.harness(nodes: 2)
        for id in ["a", "b"] { Self.submit(id, &equal) }
        Self.submit("high", &equal, priority: 5)
        #expect(Self.states(["a", "b"], equal) == [.placed, .preempting])
    }

    @Test("Victims that stand in nobody's way are spared before they hear of it")
    func unneeded() {
        // On each of three nodes half is fixed, but on the last.
        var harness = Self.harness(nodes: 3)
        for id in ["f1", "f2"] { Self.submit(id, &harness, gpus: 4, preemptible: false) }
        harness.submit("f3", [WorkerGroup(count: 1, demand: Demand(gpus: 5))])
        Self.submit("x", &harness, gpus: 3)
        Self.run("long", &harness)
        harness.run(.resume, afterSeconds: 1000)
        let before = harness.engine.state
        Self.submit("high", &harness, priority: 5)
        // Only the whole node helps, though more was lost there than anywhere else.
        #expect(harness.state(of: "long") == .preempting)
        #expect(harness.state(of: "x") == .placed)
        #expect(harness.engine.state.count(of: .preempting) == 1)
        #expect(before.count(of: .preempting) == 0)
    }

    @Test("An elastic job gives up what it has beyond its least, in place, before any gang leaves")
    func surplus() throws {
        var harness = Self.harness(nodes: 5)
        harness.submit("elastic", [WorkerGroup(count: 2, maxCount: 4, demand: Demand(gpus: 8))])
        harness.run(.start(id: "elastic"))
        #expect(harness.placement(of: "elastic")?.workerCount == 4)
        Self.submit("young", &harness)
        Self.submit("high", &harness, nodes: 2, priority: 5)
        let asked = try Self.job("elastic", harness)
        #expect(asked.state == .running && asked.life.eviction?.keeps?.workerCount == 2)
        #expect(harness.state(of: "young") == .placed)
        harness.run(.stopped(id: "elastic"))
        let shrunk = try Self.job("elastic", harness)
        #expect(shrunk.state == .running && shrunk.life.placement?.workerCount == 2 && shrunk.life.eviction == nil)
        #expect(shrunk.life.preemptions == 0 && shrunk.life.requeues == 0)
        #expect(harness.state(of: "high") == .placed)
        #expect(harness.engine.firstDisagreement() == nil)
        // What is left of it is not preemptible.
        Self.submit("higher", &harness, nodes: 3, priority: 9)
        #expect(harness.state(of: "elastic") == .running)
    }

    @Test("Elastic jobs that are preemptible, too, leave as a whole where their surplus is not enough")
    func surplusAndGang() {
        var harness = Self.harness(nodes: 4, grace: 0)
        harness.submit("elastic", [WorkerGroup(count: 2, maxCount: 4, demand: Demand(gpus: 8))]) {
            $0.isPreemptible = true
        }
        Self.submit("high", &harness, nodes: 3, priority: 5)
        #expect(Self.states(["elastic", "high"], harness) == [.queued, .placed])
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("A preemptor that is cancelled, held or placed elsewhere spares those that still run")
    func spared() throws {
        for way in ["cancel", "hold", "elsewhere"] {
            var harness = Self.harness(nodes: 2)
            Self.run("a", &harness)
            Self.submit("b", &harness)
            Self.submit("high", &harness, nodes: 2, priority: 5)
            harness.run(.stopped(id: "b"))
            #expect(Self.states(["a", "b", "high"], harness) == [.preempting, .queued, .queued], "\(way)")
            switch way {
            case "cancel": harness.run(.cancel(id: "high"))
            case "hold": harness.run(.hold(id: "high"))
            default: harness.run(.putPool(.sample("q", nodes: 2)))
            }
            let a = try Self.job("a", harness)
            #expect(a.state == .running && a.life.eviction == nil && a.life.preemptions == 0, "\(way)")
            #expect(harness.state(of: "b") == .placed, "\(way)")
            #expect(harness.state(of: "high") == (way == "cancel" ? .cancelled : way == "hold" ? .queued : .placed))
            #expect(harness.engine.firstDisagreement() == nil)
        }
    }

    @Test("What a victim gave back is kept for its preemptor and for nobody else")
    func kept() {
        var harness = Self.harness(nodes: 2)
        for id in ["a", "b"] { Self.run(id, &harness) }
        Self.submit("high", &harness, nodes: 2, priority: 5)
        harness.run(.stopped(id: "a"))
        Self.submit("other", &harness, priority: 5)
        Self.submit("third", &harness, gpus: 1, priority: 4)
        #expect(Self.states(["high", "other", "third"], harness) == [.queued, .queued, .queued])
        harness.run(.resume, afterSeconds: 30)
        #expect(harness.state(of: "high") == .placed)
    }

    @Test("Where a node of the kept place goes down the victims are spared, and others are sought")
    func nodeDown() {
        var harness = Self.harness(nodes: 2)
        for id in ["a", "b"] { Self.run(id, &harness) }
        Self.submit("high", &harness, priority: 5)
        let victim = harness.state(of: "a") == .preempting ? "a" : "b"
        let other = victim == "a" ? "b" : "a"
        let node = harness.placement(of: victim)?.runs[0].node ?? 0
        harness.run(.changeNode(pool: "p", node: "b00/d000/n0\(node)", action: .down))
        #expect(Self.states([victim, other, "high"], harness) == [.queued, .preempting, .queued])
        harness.run(.stopped(id: other))
        #expect(harness.state(of: "high") == .placed)
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("Jobs of one line preempt one beside the other, without waiting for the first to be placed")
    func burst() {
        var harness = Self.harness(nodes: 4)
        for id in ["a", "b", "c"] { Self.run(id, &harness) }
        Self.submit("fixed", &harness, preemptible: false)
        for id in ["h1", "h2", "h3", "h4"] { Self.submit(id, &harness, priority: 5) }
        #expect(harness.engine.state.count(of: .preempting) == 3)
        harness.run(.resume, afterSeconds: 30)
        #expect(Self.states(["h1", "h2", "h3", "h4"], harness) == [.placed, .placed, .placed, .queued])
    }

    @Test("A job that was preempted so often is left in peace")
    func protection() throws {
        var harness = Self.harness(grace: 0) { $0.preemptionsBeforeProtection = 2 }
        Self.run("low", &harness)
        for round in 1...3 {
            Self.submit("high\(round)", &harness, priority: 5, preemptible: false)
            let isTaken = harness.state(of: "high\(round)") == .placed
            #expect(isTaken == (round < 3))
            harness.run(.cancel(id: "high\(round)"))
            #expect(harness.state(of: "low") == .placed)
        }
        #expect(try Self.job("low", harness).life.preemptions == 2)
    }

    @Test("No more gangs of a tenant are asked to leave in an hour than its budget allows")
    func evictionBudget() throws {
        var harness = Self.harness(nodes: 2, grace: 0) { $0.evictionsPerTenantAndHour = 1 }
        for id in ["a", "b"] { Self.run(id, &harness) }
        Self.submit("both", &harness, nodes: 2, priority: 9)
        #expect(Self.states(["a", "b"], harness) == [.running, .running])
        #expect(try Self.reading("both", &harness) == .gaveUp)
        Self.submit("one", &harness, priority: 5) { $0.maxRuntimeSeconds = 100 }
        #expect(harness.state(of: "one") == .placed)
        Self.submit("two", &harness, priority: 5) { $0.maxRuntimeSeconds = 100 }
        #expect(harness.state(of: "two") == .queued)
        harness.run(.resume, afterSeconds: 3600)
        #expect(harness.state(of: "two") == .placed)
    }

    @Test("Only running jobs have checkpoints")
    func checkpoints() throws {
        var harness = Self.harness()
        Self.submit("low", &harness)
        guard case .refused(.illegalTransition("low", .placed, "checkpoint")) = harness.run(.checkpoint(id: "low"))
        else {
            Issue.record("a job that has not started saved its work")
            return
        }
        harness.run(.start(id: "low"))
        harness.run(.checkpoint(id: "low"))
        #expect(try Self.job("low", harness).life.checkpointedAt == harness.clock.now)
        // There is time to save it once more.
        Self.submit("high", &harness, priority: 5)
        harness.run(.checkpoint(id: "low"))
        #expect(try Self.job("low", harness).life.checkpointedAt == harness.clock.now)
        guard case .refused(.jobNotFound("nobody")) = harness.run(.checkpoint(id: "nobody")) else {
            Issue.record("nobody saved its work")
            return
        }
    }

    @Test("A job that waits for a better place sends nobody away for it")
    func patience() {
        var harness = Self.harness(nodes: 2)
        Self.run("low", &harness, nodes: 2)
        Self.submit("high", &harness, priority: 5) {
            $0.scope = Scope(.pool, preferred: .node, patienceSeconds: 60)
        }
        #expect(harness.state(of: "low") == .running)
        harness.run(.resume, afterSeconds: 60)
        #expect(harness.state(of: "low") == .preempting)
    }
}
