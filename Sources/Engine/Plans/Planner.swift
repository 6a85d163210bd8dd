// Makes plans on a trial: what is common to all of them. Used for one plan, beside the engine that serves, and thrown away.

public import Model
import Packing

/// A trial of one state, and what its search may still cost.
public struct Planner: ~Copyable {
    var engine: Engine
    private(set) var stepsLeft: Int
    private let steps: Int
    /// Gangs by what they ask for, for jobs often ask for the same.
    private var gangs: [ShapeKey: Gang] = [:]
    /// The state that plans are made for.
    let view: State

    /// What every plan says of itself.
    var basis: PlanBasis {
        PlanBasis(revision: view.revision, at: engine.now, steps: stepsTaken, maxSteps: steps)
    }

    /// At most so many as it may, though the last one may have gone beyond.
    public var stepsTaken: Int { steps - max(0, stepsLeft) }

    /// Cost: the nodes of the fleet, and all jobs.
    public init(
        _ view: State, settings: EngineSettings, at moment: Timestamp, steps: Int = Bounds.planSteps
    ) {
        self.view = view
        self.steps = steps
        stepsLeft = steps
        engine = Engine(tryingOn: view, settings: settings, at: moment)
    }

    var hasGivenUp: Bool { stepsLeft <= 0 }

    mutating func spend(_ steps: Int) { stepsLeft -= steps }

    /// What is free on the trial: see `Engine.capacityDigest`. For tests.
    public func capacityDigest() -> UInt64 { engine.capacityDigest() }

    /// The first disagreement inside the trial's indexes, or nil. For tests.
    public func firstFault() -> String? { engine.firstFault() }

    // MARK: Places

    /// Gangs that are kept resolved; each kind of worker among them has an index in every pool.
    private static let mostGangs = 256

    mutating func gang(of key: ShapeKey) -> Gang {
        if let gang = gangs[key], gang.generation == engine.packer.generation { return gang }
        if gangs.count >= Self.mostGangs {
            gangs.removeAll(keepingCapacity: true)
            engine.packer.trimIndexes(keeping: [], onReserved: false)
        }
        let gang = engine.resolve(key)
        for target in gang.targets { spend(1 + engine.state.pools[target.pool].layout.nodeCount >> 6) }
        gangs[key] = gang
        return gang
    }

    /// A place for a gang in pools that are not closed, if there is one on nodes that nobody keeps.
    mutating func find(_ gang: Gang, closed: (_ pool: Int) -> Bool) -> Placement? {
        var placement = Placement.none
        let workBefore = engine.packer.layoutWork
        let isFound = engine.packer.find(gang, into: &placement, isHeld: closed)
        spend(engine.packer.steps(ofFind: gang, since: workBefore))
        return isFound ? placement : nil
    }

    mutating func lift(_ job: Job) -> Job {
        spend(1 + (job.life.placement?.runs.count ?? 0))
        return engine.lift(job)
    }

    mutating func settle(_ lifted: Job, in placement: Placement) {
        spend(1 + placement.runs.count)
        _ = engine.settle(lifted, in: placement)
    }

    /// Puts a job that was lifted, and perhaps settled elsewhere, back where it was.
    mutating func restore(_ job: Job) {
        guard var now = engine.state.jobs[job.number] else { return }
        if now.state.holdsCapacity { now = lift(now) }
        spend(1 + (job.life.placement?.runs.count ?? 0))
        engine.settle(now, as: job)
    }

    /// A job as it is on the trial.
    func job(_ number: JobNumber) -> Job {
        guard let job = engine.state.jobs[number] else { preconditionFailure("a planned job is not there") }
        return job
    }
}

/// On what a plan rests, and what finding it cost.
public struct PlanBasis: Hashable, Sendable {
    /// The plan is for the state of this revision.
    public let revision: UInt64
    public let at: Timestamp
    /// Steps of the search, and where it gives up.
    public let steps: Int
    public let maxSteps: Int
}

// MARK: - Moves of gangs that go on

extension Planner {
    /// What a gang asks for that goes on elsewhere: as many workers as it has, in no larger a tier.
    func keyOfMove(_ job: Job, from placement: Placement) -> ShapeKey {
        var key = ShapeKey(job.spec, asking: min(job.spec.scope.required, placement.tier))
        for at in key.form.groups.indices where job.spec.workers[at].isElastic {
            let count = workers(of: at, job, placement)
            key.form.groups[at].count = count
            key.form.groups[at].maxCount = count
        }
        return key
    }

