// How the values inside facts and snapshots are written: jobs, pools and classes as they were asked for, and placements.
// Fields stand in the order of their declaration in Model. A layout changes only as FactCodec.swift says.
// Thousandths are written as their difference from 1000 and a group's most workers as the difference from its least, so
// that the usual values take one byte. Differences are taken modulo 2^64.

internal import Model

extension ByteWriter {
    mutating func spec(_ spec: JobSpec) {
        text(spec.id)
        text(spec.name)
        text(spec.tenant)
        signed(spec.priority)
        text(spec.priorityClass)
        list(spec.workers) { $0.group($1) }
        list(spec.accelerators) { writer, accelerator in
            writer.text(accelerator.model)
            writer.milli(accelerator.speedMilli)
        }
        flag(spec.scaleBySpeed)
        byte(spec.scope.required.rawValue)
        tier(spec.scope.preferred)
        signed(spec.scope.patienceSeconds)
        optional(spec.split) { writer, split in
            writer.signed(split.maxPools)
            writer.signed(split.minWorkersPerPool)
        }
        tier(spec.exclusive)
        flag(spec.isPreemptible)
        flag(spec.usesSpares)
        places(spec.allow)
        places(spec.deny)
        optional(spec.maxRuntimeSeconds) { $0.signed($1) }
        labels(spec.labels)
        flag(spec.hold)
        optional(spec.notBefore) { $0.signed($1.nanoseconds) }
        list(spec.after) { writer, dependency in
            writer.text(dependency.job)
            writer.byte(dependency.condition.rawValue)
        }
        optional(spec.maxWaitSeconds) { $0.signed($1) }
        optional(spec.deadline) { $0.signed($1.nanoseconds) }
        optional(spec.array) { writer, array in
            writer.signed(array.count)
            writer.signed(array.maxParallel)
        }
    }

    mutating func spec(_ spec: PriorityClass) {
        text(spec.name)
        signed(spec.value)
        byte(spec.preemption.rawValue)
        signed(spec.minRuntimeSeconds)
        text(spec.description)
    }

    private mutating func group(_ group: WorkerGroup) {
        text(group.name)
        signed(group.count)
        signed(group.maxCount &- group.count)
        demand(group.demand)
        optional(group.segment) { writer, segment in
            writer.signed(segment.size)
            writer.byte(segment.tier.rawValue)
        }
        optional(group.spread.workersPerNode) { $0.signed($1) }
        optional(group.spread.workersPerDomain) { $0.signed($1) }
    }

    mutating func demand(_ demand: Demand) {
        signed(demand.gpus)
        milli(demand.gpuMilli)
        optional(demand.cpuMillis) { $0.signed($1) }
        optional(demand.memoryMiB) { $0.signed($1) }
    }

    private mutating func milli(_ value: Int) { signed(value &- 1000) }

    private mutating func tier(_ tier: Tier?) { optional(tier) { $0.byte($1.rawValue) } }

    private mutating func places(_ places: PlaceList) {
        list(places.providers) { $0.text($1) }
        list(places.regions) { $0.text($1) }
        list(places.pools) { $0.text($1) }
    }

    mutating func labels(_ labels: [Label]) {
        list(labels) { writer, label in
            writer.text(label.name)
            writer.text(label.value)
        }
    }

    mutating func spec(_ spec: PoolSpec) {
        for part in [spec.name, spec.provider, spec.region, spec.accelerator, spec.instanceType] { text(part) }
        signed(spec.node.gpus)
        signed(spec.node.cpuMillis)
        signed(spec.node.memoryMiB)
        switch spec.topology {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
            byte(0)
            for count in [blocks, domainsPerBlock, nodesPerDomain, cliquesPerDomain] { signed(count) }
        case .nodes(let listings):
            byte(1)
            count(listings.count)
            var last: NodeListing?
            for listing in listings {
                text(listing.name)
                text(listing.domain, unless: last?.domain)
                text(listing.clique, unless: last?.clique)
                text(listing.block, unless: last?.block)
                text(listing.reservation, unless: last?.reservation)
                last = listing
            }
        }
        flag(spec.allowsGPUShares)
        signed(spec.sparesPerDomain)
        text(spec.reservation)
        byte(spec.purchase.rawValue)
        byte(spec.billing.rawValue)
        signed(spec.priceMicroUSDPerGPUHour)
        labels(spec.labels)
    }

    /// Text whose count is written one larger; a count of 0 says that it equals `last`.
    private mutating func text(_ value: String, unless last: String?) {
        // Bytes are compared: two strings that look alike are equal in Swift and may differ in bytes.
        if let last, value.utf8.elementsEqual(last.utf8) { return count(0) }
        count(value.utf8.count + 1)
        raw(value)
    }

