// Elastic gangs that take more workers: which may, when each is looked at, and by what rules. Where the workers come to stand:
// GrownPlace.swift. Follows from the jobs, the queue and the time.
//
// A gang grows in its pool, at most once in `resizeIntervalSeconds`, while nobody waits whom that pool could hold: what is idle
// now is not kept from those who come, for surplus workers are the first that a higher claim takes back.

import HeapModule
import Model
import Packing

struct Growth {
    private struct Turn: Comparable {
        let at: Timestamp
        let number: JobNumber

        static func < (left: Turn, right: Turn) -> Bool { (left.at, left.number) < (right.at, right.number) }
    }

    /// Gangs whose time to be looked at is yet to come; may hold some that have another time now, but not as the first.
    private var later = Heap<Turn>()
    private var laterCount = 0
    /// By pool, those whose time has come, by rising number.
    private var ready: [[JobNumber]] = []
    /// Pools in which something changed that may let one of them grow.
    private var fresh = IndexSet()
    /// Of one pool those that are yet to be looked at, the last first.
    private var waiting: [JobNumber] = []
    private var pool = 0
    /// Pools in which some were kept from growing by those who wait, or by quota.
    private var heldBack = IndexSet()

    /// Whether some are to be looked at.
    var isPending: Bool { !fresh.isEmpty || !waiting.isEmpty }

    var nextDue: Timestamp? { later.min?.at }

    /// The next to be looked at, and its pool.
    fileprivate mutating func next() -> (JobNumber, pool: Int)? {
        while waiting.isEmpty, let first = fresh.first(where: { _ in true }) {
            fresh.remove(first)
            pool = first
            waiting = ready[first].reversed()
        }
        return waiting.last.map { ($0, pool) }
    }

    fileprivate mutating func popNext() { waiting.removeLast() }

    fileprivate mutating func insert(_ number: JobNumber, at moment: Timestamp) {
        later.insert(Turn(at: moment, number: number))
        laterCount += 1
    }

    fileprivate mutating func remove(
        _ number: JobNumber, pool: Int, isSet: (_ number: JobNumber, _ at: Timestamp) -> Bool
    ) {
        if pool < ready.count, let at = ready[pool].firstIndex(of: number) {
            ready[pool].remove(at: at)
            return
        }
        laterCount -= 1
        while let first = later.min, !isSet(first.number, first.at) { later.removeMin() }
        if later.count > 2 * laterCount + 64 {
            later = Heap(Set(later.unordered.map { Entry($0) }).map(\.turn).filter { isSet($0.number, $0.at) }.sorted())
        }
    }

    private struct Entry: Hashable {
        let at: Timestamp
        let number: JobNumber

        init(_ turn: Turn) { (at, number) = (turn.at, turn.number) }

        var turn: Turn { Turn(at: at, number: number) }
    }

    /// The next whose time has come by `moment`; it is ready from then on.
    fileprivate mutating func popDue(by moment: Timestamp) -> (number: JobNumber, at: Timestamp)? {
        guard let first = later.min, first.at <= moment else { return nil }
        while later.min == first { later.removeMin() }
        return (first.number, first.at)
    }

    fileprivate mutating func makeReady(_ number: JobNumber, in pool: Int) {
        laterCount -= 1
        while ready.count <= pool { ready.append([]) }
        ready[pool].insert(number, at: ready[pool].firstIndex { $0 > number } ?? ready[pool].count)
        fresh.insert(pool)
    }

    mutating func touch(_ pool: Int) { if pool < ready.count && !ready[pool].isEmpty { fresh.insert(pool) } }

    mutating func touchAll() { for pool in ready.indices { touch(pool) } }

    /// Takes note that those who wait, or quotas, may keep nobody from growing any more.
    mutating func touchHeldBack() {
        for pool in heldBack { touch(pool) }
        heldBack.removeAll()
    }

    fileprivate mutating func holdBack(_ pool: Int) { heldBack.insert(pool) }

    /// After a restart of a settled state: nothing is to be looked at, and who kept whom from growing is not known.
    mutating func forgetTouched() {
        fresh.removeAll()
        waiting = []
        for pool in ready.indices where !ready[pool].isEmpty { heldBack.insert(pool) }
    }
}

extension State {
    /// When a gang may take more workers, and in which pool; nil for one that has all, or is what no gang that grows may be: split,
    /// exclusive, asked to leave, or in want of workers that it lost.
    fileprivate func growthTurn(of job: Job, intervalSeconds: Int) -> (at: Timestamp, pool: Int)? {
        guard intervalSeconds > 0, job.state == .placed || job.state == .running, job.life.eviction == nil,
            job.spec.exclusive == nil, job.spec.scope.required > .node, job.spec.workers.contains(where: \.isElastic),
            let placement = job.life.placement, let pool = placement.onlyPool, let placedAt = job.life.placedAt
        else { return nil }
        let speed = speedMilli(of: job, in: pool)
        let form = GangForm(job.spec, scope: job.spec.scope.required)
        let isBelow = placement.parts.enumerated().contains { at, part in
            let size = form.groups[part.group].segment?.size ?? 1
            return placement.workerCount(at) + size <= form.workers(part.group, speedMilli: speed).upperBound
        }
        if !isBelow { return nil }
        return ((job.life.resizedAt ?? placedAt).adding(seconds: intervalSeconds), pool.index)
    }

