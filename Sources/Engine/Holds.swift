// Bounded waiting: whom a pool is held for, once so many placements went past a job that waits.
// Depends on nothing but the state; what is remembered here only saves looking again.

import HeapModule
import Model
import Packing

/// Pools held for jobs that were passed over too often, so that jobs behind them cannot starve them.
struct Holds {
    /// A job behind `key` may not use `pool`.
    struct Hold: Equatable {
        let pool: Int
        let key: ArrivalKey
    }

    fileprivate(set) var all: [Hold] = []
    /// The revision of the state in which these were found.
    fileprivate var revision: UInt64?
    /// No job has waited long enough for a hold while fewer placements were made; 0 to look in any case.
    fileprivate var nextCheck: UInt64 = 0

    var isEmpty: Bool { all.isEmpty }

    /// Takes note that the queue changed without a fact.
    mutating func outdate() { revision = nil }

    func holder(of pool: Int) -> ArrivalKey? { all.first { $0.pool == pool }?.key }

    func keeps(_ key: ArrivalKey, from pool: Int) -> Bool { holder(of: pool).map { $0 < key } ?? false }
}

extension Engine {
    /// No further pool is held once so many are; one job may hold several.
    static let mostHolds = 8

    /// Finds the first waiting jobs that were passed over too often and holds for each the pool nearest to fitting it.
    /// Cost: nothing while no job waits so long, else the shapes that wait.
    mutating func refreshHolds() {
        if holds.revision == state.revision { return }
        holds.revision = state.revision
        if holds.isEmpty && state.placements < holds.nextCheck { return }
        let before = holds.all
        holds.all.removeAll(keepingCapacity: true)
        var overdue = overdueHeads()
        // Heads that find no pool cost as much as those that do.
        var tries = 4 * Self.mostHolds
        while tries > 0, holds.all.count < Self.mostHolds, let attempt = overdue.popMin() {
            guard let first = queue.earliest[attempt.shape] else { continue }
            if barIfClosed(first, of: attempt.shape) {
                if let next = overdueHead(of: attempt.shape) { overdue.insert(next) }
                continue
            }
            tries -= 1
            for pool in nearestPools(to: attempt.shape, of: first.tenant) {
                holds.all.append(Holds.Hold(pool: pool, key: first.key))
            }
        }
        // A pool that is held no longer, or for a later job, is open again to some that it was held against.
        for hold in before where holds.holder(of: hold.pool).map({ hold.key < $0 }) ?? true { grown.insert(hold.pool) }
    }

    private struct Overdue: Comparable {
        let key: ArrivalKey
        let shape: ShapeIndex

        static func < (left: Overdue, right: Overdue) -> Bool { left.key < right.key }
    }

    /// First jobs of shapes, by arrival, that have waited through so many placements.
    private mutating func overdueHeads() -> Heap<Overdue> {
        holds.nextCheck = .max
        return Heap(queue.earliest.indices.compactMap { overdueHead(of: $0) })
    }

    /// The first job of a shape by arrival whose tenant is not barred, if it is overdue. Whether the tenant of one that is
    /// overdue is barred is left to see.
    private mutating func overdueHead(of shape: ShapeIndex) -> Overdue? {
        // Who waits for a better place does not keep others from it meanwhile.
        if queue.shapes[shape]?.isPatient ?? true { return nil }
        while let first = queue.earliest[shape] {
            let due = due(first)
            if due <= state.placements {
                holds.nextCheck = min(holds.nextCheck, state.placements + 1)
                return Overdue(key: first.key, shape: shape)
            }
            if barIfClosed(first, of: shape) { continue }
            holds.nextCheck = min(holds.nextCheck, due)
            return nil
        }
        return nil
    }

    /// Bars the line of a job where its tenant may have no more, which may not have been found yet.
    private mutating func barIfClosed(_ first: Earliest, of shape: ShapeIndex) -> Bool {
        guard bars.hasRules, closedPools(first.tenant, gang(of: shape)).isAll,
            let line = queue.line(shape, first.tenant, first.key.priority)
        else { return false }
        barLine(line, of: shape)
        return true
    }

