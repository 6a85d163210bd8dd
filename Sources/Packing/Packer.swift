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
    private(set) var pools = Slots<PoolPacker>()
    /// Counts changes of pools and indexes that outdate a `Gang`.
    public private(set) var generation: UInt64 = 1
    private var uses: UInt64 = 0
    /// How many indexes a pool keeps that nobody claims.
    private let idleIndexesPerPool: Int

    public init(idleIndexesPerPool: Int = 16) { self.idleIndexesPerPool = idleIndexesPerPool }

    // MARK: Pools

    /// Puts an empty pool at `index`, or grows the one there, whose nodes must be the first of `layout`.
    public mutating func put(pool index: Int, layout: PoolLayout, shape: NodeShape) {
        if pools.isFilled(index) {
            pools.put(PoolPacker(growing: pools[index], tree: layout, shape: shape), at: index)
        } else {
            pools.put(PoolPacker(tree: layout, shape: shape), at: index)
        }
        generation += 1
    }

    public mutating func remove(pool index: Int) {
        pools.remove(at: index)
        generation += 1
    }

    public func setSchedulable(pool: Int, node: Int, _ isSchedulable: Bool) {
        pools[pool].setSchedulable(node, isSchedulable)
    }

    // MARK: Gangs

    /// What a worker of `demand` takes in a pool, or nil where no node can ever hold it.
    public func need(of demand: Demand, pool: Int) -> WorkerNeed? { pools[pool].need(of: demand) }

    /// The most workers of `need` that one empty place of each scope could hold.
    public func mostWhenEmpty(_ need: WorkerNeed, pool: Int, scope: Scope) -> Int {
        let perNode = pools[pool].perNode(need)
        switch scope {
        case .node: return perNode
        case .domain: return perNode * pools[pool].layout.largestDomain
        case .block:
            var largest = 0
            for block in 0..<pools[pool].layout.blocks {
                let domains = pools[pool].layout.domainRange(block)
                if domains.isEmpty { continue }
                let first = pools[pool].layout.nodeRange(domains.lowerBound).lowerBound
                largest = max(largest, pools[pool].layout.nodeRange(domains.upperBound - 1).upperBound - first)
            }
            return perNode * largest
        case .pool: return perNode * pools[pool].layout.nodes
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
            guard let need = pools[number].need(of: demand) else { continue }
            let id = pools[number].index(for: need)
            targets.append(Target(pool: number, rank: rank, need: need, id: id))
        }
        targets.sort { ($0.rank, $0.pool) < ($1.rank, $1.pool) }
        return Gang(workers: workers, scope: scope, targets: targets, generation: generation)
    }

    /// Lets go of indexes beyond the idle limit that no gang of `claimed` uses. Outdates other gangs when it does.
    public mutating func trimIndexes(claimed: (_ pool: Int, _ need: WorkerNeed) -> Bool) {
        for number in 0..<pools.count where pools.isFilled(number) {
            while pools[number].liveIndexes > idleIndexesPerPool {
                guard pools[number].dropOneIndex(unless: { claimed(number, $0) }) else { break }
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
        var best = Fit.none
        var bestAt = 0
        for at in 0..<gang.targets.count {
            let target = gang.targets[at]
            // Nothing of a higher rank counts once a place is found, and nothing beats an exact fit of a node.
            if best.key == 0 || best.key != Fit.none.key && gang.targets[bestAt].rank != target.rank { break }
            let fit = pools[target.pool].fit(
                target.id, workers: gang.workers, scope: gang.scope, below: best)
            if fit < best && !isHeld(target.pool) { (best, bestAt) = (fit, at) }
        }
        if best.key == Fit.none.key { return false }
        let target = gang.targets[bestAt]
        uses += 1
        pools[target.pool].indexes[target.id.index].lastUse = uses
        placement.pool = PoolSlot(target.pool)
        placement.tier = best.tier
        placement.gpusPerWorker = UInt16(target.need.gpus)
        placement.cpuMillisPerWorker = UInt32(target.need.cpuMillis)
        placement.memoryMiBPerWorker = UInt32(target.need.memoryMiB)
        placement.runs.removeAll(keepingCapacity: true)
        pools[target.pool].choose(target.id, workers: gang.workers, tier: best.tier, into: &placement.runs)
        return true
    }

    /// Whether `gang` fits the pool of one of its targets now: exact, and a few words.
    public func fits(_ gang: borrowing Gang, target: Int) -> Bool {
        let target = gang.targets[target]
        return pools[target.pool].indexes[target.id.index].largestFit(gang.scope) >= gang.workers
    }

    /// The most workers that one place of the gang's scope could take now in the pool of one of its targets.
    public func largestFit(_ gang: borrowing Gang, target: Int) -> Int {
        let target = gang.targets[target]
        return pools[target.pool].indexes[target.id.index].largestFit(gang.scope)
    }

    /// The most workers of `need` that one place of `scope` in a pool could take now. Makes an index where the need is new.
    public func largestFit(_ need: WorkerNeed, pool number: Int, scope: Scope) -> Int {
        if pools[number].perNode(need) == 0 { return 0 }
        let id = pools[number].index(for: need)
        return pools[number].indexes[id.index].largestFit(scope)
    }

    /// Whether all that `placement` holds is free, and stands within its pool.
    public func canTake(_ placement: Placement) -> Bool { pools[placement.pool.index].canTake(placement) }

    public func take(_ placement: Placement) { pools[placement.pool.index].take(placement) }

    public func give(_ placement: Placement) { pools[placement.pool.index].give(placement) }

    // MARK: Readings

    /// Memory of all columns and indexes.
    public var bytes: Int {
        var bytes = 0
        for number in 0..<pools.count where pools.isFilled(number) { bytes += pools[number].bytes }
        return bytes
    }

    /// GPUs of a pool that no gang holds, and those of them on nodes that accept new work.
    public func freeGPUs(pool: Int) -> (all: Int, schedulable: Int) {
        (pools[pool].gpusFree, pools[pool].gpusSchedulable)
    }

    /// Free GPUs of one node, as a mask, with free CPU and memory.
    public func free(pool: Int, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        let free = pools[pool].columns[node]
        return (free.gpuMask, Int(free.cpuMillis), Int(free.memoryMiB))
    }

    /// How many gangs of `workers` fit at once in one pool, each within one place of `scope`. Exact: workers of one
    /// need stand in no one's way but by their number, so each place holds its fit over the gang's size.
    /// Makes an index where the need is new.
    public func gangsThatFit(workers: Int, need: WorkerNeed, pool number: Int, scope: Scope) -> Int {
        if pools[number].perNode(need) == 0 { return 0 }
        let id = pools[number].index(for: need)
        return pools[number].indexes[id.index].gangsThatFit(workers, scope)
    }
}
