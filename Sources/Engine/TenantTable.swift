// The tree of tenants as the state holds it: what each was put with, what it and all below it use, and what is remembered of it.
// A change touches a tenant and those above it.

public import Model

/// The fixed part of a tenant.
public final class TenantInfo: Sendable {
    public let path: String
    /// The tenant above; the fleet is its own.
    public let parent: TenantSlot
    /// Names in the path: 0 for the fleet.
    public let depth: Int
    /// As it was put; nil for one that jobs or tenants below it only name.
    public let spec: TenantSpec?
    fileprivate let digest: UInt64

    init(path: String, parent: TenantSlot, depth: Int, spec: TenantSpec?) {
        self.path = path
        self.parent = parent
        self.depth = depth
        self.spec = spec
        var digest = Digest(seed: 8)
        digest.add(path)
        digest.add(spec?.digest ?? 0)
        self.digest = digest.value
    }

    func with(_ spec: TenantSpec?) -> TenantInfo {
        TenantInfo(path: path, parent: parent, depth: depth, spec: spec)
    }
}

/// A tenant at its slot. Counts and use are those of the tenant and of all below it, unless they say otherwise.
public struct TenantRecord: Sendable {
    public internal(set) var info: TenantInfo
    /// Of the last fact about its specification, or 0.
    public internal(set) var revision: UInt64 = 0
    /// Tenants directly below.
    public internal(set) var children = 0
    public internal(set) var queuedJobs = 0
    /// Placed or running.
    public internal(set) var runningJobs = 0
    public internal(set) var usage = Usage.none
    /// In use by accelerator, by its number in the state, in thousandths of a GPU; may be shorter than there are accelerators.
    public internal(set) var gpuMilli: [Int64] = []
    /// In use by this tenant alone, by pool, in thousandths of a GPU, by rising slot.
    var ownByPool: [(pool: Int, gpuMilli: Int64)] = []
    public internal(set) var meter: Meter
    /// How often gangs of this tenant alone were asked to leave.
    public internal(set) var evictions = EvictionCount()

    public var path: String { info.path }
    public var spec: TenantSpec? { info.spec }
    public var weight: Int { info.spec?.weight ?? 1 }
    /// Queued, placed and running.
    public var liveJobs: Int { queuedJobs + runningJobs }

    init(_ info: TenantInfo, at moment: Timestamp) {
        self.info = info
        meter = Meter(at: moment)
    }

    public func gpuMilli(ofAccelerator number: Int) -> Int64 { number < gpuMilli.count ? gpuMilli[number] : 0 }

    /// The part of the state digest of this tenant. What follows from jobs is not in it.
    func digest(at slot: Int) -> UInt64 {
        var digest = Digest(seed: 9)
        digest.add(slot)
        digest.add(info.digest)
        meter.add(to: &digest)
        digest.add(Int(evictions.hour))
        digest.add(evictions.count)
        return digest.value
    }

    fileprivate mutating func add(_ change: Int64, ofAccelerator number: Int) {
        while gpuMilli.count <= number { gpuMilli.append(0) }
        gpuMilli[number] += change
    }

    fileprivate mutating func addOwn(_ change: Int64, ofPool pool: Int) {
        // Workers without GPUs leave nothing behind that would tell one history from another.
        if change == 0 { return }
        let at = ownByPool.firstIndex { $0.pool >= pool } ?? ownByPool.count
        if at < ownByPool.count && ownByPool[at].pool == pool {
            ownByPool[at].gpuMilli += change
            if ownByPool[at].gpuMilli == 0 { ownByPool.remove(at: at) }
        } else {
            ownByPool.insert((pool, change), at: at)
        }
    }
}

/// Every tenant by slot.
public struct TenantTable: Sendable {
    /// The fleet first; nil where a slot is vacant.
    public private(set) var records: [TenantRecord?]
    public internal(set) var policy = FairSharePolicy()
    private var slots: [String: Int] = [:]
    /// All digests together.
    private(set) var digest: UInt64
    /// Changes whenever a tenant came or went.
    private(set) var members: UInt64 = 0
    /// Changes whenever a tenant was put or went.
    private(set) var puts: UInt64 = 0

    init() {
        let fleet = TenantRecord(
            TenantInfo(path: "", parent: .fleet, depth: 0, spec: nil), at: Timestamp(nanoseconds: 0))
        records = [fleet]
        digest = fleet.digest(at: 0)
    }

    /// Without the fleet.
    public var count: Int { slots.count }