    /// Whether all pools of a gang that are not closed to it are held for jobs before one.
    func areHeld(_ gang: Gang, besides closed: ClosedPools, against key: ArrivalKey) -> Bool {
        if holds.isEmpty || gang.isEmpty { return false }
        return gang.targets.allSatisfy { closed.contains($0.pool) || holds.keeps(key, from: $0.pool) }
    }

    /// Passes over all lines of a shape whose pools are held for jobs before them, until it is tried again. Cost: the lines that are
    /// not barred.
    mutating func missHeldLines(of shape: ShapeIndex) {
        let gang = gang(of: shape)
        for line in queue.unbarred[shape].all where queue.lines[shape][line].pass == .none {
            let closed = closedPools(queue.lines[shape][line].tenant, gang)
            if !closed.isAll && areHeld(gang, besides: closed, against: queue.lines[shape][line].arrival) {
                queue.miss(line, of: shape, all: false)
            }
        }
        watchers.watch(shape, gang)
    }

    /// The count of placements after which a job is overdue.
    private func due(_ first: Earliest) -> UInt64 { first.queuedAtPlacement + UInt64(settings.placementsBeforeHold) }

    /// Takes note that a shape may have another first job than before.
    mutating func noteEarliest(of shape: ShapeIndex) {
        if let first = queue.earliest[shape] { holds.nextCheck = min(holds.nextCheck, due(first)) }
    }

    /// The pools not held yet that have most room for the shape, as many as it takes: one, or several for a gang that may
    /// be split. Only pools whose ready nodes could hold it were they idle: one held for a job that no release can help
    /// would stand still for nothing.
    private mutating func nearestPools(to shape: ShapeIndex, of tenant: TenantSlot) -> [Int] {
        let gang = gang(of: shape)
        let key = queue[shape].key
        var found: [(room: Int, target: Int)] = []
        let closed = closedPools(tenant, gang)
        for at in gang.targets.indices
        where holds.holder(of: gang.targets[at].pool) == nil && !closed.contains(gang.targets[at].pool) {
            if fitsWhenEmpty(key, gang, target: at) && couldHold(key, gang, target: at, ready: true) {
                // Of a gang that may be split the pools are chosen by what they hold when empty: by what is free now, two might be
                // chosen that together never hold it.
                let room =
                    gang.form.split == nil
                    ? packer.largestFit(gang, target: at) : packer.mostWhenEmpty(gang, target: at, group: gang.lead)
                found.append((room, at))
            }
        }
        found.sort { ($1.room, $0.target) < ($0.room, $1.target) }
        guard let first = found.first else { return [] }
        guard let split = gang.form.split else { return [gang.targets[first.target].pool] }
        var pools: [Int] = []
        var room = 0
        for (_, at) in found where pools.count < split.maxPools {
            let pool = gang.targets[at].pool
            guard areTogether(pool, gang.targets[first.target].pool, in: gang.form.scope) else { continue }
            pools.append(pool)
            room += packer.mostWhenEmpty(gang, target: at, group: gang.lead)
            if room >= leastWorkers(key, gang.lead, pool: pool) { return pools }
        }
        return []
    }

    /// Whether every group alone would fit one empty place of the scope in a target, all its nodes ready.
    private func fitsWhenEmpty(_ key: ShapeKey, _ gang: Gang, target: Int) -> Bool {
        if gang.form.split != nil {
            return packer.mostWhenEmpty(gang, target: target, group: gang.lead) >= gang.targets[target].workers
        }
        return gang.form.groups.indices.allSatisfy {
            packer.mostWhenEmpty(gang, target: target, group: $0)
                >= leastWorkers(key, $0, pool: gang.targets[target].pool)
        }
    }

    /// Whether two pools lie in one place of a tier.
    private func areTogether(_ pool: Int, _ other: Int, in scope: Tier) -> Bool {
        switch scope {
        case .node, .domain, .block, .pool: pool == other
        case .region: places[pool].region == places[other].region
        case .provider: places[pool].provider == places[other].provider
        case .fleet: true
        }
    }

    /// Takes note that pools or nodes changed, and with them which holds make sense.
    mutating func noteSupply() { holds.nextCheck = 0 }
}
