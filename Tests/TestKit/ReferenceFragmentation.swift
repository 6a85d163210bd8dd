// What a single worker's place costs with the capacity that it makes useless: every GPU of every node is looked at.
// Knows nothing of states or orders of nodes.

public import Model
public import Packing

extension ReferencePacker {
    /// Whether a mix makes nodes of a pool more than a count of free GPUs, so that single workers go by fragmentation there.
    public func isScored(pool number: Int) -> Bool {
        guard let pool = fleet.pools[number] else { return false }
        return mix.contains { entry in
            guard isWelcome(entry, pool), let need = pool.need(of: entry.demand) else { return false }
            return need.isShare || need.gpus == 0
                || need.cpuMillis > pool.spec.node.cpuMillis * need.gpus / pool.spec.node.gpus
                || need.memoryMiB > pool.spec.node.memoryMiB * need.gpus / pool.spec.node.gpus
        }
    }

    private func isWelcome(_ entry: MixEntry, _ pool: ShadowPool) -> Bool {
        entry.accelerators.isEmpty || entry.accelerators.contains(pool.spec.accelerator)
    }

    /// Free capacity of a node that the usual demand cannot use, in thousandths of a GPU, weighed: for each entry of the mix
    /// all of it where no worker fits, else that of the GPUs with too little for one.
    func potential(_ node: ShadowNode, _ pool: ShadowPool) -> Int {
        let total = mix.reduce(UInt64(0)) { $0 + $1.weight }
        return mix.reduce(0) { sum, entry in
            // In 4096ths, rounded to the nearest.
            let weight = Int((entry.weight * 4096 + total / 2) / total)
            var lost = node.gpuMilli.reduce(0, +)
            if isWelcome(entry, pool), let need = pool.need(of: entry.demand), need.gpus > 0, node.fit(need) > 0 {
                lost = node.gpuMilli.filter { $0 < need.gpuMilli }.reduce(0, +)
            }
            return sum + weight * lost
        }
    }

    /// What one worker's place makes useless, at the pool's price; less than nothing where it uses what others could not.
    /// Precondition: a placement of one worker that can be taken.
    public func fragmentation(_ placement: Placement, price: Int64) -> Int64 {
        let (number, node) = (placement.parts[0].pool.index, Int(placement.runs[0].node))
        var after = fleet
        _ = after.take(placement)
        guard let (before, now) = fleet.pools[number].flatMap({ before in after.pools[number].map { (before, $0) } })
        else { return 0 }
        return Int64(potential(now.nodes[node], now) - potential(before.nodes[node], before)) * price / 4_096_000
    }

    /// The least of price and fragmentation for one worker in some pools, of which those that are not scored cost no
    /// fragmentation. Nil where it fits nowhere.
    public func leastSingle(_ form: GangForm, _ candidates: [Candidate]) -> Int64? {
        var least: Int64?
        for candidate in candidates {
            guard let pool = fleet.pools[candidate.pool], let need = pool.need(of: form.groups[0].demand) else {
                continue
            }
            let price = (Int64(need.totalMilli) * candidate.priceMicroUSDPerGPUHour + 999) / 1000
            for node in pool.nodes.indices
            where fleet.mayUse(pool: candidate.pool, node: node, usesSpares: form.usesSpares, exclusive: nil)
                && pool.nodes[node].fit(need) > 0
            {
                for after in states(pool.nodes[node], after: need) {
                    let rise = potential(after, pool) - potential(pool.nodes[node], pool)
                    let cost = Int64(rise) * candidate.priceMicroUSDPerGPUHour / 4_096_000
                    let total = price + (isScored(pool: candidate.pool) ? cost : 0)
                    least = min(least ?? total, total)
                }
            }
        }
        return least
    }

    /// A node after one worker came that fits there: for a share, on each GPU.
    private func states(_ node: ShadowNode, after need: WorkerNeed) -> [ShadowNode] {
        var after = node
        after.cpuMillis -= need.cpuMillis
        after.memoryMiB -= need.memoryMiB
        if need.isShare {
            return node.gpuMilli.indices.filter { node.gpuMilli[$0] >= need.gpuMilli }.map { gpu in
                var other = after
                other.gpuMilli[gpu] -= need.gpuMilli
                return other
            }
        }
        // Whole GPUs are as good as each other.
        for gpu in node.gpuMilli.indices.filter({ node.gpuMilli[$0] == 1000 }).prefix(need.gpus) {
            after.gpuMilli[gpu] = 0
        }
        return [after]
    }
}
