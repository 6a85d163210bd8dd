// Over random histories: of jobs that ask for the same none is predicted before one ahead of it, reading changes nothing, a copy and
// a restart predict the same, and who is alone in the queue starts exactly when it was predicted.

import Engine
import Model
import TestKit
import Testing

@Suite struct PredictionProperties {
    private static func waiting(_ state: State) -> [Job] {
        var jobs: [Job] = []
        state.jobs.forEach { job in
            if job.state == .queued { jobs.append(job) }
            return true
        }
        return jobs
    }

    private static func read(_ harness: inout EngineHarness, _ job: Job) -> StartReading {
        let couldEverFit = harness.engine.explain(job).couldEverFit
        return harness.engine.predictStarts([(job, couldEverFit)], at: harness.clock.now)[0]
    }

    /// Jobs of one tenant with equal demands, lists and rules.
    private struct Likeness: Hashable {
        let tenant: String
        let workers: [WorkerGroup]
        let accelerators: [Accelerator]
        let scope: Scope
        let allow: PlaceList
        let deny: PlaceList
        let split: Split?
        let exclusive: Tier?
        let scaleBySpeed: Bool
        let usesSpares: Bool

        init(_ spec: JobSpec) {
            tenant = spec.tenant
            workers = spec.workers
            accelerators = spec.accelerators
            scope = spec.scope
            allow = spec.allow
            deny = spec.deny
            split = spec.split
            exclusive = spec.exclusive
            scaleBySpeed = spec.scaleBySpeed
            usesSpares = spec.usesSpares
        }
    }

    /// A history in which most jobs are one of a few, with a limit.
    private static func command(_ history: inout History, _ harness: borrowing EngineHarness) -> Command {
        let command = history.command(harness.engine.state)
        guard case .submit(var spec) = command, spec.array == nil, spec.after.isEmpty else { return command }
        if history.chance(percent: 80) {
            let plain = JobSpec(
                id: spec.id, tenant: history.pick(["default", "lab"]), priority: history.pick([0, 0, 5]),
                workers: [WorkerGroup(count: history.pick([6, 12]), demand: Demand(gpus: 4))])
            spec = plain
        }
        spec.maxRuntimeSeconds = history.pick([nil, 5, 60, 60, 900])
        return .submit(spec)
    }

