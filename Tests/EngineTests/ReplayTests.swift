// Live, replayed and restarted engines are one: over random histories every way to a state gives the same state,
// and the same decisions after it.

import Engine
import Model
import TestKit
import Testing

@Suite struct ReplayTests {
    /// Settings small enough that every limit and every hold plays a part.
    static func settings(_ seed: UInt64) -> EngineSettings {
        var settings = EngineSettings()
        settings.limits.endedJobs = [3, 20, 0][Int(seed % 3)]
        settings.limits.liveJobs = 60
        settings.limits.queuedShapes = 25
        settings.queuedDemands = 8
        settings.placementsPerCommand = [1, 3, 1000][Int(seed / 3 % 3)]
        settings.placementsBeforeReservation = [1, 5, 1000][Int(seed / 9 % 3)]
        settings.searchPauseMilliseconds = [0, 250][Int(seed / 3 % 2)]
        settings.preemptionGraceSeconds = [0, 3, 30][Int(seed / 2 % 3)]
        settings.evictionsPerTenantAndHour = [1000, 4][Int(seed / 5 % 2)]
        settings.preemptionsBeforeProtection = [3, 1][Int(seed / 7 % 2)]
        settings.resizeIntervalSeconds = [4, 20, 300, 0][Int(seed % 4)]
        return settings
    }

    @Test(
        "A replayed engine has the live one's state and free capacity at each step, and nothing is oversubscribed",
        arguments: 1...12)
    func replayEqualsLive(seed: UInt64) throws {
        let settings = Self.settings(seed)
        var live = EngineHarness(settings: settings)
        var replayed = Engine(settings: settings)
        var history = History(seed: seed)
        var applied = 0
        for step in 0..<560 {
            live.run(history.command(live.engine.state))
            while applied < live.transactions.count {
                try replayed.replay(live.transactions[applied])
                applied += 1
            }
            #expect(replayed.state.digest == live.engine.state.digest, "seed \(seed) step \(step)")
            if step % 7 == 0 {
                let fault = live.engine.firstDisagreement()
                try #require(fault == nil, "seed \(seed) step \(step)")
                #expect(replayed.capacityDigest() == live.engine.capacityDigest(), "seed \(seed) step \(step)")
            }
        }
        let fault = replayed.firstDisagreement()
        #expect(fault == nil, "seed \(seed)")
        #expect(live.engine.work.placements > 30, "seed \(seed)")
    }

    @Test("An engine started from an image decides as the live one does from there on", arguments: 1...24)
    func imageEqualsLive(seed: UInt64) throws {
        let settings = Self.settings(seed)
        var live = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 1000)
        // Restarted every few steps, and one that keeps running beside the live one from then on.
        for round in 0..<25 {
            for _ in 0..<12 { live.run(history.command(live.engine.state)) }
            let image = live.engine.state.image
            var again = try EngineHarness(image: image, settings: settings, clock: live.clock)
            #expect(again.engine.state.digest == live.engine.state.digest, "seed \(seed) round \(round)")
            #expect(again.engine.capacityDigest() == live.engine.capacityDigest(), "seed \(seed) round \(round)")
            let fault = again.engine.firstDisagreement()
            #expect(fault == nil, "seed \(seed) round \(round)")
            let before = live.transactions.count
            for step in 0..<12 {
                let command = history.command(live.engine.state)
                let liveOutcome = String(describing: Said(live.run(command)))
                let againOutcome = String(describing: Said(again.run(command)))
                try #require(liveOutcome == againOutcome, "seed \(seed) round \(round) step \(step) \(command)")
                try #require(
                    live.transactions.dropFirst(before).elementsEqual(again.transactions),
                    "seed \(seed) round \(round) step \(step) \(command)")
            }
        }
    }

    @Test("Two engines give equal facts for equal commands", arguments: 1...5)
    func determinism(seed: UInt64) {
        var first = EngineHarness(settings: Self.settings(seed))
        var second = EngineHarness(settings: Self.settings(seed))
        var history = History(seed: seed &+ 5000)
        for _ in 0..<400 {
            let command = history.command(first.engine.state)
            first.run(command)
            second.run(command)
        }
        #expect(first.transactions == second.transactions, "seed \(seed)")
    }

    @Test("A small budget of placements with resume ends where a large one ends", arguments: 1...8)
    func budget(seed: UInt64) {
        var settings = EngineSettings()
        var large = EngineHarness(settings: settings)
        settings.placementsPerCommand = 1
        var small = EngineHarness(settings: settings)
        var history = History(seed: seed &+ 9000)
        for step in 0..<300 {
            // First what time brings, or a command would meet jobs that the small budget has not come to.
            large.run(.resume)
            small.run(.resume)
            small.settle()
            large.settle()
            let command = history.command(large.engine.state)
            large.run(command, afterSeconds: 0)
            small.run(command, afterSeconds: 0)
            small.settle()
            large.settle()
            #expect(places(small.engine.state) == places(large.engine.state), "seed \(seed) step \(step)")
        }
        #expect(small.engine.capacityDigest() == large.engine.capacityDigest(), "seed \(seed)")
    }

    @Test("Explaining and reading change no decision", arguments: 1...5)
    func readersChangeNothing(seed: UInt64) {
        var quiet = EngineHarness(settings: Self.settings(seed))
        var asked = EngineHarness(settings: Self.settings(seed))
        var history = History(seed: seed &+ 7000)
        for _ in 0..<300 {
            let command = history.command(quiet.engine.state)
            quiet.run(command)
            asked.run(command)
            for reading in asked.engine.queueReading(limit: 5) { _ = asked.engine.explain(reading.head) }
            _ = asked.engine.poolReadings()
        }
        #expect(quiet.transactions == asked.transactions, "seed \(seed)")
    }

    private func places(_ state: State) -> [String] {
        var places: [String] = []
        state.jobs.forEach { job in
            places.append("\(job.id) \(job.state) \(job.life.placement.map { "\($0)" } ?? "-")")
            return true
        }
        return places
    }
}

/// What an outcome says, without the identity of objects.
private struct Said {
    let text: String

    init(_ outcome: Outcome) {
        if case .job(let job, let created) = outcome {
            text = "\(job.number) \(job.spec) \(job.life) \(created)"
        } else {
            text = "\(outcome)"
        }
    }
}