    /// By which the workers of a job are counted in a pool.
    func speedMilli(of job: Job, in pool: PoolSlot) -> Int {
        if !job.spec.scaleBySpeed { return 1000 }
        return job.spec.accelerators.preference(for: self[pool].spec.accelerator)?.speedMilli ?? 1000
    }
}

extension Engine {
    /// Nodes that one command looks at for growth; the rest is left to the next.
    static let growthNodesPerCommand = 65_536

    private func growthTurn(of job: Job) -> (at: Timestamp, pool: Int)? {
        state.growthTurn(of: job, intervalSeconds: settings.resizeIntervalSeconds)
    }

    /// Takes note of what a change of a job means for its growth. The state knows it already.
    mutating func noteGrowth(from before: Job?, to after: Job) {
        if !after.spec.workers.contains(where: \.isElastic) { return }
        let (old, new) = (before.flatMap { growthTurn(of: $0) }, growthTurn(of: after))
        if old?.at == new?.at && old?.pool == new?.pool { return }
        if let old {
            growth.remove(after.number, pool: old.pool) { [state, settings] number, at in
                let turn = state.jobs[number].flatMap {
                    state.growthTurn(of: $0, intervalSeconds: settings.resizeIntervalSeconds)
                }
                return turn?.at == at
            }
        }
        if let new { growth.insert(after.number, at: new.at) }
    }

    /// Takes note of the gangs whose time has come.
    mutating func noteGrowthDue() {
        while let (number, at) = growth.popDue(by: now) {
            guard let job = state.jobs[number], let turn = growthTurn(of: job), turn.at == at else { continue }
            growth.makeReady(number, in: turn.pool)
        }
    }

    /// Gives elastic gangs more workers where there is room that nobody else wants, pool by pool, the first job first. False where
    /// more is left than one command may do.
    mutating func growGangs(_ budget: inout PassBudget, at: Timestamp) -> Bool {
        if !growth.isPending { return true }
        bars.refresh(state, at: now)
        var looks = Self.growthNodesPerCommand
        var known: (pool: Int, isAwaited: Bool)?
        while let (number, pool) = growth.next() {
            if known?.pool != pool { known = (pool, isAwaited(pool)) }
            if known?.isAwaited ?? false {
                growth.holdBack(pool)
                growth.popNext()
                continue
            }
            if budget.isUsedUp || looks <= 0 { return false }
            growth.popNext()
            guard let job = state.jobs[number], let turn = growthTurn(of: job), turn.at <= now, turn.pool == pool,
                let placement = grown(job, &looks)
            else { continue }
            budget.notePlacement(placement.runs.count)
            emit(.jobGrown(number: number, placement: placement), at: at)
        }
        return true
    }

    /// Whether some job waits that the ready nodes of a pool could hold. Cost: the shapes that wait.
    private mutating func isAwaited(_ pool: Int) -> Bool {
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            let gang = gang(of: shape)
            guard let target = gang.targets.firstIndex(where: { $0.pool == pool }) else { continue }
            if fitsWhenReady(queue[shape].key, gang, target: target) { return true }
        }
        return false
    }

    /// Takes note that quota keeps a gang from growing.
    mutating func holdBackGrowth(in pool: Int) { growth.holdBack(pool) }

    /// What keeps a gang from going on in a larger place: it must be all that it has and more, by its own rules.
    func faultOfGrowth(_ number: JobNumber, _ placement: Placement) -> String? {
        if let fault = fault(of: number, .placed, .running) { return fault }
        guard let job = state.jobs[number], let old = job.life.placement else { return "a job grows nowhere" }
        if job.life.eviction != nil { return "job \(job.id) grows while it is asked to leave" }
        packer.give(old)
        defer { packer.take(old) }
        if let fault = fault(of: placement, for: job) { return fault }
        let isLarger =
            placement.parts.count == old.parts.count && placement.workerCount > old.workerCount
            && old.parts.indices.allSatisfy { at in
                let (part, before) = (placement.parts[at], old.parts[at])
                return part.pool == before.pool && part.group == before.group
                    && placement.runs[placement.runRange(at)].starts(with: old.runs[old.runRange(at)])
            }
        if !isLarger { return "job \(job.id) does not keep what it has as it grows" }
        for (at, part) in placement.parts.enumerated() {
            let states = state[part.pool].nodeStates
            for run in placement.runs[placement.runRange(at)].dropFirst(old.runRange(at).count) {
                if let node = run.nodes.first(where: { states[$0] != .ready }) { return "node \(node) accepts no work" }
            }
        }
        return nil
    }
}

extension Placement {
    /// The pool in which all of it is; nil where it is in several.
    var onlyPool: PoolSlot? {
        guard let pool = parts.first?.pool, parts.allSatisfy({ $0.pool == pool }) else { return nil }
        return pool
    }
}
