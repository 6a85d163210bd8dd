// Jobs that wait for the ends of others: met, failed, in chains, over restarts, and after what they waited for is forgotten.

import Engine
import Model
import TestKit
import Testing

@Suite struct DependencyTests {
    static func submit(
        _ id: String, after: [(String, DependencyCondition)], to harness: inout EngineHarness
    ) -> Outcome {
        GateTests.submit(id, to: &harness) { spec in
            spec.after = after.map { Dependency(job: $0.0, condition: $0.1) }
        }
    }

    static func message(_ harness: borrowing EngineHarness, _ id: String) -> String? {
        harness.engine.state.jobs[id]?.life.message
    }

    @Test(
        "A job starts when what it waits for has ended as asked, and fails when it ends otherwise",
        arguments: [
            (DependencyCondition.succeeded, JobEnd.succeeded, true), (.succeeded, .failed, false),
            (.succeeded, .cancelled, false), (.any, .succeeded, true), (.any, .failed, true), (.any, .cancelled, true),
        ])
    func conditions(condition: DependencyCondition, end: JobEnd, isMet: Bool) {
        // Judged when the other ends, and at once where it has ended before.
        for isLate in [false, true] {
            var harness = GateTests.harness()
            harness.submit("first")
            if !isLate { _ = Self.submit("a", after: [("first", condition)], to: &harness) }
            harness.run(.start(id: "first"))
            if end == .cancelled { harness.run(.cancel(id: "first")) }
            harness.run(.finish(id: "first", end: end, message: ""))
            if isLate { _ = Self.submit("a", after: [("first", condition)], to: &harness) }
            #expect(harness.state(of: "a") == (isMet ? .placed : .failed))
            #expect(harness.engine.state.jobs["a"]?.life.endCause == (isMet ? nil : .dependencyFailed))
            if !isMet {
                let ended = end == .failed ? "failed" : "was cancelled"
                #expect(
                    Self.message(harness, "a") == "It was to follow job 'first' once that succeeded, and it \(ended).")
            }
        }
    }

    @Test("Jobs that are not there are all named, with the other mistakes of the job")
    func unknown() {
        var harness = GateTests.harness()
        harness.submit("first")
        let outcome = GateTests.submit("a", to: &harness) { spec in
            spec.after = ["x", "first", "a"].map { Dependency(job: $0) }
            spec.priorityClass = "nobody"
        }
        #expect(
            GateTests.refusal(outcome)
                == .invalidJob([
                    .unknownPriorityClass(name: "nobody"), .unknownDependency(index: 0, id: "x"),
                    .unknownDependency(index: 2, id: "a"),
                ]))
        #expect(harness.state(of: "a") == nil)
    }

    @Test("In a batch a later job may wait for an earlier one, and not the other way round")
    func batch() {
        var harness = GateTests.harness()
        let group = WorkerGroup(count: 1, demand: Demand(gpus: 8))
        func spec(_ id: String, _ after: String) -> JobSpec {
            JobSpec(id: id, workers: [group], after: after.isEmpty ? [] : [Dependency(job: after)])
        }
        guard case .batch(let outcomes) = harness.run(.submitBatch([spec("b", "a"), spec("a", ""), spec("c", "a")]))
        else {
            Issue.record("no batch came back")
            return
        }
        #expect(GateTests.refusal(outcomes[0]) == .invalidJob([.unknownDependency(index: 0, id: "a")]))
        #expect(harness.state(of: "a") == .placed && harness.state(of: "c") == .queued)
        harness.complete("a")
        #expect(harness.state(of: "c") == .placed)
    }

    @Test("A failure goes down a long chain and a wide fan in steps of a bounded size, by rising number")
    func cascade() {
        for budget in [1, 7, 1000] {
            var harness = GateTests.harness {
                $0.placementsPerCommand = budget
                $0.limits.endedJobs = 1_000_000
            }
            harness.submit("j0")
            for number in 1..<2500 {
                // A chain of all even ones, and each odd one waits for the first.
                _ = Self.submit(
                    "j\(number)", after: [(number % 2 == 0 ? "j\(number - 2)" : "j0", .succeeded)], to: &harness)
            }
            harness.run(.cancel(id: "j0"))
            let most = harness.transactions.last?.facts.count ?? 0
            #expect(most <= 2 * min(budget, 1000) + 2, "\(most)")
            harness.settle()
            #expect(harness.engine.state.count(of: .failed) == 2499)
            let ends = harness.transactions.flatMap(\.facts).compactMap { fact in
                if case .jobEnded(let number, .failed, .dependencyFailed, _) = fact { number.value } else { nil }
            }
            // First all that wait for the first job, then down the chain.
            let expected =
                [2, 3] + Array(stride(from: UInt64(4), through: 2500, by: 2))
                + Array(stride(from: 5, through: 2499, by: 2))
            #expect(ends == expected)
            let fault = harness.engine.firstDisagreement()
            #expect(fault == nil)
            let isPending = harness.engine.hasPendingWork
            #expect(!isPending)
        }
    }

    @Test("A job is not forgotten before all that wait for it are judged, and afterwards they go on without it")
    func forgotten() throws {
        var harness = GateTests.harness {
            $0.limits.endedJobs = 0
            $0.placementsPerCommand = 1
        }
        harness.submit("first")
        harness.submit("second")
        for number in 0..<5 {
            _ = Self.submit("a\(number)", after: [("first", .any), ("second", .any)], to: &harness)
        }
        harness.run(.cancel(id: "first"))
        #expect(harness.state(of: "first") == .cancelled, "only some of those that wait were told")
        harness.settle()
        #expect(harness.state(of: "first") == nil)
        #expect(GateTests.gates(harness, "a3") == [.after(["second"])])
        var again = try EngineHarness(
            image: harness.engine.state.image, settings: harness.engine.settings, clock: harness.clock)
        // Another job under the forgotten one's name is not waited for.
        again.submit("first")
        again.run(.cancel(id: "second"))
        again.settle()
        for number in 0..<5 { #expect(again.state(of: "a\(number)") != .failed) }
        #expect(again.state(of: "a0") == .placed)
    }

    @Test("A restart while jobs wait to be judged judges them as the live engine does")
    func restart() throws {
        var live = GateTests.harness { $0.placementsPerCommand = 1 }
        live.submit("first")
        for number in 0..<6 {
            _ = Self.submit("a\(number)", after: [("first", number % 2 == 0 ? .any : .succeeded)], to: &live)
        }
        live.run(.cancel(id: "first"))
        let isPending = live.engine.hasPendingWork
        #expect(isPending)
        var again = try EngineHarness(image: live.engine.state.image, settings: live.engine.settings, clock: live.clock)
        let before = live.transactions.count
        live.settle()
        again.settle()
        #expect(live.transactions.dropFirst(before).elementsEqual(again.transactions))
        #expect((0..<6).map { live.state(of: "a\($0)") == .failed } == [false, true, false, true, false, true])
    }
}
