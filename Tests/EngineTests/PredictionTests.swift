// When a waiting job is predicted to start, in situations built for it: behind one that has a place kept, behind many of its like,
// behind other shapes, and where nobody can say.

import Engine
import Model
import TestKit
import Testing

@Suite struct PredictionTests {
    static func read(_ harness: inout EngineHarness, _ id: String) throws -> StartReading {
        let job = try #require(harness.engine.state.jobs[id])
        let couldEverFit = harness.engine.explain(job).couldEverFit
        return try #require(harness.engine.predictStarts([(job, couldEverFit)], at: harness.clock.now).first)
    }

    /// Seconds from now to the two ends of the range.
    static func range(_ harness: inout EngineHarness, _ id: String) throws -> [Int] {
        let range = try #require(read(&harness, id).range, "\(id)")
        return [range.earliest, range.latest].map { Int($0.nanoseconds(since: harness.clock.now) / 1_000_000_000) }
    }

    static func none(_ harness: inout EngineHarness, _ id: String) throws -> NoStart? {
        if case .none(let none) = try read(&harness, id).start { none } else { nil }
    }

    @Test("A job with a place kept is predicted to start there, and when that moved is told")
    func kept() throws {
        var harness = ReservationTests.harness()
        ReservationTests.submit("a", nodes: 4, seconds: 100, to: &harness)
        ReservationTests.submit("head", nodes: 1, seconds: 50, to: &harness)
        let reading = try Self.read(&harness, "head")
        #expect(try Self.range(&harness, "head") == [99, 99])
        #expect(reading.range?.isAssumed == false && reading.movedAt == harness.clock.now)
        #expect(reading.position?.inItsPools == 0 && reading.position?.overall == 0)
        #expect(reading.position?.ahead == [])
    }

    @Test(
        "Without places that are kept the first in the queue is predicted to start when enough has ended",
        arguments: [0, 32])
    func alone(reservations: Int) throws {
        var harness = ReservationTests.harness { $0.reservations = reservations }
        ReservationTests.submit("a", nodes: 2, seconds: 100, to: &harness)
        ReservationTests.submit("b", nodes: 1, seconds: 300, to: &harness)
        ReservationTests.submit("head", nodes: 4, seconds: 50, to: &harness)
        #expect(try Self.range(&harness, "head") == [299, 299])
    }

    @Test(
        "Of many that ask for the same each starts no sooner than the one before it, and once all before it had their time"
    )
    func likes() throws {
        var harness = ReservationTests.harness { $0.reservations = 2 }
        ReservationTests.submit("a", nodes: 4, seconds: 100, to: &harness)
        for number in 0..<12 { ReservationTests.submit("w\(number)", nodes: 1, seconds: 1000, to: &harness) }
        var last = [0, 0]
        for number in 0..<12 {
            let range = try Self.range(&harness, "w\(number)")
            #expect(range[0] >= last[0] && range[1] >= range[0], "w\(number)")
            last = range
            let position = try #require(Self.read(&harness, "w\(number)").position)
            #expect(position.overall == number && position.inItsPools == number)
            #expect(position.ahead == (0..<min(5, number)).map { "w\($0)" })
        }
        // Four run at once from second 88 on: eight of them take two thousand seconds, if nobody ends sooner.
        #expect(try Self.range(&harness, "w8")[0] > 88 + 1000)
        #expect(try Self.range(&harness, "w11")[1] >= 88 + 2000)
        #expect(try Self.range(&harness, "w11")[1] < 88 + 6000)
    }

