// Gates one by one: what keeps a queued job from being tried, what opens it, and what ends a job that waited in vain.

import Engine
import Model
import TestKit
import Testing

@Suite struct GateTests {
    /// A pool of four 8-GPU nodes.
    static func harness(_ change: (inout EngineSettings) -> Void = { _ in }) -> EngineHarness {
        var settings = EngineSettings()
        settings.reservations = 0
        change(&settings)
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p")))
        return harness
    }

    static func submit(
        _ id: String, to harness: inout EngineHarness, workers: Int = 1, _ change: (inout JobSpec) -> Void
    ) -> Outcome {
        harness.submit(id, [WorkerGroup(count: workers, demand: Demand(gpus: 8))], change)
    }

    static func gates(_ harness: borrowing EngineHarness, _ id: String) -> [Gate] {
        harness.engine.state.jobs[id]?.gates ?? []
    }

    static func refusal(_ outcome: Outcome) -> Refusal? {
        if case .refused(let refusal) = outcome { refusal } else { nil }
    }

    // MARK: Held

    @Test("A job submitted as held costs no try until it is released, and then is placed in the same command")
    func held() {
        var harness = Self.harness()
        let before = harness.engine.work.tries
        _ = Self.submit("a", to: &harness) { $0.hold = true }
        for _ in 0..<10 { harness.run(.resume, afterSeconds: 1000) }
        #expect(harness.state(of: "a") == .queued && Self.gates(harness, "a") == [.held])
        #expect(harness.engine.work.tries == before)
        #expect(harness.engine.state.gatedJobs == 1)
        harness.run(.release(id: "a"))
        #expect(harness.state(of: "a") == .placed && harness.engine.state.gatedJobs == 0)
    }

