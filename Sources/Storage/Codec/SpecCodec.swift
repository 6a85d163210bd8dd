// How the values inside facts and snapshots are written: jobs and pools as they were asked for, and placements.
// Fields stand in the order of their declaration in Model. A layout never changes; a new one gets a new fact tag.

internal import Model

extension ByteWriter {
    mutating func spec(_ spec: JobSpec) {
        text(spec.id)
        text(spec.name)
        text(spec.tenant)
        signed(spec.priority)
        list(spec.workers) { writer, group in
            writer.text(group.name)
            writer.signed(group.count)
            writer.signed(group.demand.gpus)
            writer.optional(group.demand.cpuMillis) { $0.signed($1) }
            writer.optional(group.demand.memoryMiB) { $0.signed($1) }
        }
        list(spec.accelerators) { $0.text($1) }
        byte(spec.scope.rawValue)
        places(spec.allow)
        places(spec.deny)
        optional(spec.maxRuntimeSeconds) { $0.signed($1) }
        labels(spec.labels)
    }

    private mutating func places(_ places: PlaceList) {
        list(places.providers) { $0.text($1) }
        list(places.regions) { $0.text($1) }
        list(places.pools) { $0.text($1) }
    }

    private mutating func labels(_ labels: [Label]) {
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
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain):
            byte(0)
            signed(blocks)
            signed(domainsPerBlock)
            signed(nodesPerDomain)
        case .nodes(let listings):
            byte(1)
            count(listings.count)
            var last: NodeListing?
            for listing in listings {
                text(listing.name)
                text(listing.domain, unless: last?.domain)
                text(listing.block, unless: last?.block)
                last = listing
            }
        }
        byte(spec.purchase.rawValue)
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

    mutating func placement(_ placement: Placement) {
        signed(placement.pool.index)
        byte(placement.tier.rawValue)
        varint(UInt64(placement.gpusPerWorker))
        varint(UInt64(placement.cpuMillisPerWorker))
        varint(UInt64(placement.memoryMiBPerWorker))
        // A run begins with the zigzag distance of its first node from the end of the run before, times two, plus one
        // when count and mask are those of the run before; else they follow. Before the first run stands node 0, with
        // a count of 1 and a mask of 0.
        count(placement.runs.count)
        var last = NodeRun(node: 0, nodeCount: 1, gpuMask: 0)
        var expected: Int64 = 0
        for run in placement.runs {
            let isSame = run.nodeCount == last.nodeCount && run.gpuMask == last.gpuMask
            let distance = Int64(run.node) - expected
            varint(UInt64(bitPattern: distance << 1 ^ distance >> 63) << 1 | (isSame ? 1 : 0))
            if !isSame {
                varint(UInt64(run.nodeCount))
                varint(UInt64(run.gpuMask))
            }
            expected = Int64(run.node) + Int64(run.nodeCount)
            last = run
        }
    }
}

extension ByteReader {
    mutating func jobSpec() throws(DecodeError) -> JobSpec {
        JobSpec(
            id: try text(), name: try text(), tenant: try text(), priority: try signed(),
            workers: try list(leastBytes: 5) { reader throws(DecodeError) in
                WorkerGroup(
                    name: try reader.text(), count: try reader.signed(),
                    demand: Demand(
                        gpus: try reader.signed(), cpuMillis: try reader.optionalSigned(),
                        memoryMiB: try reader.optionalSigned()))
            },
            accelerators: try texts(), scope: try choice(Scope.self), allow: try places(), deny: try places(),
            maxRuntimeSeconds: try optionalSigned(), labels: try labels())
    }

    private mutating func optionalSigned() throws(DecodeError) -> Int? { try isPresent() ? try signed() : nil }

    private mutating func texts() throws(DecodeError) -> [String] {
        try list { reader throws(DecodeError) in try reader.text() }
    }

    private mutating func places() throws(DecodeError) -> PlaceList {
        PlaceList(providers: try texts(), regions: try texts(), pools: try texts())
    }

    private mutating func labels() throws(DecodeError) -> [Label] {
        try list(leastBytes: 2) { reader throws(DecodeError) in
            Label(name: try reader.text(), value: try reader.text())
        }
    }

    mutating func poolSpec() throws(DecodeError) -> PoolSpec {
        PoolSpec(
            name: try text(), provider: try text(), region: try text(), accelerator: try text(),
            instanceType: try text(),
            node: NodeShape(gpus: try signed(), cpuMillis: try signed(), memoryMiB: try signed()),
            topology: try topology(), purchase: try choice(Purchase.self), priceMicroUSDPerGPUHour: try signed64(),
            labels: try labels())
    }

    private mutating func topology() throws(DecodeError) -> Topology {
        let kind = try byte()
        switch kind {
        case 0: return .counts(blocks: try signed(), domainsPerBlock: try signed(), nodesPerDomain: try signed())
        case 1:
            var last: NodeListing?
            return .nodes(
                try list(leastBytes: 3) { reader throws(DecodeError) in
                    let listing = NodeListing(
                        name: try reader.text(), domain: try reader.text(orElse: last?.domain),
                        block: try reader.text(orElse: last?.block))
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

    mutating func placement() throws(DecodeError) -> Placement {
        var placement = Placement(
            pool: PoolSlot(try signed()), tier: try choice(Tier.self), gpusPerWorker: try unsigned(UInt16.self),
            cpuMillisPerWorker: try unsigned(UInt32.self), memoryMiBPerWorker: try unsigned(UInt32.self))
        let count = try count()
        placement.runs.reserveCapacity(count)
        var last = NodeRun(node: 0, nodeCount: 1, gpuMask: 0)
        var expected: Int64 = 0
        for _ in 0..<count {
            let head = try varint()
            let zigzag = head >> 1
            let distance = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            guard let node = UInt32(exactly: expected + distance) else { throw fail(.numberOutOfRange) }
            last.node = node
            if head & 1 == 0 {
                last.nodeCount = try unsigned(UInt16.self)
                last.gpuMask = try unsigned(UInt16.self)
            }
            placement.runs.append(last)
            expected = Int64(node) + Int64(last.nodeCount)
        }
        return placement
    }
}
