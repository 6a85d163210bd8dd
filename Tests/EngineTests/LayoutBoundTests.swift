// That many gangs which have room group by group but not together hold up no other command.

import Engine
import Model
import TestKit
import Testing

@Suite struct LayoutBoundTests {
    /// Four free GPUs on each of four nodes in many domains hold one worker of three GPUs each, and then none of two.
    private static func harness(gangs: Int) -> EngineHarness {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 320)))
        var half = WorkerGroup(name: "w", count: 1280, demand: Demand(gpus: 4, cpuMillis: 1000, memoryMiB: 1))
        half.spread.workersPerNode = 1
        harness.submit("half", [half])
        for number in 0..<gangs {
            let groups = [(2, 3), (2, 3), (2, 2)].enumerated().map { at, group in
                WorkerGroup(
                    name: "g\(at)", count: group.0,
                    demand: Demand(gpus: group.1, cpuMillis: 1000 + number * 3 + at, memoryMiB: 1))
            }
            harness.submit("a\(number)", groups) { $0.scope = Scope(.domain) }
        }
        return harness
    }

    @Test("A command spends so much on layouts whether they come to stand or not, and the next ones go on")
    func wake() throws {
        var harness = Self.harness(gangs: 9)
        #expect(harness.state(of: "half") == .placed)
        harness.settle()
        // Nine gangs are tried again, the work of three or four for each command.
        var before = harness.engine.layoutWork
        harness.run(.putPool(.sample("q", domains: 1, nodes: 1)))
        var resumes = 0
        var most: UInt64 = 0
        while true {
            most = max(most, harness.engine.layoutWork - before)
            before = harness.engine.layoutWork
            if !harness.engine.hasPendingWork { break }
            harness.run(.resume, afterSeconds: 0)
            resumes += 1
        }
        #expect(most < Engine.layoutWorkPerCommand + 1 << 20)
        #expect((1...9).contains(resumes))
        for number in 0..<9 { #expect(harness.state(of: "a\(number)") == .queued) }
        let explanation = try ReadingTests.explain(&harness, "a0")
        #expect(explanation.blockers.map(\.reason) == [.capacityBusy, .gangTooLarge])
        harness.run(.cancel(id: "half"))
        harness.settle()
        for number in 0..<9 { #expect(harness.state(of: "a\(number)") == .placed) }
        let fault = harness.engine.firstDisagreement()
        #expect(fault == nil)
    }

    @Test("To explain a gang in many pools costs no more layouts than a command may")
    func explain() throws {
        var harness = Self.harness(gangs: 1)
        for number in 0..<6 {
            harness.run(.putPool(.sample("more\(number)", domains: 320)))
            var half = WorkerGroup(name: "w", count: 1280, demand: Demand(gpus: 4, cpuMillis: 1000, memoryMiB: 1))
            half.spread.workersPerNode = 1
            harness.run(.cancel(id: "a0"))
            harness.submit("half\(number)", [half]) { $0.allow = PlaceList(pools: ["more\(number)"]) }
        }
        let groups = [(2, 3), (2, 3), (2, 2)].enumerated().map { at, group in
            WorkerGroup(
                name: "g\(at)", count: group.0, demand: Demand(gpus: group.1, cpuMillis: 1000 + at, memoryMiB: 1))
        }
        harness.submit("b", groups) { $0.scope = Scope(.domain) }
        harness.settle()
        let before = harness.engine.layoutWork
        let explanation = try ReadingTests.explain(&harness, "b")
        #expect(explanation.blockers.map(\.reason) == [.capacityBusy])
        let work = harness.engine.layoutWork - before
        #expect(work > 1 << 20 && work < Engine.layoutWorkPerCommand + 1 << 20)
    }
}
