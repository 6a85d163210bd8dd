// Laying out a gang of several groups or rules: groups are taken one by one, the hardest first, within one place after the
// other until all of them stand; then all is undone and the best layout is told. A trial costs what it touches.

import Model

/// What is laid out at present, and the best that was laid out before.
struct Trial {
    /// The most work that one decision may spend on layouts, and as much again on the growth of an elastic gang: where room is
    /// there for each group but not for all together, the search ends soon after. A unit is about ten nanoseconds. Up to two
    /// thousand layouts of a few runs, or two of the largest gang; the one at hand is always finished.
    static let mostWork = 1 << 19
    /// To lay a gang out, besides its runs; a place that is looked at costs one.
    static let layWork = 200

    /// One group's workers in one pool.
    struct Piece {
        var group: Int
        var target: Int
        var workers: Int
        /// Nodes of which nothing was taken before.
        var nodesOpened: Int
        /// Where its runs begin; they end where those of the next piece begin.
        var runStart: Int
    }

    var pieces: [Piece] = []
    var runs: [NodeRun] = []
    /// Runs of the group being placed.
    var scratch: [NodeRun] = []
    var counts: [Int] = []
    var order: [Int] = []
    /// What the decision may yet spend; at or below 0 it lays nothing out any more.
    var workLeft = 0
    /// How many times it laid the gang out.
    var lays = 0
    /// What all groups together need at least where they are laid out.
    var volume = Volume()
    var best: Layout?

    /// Capacity of nodes: whole GPUs, CPU and memory.
    struct Volume {
        var gpus = 0
        var cpuMillis = 0
        var memoryMiB = 0
    }

    /// A finished layout and what it costs.
    struct Layout {
        var pieces: [Piece]
        var runs: [NodeRun]
        var tier: Tier
        var cost: PlacementCost
        var merit: TrialMerit
    }

    func runRange(_ piece: Int) -> Range<Int> {
        pieces[piece].runStart..<(piece + 1 < pieces.count ? pieces[piece + 1].runStart : runs.count)
    }
}

/// Which of two layouts of one rank is better: smaller is better.
struct TrialMerit: Comparable {
    /// For an elastic gang: tier << 48 less the workers it got; else 0.
    var size: Int
    var total: Int64
    var tier: Tier
    var target: Int

    static func < (left: TrialMerit, right: TrialMerit) -> Bool {
        (left.size, left.total, Int(left.tier.rawValue), left.target)
            < (right.size, right.total, Int(right.tier.rawValue), right.target)
    }
}

extension Packer {
    mutating func findByTrial(
        _ gang: borrowing Gang, into placement: inout Placement, isHeld: (_ pool: Int) -> Bool
    ) -> Bool {
        trial.best = nil
        trial.workLeft = Trial.mostWork
        var at = 0
        while at < gang.targets.count {
            let rank = gang.targets[at].rank
            while at < gang.targets.count && gang.targets[at].rank == rank {
                if !isHeld(gang.targets[at].pool) { layOut(gang, target: at) }
                at += 1
            }
            if trial.best == nil && gang.form.split != nil && gang.form.scope >= .region {
                layOutSplit(gang, upTo: at, isHeld: isHeld)
            }
            if trial.best != nil { break }
        }
        guard let best = trial.best else { return false }
        write(best, of: gang, into: &placement)
        trial.best = nil
        return true
    }

    /// Whether one target alone holds the gang.
    mutating func layOutAlone(_ gang: borrowing Gang, target at: Int) -> Bool {
        trial.best = nil
        trial.workLeft = Trial.mostWork
        layOut(gang, target: at)
        defer { trial.best = nil }
        return trial.best != nil
    }

    private mutating func write(_ layout: Trial.Layout, of gang: borrowing Gang, into placement: inout Placement) {
        placement.tier = layout.tier
        placement.exclusive = gang.form.exclusive
        placement.cost = layout.cost
        placement.parts.removeAll(keepingCapacity: true)
        placement.runs.removeAll(keepingCapacity: true)
        let ends = layout.pieces.dropFirst().map(\.runStart) + [layout.runs.count]
        var order = Array(layout.pieces.indices)
        order.sort {
            let (a, b) = (layout.pieces[$0], layout.pieces[$1])
            return (a.group, gang.targets[a.target].pool) < (b.group, gang.targets[b.target].pool)
        }
        for at in order {
            let piece = layout.pieces[at]
            let target = gang.targets[piece.target]
            let group = gang.group(piece.group, target: piece.target)
            pools[target.pool].indexes[group.index].lastUse = uses
            placement.runs += layout.runs[piece.runStart..<ends[at]]
            placement.parts.append(
                PlacementPart(
                    group: piece.group, pool: PoolSlot(target.pool), need: group.need, runEnd: placement.runs.count))
        }
    }

    // MARK: In one pool

