// The promises of the core, over hundreds of seeded fleets. A failure prints the seed that leads to it.

import Model
import Packing
import TestKit
import Testing

@Suite struct PackerProperties {
    @Test(arguments: UInt64(1)...200)
    func `Every answer is the reference packer's, and no node is ever given twice`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...4)
        for step in 0..<60 {
            harness.step()
            let fault = harness.packer.firstFault()
            #expect(fault == nil, "seed \(seed), step \(step)")
            harness.checkLedger("seed \(seed), step \(step)")
            if fault != nil { return }
        }
        while !harness.held.isEmpty { harness.release() }
        harness.checkLedger("seed \(seed), all given back")
        let fault = harness.packer.firstFault()
        #expect(fault == nil, "seed \(seed), all given back")
    }

    @Test(arguments: UInt64(1)...100)
    func `The state alone decides, not the way that led to it`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...3)
        for _ in 0..<50 { harness.step() }
        var other = Packer()
        for number in harness.pools.indices.shuffled(using: &harness.random) {
            other.put(pool: number, layout: harness.layouts[number], shape: harness.pools[number].shape)
        }
        let ranked = harness.ranked()
        // Indexes made before the changes and after them must come to the same.
        for demand in harness.demands.prefix(2) {
            _ = other.gang(workers: 1, demand: demand, scope: .pool, pools: ranked)
        }
        for placement in harness.held.shuffled(using: &harness.random) { other.take(placement) }
        for node in harness.cordoned.shuffled(using: &harness.random) {
            other.setSchedulable(pool: node[0], node: node[1], false)
        }
        let digests = (harness.packer.digest(), other.digest())
        #expect(digests.0 == digests.1, "seed \(seed)")
        for demand in harness.demands {
            for scope in Scope.allCases {
                let workers = harness.random.workers()
                var placements = (Placement.none, Placement.none)
                let left = harness.packer.gang(workers: workers, demand: demand, scope: scope, pools: ranked)
                let right = other.gang(workers: workers, demand: demand, scope: scope, pools: ranked)
                let found = (harness.packer.find(left, into: &placements.0), other.find(right, into: &placements.1))
                #expect(found.0 == found.1, "seed \(seed)")
                #expect(!found.0 || placements.0 == placements.1, "seed \(seed)")
            }
        }
        let fault = other.firstFault()
        #expect(fault == nil, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...100)
    func `As many gangs fit as are said to fit`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...1)
        for _ in 0..<20 { harness.step() }
        for demand in harness.demands {
            guard let need = harness.packer.need(of: demand, pool: 0) else { continue }
            let scope = harness.random.scope()
            let workers = harness.random.pick(1...6)
            let said = harness.packer.gangsThatFit(workers: workers, need: need, pool: 0, scope: scope)
            let gang = harness.packer.gang(workers: workers, demand: demand, scope: scope, pools: [(pool: 0, rank: 0)])
            let before = harness.packer.digest()
            var placements: [Placement] = []
            var placement = Placement.none
            while placements.count <= said, harness.packer.find(gang, into: &placement) {
                harness.packer.take(placement)
                placements.append(placement)
            }
            #expect(said == placements.count, "seed \(seed): \(workers) of \(demand) in \(scope)")
            for placement in placements { harness.packer.give(placement) }
            let after = harness.packer.digest()
            #expect(before == after, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(1)...100)
    func `An empty pool holds as much as every node together could`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pool = random.pool()
        var packer = Packer()
        var reference = ReferencePacker()
        packer.put(pool: 0, layout: PoolLayout(pool.topology), shape: pool.shape)
        reference.put(pool: 0, layout: PoolLayout(pool.topology), shape: pool.shape)
        for _ in 0..<10 {
            let demand = random.demand(for: pool.shape)
            guard let need = packer.need(of: demand, pool: 0) else { continue }
            for scope in Scope.allCases {
                let most = packer.mostWhenEmpty(need, pool: 0, scope: scope)
                let expected = reference.pools[0]?.fits(demand, scope: scope).max()
                #expect(most == expected, "seed \(seed): \(demand) in \(scope)")
            }
        }
    }

    @Test(arguments: UInt64(1)...60)
    func `A gang uses its domains up and breaks one at most`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...2)
        for _ in 0..<40 {
            let demand = harness.random.pick(harness.demands)
            let heldBefore = harness.held.count
            let ranked = harness.ranked()
            harness.place(workers: harness.random.pick(5...60), demand: demand, scope: .pool, ranked: ranked)
            guard harness.held.count > heldBefore, let placement = harness.held.last else {
                harness.release()
                continue
            }
            let layout = harness.layouts[placement.pool.index]
            let left = harness.reference.pools[placement.pool.index]?.fits(demand, scope: .domain) ?? []
            let domains = Set(placement.masks.map { layout.domain(ofNode: $0.node) })
            #expect(domains.count { left[$0] > 0 } <= 1, "seed \(seed): \(placement)")
        }
    }

    @Test func `A pool of thousands of domains answers as the reference does`() {
        let layout = PoolLayout(.counts(blocks: 3, domainsPerBlock: 1500, nodesPerDomain: 1))
        var packer = Packer()
        var reference = ReferencePacker()
        packer.put(pool: 0, layout: layout, shape: PackerTests.shape)
        reference.put(pool: 0, layout: layout, shape: PackerTests.shape)
        var random = SeededRandom(seed: 7)
        // All nodes but a few far apart are full, so that the search passes many words of bits.
        for node in 0..<4500 where node % 1400 != 1399 && node != 4499 {
            let placement = PackerTests.hold(15, node: node)
            packer.take(placement)
            reference.take(placement)
        }
        for step in 0..<12 {
            let workers = random.pick(1...4)
            let demand = Demand(gpus: random.pick([1, 2, 4]))
            let gang = packer.gang(workers: workers, demand: demand, scope: .pool, pools: [(pool: 0, rank: 0)])
            var placement = Placement.none
            let found = packer.find(gang, into: &placement)
            let expected = reference.find(workers: workers, demand: demand, scope: .pool, pools: [(pool: 0, rank: 0)])
            #expect(found == (expected != nil), "step \(step)")
            guard found, let expected else { continue }
            #expect(placement.masks == expected.masks, "step \(step)")
            packer.take(placement)
            reference.take(placement)
        }
        let fault = packer.firstFault()
        #expect(fault == nil)
    }
}
