// How much of some pools is free over time: what is free now, and what comes free as those that stand there end by their limits.

import Model

/// What capacity is measured by: that of GPUs for gangs that have any.
enum CapacityUnit {
    case gpuMilli, cpuMillis, memoryMiB

    func amount(_ need: WorkerNeed) -> Int {
        switch self {
        case .gpuMilli: need.totalMilli
        case .cpuMillis: need.cpuMillis
        case .memoryMiB: need.memoryMiB
        }
    }

    func amount(_ node: NodeShape) -> Int {
        switch self {
        case .gpuMilli: node.gpus * 1000
        case .cpuMillis: node.cpuMillis
        case .memoryMiB: node.memoryMiB
        }
    }
}

/// Free capacity over time; it never becomes less.
struct CapacityProfile {
    struct Step {
        let at: Timestamp
        let amount: Int
    }

    /// No more than that is ever free.
    let most: Int
    /// Free from the beginning on.
    let free: Int
    /// What comes free, in order of time.
    let steps: [Step]

    /// The first time, from `begin` on, by which the free capacity has done so much work if all that is free does what is in turn,
    /// where what has begun but not ended may still be so much: `staying` nanoseconds of all that is free then. Work is capacity
    /// times nanoseconds. Nil where that never comes. Cost: the steps.
    func time(from begin: Timestamp, serving work: Int128, staying: Int128 = 0) -> Timestamp? {
        var sum = free
        var done: Int128 = 0
        var time = begin
        var next = 0
        while true {
            let free = Int128(min(most, sum))
            let missing = work - done - free * staying
            if missing <= 0 { return time }
            let step = next < steps.count ? steps[next] : nil
            if free > 0 {
                let span = (missing + free - 1) / free
                let end = Int128(time.nanoseconds) + span
                if step.map({ end <= Int128($0.at.nanoseconds) }) ?? true {
                    return end <= Int128(Bounds.moments.upperBound.nanoseconds)
                        ? Timestamp(nanoseconds: Int64(end)) : Bounds.moments.upperBound
                }
            }
            guard let step else { return nil }
            if step.at > time {
                done += free * (Int128(step.at.nanoseconds) - Int128(time.nanoseconds))
                time = step.at
            }
            sum += step.amount
            next += 1
        }
    }
}

/// What the limits of all that stands in some pools say of their capacity.
struct CapacityOutlook {
    /// As if all nodes were ready and whatever was not looked at left early; nil where that is not known.
    let least: CapacityProfile?
    /// Of ready nodes, as if what was not looked at stayed longest.
    let most: CapacityProfile
    /// Whether some limit is not said but assumed.
    let isAssumed: Bool
    /// Ends that were looked at.
    let ends: Int
}

extension Engine {
    /// Cost: the ends that are looked at, at most `Bounds.predictionEnds`.
    mutating func capacityOutlook(of pools: [Int], _ unit: CapacityUnit, at: Timestamp) -> CapacityOutlook {
        let isIn = mask(of: pools)
        var departures = Departures(pools.map { occupancy.ends($0) }, [])
        var steps: [CapacityProfile.Step] = []
        var seen = 0
        var isAssumed = false
        var isComplete = false
        while steps.count < Bounds.predictionEnds {
            guard let (leaver, limit) = departures.next(state.jobs), case .job(let job) = leaver else {
                isComplete = true
                break
            }
            var amount = 0
            if let placement = job.life.placement {
                for (at, part) in placement.parts.enumerated() where isIn[part.pool.index] {
                    amount += placement.workerCount(at) * unit.amount(part.need)
                }
            }
            seen += amount
            isAssumed = isAssumed || job.spec.maxRuntimeSeconds == nil
            steps.append(CapacityProfile.Step(at: job.expectedEnd(limit, at: at), amount: amount))
        }
        steps.sort { $0.at < $1.at }
        var (all, ready, held) = (0, 0, 0)
        for pool in pools {
            let node = unit.amount(state.pools[pool].spec.node)
            all += state.pools[pool].layout.nodeCount * node
            ready += idleNodes(of: pool).readyCount * node
            held += state.pools[pool].gpuMilliAllocated
        }
        // Of CPU and memory nobody keeps count by pool: all else counts as held.
        let isKnown = isComplete || unit == .gpuMilli
        if !isKnown { held = max(seen, ready) } else if isComplete { held = seen }
        let rest = max(0, held - seen)
        let lastSeen = steps.last?.at ?? at
        let last = max(lastSeen, pools.compactMap { occupancy.ends($0).last?.end }.max() ?? at)
        func profile(_ capacity: Int, restAt: Timestamp) -> CapacityProfile {
            let more = rest > 0 ? [CapacityProfile.Step(at: restAt, amount: rest)] : []
            return CapacityProfile(most: capacity, free: max(0, capacity - held), steps: steps + more)
        }
        return CapacityOutlook(
            least: isKnown ? profile(all, restAt: lastSeen) : nil, most: profile(ready, restAt: last),
            isAssumed: isAssumed || !isComplete, ends: steps.count)
    }

    /// By pool, whether it is one of some.
    func mask(of pools: [Int]) -> [Bool] {
        var isIn = [Bool](repeating: false, count: state.pools.count)
        for pool in pools { isIn[pool] = true }
        return isIn
    }
}
