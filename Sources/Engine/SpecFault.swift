// What a pool, a job or a mix may say of itself: whatever is beyond these bounds the columns and the queue cannot hold.
// The API refuses the same in better words before it becomes a command; here a foreign journal is refused.

import Model

extension PoolSpec {
    /// What the columns cannot hold.
    var fault: String? {
        guard 1...Bounds.gpusPerNode ~= node.gpus, 0...Bounds.cpuMillisPerNode ~= node.cpuMillis,
            0...Bounds.memoryMiBPerNode ~= node.memoryMiB
        else { return "has a node out of bounds" }
        guard 0...Bounds.priceMicroUSDPerGPUHour ~= priceMicroUSDPerGPUHour else { return "has a price out of bounds" }
        guard 0...Bounds.nodesPerDomain ~= sparesPerDomain else { return "has spares out of bounds" }
        return topology.isInBounds ? nil : "has a topology out of bounds"
    }
}

extension Topology {
    fileprivate var isInBounds: Bool {
        let size = 1...Bounds.nodesPerPool
        switch self {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
            // Each factor is at most 2^20, so no product overflows.
            return size ~= blocks && size ~= domainsPerBlock && 1...Bounds.nodesPerDomain ~= nodesPerDomain
                && size ~= blocks * domainsPerBlock * nodesPerDomain
                && 1...nodesPerDomain ~= cliquesPerDomain && nodesPerDomain % cliquesPerDomain == 0
        case .nodes(let listings):
            guard size ~= listings.count, Set(listings.map(\.name)).count == listings.count else { return false }
            let layout = PoolLayout(self)
            return zip(layout.domainStart, layout.domainStart.dropFirst()).allSatisfy {
                $1 - $0 <= Bounds.nodesPerDomain
            }
        }
    }
}

extension JobSpec {
    /// What the queue and the columns cannot hold.
    var fault: String? {
        guard 0...Bounds.priority ~= priority, priorityClass.isEmpty || priority == 0 else {
            return "has priority \(priority)"
        }
        if let fault = faultOfGates { return fault }
        guard 1...Bounds.groupsPerJob ~= workers.count else { return "has \(workers.count) worker groups" }
        var most = 0
        for group in workers {
            if let fault = group.fault { return fault }
            most += group.maxCount
            if most > Bounds.workersPerJob { return "has more than \(Bounds.workersPerJob) workers" }
            if let segment = group.segment, segment.tier > min(.block, scope.required) {
                return "has a segment of a \(segment.tier.name)"
            }
        }
        guard accelerators.allSatisfy({ Bounds.speedMilli ~= $0.speedMilli }) else {
            return "has a speed out of bounds"
        }
        guard scope.preferred.map({ $0 < scope.required }) ?? true, 0...Bounds.patienceSeconds ~= scope.patienceSeconds
        else { return "has a scope out of bounds" }
        if let split {
            guard scope.required >= .region, 2...Bounds.poolsPerSplit ~= split.maxPools,
                1...Bounds.workersPerJob ~= split.minWorkersPerPool
            else { return "has a split out of bounds" }
        }
        if let exclusive, exclusive != .domain && exclusive != .block { return "is alone in a \(exclusive.name)" }
        if let array {
            guard 1...Bounds.tasksPerArray ~= array.count, 1...Bounds.tasksPerArray ~= array.maxParallel else {
                return "has \(array.count) tasks, \(array.maxParallel) at once"
            }
        }
        return usesSpares && !isPreemptible ? "uses spares and is not preemptible" : nil
    }
}

extension JobSpec {
    fileprivate var faultOfGates: String? {
        guard 1...Bounds.runtimeSeconds ~= maxRuntimeSeconds ?? 1, 1...Bounds.runtimeSeconds ~= maxWaitSeconds ?? 1
        else {
            return "has a span of time out of bounds"
        }
        for moment in [notBefore, deadline] {
            if let moment, !(Bounds.moments ~= moment) { return "has a time out of bounds" }
        }
        guard after.count <= Bounds.dependencies, Set(after.map(\.job)).count == after.count else {
            return "waits for \(after.count) jobs"
        }
        return nil
    }
}

extension PriorityClass {
    /// What no body could say.
    var fault: String? {
        guard Names.isValid(name), 0...Bounds.priority ~= value, 0...Bounds.runtimeSeconds ~= minRuntimeSeconds,
            description.utf8.count <= Bounds.messageBytes
        else { return "is out of bounds" }
        return nil
    }
}

