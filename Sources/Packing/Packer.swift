// The bin-packing core: free capacity of all pools, and where a gang goes among them.
// Owns no job names, clock, price or JSON. Pools are numbered by whoever uses it; preference comes as ranks.

public import Model

/// A pool that may hold a gang, with what a worker takes there. Lower ranks are tried first.
public struct Target: Sendable {
    public let pool: Int
    public let rank: Int
    public let need: WorkerNeed
    let id: NeedID
}

/// A gang ready to be placed: how many workers, how far apart, and the pools that may hold it in order of preference.
/// Made by `Packer.gang`; outdated once a pool it names changes (`Packer.generation`).
public struct Gang: Sendable {
    public var workers: Int
    public let scope: Scope
    /// By rising rank, then pool.
    public fileprivate(set) var targets: [Target]
    /// The packer's generation when the targets were resolved.
    public fileprivate(set) var generation: UInt64
}

public struct Packer: ~Copyable {
    private var pools: [PoolPacker?] = []
    /// Counts changes of pools and indexes that outdate a `Gang`.
    public private(set) var generation: UInt64 = 1
    private var uses: UInt64 = 0
    /// How many indexes a pool keeps that nobody claims.
    private let idleIndexesPerPool: Int

    public init(idleIndexesPerPool: Int = 16) { self.idleIndexesPerPool = idleIndexesPerPool }

    // MARK: Pools

    /// Puts an empty pool at `index`, or grows the one there, whose nodes must be the first of `layout`.
    public mutating func put(pool index: Int, layout: PoolLayout, shape: NodeShape) {
        while pools.count <= index { pools.append(nil) }
        pools[index] =
            pools[index].map { PoolPacker(growing: $0, tree: layout) } ?? PoolPacker(tree: layout, shape: shape)
        generation += 1
    }

    public mutating func remove(pool index: Int) {
        pools[index] = nil
        generation += 1
    }

    public func setSchedulable(pool: Int, node: Int, _ isSchedulable: Bool) {
        self[pool].setSchedulable(node, isSchedulable)
    }

    @inline(__always)
    private subscript(pool: Int) -> PoolPacker {
        guard let pool = pools[pool] else { preconditionFailure("no pool has this number") }
        return pool
    }

    // MARK: Gangs

    /// What a worker of `demand` takes in a pool, or nil where no node can ever hold it.
    public func need(of demand: Demand, pool: Int) -> WorkerNeed? { self[pool].need(of: demand) }

    /// The most workers of `need` that one empty place of each scope could hold.
    public func mostWhenEmpty(_ need: WorkerNeed, pool: Int, scope: Scope) -> Int {
        let pool = self[pool]
        let perNode = pool.perNode(need)
        switch scope {
        case .node: return perNode
        case .domain: return perNode * pool.layout.largestDomain
        case .block:
            var largest = 0
            for block in 0..<pool.layout.blocks {
                let domains = pool.layout.domainRange(block)
                let nodes =
                    pool.layout.tree.domainStart[domains.upperBound] - pool.layout.tree.domainStart[domains.lowerBound]
                largest = max(largest, Int(nodes))
            }
            return perNode * largest
        case .pool: return perNode * pool.layout.nodes
        }
    }

    /// Resolves a gang over pools given by rising rank. Makes indexes where a need is new.
    /// Each pool is a (number, rank) pair whose nodes can hold a worker of `demand`; others are left out.
    public mutating func gang(
        workers: Int, demand: Demand, scope: Scope, pools candidates: [(pool: Int, rank: Int)]
    ) -> Gang {
        var targets: [Target] = []
        targets.reserveCapacity(candidates.count)
        for (number, rank) in candidates {
            let pool = self[number]
            guard let need = pool.need(of: demand) else { continue }
            let id = pool.index(for: need)
            targets.append(Target(pool: number, rank: rank, need: need, id: id))
        }
        targets.sort { ($0.rank, $0.pool) < ($1.rank, $1.pool) }
        return Gang(workers: workers, scope: scope, targets: targets, generation: generation)
    }

    /// Lets go of indexes beyond the idle limit that no gang of `claimed` uses. Outdates other gangs when it does.
    public mutating func trimIndexes(claimed: (_ pool: Int, _ need: WorkerNeed) -> Bool) {
        for (number, pool) in pools.enumerated() {
            guard let pool, pool.liveIndexes > idleIndexesPerPool else { continue }
            while pool.liveIndexes > idleIndexesPerPool {
                guard pool.dropOneIndex(unless: { claimed(number, pool[$0].need) }) != nil else { break }
                generation += 1
            }
        }
    }