    /// The workers that a group has, at the speed by which it is counted.
    private func workers(of group: Int, _ job: Job, _ placement: Placement) -> Int {
        let asked = job.spec.workers[group]
        var milli = 0
        for (at, part) in placement.parts.enumerated() where part.group == group {
            let model = view[part.pool].spec.accelerator
            let speed = job.spec.scaleBySpeed ? job.spec.accelerators.preference(for: model)?.speedMilli : nil
            milli += placement.workerCount(at) * (speed ?? 1000)
        }
        let size = asked.segment?.size ?? 1
        return max(asked.count, min(asked.maxCount, milli / 1000 / size * size))
    }

    /// Where a lifted gang may go on: no less well than where it stood, in pools of `isOpen`, at no more than its tenant's quota or
    /// than it took before.
    mutating func newPlace(of lifted: Job, from old: Placement, isOpen: (_ pool: Int) -> Bool) -> Placement? {
        let tenant = engine.tenant(of: lifted)
        let gang = gang(of: keyOfMove(lifted, from: old))
        let worstRank = old.parts.reduce(0) { max($0, rank(of: $1.pool.index, for: lifted)) }
        var closed = [Bool](repeating: true, count: view.pools.count)
        for target in gang.targets where target.rank <= worstRank && isOpen(target.pool) {
            closed[target.pool] = engine.bars.hasRules && engine.placeBar(tenant, pool: target.pool) != nil
        }
        guard let new = find(gang, closed: { closed[$0] }), !isWorse(new, than: old),
            // Scaled by speed a gang as large as it may be can come out larger on another accelerator.
            !lifted.spec.scaleBySpeed || engine.fault(of: new, for: lifted) == nil,
            engine.bars.quotas.isEmpty || isWithinQuota(new, instead: old, of: tenant)
        else { return nil }
        return new
    }

    private func rank(of pool: Int, for job: Job) -> Int {
        job.spec.accelerators.preference(for: view.pools[pool].spec.accelerator)?.rank ?? .max
    }

    /// Nothing that runs is taken back for a quota that became smaller, so what takes no more of any than before may go on.
    private func isWithinQuota(_ new: Placement, instead old: Placement, of tenant: TenantSlot) -> Bool {
        if engine.isWithinQuota(new, of: tenant) { return true }
        func amounts(_ placement: Placement) -> [Int128] {
            let parts = engine.state.usage(of: placement)
            return engine.bars.quotas.accelerators.map { number in
                parts.reduce(0) {
                    $0 + (number < 0 ? $1.usage.price : number == $1.accelerator ? Int128($1.usage.gpuMilli) : 0)
                }
            }
        }
        return zip(amounts(new), amounts(old)).allSatisfy { $0 <= $1 }
    }

    /// Whether a place is spread wider than another: over a larger tier, or over more places of any.
    func isWorse(_ new: Placement, than old: Placement) -> Bool {
        if new.tier > old.tier { return true }
        return zip(reach(of: new), reach(of: old)).contains { $0 > $1 }
    }

    /// How many pools, blocks, domains and nodes a gang stands in.
    private func reach(of placement: Placement) -> [Int] {
        var (pools, blocks, domains, nodes) = (0, 0, 0, 0)
        var last = (pool: -1, block: -1, domain: -1)
        for span in engine.spans(of: placement) {
            let layout = view.pools[span.pool].layout
            if span.pool != last.pool {
                pools += 1
                last = (span.pool, -1, -1)
            }
            let ends = (layout.domain(ofNode: span.nodes.lowerBound), layout.domain(ofNode: span.nodes.upperBound - 1))
            let blockEnds = (layout.block(ofDomain: ends.0), layout.block(ofDomain: ends.1))
            domains += ends.1 - max(ends.0, last.domain + 1) + 1
            blocks += blockEnds.1 - max(blockEnds.0, last.block + 1) + 1
            nodes += span.nodes.count
            last = (span.pool, blockEnds.1, ends.1)
        }
        return [pools, blocks, domains, nodes]
    }
}