    @Test("Other shapes ahead count for the latest start where they may use the same pools, and not elsewhere")
    func others() throws {
        var harness = ReservationTests.harness { $0.reservations = 1 }
        harness.run(.putPool(.sample("q", nodes: 1, accelerator: "b200")))
        ReservationTests.submit("a", nodes: 4, seconds: 100, to: &harness) { $0.accelerators = [Accelerator("h100")] }
        ReservationTests.submit("b", nodes: 1, seconds: 100, to: &harness) { $0.accelerators = [Accelerator("b200")] }
        ReservationTests.submit("head", nodes: 4, seconds: 500, to: &harness) {
            $0.accelerators = [Accelerator("h100")]
        }
        ReservationTests.submit("elsewhere", nodes: 1, seconds: 5000, to: &harness) {
            $0.accelerators = [Accelerator("b200")]
        }
        ReservationTests.submit("mine", nodes: 2, seconds: 10, to: &harness) { $0.accelerators = [Accelerator("h100")] }
        let reading = try Self.read(&harness, "mine")
        #expect(reading.position?.inItsPools == 1 && reading.position?.overall == 2)
        #expect(reading.position?.ahead == ["head"])
        let range = try Self.range(&harness, "mine")
        #expect(range[1] >= 96 + 500 && range[1] < 2000)
        harness.run(.cancel(id: "elsewhere"))
        #expect(try Self.read(&harness, "mine").position?.overall == 1)
    }

    @Test("In a long queue the place of a job is an estimate, and still says where it stands")
    func long() throws {
        var harness = ReservationTests.harness { $0.reservations = 0 }
        ReservationTests.submit("a", nodes: 4, seconds: 1000, to: &harness)
        // Nine thousand lines of a job each.
        for tenant in 0..<600 {
            for priority in 1...15 {
                harness.submit("t\(tenant)p\(priority)", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) {
                    $0.tenant = "t\(tenant)"
                    $0.priority = priority
                    $0.maxRuntimeSeconds = 100
                }
            }
        }
        ReservationTests.submit("last", nodes: 1, seconds: 100, to: &harness)
        let reading = try Self.read(&harness, "last")
        let position = try #require(reading.position)
        #expect(position.isEstimate && position.ahead.isEmpty && reading.movedAt == nil)
        #expect(abs(position.overall - 9000) < 10 && position.inItsPools == position.overall)
        // Four at once.
        let range = try Self.range(&harness, "last")
        #expect(range[1] > 9000 / 4 * 100 && range[1] < 9000 / 2 * 128)
        let middle = try #require(Self.read(&harness, "t300p8").position)
        #expect(abs(middle.overall - 4500) < 500)
    }

    @Test("A higher priority goes before, wherever it stands by arrival")
    func priority() throws {
        var harness = ReservationTests.harness { $0.reservations = 1 }
        ReservationTests.submit("a", nodes: 4, seconds: 100, to: &harness)
        ReservationTests.submit("low", nodes: 3, seconds: 100, to: &harness)
        ReservationTests.submit("low2", nodes: 3, seconds: 100, to: &harness)
        let before = try Self.range(&harness, "low2")
        ReservationTests.submit("high", nodes: 3, seconds: 1000, priority: 9, to: &harness)
        #expect(try Self.read(&harness, "low2").position?.ahead == ["high", "low"])
        let after = try Self.range(&harness, "low2")
        #expect(after[1] >= before[1] + 1000 - 1)
        #expect(try Self.read(&harness, "low2").movedAt == harness.clock.now)
    }

    @Test("Limits that nobody said are assumed, and the range says so")
    func assumed() throws {
        var harness = ReservationTests.harness { $0.reservations = 0 }
        ReservationTests.submit("a", nodes: 4, to: &harness)
        ReservationTests.submit("b", nodes: 1, seconds: 10, to: &harness)
        #expect(try Self.read(&harness, "b").range?.isAssumed == true)
        #expect(try Self.range(&harness, "b") == [86_399, 86_399])
    }

