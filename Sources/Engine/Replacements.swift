// Where the workers come to stand that a gang lost: in the domain of the node that went, spare nodes first, then in its block, then
// in its pool, as far as the gang's scope lets them. The place of all others stays as it is, and each worker keeps its number.

public import Model
import Packing

/// Where workers of one part stand or stood: a node stands in one run only, and for shares a GPU does.
struct UsedPlaces {
    private let isShare: Bool
    private let spread: Spread
    private let layout: PoolLayout
    private var places = IndexSet()
    /// Workers that stand, by node and by domain, where there are bounds on them.
    private var onNodes: [Int: Int] = [:]
    private var inDomains: [Int: Int] = [:]

    init(_ need: WorkerNeed, _ spread: Spread, _ layout: PoolLayout) {
        isShare = need.isShare
        self.spread = spread
        self.layout = layout
    }

    /// Whether so many more workers on a node are still spread enough.
    func hasRoom(_ node: Int, for workers: Int) -> Bool {
        onNodes[node, default: 0] + workers <= spread.workersPerNode ?? .max
            && inDomains[layout.domain(ofNode: node), default: 0] + workers <= spread.workersPerDomain ?? .max
    }

    private mutating func count(_ run: NodeRun, _ sign: Int) {
        if spread == .none { return }
        for node in run.nodes {
            onNodes[node, default: 0] += sign * Int(run.workers)
            inDomains[layout.domain(ofNode: node), default: 0] += sign * Int(run.workers)
        }
    }

    private func place(_ node: Int, _ mask: UInt16) -> Int {
        isShare ? node * UInt16.bitWidth + mask.trailingZeroBitCount : node
    }

    mutating func insert(_ run: NodeRun, isLost: Bool = false) {
        for node in run.nodes { places.insert(place(node, run.gpuMask)) }
        if !isLost { count(run, 1) }
    }

    mutating func remove(_ run: NodeRun) {
        for node in run.nodes { places.remove(place(node, run.gpuMask)) }
        count(run, -1)
    }

    func contains(_ run: NodeRun) -> Bool { run.nodes.contains { places.contains(place($0, run.gpuMask)) } }

    func isClosed(_ node: Int) -> Bool { !isShare && places.contains(node) }

    /// GPUs of a node on which no other share of the part may stand.
    func closedGPUs(_ node: Int) -> UInt16 {
        guard isShare else { return 0 }
        var mask: UInt16 = 0
        for gpu in 0..<UInt16.bitWidth where places.contains(place(node, 1 << UInt16(gpu))) { mask |= 1 << UInt16(gpu) }
        return mask
    }
}

/// A gang's place while the lost workers are sought: what is left of it and what was found is taken in the packer.
private struct Replacing {
    /// The runs of each part, in the order of the workers.
    var runs: [[NodeRun]] = []
    /// What was taken on trial.
    var taken: [Placement] = []
}

extension Engine {
    /// The whole place of a gang with others for the workers that it lost, or nil where there is none now. Where its nodes came back
    /// it is the place that it has. Cost: the gang's runs, and for each node that went the nodes of its domain and block.
    mutating func repaired(_ job: Job, _ looks: inout Int) -> Placement? {
        guard let old = job.life.placement else { return nil }
        looks -= old.runs.count
        if state.lostWorkers(of: old) == 0 { return old }
        packer.give(old)
        var replacing = Replacing()
        var isWhole = true
        keepLiving(of: old, &replacing)
        for at in old.parts.indices where isWhole { isWhole = replace(at, of: old, for: job, &replacing, &looks) }
        for placement in replacing.taken { packer.give(placement) }
        let new = isWhole ? merged(old, replacing.runs) : nil
        let isLegal = new.map { fault(ofRules: $0, for: job.asRepaired) == nil && packer.canTake($0) } ?? false
        packer.take(old)
        return isLegal ? new : nil
    }

    /// What is left of an elastic gang, if it may go on so.
    func survivors(of job: Job) -> Placement? {
        guard let old = job.life.placement, job.spec.workers.contains(where: \.isElastic) else { return nil }
        let runs = old.parts.indices.map { at in
            pieces(at, of: old).filter { !$0.isLost }.map(\.run)
        }
        if runs.contains(where: \.isEmpty) { return nil }
        let rest = merged(old, runs)
        return faultOfForm(rest, job) == nil && fault(ofRules: rest, for: job.asRepaired) == nil ? rest : nil
    }

