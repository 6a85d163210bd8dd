// Where the workers come to stand that an elastic gang takes: on nodes of its pool on which its group has none, the nearest first,
// as far as its scope, its segments and its spread let them. What it has stays as it is, and each worker keeps its number.

import Model
import Packing

/// A gang's place while more workers are sought: what was found is taken in the packer.
private struct Growing {
    let job: Job
    let old: Placement
    /// New runs of each part.
    var runs: [[NodeRun]]
    var taken: [Placement] = []
    var workers = 0
}

extension Engine {
    /// The place of a gang with as many more workers as it may have, or nil where it may have none now. Changes nothing. Cost: the
    /// gang's runs, and the nodes looked at, which count against `looks`.
    mutating func grown(_ job: Job, _ looks: inout Int) -> Placement? {
        guard let old = job.life.placement, let pool = old.onlyPool else { return nil }
        let tenant = tenant(of: job)
        if placeBar(tenant, pool: pool.index) != nil || state.hasUsedUpBudget(tenant, at: now) {
            holdBackGrowth(in: pool.index)
            return nil
        }
        var growing = Growing(job: job, old: old, runs: Array(repeating: [], count: old.parts.count))
        looks -= old.runs.count
        for at in old.parts.indices { grow(at, &growing, &looks) }
        for placement in growing.taken { packer.give(placement) }
        if growing.workers == 0 { return nil }
        let new = joined(growing)
        guard fault(ofRules: new, for: job) == nil, isFree(new, beside: old) else { return nil }
        return new
    }

    private func isFree(_ new: Placement, beside old: Placement) -> Bool {
        packer.give(old)
        defer { packer.take(old) }
        return packer.canTake(new)
    }

    // MARK: One group

    private mutating func grow(_ at: Int, _ growing: inout Growing, _ looks: inout Int) {
        let (job, part) = (growing.job, growing.old.parts[at])
        let group = job.spec.workers[part.group]
        let form = GangForm(job.spec, scope: job.spec.scope.required)
        let most = form.workers(part.group, speedMilli: state.speedMilli(of: job, in: part.pool)).upperBound
        // In pools with shares GPUs that are partly free do not count.
        let open = packer.freeGPUs(pool: part.pool.index).schedulable
        if !part.need.isShare && !job.spec.usesSpares && open < part.need.gpus { return }
        let size = group.segment?.size ?? 1
        let wanted = most - growing.old.workerCount(at)
        let allowed = min(wanted, roomByQuota(of: part, for: job))
        if allowed < wanted { holdBackGrowth(in: part.pool.index) }
        var left = allowed / size * size
        if left <= 0 { return }
        var used = UsedPlaces(part.need, group.spread, state[part.pool].layout)
        for run in growing.old.runs[growing.old.runRange(at)] { used.insert(run) }
        // Without segments all that is wanted is sought at once, else one segment after the other.
        let tier = size > 1 ? group.segment?.tier ?? .node : nil
        for range in places(of: growing, at, tier: tier) {
            while left > 0 && looks > 0 {
                let asked = tier == nil ? left : size
                let found = fill(range, with: asked, isWhole: tier != nil, at, &growing, &used, &looks)
                left -= found
                // Less than asked for is all that this place has.
                if found < asked || tier == nil { break }
            }
            if left <= 0 || looks <= 0 { return }
        }
    }

    /// Ranges of nodes in which workers may be sought, the nearest first: the domains in which the gang stands, the others of their
    /// blocks, then those of the pool. A segment within a node is sought in a domain, one of a block in a block. No further than the tier
    /// that the job asks for.
    private func places(of growing: Growing, _ at: Int, tier: Tier?) -> [Range<Int>] {
        let layout = state[growing.old.parts[at].pool].layout
        let scope = growing.job.spec.scope
        let farthest = max(growing.old.tier, min(scope.required, scope.preferred ?? scope.required))
        if farthest == .node { return [] }
        var domains = IndexSet()
        var blocks = IndexSet()
        for run in growing.old.runs {
            for domain in layout.domain(ofNode: run.nodes.lowerBound)...layout.domain(ofNode: run.nodes.upperBound - 1)
            {
                domains.insert(domain)
                blocks.insert(layout.block(ofDomain: domain))
            }
        }
        if tier == .block && farthest >= .block {
            let others = (0..<layout.blockCount).filter { farthest >= .pool && !blocks.contains($0) }
            return (Array(blocks) + others).map { block in
                let first = Int(layout.blockStart[block])
                return layout.nodes(ofPlace: .block, with: Int(layout.domainStart[first]))
            }
        }
        var order = Array(domains)
        if farthest >= .block { order += near(blocks, layout).filter { !domains.contains($0) } }
        if farthest >= .pool {
            order += (0..<layout.domainCount).filter { !blocks.contains(layout.block(ofDomain: $0)) }
        }
        return order.map { Int(layout.domainStart[$0])..<Int(layout.domainStart[$0 + 1]) }
    }

