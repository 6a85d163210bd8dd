// The mix of demand: kept by the engine as part of its state, equal however that state was reached.

import Engine
import Model
import TestKit
import Testing

@Suite struct MixTests {
    @Test("Every job that comes is noted once, whatever becomes of it")
    func noted() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 2)))
        harness.submit("a", gpus: 4, workers: 2)
        harness.submit("a", gpus: 4, workers: 2)
        harness.submit("a", gpus: 8)
        harness.submit("b", gpus: 4, workers: 2)
        harness.submit("c", gpus: 8, scope: .pool, preferred: .domain, accelerators: ["h100", "b200"])
        let mix = harness.engine.state.mix
        #expect(mix.arrivals == 3)
        #expect(mix.entries.map(\.workers) == [2, 1])
        #expect(mix.entries[0].weight > mix.entries[1].weight)
        #expect(mix.entries[1].tier == .domain)
        #expect(mix.entries[1].accelerators == ["b200", "h100"])
        harness.run(.cancel(id: "a"))
        #expect(harness.engine.state.mix.entries == mix.entries && harness.engine.state.mix.arrivals == 3)
    }

    @Test("The mix in use is taken anew where a tenth of the demand is of other shapes, and kept where it is less")
    func renewal() {
        func entry(_ gpus: Int) -> MixEntry {
            MixEntry(demand: Demand(gpus: gpus), workers: 1, tier: .pool, accelerators: [], weight: 0)
        }
        /// What is in use after 1,000 arrivals of one shape, and then others of which `percent` are new.
        func versions(percent: Int) -> (before: UInt64, after: UInt64, shapes: Int) {
            var mix = DemandMix()
            for _ in 0..<1_000 { mix.note(entry(4)) }
            let before = mix.version
            for number in 0..<4_000 { mix.note(entry(number % 100 < percent ? 8 : 4)) }
            return (before, mix.version, mix.inUse.count)
        }
        #expect(versions(percent: 0) == (1, 1, 1))
        #expect(versions(percent: 5) == (1, 1, 1))
        // Once the new shape is a tenth of all that came, and again when it has grown by another.
        #expect(versions(percent: 30) == (1, 3, 2))
    }

    @Test("Replay and restart give the mix of the live engine, and its digest sees it", arguments: 1...4)
    func equal(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var live = EngineHarness(settings: settings)
        var replayed = Engine(settings: settings)
        var history = History(seed: seed &+ 11_000)
        for _ in 0..<300 { live.run(history.command(live.engine.state)) }
        for transaction in live.transactions { try replayed.replay(transaction) }
        let image = live.engine.state.image
        let again = try Engine(image: image, settings: settings)
        #expect(replayed.state.mix == live.engine.state.mix, "seed \(seed)")
        #expect(again.state.mix == live.engine.state.mix, "seed \(seed)")
        #expect(live.engine.state.mix.arrivals > 50)
        var forged = image
        forged.mix = DemandMix()
        #expect(throws: ReplayError.digestMismatch(revision: image.revision)) {
            _ = try Engine(image: forged, settings: settings)
        }
    }

    @Test("A mix that would overflow or overrun is refused")
    func forged() throws {
        var harness = EngineHarness()
        harness.submit("a")
        let image = harness.engine.state.image
        let mix = image.mix
        func refused(
            entries: [MixEntry]? = nil, arrivals: UInt64? = nil, step: UInt64? = nil, inUse: [MixEntry]? = nil,
            version: UInt64? = nil, nextVersionAt: UInt64? = nil
        ) -> Bool {
            var image = image
            image.mix = DemandMix(
                entries: entries ?? mix.entries, arrivals: arrivals ?? mix.arrivals, step: step ?? mix.step,
                inUse: inUse ?? mix.inUse, version: version ?? mix.version,
                nextVersionAt: nextVersionAt ?? mix.nextVersionAt, pricedFreeMilli: mix.pricedFreeMilli)
            do throws(ReplayError) {
                _ = try Engine(image: image)
                return false
            } catch {
                return true
            }
        }
        #expect(!refused())
        #expect(refused(arrivals: .max) && refused(step: 0) && refused(step: .max) && refused(version: .max))
        #expect(refused(nextVersionAt: .max))
        let changes: [(inout MixEntry) -> Void] = [
            { $0.weight = .max }, { $0.workers = 0 }, { $0.workers = .max }, { $0.demand.gpus = -1 },
            { $0.demand.gpus = .max }, { $0.demand.gpuMilli = 0 }, { $0.demand.cpuMillis = .max },
            { $0.scarcity = .max },
        ]
        for change in changes {
            var entry = mix.entries[0]
            change(&entry)
            #expect(refused(entries: [entry]) && refused(inUse: [entry]))
        }
        let heavy = (1...4).map { gpus in
            var entry = mix.entries[0]
            entry.demand.gpus = gpus
            entry.weight = (1 << 57) - 1
            return entry
        }
        #expect(refused(entries: heavy) && refused(inUse: heavy))
        #expect(refused(entries: [MixEntry](repeating: mix.entries[0], count: DemandMix.mostEntries + 1)))
    }
}
