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
        let key: QueueKey
    }

    fileprivate(set) var all: [Hold] = []
    /// The revision of the state in which these were found.
    fileprivate var revision: UInt64?
    /// No job has waited long enough for a hold while fewer placements were made; 0 to look in any case.
    fileprivate var nextCheck: UInt64 = 0

    var isEmpty: Bool { all.isEmpty }

    func holder(of pool: Int) -> QueueKey? { all.first { $0.pool == pool }?.key }

    func keeps(_ key: QueueKey, from pool: Int) -> Bool { holder(of: pool).map { $0 < key } ?? false }
}

extension Engine {
    /// Most pools held at a time.
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
        while holds.all.count < Self.mostHolds, let candidate = overdue.popMin() {
            if let pool = nearestPool(to: candidate.shape) {
                holds.all.append(Holds.Hold(pool: pool, key: candidate.key))
            }
        }
        // A pool that is held no longer, or for a later job, is open again to some that it was held against.
        for hold in before where holds.holder(of: hold.pool).map({ hold.key < $0 }) ?? true { grown.insert(hold.pool) }
    }

    /// First jobs of shapes that have waited through so many placements.
    private mutating func overdueHeads() -> Heap<Candidate> {
        var overdue: [Candidate] = []
        var next = UInt64.max
        for (shape, first) in queue.firsts.enumerated() {
            guard let first else { continue }
            let due = due(first)
            if due <= state.placements { overdue.append(Candidate(key: first.key, shape: shape)) }
            next = min(next, max(due, state.placements + 1))
        }
        holds.nextCheck = next
        return Heap(overdue)
    }

    /// The pool not held yet that has most room for the shape, of those whose ready nodes could hold it were they idle:
    /// a pool held for a job that no release can help would stand still for nothing.
    private mutating func nearestPool(to shape: ShapeIndex) -> Int? {
        let gang = gang(of: shape)
        var nearest: (room: Int, pool: Int)?
        for at in gang.targets.indices {
            let target = gang.targets[at]
            if holds.holder(of: target.pool) != nil { continue }
            if packer.mostWhenEmpty(target.need, pool: target.pool, scope: gang.scope) < gang.workers { continue }
            if mostWhenIdle(target.need, pool: target.pool, scope: gang.scope) < gang.workers { continue }
            let room = packer.largestFit(gang, target: at)
            if nearest.map({ room > $0.room }) ?? true { nearest = (room, target.pool) }
        }
        return nearest?.pool
    }

    /// The count of placements after which the job is overdue.
    private func due(_ first: First) -> UInt64 { first.queuedAtPlacement + UInt64(settings.placementsBeforeHold) }

    /// Takes note that a shape may have another first job than before.
    mutating func noteFirst(of shape: ShapeIndex) {
        queue.refreshFirst(shape) { [jobs = state.jobs] key in
            jobs[key.number].flatMap { $0.state == .queued ? $0 : nil }
        }
        if let first = queue.firsts[shape] { holds.nextCheck = min(holds.nextCheck, due(first)) }
    }

    /// Takes note that pools or nodes changed, and with them which holds make sense.
    mutating func noteSupply() { holds.nextCheck = 0 }
}

/// The most ready nodes that one place of each tier has, counted when first asked for after a change of the pool.
struct ReadyNodes {
    let revision: UInt64
    private(set) var domain = 0
    private(set) var block = 0
    private(set) var pool = 0

    init(_ record: PoolRecord) {
        revision = record.revision
        let layout = record.layout
        for blockIndex in 0..<layout.blockCount {
            var inBlock = 0
            for domainIndex in Int(layout.blockStart[blockIndex])..<Int(layout.blockStart[blockIndex + 1]) {
                let nodes = Int(layout.domainStart[domainIndex])..<Int(layout.domainStart[domainIndex + 1])
                let inDomain = record.nodeStates[nodes].count { $0 == .ready }
                domain = Swift.max(domain, inDomain)
                inBlock += inDomain
            }
            block = Swift.max(block, inBlock)
            pool += inBlock
        }
    }

    func most(_ scope: Scope) -> Int {
        switch scope {
        case .node: min(pool, 1)
        case .domain: domain
        case .block: block
        case .pool: pool
        }
    }
}

extension Engine {
    /// The most workers of `need` that one place of `scope` could hold on the nodes that are ready now, were none taken.
    mutating func mostWhenIdle(_ need: WorkerNeed, pool: Int, scope: Scope) -> Int {
        while readyNodes.count <= pool { readyNodes.append(nil) }
        if readyNodes[pool]?.revision != state.pools[pool].revision {
            readyNodes[pool] = ReadyNodes(state.pools[pool])
        }
        let nodes = readyNodes[pool]?.most(scope) ?? 0
        return nodes * packer.mostWhenEmpty(need, pool: pool, scope: .node)
    }
}
