// Places kept for blocked jobs: the earliest that the limits of others allow, and nobody who comes later delays it.

import Engine
import Model
import TestKit
import Testing

@Suite struct ReservationTests {
    static func harness(nodes: Int = 4, _ change: (inout EngineSettings) -> Void = { _ in }) -> EngineHarness {
        var settings = EngineSettings()
        change(&settings)
        var harness = EngineHarness(settings: settings)
        harness.run(.putPool(.sample("p", nodes: nodes)))
        return harness
    }

    /// So many whole nodes for at most so many seconds.
    @discardableResult
    static func submit(
        _ id: String, nodes: Int, seconds: Int? = nil, priority: Int = 0, to harness: inout EngineHarness,
        _ change: (inout JobSpec) -> Void = { _ in }
    ) -> JobState? {
        harness.submit(id, [WorkerGroup(count: nodes, demand: Demand(gpus: 8))]) {
            $0.maxRuntimeSeconds = seconds
            $0.priority = priority
            change(&$0)
        }
        return harness.state(of: id)
    }

    static func reservation(_ harness: borrowing EngineHarness, _ id: String) -> Reservation? {
        harness.engine.state.jobs[id]?.life.reservation
    }

    /// Seconds from now until the start that a job was promised.
    static func wait(_ harness: borrowing EngineHarness, _ id: String) -> Int? {
        reservation(harness, id).map { Int($0.start.nanoseconds(since: harness.clock.now) / 1_000_000_000) }
    }

    @Test("A blocked job is promised the earliest start by the limits of those before it; others fill in only up to it")
    func backfill() {
        var harness = Self.harness()
        Self.submit("a", nodes: 2, seconds: 100, to: &harness)
        Self.submit("b", nodes: 1, seconds: 50, to: &harness)
        #expect(Self.submit("head", nodes: 4, seconds: 1000, to: &harness) == .queued)
        // A second passed between each two; `a` came three seconds before.
        #expect(Self.wait(harness, "head") == 98)
        #expect(Self.submit("long", nodes: 1, seconds: 98, to: &harness) == .queued)
        #expect(Self.submit("short", nodes: 1, seconds: 60, to: &harness) == .placed)
        harness.run(.cancel(id: "b"))
        #expect(harness.state(of: "long") == .queued)
        harness.run(.cancel(id: "a"))
        #expect(harness.state(of: "head") == .queued)
        harness.run(.cancel(id: "short"))
        #expect(harness.state(of: "head") == .placed)
        #expect(Self.reservation(harness, "head") == nil)
    }

    @Test("What is kept for a job is told as room for it, and not for others")
    func explained() throws {
        var harness = Self.harness()
        Self.submit("a", nodes: 3, seconds: 100, to: &harness)
        Self.submit("head", nodes: 4, to: &harness)
        Self.submit("other", nodes: 1, to: &harness)
        let mine = try ReadingTests.explain(&harness, "head")
        #expect(mine.blockers.map(\.reason) == [.capacityBusy] && mine.blockers[0].workersThatFit == 1)
        let other = try ReadingTests.explain(&harness, "other")
        #expect(other.blockers.map(\.reason) == [.reservedForOthers] && other.blockers[0].reservedFor == "head")
    }

    @Test("A job that says no limit is taken to run for the assumed time, and the promise says so")
    func assumed() {
        var harness = Self.harness { $0.assumedRuntimeSeconds = 500 }
        Self.submit("a", nodes: 4, to: &harness)
        Self.submit("head", nodes: 1, seconds: 10, to: &harness)
        #expect(Self.wait(harness, "head") == 499)
        #expect(Self.reservation(harness, "head")?.isAssumed == true)
        var said = Self.harness()
        Self.submit("a", nodes: 4, seconds: 500, to: &said)
        Self.submit("head", nodes: 1, to: &said)
        #expect(Self.reservation(said, "head")?.isAssumed == false)
    }

    @Test("An endless stream of small jobs does not keep a large one from its place; without reservations it does")
    func noStarvation() {
        func starts(_ change: (inout EngineSettings) -> Void) -> Bool {
            var harness = Self.harness(change)
            for number in 0..<100 {
                Self.submit("s\(number)", nodes: 1, seconds: 3600, to: &harness)
                if number == 1 { Self.submit("large", nodes: 3, seconds: 60, to: &harness) }
                if number >= 2 { harness.run(.cancel(id: "s\(number - 2)")) }
                if harness.state(of: "large") == .placed { return true }
            }
            return false
        }
        #expect(starts { _ in })
        #expect(!starts { $0.reservations = 0 })
    }

