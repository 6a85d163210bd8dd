// What the harness compares: an answer of the core with the reference's, and all free capacity with the shadow's.

import Model
import TestKit
import Testing

@testable import Packing

extension Harness {
    /// One group: the same feasibility, rank, tier and cost, and for an elastic one as many workers as there is room
    /// for. Several groups: the core may miss a place, which is counted, but what it finds is a place.
    mutating func compare(
        _ form: GangForm, _ offered: [Candidate], _ placement: Placement?, _ answer: ReferenceAnswer
    ) {
        tally.searches += 1
        if let placement {
            let rules = PlacementRules(form, candidates: offered, fleet: reference.fleet, placement: placement)
            check(rules.broken.isEmpty, "\(rules.broken.joined(separator: "; "))\n\(placement)")
            check(answer != .nowhere || !rules.broken.isEmpty, "the reference knows no such place: \(placement)")
        }
        let isAlone = form.groups.count == 1
        if !isAlone { tally.ofGroups += 1 }
        if answer == .tooHard { tally.tooHard += 1 }
        guard case .fits(let rank, let fits) = answer else { return }
        guard let placement else {
            check(!isAlone, "the reference knows a place: \(fits)")
            tally.missed += 1
            return
        }
        let parts = placement.parts.compactMap { part in offered.first { $0.pool == part.pool.index } }
        let usedRank = parts.map(\.rank).max() ?? 0
        if isAlone {
            check(usedRank == rank, "rank \(usedRank) instead of \(rank)")
        } else {
            check(usedRank >= rank, "rank \(usedRank), lower than \(rank)")
            if usedRank > rank { tally.missed += 1 }
        }
        if !isAlone || usedRank != rank || !isSound { return }
        compareChoice(form, offered, parts, placement, rank, fits)
    }

    /// The choice among places of the lowest rank, for one group.
    private mutating func compareChoice(
        _ form: GangForm, _ offered: [Candidate], _ parts: [Candidate], _ placement: Placement, _ rank: Int,
        _ fits: [ReferenceFit]
    ) {
        if hasMix { return compareSingle(form, offered.filter { $0.rank == rank }, placement) }
        check(placement.cost.fragmentation == 0, "fragmentation without a mix")
        // By its speed a pool may make a gang elastic that is not so in another.
        let isElastic = offered.contains {
            let counts = PlacementRules.counts(form, 0, speedMilli: $0.speedMilli)
            return counts.most > counts.least
        }
        let cost = placement.cost.price + placement.cost.topology
        if Set(parts.map(\.pool)).count > 1 {
            // A lower rank is used up first, whatever it costs.
            let offeredRanks = Set(offered.map(\.rank).filter { $0 <= rank })
            if !isElastic, offeredRanks.count == 1, let least = fits.compactMap(\.cost).min() {
                check(least <= cost && cost <= least + least / 2, "costs \(cost) over several pools, not \(least)")
                tally.splits += 1
                if cost > least { tally.dearSplits += 1 }
            }
            return
        }
        guard let fit = fits.first(where: { $0.pools == [parts[0].pool] }) else {
            return check(false, "the reference knows no place in pool \(parts[0].pool)")
        }
        check(placement.tier == fit.tier, "tier \(placement.tier) though one of \(fit.tier) holds the gang")
        if isElastic {
            // An exclusive one keeps as few nodes from others as it can, however many workers they hold.
            if form.exclusive != nil { return }
            let (_, most) = PlacementRules.counts(form, 0, speedMilli: parts[0].speedMilli)
            let wanted = min(most, fit.room ?? 0)
            check(placement.workerCount == wanted, "\(placement.workerCount) workers where \(wanted) have room")
        } else if fits.allSatisfy({ $0.cost != nil }), let least = fits.compactMap(\.cost).min() {
            if form.exclusive == nil {
                check(cost == least, "costs \(cost), not \(least)")
            } else {
                let isExact = placement.tier <= form.exclusive ?? .node
                check(cost == least || cost > least && !isExact, "costs \(cost), not \(least)")
                tally.exclusives += 1
                if cost > least { tally.dearExclusives += 1 }
            }
            if form.isPlain, placement.parts[0].need.gpus > 0, !placement.parts[0].need.isShare {
                let expected = reference.choice(form, offered.filter { $0.rank == rank })
                let said = ReferencePlace(pool: parts[0].pool, masks: placement.masks)
                check(said == expected, "\(said), not \(String(describing: expected))")
            }
        }
    }