    @Test("Where no start can be told it is said why")
    func nothing() throws {
        var harness = ReservationTests.harness()
        harness.submit("held", [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.hold = true }
        #expect(try Self.none(&harness, "held") == .gated)
        #expect(try Self.read(&harness, "held").position == nil)
        harness.submit("huge", workers: 5)
        #expect(try Self.none(&harness, "huge") == .neverFits)
        harness.run(.cancel(id: "huge"))
        var tenant = TenantSpec(path: "lab")
        tenant.quotas = [Quota(unit: .gpuMilli(accelerator: "h100"), nominal: 8000)]
        tenant.quotas[0].borrowLimit = 0
        harness.run(.putTenant(tenant))
        for id in ["q1", "q2"] {
            harness.submit(id, [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "lab" }
        }
        #expect(harness.state(of: "q1") == .placed)
        #expect(try Self.none(&harness, "q2") == .quotaUsedUp)
        var full = TenantSpec(path: "ops")
        full.maxRunningJobs = 1
        harness.run(.putTenant(full))
        for id in ["r1", "r2"] {
            harness.submit(id, [WorkerGroup(count: 1, demand: Demand(gpus: 8))]) { $0.tenant = "ops" }
        }
        #expect(try Self.none(&harness, "r2") == .tenantJobsAtLimit)
    }

    @Test("Where too few nodes are ready it is said, until they are back")
    func nodes() throws {
        var harness = ReservationTests.harness { $0.reservations = 0 }
        harness.run(.changePlace(pool: "p", place: .pool, action: .cordon))
        harness.submit("a")
        #expect(try Self.none(&harness, "a") == .nodesUnavailable)
        harness.run(.changePlace(pool: "p", place: .pool, action: .uncordon))
        #expect(harness.state(of: "a") == .placed)
    }

    @Test("A start counts by where it fell in the range that was told first")
    func told() throws {
        var harness = ReservationTests.harness()
        for id in ["a", "b"] { ReservationTests.submit(id, nodes: 4, seconds: 100, to: &harness) }
        ReservationTests.submit("c", nodes: 1, seconds: 10, to: &harness)
        for id in ["b", "c"] { _ = try Self.read(&harness, id) }
        harness.run(.start(id: "a"), afterSeconds: 0)
        harness.run(.finish(id: "a", end: .succeeded, message: ""), afterSeconds: 98)
        #expect(harness.state(of: "b") == .placed && harness.engine.work.predictedStarts.within == 1)
        harness.run(.cancel(id: "b"))
        #expect(harness.state(of: "c") == .placed && harness.engine.work.predictedStarts.before == 1)
        #expect(harness.engine.work.predictedStarts.after == 0)
    }

    @Test("A deadline is met surely, perhaps, or not")
    func deadlines() throws {
        var harness = ReservationTests.harness { $0.reservations = 1 }
        ReservationTests.submit("a", nodes: 4, seconds: 100, to: &harness)
        ReservationTests.submit("head", nodes: 4, seconds: 500, to: &harness)
        func outlook(_ id: String, _ seconds: Int) throws -> DeadlineOutlook? {
            let deadline = harness.clock.now.adding(seconds: seconds)
            ReservationTests.submit(id, nodes: 1, seconds: 200, to: &harness) { $0.deadline = deadline }
            let job = try #require(harness.engine.state.jobs[id])
            defer { harness.run(.cancel(id: id)) }
            return try DeadlineOutlook(job, Self.read(&harness, id))
        }
        #expect(try outlook("never", 250) == .late)
        #expect(try outlook("surely", 100_000) == .onTime)
        let range = try { () throws -> [Int] in
            ReservationTests.submit("x", nodes: 1, seconds: 200, to: &harness)
            return try Self.range(&harness, "x")
        }()
        harness.run(.cancel(id: "x"))
        #expect(range[0] < range[1])
        #expect(try outlook("perhaps", (range[0] + range[1]) / 2 + 200) == .atRisk)
        ReservationTests.submit("none", nodes: 1, seconds: 10, to: &harness)
        let none = try #require(harness.engine.state.jobs["none"])
        #expect(try DeadlineOutlook(none, Self.read(&harness, "none")) == nil)
    }
}
