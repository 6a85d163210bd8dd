// The state inside a snapshot, in the forms of `ByteWriter`: first its own figures, then its tenants, then its pools, its arrays
// and its jobs.
//
//     figures  revision, time (signed), next job number, placements, a flag if settled, time of the last search
//              (signed), digest (fixed), mix, priority classes,
//              half-life of shares (signed), count of slots of tenants, count of pools, count of arrays, count of jobs
//     mix      arrivals, step, version, arrivals at the next version, free capacity when it was priced (signed), entries
//              remembered, entries in use
//     entry    demand, workers (signed), one byte of tier, accelerators, weight, scarcity
//     class    specification, revision
//     tenant   a flag if the slot is taken; path, specification (may be missing), time of what follows (signed), of GPUs by price,
//              CPU and memory what is remembered and the area since (each fixed, 16 bytes), month (signed), what was used up
//              in it of GPUs and of money (each fixed, 16 bytes), hour of the last evictions (signed), how many (signed)
//     pool     specification, a flag if deleted, count of unready nodes, and for each its index (signed, as the
//              difference from the one before) and one byte of state
//     array    number, specification, forgotten tasks by end (signed each)
//     job      number (as the difference from the one before), specification, one byte of state, revision,
//              time submitted (signed, as the difference from the job before), time queued (signed, from submitted),
//              times placed, started and ended (each may be missing; signed, from submitted), requeues (signed),
//              last requeue (may be missing; one byte), placements when it was queued, placement (may be missing),
//              message, time opened (signed, from queued), cause of the end (may be missing; one byte), priority (signed), one
//              byte of preemption, least run time (signed), one byte of gates (1 held, 2 early, 4 before its turn), what is
//              not met of its `after`,
//              reservation (may be missing), times when the search was given up and of the first start promised (each
//              may be missing; signed), preemptions (signed), time of the last checkpoint (may be missing; signed, from
//              submitted), eviction (may be missing), end of its repair (may be missing; signed), repairs (signed),
//              last resizing (may be missing; signed)
//
// Differences are taken modulo 2^64, so that no value is out of their reach.

internal import Model

extension ByteWriter {
    mutating func figures(_ image: StateImage) {
        varint(image.revision)
        signed(image.at.nanoseconds)
        varint(image.nextJobNumber)
        varint(image.placements)
        flag(image.isSettled)
        signed(image.searchedAt.nanoseconds)
        fixed(image.digest)
        mix(image.mix)
        list(image.priorityClasses) { writer, known in
            writer.spec(known.spec)
            writer.varint(known.revision)
        }
        signed(image.fairShare.halfLifeSeconds)
        count(image.tenants.count)
        count(image.pools.count)
        count(image.arrays.count)
        count(image.jobs.count)
    }

    private mutating func mix(_ mix: DemandMix) {
        for number in [mix.arrivals, mix.step, mix.version, mix.nextVersionAt] { varint(number) }
        signed(mix.pricedFreeMilli)
        for entries in [mix.entries, mix.inUse] {
            list(entries) { writer, entry in
                writer.demand(entry.demand)
                writer.signed(entry.workers)
                writer.byte(entry.tier.rawValue)
                writer.list(entry.accelerators) { $0.text($1) }
                writer.varint(entry.weight)
                writer.varint(entry.scarcity)
            }
        }
    }

    mutating func pool(_ pool: PoolImage) {
        spec(pool.spec)
        flag(pool.isDeleted)
        varint(pool.revision)
        count(pool.unready.count)
        var last = 0
        for (node, state) in pool.unready {
            signed(node &- last)
            byte(state.rawValue)
            last = node
        }
    }

    mutating func array(_ array: JobArrayImage) {
        varint(array.number.value)
        spec(array.spec)
        list(array.forgotten) { $0.signed($1) }
    }