    /// The nodes of a repaired place that its gang did not have.
    func newSpans(_ placement: Placement, of job: Job) -> [NodeSpan] {
        guard let old = job.life.placement else { return [] }
        return spans(of: placement).flatMap { span in
            span.nodes.filter { !old.holds(node: $0, of: PoolSlot(span.pool)) }
                .map { NodeSpan(pool: span.pool, nodes: $0..<$0 + 1) }
        }
    }

    // MARK: One part

    /// A part's runs cut where nodes were lost, those one by one.
    private func pieces(_ at: Int, of placement: Placement) -> [(run: NodeRun, isLost: Bool)] {
        let states = state[placement.parts[at].pool].nodeStates
        var pieces: [(run: NodeRun, isLost: Bool)] = []
        for run in placement.runs[placement.runRange(at)] {
            var from: Int?
            func piece(_ nodes: Range<Int>) -> NodeRun {
                NodeRun(
                    node: UInt32(nodes.lowerBound), nodeCount: UInt16(nodes.count), gpuMask: run.gpuMask,
                    workers: run.workers)
            }
            for node in run.nodes {
                if !states[node].isDown {
                    from = from ?? node
                    continue
                }
                if let start = from { pieces.append((piece(start..<node), false)) }
                from = nil
                pieces.append((piece(node..<node + 1), true))
            }
            if let from { pieces.append((piece(from..<run.nodes.upperBound), false)) }
        }
        return pieces
    }

    /// Takes what is left of a place, open to others in its domains: the gang itself may stand there.
    private mutating func keepLiving(of old: Placement, _ replacing: inout Replacing) {
        for at in old.parts.indices {
            let living = pieces(at, of: old).filter { !$0.isLost }.map(\.run)
            take(living, of: old.parts[at], &replacing)
        }
    }

    private mutating func take(_ runs: [NodeRun], of part: PlacementPart, _ replacing: inout Replacing) {
        let placement = Self.trial(runs, of: part)
        packer.take(placement)
        replacing.taken.append(placement)
    }

    static func trial(_ runs: [NodeRun], of part: PlacementPart) -> Placement {
        var part = part
        part.group = 0
        part.runEnd = runs.count
        return Placement(tier: .pool, parts: [part], runs: runs)
    }

    /// Finds others for the workers of one part that were lost.
    private mutating func replace(
        _ at: Int, of old: Placement, for job: Job, _ replacing: inout Replacing, _ looks: inout Int
    ) -> Bool {
        let part = old.parts[at]
        let pieces = pieces(at, of: old)
        var used = UsedPlaces(part.need, job.spec.workers[part.group].spread, state[part.pool].layout)
        for piece in pieces { used.insert(piece.run, isLost: piece.isLost) }
        var runs: [NodeRun] = []
        for piece in pieces {
            if !piece.isLost {
                runs.append(piece.run)
                continue
            }
            // All workers of the node together if that can be, else one by one.
            let all = Int(piece.run.workers)
            var found: [NodeRun] = []
            for sizes in all > 1 ? [[all], Array(repeating: 1, count: all)] : [[1]] where found.isEmpty {
                found = others(sizes, for: piece.run, of: part, job, &used, &replacing, &looks) ?? []
            }
            if found.isEmpty { return false }
            runs += found
        }
        replacing.runs.append(runs)
        return true
    }

    /// Places for so many workers each; nil, and nothing taken, where one of them finds none.
    private mutating func others(
        _ sizes: [Int], for lost: NodeRun, of part: PlacementPart, _ job: Job, _ used: inout UsedPlaces,
        _ replacing: inout Replacing, _ looks: inout Int
    ) -> [NodeRun]? {
        var found: [NodeRun] = []
        for workers in sizes {
            guard let run = other(workers, for: lost, of: part, job, used, &looks) else {
                for run in found {
                    if let trial = replacing.taken.popLast() { packer.give(trial) }
                    used.remove(run)
                }
                return nil
            }
            take([run], of: part, &replacing)
            used.insert(run)
            found.append(run)
        }
        return found
    }

