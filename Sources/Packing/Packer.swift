// The bin-packing core: free capacity of all pools, what is taken of it and given back. Where a gang goes: Find.swift.
// Owns no job names, clock or JSON. Pools are numbered by whoever uses it; preference comes as ranks, prices and a mix.

public import Model

public struct Packer: ~Copyable {
    private(set) var pools = Slots<PoolPacker>()
    /// Which fits the nodes of each pool have.
    let board: FitBoard
    /// Counts changes of pools and indexes that outdate a `Gang`.
    public internal(set) var generation: UInt64 = 1
    var uses: UInt64 = 0
    /// Units of work that all searches for layouts of several groups or rules have cost, those that found nothing too: see
    /// `Trial.mostWork`. A count, so that who bounds it decides alike everywhere.
    public internal(set) var layoutWork: UInt64 = 0
    /// Nodes that all searches behind batches have looked among.
    public internal(set) var batchNodes: UInt64 = 0
    /// Where gangs of several groups or rules are laid out before it is known that they fit.
    var trial = Trial()
    /// Where a simple gang is laid out to see which nodes it opens.
    var opening: [NodeRun] = []
    /// The demand that usually comes, by falling weight, and how often it was told.
    private var mix: [MixEntry] = []
    private var mixVersion: UInt64 = 0
    private var priceVersion: UInt64 = 0
    /// How many indexes a pool keeps that nobody claims.
    private let idleIndexesPerPool: Int

    public init(idleIndexesPerPool: Int = 16) {
        self.idleIndexesPerPool = idleIndexesPerPool
        board = FitBoard()
    }

    private init(copying other: borrowing Packer) {
        generation = other.generation
        uses = other.uses
        mix = other.mix
        mixVersion = other.mixVersion
        priceVersion = other.priceVersion
        idleIndexesPerPool = other.idleIndexesPerPool
        board = FitBoard(copying: other.board)
        for number in 0..<other.pools.count where other.pools.isFilled(number) {
            pools.put(PoolPacker(copying: other.pools[number], board: board), at: number)
        }
    }

    /// A packer of the same state that shares nothing with this one: what happens there has no effect here. Gangs that
    /// were resolved here serve there too. Cost: the memory of all columns and indexes.
    public func fork() -> Packer { Packer(copying: self) }

    /// Tells which demand usually comes, with its scarcities; fragmentation is measured against it from now on. Outdates
    /// gangs only where it changes whether nodes of a pool are more than a count of free GPUs.
    /// Cost: the pools; and each node of a pool of which that changes.
    public mutating func setMix(_ entries: [MixEntry]) {
        let isSame =
            entries.count == mix.count
            && zip(entries, mix).allSatisfy { $0.isSameShape(as: $1) && $0.weight == $1.weight }
        mix = entries
        if !isSame { mixVersion += 1 }
        priceVersion += 1
        tellMix()
    }

    private mutating func tellMix() {
        var fleetMix = FleetMix(mix, version: mixVersion, priceVersion: priceVersion)
        for number in 0..<pools.count where pools.isFilled(number) {
            fleetMix.mostNodeMilli = max(fleetMix.mostNodeMilli, pools[number].shape.gpus * 1000)
            fleetMix.mostNodeCPUMillis = max(fleetMix.mostNodeCPUMillis, pools[number].shape.cpuMillis)
        }
        for number in 0..<pools.count where pools.isFilled(number) {
            let poolMix = PoolMix(fleetMix, accelerator: pools[number].accelerator) { demand in
                pools[number].need(of: demand)
            }
            // A gang of one worker has an index only where nodes are not scored.
            if pools[number].setMix(poolMix) { generation += 1 }
        }
    }

    /// Whether nodes of some pool are weighed against the mix, so that scarcities matter.
    public var isScored: Bool {
        (0..<pools.count).contains { pools.isFilled($0) && pools[$0].isScored }
    }

