// Jobs that time ends: those that waited as long as they may, and those that can no longer meet their deadline.

import Engine
import Model
import TestKit
import Testing

@Suite struct WaitTests {
    static func life(_ harness: borrowing EngineHarness, _ id: String) -> JobLife? {
        harness.engine.state.jobs[id]?.life
    }

    /// A pool that is full, and a job that waits for it.
    static func waiting(_ change: (inout JobSpec) -> Void) -> EngineHarness {
        var harness = GateTests.harness()
        harness.submit("full", workers: 4)
        _ = GateTests.submit("a", to: &harness, change)
        return harness
    }

    @Test("A job that waited as long as it may fails to the nanosecond, and says what stood in the way")
    func maxWait() {
        var harness = Self.waiting { $0.maxWaitSeconds = 100 }
        harness.clock.advance(seconds: 99, nanoseconds: 999_999_999)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .queued)
        #expect(harness.engine.nextDeadline?.nanoseconds(since: harness.clock.now) == 1)
        harness.clock.advance(nanoseconds: 1)
        harness.run(.resume, afterSeconds: 0)
        #expect(harness.state(of: "a") == .failed && Self.life(harness, "a")?.endCause == .maxWait)
        #expect(
            Self.life(harness, "a")?.message
                == "It was queued for 100 seconds, its maxWaitSeconds. 1 pool is too full: 'p' has room for 0 of 1 workers now. The job is placed as soon as enough ends there."
        )
        #expect(harness.engine.nextDeadline == nil)
    }

    @Test("Time before notBefore does not count, time spent held does")
    func whatCounts() {
        var harness = GateTests.harness()
        let moment = harness.clock.now.adding(seconds: 51)
        _ = GateTests.submit("early", to: &harness) {
            $0.notBefore = moment
            $0.hold = true
            $0.maxWaitSeconds = 10
        }
        harness.run(.resume, afterSeconds: 59)
        #expect(harness.state(of: "early") == .queued)
        harness.run(.resume, afterSeconds: 1)
        #expect(Self.life(harness, "early")?.endCause == .maxWait)
        #expect(Self.life(harness, "early")?.message.contains("is held until") == true)
    }

    @Test("A message with many reasons ends with the last sentence that there is room for")
    func longMessage() throws {
        func long(_ name: String) -> String { name + String(repeating: "x", count: 120) }
        var harness = EngineHarness()
        for (name, nodes, gpus) in [("busy", 4, 8), ("cordoned", 2, 8), ("small", 1, 8), ("thin", 2, 4)] {
            harness.run(.putPool(.sample(long(name), nodes: nodes, gpus: gpus)))
        }
        for node in 0..<2 {
            harness.run(.changeNode(pool: long("cordoned"), node: "b00/d000/n0\(node)", action: .cordon))
        }
        let names = (0..<30).map { long("\($0)") }
        for name in names { harness.submit(name, gpus: 1, allow: PlaceList(pools: [long("busy")])) }
        _ = GateTests.submit("a", to: &harness, workers: 2) {
            $0.hold = true
            $0.after = names.map { Dependency(job: $0) }
            $0.maxWaitSeconds = 10
        }
        let explanation = try ReadingTests.explain(&harness, "a")
        let job = try #require(harness.engine.state.jobs["a"])
        let sentences = explanation.sentences(of: job)
        try #require(sentences.joined(separator: " ").utf8.count > Bounds.messageBytes)
        harness.run(.resume, afterSeconds: 10)
        let message = Self.life(harness, "a")?.message ?? ""
        #expect(message.utf8.count <= Bounds.messageBytes && message.contains("and 27 more."))
        #expect(sentences.dropFirst().contains { message.hasSuffix(" " + $0) })
    }

    @Test(
        "A job that was placed in time and comes back to the queue later waits on; one that comes back before does not")
    func requeued() {
        for seconds: Int64 in [5, 50] {
            var harness = GateTests.harness()
            _ = GateTests.submit("a", to: &harness, workers: 4) { $0.maxWaitSeconds = 20 }
            harness.run(.changePlace(pool: "p", place: .pool, action: .down), afterSeconds: seconds)
            #expect(harness.state(of: "a") == .queued)
            harness.run(.resume, afterSeconds: 1000)
            #expect(harness.state(of: "a") == (seconds < 20 ? .failed : .queued))
        }
    }

    @Test("A deadline that cannot be met even at once is refused, with the earliest that could be met")
    func refused() {
        var harness = GateTests.harness()
        let now = harness.clock.now.adding(seconds: 1)
        func submit(_ deadline: Int, runtime: Int?, notBefore: Int? = nil) -> Refusal? {
            harness.clock = ManualClock(now.adding(seconds: -1))
            return GateTests.refusal(
                GateTests.submit("", to: &harness) {
                    $0.deadline = now.adding(seconds: deadline)
                    $0.maxRuntimeSeconds = runtime
                    $0.notBefore = notBefore.map { now.adding(seconds: $0) }
                })
        }
        func early(_ deadline: Int, _ earliest: Int) -> Refusal {
            .invalidJob([
                .deadlineTooEarly(
                    deadline: now.adding(seconds: deadline), earliestEnd: now.adding(seconds: earliest))
            ])
        }
        #expect(submit(99, runtime: 100) == early(99, 100))
        #expect(submit(100, runtime: 100) == nil)
        #expect(submit(-1, runtime: nil) == early(-1, 0))
        #expect(submit(0, runtime: nil) == nil)
        #expect(submit(149, runtime: 100, notBefore: 50) == early(149, 150))
        #expect(submit(150, runtime: 100, notBefore: 50) == nil)
    }

    @Test("A queued job fails once it can no longer meet its deadline; one that runs is left alone")
    func missed() {
        for runtime in [nil, 100] {
            var harness = GateTests.harness()
            let deadline = harness.clock.now.adding(seconds: 302)
            harness.submit("full", workers: 3)
            for id in ["runs", "waits"] {
                _ = GateTests.submit(id, to: &harness) {
                    $0.deadline = deadline
                    $0.maxRuntimeSeconds = runtime
                }
            }
            harness.run(.start(id: "runs"))
            let last = deadline.adding(seconds: -(runtime ?? 0))
            harness.clock.advance(nanoseconds: last.nanoseconds(since: harness.clock.now))
            harness.run(.resume, afterSeconds: 0)
            #expect(harness.state(of: "waits") == .queued)
            harness.clock.advance(nanoseconds: 1)
            harness.run(.resume, afterSeconds: 0)
            #expect(harness.state(of: "waits") == .failed && harness.state(of: "runs") == .running)
            #expect(Self.life(harness, "waits")?.endCause == .deadlineMissed)
            #expect(Self.life(harness, "waits")?.message.contains(deadline.exact) == true)
        }
    }

    @Test("What time has brought comes before what is asked, and shows in the answer")
    func before() {
        var harness = Self.waiting { $0.maxWaitSeconds = 10 }
        let outcome = harness.run(.cancel(id: "a"), afterSeconds: 10)
        #expect(GateTests.refusal(outcome) == .illegalTransition(id: "a", state: .failed, action: "cancel"))
        // A job is not placed in the very command that finds it too late.
        var other = Self.waiting { $0.maxWaitSeconds = 10 }
        other.run(.cancel(id: "full"), afterSeconds: 10)
        #expect(other.state(of: "a") == .failed)
    }

    @Test("Jobs that time ends all at once are ended in steps of a bounded size, and nothing is placed before")
    func many() {
        var harness = GateTests.harness { $0.placementsPerCommand = 10 }
        harness.submit("full", workers: 4)
        let end = harness.clock.now.adding(seconds: 500)
        for number in 0..<100 {
            _ = GateTests.submit("j\(number)", to: &harness) {
                $0.deadline = end
                $0.notBefore = end.adding(seconds: -number - 1)
            }
        }
        harness.clock.advance(nanoseconds: end.nanoseconds(since: harness.clock.now) + 1)
        harness.run(.cancel(id: "full"), afterSeconds: 0)
        #expect(harness.engine.state.placements == 1)
        let steps = harness.settle()
        #expect(steps >= 8)
        #expect(harness.engine.state.count(of: .failed) == 100)
        #expect(harness.engine.nextDeadline == nil)
    }

    @Test("Timers of jobs that left before their time are let go")
    func timersLeave() {
        var harness = Self.waiting { $0.maxWaitSeconds = 1_000_000 }
        let first = harness.engine.nextDeadline
        for number in 0..<500 {
            _ = GateTests.submit("j\(number)", to: &harness) { $0.maxWaitSeconds = 900_000 + number }
            if number % 2 == 0 { harness.run(.cancel(id: "j\(number)")) }
        }
        for number in stride(from: 1, to: 500, by: 2) { harness.run(.cancel(id: "j\(number)")) }
        #expect(harness.engine.nextDeadline == first)
        harness.run(.cancel(id: "a"))
        #expect(harness.engine.nextDeadline == nil)
    }
}