    mutating func job(_ job: Job, after last: (number: UInt64, submittedAt: Int64)) {
        let life = job.life
        let submitted = life.submittedAt.nanoseconds
        varint(job.number.value &- last.number)
        spec(job.spec)
        byte(life.state.rawValue)
        varint(life.revision)
        signed(submitted &- last.submittedAt)
        signed(life.queuedAt.nanoseconds &- submitted)
        for moment in [life.placedAt, life.startedAt, life.endedAt] {
            optional(moment) { $0.signed($1.nanoseconds &- submitted) }
        }
        signed(life.requeues)
        optional(life.lastRequeue) { $0.byte($1.rawValue) }
        varint(life.queuedAtPlacement)
        optional(life.placement) { $0.placement($1) }
        text(life.message)
        signed(life.openedAt.nanoseconds &- life.queuedAt.nanoseconds)
        optional(life.endCause) { $0.byte($1.rawValue) }
        signed(life.priority)
        byte(life.preemption.rawValue)
        signed(life.minRuntimeSeconds)
        byte((life.isHeld ? 1 : 0) | (life.isEarly ? 2 : 0) | (life.awaitsTurn ? 4 : 0))
        varint(life.unmet)
        optional(life.reservation) { $0.reservation($1) }
        for moment in [life.searchGivenUpAt, life.firstStart] { optional(moment) { $0.signed($1.nanoseconds) } }
        signed(life.preemptions)
        optional(life.checkpointedAt) { $0.signed($1.nanoseconds &- submitted) }
        optional(life.eviction) { $0.eviction($1) }
        optional(life.repairUntil) { $0.signed($1.nanoseconds) }
        signed(life.repairs)
        optional(life.resizedAt) { $0.signed($1.nanoseconds) }
    }
}

/// Builds a state from the payloads of frames, one after the other.
struct ImageReader {
    private(set) var image = StateImage()
    private var poolCount: Int?
    private var tenantCount = 0
    private var arrayCount = 0
    private var jobCount = 0
    private var last: (number: UInt64, submittedAt: Int64) = (0, 0)

    var isComplete: Bool {
        image.tenants.count == tenantCount && image.pools.count == poolCount
            && image.arrays.count == arrayCount && image.jobs.count == jobCount
    }

    /// `fileBytes` bounds the counts that are believed: every item takes some bytes.
    mutating func add(_ reader: inout ByteReader, fileBytes: Int) throws(DecodeError) {
        if poolCount == nil { try figures(&reader, fileBytes) }
        while !reader.isAtEnd {
            if image.tenants.count < tenantCount {
                image.tenants.append(try reader.tenant())
            } else if image.pools.count < poolCount ?? 0 {
                image.pools.append(try reader.poolImage())
            } else if image.arrays.count < arrayCount {
                image.arrays.append(try reader.arrayImage())
            } else if image.jobs.count < jobCount {
                image.jobs.append(try job(&reader))
            } else {
                throw reader.fail(.trailingBytes)
            }
        }
    }

    private mutating func figures(_ reader: inout ByteReader, _ fileBytes: Int) throws(DecodeError) {
        image.revision = try reader.varint()
        image.at = Timestamp(nanoseconds: try reader.signed64())
        image.nextJobNumber = try reader.varint()
        image.placements = try reader.varint()
        image.isSettled = try reader.flag()
        image.searchedAt = Timestamp(nanoseconds: try reader.signed64())
        image.digest = try reader.fixed(UInt64.self)
        image.mix = try reader.mix()
        image.priorityClasses = try reader.list(leastBytes: 6) { reader throws(DecodeError) in
            PriorityClassImage(spec: try reader.priorityClass(), revision: try reader.varint())
        }
        image.fairShare.halfLifeSeconds = try reader.signed()
        // A vacant slot takes a byte.
        let tenants = try reader.varint()
        guard tenants <= UInt64(fileBytes) else { throw reader.fail(.countTooLarge) }
        tenantCount = Int(tenants)
        // A pool, an array and a job take more than 16 bytes each.
        let limit = UInt64(fileBytes / 16)
        let pools = try reader.varint()
        let arrays = try reader.varint()
        let jobs = try reader.varint()
        guard pools <= limit, arrays <= limit, jobs <= limit else { throw reader.fail(.countTooLarge) }
        poolCount = Int(pools)
        arrayCount = Int(arrays)
        jobCount = Int(jobs)
        image.pools.reserveCapacity(Int(pools))
        image.jobs.reserveCapacity(Int(jobs))
    }

