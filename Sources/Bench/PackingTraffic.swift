// The traffic of the packing benchmark: gangs that come and go on a fleet that stays as full as it was, and what is measured
// on it. Knows no figure and no goal.

import Model
import Packing

/// Gangs that come and go on a fleet that stays as full as it was.
struct Traffic: ~Copyable {
    static let shape = NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040)

    static func pool(_ topology: Topology) -> PoolSpec {
        PoolSpec(
            name: "bench", provider: "p", region: "r", accelerator: "GB300", node: shape, topology: topology)
    }

    static func form(gpus: Int, workers: Int = 1, scope: Tier = .pool) -> GangForm {
        GangForm(groups: [GangForm.Group(count: workers, demand: Demand(gpus: gpus))], scope: scope)
    }

    var packer = Packer()
    var held: [Placement] = []
    var refused = 0
    /// Of all placements so far.
    private(set) var placedWorkers = 0
    let capacity: Int
    private var gangs: [Gang]
    private var spare: [Placement] = []
    private var random: SeededGenerator
    private var mix = DemandMix()
    private var isFull = false
    private var taken = 0
    private let limit: Int
    private let largest: Int

    init(domains: [(blocks: Int, domainsPerBlock: Int)], fillPercent: Int, seed: UInt64) {
        var capacity = 0
        for (number, pool) in domains.enumerated() {
            let topology = Topology.counts(
                blocks: pool.blocks, domainsPerBlock: pool.domainsPerBlock, nodesPerDomain: 18)
            packer.put(pool: number, layout: PoolLayout(topology), spec: Self.pool(topology))
            capacity += topology.nodeCount * 4
        }
        let candidates = domains.indices.map { Candidate(pool: $0, rank: 0) }
        // Making an index outdates nothing, so all three gangs are of one generation.
        gangs = []
        for gpus in [1, 2, 4] {
            gangs.append(packer.gang(Self.form(gpus: gpus), pools: candidates))
        }
        self.capacity = capacity
        largest = domains.map { $0.blocks * $0.domainsPerBlock * 18 / 2 }.min() ?? 1
        limit = capacity / 100 * fillPercent
        random = SeededGenerator(seed: seed)
    }

    /// Counts of nodes drawn as 60 % one node, 30 % up to a domain, 9 % up to 32 domains, 1 % of 1,000 to 4,000 nodes,
    /// the last two cut to what a pool of this size holds. One-node gangs take 1, 2 or 4 GPUs.
    private mutating func draw() -> (workers: Int, kind: Int) {
        let (workers, kind) = drawGang()
        if !isFull {
            // As the engine does it; the mix is known once the fleet is full.
            let version = mix.version
            mix.note(
                MixEntry(demand: Demand(gpus: 1 << kind), workers: workers, tier: .pool, accelerators: [], weight: 0))
            if mix.version != version { packer.setMix(mix.inUse) }
        }
        return (workers, kind)
    }

    private mutating func drawGang() -> (workers: Int, kind: Int) {
        switch random.pick(0...99) {
        case 0..<30: (1, 2)
        case 30..<45: (1, 1)
        case 45..<60: (1, 0)
        case 60..<90: (random.pick(2...18), 2)
        case 90..<99: (min(random.pick(19...576), largest), 2)
        default: (min(random.pick(1000...4000), largest), 2)
        }
    }

    /// Places one gang and gives back others until the fleet is as full as before; tells how long the placing took.
    mutating func step(timed: Bool) -> UInt64 {
        let (workers, kind) = draw()
        gangs[kind].resize(to: workers)
        var placement = spare.popLast() ?? .none
        let begin = timed ? nanosecondsNow() : 0
        let fits = packer.find(gangs[kind], into: &placement)
        if fits { packer.take(placement) }
        let end = timed ? nanosecondsNow() : 0
        if fits {
            placedWorkers += workers
            taken += placement.gpuMilli / 1000
            held.append(placement)
        } else {
            refused += 1
            spare.append(placement)
        }
        while taken > limit { freeOne() }
        return end - begin
    }

    private mutating func freeOne() {
        held.swapAt(random.pick(0...held.count - 1), held.count - 1)
        let placement = held.removeLast()
        packer.give(placement)
        taken -= placement.gpuMilli / 1000
        spare.append(placement)
    }

    mutating func fill() {
        while taken < limit * 98 / 100 { _ = step(timed: false) }
        isFull = true
    }

    /// Of the thread's own time, for each round.
    mutating func nanosecondsPerStep(rounds: Int, steps: Int) -> [UInt64] {
        var rates: [UInt64] = []
        for _ in 0..<rounds {
            let begin = threadNanosecondsNow()
            for _ in 0..<steps { _ = step(timed: false) }
            rates.append((threadNanosecondsNow() - begin) / UInt64(max(1, steps)))
        }
        return rates
    }

    /// Of all that held placements take, with the headers of their arrays, by their workers.
    var bytesPerWorker: Double {
        let header = 32
        var (bytes, workers) = (0, 0)
        for placement in held {
            bytes += MemoryLayout<Placement>.stride + 2 * header
            bytes += placement.runs.count * MemoryLayout<NodeRun>.stride
            bytes += placement.parts.count * MemoryLayout<PlacementPart>.stride
            workers += placement.workerCount
        }
        return Double(bytes) / Double(max(1, workers))
    }

    /// How often a step of this thread allocates: as the fleet runs, where the storage of a placement grows when it comes to
    /// hold a larger gang than before, and with storage that is large enough from the start. What is left then are buckets
    /// of an index in which no domain of the pool ever was before.
    mutating func allocationsPerDecision(steps: Int, _ allocator: Allocator) -> (growing: Double, reserved: Double) {
        let before = allocator.count()
        precondition(
            [UInt64](repeating: before, count: steps).last == before && allocator.count() > before, "nothing counts")
        held.reserveCapacity(2 * held.count)
        spare.reserveCapacity(2 * held.count)
        let growing = count(steps, allocator)
        // More gangs may be held at once than ever before.
        for _ in 0..<256 { spare.append(.none) }
        for at in spare.indices {
            spare[at].runs.reserveCapacity(4000)
            spare[at].parts.reserveCapacity(1)
        }
        for at in held.indices { held[at].runs.reserveCapacity(4000) }
        return (growing, count(steps, allocator))
    }

    private mutating func count(_ steps: Int, _ allocator: Allocator) -> Double {
        let begin = allocator.count()
        for _ in 0..<steps { _ = step(timed: false) }
        return Double(allocator.count() - begin) / Double(max(1, steps))
    }

    /// Nanoseconds of a copy of the packer: into memory that the process holds already, as when one follows the other, or,
    /// with an allocator to ask, into pages that the system gives anew.
    func fork(rounds: Int, fresh allocator: Allocator? = nil) -> Double {
        var times: [UInt64] = []
        for _ in 0..<rounds {
            allocator?.trim()
            let begin = nanosecondsNow()
            let fork = packer.fork()
            times.append(nanosecondsNow() - begin)
            precondition(fork.generation == packer.generation, "a fork is of the same state")
        }
        return Double(Spread(&times).median)
    }

    /// Gangs of several groups or rules, each with a name.
    static let ruled: [(name: String, form: GangForm)] = {
        let loaders = GangForm.Group(count: 4, demand: Demand(gpus: 0, cpuMillis: 8_000, memoryMiB: 32_768))
        func whole(_ count: Int, most: Int? = nil, segment: Segment? = nil) -> GangForm.Group {
            GangForm.Group(count: count, maxCount: most, demand: Demand(gpus: 4), segment: segment)
        }
        return [
            (
                "ThreeGroups",
                GangForm(
                    groups: [whole(16), GangForm.Group(count: 2, demand: Demand(gpus: 1)), loaders], scope: .pool)
            ),
            (
                "ElasticGroups",
                GangForm(
                    groups: [GangForm.Group(count: 1, maxCount: 4, demand: Demand(gpus: 1)), loaders], scope: .pool)
            ),
            ("ExclusiveGang", GangForm(groups: [whole(12), loaders], scope: .domain, exclusive: .domain)),
            (
                "SegmentsInBlock",
                GangForm(groups: [whole(32, segment: Segment(size: 8, tier: .domain)), loaders], scope: .block)
            ),
        ]
    }()

    /// Nanoseconds to lay out a gang in the first pool that has room for it, and to take all of it back. Nil where no pool
    /// has.
    mutating func trial(_ form: GangForm, rounds: Int) -> Double? {
        var placement = Placement.none
        for target in gangs[2].targets {
            let gang = packer.gang(form, pools: [Candidate(pool: target.pool, rank: 0)])
            if !packer.find(gang, into: &placement) { continue }
            var times: [UInt64] = []
            for _ in 0..<rounds {
                let begin = nanosecondsNow()
                _ = packer.find(gang, into: &placement)
                times.append(nanosecondsNow() - begin)
            }
            return Double(Spread(&times).median)
        }
        return nil
    }

    /// Nanoseconds of a decision that a gang fits nowhere: more whole nodes than any place of `scope` has, though the
    /// whole fleet has them.
    mutating func infeasible(scope: Tier, rounds: Int) -> Double {
        let candidates = gangs[2].targets.map { Candidate(pool: $0.pool, rank: 0) }
        var gang = packer.gang(Self.form(gpus: 4, scope: scope), pools: candidates)
        var largest = 0
        for target in gang.targets.indices { largest = max(largest, packer.largestFit(gang, target: target)) }
        gang.resize(to: largest + 1)
        var placement = Placement.none
        var times: [UInt64] = []
        for _ in 0..<rounds {
            let begin = nanosecondsNow()
            for _ in 0..<100 {
                let fits = packer.find(gang, into: &placement)
                precondition(!fits, "the gang must not fit")
            }
            times.append(nanosecondsNow() - begin)
        }
        return Double(Spread(&times).median) / 100
    }
}