    // MARK: Decisions

    /// The place for a gang: the lowest rank that holds it, in it the tightest fit, then the lowest pool.
    /// False where it fits nowhere now. Pools for which `isHeld` says yes are passed over.
    /// `placement` is written over and its storage reused; nothing is taken yet.
    public mutating func find(
        _ gang: borrowing Gang, into placement: inout Placement, isHeld: (_ pool: Int) -> Bool = { _ in false }
    ) -> Bool {
        precondition(gang.generation == generation, "the gang is older than the pools")
        var best: (fit: Fit, at: Int)?
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            if let best, gang.targets[best.at].rank != target.rank { break }
            if isHeld(target.pool) { continue }
            guard let fit = self[target.pool].fit(target.id, workers: gang.workers, scope: gang.scope) else { continue }
            if best.map({ fit < $0.fit }) ?? true { best = (fit, at) }
        }
        guard let best else { return false }
        let target = gang.targets[best.at]
        let pool = self[target.pool]
        uses += 1
        pool[target.id].lastUse = uses
        placement.pool = PoolSlot(target.pool)
        placement.tier = best.fit.tier
        placement.gpusPerWorker = UInt16(target.need.gpus)
        placement.cpuMillisPerWorker = UInt32(target.need.cpuMillis)
        placement.memoryMiBPerWorker = UInt32(target.need.memoryMiB)
        placement.runs.removeAll(keepingCapacity: true)
        pool.choose(target.id, workers: gang.workers, tier: best.fit.tier, into: &placement.runs)
        return true
    }

    /// Whether `gang` fits the pool of one of its targets now: exact, and a few words.
    public func fits(_ gang: borrowing Gang, target: Int) -> Bool {
        let target = gang.targets[target]
        return self[target.pool][target.id].largestFit(gang.scope) >= gang.workers
    }

    /// The most workers that one place of the gang's scope could take now in the pool of one of its targets.
    public func largestFit(_ gang: borrowing Gang, target: Int) -> Int {
        let target = gang.targets[target]
        return self[target.pool][target.id].largestFit(gang.scope)
    }

    public func take(_ placement: Placement) { self[placement.pool.index].take(placement) }

    public func give(_ placement: Placement) { self[placement.pool.index].give(placement) }

    // MARK: Readings

    /// GPUs of a pool that no gang holds, and those of them on nodes that accept new work.
    public func freeGPUs(pool: Int) -> (all: Int, schedulable: Int) {
        (self[pool].gpusFree, self[pool].gpusSchedulable)
    }

    /// Free GPUs of one node, as a mask, with free CPU and memory.
    public func free(pool: Int, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        let columns = self[pool]
        return (
            columns.columns.freeGPUs[node], Int(columns.columns.freeCPUMillis[node]),
            Int(columns.columns.freeMemoryMiB[node])
        )
    }

    /// How many gangs of `workers` fit at once in one pool, each within one place of `scope`. Exact: workers of one
    /// need stand in no one's way but by their number, so each place holds its fit over the gang's size.
    /// Makes an index where the need is new.
    public func gangsThatFit(workers: Int, need: WorkerNeed, pool number: Int, scope: Scope) -> Int {
        let pool = self[number]
        if pool.perNode(need) == 0 { return 0 }
        let index = pool[pool.index(for: need)]
        var count = 0
        switch scope {
        case .node:
            for fit in 1...index.perNode where fit >= workers {
                count += index.poolNodes(withFit: fit) * (fit / workers)
            }
        case .domain:
            var fit = index.fits.first(row: 0, from: workers)
            while let size = fit {
                count += Int(index.domainsWithFit[size]) * (size / workers)
                fit = index.fits.first(row: 0, from: size + 1)
            }
        case .block:
            for block in 0..<index.blockFit.count { count += Int(index.blockFit[block]) / workers }
        case .pool: count = index.total / workers
        }
        return count
    }
}

extension Packer {
    var poolCount: Int { pools.count }

    func withPool<Result>(_ number: Int, _ body: (PoolPacker) -> Result?) -> Result? { pools[number].flatMap(body) }
}
