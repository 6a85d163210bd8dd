// Pools that differ in nothing but what is free are looked at together: with the answer that each for itself would give.

import Model
import TestKit
import Testing

@testable import Packing

@Suite struct FitBoardTests {
    /// Tiny pools, most of them alike: of one shape or another, one price or another, some billed by the node or with shares.
    private struct AlikeFleet: ~Copyable {
        var packer = Packer(idleIndexesPerPool: 2)
        var random: SeededRandom
        var candidates: [Candidate] = []
        var held: [Placement] = []
        let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: 2))

        init(seed: UInt64, pools: Int) {
            random = SeededRandom(seed: seed)
            for number in 0..<pools { put(number) }
            for number in 0..<pools where random.chance(percent: 90) { candidates.append(candidate(number)) }
        }

        mutating func candidate(_ number: Int) -> Candidate {
            Candidate(
                pool: number, rank: random.chance(percent: 90) ? 0 : 1,
                priceMicroUSDPerGPUHour: random.pick([0, 1_000_000, 1_000_000, 1_000_001]))
        }

        mutating func put(_ number: Int) {
            let gpus = random.chance(percent: 80) ? 4 : 8
            let shape = NodeShape(gpus: gpus, cpuMillis: gpus * 4000, memoryMiB: gpus * 1000)
            var spec = PackerTests.spec(shape, allowsGPUShares: random.chance(percent: 10))
            if random.chance(percent: 10) { spec.billing = .node }
            if random.chance(percent: 10) { spec.accelerator = "other" }
            packer.put(pool: number, layout: layout, spec: spec)
        }

        mutating func gang() -> Gang {
            let group = GangForm.Group(
                count: random.pick([1, 1, 1, 2, 3, 4, 6]), demand: Demand(gpus: random.pick([1, 1, 2, 3, 4])))
            let form = GangForm(
                groups: [group], scope: random.pick([.node, .domain, .pool]),
                preferred: random.chance(percent: 20) ? .node : nil)
            return packer.gang(form, pools: candidates)
        }

        mutating func tellMix() {
            packer.setMix(
                [1, 2, 4].map {
                    MixEntry(
                        demand: Demand(gpus: $0), workers: 1, tier: .pool, accelerators: [],
                        weight: UInt64(random.pick(1...9)))
                })
        }
    }

    @Test(arguments: UInt64(1)...40)
    func `Pools that are alike are looked at together with the answer that each for itself gives`(seed: UInt64) {
        // More pools than one word of a set has, now and then.
        var fleet = AlikeFleet(seed: seed, pools: seed % 4 == 0 ? 140 : 12)
        var together = 0
        for _ in 0..<200 {
            switch fleet.random.pick(0...99) {
            case 0..<3:
                let number = fleet.random.pick(0...11)
                if fleet.held.contains(where: { $0.parts[0].pool.index == number }) { continue }
                fleet.packer.remove(pool: number)
                fleet.put(number)
            case 3..<6: fleet.tellMix()
            case 6..<9: fleet.packer.trimIndexes(keeping: [], onReserved: false)
            case 9..<20:
                fleet.packer.setSchedulable(
                    pool: fleet.random.pick(0...11), node: fleet.random.pick(0...3), fleet.random.chance(percent: 60))
            case 20..<50 where !fleet.held.isEmpty:
                fleet.packer.give(fleet.held.remove(at: fleet.random.pick(0...fleet.held.count - 1)))
            default:
                let gang = fleet.gang()
                together = max(together, gang.brackets.map(\.targets.count).max() ?? 0)
                let isHeld: Set<Int> = fleet.random.chance(percent: 30) ? [0, 1, fleet.random.pick(0...11)] : []
                var (placement, alone) = (Placement.none, Placement.none)
                let found = fleet.packer.find(gang, into: &placement) { isHeld.contains($0) }
                let foundAlone = fleet.packer.find(gang.lookingAtEachTarget(), into: &alone) { isHeld.contains($0) }
                #expect(found == foundAlone, "seed \(seed): \(gang.form)")
                #expect(!found || placement == alone, "seed \(seed): \(gang.form)")
                if found {
                    fleet.packer.take(placement)
                    fleet.held.append(placement)
                }
            }
            let fault = fleet.packer.firstFault()
            #expect(fault == nil, "seed \(seed)")
        }
        #expect(together > 1, "seed \(seed): no two pools were looked at together")
        let fork = fleet.packer.fork()
        let fault = fork.firstFault()
        #expect(fault == nil, "seed \(seed): a fork shows its own pools")
    }
}