    public func slot(of path: String) -> TenantSlot? { slots[path].map { TenantSlot($0) } }

    public subscript(slot: TenantSlot) -> TenantRecord {
        guard let record = records[slot.index] else { preconditionFailure("no tenant has this slot") }
        return record
    }

    func isThere(_ slot: TenantSlot) -> Bool { slot.index < records.count && records[slot.index] != nil }

    /// Precondition: the slot has a tenant other than the fleet.
    func parent(of slot: TenantSlot) -> TenantSlot {
        guard let parent = records[slot.index]?.info.parent else { preconditionFailure("no tenant has this slot") }
        return parent
    }

    /// The tenant of a path, and those above it, added where they are not there.
    mutating func add(_ path: String, at moment: Timestamp) -> TenantSlot {
        if let slot = slots[path] { return TenantSlot(slot) }
        let parent = TenantPath.parent(of: path).map { add($0, at: moment) } ?? .fleet
        let info = TenantInfo(path: path, parent: parent, depth: self[parent].info.depth + 1, spec: nil)
        let slot = records.firstIndex { $0 == nil } ?? records.count
        insert(TenantRecord(info, at: moment), at: slot)
        return TenantSlot(slot)
    }

    /// Precondition: the slot is vacant or the next, and the tenant above is there.
    private mutating func insert(_ record: TenantRecord, at slot: Int) {
        if slot == records.count { records.append(nil) }
        digest &+= record.digest(at: slot)
        slots[record.path] = slot
        records[record.info.parent.index]?.children += 1
        records[slot] = record
        members += 1
    }

    /// Precondition: nothing is below it and it has no live job.
    mutating func remove(_ slot: TenantSlot) {
        let record = self[slot]
        digest &-= record.digest(at: slot.index)
        slots[record.path] = nil
        records[record.info.parent.index]?.children -= 1
        records[slot.index] = nil
        while let last = records.last, last == nil { records.removeLast() }
        members += 1
        puts += 1
    }

    mutating func put(_ spec: TenantSpec, at moment: Timestamp, revision: UInt64) -> TenantSlot {
        let slot = add(spec.path, at: moment)
        update(slot) {
            $0.info = $0.info.with(spec)
            $0.revision = revision
        }
        puts += 1
        return slot
    }

    /// Changes a tenant whose digest may change with it.
    private mutating func update(_ slot: TenantSlot, _ body: (inout TenantRecord) -> Void) {
        guard var record = records[slot.index] else { preconditionFailure("no tenant has this slot") }
        digest &-= record.digest(at: slot.index)
        records[slot.index] = nil
        body(&record)
        digest &+= record.digest(at: slot.index)
        records[slot.index] = record
    }

    /// The tenant and those above it, the fleet last.
    func path(from slot: TenantSlot, _ body: (TenantSlot) -> Void) {
        var slot = slot
        while true {
            body(slot)
            if slot == .fleet { return }
            slot = self[slot].info.parent
        }
    }

    // MARK: Use

    /// Takes note that a tenant has so many more or fewer waiting jobs.
    mutating func countQueued(_ slot: TenantSlot, by change: Int) {
        var at = slot.index
        while true {
            records[at]?.queuedJobs += change
            if at == 0 { return }
            at = records[at]?.info.parent.index ?? 0
        }
    }

    /// Takes note that a job of a tenant holds capacity now (`sign` 1) or no more (-1).
    mutating func count(
        _ slot: TenantSlot, _ sign: Int, _ shares: [PoolUsage], at moment: Timestamp
    ) {
        let all = shares.reduce(into: Usage.none) { $0 += $1.usage }
        let change = sign > 0 ? all : -all
        for share in shares { records[slot.index]?.addOwn(Int64(sign) * share.usage.gpuMilli, ofPool: share.pool) }
        forEachAbove(slot) { [policy] record in
            record.meter.settle(to: moment, record.usage, policy)
            record.usage += change
            record.runningJobs += sign
            for share in shares { record.add(Int64(sign) * share.usage.gpuMilli, ofAccelerator: share.accelerator) }
        }
    }

    /// Takes note of another price of a pool.
    mutating func reprice(pool: Int, by change: Int64, at moment: Timestamp) {
        for slot in records.indices {
            guard let own = records[slot]?.ownByPool.first(where: { $0.pool == pool }) else { continue }
            let price = Int128(own.gpuMilli) * Int128(change)
            forEachAbove(TenantSlot(slot)) { [policy] record in
                record.meter.settle(to: moment, record.usage, policy)
                record.usage.price += price
            }
        }
    }

