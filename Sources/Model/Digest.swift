// The digest of the state: a sum of 64-bit digests, one an item, so that a change costs what it touches.
// It finds a replay that went another way than the live run. It is no defence against a forger.

/// Mixes integers and text into 64 bits, the same in every process.
/// Source of the mixing step: the 128-bit multiply-and-fold of wyhash (Wang Yi, 2019).
public struct Digest: Sendable {
    public private(set) var value: UInt64

    public init(seed: UInt64) { value = seed ^ 0x9E37_79B9_7F4A_7C15 }

    public mutating func add(_ word: UInt64) {
        let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: word ^ 0xE703_7ED1_A0B4_28DB)
        value = product.high ^ product.low ^ word &* 0x8EBC_6AF0_9C88_C6E3
    }

    public mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }

    public mutating func add(_ text: String) {
        var word: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            count += 1
            if count & 7 == 0 {
                add(word)
                word = 0
            }
        }
        add(word)
        add(count)
    }

    public mutating func add(_ moment: Timestamp?) { add(moment.map { UInt64(bitPattern: $0.nanoseconds) } ?? 1) }
}

extension JobSpec {
    public var digest: UInt64 {
        var digest = Digest(seed: 1)
        digest.add(id)
        digest.add(name)
        digest.add(tenant)
        digest.add(priority)
        digest.add(priorityClass)
        digest.add(workers.count)
        for group in workers {
            digest.add(group.name)
            digest.add(group.count)
            digest.add(group.maxCount)
            digest.add(group.demand.gpus)
            digest.add(group.demand.gpuMilli)
            digest.add(group.demand.cpuMillis ?? -1)
            digest.add(group.demand.memoryMiB ?? -1)
            digest.add(group.segment.map { $0.size << 8 | Int($0.tier.rawValue) } ?? -1)
            digest.add(group.spread.workersPerNode ?? -1)
            digest.add(group.spread.workersPerDomain ?? -1)
        }
        digest.add(accelerators.count)
        for accelerator in accelerators {
            digest.add(accelerator.model)
            digest.add(accelerator.speedMilli)
        }
        digest.add(scope.required)
        digest.add(scope.preferred)
        digest.add(scope.patienceSeconds)
        digest.add(split?.maxPools ?? -1)
        digest.add(split?.minWorkersPerPool ?? -1)
        digest.add(exclusive)
        digest.add((scaleBySpeed ? 1 : 0) | (isPreemptible ? 2 : 0) | (usesSpares ? 4 : 0))
        for list in [allow, deny] {
            digest.add(list.providers)
            digest.add(list.regions)
            digest.add(list.pools)
        }
        digest.add(maxRuntimeSeconds ?? -1)
        digest.add(labels)
        digest.add(hold ? 1 : 0)
        // No job names a time before 1970.
        digest.add(notBefore.map { Int($0.nanoseconds) } ?? -1)
        digest.add(after.count)
        for dependency in after {
            digest.add(dependency.job)
            digest.add(Int(dependency.condition.rawValue))
        }
        digest.add(maxWaitSeconds ?? -1)
        digest.add(deadline.map { Int($0.nanoseconds) } ?? -1)
        digest.add(array?.count ?? -1)
        digest.add(array?.maxParallel ?? -1)
        return digest.value
    }
}

extension PriorityClass {
    /// The part of the state digest of this class.
    public var digest: UInt64 {
        var digest = Digest(seed: 7)
        digest.add(name)
        digest.add(value)
        digest.add(Int(preemption.rawValue))
        digest.add(minRuntimeSeconds)
        digest.add(description)
        return digest.value
    }
}

extension Digest {
    mutating func add(_ tier: Tier?) { add(tier.map { Int($0.rawValue) } ?? -1) }

    mutating func add(_ texts: [String]) {
        add(texts.count)
        for text in texts { add(text) }
    }

    mutating func add(_ labels: [Label]) {
        add(labels.count)
        for label in labels {
            add(label.name)
            add(label.value)
        }
    }
}