    /// Lays the gang out in one pool, in the smallest tier that holds its least counts, and keeps it when it is the best.
    private mutating func layOut(_ gang: borrowing Gang, target at: Int) {
        let target = gang.targets[at]
        trial.counts.removeAll(keepingCapacity: true)
        trial.volume = Trial.Volume()
        var leastMilli = 0
        var isElastic = false
        for group in gang.form.groups.indices {
            let here = gang.group(group, target: at)
            trial.counts.append(here.least)
            leastMilli += here.least * here.need.totalMilli
            if !here.need.isShare { trial.volume.gpus += here.least * here.need.gpus }
            trial.volume.cpuMillis += here.least * here.need.cpuMillis
            trial.volume.memoryMiB += here.least * here.need.memoryMiB
            if here.most > here.least { isElastic = true }
        }
        // Nodes that are open cost nothing where the pool is billed by the node.
        let mayBeFree = pools[target.pool].isBilledByNode && gang.form.exclusive == nil
        let leastPrice = mayBeFree ? 0 : Cost.price(milli: leastMilli, microUSDPerGPUHour: target.price)
        if !gang.form.isElastic, let best = trial.best, best.cost.total < leastPrice { return }
        var tier = Tier.node
        while tier <= min(gang.form.scope, .pool) {
            if mayHold(gang, target: at, tier: tier), let place = firstPlaceOfAnyOrder(gang, target: at, tier: tier) {
                if isElastic { grow(gang, target: at, in: place) }
                keepIfBest(gang, target: at)
                undo(gang)
                return
            }
            guard let next = Tier(rawValue: tier.rawValue + 1) else { return }
            tier = next
        }
    }

    private mutating func firstPlaceOfAnyOrder(_ gang: borrowing Gang, target at: Int, tier: Tier) -> Place? {
        let before = trial.lays
        for order in gang.orders where trial.workLeft > 0 {
            trial.order = order
            if let place = firstPlace(gang, target: at, tier: tier) { return place }
            // Where no place came into question, none does in another order.
            if trial.lays == before { return nil }
        }
        return nil
    }

    /// Counts work against what the decision may spend.
    mutating func spend(_ work: Int) {
        trial.workLeft -= work
        layoutWork += UInt64(work)
    }

    /// Takes `trial.counts` workers of every group within a place, or nothing and says so.
    mutating func lay(_ gang: borrowing Gang, target at: Int, in place: Place) -> Bool {
        if trial.workLeft <= 0 { return false }
        trial.lays += 1
        spend(Trial.layWork)
        for group in trial.order where !take(trial.counts[group], of: group, gang, target: at, in: place) {
            undo(gang)
            return false
        }
        return true
    }

    /// Takes workers of one group within a place, or nothing and says so.
    mutating func take(
        _ workers: Int, of group: Int, _ gang: borrowing Gang, target at: Int, in place: Place
    ) -> Bool {
        let pool = gang.targets[at].pool
        let here = gang.group(group, target: at)
        let quota = Quota(gang.form.groups[group], exclusive: gang.form.exclusive)
        var runs: [NodeRun] = []
        swap(&runs, &trial.scratch)
        defer { swap(&runs, &trial.scratch) }
        runs.removeAll(keepingCapacity: true)
        guard
            pools[pool].choose(pools[pool].indexes[here.index], quota, workers: workers, in: place, into: &runs)
        else { return false }
        // Each run changes every index, once for each stretch of its nodes.
        let workPerRun = pools[pool].liveIndexes + 4
        var nodesOpened = 0
        for run in runs {
            spend(workPerRun * (1 + Int(run.nodeCount) / 16))
            // Several runs may stand on one node, and only the first of them opens it.
            if pools[pool].isBilledByNode { nodesOpened += pools[pool].unusedNodes(in: run.nodes) }
            pools[pool].change(run, of: here.need, isTaking: true)
            if gang.form.exclusive != nil { pools[pool].setOwn(run, gang.form.exclusive, true) }
        }
        trial.pieces.append(
            Trial.Piece(
                group: group, target: at, workers: workers, nodesOpened: nodesOpened, runStart: trial.runs.count))
        trial.runs += runs
        return true
    }

    /// Gives back all that is laid out.
    mutating func undo(_ gang: borrowing Gang) {
        for at in trial.pieces.indices.reversed() {
            let piece = trial.pieces[at]
            let pool = gang.targets[piece.target].pool
            let need = gang.group(piece.group, target: piece.target).need
            for run in trial.runRange(at) {
                pools[pool].change(trial.runs[run], of: need, isTaking: false)
                if gang.form.exclusive != nil { pools[pool].setOwn(trial.runs[run], gang.form.exclusive, false) }
            }
        }
        trial.pieces.removeAll(keepingCapacity: true)
        trial.runs.removeAll(keepingCapacity: true)
    }