    /// Takes note that a gang of a tenant is asked to leave.
    mutating func countEviction(_ slot: TenantSlot, at moment: Timestamp) {
        update(slot) { $0.evictions.add(at: moment) }
    }

    mutating func setPolicy(_ new: FairSharePolicy, at moment: Timestamp) {
        for slot in records.indices where records[slot] != nil {
            update(TenantSlot(slot)) { [policy] record in
                record.meter.settle(to: moment, record.usage, policy)
                record.meter.adopt(new, record.usage)
            }
        }
        policy = new
    }

    private mutating func forEachAbove(_ slot: TenantSlot, _ body: (inout TenantRecord) -> Void) {
        var slot = slot
        while true {
            update(slot, body)
            if slot == .fleet { return }
            slot = self[slot].info.parent
        }
    }

    // MARK: Images

    var image: [TenantImage?] {
        records.map { record in
            record.map { TenantImage(path: $0.path, spec: $0.spec, meter: $0.meter, evictions: $0.evictions) }
        }
    }

    /// Takes in the tenants of an image, as they are without their jobs. What makes that impossible, in words, or nil.
    mutating func restore(_ images: [TenantImage?], policy: FairSharePolicy) -> String? {
        self.policy = policy
        guard let fleet = images.first, fleet?.path == "", let last = images.last, last?.path != nil else {
            return "there is no fleet"
        }
        // Those above may stand behind those below.
        let order = images.indices.dropFirst().sorted { left, right in
            let depths = [left, right].map { images[$0]?.path.utf8.count { $0 == UInt8(ascii: "/") } ?? 0 }
            return (depths[0], left) < (depths[1], right)
        }
        for _ in images.indices.dropFirst() { records.append(nil) }
        for slot in order {
            guard let image = images[slot] else { continue }
            guard TenantPath.isValid(image.path), slots[image.path] == nil,
                image.spec.map({ $0.path == image.path && $0.fault == nil }) ?? true
            else { return "tenant \(image.path) is impossible" }
            let parent = TenantPath.parent(of: image.path)
            guard let above = parent.map({ slots[$0] }) ?? 0 else { return "nothing is above tenant \(image.path)" }
            let depth = self[TenantSlot(above)].info.depth + 1
            let info = TenantInfo(path: image.path, parent: TenantSlot(above), depth: depth, spec: image.spec)
            insert(TenantRecord(info, at: Timestamp(nanoseconds: .max)), at: slot)
        }
        return nil
    }

    /// What makes the figures of an image impossible at its time, in words, or nil.
    static func fault(of images: [TenantImage?], at moment: Timestamp) -> String? {
        for case let image? in images {
            if let fault = image.meter.fault(at: moment) { return "tenant \(image.path) \(fault)" }
            if image.evictions.count < 0 { return "tenant \(image.path) miscounts its evictions" }
        }
        return nil
    }

    /// What is remembered, once all jobs of an image are there. Until then nothing was counted as time that passed.
    mutating func restoreMeters(_ images: [TenantImage?]) {
        for (slot, image) in images.enumerated() {
            guard let image else { continue }
            update(TenantSlot(slot)) {
                $0.meter = image.meter
                $0.evictions = image.evictions
            }
        }
    }
}

/// What a placement takes of one pool.
struct PoolUsage {
    let pool: Int
    let accelerator: Int
    let usage: Usage
}

extension State {
    /// What a placement takes, by its parts.
    func usage(of placement: Placement) -> [PoolUsage] {
        placement.parts.indices.map { at in
            let part = placement.parts[at]
            let workers = Int64(placement.workerCount(at))
            let milli = workers * Int64(part.need.totalMilli)
            return PoolUsage(
                pool: part.pool.index, accelerator: pools[part.pool.index].acceleratorNumber,
                usage: Usage(
                    gpuMilli: milli,
                    price: Int128(milli) * Int128(pools[part.pool.index].spec.priceMicroUSDPerGPUHour),
                    cpuMillis: workers * Int64(part.need.cpuMillis),
                    memoryMiB: workers * Int64(part.need.memoryMiB)))
        }
    }

    /// Counts a job for its tenant, as waiting or as holding capacity.
    mutating func countForTenant(_ job: Job, by change: Int) {
        if job.state.hasEnded { return }
        let slot = tenants.add(job.spec.tenant, at: at)
        if job.state == .queued {
            tenants.countQueued(slot, by: change)
        } else if let placement = job.life.placement {
            tenants.count(slot, change, usage(of: placement), at: at)
        }
    }
}