    /// How scarce room for each entry of a mix is on the nodes that are weighed: see `MixEntry.scarcity`. Cost: the entries
    /// times the states of nodes.
    public func scarcity(of entries: [MixEntry]) -> [UInt64] {
        if !isScored { return Array(repeating: 0, count: entries.count) }
        var free = 0
        for number in 0..<pools.count where pools.isFilled(number) && pools[number].isScored {
            free += pools[number].scoring[0].freeMilli
        }
        return entries.map { entry in
            if entry.demand.gpus == 0 { return 0 }
            var milli = 0
            for number in 0..<pools.count where pools.isFilled(number) && pools[number].isScored {
                if !entry.accelerators.isEmpty && !entry.accelerators.contains(pools[number].accelerator) { continue }
                guard let need = pools[number].need(of: entry.demand) else { continue }
                milli += pools[number].scoring[0].slots(need) * need.totalMilli
            }
            return milli == 0 ? Self.mostScarcity : min(Self.mostScarcity, (UInt64(free) << 16) / UInt64(milli))
        }
    }

    /// Room for what fits nowhere any more is 64 times as dear as room in general.
    private static let mostScarcity: UInt64 = 64 << 16

    // MARK: Pools

    /// Puts an empty pool at `index`, or grows the one there, whose nodes must be the first of `layout`, or changes its
    /// price or how it is billed.
    public mutating func put(pool index: Int, layout: PoolLayout, spec: PoolSpec) {
        if pools.isFilled(index) {
            pools[index].leaveBoard()
            pools.put(PoolPacker(growing: pools[index], tree: layout, spec: spec), at: index)
        } else {
            pools.put(PoolPacker(tree: layout, spec: spec), at: index)
        }
        pools[index].join(board, as: index)
        // All pools measure their nodes by the largest of the fleet.
        if !mix.isEmpty { tellMix() }
        generation += 1
    }

    public mutating func remove(pool index: Int) {
        if pools.isFilled(index) { pools[index].leaveBoard() }
        pools.remove(at: index)
        generation += 1
        if !mix.isEmpty { tellMix() }
    }

    /// Says whether new work may come to a node. What is there stays there.
    public func setSchedulable(pool: Int, node: Int, _ isSchedulable: Bool) {
        pools[pool].setFlag(.closed, !isSchedulable, node: node)
    }

    /// Keeps nodes from all gangs but those that may use reserved nodes, or no more. What is there stays there.
    public func setReserved(pool: Int, nodes: Range<Int>, _ isReserved: Bool) {
        pools[pool].setFlag(.reserved, isReserved, nodes: nodes)
    }

    /// What a worker of `demand` takes in a pool, or nil where no node can ever hold it.
    public func need(of demand: Demand, pool: Int) -> WorkerNeed? {
        pools[pool].need(of: demand).flatMap { pools[pool].perNode(IndexKey(need: $0)) > 0 ? $0 : nil }
    }

    /// What decides which index a group uses, whatever the pool.
    private struct IndexRule: Hashable {
        let demand: Demand
        let key: IndexKey
    }

    /// Lets go of indexes beyond the idle limit that no gang of `forms` uses, nor, where `onReserved` says so, one of them that
    /// may stand on reserved nodes. Outdates other gangs when it does. Cost: the groups of the forms, and the distinct kinds of
    /// worker among them for each pool.
    public mutating func trimIndexes(keeping forms: [GangForm], onReserved: Bool) {
        let isIdle = (0..<pools.count).allSatisfy { number in
            !pools.isFilled(number) || pools[number].liveIndexes <= idleIndexesPerPool
        }
        if isIdle { return }
        let none = WorkerNeed(gpus: 0, gpuMilli: 1000, cpuMillis: 0, memoryMiB: 0)
        var known: Set<IndexRule> = []
        var rules: [IndexRule] = []
        for form in forms {
            for group in form.groups {
                for admits in onReserved ? [form.admits, form.admits.union(.reserved)] : [form.admits] {
                    let rule = IndexRule(demand: group.demand, key: IndexKey(group, need: none, admits: admits))
                    if known.insert(rule).inserted { rules.append(rule) }
                }
            }
        }
        for number in 0..<pools.count
        where pools.isFilled(number) && pools[number].liveIndexes > idleIndexesPerPool {
            var kept: Set<IndexKey> = []
            for rule in rules {
                guard let need = pools[number].need(of: rule.demand) else { continue }
                var key = rule.key
                key.need = need
                kept.insert(key)
            }
            while pools[number].liveIndexes > idleIndexesPerPool, pools[number].dropOneIndex(unless: kept.contains) {
                generation += 1
            }
        }
    }

