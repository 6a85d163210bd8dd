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
        #expect(refused(entries: [MixEntry](repeating: mix.entries[0], count: DemandMix.mostEntries + 1)))
    }
}
