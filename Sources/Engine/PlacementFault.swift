// Why a job cannot stand where a fact says: each rule that its placement must obey, checked anew and exactly.
// Knows nothing of how a place is chosen; whatever chose it, this is what makes it one.

import Model
import Packing

extension Engine {
    /// What keeps `job` from holding `placement`, whatever state the nodes are in.
    func fault(of placement: Placement, for job: Job) -> String? {
        if let fault = faultOfForm(placement, job) { return fault }
        for part in placement.parts {
            if let fault = fault(of: part.pool) { return fault }
            if packer.need(of: job.spec.workers[part.group].demand, pool: part.pool.index) != part.need {
                return "a worker of job \(job.id) takes what it does not need"
            }
        }
        if let fault = fault(ofRules: placement, for: job) { return fault }
        return packer.canTake(placement) ? nil : "the place of job \(job.id) is not free"
    }

    /// What rule of a job a placement of its form breaks.
    func fault(ofRules placement: Placement, for job: Job) -> String? {
        faultOfCounts(placement, job) ?? faultOfDistance(placement, job)
    }

    /// What keeps `placement` from being one of `job`, wherever it is, even in a pool that is no more: parts by group and
    /// pool, each with runs of whole workers on nodes that exist.
    func faultOfForm(_ placement: Placement, _ job: Job) -> String? {
        var runEnd = 0
        var before: PlacementPart?
        for (at, part) in placement.parts.enumerated() {
            let isNext =
                before.map { part.group == $0.group ? $0.pool < part.pool : part.group == $0.group + 1 }
                ?? (part.group == 0)
            guard isNext, part.group < job.spec.workers.count, runEnd < part.runEnd,
                part.runEnd <= placement.runs.count
            else { return "job \(job.id) has parts that make no gang" }
            guard state.pools.indices.contains(part.pool.index) else {
                return "there is no pool at slot \(part.pool.index)"
            }
            guard part.need.isInBounds else { return "a worker of job \(job.id) is out of bounds" }
            let runs = placement.runs[placement.runRange(at)]
            let pool = state[part.pool]
            for run in runs {
                let end = run.nodes.upperBound
                if end > pool.layout.nodeCount {
                    return "job \(job.id) is on node \(end - 1), which is not in its pool"
                }
                if !run.hasWholeWorkers(of: part.need, gpusPerNode: pool.spec.node.gpus) {
                    return "job \(job.id) has part of a worker"
                }
            }
            if runs.hasOverlap(of: part.need) { return "job \(job.id) has a GPU twice" }
            runEnd = part.runEnd
            before = part
        }
        guard before?.group == job.spec.workers.count - 1, runEnd == placement.runs.count else {
            return "job \(job.id) has parts that make no gang"
        }
        if placement.exclusive != job.spec.exclusive { return "job \(job.id) is not as exclusive as it asked" }
        return placement.cost.isInBounds ? nil : "the cost of job \(job.id) is out of bounds"
    }

    /// Of each group as many workers as it asked for, in as many pools as it may use.
    private func faultOfCounts(_ placement: Placement, _ job: Job) -> String? {
        let form = GangForm(job.spec, scope: job.spec.scope.required)
        var pools = 0
        placement.forEachPool { _ in pools += 1 }
        if pools > form.split?.maxPools ?? 1 { return "job \(job.id) is split over \(pools) pools" }
        for group in form.groups.indices {
            var total = 0
            // In thousandths of a worker of speed 1000.
            var work = 0
            var most = 0
            let size = form.groups[group].segment?.size ?? 1
            let leastPerPool = ((form.split?.minWorkersPerPool ?? 1) + size - 1) / size * size
            for (at, part) in placement.parts.enumerated() where part.group == group {
                let workers = placement.workerCount(at)
                let accelerator = state[part.pool].spec.accelerator
                let speed = form.scaleBySpeed ? job.spec.accelerators.preference(for: accelerator)?.speedMilli : 1000
                guard let speed else { return "job \(job.id) does not say how fast a worker is on \(accelerator)" }
                let counts = form.workers(group, speedMilli: speed)
                // A group smaller than the least of a pool stands in one pool whole.
                if workers < min(leastPerPool, counts.lowerBound) { return "job \(job.id) has too little in one pool" }
                total += workers
                work += workers * speed
                most = max(most, counts.upperBound)
            }
            let count = form.groups[group].count
            if work < count * 1000 || total > most { return "job \(job.id) has \(total) of \(count) workers" }
        }
        return nil
    }

    /// Close enough as a whole, close enough in each segment, far enough apart, and off the spare nodes.
    private func faultOfDistance(_ placement: Placement, _ job: Job) -> String? {
        let tier = tier(of: placement)
        if placement.tier != tier || tier > job.spec.scope.required {
            return "job \(job.id) is spread over a \(tier.name)"
        }
        for (at, part) in placement.parts.enumerated() {
            let group = job.spec.workers[part.group]
            let runs = placement.runs[placement.runRange(at)]
            let pool = state[part.pool]
            func counts(_ tier: Tier) -> [Int] { runs.workersByPlace(tier, of: part.need, in: pool.layout) }
            if let segment = group.segment, !counts(segment.tier).allSatisfy({ $0 % segment.size == 0 }) {
                return "job \(job.id) has a segment in more than one \(segment.tier.name)"
            }
            if let most = group.spread.workersPerNode, counts(.node).contains(where: { $0 > most }) {
                return "job \(job.id) has more than \(most) workers in a node"
            }
            if let most = group.spread.workersPerDomain, counts(.domain).contains(where: { $0 > most }) {
                return "job \(job.id) has more than \(most) workers in a domain"
            }
            // Spare nodes are there for gangs that lost workers.
            if !job.spec.usesSpares && job.life.repairs == 0,
                let node = runs.firstSpare(pool.spec.sparesPerDomain, in: pool.layout)
            {
                return "job \(job.id) is on spare node \(node)"
            }
        }
        return nil
    }