    @Test("When the job for which nodes are kept is cancelled or held, those behind it go on at once")
    func letGo() {
        for command in [Command.cancel(id: "large"), .hold(id: "large")] {
            var harness = Self.harness()
            Self.submit("a", nodes: 2, to: &harness)
            Self.submit("large", nodes: 4, to: &harness)
            #expect(Self.submit("small", nodes: 1, to: &harness) == .queued)
            harness.run(command)
            #expect(harness.state(of: "small") == .placed)
        }
    }

    @Test("What is kept for one closes no other pool, and is no hindrance to a job of higher priority")
    func onlyItsNodes() {
        var harness = Self.harness { $0.searchPauseMilliseconds = 0 }
        harness.run(.putPool(.sample("q", nodes: 1, accelerator: "b200")))
        Self.submit("a", nodes: 2, seconds: 1000, to: &harness) { $0.accelerators = [Accelerator("h100")] }
        Self.submit("large", nodes: 4, to: &harness)
        #expect(Self.submit("other", nodes: 1, to: &harness) == .placed)
        #expect(harness.pool(of: "other") == "q")
        #expect(Self.submit("late", nodes: 1, to: &harness) == .queued)
        #expect(Self.submit("urgent", nodes: 1, priority: 9, to: &harness) == .placed)
    }

    @Test("No more jobs than the setting says have places kept, and one of higher priority takes the last one's turn")
    func bounded() {
        var harness = Self.harness {
            $0.reservations = 2
            $0.searchPauseMilliseconds = 0
        }
        Self.submit("a", nodes: 4, seconds: 100, to: &harness)
        for id in ["x", "y", "z"] { Self.submit(id, nodes: 1, seconds: 50, to: &harness) }
        #expect(["x", "y", "z"].filter { Self.reservation(harness, $0) != nil } == ["x", "y"])
        Self.submit("urgent", nodes: 4, seconds: 50, priority: 1, to: &harness)
        #expect(["x", "y", "z", "urgent"].filter { Self.reservation(harness, $0) != nil } == ["x", "urgent"])
    }

    @Test("One after the other on the same nodes: the second is promised the end of the first")
    func oneAfterTheOther() {
        var harness = Self.harness { $0.searchPauseMilliseconds = 0 }
        Self.submit("a", nodes: 4, seconds: 100, to: &harness)
        Self.submit("b", nodes: 4, seconds: 200, to: &harness)
        Self.submit("c", nodes: 4, seconds: 300, to: &harness)
        #expect(Self.wait(harness, "b") == 98)
        #expect(Self.wait(harness, "c") == 298)
        harness.run(.cancel(id: "a"))
        #expect(harness.state(of: "b") == .placed)
        #expect(harness.state(of: "c") == .queued)
        harness.run(.resume, afterSeconds: 100)
        #expect(Self.wait(harness, "c") == 100)
    }

    @Test("One that is late because another stayed too long has its place all the same, and pushes those behind it")
    func latePushes() throws {
        var harness = Self.harness()
        for id in ["a", "b", "c"] { Self.submit(id, nodes: 4, to: &harness) }
        harness.run(.resume, afterSeconds: 86_400)
        harness.run(.cancel(id: "a"), afterSeconds: 100)
        #expect(harness.state(of: "b") == .placed)
        // And after a restart in which nothing tells that its place is free.
        var again = try EngineHarness(
            image: harness.engine.state.image, settings: EngineSettings(), clock: harness.clock)
        for id in ["b", "c"] {
            #expect(again.state(of: id) == (id == "b" ? .placed : .queued))
        }
        again.run(.cancel(id: "b"), afterSeconds: 90_000)
        #expect(again.state(of: "c") == .placed)
    }