    mutating func reservation(_ reservation: Reservation) {
        byte(reservation.cause.rawValue)
        for moment in [reservation.madeAt, reservation.movedAt, reservation.start] { signed(moment.nanoseconds) }
        flag(reservation.isAssumed)
        placement(reservation.placement)
    }

    mutating func eviction(_ eviction: Eviction) {
        varint(eviction.by.value)
        byte(eviction.kind.rawValue)
        signed(eviction.deadline.nanoseconds)
        optional(eviction.keeps) { $0.placement($1) }
    }

    mutating func placement(_ placement: Placement) {
        byte(placement.tier.rawValue)
        tier(placement.exclusive)
        for term in [placement.cost.price, placement.cost.fragmentation, placement.cost.topology] { signed(term) }
        // Each part is followed by the count of its runs and the runs. A run begins with the zigzag distance of its first
        // node from the end of the run before, of whatever part, times two, plus one when its count, mask and workers
        // are those of the run before; else they follow. Before the first run stands node 0, with a count of 1, a mask
        // of 0 and 1 worker.
        precondition((placement.parts.last?.runEnd ?? 0) == placement.runs.count, "every run belongs to a part")
        count(placement.parts.count)
        var last = NodeRun(node: 0, nodeCount: 1, gpuMask: 0, workers: 1)
        var expected: Int64 = 0
        for (index, part) in placement.parts.enumerated() {
            signed(part.group)
            signed(part.pool.index)
            signed(part.need.gpus)
            milli(part.need.gpuMilli)
            signed(part.need.cpuMillis)
            signed(part.need.memoryMiB)
            let runs = placement.runRange(index)
            count(runs.count)
            for run in placement.runs[runs] {
                let isSame =
                    run.nodeCount == last.nodeCount && run.gpuMask == last.gpuMask && run.workers == last.workers
                let distance = Int64(run.node) - expected
                varint(UInt64(bitPattern: distance << 1 ^ distance >> 63) << 1 | (isSame ? 1 : 0))
                if !isSame { for value in [run.nodeCount, run.gpuMask, run.workers] { varint(UInt64(value)) } }
                expected = Int64(run.node) + Int64(run.nodeCount)
                last = run
            }
        }
    }
}

extension ByteReader {
    mutating func jobSpec() throws(DecodeError) -> JobSpec {
        JobSpec(
            id: try text(), name: try text(), tenant: try text(), priority: try signed(),
            priorityClass: try text(),
            workers: try list(leastBytes: 10) { reader throws(DecodeError) in try reader.group() },
            accelerators: try list(leastBytes: 2) { reader throws(DecodeError) in
                Accelerator(try reader.text(), speedMilli: try reader.milli())
            },
            scaleBySpeed: try flag(),
            scope: Scope(try choice(Tier.self), preferred: try tier(), patienceSeconds: try signed()),
            split: try optional { reader throws(DecodeError) in
                Split(maxPools: try reader.signed(), minWorkersPerPool: try reader.signed())
            },
            exclusive: try tier(), isPreemptible: try flag(), usesSpares: try flag(), allow: try places(),
            deny: try places(), maxRuntimeSeconds: try optionalSigned(), labels: try labels(),
            hold: try flag(), notBefore: try optionalMoment(),
            after: try list(leastBytes: 2) { reader throws(DecodeError) in
                Dependency(job: try reader.text(), condition: try reader.choice(DependencyCondition.self))
            },
            maxWaitSeconds: try optionalSigned(), deadline: try optionalMoment(),
            array: try optional { reader throws(DecodeError) in
                JobArray(count: try reader.signed(), maxParallel: try reader.signed())
            })
    }

    mutating func priorityClass() throws(DecodeError) -> PriorityClass {
        PriorityClass(
            name: try text(), value: try signed(), preemption: try choice(PreemptionPolicy.self),
            minRuntimeSeconds: try signed(), description: try text())
    }

    private mutating func optionalMoment() throws(DecodeError) -> Timestamp? {
        try isPresent() ? Timestamp(nanoseconds: try signed64()) : nil
    }

    private mutating func group() throws(DecodeError) -> WorkerGroup {
        let name = try text()
        let count = try signed()
        return WorkerGroup(
            name: name, count: count, maxCount: count &+ (try signed()), demand: try demand(),
            segment: try optional { reader throws(DecodeError) in
                Segment(size: try reader.signed(), tier: try reader.choice(Tier.self))
            },
            spread: Spread(workersPerNode: try optionalSigned(), workersPerDomain: try optionalSigned()))
    }

    mutating func demand() throws(DecodeError) -> Demand {
        Demand(
            gpus: try signed(), gpuMilli: try milli(), cpuMillis: try optionalSigned(),
            memoryMiB: try optionalSigned())
    }

    private mutating func milli() throws(DecodeError) -> Int { try signed() &+ 1000 }