    /// The smallest tier that holds all of a placement. Precondition: it has parts, and their pools exist.
    func tier(of placement: Placement) -> Tier {
        let first = places[placement.parts[0].pool.index]
        var tier = Tier.node
        for part in placement.parts where part.pool != placement.parts[0].pool {
            let other = places[part.pool.index]
            tier = max(
                tier, other.region == first.region ? .region : other.provider == first.provider ? .provider : .fleet)
        }
        if tier > .pool { return tier }
        let low = placement.runs.reduce(Int.max) { min($0, $1.nodes.lowerBound) }
        let high = placement.runs.reduce(0) { max($0, $1.nodes.upperBound - 1) }
        return state[placement.parts[0].pool].layout.tier(from: low, to: high)
    }

    func faultOfNodes(_ placement: Placement) -> String? {
        for (at, part) in placement.parts.enumerated() {
            let states = state[part.pool].nodeStates
            for run in placement.runRange(at) {
                if let node = placement.runs[run].nodes.first(where: { states[$0] != .ready }) {
                    return "node \(node) accepts no work"
                }
            }
        }
        return nil
    }
}

extension WorkerNeed {
    fileprivate var isInBounds: Bool {
        0...Bounds.gpusPerNode ~= gpus && 1...1000 ~= gpuMilli && (gpuMilli == 1000 || gpus == 1)
            && 0...Bounds.cpuMillisPerNode ~= cpuMillis && 0...Bounds.memoryMiBPerNode ~= memoryMiB
    }
}

extension PlacementCost {
    /// Whether the terms can be added. A place may leave less fragmentation than there was, so that term may be negative.
    fileprivate var isInBounds: Bool {
        let bounds = -Int64.max / 4...Int64.max / 4
        return min(price, topology) >= 0 && [price, fragmentation, topology].allSatisfy { bounds ~= $0 }
    }
}

extension NodeRun {
    /// Whether the GPUs of each node are those of its workers, none more and none less.
    fileprivate func hasWholeWorkers(of need: WorkerNeed, gpusPerNode: Int) -> Bool {
        if nodeCount == 0 || workers == 0 || Int(gpuMask) >> gpusPerNode != 0 { return false }
        let gpus = gpuMask.nonzeroBitCount
        if need.isShare { return gpus == 1 && Int(workers) * need.gpuMilli <= 1000 }
        return gpus == Int(workers) * need.gpus
    }
}

extension ArraySlice<NodeRun> {
    /// Whether two runs of one part have a node in common; shares of a node may stand in one run for each GPU.
    fileprivate func hasOverlap(of need: WorkerNeed) -> Bool {
        let keyed = map { (mask: need.isShare ? $0.gpuMask : 0, nodes: $0.nodes) }
        let ordered = keyed.sorted { ($0.mask, $0.nodes.lowerBound) < ($1.mask, $1.nodes.lowerBound) }
        return zip(ordered, ordered.dropFirst()).contains {
            $0.mask == $1.mask && $0.nodes.upperBound > $1.nodes.lowerBound
        }
    }

    /// The workers in each place of a tier up to the block that has any. Cost: the places, and the order of them.
    fileprivate func workersByPlace(_ tier: Tier, of need: WorkerNeed, in layout: PoolLayout) -> [Int] {
        // A node stands in one run only, but for shares.
        if tier == .node && !need.isShare { return map { Int($0.workers) } }
        var pieces: [(start: Int, workers: Int)] = []
        for run in self {
            var node = run.nodes.lowerBound
            while node < run.nodes.upperBound {
                let place = layout.nodes(ofPlace: tier, with: node)
                let end = Swift.min(place.upperBound, run.nodes.upperBound)
                pieces.append((place.lowerBound, (end - node) * Int(run.workers)))
                node = end
            }
        }
        pieces.sort { $0.start < $1.start }
        var counts: [Int] = []
        for (at, piece) in pieces.enumerated() {
            if at > 0 && pieces[at - 1].start == piece.start {
                counts[counts.count - 1] += piece.workers
            } else {
                counts.append(piece.workers)
            }
        }
        return counts
    }

    /// The first node that is among the last `spares` of its domain, or nil.
    fileprivate func firstSpare(_ spares: Int, in layout: PoolLayout) -> Int? {
        if spares == 0 { return nil }
        for run in self {
            var node = run.nodes.lowerBound
            while node < run.nodes.upperBound {
                let domain = layout.nodes(ofPlace: .domain, with: node)
                let spare = Swift.max(node, domain.upperBound - spares)
                if spare < Swift.min(domain.upperBound, run.nodes.upperBound) { return spare }
                node = domain.upperBound
            }
        }
        return nil
    }
}

extension PoolLayout {
    /// The nodes of the node, domain or block in which a node stands.
    func nodes(ofPlace tier: Tier, with node: Int) -> Range<Int> {
        if tier == .node { return node..<node + 1 }
        let domain = domain(ofNode: node)
        if tier == .domain { return Int(domainStart[domain])..<Int(domainStart[domain + 1]) }
        let block = block(ofDomain: domain)
        return Int(domainStart[Int(blockStart[block])])..<Int(domainStart[Int(blockStart[block + 1])])
    }

    /// The smallest tier that holds both nodes.
    fileprivate func tier(from first: Int, to last: Int) -> Tier {
        if first == last { return .node }
        let (firstDomain, lastDomain) = (domain(ofNode: first), domain(ofNode: last))
        if firstDomain == lastDomain { return .domain }
        return block(ofDomain: firstDomain) == block(ofDomain: lastDomain) ? .block : .pool
    }
}