    @Test(
        "Of jobs that ask for the same none is predicted before one that is ahead of it; no range is reversed or past",
        arguments: 1...10)
    func monotone(seed: UInt64) {
        var settings = ReplayTests.settings(seed)
        settings.reservations = [0, 2, 32][Int(seed % 3)]
        var harness = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 40_000)
        var pairs = 0
        for step in 0..<300 {
            harness.run(Self.command(&history, harness))
            if step % 10 > 0 { continue }
            let digest = harness.engine.state.digest
            let capacity = harness.engine.capacityDigest()
            var groups: [Likeness: [(place: Int, earliest: Timestamp)]] = [:]
            for job in Self.waiting(harness.engine.state) {
                let reading = Self.read(&harness, job)
                #expect(Self.read(&harness, job) == reading, "seed \(seed) step \(step)")
                guard let range = reading.range, let position = reading.position else { continue }
                #expect(harness.clock.now <= range.earliest && range.earliest <= range.latest)
                #expect(position.inItsPools <= position.overall && position.ahead.count == min(5, position.inItsPools))
                groups[Likeness(job.spec), default: []].append((position.overall, range.earliest))
            }
            for group in groups.values {
                let inOrder = group.sorted { $0.place < $1.place }
                for (one, next) in zip(inOrder, inOrder.dropFirst()) {
                    #expect(one.place < next.place && one.earliest <= next.earliest, "seed \(seed) step \(step)")
                    pairs += 1
                }
            }
            #expect(harness.engine.state.digest == digest && harness.engine.capacityDigest() == capacity)
            #expect(harness.engine.firstFault() == nil)
        }
        #expect(pairs > 10, "seed \(seed)")
    }

    @Test("Positions number the queue from none on, and a restart predicts the same", arguments: 1...6)
    func restarted(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var harness = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 50_000)
        for step in 0..<240 {
            harness.run(Self.command(&history, harness))
            if step % 12 > 0 { continue }
            let image = harness.engine.state.image
            var again = try EngineHarness(image: image, settings: settings, clock: harness.clock)
            // The time of a command that changed nothing is in no journal.
            for _ in 0..<2 {
                harness.run(.resume, afterSeconds: 0)
                again.run(.resume, afterSeconds: 0)
            }
            var places: [Int] = []
            for job in Self.waiting(harness.engine.state) {
                let (mine, other) = (Self.read(&harness, job), Self.read(&again, job))
                #expect(mine.start == other.start && mine.position == other.position, "seed \(seed) step \(step)")
                // A job that never fits has no place that would say anything.
                if mine.position == nil { continue }
                places += [mine.position?.overall ?? 0]
            }
            #expect(Set(places).count == places.count, "seed \(seed) step \(step)")
        }
    }

    @Test("Reading predictions changes no decision", arguments: 1...5)
    func readersChangeNothing(seed: UInt64) {
        var quiet = EngineHarness(settings: ReplayTests.settings(seed))
        var asked = EngineHarness(settings: ReplayTests.settings(seed))
        var history = History(seed: seed &+ 60_000)
        for _ in 0..<250 {
            let command = Self.command(&history, quiet)
            quiet.run(command)
            asked.run(command)
            for job in Self.waiting(asked.engine.state).prefix(6) { _ = Self.read(&asked, job) }
        }
        #expect(quiet.transactions == asked.transactions, "seed \(seed)")
    }

    @Test(
        "A job alone in the queue starts exactly when it was predicted, as all others end at their limits",
        arguments: 1...40)
    func alone(seed: UInt64) throws {
        var settings = EngineSettings()
        settings.reservations = [0, 32][Int(seed % 2)]
        var harness = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 70_000)
        harness.run(.putPool(.sample("p", domains: 2, nodes: 3)))
        harness.run(.putPool(.sample("q", nodes: 4, price: 2000)))
        var ends: [(at: Timestamp, id: String)] = []
        for number in 0..<60 {
            let seconds = history.pick(100...2000)
            harness.submit(
                "r\(number)", [WorkerGroup(count: history.pick(1...2), demand: Demand(gpus: history.pick([2, 4, 8])))]
            ) {
                $0.maxRuntimeSeconds = seconds
            }
            guard harness.state(of: "r\(number)") == .placed else {
                harness.run(.cancel(id: "r\(number)"))
                continue
            }
            harness.run(.start(id: "r\(number)"), afterSeconds: 0)
            ends.append((harness.clock.now.adding(seconds: seconds), "r\(number)"))
        }
        harness.submit("mine", [WorkerGroup(count: history.pick(2...4), demand: Demand(gpus: 8))]) {
            $0.maxRuntimeSeconds = 50
            $0.scope = Scope(history.pick([.pool, .domain]))
        }
        if harness.state(of: "mine") == .placed { return }
        let job = try #require(harness.engine.state.jobs["mine"])
        let reading = Self.read(&harness, job)
        if case .none(.neverFits) = reading.start { return }
        let range = try #require(reading.range, "seed \(seed)")
        #expect(range.earliest == range.latest && !range.isAssumed)
        ends.sort { ($0.at, $0.id) < ($1.at, $1.id) }
        for (at, id) in ends where harness.state(of: "mine") == .queued {
            let seconds = max(0, at.nanoseconds(since: harness.clock.now) / 1_000_000_000)
            harness.run(.finish(id: id, end: .succeeded, message: ""), afterSeconds: seconds)
        }
        #expect(harness.engine.state.jobs["mine"]?.life.placedAt == range.earliest, "seed \(seed)")
    }
}