    private mutating func job(_ reader: inout ByteReader) throws(DecodeError) -> Job {
        let number = last.number &+ (try reader.varint())
        let spec = try reader.jobSpec()
        let state = try reader.choice(JobState.self)
        let revision = try reader.varint()
        let submitted = last.submittedAt &+ (try reader.signed64())
        let queuedAt = Timestamp(nanoseconds: submitted &+ (try reader.signed64()))
        var moments: [3 of Timestamp?] = [nil, nil, nil]
        for index in 0..<3 where try reader.isPresent() {
            moments[index] = Timestamp(nanoseconds: submitted &+ (try reader.signed64()))
        }
        let requeues = try reader.signed()
        let lastRequeue = try reader.isPresent() ? try reader.choice(RequeueCause.self) : nil
        var life = JobLife(
            state: state, revision: revision, submittedAt: Timestamp(nanoseconds: submitted), queuedAt: queuedAt,
            queuedAtPlacement: try reader.varint())
        life.placedAt = moments[0]
        life.startedAt = moments[1]
        life.endedAt = moments[2]
        life.requeues = requeues
        life.lastRequeue = lastRequeue
        life.placement = try reader.isPresent() ? try reader.placement() : nil
        life.message = try reader.text()
        life.openedAt = Timestamp(nanoseconds: queuedAt.nanoseconds &+ (try reader.signed64()))
        life.endCause = try reader.isPresent() ? try reader.choice(EndCause.self) : nil
        life.priority = try reader.signed()
        life.preemption = try reader.choice(PreemptionPolicy.self)
        life.minRuntimeSeconds = try reader.signed()
        let gates = try reader.byte()
        guard gates < 8 else { throw reader.fail(.unknownValue(gates, of: "set of gates")) }
        life.isHeld = gates & 1 == 1
        life.isEarly = gates & 2 == 2
        life.awaitsTurn = gates & 4 == 4
        life.unmet = try reader.varint()
        life.reservation = try reader.isPresent() ? try reader.reservation() : nil
        life.searchGivenUpAt = try reader.isPresent() ? Timestamp(nanoseconds: try reader.signed64()) : nil
        life.firstStart = try reader.isPresent() ? Timestamp(nanoseconds: try reader.signed64()) : nil
        life.preemptions = try reader.signed()
        if try reader.isPresent() {
            life.checkpointedAt = Timestamp(nanoseconds: submitted &+ (try reader.signed64()))
        }
        life.eviction = try reader.isPresent() ? try reader.eviction() : nil
        life.repairUntil = try reader.isPresent() ? Timestamp(nanoseconds: try reader.signed64()) : nil
        life.repairs = try reader.signed()
        life.resizedAt = try reader.isPresent() ? Timestamp(nanoseconds: try reader.signed64()) : nil
        last = (number, submitted)
        return Job(number: JobNumber(number), spec: spec, life: life)
    }
}

extension ByteReader {
    fileprivate mutating func mix() throws(DecodeError) -> DemandMix {
        let (arrivals, step, version, nextVersionAt) = (try varint(), try varint(), try varint(), try varint())
        let pricedFreeMilli: Int = try signed()
        return DemandMix(
            entries: try mixEntries(), arrivals: arrivals, step: step, inUse: try mixEntries(), version: version,
            nextVersionAt: nextVersionAt, pricedFreeMilli: pricedFreeMilli)
    }

    private mutating func mixEntries() throws(DecodeError) -> [MixEntry] {
        try list(leastBytes: 9) { reader throws(DecodeError) in
            var entry = MixEntry(
                demand: try reader.demand(), workers: try reader.signed(), tier: try reader.choice(Tier.self),
                accelerators: try reader.texts(), weight: try reader.varint())
            entry.scarcity = try reader.varint()
            return entry
        }
    }

    fileprivate mutating func arrayImage() throws(DecodeError) -> JobArrayImage {
        JobArrayImage(
            number: JobNumber(try varint()), spec: try jobSpec(),
            forgotten: try list { reader throws(DecodeError) in try reader.signed() })
    }

    fileprivate mutating func poolImage() throws(DecodeError) -> PoolImage {
        let spec = try poolSpec()
        let isDeleted = try flag()
        let revision = try varint()
        var last = 0
        let unready = try list(leastBytes: 2) { reader throws(DecodeError) -> (node: Int, state: NodeState) in
            last = last &+ (try reader.signed())
            return (last, try reader.choice(NodeState.self))
        }
        return PoolImage(spec: spec, isDeleted: isDeleted, revision: revision, unready: unready)
    }
}
