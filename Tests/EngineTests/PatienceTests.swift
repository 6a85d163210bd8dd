// Patience: a job waits for the tier it prefers exactly as long as it said, then takes what it requires.

import Engine
import Model
import TestKit
import Testing

@Suite struct PatienceTests {
    /// A pool of two domains of two nodes, with one node of each cordoned.
    static func broken(settings: EngineSettings = EngineSettings()) -> EngineHarness {
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        for node in ["b00/d000/n01", "b00/d001/n01"] {
            harness.run(.changeNode(pool: "p", node: node, action: .cordon))
        }
        return harness
    }

    static func submit(_ id: String, to harness: inout EngineHarness, patienceSeconds: Int = 100) {
        harness.submit(id, workers: 2, scope: .pool, preferred: .domain, patienceSeconds: patienceSeconds)
    }

    @Test("A job waits for its preferred tier to the nanosecond and then takes the required one")
    func exact() throws {
        var harness = Self.broken()
        Self.submit("a", to: &harness)
        #expect(harness.state(of: "a") == .queued)
        let next = harness.engine.nextDeadline
        let deadline = try #require(next)
        let queuedAt = try #require(harness.engine.state.jobs["a"]?.life.queuedAt)
        #expect(deadline.nanoseconds(since: queuedAt) == 100_000_000_000)
        harness.clock.advance(seconds: 99, nanoseconds: 999_999_999)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .queued)
        #expect(harness.engine.nextDeadline == deadline)
        harness.clock.advance(nanoseconds: 1)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .placed)
        #expect(harness.placement(of: "a")?.tier == .block)
        #expect(harness.engine.nextDeadline == nil)
    }

    @Test("While it waits, a place of the preferred tier is taken as soon as there is one")
    func preferredComes() {
        var harness = Self.broken()
        Self.submit("a", to: &harness)
        harness.run(.changeNode(pool: "p", node: "b00/d001/n01", action: .uncordon))
        #expect(harness.placement(of: "a")?.tier == .domain)
        #expect(harness.engine.nextDeadline == nil)
    }

    @Test("Without patience a larger tier is taken at once, and the smaller one where there is a choice")
    func noPatience() {
        var harness = Self.broken()
        Self.submit("a", to: &harness, patienceSeconds: 0)
        #expect(harness.placement(of: "a")?.tier == .block)
        #expect(harness.placement(of: "a")?.cost.topology ?? 0 > 0)
        harness.run(.cancel(id: "a"))
        harness.run(.changeNode(pool: "p", node: "b00/d001/n01", action: .uncordon))
        Self.submit("b", to: &harness, patienceSeconds: 0)
        #expect(harness.placement(of: "b")?.tier == .domain)
        #expect(harness.placement(of: "b")?.cost.topology == 0)
    }

    @Test("Any command, even one that is refused, moves what is due and tries it, in order of the queue")
    func anyCommand() {
        var harness = Self.broken()
        Self.submit("late", to: &harness, patienceSeconds: 60)
        Self.submit("early", to: &harness, patienceSeconds: 10)
        harness.run(.cancel(id: "nobody"), afterSeconds: 100)
        // Both are due, only one fits: the one that came first.
        let isPending = harness.engine.hasPendingWork
        #expect(!isPending)
        #expect(harness.state(of: "late") == .placed)
        #expect(harness.state(of: "early") == .queued)
    }

    @Test("Jobs whose patience ends at one moment all settle at that moment")
    func together() {
        var settings = EngineSettings()
        settings.reservations = 0
        var harness = Self.broken(settings: settings)
        for number in 0..<5 {
            Self.submit("j\(number)", to: &harness, patienceSeconds: 100 - 2 * number)
            Self.submit("other\(number)", to: &harness, patienceSeconds: 500)
        }
        for number in 0..<5 { harness.run(.cancel(id: "other\(number)")) }
        harness.run(.resume, afterSeconds: 100)
        #expect(harness.engine.nextDeadline == nil)
        for number in 0..<5 {
            #expect(harness.state(of: "j\(number)") == .placed)
            harness.run(.cancel(id: "j\(number)"))
        }
    }

    @Test("A job that lost its place waits for its preferred tier again, from then on")
    func requeued() {
        var settings = EngineSettings()
        settings.repairGraceSeconds = 0
        var harness = Self.broken(settings: settings)
        Self.submit("a", to: &harness)
        harness.run(.resume, afterSeconds: 100)
        #expect(harness.state(of: "a") == .placed)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .down))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .up))
        #expect(harness.state(of: "a") == .queued)
        harness.run(.resume, afterSeconds: 98)
        #expect(harness.state(of: "a") == .queued)
        harness.run(.resume, afterSeconds: 1)
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A restart in the middle of the wait, and one after it was over, go on as if there had been none")
    func restart() throws {
        for seconds: Int64 in [50, 100, 200] {
            var live = Self.broken()
            Self.submit("a", to: &live)
            live.clock.advance(seconds: seconds)
            var again = try EngineHarness(image: live.engine.state.image, settings: EngineSettings(), clock: live.clock)
            #expect(again.engine.nextDeadline == live.engine.nextDeadline)
            for step: Int64 in [0, 49, 1, 60] {
                live.run(.resume, afterSeconds: step)
                again.run(.resume, afterSeconds: step)
                #expect(again.state(of: "a") == live.state(of: "a"), "after \(seconds) and \(step)")
                #expect(again.engine.state.digest == live.engine.state.digest)
                #expect(again.engine.nextDeadline == live.engine.nextDeadline)
            }
            #expect(live.state(of: "a") == .placed)
        }
    }

    @Test("Patient jobs that leave the queue before their time leave no deadline behind")
    func cancelled() {
        var harness = Self.broken()
        Self.submit("first", to: &harness, patienceSeconds: 1_000_000)
        for number in 0..<1000 {
            Self.submit("j\(number)", to: &harness, patienceSeconds: 1_000_000 + number)
            if number % 2 == 0 { harness.run(.cancel(id: "j\(number)")) }
        }
        for number in stride(from: 1, to: 1000, by: 2) { harness.run(.cancel(id: "j\(number)")) }
        let only = harness.engine.state.jobs["first"]?.life.queuedAt.nanoseconds
        #expect(harness.engine.nextDeadline?.nanoseconds == only.map { $0 + 1_000_000 * 1_000_000_000 })
        harness.run(.cancel(id: "first"))
        #expect(harness.engine.nextDeadline == nil)
    }

    @Test("A job that waits for its preferred tier keeps no pool from others; one that settled does")
    func holdsNothing() {
        var settings = EngineSettings()
        settings.placementsBeforeReservation = 1
        var harness = Self.broken(settings: settings)
        harness.submit("x")
        Self.submit("a", to: &harness)
        for number in 0..<3 {
            harness.submit("s\(number)")
            #expect(harness.state(of: "s\(number)") == .placed)
            harness.run(.cancel(id: "s\(number)"))
        }
        harness.run(.resume, afterSeconds: 100)
        harness.submit("last")
        #expect(harness.state(of: "last") == .queued)
        harness.run(.cancel(id: "x"))
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A waiting job is told that it would fit what it requires, and until when it waits")
    func explained() throws {
        var harness = Self.broken()
        Self.submit("a", to: &harness)
        var explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.waitingForPreferred])
        #expect(explanation.tier == .domain)
        #expect(explanation.settlesAt == harness.engine.nextDeadline)
        #expect(explanation.blockers[0].workersThatFit == 2 && explanation.blockers[0].tier == .pool)
        #expect(explanation.couldEverFit)
        // Where even the required tier has no room, that is the reason.
        harness.submit("x")
        explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.capacityBusy])
        #expect(explanation.blockers[0].workersThatFit == 1 && explanation.tier == .domain)
        harness.run(.resume, afterSeconds: 100)
        explanation = try ReadingTests.explain(&harness, "a")
        #expect(explanation.blockers.map(\.reason) == [.capacityBusy])
        #expect(explanation.settlesAt == nil && explanation.tier == .pool)
    }

    @Test("Patience beyond the end of time lasts for ever")
    func endOfTime() {
        var harness = Self.broken()
        harness.clock.advance(nanoseconds: .max - harness.clock.now.nanoseconds - 2_000_000_000)
        Self.submit("a", to: &harness, patienceSeconds: Bounds.patienceSeconds)
        #expect(harness.engine.nextDeadline?.nanoseconds == .max)
    }
}