extension JobLife {
    /// What no history of the job of `spec` leads to.
    func fault(of spec: JobSpec) -> String? {
        guard 0...Bounds.priority ~= priority, 0...Bounds.runtimeSeconds ~= minRuntimeSeconds,
            !spec.priorityClass.isEmpty || priority == spec.priority
        else { return "has priority \(priority)" }
        if firstStart != nil && state != .queued { return "is \(state.name) and waits for a start" }
        if searchGivenUpAt != nil && state != .queued { return "is \(state.name) and seeks a place" }
        if let eviction {
            if !state.holdsCapacity { return "is \(state.name) and asked to leave" }
            if eviction.keeps != nil && state == .preempting { return "leaves and goes on" }
            if eviction.keeps == nil && state != .preempting { return "is \(state.name) and leaves" }
            if !(Bounds.moments ~= eviction.deadline) { return "is to leave out of time" }
        } else if state == .preempting {
            return "leaves for nobody"
        }
        if (repairUntil != nil) != (state == .repairing) { return "is \(state.name) and repaired or not" }
        if let repairUntil, !(Bounds.moments ~= repairUntil) { return "is repaired out of time" }
        if let resizedAt, !(Bounds.moments ~= resizedAt) || !state.holdsCapacity {
            return "is \(state.name) and was resized out of time"
        }
        if !(0...Int(Int32.max) ~= repairs) { return "was repaired \(repairs) times" }
        if preemptions < 0 || preemptions > requeues { return "was preempted \(preemptions) times" }
        if reservation != nil && state != .queued { return "is \(state.name) and has a place kept for it" }
        if isGated && state != .queued { return "is \(state.name) behind a gate" }
        if isEarly && spec.notBefore == nil { return "is early for nothing" }
        if spec.after.count < 64 && unmet >> UInt64(spec.after.count) != 0 { return "waits for more than it asked" }
        if awaitsTurn && spec.array == nil { return "waits for its turn in no array" }
        if (endCause != nil) != state.hasEnded {
            return "is \(state.name) and its end has \(endCause == nil ? "no" : "a") cause"
        }
        return nil
    }
}

extension WorkerGroup {
    fileprivate var fault: String? {
        let workers = 1...Bounds.workersPerJob
        guard workers ~= count, workers ~= maxCount, count <= maxCount else { return "has \(count) workers" }
        if let fault = demand.fault { return fault }
        if let segment {
            guard workers ~= segment.size, count % segment.size == 0, maxCount % segment.size == 0 else {
                return "has segments of \(segment.size) workers"
            }
        }
        guard workers ~= spread.workersPerNode ?? 1, workers ~= spread.workersPerDomain ?? 1 else {
            return "has a spread out of bounds"
        }
        return nil
    }
}

extension Demand {
    fileprivate var fault: String? {
        guard 0...Bounds.gpusPerNode ~= gpus, 1...1000 ~= gpuMilli, gpuMilli == 1000 || gpus == 1,
            0...Bounds.cpuMillisPerNode ~= cpuMillis ?? 0, 0...Bounds.memoryMiBPerNode ~= memoryMiB ?? 0,
            // Without end of them would fit in a node.
            gpus > 0 || cpuMillis ?? 0 > 0 || memoryMiB ?? 0 > 0
        else { return "has a worker out of bounds" }
        return nil
    }
}

extension TenantSpec {
    /// What the tree cannot hold.
    var fault: String? {
        if !TenantPath.isValid(path) { return "has an impossible path" }
        guard 1...Bounds.tenantWeight ~= weight else { return "has weight \(weight)" }
        guard quotas.count <= Bounds.quotasPerTenant else { return "has \(quotas.count) quotas" }
        let amounts = 0...Bounds.quotaAmount
        for quota in quotas {
            guard amounts ~= quota.nominal, amounts ~= quota.borrowLimit ?? 0, amounts ~= quota.lendLimit ?? 0 else {
                return "has a quota out of bounds"
            }
        }
        guard 0...Bounds.budgetGPUHours ~= budget?.gpuHours ?? 0, 0...Bounds.budgetMicroUSD ~= budget?.microUSD ?? 0
        else { return "has a budget out of bounds" }
        guard maxQueuedJobs ?? 0 >= 0, maxRunningJobs ?? 0 >= 0 else { return "has a limit below zero" }
        return nil
    }
}

extension DemandMix {
    /// What no history of arrivals leads to, as far as it would lead to a trap.
    var fault: String? {
        guard entries.count <= Self.mostEntries, inUse.count <= Self.mostEntries, 1 << 20..<1 << 40 ~= step,
            arrivals < 1 << 62, version < 1 << 62, nextVersionAt < 1 << 62, 0..<1 << 48 ~= pricedFreeMilli
        else { return "the mix is out of bounds" }
        // All weights together stay below the largest step times the arrivals that it takes to halve it, and a bit.
        let weights: Range<UInt64> = 0..<1 << 57
        for entry in entries + inUse {
            guard entry.demand.fault == nil, 1...Bounds.workersPerJob ~= entry.workers, weights ~= entry.weight,
                entry.scarcity <= 1 << 24
            else {
                return "the mix has an entry out of bounds"
            }
        }
        for list in [entries, inUse] where list.reduce(0, { $0 + $1.weight }) >= weights.upperBound << 1 {
            return "the mix has more weight than any arrivals leave"
        }
        return nil
    }
}
