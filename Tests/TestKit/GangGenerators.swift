// Seeded draws of jobs with each thing that a job may ask for, alone and together, and of the pools offered to them.

public import Model
public import Packing

/// What makes a job more than some equal workers in one scope.
public enum GangFeature: CaseIterable, Sendable {
    case groups, segment, spread, exclusive, split, shares, noGPUs, elastic, preferred, speed, spares
}

extension SeededRandom {
    /// Some features: none, one or several, in no favour of any.
    public mutating func features() -> Set<GangFeature> {
        let most = pick([0, 1, 1, 2, 3, GangFeature.allCases.count])
        return Set((0..<most).map { _ in pick(GangFeature.allCases) })
    }

    /// A job for pools like these, with these features. Of few workers where the pools are small.
    public mutating func job(_ features: Set<GangFeature>, for pools: [DrawnPool], isSmall: Bool) -> JobSpec {
        let scope: Tier =
            features.contains(.split)
            ? pick([.region, .provider, .fleet, .fleet])
            : pick([.node, .domain, .domain, .block, .block, .pool, .pool, .fleet])
        var groups: [WorkerGroup] = []
        for number in 0..<(features.contains(.groups) ? pick(2...3) : 1) {
            groups.append(group(number, features, scope, for: pick(pools), isSmall: isSmall))
        }
        let smaller = Tier.allCases.filter { $0 < scope }
        let usesSpares = features.contains(.spares)
        return JobSpec(
            workers: groups, scaleBySpeed: features.contains(.speed),
            scope: Scope(
                scope, preferred: features.contains(.preferred) && !smaller.isEmpty ? pick(smaller) : nil),
            split: features.contains(.split)
                ? Split(
                    maxPools: pick(2...4), minWorkersPerPool: pick([1, 1, 2, 3, pick(1...max(1, groups[0].count / 2))]))
                : nil,
            exclusive: features.contains(.exclusive) ? pick([.domain, .block]) : nil, isPreemptible: usesSpares,
            usesSpares: usesSpares)
    }

    private mutating func group(
        _ number: Int, _ features: Set<GangFeature>, _ scope: Tier, for pool: DrawnPool, isSmall: Bool
    ) -> WorkerGroup {
        var group = WorkerGroup(
            name: "group-\(number)", count: isSmall ? pick(1...(features.contains(.groups) ? 3 : 5)) : workers(),
            demand: demand(features, for: pool))
        if features.contains(.split), !isSmall || !features.contains(.groups), chance(percent: 70) {
            // About as many as a pool holds, so that it takes several pools, or nearly so.
            let perNode = max(1, pool.shape.gpus * 1000 / max(1, group.demand.totalMilli))
            let most = min(400, pool.topology.nodeCount * perNode)
            group.count = pick((most + 1) / 2...most + (most + 1) / 2)
        }
        var size = 1
        if features.contains(.segment) {
            size = pick(1...(isSmall ? 3 : 6))
            group.segment = Segment(size: size, tier: pick([.node, .domain, .block].filter { $0 <= scope }))
            group.count = (group.count + size - 1) / size * size
        }
        if features.contains(.spread) {
            if chance(percent: 60) { group.spread.workersPerNode = pick(1...3) }
            if chance(percent: 60) { group.spread.workersPerDomain = pick(1...(isSmall ? 4 : 12)) }
        }
        group.maxCount = group.count + (features.contains(.elastic) ? size * pick(0...(isSmall ? 4 : 30)) : 0)
        return group
    }

    private mutating func demand(_ features: Set<GangFeature>, for pool: DrawnPool) -> Demand {
        if features.contains(.noGPUs), chance(percent: 60) {
            return Demand(
                gpus: 0, cpuMillis: pick(1...max(1, pool.shape.cpuMillis / 2)),
                memoryMiB: chance(percent: 50) ? pick(0...pool.shape.memoryMiB) : nil)
        }
        if features.contains(.shares), chance(percent: 70) {
            var demand = Demand(gpus: 1, gpuMilli: pick([100, 125, 250, 250, 333, 500, 500, 750, pick(1...1000)]))
            if chance(percent: 20) { demand.cpuMillis = pick(0...pool.shape.cpuMillis) }
            return demand
        }
        var demand = self.demand(for: pool.shape)
        // Several groups seldom fit when each of them takes what a node has.
        if features.contains(.groups), chance(percent: 80) { demand.gpus = pick(1...max(1, pool.shape.gpus / 2)) }
        if features.contains(.groups), chance(percent: 80) { (demand.cpuMillis, demand.memoryMiB) = (nil, nil) }
        return demand
    }

    /// Most of the pools, in no order, of a few ranks and speeds.
    public mutating func candidates(_ specs: [PoolSpec]) -> [Candidate] {
        var candidates: [Candidate] = []
        let ranks = pick(0...2)
        for (number, spec) in specs.enumerated() where chance(percent: 85) {
            let provider = spec.provider == "aws" ? 0 : 1
            candidates.append(
                Candidate(
                    pool: number, rank: pick(0...ranks), priceMicroUSDPerGPUHour: spec.priceMicroUSDPerGPUHour,
                    speedMilli: pick([500, 1000, 1000, 1500, 2000, 333]), provider: provider,
                    region: provider * 2 + (spec.region == "east" ? 0 : 1)))
        }
        return candidates.shuffled(using: &self)
    }

    /// Demand that usually comes to pools like these: whole GPUs, shares and none, for one model or any.
    public mutating func mix(for pools: [DrawnPool]) -> [MixEntry] {
        (0..<pick(1...6)).map { _ in
            MixEntry(
                demand: demand(features(), for: pick(pools)), workers: pick(1...8), tier: .domain,
                accelerators: pick([[], [], ["gb300"], ["h100"], ["b200"]]), weight: UInt64(pick(1...5_000_000)))
        }
    }
}