    /// Group by group, as many more workers as the place holds beside all others, up to the group's most; fewer where the search
    /// for more would cost too much.
    private mutating func grow(_ gang: borrowing Gang, target at: Int, in place: Place) {
        trial.workLeft = Trial.mostWork
        for group in gang.form.groups.indices where trial.workLeft > 0 {
            let here = gang.group(group, target: at)
            let step = gang.form.groups[group].segment?.size ?? 1
            var low = here.least
            if here.most - low < step { continue }
            // Beside all others there is no more room than alone.
            undo(gang)
            let room = room(gang, group, target: at, in: place)
            // In steps above `low`; the first that fails bounds the rest.
            var steps = max(0, min(here.most, room) - low) / step
            var failed = steps + 1
            while steps > 0 && trial.workLeft > 0 {
                undo(gang)
                trial.counts[group] = low + steps * step
                if lay(gang, target: at, in: place) {
                    low += steps * step
                    failed -= steps
                } else {
                    failed = steps
                }
                steps = failed / 2
            }
            if trial.counts[group] != low || trial.pieces.isEmpty {
                undo(gang)
                trial.counts[group] = low
                // What was found can always be laid out again.
                trial.workLeft = max(trial.workLeft, 1)
                let stands = lay(gang, target: at, in: place)
                precondition(stands, "what stood before stands no more")
            }
        }
    }

    // MARK: Judging

    /// Keeps what is laid out when it is better than the best before.
    mutating func keepIfBest(_ gang: borrowing Gang, target at: Int) {
        let tier = tierOfTrial(gang)
        var price: Int64 = 0
        var workers = 0
        for (number, piece) in trial.pieces.enumerated() {
            let need = gang.group(piece.group, target: piece.target).need
            workers += piece.workers
            if gang.form.exclusive != nil {
                price = Cost.sum(price, exclusivePrice(gang, piece: number))
            } else if pools[gang.targets[piece.target].pool].isBilledByNode {
                let target = gang.targets[piece.target]
                price = Cost.sum(
                    price,
                    pools[target.pool].price(ofNodes: piece.nodesOpened, microUSDPerGPUHour: target.price))
            } else {
                price = Cost.sum(
                    price,
                    Cost.price(
                        milli: piece.workers * need.totalMilli,
                        microUSDPerGPUHour: gang.targets[piece.target].price))
            }
        }
        let cost = PlacementCost(
            price: price, fragmentation: 0,
            topology: Cost.topology(tier, preferred: gang.form.preferred, price: price))
        let merit = TrialMerit(
            size: gang.form.isElastic ? Int(tier.rawValue) << 48 - workers : 0, total: cost.total, tier: tier,
            target: at)
        if let best = trial.best, best.merit < merit { return }
        trial.best = Trial.Layout(
            pieces: trial.pieces, runs: trial.runs, tier: tier, cost: cost, merit: merit)
    }

    /// The price of the places that a piece keeps from others and no piece before it does.
    private func exclusivePrice(_ gang: borrowing Gang, piece number: Int) -> Int64 {
        let pool = gang.targets[trial.pieces[number].target].pool
        var counted: Set<Int> = []
        var domains: Set<Int> = []
        for piece in 0...number where gang.targets[trial.pieces[piece].target].pool == pool {
            for run in trial.runRange(piece) {
                let nodes = trial.runs[run].nodes
                let layout =
                    pools[pool].layout.domain(
                        of: nodes.lowerBound)...pools[pool].layout.domain(
                        of: nodes.upperBound - 1)
                for domain in pools[pool].exclusiveDomains(layout, gang.form.exclusive) {
                    if piece < number { counted.insert(domain) } else { domains.insert(domain) }
                }
            }
        }
        var gpus = 0
        for domain in domains.subtracting(counted) {
            gpus += pools[pool].layout.nodeRange(domain).count * pools[pool].shape.gpus
        }
        return Cost.price(
            milli: gpus * 1000, microUSDPerGPUHour: gang.targets[trial.pieces[number].target].price)
    }

    /// The smallest tier that holds all that is laid out.
    private func tierOfTrial(_ gang: borrowing Gang) -> Tier {
        guard let first = trial.pieces.first else { return .node }
        let target = gang.targets[first.target]
        var tier = Tier.node
        for piece in trial.pieces {
            let other = gang.targets[piece.target]
            if other.pool != target.pool {
                tier = max(
                    tier,
                    other.region == target.region
                        ? .region : other.provider == target.provider ? .provider : .fleet)
            }
        }
        if tier > .pool { return tier }
        var (low, high) = (Int.max, 0)
        for run in trial.runs {
            low = min(low, run.nodes.lowerBound)
            high = max(high, run.nodes.upperBound - 1)
        }
        return pools[target.pool].tier(from: low, to: high)
    }
}

extension PoolPacker {
    /// The smallest tier that holds both nodes and all between.
    func tier(from first: Int, to last: Int) -> Tier {
        if first == last { return .node }
        let (low, high) = (layout.domain(of: first), layout.domain(of: last))
        if low == high { return .domain }
        return layout.block(of: low) == layout.block(of: high) ? .block : .pool
    }
}