    @Test("Nothing is kept for a job that its ready nodes cannot hold, nor for one larger than every pool")
    func notInVain() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        for node in ["b00/d000/n00", "b00/d001/n00"] {
            harness.run(.changeNode(pool: "p", node: node, action: .down))
        }
        harness.submit("large", workers: 2, scope: .domain)
        harness.submit("huge", workers: 5)
        for number in 0..<2 {
            harness.submit("s\(number)")
            #expect(harness.state(of: "s\(number)") == .placed)
        }
        harness.run(.changeNode(pool: "p", node: "b00/d000/n00", action: .up))
        harness.run(.cancel(id: "s0"))
        #expect(harness.state(of: "large") == .placed)
    }

    @Test("When a node of a kept place goes down, another place is sought")
    func nodeGoesDown() throws {
        var harness = Self.harness { $0.searchPauseMilliseconds = 0 }
        Self.submit("a", nodes: 3, seconds: 100, to: &harness)
        Self.submit("b", nodes: 1, seconds: 200, to: &harness)
        Self.submit("head", nodes: 1, seconds: 100, to: &harness)
        let firstFound = Self.reservation(harness, "head")
        let first = try #require(firstFound)
        let node = harness.engine.state[PoolSlot(0)].layout.name(ofNode: Int(first.placement.runs[0].node))
        harness.run(.changeNode(pool: "p", node: node, action: .cordon))
        harness.run(.resume)
        let secondFound = Self.reservation(harness, "head")
        let second = try #require(secondFound)
        #expect(second.placement.runs[0].node != first.placement.runs[0].node)
        #expect(harness.engine.state.jobs["head"]?.life.firstStart == first.start)
    }

    @Test("A promise that was not kept is renewed, and says when it moved; one that comes nearer moves, too")
    func renewed() throws {
        var harness = Self.harness()
        Self.submit("a", nodes: 4, seconds: 100, to: &harness)
        Self.submit("head", nodes: 4, seconds: 100, to: &harness)
        let firstFound = Self.reservation(harness, "head")
        let first = try #require(firstFound)
        harness.run(.resume, afterSeconds: 60)
        let sameFound = Self.reservation(harness, "head")
        let same = try #require(sameFound)
        #expect(same.start == first.start && same.movedAt == first.movedAt && same.madeAt > first.madeAt)
        #expect(harness.engine.nextDeadline.map { $0 <= first.start } == true)
        harness.run(.resume, afterSeconds: 60)
        let lateFound = Self.reservation(harness, "head")
        let late = try #require(lateFound)
        #expect(late.start > first.start && late.movedAt == harness.clock.now)
        #expect(harness.engine.state.jobs["head"]?.life.firstStart == first.start)
    }

    @Test("A long queue is gone through at most once in a pause, and nobody who goes first waits longer than that")
    func longQueue() throws {
        var harness = Self.harness {
            $0.reservations = 1
            $0.limits.liveJobs = 5000
        }
        Self.submit("a", nodes: 4, seconds: 100, to: &harness)
        // Of each priority and length one line.
        for line in 0..<1100 {
            Self.submit("w\(line)", nodes: 4, seconds: 1 << (line % 11 + 4), priority: line / 11, to: &harness)
        }
        harness.run(.resume, afterSeconds: 60)
        let kept = Self.reservation(harness, "w1089")
        #expect(kept != nil)
        // Something happens in this stretch of time, and then the urgent job comes.
        harness.run(.hold(id: "w0"))
        harness.run(
            .submit(
                JobSpec(id: "urgent", priority: 500, workers: [WorkerGroup(count: 4, demand: Demand(gpus: 8))])),
            afterSeconds: 0)
        #expect(Self.reservation(harness, "urgent") == nil)
        let due = try #require({ harness.engine.nextDeadline }())
        let pause = Int64(harness.engine.settings.searchPauseMilliseconds) * 1_000_000
        #expect(due > harness.clock.now && due.nanoseconds(since: harness.clock.now) <= pause)
        harness.run(.resume)
        #expect(Self.reservation(harness, "urgent") != nil && Self.reservation(harness, "w1089") == nil)
        // What has been found so is not sought again without end.
        let isQuiet = harness.engine.nextDeadline.map { $0 > harness.clock.now } ?? true
        #expect(isQuiet && !harness.engine.hasPendingWork)
    }

    @Test("A search that would cost more than a command may is given up, said so, and tried again later")
    func givenUp() {
        var harness = Self.harness(nodes: 16) { $0.searchReleases = 8 }
        for number in 0..<16 { Self.submit("s\(number)", nodes: 1, seconds: 1000 + number, to: &harness) }
        Self.submit("head", nodes: 12, seconds: 10, to: &harness)
        #expect(Self.reservation(harness, "head") == nil)
        #expect(harness.engine.state.jobs["head"]?.life.searchGivenUpAt == harness.clock.now)
        for number in 0..<12 { harness.run(.cancel(id: "s\(number)")) }
        #expect(harness.state(of: "head") == .placed)
        #expect(harness.engine.state.jobs["head"]?.life.searchGivenUpAt == nil)
    }

    @Test("Gangs of several groups and gangs over several pools have places kept, too")
    func richGangs() {
        for isSplit in [false, true] {
            var harness = EngineHarness()
            harness.run(.putPool(.sample("one", nodes: 2)))
            if isSplit { harness.run(.putPool(.sample("two", nodes: 2))) }
            harness.submit("x")
            harness.submit(
                "large",
                isSplit
                    ? [GangTests.group("w", 4, gpus: 8)]
                    : [GangTests.group("v", 1, gpus: 8), GangTests.group("w", 2, gpus: 4)]
            ) {
                if isSplit {
                    $0.scope = Scope(.fleet)
                    $0.split = Split(maxPools: 2)
                }
            }
            harness.submit("last", gpus: 4)
            #expect(harness.state(of: "last") == .queued, "split: \(isSplit)")
            harness.run(.cancel(id: "x"))
            #expect(harness.state(of: "large") == .placed, "split: \(isSplit)")
        }
    }

    @Test("A job that wants a place for itself has all of it kept, and takes none of which others are promised a part")
    func exclusive() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 2)))
        harness.submit("a", scope: .node)
        harness.submit("b", workers: 2, scope: .domain)
        harness.submit("alone", [WorkerGroup(count: 1, demand: Demand(gpus: 1))]) {
            $0.exclusive = .domain
            $0.scope = Scope(.domain)
        }
        #expect(Self.reservation(harness, "alone") != nil)
        harness.submit("small", gpus: 1)
        #expect(harness.state(of: "small") == .queued)
        harness.run(.cancel(id: "a"))
        #expect(harness.state(of: "alone") == .placed)
    }

    /// Jobs of random sizes and limits on a few nodes; each ends at its limit or before. Returns when each job that had a place
    /// kept was first promised to start, and when it started.
    static func starts(_ seed: UInt64, isKept: Bool) -> [(promised: Timestamp, started: Timestamp)] {
        var random = History(seed: seed)
        var harness = Self.harness(nodes: 6) {
            $0.searchPauseMilliseconds = 0
            $0.reservations = isKept ? 1000 : 0
            $0.placementsBeforeReservation = 1_000_000
        }
        var ends: [(at: Timestamp, id: String)] = []
        var promised: [String: Timestamp] = [:]
        var starts: [(promised: Timestamp, started: Timestamp)] = []
        var limits: [String: Int] = [:]
        for number in 0..<80 {
            let limit = random.pick([20, 50, 100])
            limits["j\(number)"] = limit
            submit("j\(number)", nodes: random.pick(1...6), seconds: limit, to: &harness)
            for _ in 0..<random.pick(5...60) {
                harness.run(.resume)
                for (at, id) in ends where at <= harness.clock.now {
                    harness.run(.cancel(id: id), afterSeconds: 0)
                    ends.removeAll { $0 == (at, id) }
                }
                harness.engine.state.jobs.forEach { job in
                    if let first = job.life.firstStart { promised[job.id] = first }
                    if job.state == .placed, let placedAt = job.life.placedAt,
                        !ends.contains(where: { $0.id == job.id })
                    {
                        ends.append((placedAt.adding(seconds: limits[job.id] ?? 0), job.id))
                        if let start = promised[job.id] { starts.append((start, placedAt)) }
                    }
                    return true
                }
            }
        }
        return starts
    }

    @Test(
        "Whoever is promised a start has it by then, whatever comes later, where all end by their limits",
        arguments: 1...6)
    func kept(seed: Int) {
        let starts = Self.starts(UInt64(seed), isKept: true)
        #expect(starts.count > 10)
        for (promised, started) in starts {
            // Ends are looked for once a second.
            #expect(started <= promised.adding(seconds: 2), "seed \(seed)")
        }
    }
}