    @Test("Hold and release said twice are said once, and other states refuse what does not apply")
    func idempotent() {
        var harness = Self.harness()
        harness.submit("full", workers: 4)
        harness.submit("a")
        #expect(harness.facts(of: .hold(id: "a")) == [.jobHeld(number: JobNumber(2))])
        #expect(harness.facts(of: .hold(id: "a")).isEmpty)
        #expect(harness.facts(of: .release(id: "a")) == [.jobReleased(number: JobNumber(2))])
        #expect(harness.facts(of: .release(id: "a")).isEmpty)
        #expect(harness.facts(of: .release(id: "full")).isEmpty)
        #expect(
            Self.refusal(harness.run(.hold(id: "full")))
                == .illegalTransition(id: "full", state: .placed, action: "hold"))
        harness.run(.cancel(id: "a"))
        #expect(
            Self.refusal(harness.run(.release(id: "a")))
                == .illegalTransition(id: "a", state: .cancelled, action: "release"))
        #expect(Self.refusal(harness.run(.hold(id: "x"))) == .jobNotFound(id: "x"))
    }

    @Test("A job that is held while it waits lets those behind it go first and comes back to its place")
    func heldInTheQueue() {
        var harness = Self.harness()
        harness.submit("full", workers: 4)
        for id in ["a", "b"] { harness.submit(id, workers: 4) }
        harness.run(.hold(id: "a"))
        harness.complete("full")
        #expect(harness.state(of: "b") == .placed && harness.state(of: "a") == .queued)
        harness.submit("c", workers: 4)
        harness.run(.release(id: "a"))
        harness.complete("b")
        #expect(harness.state(of: "a") == .placed && harness.state(of: "c") == .queued)
    }

    @Test("Patience and the count of placements that go past a job begin when its gates open")
    func patience() {
        var harness = PatienceTests.broken()
        harness.submit("a", [WorkerGroup(count: 2, demand: Demand(gpus: 8))]) {
            $0.scope = Scope(.pool, preferred: .domain, patienceSeconds: 10)
            $0.hold = true
        }
        harness.run(.resume, afterSeconds: 100)
        #expect(harness.engine.nextDeadline == nil)
        harness.run(.release(id: "a"))
        #expect(harness.state(of: "a") == .queued)
        #expect(harness.engine.nextDeadline == harness.clock.now.adding(seconds: 10))
        harness.run(.resume, afterSeconds: 10)
        #expect(harness.state(of: "a") == .placed)
        // Placements made while it was held do not count.
        var busy = Self.harness()
        busy.submit("x")
        _ = Self.submit("large", to: &busy, workers: 4) { $0.hold = true }
        for number in 0..<6 {
            busy.submit("s\(number)")
            busy.complete("s\(number)")
        }
        busy.run(.release(id: "large"))
        #expect(busy.engine.state.jobs["large"]?.life.queuedAtPlacement == busy.engine.state.placements)
    }

    // MARK: Not before

    @Test("A job is tried from the nanosecond of its notBefore on, which is the engine's next deadline")
    func notBefore() {
        var harness = Self.harness()
        let moment = harness.clock.now.adding(seconds: 100)
        _ = Self.submit("a", to: &harness) { $0.notBefore = moment }
        #expect(Self.gates(harness, "a") == [.notBefore(moment)])
        #expect(harness.engine.nextDeadline == moment)
        harness.clock.advance(nanoseconds: moment.nanoseconds(since: harness.clock.now) - 1)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .queued)
        harness.clock.advance(nanoseconds: 1)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .placed && harness.engine.nextDeadline == nil)
        #expect(harness.transactions.last?.facts.first == .jobOpened(number: JobNumber(1)))
    }

    @Test("A notBefore that has passed is no gate")
    func past() {
        var harness = Self.harness()
        _ = Self.submit("a", to: &harness) { $0.notBefore = Timestamp(nanoseconds: 0) }
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A job behind several gates is tried when the last of them opens, in whatever order they do")
    func several() {
        for order in 0..<2 {
            var harness = Self.harness()
            harness.submit("first")
            let moment = harness.clock.now.adding(seconds: 50)
            _ = Self.submit("a", to: &harness) {
                $0.hold = true
                $0.notBefore = moment
                $0.after = [Dependency(job: "first", condition: .any)]
            }
            #expect(Self.gates(harness, "a") == [.held, .notBefore(moment), .after(["first"])])
            if order == 0 { harness.run(.release(id: "a")) }
            harness.run(.resume, afterSeconds: 100)
            #expect(Self.gates(harness, "a") == (order == 0 ? [] : [.held]) + [.after(["first"])])
            harness.run(.cancel(id: "first"))
            #expect(harness.state(of: "a") == (order == 0 ? .placed : .queued))
            if order == 1 { harness.run(.release(id: "a")) }
            #expect(harness.state(of: "a") == .placed)
        }
    }

    // MARK: Limits

    @Test("Shapes and demands behind gates count for the limits, for when a gate opens nothing can be refused")
    func limits() {
        var harness = Self.harness {
            $0.limits.queuedShapes = 3
            $0.queuedDemands = 2
        }
        harness.submit("full", workers: 4)
        func held(_ id: String, gpus: Int, workers: Int) -> Refusal? {
            Self.refusal(
                harness.submit(id, [WorkerGroup(count: workers, demand: Demand(gpus: gpus))]) { $0.hold = true })
        }
        #expect(held("a", gpus: 8, workers: 2) == nil)
        #expect(held("b", gpus: 4, workers: 2) == nil)
        #expect(held("c", gpus: 2, workers: 2) == .limitReached(name: "limits.queuedDemands", limit: 2))
        #expect(held("d", gpus: 4, workers: 3) == nil)
        #expect(held("e", gpus: 4, workers: 4) == .limitReached(name: "limits.queuedShapes", limit: 3))
        #expect(held("f", gpus: 4, workers: 2) == nil)
        harness.run(.cancel(id: "d"))
        #expect(held("e", gpus: 4, workers: 4) == nil)
    }

    @Test("An explanation names the gates first, and what would be in the way without them")
    func explained() throws {
        var harness = Self.harness()
        _ = Self.submit("a", to: &harness, workers: 2) { $0.hold = true }
        var explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.gates == [.held])
        #expect(explanation.blockers.map(\.reason) == [.waitingForTurn] && explanation.couldEverFit)
        let job = try #require(harness.engine.state.jobs["a"])
        #expect(
            explanation.sentences(of: job) == [
                "The job is held until POST /v1/jobs/{id}:release.",
                "1 pool could hold it now; it is tried when its gates are open.",
            ])
        harness.submit("full", workers: 3)
        explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.capacityBusy])
    }
}
