// What the core says of a state whatever led to it, and of gangs that are not placed yet.

import Model
import Packing
import TestKit
import Testing

@Suite struct StateProperties {
    @Test(arguments: UInt64(1)...90)
    func `The state alone decides, not the way that led to it`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let features = random.features()
        var harness = Harness(
            seed: seed, pools: 1...3, isSmall: seed % 2 == 0, features: features, hasMix: seed % 3 == 0)
        for _ in 0..<30 { harness.step() }
        var other = Packer()
        if seed % 2 == 0 { other.setMix(harness.mix) }
        for number in harness.pools.indices.shuffled(using: &random) {
            other.put(pool: number, layout: harness.layouts[number], spec: harness.pools[number].spec)
        }
        // Indexes made before the changes and after them must come to the same.
        for job in harness.jobs.prefix(2) {
            _ = other.gang(GangForm(job, scope: job.scope.required), pools: harness.candidates())
        }
        for placement in harness.held.shuffled(using: &random) {
            let canTake = other.canTake(placement)
            #expect(canTake, "seed \(seed)")
            other.take(placement)
        }
        for (number, pool) in harness.reference.fleet.pools.enumerated() {
            for node in pool?.nodes.indices ?? 0..<0 where pool?.nodes[node].isSchedulable == false {
                other.setSchedulable(pool: number, node: node, false)
            }
        }
        if seed % 2 == 1 { other.setMix(harness.mix) }
        let digests = (harness.packer.digest(), other.digest())
        #expect(digests.0 == digests.1, "seed \(seed)")
        for job in harness.jobs {
            let form = GangForm(job, scope: job.scope.required)
            let candidates = harness.candidates()
            var placements = (Placement.none, Placement.none)
            let left = harness.packer.gang(form, pools: candidates)
            let right = other.gang(form, pools: candidates.reversed())
            let found = (harness.packer.find(left, into: &placements.0), other.find(right, into: &placements.1))
            #expect(found.0 == found.1, "seed \(seed): \(form)")
            #expect(!found.0 || placements.0 == placements.1, "seed \(seed): \(form)")
        }
        let fault = other.firstFault()
        #expect(fault == nil, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...60)
    func `What happens to a fork has no effect on what it came from`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var harness = Harness(
            seed: seed, pools: 1...3, isSmall: true, features: random.features(), hasMix: seed % 2 == 0)
        for _ in 0..<20 { harness.step() }
        let form = GangForm(harness.jobs[0], scope: harness.jobs[0].scope.required)
        let gang = harness.packer.gang(form, pools: harness.candidates())
        var fork = harness.packer.fork()
        let before = harness.packer.digest()
        var placements = (Placement.none, Placement.none)
        let inFork = fork.find(gang, into: &placements.0)
        if inFork { fork.take(placements.0) }
        for placement in harness.held { fork.give(placement) }
        let after = harness.packer.digest()
        #expect(after == before, "seed \(seed)")
        let here = harness.packer.find(gang, into: &placements.1)
        #expect(here == inFork && (!here || placements.0 == placements.1), "seed \(seed)")
        let faults = (fork.firstFault(), harness.packer.firstFault())
        #expect(faults.0 == nil && faults.1 == nil, "seed \(seed)")
    }

    /// Exact for up to sixteen workers a node; beyond, a lower bound.
    @Test(arguments: UInt64(1)...100)
    func `As many gangs fit as are said to fit`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...1, features: seed % 2 == 0 ? [.shares] : [])
        for _ in 0..<15 { harness.step() }
        for job in harness.jobs {
            guard let need = harness.packer.need(of: job.workers[0].demand, pool: 0) else { continue }
            let scope = harness.random.scope()
            let workers = harness.random.pick(1...6)
            let said = harness.packer.gangsThatFit(workers: workers, need: need, pool: 0, scope: scope)
            let form = GangForm(
                groups: [GangForm.Group(count: workers, demand: job.workers[0].demand)], scope: scope)
            let room = harness.reference.room(form, 0, Candidate(pool: 0, rank: 0), tier: scope)
            let largest = harness.packer.largestFit(need, pool: 0, scope: scope)
            #expect(largest == room.max(), "seed \(seed): \(form)")
            let gang = harness.packer.gang(form, pools: [Candidate(pool: 0, rank: 0)])
            let before = harness.packer.digest()
            var placements: [Placement] = []
            var placement = Placement.none
            while placements.count <= said, harness.packer.find(gang, into: &placement) {
                harness.packer.take(placement)
                placements.append(placement)
            }
            let mostPerNode = harness.packer.mostWhenEmpty(need, pool: 0, scope: .node)
            let isTrue = mostPerNode <= 16 ? said == placements.count : said <= placements.count
            #expect(isTrue, "seed \(seed): \(said), not \(placements.count) of \(form)")
            for placement in placements { harness.packer.give(placement) }
            let after = harness.packer.digest()
            #expect(before == after, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(1)...90)
    func `An empty place holds as much as the reference counts`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pool = random.pool()
        var packer = Packer()
        var reference = ReferencePacker()
        packer.put(pool: 0, layout: PoolLayout(pool.topology), spec: pool.spec)
        reference.fleet.put(pool: 0, layout: PoolLayout(pool.topology), spec: pool.spec)
        let candidate = Candidate(pool: 0, rank: 0)
        for _ in 0..<10 {
            let job = random.job(random.features(), for: [pool], isSmall: false)
            let form = GangForm(job, scope: min(job.scope.required, .pool))
            let gang = packer.gang(form, pools: [candidate])
            if gang.isEmpty { continue }
            for group in form.groups.indices {
                let said = packer.mostWhenEmpty(gang, target: 0, group: group)
                let most = reference.room(form, group, candidate, tier: form.scope).max() ?? 0
                let size = form.groups[group].segment?.size ?? 1
                #expect(said - said % size == most, "seed \(seed): group \(group) of \(form)")
            }
            guard let need = packer.need(of: job.workers[0].demand, pool: 0) else { continue }
            let plain = GangForm(groups: [GangForm.Group(count: 1, demand: job.workers[0].demand)], scope: form.scope)
            let said = packer.mostWhenEmpty(need, pool: 0, scope: form.scope)
            let most = reference.room(plain, 0, candidate, tier: form.scope).max()
            #expect(said == most, "seed \(seed): \(plain)")
        }
    }

    @Test(arguments: UInt64(1)...60)
    func `A gang uses its domains up and breaks one at most`(seed: UInt64) {
        var harness = Harness(seed: seed, pools: 1...2, features: [])
        for _ in 0..<30 {
            let demand = harness.random.pick(harness.jobs).workers[0].demand
            let heldBefore = harness.held.count
            let form = GangForm(
                groups: [GangForm.Group(count: harness.random.pick(5...60), demand: demand)], scope: .pool)
            harness.place(form, harness.candidates())
            guard harness.held.count > heldBefore, let placement = harness.held.last else {
                harness.release()
                continue
            }
            let number = placement.parts[0].pool.index
            let left = harness.reference.room(form, 0, Candidate(pool: number, rank: 0), tier: .domain)
            let domains = Set(placement.masks.map { harness.layouts[number].domain(ofNode: $0.node) })
            #expect(domains.count { left[$0] > 0 } <= 1, "seed \(seed): \(placement)")
        }
    }

    @Test func `A pool of thousands of domains answers as the reference does`() {
        let layout = PoolLayout(.counts(blocks: 3, domainsPerBlock: 1500, nodesPerDomain: 1))
        var packer = Packer()
        var reference = ReferencePacker()
        packer.put(pool: 0, layout: layout, spec: PackerTests.spec)
        reference.fleet.put(pool: 0, layout: layout, spec: PackerTests.spec)
        var random = SeededRandom(seed: 7)
        // All nodes but a few far apart are full, so that the search passes many words of bits.
        var node = 0
        while node < 4499 {
            let count = min(1399, 4499 - node)
            let placement = PackerTests.hold(15, node: node, nodeCount: count)
            packer.take(placement)
            let faults = reference.fleet.take(placement)
            #expect(faults == [])
            node += 1400
        }
        for step in 0..<12 {
            let demand = Demand(gpus: random.pick([1, 2, 4]))
            let form = GangForm(groups: [GangForm.Group(count: random.pick(1...4), demand: demand)], scope: .pool)
            let gang = packer.gang(form, pools: [Candidate(pool: 0, rank: 0)])
            var placement = Placement.none
            let found = packer.find(gang, into: &placement)
            let expected = reference.choice(form, [Candidate(pool: 0, rank: 0)])
            #expect(found == (expected != nil), "step \(step)")
            guard found, let expected else { continue }
            #expect(placement.masks == expected.masks, "step \(step)")
            packer.take(placement)
            _ = reference.fleet.take(placement)
        }
        let fault = packer.firstFault()
        #expect(fault == nil)
    }
}
