// The life of a job: what each action does in each state, and what is refused and changes nothing.

import Engine
import Model
import TestKit
import Testing

@Suite struct LifeTests {
    /// A harness with one node and job `a` in `state`.
    static func harness(_ state: JobState) -> EngineHarness {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 1)))
        if state == .queued { harness.run(.changeNode(pool: "p", node: node, action: .cordon)) }
        harness.submit("a")
        switch state {
        case .queued, .placed: break
        case .running: harness.run(.start(id: "a"))
        case .succeeded: harness.complete("a")
        case .failed:
            harness.run(.start(id: "a"))
            harness.run(.finish(id: "a", end: .failed, message: "broke"))
        case .cancelled: harness.run(.cancel(id: "a"))
        case .preempting: preconditionFailure("what leaves does not leave alone: see PreemptionTests")
        case .repairing: preconditionFailure("what lost all workers is not repaired: see RepairTests")
        }
        return harness
    }

    static let node = "b00/d000/n00"

    enum Action: String, CaseIterable {
        case start, cancel, succeed, fail, drain, down

        var command: Command {
            switch self {
            case .start: .start(id: "a")
            case .cancel: .cancel(id: "a")
            case .succeed: .finish(id: "a", end: .succeeded, message: "")
            case .fail: .finish(id: "a", end: .failed, message: "broke")
            case .drain: .changeNode(pool: "p", node: LifeTests.node, action: .drain)
            case .down: .changeNode(pool: "p", node: LifeTests.node, action: .down)
            }
        }
    }

    /// The state after each action, or nil where it is refused.
    static func expected(_ state: JobState, _ action: Action) -> JobState? {
        switch (state, action) {
        case (.placed, .start), (.running, .start): .running
        case (_, .start): nil
        case (.queued, .cancel), (.placed, .cancel), (.running, .cancel), (.cancelled, .cancel): .cancelled
        case (_, .cancel): nil
        case (.running, .succeed), (.succeeded, .succeed): .succeeded
        case (_, .succeed): nil
        case (.running, .fail), (.failed, .fail): .failed
        case (_, .fail): nil
        case (.placed, .drain), (.placed, .down), (.running, .down): .queued
        case (_, .drain), (_, .down): state
        }
    }

    @Test(
        "Each action does in each state what the table says",
        arguments: JobState.allCases.filter { $0 != .preempting && $0 != .repairing },
        Action.allCases)
    func table(state: JobState, action: Action) throws {
        var harness = Self.harness(state)
        #expect(harness.state(of: "a") == state)
        let before = harness.engine.state
        let old = try #require(before.jobs["a"])
        let outcome = harness.run(action.command)
        let after = harness.engine.state
        let job = try #require(after.jobs["a"])
        guard let expected = Self.expected(state, action) else {
            guard case .refused(.illegalTransition("a", state, _)) = outcome else {
                Issue.record("\(action) of a \(state) job: \(outcome)")
                return
            }
            #expect(after.digest == before.digest)
            #expect(job === old)
            return
        }
        #expect(job.state == expected)
        if case .refused(let refusal) = outcome { Issue.record("refused: \(refusal)") }
        let isNodeAction = action == .drain || action == .down
        if expected == state {
            // Harmless: the same answer, and no fact about the job.
            #expect(job === old)
            if !isNodeAction { #expect(after.revision == before.revision) }
            if case .job(let answer, let created) = outcome {
                #expect(answer === old)
                #expect(!created)
            }
            return
        }
        // One fact for the job's transition, after the node's own.
        #expect(after.revision == before.revision + (isNodeAction ? 2 : 1))
        #expect(job.life.revision == after.revision)
        let at = harness.clock.now
        switch expected {
        case .running: #expect(job.life.startedAt == at)
        case .queued:
            #expect(job.life.queuedAt == at)
            #expect(job.life.placedAt == nil && job.life.startedAt == nil && job.life.placement == nil)
            #expect(job.life.requeues == 1)
            #expect(job.life.lastRequeue == (action == .drain ? .nodeDraining : .nodeDown))
        case .placed, .preempting, .repairing: Issue.record("nothing leads to \(expected) here")
        case .succeeded, .failed, .cancelled:
            #expect(job.life.endedAt == at)
            #expect(job.life.placement == old.life.placement)
        }
        #expect(job.life.submittedAt == old.life.submittedAt)
    }

    @Test("A job that lost its node is placed again by the same command where another node is free")
    func requeueAndReplace() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a")
        harness.run(.start(id: "a"))
        let facts = harness.facts(of: .changeNode(pool: "p", node: Self.node, action: .down))
        #expect(facts.count == 3)
        if case .jobRequeued(_, .nodeDown) = facts[1] {} else { Issue.record("\(facts)") }
        if case .jobPlaced = facts[2] {} else { Issue.record("\(facts)") }
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A gang on three nodes is requeued whole when one of them goes down and repair is switched off")
    func wholeGangRequeued() {
        var settings = EngineSettings()
        settings.repairGraceSeconds = 0
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: 3)))
        harness.submit("a", workers: 3)
        harness.submit("b", workers: 1)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .down))
        #expect(harness.state(of: "a") == .queued)
        #expect(harness.state(of: "b") == .placed)
        harness.run(.changeNode(pool: "p", node: "b00/d000/n01", action: .up))
        harness.run(.cancel(id: "b"))
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A running job on a drained node finishes there, and the node takes nothing new until uncordoned")
    func drainKeepsRunning() {
        var harness = Self.harness(.running)
        harness.run(Action.drain.command)
        harness.run(Action.succeed.command)
        harness.submit("b")
        #expect(harness.state(of: "b") == .queued)
        harness.run(.changeNode(pool: "p", node: Self.node, action: .uncordon))
        #expect(harness.state(of: "b") == .placed)
    }

    @Test("A node that was cordoned comes up cordoned, and refuses to be drained while it is down")
    func cordonedDown() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 1)))
        for action in [NodeAction.cordon, .down] {
            harness.run(.changeNode(pool: "p", node: Self.node, action: action))
        }
        let refused = harness.run(.changeNode(pool: "p", node: Self.node, action: .drain))
        guard case .refused(.illegalNodeTransition(_, .downCordoned, .drain)) = refused else {
            Issue.record("\(refused)")
            return
        }
        harness.run(.changeNode(pool: "p", node: Self.node, action: .up))
        harness.submit("a")
        #expect(harness.state(of: "a") == .queued)
        let states = harness.engine.state.pools[0].nodeStates
        #expect(states == [.cordoned])
    }

    @Test("What is not there is refused by name and changes nothing")
    func notFound() {
        var harness = Self.harness(.placed)
        let digest = harness.engine.state.digest
        let commands: [(Command, Refusal)] = [
            (.start(id: "x"), .jobNotFound(id: "x")), (.cancel(id: "x"), .jobNotFound(id: "x")),
            (.finish(id: "x", end: .failed, message: ""), .jobNotFound(id: "x")),
            (.deletePool(name: "x"), .poolNotFound(name: "x")),
            (.changeNode(pool: "x", node: Self.node, action: .down), .poolNotFound(name: "x")),
            (.changeNode(pool: "p", node: "b0/d0/n0", action: .down), .nodeNotFound(pool: "p", node: "b0/d0/n0")),
            (.deletePool(name: "p"), .poolInUse(name: "p", jobs: 1)),
        ]
        for (command, refusal) in commands {
            let outcome = harness.run(command)
            if case .refused(refusal) = outcome {} else { Issue.record("\(command): \(outcome)") }
            #expect(harness.engine.state.digest == digest)
        }
    }

    // MARK: Ids and limits

    @Test("The same id with the same body is the same job, with another body it is refused")
    func idempotentSubmit() {
        var harness = Self.harness(.running)
        let before = harness.engine.state.digest
        if case .job(let job, false) = harness.submit("a") {
            #expect(job.state == .running)
        } else {
            Issue.record("not the same job")
        }
        if case .refused(.idInUse("a")) = harness.submit("a", priority: 1) {} else { Issue.record("not refused") }
        #expect(harness.engine.state.digest == before)
    }

    @Test("A job without an id gets one that is free")
    func freshIDs() {
        var harness = EngineHarness()
        harness.submit("job-2")
        guard case .job(let job, true) = harness.submit("") else { return }
        #expect(job.id == "job-2-1")
        guard case .job(let next, true) = harness.submit("") else { return }
        #expect(next.id == "job-3")
    }

    @Test("Limits refuse by name and change nothing; a known shape still enters")
    func limits() {
        var settings = EngineSettings()
        settings.limits.liveJobs = 5
        settings.limits.queuedShapes = 3
        settings.queuedDemands = 2
        var harness = EngineHarness(settings: settings)
        func expectRefused(_ outcome: Outcome, _ name: String, _ limit: Int) {
            if case .refused(.limitReached(name, limit)) = outcome {} else { Issue.record("\(name): \(outcome)") }
        }
        harness.submit("a", gpus: 1)
        harness.submit("b", gpus: 2)
        expectRefused(harness.submit("c", gpus: 4), "limits.queuedDemands", 2)
        harness.submit("d", gpus: 1, workers: 2)
        let digest = harness.engine.state.digest
        expectRefused(harness.submit("e", gpus: 1, workers: 3), "limits.queuedShapes", 3)
        #expect(harness.engine.state.digest == digest)
        harness.submit("f", gpus: 1)
        harness.submit("g", gpus: 1)
        expectRefused(harness.submit("h", gpus: 1), "limits.liveJobs", 5)
        #expect(harness.engine.state.liveJobs == 5)
        harness.run(.cancel(id: "b"))
        harness.submit("i", gpus: 4)
        #expect(harness.state(of: "i") == .queued)
    }

    @Test("Ended jobs beyond the limit are forgotten first ended first, and the answer still shows the end")
    func forgetting() {
        var settings = EngineSettings()
        settings.limits.endedJobs = 2
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p")))
        for id in ["a", "b", "c"] { harness.submit(id) }
        for id in ["b", "a", "c"] { harness.complete(id) }
        #expect(harness.state(of: "b") == nil)
        #expect(harness.state(of: "a") == .succeeded)
        settings.limits.endedJobs = 0
        var none = EngineHarness(settings: settings)
        none.run(.putPool(.sample("p")))
        none.submit("a")
        none.run(.start(id: "a"))
        guard case .job(let job, _) = none.run(.finish(id: "a", end: .failed, message: "x")) else { return }
        #expect(job.state == .failed)
        #expect(none.state(of: "a") == nil)
    }

    @Test("Time never goes back, whatever the clock says")
    func monotoneTime() {
        var harness = EngineHarness()
        harness.submit("a")
        let first = harness.engine.state.at
        let (_, transaction) = harness.engine.decide(.cancel(id: "a"), at: Timestamp(nanoseconds: 5))
        #expect(transaction?.at == first)
    }
}
