// Resolves the form of a gang over the pools that may hold it: needs, counts, indexes, and which pools are looked at together.
// Knows nothing of what is free.

import Model

extension Packer {
    /// Resolves a gang over pools. Makes indexes where a kind of worker is new. Pools that cannot hold a worker of some
    /// group are left out.
    public mutating func gang(_ form: GangForm, pools candidates: [Candidate]) -> Gang {
        let lead = form.lead
        var targets: [Target] = []
        var groups: [GroupTarget] = []
        targets.reserveCapacity(candidates.count)
        let sorted = candidates.sorted {
            ($0.rank, $0.priceMicroUSDPerGPUHour, $0.pool) < ($1.rank, $1.priceMicroUSDPerGPUHour, $1.pool)
        }
        candidates: for candidate in sorted {
            let speed = candidate.speedMilli
            // Scaled by speed there may be more workers than a placement can hold; then the gang is too large for the pool.
            let least = form.groups.indices.reduce(0) { $0 + form.workers($1, speedMilli: speed).lowerBound }
            if least > Bounds.workersPerJob { continue }
            var spare = Bounds.workersPerJob - least
            var here: [GroupTarget] = []
            let isScored = form.isSingle && pools[candidate.pool].isScored
            for (at, group) in form.groups.enumerated() {
                guard let need = pools[candidate.pool].need(of: group.demand) else { continue candidates }
                let key = IndexKey(group, need: need, admits: form.admits)
                guard pools[candidate.pool].perNode(key) > 0 else { continue candidates }
                let workers = form.workers(at, speedMilli: speed)
                let more = min(spare, workers.count - 1)
                spare -= more
                let isByScore = isScored && workers.lowerBound == 1
                here.append(
                    GroupTarget(
                        need: need, index: isByScore ? -1 : pools[candidate.pool].index(for: key),
                        least: workers.lowerBound,
                        most: workers.lowerBound + more))
            }
            let quantum = form.groups[lead].segment?.size ?? 1
            let leastInPool = form.split.map { ($0.minWorkersPerPool + quantum - 1) / quantum * quantum }
            targets.append(
                Target(
                    pool: candidate.pool, rank: candidate.rank, need: here[lead].need,
                    workers: min(here[lead].least, leastInPool ?? .max), index: here[lead].index,
                    price: candidate.priceMicroUSDPerGPUHour, speedMilli: speed, provider: candidate.provider,
                    region: candidate.region))
            groups += here
        }
        return Gang(
            form: form, lead: lead, targets: targets, generation: generation, isSimple: form.isSimple,
            leastPriceByNode: targets.filter { pools[$0.pool].isBilledByNode }.map(\.price).min(),
            uniformWorkers: form.isSimple && !form.scaleBySpeed ? form.groups[0].count : 0,
            brackets: form.isSimple ? brackets(of: targets, areEqual: !form.scaleBySpeed) : [], groups: groups,
            orders: form.orders(lead: lead))
    }
}

extension Packer {
    /// `areEqual`: whether equally many workers are placed in each target.
    private func brackets(of targets: [Target], areEqual: Bool) -> [Bracket] {
        var brackets: [Bracket] = []
        for (at, target) in targets.enumerated() {
            let mayShare =
                areEqual && target.index >= 0 && target.need.totalMilli > 0 && !pools[target.pool].isBilledByNode
            let row = mayShare ? pools[target.pool].indexes[target.index].row : -1
            if row >= 0, let last = brackets.last, last.row == row, last.word == target.pool >> 6 {
                let before = targets[at - 1]
                if before.rank == target.rank && before.price == target.price && before.pool < target.pool
                    && pools[before.pool].wastesLike(pools[target.pool])
                {
                    brackets[brackets.count - 1].targets = last.targets.lowerBound..<at + 1
                    brackets[brackets.count - 1].pools |= 1 << UInt64(target.pool & 63)
                    continue
                }
            }
            brackets.append(
                Bracket(
                    targets: at..<at + 1, row: row, word: target.pool >> 6, pools: 1 << UInt64(target.pool & 63),
                    perNode: row < 0 ? 0 : pools[target.pool].indexes[target.index].perNode))
        }
        return brackets
    }
}

extension IndexKey {
    init(_ group: GangForm.Group, need: WorkerNeed, admits: NodeFree.Flags) {
        self.init(need: need)
        mostPerNode = min(group.spread.workersPerNode ?? mostPerNode, mostPerNode)
        // Of workers that a domain may hold, a node may hold no more.
        mostPerNode = min(group.spread.workersPerDomain ?? mostPerNode, mostPerNode)
        if let segment = group.segment, segment.tier == .node { quantum = segment.size }
        self.admits = admits
    }
}