    /// One worker where the usual demand is known: no node costs less, each looked at with all others closed.
    private mutating func compareSingle(_ form: GangForm, _ offered: [Candidate], _ placement: Placement) {
        if !form.isPlain || placement.workerCount != 1 || form.groups[0].maxCount > 1 { return }
        var fork = packer.fork()
        for (number, pool) in reference.fleet.pools.enumerated() {
            for node in pool?.nodes.indices ?? 0..<0 { fork.setSchedulable(pool: number, node: node, false) }
        }
        var least: Int64?
        let gang = fork.gang(form, pools: offered)
        for candidate in offered {
            for (node, free) in (reference.fleet.pools[candidate.pool]?.nodes ?? []).enumerated()
            where free.isSchedulable {
                fork.setSchedulable(pool: candidate.pool, node: node, true)
                var other = Placement.none
                if fork.find(gang, into: &other) { least = min(least ?? other.cost.total, other.cost.total) }
                fork.setSchedulable(pool: candidate.pool, node: node, false)
            }
        }
        check(placement.cost.total == least, "costs \(placement.cost), but some node \(least ?? -1)")
        compareGPU(
            placement, price: offered.first { $0.pool == placement.parts[0].pool.index }?.priceMicroUSDPerGPUHour ?? 0)
        tally.singles += 1
    }

    /// On its node a share takes the GPU where the potential rises least, and that is what it pays.
    private mutating func compareGPU(_ placement: Placement, price: Int64) {
        let (need, number) = (placement.parts[0].need, placement.parts[0].pool.index)
        guard packer.pools[number].isScored, need.isShare else { return }
        let known = PoolMix(
            FleetMix(mix, version: 1, priceVersion: 1), accelerator: packer.pools[number].accelerator
        ) { packer.pools[number].need(of: $0) }
        let node = Int(placement.runs[0].node)
        let now = FreeState(packer.pools[number].columns[node], node: node, shares: packer.pools[number].shares)
        let taken = packer.freeMilli(pool: number, node: node, gpu: placement.runs[0].gpuMask.trailingZeroBitCount)
        var chosen: Int64?
        var least = Int64.max
        for gpu in 0..<now.gpus where Int(now.milli[gpu]) >= need.gpuMilli {
            let after = now.after(need, gpu: gpu)
            let rise = known.lost(after) - known.slots(after) - known.lost(now) + known.slots(now)
            if Int(now.milli[gpu]) == taken { chosen = rise }
            least = min(least, rise)
        }
        check(chosen == least, "another GPU of node \(node) would leave more: \(placement)")
        let cost = Cost.fragmentation(least, microUSDPerGPUHour: price)
        check(placement.cost.fragmentation == cost, "fragmentation costs \(placement.cost), not \(cost)")
    }

    /// What the core says of the room in each pool.
    mutating func compareRooms(_ form: GangForm, _ candidates: [Candidate], _ gang: borrowing Gang) {
        let isAlone = form.groups.count == 1
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            guard let candidate = candidates.first(where: { $0.pool == target.pool }) else {
                check(false, "target \(target.pool) is no candidate")
                continue
            }
            let room = reference.room(form, gang.lead, candidate, tier: min(form.scope, .pool)).max() ?? 0
            let (said, fits) = (packer.largestFit(gang, target: at), packer.fits(gang, target: at))
            // Where a scoring decides on single workers it is only known whether one has room.
            let isScored = target.workers == 1 && packer.isScored && said == min(room, 1)
            check(said >= room || isScored, "\(said) workers have room in pool \(target.pool), not \(room)")
            check(fits || room < target.workers, "pool \(target.pool) has room for \(room)")
            if !isAlone || isScored { continue }
            // Where the scope is smaller than a segment's tier, a remainder of a segment may be counted.
            let whole = said - said % (form.groups[0].segment?.size ?? 1)
            check(whole == room, "\(said) workers have room in pool \(target.pool), not \(room)")
            check(fits == (room >= target.workers), "\(fits) in pool \(target.pool) with room for \(room)")
        }
    }

    /// All that the core says is free, node by node, against the shadow.
    mutating func compareCapacity() {
        for number in pools.indices {
            guard let pool = reference.fleet.pools[number] else { continue }
            var free = (all: 0, schedulable: 0)
            for node in pool.nodes.indices {
                let (here, said) = (pool.nodes[node], packer.free(pool: number, node: node))
                let isTrue =
                    said.gpuMask == here.freeMask && said.cpuMillis == here.cpuMillis
                    && said.memoryMiB == here.memoryMiB
                    && here.gpuMilli.indices.allSatisfy {
                        packer.freeMilli(pool: number, node: node, gpu: $0) == here.gpuMilli[$0]
                    }
                check(isTrue, "node \(node) of pool \(number) has \(here) free, not \(said)")
                free.all += here.freeMask.nonzeroBitCount
                if reference.fleet.mayUse(pool: number, node: node, usesSpares: false, exclusive: nil) {
                    free.schedulable += here.freeMask.nonzeroBitCount
                }
            }
            let said = packer.freeGPUs(pool: number)
            check(said == free, "pool \(number) has \(free) free GPUs, not \(said)")
        }
    }

    mutating func checkAll() {
        let fault = packer.firstFault()
        check(fault == nil, fault ?? "")
        compareCapacity()
    }
}

extension Placement {
    /// The GPUs on each node of its only part, by rising node.
    var masks: [ReferencePlace.NodeMask] {
        runs.flatMap { run in run.nodes.map { ReferencePlace.NodeMask(node: $0, gpuMask: run.gpuMask) } }
            .sorted { $0.node < $1.node }
    }
}
