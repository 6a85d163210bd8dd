// What Berth remembers: revision, jobs, pools and their nodes' states, and their digest. A value: a copy is the view that
// readers see and a snapshot is made from. Free capacity and the queue are not here; they follow from this.

public import Model

/// The fixed part of a pool: its description and how its nodes are numbered.
public final class PoolInfo: Sendable {
    public let spec: PoolSpec
    public let layout: PoolLayout

    public init(spec: PoolSpec, layout: PoolLayout? = nil) {
        self.spec = spec
        self.layout = layout ?? PoolLayout(spec.topology)
    }
}

/// A pool at its slot.
public struct PoolRecord: Sendable {
    public internal(set) var info: PoolInfo
    public internal(set) var isDeleted = false
    /// Revision of the last fact about this pool or one of its nodes.
    public internal(set) var revision: UInt64
    /// Shape [nodes].
    public internal(set) var nodeStates: [NodeState]
    /// GPU capacity that jobs hold here, in thousandths of a GPU.
    public internal(set) var gpuMilliAllocated = 0
    /// Placed and running jobs with a worker here.
    public internal(set) var jobs = 0
    /// The number of its accelerator model in the state.
    public let acceleratorNumber: Int

    public var spec: PoolSpec { info.spec }
    public var layout: PoolLayout { info.layout }
    /// GPUs that jobs hold here, rounded up.
    public var gpusAllocated: Int { (gpuMilliAllocated + 999) / 1000 }

    init(info: PoolInfo, acceleratorNumber: Int, revision: UInt64) {
        self.info = info
        self.acceleratorNumber = acceleratorNumber
        self.revision = revision
        nodeStates = [NodeState](repeating: .ready, count: info.layout.nodeCount)
    }
}

/// A priority class that is there.
public struct PriorityClassRecord: Sendable {
    public internal(set) var spec: PriorityClass
    /// Revision of the last fact about it.
    public internal(set) var revision: UInt64
    /// Jobs that name it and have not ended.
    public internal(set) var jobs = 0
}

/// The whole state at one revision.
public struct State: Sendable {
    public internal(set) var revision: UInt64 = 0
    public internal(set) var at = Timestamp(nanoseconds: 0)
    public internal(set) var jobs = JobTable()
    public internal(set) var arrays = ArrayTable()
    /// By slot; deleted pools stay, for jobs that ended there still name them.
    public internal(set) var pools: [PoolRecord] = []
    public internal(set) var nextJobNumber: UInt64 = 1
    /// Placements made so far.
    public internal(set) var placements: UInt64 = 0
    /// Whether nothing is left for the scheduler to try. No part of the digest: it says what the engine goes on with.
    public internal(set) var isSettled = true
    /// When a place to keep for a blocked job was sought last.
    public internal(set) var searchedAt = Timestamp.distantPast
    /// Jobs in each state, by `JobState.rawValue`.
    public internal(set) var jobsByState = [Int](repeating: 0, count: JobState.allCases.count)
    /// Queued jobs that may not be tried, and those behind each kind of gate, by `GateKind.rawValue`; one job may be behind
    /// several.
    public internal(set) var gatedJobs = 0
    public internal(set) var jobsByGate = [Int](repeating: 0, count: GateKind.allCases.count)
    /// Queued jobs that have a place kept for them.
    public internal(set) var reservedJobs = 0
    /// By rising name.
    public internal(set) var priorityClasses: [PriorityClassRecord] = []
    /// GPU capacity that queued jobs ask for at least, in thousandths of a GPU.
    public internal(set) var gpuMilliQueued = 0
    /// Waiting jobs for which others are asked to leave, by rising number.
    public internal(set) var preemptors: [JobNumber] = []
    /// GPU capacity of all pools, and what of it jobs hold, in thousandths of a GPU.
    public internal(set) var gpuMilliAll = 0
    public internal(set) var gpuMilliAllocated = 0
    public internal(set) var tenants = TenantTable()
    /// Models of accelerators in the order in which pools named them first; their places are their numbers.
    public internal(set) var accelerators: [String] = []
    /// What all pools have, by accelerator in thousandths of a GPU, and together.
    public internal(set) var gpuMilliByAccelerator: [Int64] = []
    public internal(set) var supply = Usage.none
    /// Which demand usually comes.
    public internal(set) var mix = DemandMix()
    private var slots: [String: PoolSlot] = [:]
    private var itemDigests: UInt64 = 0

    public init() {}

    /// The slot of the pool called `name`, unless it was deleted.
    public func slot(named name: String) -> PoolSlot? { slots[name] }

    public subscript(slot: PoolSlot) -> PoolRecord { pools[slot.index] }

    public func count(of state: JobState) -> Int { jobsByState[Int(state.rawValue)] }

    /// GPUs that queued jobs ask for at least, rounded up.
    public var gpusQueued: Int { (gpuMilliQueued + 999) / 1000 }

