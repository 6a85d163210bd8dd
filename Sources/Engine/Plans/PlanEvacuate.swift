// Where all that stands in some pools or domains would go were these emptied: the gangs of the highest priority first, each where it
// fits beside what stays and what went before it; others would wait, and why is told as for any job that waits.

public import Model
import Packing

/// What would become of a gang.
public enum EvacuationOutcome: Sendable {
    case moves(PlannedMove)
    /// It finds no place. Nil beyond the jobs that are listed.
    case waits(Explanation?)
    /// The search had given up before its turn came.
    case notTried
}

/// A gang with a worker on what is to be emptied.
public struct EvacuatedJob: Sendable {
    /// As it is now.
    public let job: Job
    public let lost: GPUTime
    /// What stopping it, and starting it elsewhere, adds to the bill.
    public let costMicroUSDPerHour: Int64
    public let outcome: EvacuationOutcome
}

/// How many gangs come to one outcome, and with what.
public struct EvacuationTotal: Hashable, Sendable {
    public private(set) var jobs = 0
    public private(set) var gpuMilli = 0
    public private(set) var lost = GPUTime.zero
    public private(set) var costMicroUSDPerHour: Int64 = 0

    fileprivate mutating func add(_ job: EvacuatedJob) {
        jobs += 1
        gpuMilli += job.job.life.placement?.gpuMilli ?? 0
        lost = lost + job.lost
        costMicroUSDPerHour &+= job.costMicroUSDPerHour
    }
}

public struct EvacuationPlan: Sendable {
    public let basis: PlanBasis
    /// What is emptied.
    public let nodes: Int
    public let gpus: Int
    /// In the order in which they would go, at most as many as were asked for.
    public let jobs: [EvacuatedJob]
    public let moving: EvacuationTotal
    public let waiting: EvacuationTotal
    public let notTried: EvacuationTotal
    /// Waiting jobs that want this place, by `QueuedTie.rawValue`, and as many of them as were asked for in order of arrival.
    public let queuedByTie: [Int]
    public let queued: [(job: Job, tie: QueuedTie)]
}

extension Planner {
    /// Cost: the search within its steps, and all waiting jobs. The trial stands as after all of it then.
    public mutating func evacuate(_ request: EvacuationRequest) -> EvacuationPlan {
        let emptied = EmptiedNodes(view, request)
        let leaving = view.jobs.all { $0.state.holdsCapacity && emptied.holdsAny(of: $0.life.placement) }
            .sorted { ($1.life.priority, $0.number) < ($0.life.priority, $1.number) }
        drain(emptied)
        var listed: [EvacuatedJob] = []
        var (moving, waiting, notTried) = (EvacuationTotal(), EvacuationTotal(), EvacuationTotal())
        for job in leaving {
            let evacuated = evacuate(job, mayExplain: listed.count < request.limit)
            switch evacuated.outcome {
            case .moves: moving.add(evacuated)
            case .waits: waiting.add(evacuated)
            case .notTried: notTried.add(evacuated)
            }
            if listed.count < request.limit { listed.append(evacuated) }
        }
        let queued = waitingJobs(tiedTo: emptied, limit: request.limit)
        return EvacuationPlan(
            basis: basis, nodes: emptied.count, gpus: emptied.gpus, jobs: listed, moving: moving, waiting: waiting,
            notTried: notTried, queuedByTie: queued.counts, queued: queued.listed)
    }

    /// Lets no more work come to nodes.
    private mutating func drain(_ emptied: EmptiedNodes) {
        for (pool, ranges) in emptied.ranges.enumerated() {
            for node in ranges.joined() where !engine.state.pools[pool].nodeStates[node].isDown {
                engine.state.setNode(node, of: PoolSlot(pool), to: .draining)
                engine.packer.setSchedulable(pool: pool, node: node, false)
            }
        }
    }

    /// Lifts a gang and seeks it another place, as if it came to the queue and its patience were over.
    private mutating func evacuate(_ job: Job, mayExplain: Bool) -> EvacuatedJob {
        let lost = job.timeLost(ifStoppedAt: engine.now)
        guard let old = job.life.placement, !hasGivenUp else {
            return EvacuatedJob(job: job, lost: .zero, costMicroUSDPerHour: 0, outcome: .notTried)
        }
        let lifted = lift(job)
        let released = engine.billReleased(by: old)
        if let new = placeAnew(lifted) {
            settle(lifted, in: new)
            let move = PlannedMove(
                job: job.number, from: old, to: new, lost: lost, costMicroUSDPerHour: new.cost.price - released)
            return EvacuatedJob(
                job: job, lost: lost, costMicroUSDPerHour: move.costMicroUSDPerHour, outcome: .moves(move))
        }
        var explanation: Explanation?
        if mayExplain {
            explanation = engine.explain(lifted)
            spend(engine.state.pools.count)
        }
        return EvacuatedJob(job: job, lost: lost, costMicroUSDPerHour: -released, outcome: .waits(explanation))
    }

    /// The place that a job would have that comes to the queue now.
    private mutating func placeAnew(_ job: Job) -> Placement? {
        let tenant = engine.tenant(of: job)
        var key = ShapeKey(job.spec, asking: job.spec.scope.required)
        let gang = gang(of: key)
        let closed = engine.closedPools(tenant, gang)
        if closed.isAll { return nil }
        guard let place = find(gang, closed: { closed.contains($0) }) else { return nil }
        if engine.bars.quotas.isEmpty || engine.isWithinQuota(place, of: tenant) { return place }
        // An elastic gang that takes more than its tenant may is content with its least.
        key.form.shrink()
        return find(self.gang(of: key), closed: { closed.contains($0) })
    }
}

/// The nodes that are to be emptied.
struct EmptiedNodes {
    /// By pool, in order and without overlap.
    private(set) var ranges: [[Range<Int>]]
    /// By pool: whether all of it is emptied.
    private(set) var isWhole: [Bool]
    private(set) var count = 0
    private(set) var gpus = 0

    init(_ state: State, _ request: EvacuationRequest) {
        ranges = Array(repeating: [], count: state.pools.count)
        isWhole = Array(repeating: false, count: state.pools.count)
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted && request.filter.admits(pool.spec) {
            let layout = pool.layout
            let chosen: [Int] = Set(request.domains.filter { $0.pool.index == index }.map(\.domain)).sorted()
            if request.domains.isEmpty {
                ranges[index] = [0..<layout.nodeCount]
            } else {
                ranges[index] = chosen.map { Int(layout.domainStart[$0])..<Int(layout.domainStart[$0 + 1]) }
            }
            let nodes = ranges[index].reduce(0) { $0 + $1.count }
            isWhole[index] = nodes == layout.nodeCount
            count += nodes
            gpus += nodes * pool.spec.node.gpus
        }
    }

    func holdsAny(of placement: Placement?) -> Bool {
        guard let placement else { return false }
        for (at, part) in placement.parts.enumerated() where !ranges[part.pool.index].isEmpty {
            for run in placement.runRange(at) where overlaps(placement.runs[run].nodes, of: part.pool.index) {
                return true
            }
        }
        return false
    }

    private func overlaps(_ nodes: Range<Int>, of pool: Int) -> Bool {
        let ranges = ranges[pool]
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= nodes.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound < nodes.upperBound
    }
}