    // MARK: Taking and giving back

    /// Whether all that `placement` holds is free, stands within its pools, and no exclusive place stands in the way.
    public func canTake(_ placement: Placement) -> Bool {
        for (at, part) in placement.parts.enumerated() {
            guard pools.isFilled(part.pool.index) else { return false }
            for run in placement.runRange(at) where !mayStand(placement.runs[run], part, placement.exclusive) {
                return false
            }
        }
        // Several runs may stand on one node, so only taking them tells.
        var taken = 0
        var fits = true
        parts: for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) {
                guard pools[part.pool.index].canTake(placement.runs[run], of: part.need) else {
                    fits = false
                    break parts
                }
                pools[part.pool.index].change(placement.runs[run], of: part.need, isTaking: true)
                taken += 1
            }
        }
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) where run < taken {
                pools[part.pool.index].change(placement.runs[run], of: part.need, isTaking: false)
            }
        }
        return fits
    }

    /// Whether a run is within its pool, in no other gang's exclusive place, and alone where it must be.
    private func mayStand(_ run: NodeRun, _ part: PlacementPart, _ exclusive: Tier?) -> Bool {
        let number = part.pool.index
        guard run.nodes.upperBound <= pools[number].layout.nodes else { return false }
        for node in run.nodes {
            if pools[number].columns[node].flags.contains(.exclusive) { return false }
            if exclusive != nil, !pools[number].isIdle(pools[number].layout.domain(of: node), for: exclusive) {
                return false
            }
        }
        return true
    }

    /// Takes what `placement` holds. Precondition: all of it is free.
    public func take(_ placement: Placement) {
        change(placement, isTaking: true)
        if placement.exclusive != nil { setExclusive(placement, true) }
    }

    /// Gives back what `placement` holds. Precondition: none of it is free.
    public func give(_ placement: Placement) {
        if placement.exclusive != nil { setExclusive(placement, false) }
        change(placement, isTaking: false)
    }

    @inline(__always)
    private func change(_ placement: Placement, isTaking: Bool) {
        var run = 0
        for part in placement.parts {
            while run < part.runEnd {
                pools[part.pool.index].change(placement.runs[run], of: part.need, isTaking: isTaking)
                run += 1
            }
        }
    }

    /// Closes the places in which an exclusive gang stands to all others, or opens them.
    private func setExclusive(_ placement: Placement, _ isSet: Bool) {
        for (at, part) in placement.parts.enumerated() {
            let number = part.pool.index
            for run in placement.runRange(at) {
                let first = pools[number].layout.domain(of: placement.runs[run].nodes.lowerBound)
                let last = pools[number].layout.domain(of: placement.runs[run].nodes.upperBound - 1)
                for domain in pools[number].exclusiveDomains(first...last, placement.exclusive) {
                    for node in pools[number].layout.nodeRange(domain) {
                        pools[number].setFlag(.exclusive, isSet, node: node)
                    }
                }
            }
        }
    }

    // MARK: Readings

    /// Memory of all columns and indexes.
    public var bytes: Int {
        var bytes = board.bytes
        for number in 0..<pools.count where pools.isFilled(number) { bytes += pools[number].bytes }
        return bytes
    }

    /// Needs for which a pool keeps its nodes in order of what a worker does harm there.
    public func nodeOrders(pool: Int) -> Int { pools[pool].isScored ? pools[pool].scoring[0].orderCount : 0 }

    /// GPUs of a pool of which nothing is taken, and those of them on nodes that accept ordinary work.
    public func freeGPUs(pool: Int) -> (all: Int, schedulable: Int) {
        (pools[pool].gpusFree, pools[pool].gpusOpen)
    }

    /// Wholly free GPUs of one node, as a mask, with free CPU and memory.
    public func free(pool: Int, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        let free = pools[pool].columns[node]
        return (free.gpuMask, Int(free.cpuMillis), Int(free.memoryMiB))
    }

    /// Where so many workers could stand on one node: on its first free GPUs, or for shares on the fullest GPU that has room.
    /// `closed`: GPUs that they may not use.
    public func run(_ workers: Int, of need: WorkerNeed, on node: Int, pool: Int, not closed: UInt16 = 0) -> NodeRun? {
        let free = free(pool: pool, node: node)
        guard free.cpuMillis >= workers * need.cpuMillis, free.memoryMiB >= workers * need.memoryMiB else { return nil }
        var mask: UInt16 = 0
        if need.isShare {
            var best: (free: Int, gpu: Int)?
            let gpus = pools[pool].shares.isEmpty ? UInt16.bitWidth : pools[pool].shares.gpus
            for gpu in 0..<gpus where closed >> UInt16(gpu) & 1 == 0 {
                let left = freeMilli(pool: pool, node: node, gpu: gpu)
                if left >= workers * need.gpuMilli && left < best?.free ?? .max { best = (left, gpu) }
            }
            guard let best else { return nil }
            mask = 1 << UInt16(best.gpu)
        } else {
            var rest = free.gpuMask & ~closed
            for _ in 0..<workers * need.gpus {
                if rest == 0 { return nil }
                mask |= rest & (~rest &+ 1)
                rest &= rest &- 1
            }
        }
        return NodeRun(node: UInt32(node), nodeCount: 1, gpuMask: mask, workers: UInt16(workers))
    }

    /// What is free of one GPU, in thousandths.
    public func freeMilli(pool: Int, node: Int, gpu: Int) -> Int {
        pools[pool].shares.isEmpty
            ? Int(pools[pool].columns[node].gpuMask >> UInt16(gpu) & 1) * 1000 : pools[pool].shares.free(node, gpu: gpu)
    }

    /// The most workers of `need` that one place of `scope` in a pool could take now. Makes an index where the need is new.
    public mutating func largestFit(_ need: WorkerNeed, pool number: Int, scope: Tier) -> Int {
        guard let id = plainIndex(need, pool: number) else { return 0 }
        return pools[number].mostRoom(pools[number].indexes[id], .plain, tier: scope)
    }

    /// The most workers of `need` that one empty place of each scope could hold.
    public func mostWhenEmpty(_ need: WorkerNeed, pool: Int, scope: Tier) -> Int {
        pools[pool].mostRoomWhenEmpty(IndexKey(need: need), .plain, tier: scope)
    }

    /// How many gangs of `workers` fit at once in one pool, each within one place of `scope`. Exact where a node holds at
    /// most sixteen workers: workers of one need stand in no one's way but by their number, so each place holds its fit
    /// over the gang's size. Makes an index where the need is new.
    public mutating func gangsThatFit(workers: Int, need: WorkerNeed, pool number: Int, scope: Tier) -> Int {
        guard workers > 0, let id = plainIndex(need, pool: number) else { return 0 }
        return pools[number].indexes[id].gangsThatFit(workers, scope, pools[number].layout)
    }

    private mutating func plainIndex(_ need: WorkerNeed, pool number: Int) -> Int? {
        let key = IndexKey(need: need)
        return pools[number].perNode(key) == 0 ? nil : pools[number].index(for: key)
    }
}

extension PoolPacker {
    /// The domains that an exclusive gang in some domains keeps from others.
    func exclusiveDomains(_ domains: ClosedRange<Int>, _ exclusive: Tier?) -> Range<Int> {
        if exclusive != .block { return domains.lowerBound..<domains.upperBound + 1 }
        let first = layout.domainRange(layout.block(of: domains.lowerBound))
        return first.lowerBound..<layout.domainRange(layout.block(of: domains.upperBound)).upperBound
    }
}
