// The promises of the core, over hundreds of seeded fleets. A failure prints the seed that leads to it.

import Model
import Packing
import TestKit
import Testing

@Suite struct PackerProperties {
    /// Random steps, everything compared after each, then all given back: place and release is identity.
    static func run(
        _ seed: UInt64, pools: ClosedRange<Int>, isSmall: Bool, features: Set<GangFeature>, hasMix: Bool = false,
        isBilledByGPU: Bool = false, steps: Int
    ) -> Tally {
        var harness = Harness(
            seed: seed, pools: pools, isSmall: isSmall, features: features, hasMix: hasMix,
            isBilledByGPU: isBilledByGPU)
        for _ in 0..<steps {
            harness.step()
            harness.checkAll()
            if !harness.isSound { return harness.tally }
        }
        while !harness.held.isEmpty { harness.release() }
        harness.checkAll()
        var fresh = Packer()
        for number in harness.pools.indices {
            fresh.put(pool: number, layout: harness.layouts[number], spec: harness.pools[number].spec)
            for node in 0..<harness.layouts[number].nodeCount
            where harness.reference.fleet.pools[number]?.nodes[node].isSchedulable == false {
                fresh.setSchedulable(pool: number, node: node, false)
            }
        }
        let (left, empty) = (harness.packer.digest(), fresh.digest())
        harness.check(left == empty, "all was given back and the state is not the empty one")
        return harness.tally
    }

    @Test(arguments: UInt64(1)...120)
    func `Every answer to a plain gang is the reference packer's, and no node is ever given twice`(seed: UInt64) {
        _ = Self.run(seed, pools: 1...4, isSmall: false, features: [], steps: 40)
    }

    @Test(arguments: GangFeature.allCases)
    func `Every feature alone keeps its rules, and a gang of one group misses no place`(feature: GangFeature) {
        for seed in UInt64(1)...20 {
            _ = Self.run(seed, pools: 1...4, isSmall: seed % 2 == 0, features: [feature], steps: 30)
        }
    }

    @Test(arguments: UInt64(1)...300)
    func `Features together keep their rules, and a gang of one group misses no place`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let features = random.features().subtracting([.groups])
        _ = Self.run(
            seed, pools: 1...4, isSmall: seed % 2 == 0, features: features, hasMix: seed % 3 == 0, steps: 25)
    }

    /// Groups are placed one by one, so a gang of several may be missed where each alone has room. Of those that could
    /// be placed on these small and full fleets at most five in a thousand are; the exact number is printed.
    @Test func `Of the gangs of several groups that fit, at most five in a thousand are missed`() {
        var tally = Tally()
        for seed in UInt64(1)...300 {
            var random = SeededRandom(seed: seed)
            let features = random.pick([[], random.features()] as [Set<GangFeature>]).union([.groups])
            tally.add(Self.run(seed, pools: 1...3, isSmall: true, features: features, steps: 20))
        }
        print("gangs of several groups, seeds 1...300: \(tally)")
        #expect(tally.missed * 1000 <= 5 * tally.placed)
        #expect(tally.placed > 500)
        #expect(tally.tooHard * 100 < tally.searches)
    }

    /// Within one rank a split may cost up to half as much again as it had to, which seldom comes: the cheapest pool is
    /// filled first, and what is left may then need a dear one. Of pools billed by the node the reference knows no least cost.
    @Test func `A gang over several pools of one rank seldom costs more than it had to`() {
        var tally = Tally()
        for seed in UInt64(1)...250 {
            tally.add(
                Self.run(
                    seed, pools: 2...4, isSmall: seed % 2 == 0, features: [.split, .preferred], isBilledByGPU: true,
                    steps: 20))
        }
        print("gangs over several pools, seeds 1...250: \(tally)")
        #expect(tally.splits > 20)
        #expect(tally.dearSplits * 20 <= tally.splits)
    }

    @Test func `One worker goes where it leaves least that the usual demand cannot use`() {
        var tally = Tally()
        for seed in UInt64(1)...150 {
            var random = SeededRandom(seed: seed)
            let features = random.pick(
                [[], [.shares], [.shares, .noGPUs], [.noGPUs], random.features()] as [Set<GangFeature>])
            tally.add(Self.run(seed, pools: 1...3, isSmall: true, features: features, hasMix: true, steps: 30))
        }
        #expect(tally.singles > 100)
    }

    @Test func `A share takes the GPU where it leaves least that the usual demand cannot use`() {
        var tally = Tally()
        for seed in UInt64(1)...40 {
            var random = SeededRandom(seed: seed)
            let gpus = random.pick(2...4)
            let layout = PoolLayout(.counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: random.pick(1...2)))
            let shape = NodeShape(gpus: gpus, cpuMillis: gpus * 4000, memoryMiB: gpus * 1000)
            var harness = Harness(
                layout: layout, spec: PackerTests.spec(shape, allowsGPUShares: true), seed: seed, hasMix: true)
            func share() -> Demand {
                Demand(gpus: 1, gpuMilli: random.pick([100, 250, 333, 500, 600, 700]), cpuMillis: 0)
            }
            harness.tellMix(
                (0..<4).map { _ in
                    MixEntry(
                        demand: share(), workers: 1, tier: .pool, accelerators: [], weight: UInt64(random.pick(1...9)))
                })
            harness.jobs = (0..<5).map { _ in JobSpec(workers: [WorkerGroup(count: 1, demand: share())]) }
            for _ in 0..<25 {
                let form = GangForm(random.pick(harness.jobs), scope: .pool)
                harness.place(form, [Candidate(pool: 0, rank: 0, priceMicroUSDPerGPUHour: 1_000_000)])
                if random.chance(percent: 30) { harness.release() }
            }
            harness.checkAll()
            tally.add(harness.tally)
        }
        #expect(tally.singles > 400)
    }
}
