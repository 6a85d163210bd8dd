// Arrays of jobs: all tasks come in one fact, no more than `maxParallel` are tried, placed or running at once, and turns come in
// order as earlier tasks end.

import Engine
import Model
import TestKit
import Testing

@Suite struct ArrayTests {
    static func spec(
        _ id: String, _ count: Int, _ maxParallel: Int? = nil, _ change: (inout JobSpec) -> Void = { _ in }
    )
        -> JobSpec
    {
        var spec = JobSpec(id: id, workers: [WorkerGroup(count: 1, demand: Demand(gpus: 8))])
        spec.array = JobArray(count: count, maxParallel: maxParallel)
        change(&spec)
        return spec
    }

    /// A pool of so many 8-GPU nodes.
    static func harness(nodes: Int = 4, _ change: (inout EngineSettings) -> Void = { _ in }) -> EngineHarness {
        var settings = EngineSettings()
        change(&settings)
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: nodes)))
        return harness
    }

    static func states(_ harness: borrowing EngineHarness, _ id: String, _ count: Int) -> String {
        (0..<count).map { String(harness.state(of: "\(id).\($0)")?.name.first ?? "-") }.joined()
    }

    @Test("All tasks come in one fact, equal but for their ids, and the first of them are placed at once")
    func submitted() throws {
        var harness = Self.harness()
        let facts = harness.facts(of: .submit(Self.spec("a", 6, 2)))
        #expect(facts.first == .jobArraySubmitted(number: JobNumber(1), spec: Self.spec("a", 6, 2)))
        #expect(facts.count == 3)
        #expect(Self.states(harness, "a", 6) == "ppqqqq")
        let task = try #require(harness.engine.state.jobs["a.4"])
        #expect(task.number == JobNumber(6) && task.taskIndex == 4 && task.arrayID == "a")
        #expect(task.arrayNumber == JobNumber(1) && harness.engine.state.nextJobNumber == 8)
        #expect(task.gates == [.array(id: "a", maxParallel: 2)])
        #expect(harness.engine.state.gatedJobs == 4)
        let record = try #require(harness.engine.state.arrays["a"])
        #expect(record.waitingForTurn == 4 && record.count(of: .placed) == 2 && record.end == nil)
        #expect(harness.engine.explain(task).sentences(of: task)[0].contains("at most 2 of them"))
    }

    @Test("Turns come in order as tasks end, however they end, and one that goes back to the queue keeps its turn")
    func turns() {
        var harness = Self.harness(nodes: 2)
        harness.run(.submit(Self.spec("a", 6, 2)))
        harness.complete("a.0")
        #expect(Self.states(harness, "a", 6) == "sppqqq")
        harness.run(.cancel(id: "a.3"))
        harness.run(.start(id: "a.1"))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .down))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .down))
        #expect(Self.states(harness, "a", 6) == "sqqcqq")
        #expect(harness.engine.state.arrays["a"]?.waitingForTurn == 2)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .up))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .uncordon))
        #expect(Self.states(harness, "a", 6) == "spqcqq")
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .up))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .uncordon))
        #expect(Self.states(harness, "a", 6) == "sppcqq")
        harness.run(.cancel(id: "a.2"))
        #expect(Self.states(harness, "a", 6) == "spccpq")
        harness.run(.start(id: "a.4"))
        harness.run(.finish(id: "a.4", end: .failed, message: ""))
        #expect(Self.states(harness, "a", 6) == "spccfp")
        #expect(harness.engine.firstDisagreement() == nil)
    }

    @Test("The same array is the same array; another under its id, or under that of a task, is refused")
    func idempotent() {
        var harness = Self.harness()
        harness.run(.submit(Self.spec("a", 3, 1)))
        #expect(harness.facts(of: .submit(Self.spec("a", 3, 1))).isEmpty)
        func refusal(_ outcome: Outcome) -> Refusal? { GateTests.refusal(outcome) }
        #expect(refusal(harness.run(.submit(Self.spec("a", 4, 1)))) == .idInUse(id: "a"))
        #expect(refusal(harness.submit("a")) == .idInUse(id: "a"))
        #expect(refusal(harness.submit("a.1")) == .idInUse(id: "a.1"))
        #expect(refusal(harness.run(.submit(Self.spec("a", 3, 1).task(1)))) == .idInUse(id: "a.1"))
        harness.submit("b.2")
        #expect(refusal(harness.run(.submit(Self.spec("b", 3)))) == .idInUse(id: "b.2"))
        harness.run(.submit(Self.spec("b", 2)))
        #expect(harness.state(of: "b.1") == .placed)
        harness.run(.submit(Self.spec("", 2)))
        #expect(harness.engine.state.jobs["job-9.1"]?.arrayID == "job-9")
    }

    @Test("The limits of live jobs and of a tenant's queue hold for all tasks: all are taken or none")
    func limits() {
        var harness = Self.harness { $0.limits.liveJobs = 5 }
        #expect(
            GateTests.refusal(harness.run(.submit(Self.spec("a", 6))))
                == .limitReached(name: "limits.liveJobs", limit: 5))
        #expect(harness.engine.state.jobs.count == 0)
        var tenant = TenantSpec(path: "lab")
        tenant.maxQueuedJobs = 3
        harness.run(.putTenant(tenant))
        #expect(
            GateTests.refusal(harness.run(.submit(Self.spec("a", 4) { $0.tenant = "lab/vision" })))
                == .tenantQueueFull(tenant: "lab", limit: 3))
        harness.run(.submit(Self.spec("a", 3) { $0.tenant = "lab/vision" }))
        #expect(Self.states(harness, "a", 3) == "ppp")
    }

    @Test("A cancelled array ends all its tasks, and none has its turn meanwhile")
    func cancelled() {
        var harness = Self.harness()
        harness.run(.submit(Self.spec("a", 5, 2)))
        harness.complete("a.0")
        let facts = harness.facts(of: .cancelArray(id: "a"))
        #expect(facts.count == 4)
        #expect(Self.states(harness, "a", 5) == "scccc")
        #expect(harness.engine.state.arrays["a"]?.end == .cancelled)
        #expect(harness.facts(of: .cancelArray(id: "a")).isEmpty)
        #expect(GateTests.refusal(harness.run(.cancelArray(id: "b"))) == .arrayNotFound(id: "b"))
    }

    @Test("A job may follow an array: until all its tasks have ended, and once they did well where it asks so")
    func followed() {
        var harness = Self.harness()
        harness.run(.submit(Self.spec("a", 2, 1)))
        _ = GateTests.submit("well", to: &harness) { $0.after = [Dependency(job: "a")] }
        _ = GateTests.submit("any", to: &harness) { $0.after = [Dependency(job: "a", condition: .any)] }
        harness.complete("a.0")
        #expect(GateTests.gates(harness, "well") == [.after(["a"])])
        harness.complete("a.1")
        #expect(harness.state(of: "well") == .placed && harness.state(of: "any") == .placed)
        harness.run(.submit(Self.spec("b", 2)))
        _ = GateTests.submit("then", to: &harness) { $0.after = [Dependency(job: "b")] }
        harness.complete("b.0")
        harness.run(.cancel(id: "b.1"))
        #expect(harness.state(of: "then") == .failed)
        #expect(
            harness.engine.state.jobs["then"]?.life.message
                == "It was to follow array 'b' once all its tasks succeeded, and not all of them did.")
        // What has ended already is judged at once.
        _ = GateTests.submit("late", to: &harness) { $0.after = [Dependency(job: "a")] }
        #expect(harness.state(of: "late") == .placed || GateTests.gates(harness, "late").isEmpty)
    }

    @Test("An array remembers how forgotten tasks ended, and is forgotten with the last of them")
    func forgotten() throws {
        var harness = Self.harness { $0.limits.endedJobs = 1 }
        harness.run(.submit(Self.spec("a", 3, 1)))
        harness.complete("a.0")
        harness.complete("a.1")
        #expect(Self.states(harness, "a", 3) == "-sp")
        #expect(harness.engine.state.arrays["a"]?.count(of: .succeeded) == 2)
        let image = harness.engine.state.image
        let restarted = try Engine(image: image, settings: harness.engine.settings)
        #expect(restarted.state.digest == harness.engine.state.digest)
        #expect(restarted.state.arrays["a"]?.count(of: .succeeded) == 2)
        harness.complete("a.2")
        #expect(harness.engine.state.arrays["a"]?.end == .succeeded)
        harness.submit("x")
        harness.complete("x")
        #expect(harness.engine.state.arrays["a"] == nil && harness.engine.state.arrays.count == 0)
        harness.run(.submit(Self.spec("a", 2, 1)))
        #expect(Self.states(harness, "a", 2) == "pq")
    }

    @Test("What a journal may not say of an array is refused")
    func forged() throws {
        var harness = Self.harness()
        harness.run(.submit(Self.spec("a", 4, 2)))
        harness.submit("b")
        let image = harness.engine.state.image
        func refusal(_ fact: Fact) throws -> String? {
            var engine = try Engine(image: image)
            let forged = Transaction(firstRevision: image.revision + 1, at: image.at, facts: [fact], stateDigest: 0)
            do throws(ReplayError) {
                try engine.replay(forged)
            } catch {
                if case .impossibleFact(_, let words) = error { return words }
            }
            return nil
        }
        let next = JobNumber(image.nextJobNumber)
        #expect(try refusal(.jobTurnCame(number: JobNumber(4))) == "the turn of job number 4 has not come")
        #expect(try refusal(.jobTurnCame(number: JobNumber(2))) == "job a.0 is placed")
        #expect(try refusal(.jobTurnCame(number: JobNumber(1))) == "there is no job number 1")
        #expect(
            try refusal(.jobSubmitted(number: next, spec: Self.spec("c.0", 2)))
                == "job c.0 is a task and comes by itself")
        #expect(
            try refusal(.jobArraySubmitted(number: next, spec: JobSpec(id: "c", workers: []))) == "array c has no tasks"
        )
        #expect(try refusal(.jobArraySubmitted(number: next, spec: Self.spec("b", 2))) == "job b is there already")
        #expect(try refusal(.jobArraySubmitted(number: next, spec: Self.spec("a", 2))) == "job a is there already")
        #expect(
            try refusal(.jobArraySubmitted(number: next, spec: Self.spec("c", 10_001)))
                == "job c has 10001 tasks, 10001 at once")
        #expect(
            try refusal(.jobArraySubmitted(number: JobNumber(3), spec: Self.spec("c", 2)))
                == "array number 3 is not next")
        let placed = harness.placement(of: "b")
        let place = try #require(placed)
        #expect(try refusal(.jobPlaced(number: JobNumber(4), placement: place)) == "job a.2 is behind a gate")
    }

    @Test("A snapshot whose arrays and tasks do not go together is refused")
    func forgedImages() throws {
        var harness = Self.harness()
        harness.run(.submit(Self.spec("a", 4, 2)))
        let image = harness.engine.state.image
        func refusal(_ change: (inout StateImage) -> Void) -> String? {
            var forged = image
            change(&forged)
            do throws(ReplayError) {
                _ = try Engine(image: forged)
            } catch {
                if case .impossibleFact(_, let words) = error { return words }
                return "\(error)"
            }
            return nil
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.arrays = [] } == "job a.0 is a task of no array")
        #expect(refusal { $0.jobs.remove(at: 2) } == "array a is not whole")
        #expect(refusal { $0.arrays[0].forgotten = [1, 0, 0] } == "array a is not whole")
        #expect(refusal { $0.arrays[0].forgotten = [4, 0, 0] } == "array a has forgotten more tasks than it had")
        #expect(refusal { $0.arrays.append($0.arrays[0]) } == "array a is out of order")
        #expect(
            refusal { image in
                var life = image.jobs[2].life
                life.awaitsTurn = false
                image.jobs[2] = image.jobs[2].with(life)
            } == "array a has too many tasks at once")
    }

    @Test(
        "Over random histories no array has more tasks at once than it may, and turns do not fail to come",
        arguments: 1...12)
    func property(seed: UInt64) throws {
        var harness = EngineHarness(settings: ReplayTests.settings(seed))
        var history = History(seed: seed &+ 700)
        history.percentArrays = 15
        var seen = 0
        for step in 0..<300 {
            harness.run(history.command(harness.engine.state))
            harness.settle()
            var atOnce: [JobNumber: Int] = [:]
            var waiting: [JobNumber: [JobNumber]] = [:]
            var turns: [JobNumber: [JobNumber]] = [:]
            harness.engine.state.jobs.forEach { job in
                guard let array = job.arrayNumber, job.spec.array != nil else { return true }
                seen += 1
                if job.state.holdsCapacity { atOnce[array, default: 0] += 1 }
                if job.life.awaitsTurn { waiting[array, default: []].append(job.number) }
                if !job.state.hasEnded && !job.life.awaitsTurn { turns[array, default: []].append(job.number) }
                return true
            }
            for (number, count) in atOnce {
                let array = try #require(harness.engine.state.arrays[number])
                try #require(count <= array.info.array.maxParallel, "seed \(seed) step \(step)")
            }
            for (number, tasks) in waiting {
                let array = try #require(harness.engine.state.arrays[number])
                let inTurn = turns[number] ?? []
                try #require(inTurn.count == array.info.array.maxParallel, "seed \(seed) step \(step)")
                let first = tasks.min() ?? JobNumber(0)
                try #require(inTurn.allSatisfy { $0 < first }, "seed \(seed) step \(step)")
            }
            if step % 20 == 0 {
                let fault = harness.engine.firstDisagreement()
                try #require(fault == nil, "seed \(seed) step \(step)")
                let restarted = try Engine(image: harness.engine.state.image, settings: harness.engine.settings)
                try #require(restarted.state.digest == harness.engine.state.digest, "seed \(seed) step \(step)")
            }
        }
        #expect(seen > 100, "seed \(seed)")
        var replayed = Engine(settings: harness.engine.settings)
        for transaction in harness.transactions { try replayed.replay(transaction) }
        #expect(replayed.state.digest == harness.engine.state.digest, "seed \(seed)")
    }
}
