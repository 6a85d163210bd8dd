// Drives the core and the reference packer side by side and compares all that can be seen.

import Model
import Packing
import TestKit
import Testing

/// The core, the reference, and a ledger of what is held, kept apart from both.
struct Harness: ~Copyable {
    var packer = Packer(idleIndexesPerPool: 4)
    var reference = ReferencePacker()
    var random: SeededRandom
    let seed: UInt64
    var pools: [DrawnPool] = []
    var layouts: [PoolLayout] = []
    var hasGrown: [Bool] = []
    var demands: [Demand] = []
    var held: [Placement] = []
    /// Pairs of pool and node.
    var cordoned: Set<[Int]> = []

    init(seed: UInt64, pools count: ClosedRange<Int>) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        for number in 0..<random.pick(count) {
            let pool = random.pool()
            pools.append(pool)
            layouts.append(PoolLayout(pool.topology))
            hasGrown.append(false)
            packer.put(pool: number, layout: layouts[number], shape: pool.shape)
            reference.put(pool: number, layout: layouts[number], shape: pool.shape)
        }
        for _ in 0..<5 { demands.append(random.demand(for: random.pick(pools).shape)) }
    }

    mutating func ranked() -> [(pool: Int, rank: Int)] {
        var ranked: [(pool: Int, rank: Int)] = []
        for number in pools.indices where random.chance(percent: 80) { ranked.append((number, random.pick(0...2))) }
        return ranked.shuffled(using: &random)
    }

    /// Looks for a place with both packers, compares, and takes it where there is one.
    mutating func place(
        workers: Int, demand: Demand, scope: Scope, ranked: [(pool: Int, rank: Int)], isHeld: Set<Int> = []
    ) {
        let gang = packer.gang(workers: workers, demand: demand, scope: scope, pools: ranked)
        var placement = Placement.none
        let before = packer.digest()
        let found = packer.find(gang, into: &placement) { isHeld.contains($0) }
        let after = packer.digest()
        let expected = reference.find(
            workers: workers, demand: demand, scope: scope, pools: ranked.filter { !isHeld.contains($0.pool) })
        let comment: Comment = "seed \(seed): \(workers) of \(demand) in \(scope), \(ranked), held \(isHeld)"
        #expect(after == before, comment)
        #expect(found == (expected != nil), comment)
        for (at, target) in gang.targets.enumerated() {
            let expectedLargest = reference.pools[target.pool]?.fits(demand, scope: scope).max() ?? 0
            let (largest, fits) = (packer.largestFit(gang, target: at), packer.fits(gang, target: at))
            #expect(largest == expectedLargest, comment)
            #expect(fits == (expectedLargest >= workers), comment)
        }
        guard found, let expected else { return }
        #expect(placement.pool.index == expected.pool, comment)
        #expect(placement.tier == expected.tier, comment)
        #expect(placement.masks == expected.masks, comment)
        checkShape(placement, workers: workers, demand: demand, scope: scope, comment)
        packer.take(placement)
        if random.chance(percent: 10) {
            packer.give(placement)
            let returned = packer.digest()
            #expect(returned == before, comment)
            packer.take(placement)
        }
        reference.take(placement)
        held.append(placement)
    }

    /// What holds for any placement, said without the reference packer.
    private func checkShape(_ placement: Placement, workers: Int, demand: Demand, scope: Scope, _ comment: Comment) {
        let layout = layouts[placement.pool.index]
        let shape = pools[placement.pool.index].shape
        var gpus = 0
        var nodes: Set<Int> = []
        placement.forEachNode { node, gpuMask in
            #expect(gpuMask.nonzeroBitCount % demand.gpus == 0 && gpuMask != 0, comment)
            #expect(nodes.insert(node).inserted, comment)
            #expect(!cordoned.contains([placement.pool.index, node]), comment)
            gpus += gpuMask.nonzeroBitCount
        }
        let domains = Set(nodes.map { layout.domain(ofNode: $0) })
        let blocks = Set(domains.map { layout.block(ofDomain: $0) })
        let smallest: Tier =
            nodes.count == 1 ? .node : domains.count == 1 ? .domain : blocks.count == 1 ? .block : .pool
        #expect(gpus == workers * demand.gpus, comment)
        #expect(placement.workerCount == workers, comment)
        #expect(placement.tier == smallest, comment)
        #expect(smallest <= scope.tier, comment)
        #expect(Int(placement.gpusPerWorker) == demand.gpus, comment)
        let cpuMillis = demand.cpuMillis ?? shape.cpuMillis * demand.gpus / shape.gpus
        let memoryMiB = demand.memoryMiB ?? shape.memoryMiB * demand.gpus / shape.gpus
        #expect(Int(placement.cpuMillisPerWorker) == cpuMillis, comment)
        #expect(Int(placement.memoryMiBPerWorker) == memoryMiB, comment)
    }

    mutating func release() {
        if held.isEmpty { return }
        let placement = held.remove(at: random.pick(0...held.count - 1))
        packer.give(placement)
        reference.give(placement)
    }

    mutating func cordonOrNot() {
        let pool = random.pick(0...pools.count - 1)
        let node = random.pick(0...layouts[pool].nodeCount - 1)
        let isSchedulable = random.chance(percent: 40)
        packer.setSchedulable(pool: pool, node: node, isSchedulable)
        reference.setSchedulable(pool: pool, node: node, isSchedulable)
        if isSchedulable { cordoned.remove([pool, node]) } else { cordoned.insert([pool, node]) }
    }

    mutating func grow() {
        let pool = random.pick(0...pools.count - 1)
        if hasGrown[pool] { return }
        let layout = PoolLayout(pools[pool].grown)
        #expect(layouts[pool].isPrefix(of: layout), "seed \(seed)")
        layouts[pool] = layout
        hasGrown[pool] = true
        packer.put(pool: pool, layout: layout, shape: pools[pool].shape)
        reference.put(pool: pool, layout: layout, shape: pools[pool].shape)
    }

    /// Gives back what a pool holds, removes the pool, and puts another under its number.
    mutating func replace() {
        let number = random.pick(0...pools.count - 1)
        for placement in held where placement.pool.index == number { packer.give(placement) }
        held.removeAll { $0.pool.index == number }
        cordoned = cordoned.filter { $0[0] != number }
        packer.remove(pool: number)
        reference.remove(pool: number)
        let pool = random.pool()
        pools[number] = pool
        layouts[number] = PoolLayout(pool.topology)
        hasGrown[number] = false
        packer.put(pool: number, layout: layouts[number], shape: pool.shape)
        reference.put(pool: number, layout: layouts[number], shape: pool.shape)
        demands[random.pick(0...demands.count - 1)] = random.demand(for: pool.shape)
    }

    /// Counts every node's use again from the placements held, and compares it with what the core says is free.
    func checkLedger(_ comment: Comment) {
        for number in pools.indices {
            let shape = pools[number].shape
            var masks = [UInt16](repeating: 0, count: layouts[number].nodeCount)
            var cpuMillis = [Int](repeating: 0, count: masks.count)
            var memoryMiB = cpuMillis
            var isSound = true
            for placement in held where placement.pool.index == number {
                placement.forEachNode { node, gpuMask in
                    let workers = gpuMask.nonzeroBitCount / Int(placement.gpusPerWorker)
                    if masks[node] & gpuMask != 0 { isSound = false }
                    masks[node] |= gpuMask
                    cpuMillis[node] += workers * Int(placement.cpuMillisPerWorker)
                    memoryMiB[node] += workers * Int(placement.memoryMiBPerWorker)
                }
            }
            #expect(isSound, comment)
            var free = (all: 0, schedulable: 0)
            let everyGPU = UInt16((1 << UInt32(shape.gpus)) - 1)
            for node in masks.indices {
                let said = packer.free(pool: number, node: node)
                // One comparison a node: `#expect` costs too much to stand here four times.
                let isTrue =
                    masks[node] & ~everyGPU == 0 && cpuMillis[node] <= shape.cpuMillis
                    && memoryMiB[node] <= shape.memoryMiB && said.gpuMask == everyGPU & ~masks[node]
                    && said.cpuMillis == shape.cpuMillis - cpuMillis[node]
                    && said.memoryMiB == shape.memoryMiB - memoryMiB[node]
                if !isTrue { Issue.record("\(comment): node \(node) of pool \(number) has \(said) free") }
                free.all += said.gpuMask.nonzeroBitCount
                if !cordoned.contains([number, node]) { free.schedulable += said.gpuMask.nonzeroBitCount }
            }
            let said = packer.freeGPUs(pool: number)
            #expect(said == free, comment)
        }
    }

    /// One random step.
    mutating func step() {
        switch random.pick(0...99) {
        case 0..<60:
            let isHeld: Set<Int> = random.chance(percent: 20) ? [random.pick(0...pools.count - 1)] : []
            place(
                workers: random.workers(), demand: random.pick(demands), scope: random.scope(), ranked: ranked(),
                isHeld: isHeld)
        case 60..<86: release()
        case 86..<93: cordonOrNot()
        case 93..<95: grow()
        case 95..<96: replace()
        case 96..<98: demands[random.pick(0...demands.count - 1)] = random.demand(for: random.pick(pools).shape)
        default:
            let claimed = demands[0]
            let needs = pools.indices.map { packer.need(of: claimed, pool: $0) }
            packer.trimIndexes { pool, need in needs[pool] == need }
        }
    }
}

extension Placement {
    /// The GPUs on each node, by rising node.
    var masks: [ReferencePlace.NodeMask] {
        var masks: [ReferencePlace.NodeMask] = []
        forEachNode { node, gpuMask in masks.append(ReferencePlace.NodeMask(node: node, gpuMask: gpuMask)) }
        return masks.sorted { $0.node < $1.node }
    }
}
