// Drives the core beside the reference packer and the shadow of its fleet, and compares all that can be seen.

import Model
import Packing
import TestKit
import Testing

/// What came of many searches.
struct Tally {
    var searches = 0
    var placed = 0
    /// Of several groups, with an answer that the reference knows.
    var ofGroups = 0
    /// Of those, how often the reference had a place, or one of a lower rank, and the core had not.
    var missed = 0
    var tooHard = 0
    /// Of one group over several pools of one rank.
    var splits = 0
    /// Of those, how many cost more than they had to.
    var dearSplits = 0
    /// Of one exclusive group in one pool whose least cost the reference knows.
    var exclusives = 0
    /// Of those, how many cost more than they had to.
    var dearExclusives = 0
    /// Of one worker, with a mix.
    var singles = 0

    mutating func add(_ other: Tally) {
        searches += other.searches
        placed += other.placed
        ofGroups += other.ofGroups
        missed += other.missed
        tooHard += other.tooHard
        splits += other.splits
        dearSplits += other.dearSplits
        exclusives += other.exclusives
        dearExclusives += other.dearExclusives
        singles += other.singles
    }
}

/// The core, the reference with its shadow of the fleet, and what is held in both.
struct Harness: ~Copyable {
    var packer = Packer(idleIndexesPerPool: 4)
    var reference = ReferencePacker()
    var random: SeededRandom
    let seed: UInt64
    let isSmall: Bool
    var pools: [DrawnPool] = []
    var layouts: [PoolLayout] = []
    var hasGrown: [Bool] = []
    var features: Set<GangFeature>
    let hasMix: Bool
    /// Pools are drawn billed by the GPU and by the node, or by the GPU only.
    let isBilledByGPU: Bool
    /// With the scarcities last told.
    var mix: [MixEntry] = []
    var jobs: [JobSpec] = []
    var held: [Placement] = []
    /// Found or held some time ago.
    var stale: [Placement] = []
    var tally = Tally()
    var isSound = true
    /// What is being sought.
    var asked: (form: GangForm, candidates: [Candidate], isHeld: Set<Int>)?

    init(
        seed: UInt64, pools count: ClosedRange<Int>, isSmall: Bool = false, features: Set<GangFeature>,
        hasMix: Bool = false, isBilledByGPU: Bool = false
    ) {
        self.seed = seed
        self.isSmall = isSmall
        self.features = features
        self.hasMix = hasMix
        // A worker that is weighed by the mix pays for what it holds.
        self.isBilledByGPU = isBilledByGPU
        random = SeededRandom(seed: seed)
        for number in 0..<random.pick(count) { put(random.pool(number: number, isSmall: isSmall), at: number) }
        if hasMix { tellMix(random.mix(for: pools)) }
        for _ in 0..<5 { jobs.append(random.job(features, for: pools, isSmall: isSmall)) }
    }

    private mutating func put(_ pool: DrawnPool, at number: Int) {
        var pool = pool
        if isBilledByGPU { pool.spec.billing = .gpu }
        if number == pools.count {
            pools.append(pool)
            layouts.append(PoolLayout(pool.topology))
            hasGrown.append(false)
        } else {
            pools[number] = pool
            layouts[number] = PoolLayout(pool.topology)
            hasGrown[number] = false
        }
        packer.put(pool: number, layout: layouts[number], spec: pool.spec)
        reference.fleet.put(pool: number, layout: layouts[number], spec: pool.spec)
    }

    /// Records what is wrong, with the seed that leads to it.
    mutating func check(
        _ isTrue: Bool, _ what: @autoclosure () -> String, at location: SourceLocation = #_sourceLocation
    ) {
        if isTrue { return }
        isSound = false
        let asked = asked.map { "\n\($0.form)\n\($0.candidates)\nheld \($0.isHeld)" } ?? ""
        Issue.record("seed \(seed): \(what())\(asked)", sourceLocation: location)
    }

    /// Tells the core the usual demand, with how scarce room for it is now.
    mutating func tellMix(_ entries: [MixEntry]) {
        mix = entries
        for (at, scarcity) in packer.scarcity(of: entries).enumerated() { mix[at].scarcity = scarcity }
        packer.setMix(mix)
    }

    // MARK: Steps

    mutating func candidates() -> [Candidate] { random.candidates(pools.map(\.spec)) }

    /// Looks for a place with both packers and compares what they say. Takes nothing.
    mutating func search(_ form: GangForm, _ candidates: [Candidate], isHeld: Set<Int> = []) -> Placement? {
        asked = (form, candidates, isHeld)
        let gang = packer.gang(form, pools: candidates)
        var placement = Placement.none
        let before = packer.digest()
        let found = packer.find(gang, into: &placement) { isHeld.contains($0) }
        let after = packer.digest()
        check(after == before, "a search changed the state")
        compareRooms(form, candidates, gang)
        let offered = candidates.filter { !isHeld.contains($0.pool) }
        compare(form, offered, found ? placement : nil, reference.find(form, offered))
        return found && isSound ? placement : nil
    }