    public var liveJobs: Int {
        count(of: .queued) + count(of: .placed) + count(of: .running) + count(of: .preempting)
            + count(of: .repairing)
    }

    /// Equal for equal states, whatever history led to them. Constant time.
    public var digest: UInt64 {
        var digest = Digest(seed: 6)
        digest.add(revision)
        digest.add(nextJobNumber)
        digest.add(placements)
        digest.add(searchedAt)
        // The rest of the mix follows from the jobs that came, so that these tell two mixes apart.
        digest.add(mix.arrivals)
        digest.add(mix.step)
        digest.add(mix.version)
        digest.add(itemDigests)
        digest.add(tenants.digest)
        digest.add(tenants.policy.halfLifeSeconds)
        return digest.value
    }

    // MARK: Changes, each keeping counts and digest true

    mutating func insert(_ job: Job) {
        countForTenant(job, by: 1)
        put(job)
    }

    mutating func replace(_ old: Job, with new: Job) {
        // From placed to running nothing changes for its tenant.
        if old.state.holdsCapacity != new.state.holdsCapacity || old.state == .queued || new.state == .queued
            || old.life.placement != new.life.placement
        {
            countForTenant(old, by: -1)
            countForTenant(new, by: 1)
        }
        itemDigests &-= old.digest
        count(old, by: -1)
        put(new)
    }

    mutating func remove(_ job: Job) {
        countForTenant(job, by: -1)
        itemDigests &-= job.digest
        count(job, by: -1)
        jobs.remove(job)
        forgetTask(job)
    }

    /// Its array remembers how it ended, until the last of its tasks is forgotten.
    private mutating func forgetTask(_ job: Job) {
        guard let number = job.arrayNumber, var record = arrays[number],
            let end = JobEnd.allCases.first(where: { $0.state == job.state })
        else { return }
        itemDigests &-= record.digest
        record.forgotten[Int(end.rawValue)] += 1
        record.tasksByState[Int(job.state.rawValue)] += 1
        if record.forgottenTasks == record.info.array.count { return arrays.remove(record) }
        put(record)
    }

    mutating func put(_ record: JobArrayRecord) {
        itemDigests &+= record.digest
        arrays.put(record)
    }

    private mutating func put(_ job: Job) {
        jobs.put(job)
        itemDigests &+= job.digest
        count(job, by: 1)
    }

    private mutating func count(_ job: Job, by change: Int) {
        jobsByState[Int(job.state.rawValue)] += change
        countGates(job, by: change)
        if job.life.reservation != nil { reservedJobs += change }
        arrays.count(job, by: change)
        if !job.state.hasEnded, let at = classIndex(named: job.spec.priorityClass) {
            priorityClasses[at].jobs += change
        }
        if job.state == .queued { gpuMilliQueued += change * job.spec.gpuMilli }
        if job.life.reservation?.cause == .preemption { countPreemptor(job.number, by: change) }
        guard job.state.holdsCapacity, let placement = job.life.placement else { return }
        for part in placement.parts.indices {
            let milli = change * placement.gpuMilli(part)
            pools[placement.parts[part].pool.index].gpuMilliAllocated += milli
            gpuMilliAllocated += milli
        }
        placement.forEachPool { pools[$0.index].jobs += change }
    }

    private mutating func countPreemptor(_ number: JobNumber, by change: Int) {
        let at = preemptors.firstIndex { $0 >= number } ?? preemptors.count
        if change > 0 { preemptors.insert(number, at: at) } else { preemptors.remove(at: at) }
    }

    private mutating func countGates(_ job: Job, by change: Int) {
        guard job.state == .queued, job.life.isGated else { return }
        gatedJobs += change
        if job.life.isHeld { jobsByGate[Int(GateKind.held.rawValue)] += change }
        if job.life.isEarly { jobsByGate[Int(GateKind.notBefore.rawValue)] += change }
        if job.life.unmet != 0 { jobsByGate[Int(GateKind.after.rawValue)] += change }
        if job.life.awaitsTurn { jobsByGate[Int(GateKind.array.rawValue)] += change }
    }

    mutating func putPool(_ info: PoolInfo, at slot: PoolSlot) {
        if slot.index == pools.count {
            let accelerator = accelerators.firstIndex(of: info.spec.accelerator) ?? accelerators.count
            if accelerator == accelerators.count {
                accelerators.append(info.spec.accelerator)
                gpuMilliByAccelerator.append(0)
            }
            pools.append(PoolRecord(info: info, acceleratorNumber: accelerator, revision: revision))
        } else {
            let before = pools[slot.index].spec
            countSupply(of: slot, by: -1)
            let rise = info.spec.priceMicroUSDPerGPUHour - before.priceMicroUSDPerGPUHour
            if rise != 0 { tenants.reprice(pool: slot.index, by: rise, at: at) }
            itemDigests &-= pools[slot.index].spec.digest(slot: slot, isDeleted: false)
            gpuMilliAll -= pools[slot.index].spec.gpuCount * 1000
            pools[slot.index].info = info
            pools[slot.index].revision = revision
            let added = info.layout.nodeCount - pools[slot.index].nodeStates.count
            pools[slot.index].nodeStates.append(contentsOf: repeatElement(.ready, count: added))
        }
        itemDigests &+= info.spec.digest(slot: slot, isDeleted: false)
        gpuMilliAll += info.spec.gpuCount * 1000
        countSupply(of: slot, by: 1)
        slots[info.spec.name] = slot
    }