    private func near(_ blocks: IndexSet, _ layout: PoolLayout) -> [Int] {
        blocks.flatMap { Array(Int(layout.blockStart[$0])..<Int(layout.blockStart[$0 + 1])) }
    }

    /// Takes up to so many workers on nodes of a range, or, where they must be whole, all of them or none. Says how many.
    private mutating func fill(
        _ range: Range<Int>, with workers: Int, isWhole: Bool, _ at: Int, _ growing: inout Growing,
        _ used: inout UsedPlaces, _ looks: inout Int
    ) -> Int {
        let (job, part) = (growing.job, growing.old.parts[at])
        let segment = job.spec.workers[part.group].segment
        let step = segment?.tier == .node ? segment?.size ?? 1 : 1
        let spares = job.spec.usesSpares
        let mayUse = { [claims] (node: Int, isOrdinary: Bool) in
            (isOrdinary || spares) && claims.count(node, of: part.pool.index) == 0
        }
        let known = growing.runs[at].count
        var left = workers
        var onNode = min(left, mostOnNode(part)) / step * step
        while onNode > 0 && left > 0 && looks > 0 {
            guard let run = tightest(onNode, in: range, of: part, used, &looks, mayUse: mayUse) else {
                onNode -= step
                continue
            }
            let trial = Self.trial([run], of: part)
            packer.take(trial)
            growing.taken.append(trial)
            growing.runs[at].append(run)
            used.insert(run)
            left -= onNode
            onNode = min(onNode, left / step * step)
        }
        if isWhole && left > 0 {
            for run in growing.runs[at][known...] {
                if let trial = growing.taken.popLast() { packer.give(trial) }
                used.remove(run)
            }
            growing.runs[at].removeSubrange(known...)
            return 0
        }
        growing.workers += workers - left
        return workers - left
    }

    private func mostOnNode(_ part: PlacementPart) -> Int {
        let gpus = state[part.pool].spec.node.gpus
        if part.need.isShare { return 1000 / part.need.gpuMilli }
        return part.need.gpus > 0 ? gpus / part.need.gpus : Bounds.workersPerNode
    }

    /// How many more workers of a part its tenant's quota leaves.
    private func roomByQuota(of part: PlacementPart, for job: Job) -> Int {
        let milli = Int128(part.need.totalMilli)
        if bars.quotas.isEmpty || milli == 0 { return Bounds.workersPerJob }
        let pool = state.pools[part.pool.index]
        var room = Int128(Bounds.workersPerJob)
        for (unit, accelerator) in bars.quotas.accelerators.enumerated()
        where accelerator < 0 || accelerator == pool.acceleratorNumber {
            let each = accelerator < 0 ? milli * Int128(pool.spec.priceMicroUSDPerGPUHour) : milli
            if each > 0 { room = min(room, max(0, bars.quotas.available(tenant(of: job), unit, state.tenants)) / each) }
        }
        return Int(room)
    }

    // MARK: The whole place

    /// What the gang has, and at the end of each group what was found.
    private func joined(_ growing: Growing) -> Placement {
        let old = growing.old
        var new = Placement(tier: old.tier, exclusive: old.exclusive, cost: old.cost)
        for (at, part) in old.parts.enumerated() {
            new.runs += old.runs[old.runRange(at)]
            new.runs += growing.runs[at].sorted { ($0.node, $0.gpuMask) < ($1.node, $1.gpuMask) }
            new.parts.append(PlacementPart(group: part.group, pool: part.pool, need: part.need, runEnd: new.runs.count))
        }
        new.tier = tier(of: new)
        new.cost = old.cost.scaled(by: new.gpuMilli, over: old.gpuMilli)
        return new
    }
}