extension JobLife {
    /// The part of the state digest of the job with this life.
    func digest(number: JobNumber, specDigest: UInt64) -> UInt64 {
        var digest = Digest(seed: 2)
        digest.add(number.value)
        digest.add(specDigest)
        digest.add(Int(state.rawValue))
        digest.add(revision)
        digest.add(submittedAt)
        digest.add(queuedAt)
        digest.add(placedAt)
        digest.add(startedAt)
        digest.add(endedAt)
        digest.add(requeues)
        digest.add(lastRequeue.map { Int($0.rawValue) } ?? -1)
        digest.add(queuedAtPlacement)
        digest.add(message)
        digest.add(openedAt)
        digest.add(endCause.map { Int($0.rawValue) } ?? -1)
        digest.add(priority)
        digest.add(Int(preemption.rawValue))
        digest.add(minRuntimeSeconds)
        digest.add((isHeld ? 1 : 0) | (isEarly ? 2 : 0) | (awaitsTurn ? 4 : 0))
        digest.add(unmet)
        if let placement { placement.add(to: &digest) }
        digest.add(searchGivenUpAt)
        digest.add(firstStart)
        digest.add(preemptions)
        digest.add(repairs)
        digest.add(repairUntil)
        digest.add(resizedAt)
        digest.add(checkpointedAt)
        if let eviction {
            digest.add(eviction.by.value)
            digest.add(Int(eviction.kind.rawValue))
            digest.add(eviction.deadline)
            eviction.keeps?.add(to: &digest)
        }
        if let reservation {
            digest.add(Int(reservation.cause.rawValue) | (reservation.isAssumed ? 256 : 0))
            for moment in [reservation.madeAt, reservation.movedAt, reservation.start] { digest.add(moment) }
            reservation.placement.add(to: &digest)
        }
        return digest.value
    }
}

extension Placement {
    fileprivate func add(to digest: inout Digest) {
        digest.add(tier)
        digest.add(exclusive)
        for term in [cost.price, cost.fragmentation, cost.topology] { digest.add(UInt64(bitPattern: term)) }
        for part in parts {
            digest.add(part.group << 32 | part.pool.index)
            digest.add(part.need.gpus << 16 | part.need.gpuMilli)
            digest.add(part.need.cpuMillis << 32 | part.need.memoryMiB)
            digest.add(part.runEnd)
        }
        for run in runs {
            digest.add(UInt64(run.node) << 32 | UInt64(run.nodeCount) << 16 | UInt64(run.gpuMask))
            digest.add(UInt64(run.workers))
        }
    }
}

extension PoolSpec {
    /// The part of the state digest of this pool at its slot, without its nodes' states.
    public func digest(slot: PoolSlot, isDeleted: Bool) -> UInt64 {
        var digest = Digest(seed: 3)
        digest.add(slot.index)
        digest.add(isDeleted ? 1 : 0)
        digest.add([name, provider, region, accelerator, instanceType])
        digest.add(node.gpus)
        digest.add(node.cpuMillis)
        digest.add(node.memoryMiB)
        switch topology {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
            for count in [blocks, domainsPerBlock, nodesPerDomain, cliquesPerDomain] { digest.add(count) }
        case .nodes(let listings):
            for node in listings { digest.add([node.name, node.domain, node.clique, node.block, node.reservation]) }
        }
        digest.add(allowsGPUShares ? 1 : 0)
        digest.add(sparesPerDomain)
        digest.add([reservation])
        digest.add(Int(purchase.rawValue))
        digest.add(Int(billing.rawValue))
        digest.add(UInt64(bitPattern: priceMicroUSDPerGPUHour))
        digest.add(labels)
        return digest.value
    }
}

extension NodeState {
    /// The part of the state digest of a node in this state; nothing for a ready one.
    public func digest(slot: PoolSlot, node: Int) -> UInt64 {
        if self == .ready { return 0 }
        var digest = Digest(seed: 4)
        digest.add(slot.index)
        digest.add(node)
        digest.add(Int(rawValue))
        return digest.value
    }
}