    private mutating func tier() throws(DecodeError) -> Tier? { try isPresent() ? try choice(Tier.self) : nil }

    private mutating func optionalSigned() throws(DecodeError) -> Int? { try isPresent() ? try signed() : nil }

    mutating func texts() throws(DecodeError) -> [String] {
        try list { reader throws(DecodeError) in try reader.text() }
    }

    private mutating func places() throws(DecodeError) -> PlaceList {
        PlaceList(providers: try texts(), regions: try texts(), pools: try texts())
    }

    mutating func labels() throws(DecodeError) -> [Label] {
        try list(leastBytes: 2) { reader throws(DecodeError) in
            Label(name: try reader.text(), value: try reader.text())
        }
    }

    mutating func poolSpec() throws(DecodeError) -> PoolSpec {
        PoolSpec(
            name: try text(), provider: try text(), region: try text(), accelerator: try text(),
            instanceType: try text(),
            node: NodeShape(gpus: try signed(), cpuMillis: try signed(), memoryMiB: try signed()),
            topology: try topology(), allowsGPUShares: try flag(), sparesPerDomain: try signed(),
            reservation: try text(), purchase: try choice(Purchase.self), billing: try choice(Billing.self),
            priceMicroUSDPerGPUHour: try signed64(),
            labels: try labels())
    }

    private mutating func topology() throws(DecodeError) -> Topology {
        let kind = try byte()
        switch kind {
        case 0:
            return .counts(
                blocks: try signed(), domainsPerBlock: try signed(), nodesPerDomain: try signed(),
                cliquesPerDomain: try signed())
        case 1:
            var last: NodeListing?
            return .nodes(
                try list(leastBytes: 5) { reader throws(DecodeError) in
                    let listing = NodeListing(
                        name: try reader.text(), domain: try reader.text(orElse: last?.domain),
                        clique: try reader.text(orElse: last?.clique), block: try reader.text(orElse: last?.block),
                        reservation: try reader.text(orElse: last?.reservation))
                    last = listing
                    return listing
                })
        default: throw fail(.unknownValue(kind, of: "topology"))
        }
    }

    private mutating func text(orElse last: String?) throws(DecodeError) -> String {
        let count = try varint()
        if count > 0 {
            guard count - 1 <= UInt64(remaining) else { throw fail(.truncated) }
            return try text(count: Int(count - 1))
        }
        guard let last else { throw fail(.unknownValue(0, of: "first name")) }
        return last
    }

    mutating func reservation() throws(DecodeError) -> Reservation {
        let cause = try choice(ReservationCause.self)
        let moments = [try signed64(), try signed64(), try signed64()].map { Timestamp(nanoseconds: $0) }
        return Reservation(
            cause: cause, madeAt: moments[0], movedAt: moments[1], start: moments[2], isAssumed: try flag(),
            placement: try placement())
    }

    mutating func eviction() throws(DecodeError) -> Eviction {
        Eviction(
            by: JobNumber(try varint()), kind: try choice(PreemptionKind.self),
            deadline: Timestamp(nanoseconds: try signed64()),
            keeps: try isPresent() ? try placement() : nil)
    }

    mutating func placement() throws(DecodeError) -> Placement {
        var placement = Placement(
            tier: try choice(Tier.self), exclusive: try tier(),
            cost: PlacementCost(price: try signed64(), fragmentation: try signed64(), topology: try signed64()))
        var last = NodeRun(node: 0, nodeCount: 1, gpuMask: 0, workers: 1)
        var expected: Int64 = 0
        for _ in 0..<(try count(leastBytes: 7)) {
            var part = PlacementPart(
                group: try signed(), pool: PoolSlot(try signed()),
                need: WorkerNeed(
                    gpus: try signed(), gpuMilli: try milli(), cpuMillis: try signed(), memoryMiB: try signed()),
                runEnd: 0)
            let count = try count()
            placement.runs.reserveCapacity(placement.runs.count + count)
            for _ in 0..<count { placement.runs.append(try run(after: &last, &expected)) }
            part.runEnd = placement.runs.count
            placement.parts.append(part)
        }
        return placement
    }

    private mutating func run(
        after last: inout NodeRun, _ expected: inout Int64
    ) throws(DecodeError) -> NodeRun {
        let head = try varint()
        let zigzag = head >> 1
        let distance = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
        guard let node = UInt32(exactly: expected + distance) else { throw fail(.numberOutOfRange) }
        last.node = node
        if head & 1 == 0 {
            last.nodeCount = try unsigned(UInt16.self)
            last.gpuMask = try unsigned(UInt16.self)
            last.workers = try unsigned(UInt16.self)
        }
        expected = Int64(node) + Int64(last.nodeCount)
        return last
    }
}