    mutating func deletePool(at slot: PoolSlot) {
        let spec = pools[slot.index].spec
        itemDigests &-= spec.digest(slot: slot, isDeleted: false)
        itemDigests &+= spec.digest(slot: slot, isDeleted: true)
        gpuMilliAll -= spec.gpuCount * 1000
        countSupply(of: slot, by: -1)
        for node in pools[slot.index].nodeStates.indices { setNode(node, of: slot, to: .ready) }
        pools[slot.index].isDeleted = true
        pools[slot.index].revision = revision
        slots[spec.name] = nil
    }

    private mutating func countSupply(of slot: PoolSlot, by change: Int64) {
        let pool = pools[slot.index]
        let milli = change * Int64(pool.spec.gpuCount) * 1000
        let nodes = change * Int64(pool.spec.topology.nodeCount)
        gpuMilliByAccelerator[pool.acceleratorNumber] += milli
        supply += Usage(
            gpuMilli: milli, price: Int128(milli) * Int128(pool.spec.priceMicroUSDPerGPUHour),
            cpuMillis: nodes * Int64(pool.spec.node.cpuMillis), memoryMiB: nodes * Int64(pool.spec.node.memoryMiB))
    }

    mutating func setNode(_ node: Int, of slot: PoolSlot, to state: NodeState) {
        itemDigests &-= pools[slot.index].nodeStates[node].digest(slot: slot, node: node)
        itemDigests &+= state.digest(slot: slot, node: node)
        pools[slot.index].nodeStates[node] = state
        pools[slot.index].revision = revision
    }
}

extension State {
    public func priorityClass(named name: String) -> PriorityClassRecord? {
        classIndex(named: name).map { priorityClasses[$0] }
    }

    private func classIndex(named name: String) -> Int? {
        let at = classPlace(of: name)
        return at < priorityClasses.count && priorityClasses[at].spec.name == name ? at : nil
    }

    /// Where a class of this name stands or would stand.
    private func classPlace(of name: String) -> Int {
        if name.isEmpty { return priorityClasses.count }
        var low = 0
        var high = priorityClasses.count
        while low < high {
            let middle = (low + high) / 2
            if priorityClasses[middle].spec.name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func put(_ spec: PriorityClass, revision: UInt64) {
        let at = classPlace(of: spec.name)
        if classIndex(named: spec.name) == nil {
            priorityClasses.insert(PriorityClassRecord(spec: spec, revision: revision), at: at)
        } else {
            itemDigests &-= priorityClasses[at].spec.digest
            priorityClasses[at].spec = spec
            priorityClasses[at].revision = revision
        }
        itemDigests &+= spec.digest
    }

    mutating func deletePriorityClass(named name: String) {
        guard let at = classIndex(named: name) else { return }
        itemDigests &-= priorityClasses.remove(at: at).spec.digest
    }
}

extension Placement {
    /// The pools in which the gang stands, each once.
    public func forEachPool(_ body: (PoolSlot) -> Void) {
        for (at, part) in parts.enumerated() where !parts[..<at].contains(where: { $0.pool == part.pool }) {
            body(part.pool)
        }
    }
}

extension State {
    /// Everything a snapshot holds.
    public var image: StateImage {
        var image = StateImage()
        image.revision = revision
        image.at = at
        image.nextJobNumber = nextJobNumber
        image.placements = placements
        image.isSettled = isSettled
        image.searchedAt = searchedAt
        image.digest = digest
        image.mix = mix
        image.fairShare = tenants.policy
        image.tenants = tenants.image
        image.priorityClasses = priorityClasses.map { PriorityClassImage(spec: $0.spec, revision: $0.revision) }
        image.pools = pools.map { pool in
            PoolImage(
                spec: pool.spec, isDeleted: pool.isDeleted, revision: pool.revision,
                unready: pool.nodeStates.enumerated().compactMap { $1 == .ready ? nil : (node: $0, state: $1) })
        }
        image.arrays = arrays.inOrder.map {
            JobArrayImage(number: $0.info.number, spec: $0.info.spec, forgotten: $0.forgotten)
        }
        image.jobs.reserveCapacity(jobs.count)
        jobs.forEach { job in
            image.jobs.append(job)
            return true
        }
        return image
    }
}