    /// Looks for a place, takes it where there is one, and now and then gives it back and takes it again.
    mutating func place(_ form: GangForm, _ candidates: [Candidate], isHeld: Set<Int> = []) {
        guard let placement = search(form, candidates, isHeld: isHeld) else { return }
        let before = packer.digest()
        tally.placed += 1
        let canTake = packer.canTake(placement)
        check(canTake, "what was found cannot be taken")
        if random.chance(percent: 10) { return stale.append(placement) }
        take(placement)
        if random.chance(percent: 15) {
            packer.give(placement)
            let returned = packer.digest()
            check(returned == before, "taking and giving back changed the state")
            packer.take(placement)
        }
    }

    mutating func take(_ placement: Placement) {
        let faults = reference.fleet.take(placement)
        check(faults.isEmpty, "\(faults)")
        if !isSound { return }
        packer.take(placement)
        held.append(placement)
    }

    mutating func release() {
        if held.isEmpty { return }
        let placement = held.remove(at: random.pick(0...held.count - 1))
        let faults = reference.fleet.give(placement)
        check(faults.isEmpty, "\(faults)")
        packer.give(placement)
        if random.chance(percent: 20) { stale.append(placement) }
    }

    /// Whether something that once had a place could have it now.
    mutating func retake() {
        guard let placement = stale.popLast() else { return }
        asked = nil
        let faults = reference.fleet.faults(taking: placement)
        let canTake = packer.canTake(placement)
        check(canTake == faults.isEmpty, "canTake is \(canTake) though \(faults): \(placement)")
        if canTake && isSound { take(placement) }
    }

    mutating func cordonOrNot() {
        let pool = random.pick(0...pools.count - 1)
        let node = random.pick(0...layouts[pool].nodeCount - 1)
        let isSchedulable = random.chance(percent: 40)
        packer.setSchedulable(pool: pool, node: node, isSchedulable)
        reference.fleet.setSchedulable(pool: pool, node: node, isSchedulable)
    }

    mutating func grow() {
        let pool = random.pick(0...pools.count - 1)
        if hasGrown[pool] { return }
        pools[pool].spec.topology = pools[pool].grown
        pools[pool].spec.priceMicroUSDPerGPUHour += 1000
        if !isBilledByGPU && random.chance(percent: 50) {
            pools[pool].spec.billing = pools[pool].spec.billing == .gpu ? .node : .gpu
        }
        let layout = PoolLayout(pools[pool].grown)
        check(layouts[pool].isPrefix(of: layout), "a pool grew from another")
        layouts[pool] = layout
        hasGrown[pool] = true
        packer.put(pool: pool, layout: layout, spec: pools[pool].spec)
        reference.fleet.put(pool: pool, layout: layout, spec: pools[pool].spec)
    }

    /// Gives back what stands in a pool, removes it, and puts another under its number.
    mutating func replace() {
        let number = random.pick(0...pools.count - 1)
        func stands(_ placement: Placement) -> Bool { placement.parts.contains { $0.pool.index == number } }
        for placement in held where stands(placement) {
            packer.give(placement)
            let faults = reference.fleet.give(placement)
            check(faults.isEmpty, "\(faults)")
        }
        held.removeAll(where: stands)
        stale.removeAll(where: stands)
        packer.remove(pool: number)
        reference.fleet.remove(pool: number)
        put(random.pool(number: number, isSmall: isSmall), at: number)
    }

    /// One random step.
    mutating func step() {
        switch random.pick(0...99) {
        case 0..<60:
            let isHeld: Set<Int> = random.chance(percent: 20) ? [random.pick(0...pools.count - 1)] : []
            let job = random.pick(jobs)
            let scope = random.chance(percent: 50) ? job.scope.preferred ?? job.scope.required : job.scope.required
            place(GangForm(job, scope: scope), candidates(), isHeld: isHeld)
        case 60..<82: release()
        case 82..<87: retake()
        case 87..<92: cordonOrNot()
        case 92..<94: grow()
        case 94..<95: replace()
        case 95..<96 where hasMix:
            tellMix(random.chance(percent: 50) ? mix : random.mix(for: pools))
        case 95..<98:
            jobs[random.pick(0...jobs.count - 1)] = random.job(features, for: pools, isSmall: isSmall)
        default:
            let job = random.pick(jobs)
            packer.trimIndexes(keeping: [GangForm(job, scope: job.scope.required)], onReserved: seed % 2 == 0)
        }
    }
}