    private mutating func other(
        _ workers: Int, for lost: NodeRun, of part: PlacementPart, _ job: Job, _ used: UsedPlaces, _ looks: inout Int
    ) -> NodeRun? {
        let layout = state[part.pool].layout
        let scope = job.spec.scope.required
        var seen = 0..<0
        for tier in [Tier.domain, .block] where tier <= scope {
            let nodes = layout.nodes(ofPlace: tier, with: Int(lost.node))
            let rest = [
                nodes.lowerBound..<max(nodes.lowerBound, seen.lowerBound),
                min(nodes.upperBound, seen.upperBound)..<nodes.upperBound,
            ]
            for range in tier == .domain ? [nodes] : rest {
                let isFree = { [claims] (node: Int, _: Bool) in !claims.isPromised(node, of: part.pool) }
                if let run = tightest(workers, in: range, of: part, used, &looks, mayUse: isFree) { return run }
            }
            seen = nodes
        }
        return scope >= .pool ? elsewhere(workers, of: part, job, used) : nil
    }

    /// The node among some with room for so many workers: a spare one if there is, then the one with least room, then the first.
    mutating func tightest(
        _ workers: Int, in nodes: Range<Int>, of part: PlacementPart, _ used: UsedPlaces, _ looks: inout Int,
        mayUse: (_ node: Int, _ isOrdinary: Bool) -> Bool
    ) -> NodeRun? {
        let pool = state[part.pool]
        let spares = pool.spec.sparesPerDomain
        var best: (isOrdinary: Bool, free: Int, run: NodeRun)?
        looks -= nodes.count
        for node in nodes
        where pool.nodeStates[node] == .ready && !used.isClosed(node) && used.hasRoom(node, for: workers) {
            let free = packer.free(pool: part.pool.index, node: node)
            let closed = used.closedGPUs(node)
            guard let run = packer.run(workers, of: part.need, on: node, pool: part.pool.index, not: closed) else {
                continue
            }
            let domain = pool.layout.nodes(ofPlace: .domain, with: node)
            let isOrdinary = node < domain.upperBound - spares
            let room = free.gpuMask.nonzeroBitCount
            if let best, (best.isOrdinary ? 1 : 0, best.free) <= (isOrdinary ? 1 : 0, room) { continue }
            if !mayUse(node, isOrdinary) || !packer.canTake(Self.trial([run], of: part)) { continue }
            best = (isOrdinary, room, run)
        }
        return best?.run
    }

    /// A node anywhere in the pool, as the packer chooses it for a new gang.
    private mutating func elsewhere(
        _ workers: Int, of part: PlacementPart, _ job: Job, _ used: UsedPlaces
    ) -> NodeRun? {
        var key = ShapeKey(job.spec, asking: .node)
        key.form = GangForm(
            groups: [GangForm.Group(count: workers, demand: job.spec.workers[part.group].demand)], scope: .node,
            usesSpares: true)
        var placement = Placement.none
        guard packer.find(resolve(key), into: &placement, isHeld: { $0 != part.pool.index }),
            placement.runs.count == 1, !used.contains(placement.runs[0]),
            used.hasRoom(Int(placement.runs[0].node), for: workers)
        else { return nil }
        return placement.runs[0]
    }

    /// A place with other runs in its parts.
    private func merged(_ old: Placement, _ runs: [[NodeRun]]) -> Placement {
        var new = Placement(tier: old.tier, exclusive: old.exclusive, cost: old.cost)
        for (at, part) in old.parts.enumerated() {
            new.runs += runs[at]
            new.parts.append(PlacementPart(group: part.group, pool: part.pool, need: part.need, runEnd: new.runs.count))
        }
        new.tier = tier(of: new)
        if new.gpuMilli != old.gpuMilli { new.cost = old.cost.scaled(by: new.gpuMilli, over: old.gpuMilli) }
        return new
    }
}

extension Claims {
    /// Whether others were asked to leave a node for a job that waits.
    fileprivate func isPromised(_ node: Int, of slot: PoolSlot) -> Bool {
        count(node, of: slot.index) > 0
            && all.contains { $0.openUntil == nil && $0.overlaps(node..<node + 1, of: slot.index) }
    }
}

extension State {
    /// Workers of a place whose nodes are down.
    public func lostWorkers(of placement: Placement) -> Int {
        var lost = 0
        forEachLostNode(of: placement) { _, _, workers in lost += workers }
        return lost
    }

    /// The nodes of a place that are down, and how many workers each had of one group.
    public func forEachLostNode(of placement: Placement, _ body: (PoolSlot, _ node: Int, _ workers: Int) -> Void) {
        for (at, part) in placement.parts.enumerated() {
            let states = self[part.pool].nodeStates
            for run in placement.runs[placement.runRange(at)] {
                for node in run.nodes where states[node].isDown { body(part.pool, node, Int(run.workers)) }
            }
        }
    }
}
