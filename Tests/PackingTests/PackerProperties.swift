// The promises of the core, over hundreds of seeded fleets. A failure prints the seed that leads to it.

import Model
import Packing
import TestKit
import Testing

@Suite struct PackerProperties {
    /// Random steps, everything compared after each, then all given back: place and release is identity.
    static func run(
        _ seed: UInt64, pools: ClosedRange<Int>, isSmall: Bool, features: Set<GangFeature>, steps: Int
    ) -> Tally {
        var harness = Harness(seed: seed, pools: pools, isSmall: isSmall, features: features)
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
    func `Every feature alone keeps its rules and misses no place of one group`(feature: GangFeature) {
        for seed in UInt64(1)...20 {
            _ = Self.run(seed, pools: 1...4, isSmall: seed % 2 == 0, features: [feature], steps: 30)
        }
    }

    @Test(arguments: UInt64(1)...2500)
    func `Features together keep their rules and miss no place of one group`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let features = random.features().subtracting([.groups])
        _ = Self.run(seed, pools: 1...4, isSmall: seed % 2 == 0, features: features, steps: 25)
    }

    @Test func `Of gangs of several groups few are missed that the reference places`() {
        var tally = Tally()
        for seed in UInt64(1)...1500 {
            var random = SeededRandom(seed: seed)
            let features = random.features().union([.groups])
            tally.add(Self.run(seed, pools: 1...3, isSmall: true, features: features, steps: 20))
        }
        print(tally)
    }
}
