// A gang as the packer sees it: its form, and that form resolved over the pools that may hold it.
// Knows no job; two jobs of equal form fit or do not fit together.

public import Model

/// Everything of a job that decides where its gang may go, but for the pools it may use.
public struct GangForm: Hashable, Sendable {
    /// Equal workers, without their name.
    public struct Group: Hashable, Sendable {
        /// The least and the most workers at speed 1000.
        public var count: Int
        public var maxCount: Int
        public var demand: Demand
        public var segment: Segment?
        public var spread: Spread

        public init(
            count: Int, maxCount: Int? = nil, demand: Demand, segment: Segment? = nil, spread: Spread = .none
        ) {
            self.count = count
            self.maxCount = maxCount ?? count
            self.demand = demand
            self.segment = segment
            self.spread = spread
        }
    }

    public var groups: [Group]
    /// The largest tier over which the gang may be spread now.
    public var scope: Tier
    /// The tier beyond which each step costs.
    public var preferred: Tier?
    public var split: Split?
    public var exclusive: Tier?
    public var scaleBySpeed: Bool
    public var usesSpares: Bool
    /// Whether it may stand on nodes that are kept for someone, which it leaves in time.
    public var usesReserved = false

    public init(
        groups: [Group], scope: Tier, preferred: Tier? = nil, split: Split? = nil, exclusive: Tier? = nil,
        scaleBySpeed: Bool = false, usesSpares: Bool = false
    ) {
        self.groups = groups
        self.scope = scope
        self.preferred = preferred
        self.split = split
        self.exclusive = exclusive
        self.scaleBySpeed = scaleBySpeed
        self.usesSpares = usesSpares
    }

    /// `scope` is the tier asked for now: the preferred one while the job has patience, else the required one.
    public init(_ spec: JobSpec, scope: Tier) {
        self.init(
            groups: spec.workers.map {
                Group(
                    count: $0.count, maxCount: $0.maxCount, demand: $0.demand, segment: $0.segment, spread: $0.spread)
            },
            scope: scope, preferred: spec.scope.preferred, split: spec.split, exclusive: spec.exclusive,
            scaleBySpeed: spec.scaleBySpeed, usesSpares: spec.usesSpares)
    }

    /// Gives up what an elastic gang takes beyond its least.
    public mutating func shrink() {
        for at in groups.indices { groups[at].maxCount = groups[at].count }
    }

    /// The group that is placed first: the one with most GPU capacity, then the one with most workers, then the first.
    public var lead: Int {
        var lead = 0
        for at in groups.indices {
            let (group, best) = (groups[at], groups[lead])
            let key = (group.count * group.demand.totalMilli, group.count)
            if key > (best.count * best.demand.totalMilli, best.count) { lead = at }
        }
        return lead
    }

    /// The least and most workers of a group in a pool of a speed.
    public func workers(_ group: Int, speedMilli: Int) -> ClosedRange<Int> {
        let group = groups[group]
        let quantum = group.segment?.size ?? 1
        if !scaleBySpeed || speedMilli == 1000 { return group.count...max(group.count, group.maxCount) }
        let scaled = (group.count * 1000 + speedMilli - 1) / speedMilli
        let least = (scaled + quantum - 1) / quantum * quantum
        return least...max(least, group.maxCount * 1000 / speedMilli / quantum * quantum)
    }

    /// The most groups of which all orders are tried.
    private static let permutedGroups = 4

    /// Orders in which groups are placed until one leads to a place: by falling capacity; then all of them where groups are
    /// few, else by the largest worker, by the hardest rule, and backwards.
    func orders(lead: Int) -> [[Int]] {
        let capacity = groups.map { $0.count * $0.demand.totalMilli }
        let first = groups.indices.sorted { left, right in
            if left == lead || right == lead { return left == lead && right != lead }
            return capacity[left] != capacity[right] ? capacity[left] > capacity[right] : left < right
        }
        if groups.count == 1 { return [first] }
        if groups.count <= Self.permutedGroups {
            return [first] + Self.permutations(of: first).dropFirst()
        }
        let byWorker = first.sorted { groups[$0].demand.totalMilli > groups[$1].demand.totalMilli }
        let byRule = byWorker.sorted { hardness($0) > hardness($1) }
        return [first, byWorker, byRule, first.reversed()]
    }

    private func hardness(_ group: Int) -> Int {
        let group = groups[group]
        return (group.segment.map { (4 - Int($0.tier.rawValue)) * 100_000 + $0.size } ?? 0)
            + (group.spread == .none ? 0 : 50_000)
    }

    /// All orders of a few things, the given one first.
    private static func permutations(of things: [Int]) -> [[Int]] {
        if things.count <= 1 { return [things] }
        return things.indices.flatMap { first -> [[Int]] in
            var rest = things
            let thing = rest.remove(at: first)
            return permutations(of: rest).map { [thing] + $0 }
        }
    }

    /// The reasons to keep ordinary work off a node that do not matter to it.
    var admits: NodeFree.Flags {
        var admits: NodeFree.Flags = usesSpares ? .spare : []
        if usesReserved { admits.insert(.reserved) }
        return admits
    }

    /// Whether some group takes more workers where there is room, in one pool or another.
    var isElastic: Bool { groups.contains { $0.maxCount > $0.count } }

    /// Whether one worker goes where it fits; in a pool of another speed it may be more.
    var isSingle: Bool { isSimple && groups[0].count == 1 && admits.isEmpty }

    /// Whether one group goes where it fits, with no rule that spans nodes.
    var isSimple: Bool {
        guard groups.count == 1, split == nil, exclusive == nil else { return false }
        let group = groups[0]
        return group.maxCount <= group.count && Quota(group, exclusive: nil).isPlain
    }
}

/// A pool that may hold a gang, as its user sees it. Lower ranks are always preferred.
public struct Candidate: Sendable {
    public var pool: Int
    public var rank: Int
    public var priceMicroUSDPerGPUHour: Int64
    public var speedMilli: Int
    /// Equal for pools of one provider.
    public var provider: Int
    /// Equal for pools of one region of one provider.
    public var region: Int

    public init(
        pool: Int, rank: Int, priceMicroUSDPerGPUHour: Int64 = 0, speedMilli: Int = 1000, provider: Int = 0,
        region: Int = 0
    ) {
        self.pool = pool
        self.rank = rank
        self.priceMicroUSDPerGPUHour = priceMicroUSDPerGPUHour
        self.speedMilli = speedMilli
        self.provider = provider
        self.region = region
    }
}

/// A pool that may hold a gang.
public struct Target: Sendable {
    public let pool: Int
    public let rank: Int
    /// What a worker of the lead group takes there.
    public let need: WorkerNeed
    /// The least workers of the lead group that must fit in one place of the scope; with a split, in the pool.
    public let workers: Int
    /// The lead group's index in its pool, or -1 where the pool's scoring decides alone.
    let index: Int
    let price: Int64
    let speedMilli: Int
    let provider: Int
    let region: Int
}

/// Neighbouring targets of equal rank, price and need, in which equally much room costs the same: one set of a board's pools.
struct Bracket: Sendable {
    var targets: Range<Int>
    /// The row of the kind of worker on the board, or -1 where each target is looked at for itself.
    let row: Int
    /// Which word of the set, and which pools of it.
    let word: Int
    var pools: UInt64
    /// The most workers that a node holds.
    let perNode: Int
}

/// One group in one target.
struct GroupTarget: Sendable {
    let need: WorkerNeed
    /// Its index in the pool, or -1 where the pool's scoring decides alone.
    let index: Int
    /// The least and the most workers in this pool's speed.
    let least: Int
    let most: Int
}

/// A gang ready to be placed: its form and the pools that may hold it in order of preference.
/// Made by `Packer.gang`; outdated once a pool it names changes (`Packer.generation`).
public struct Gang: Sendable {
    public let form: GangForm
    public let lead: Int
    /// By rising rank, then price, then pool.
    public let targets: [Target]
    /// The packer's generation when the targets were resolved.
    public let generation: UInt64
    let isSimple: Bool
    /// The least price of those of its pools that are billed by the node, or nil where none is.
    let leastPriceByNode: Int64?
    /// The workers of a gang of one group without further rules, where all its pools count equally fast; else 0.
    private(set) var uniformWorkers: Int
    /// For a gang that may be resized: all targets in order, those together that differ in nothing but what is free.
    private(set) var brackets: [Bracket]
    /// Shape [targets, groups].
    let groups: [GroupTarget]
    /// Orders in which the groups may be placed, the one to begin with first: the lead, then by falling capacity.
    let orders: [[Int]]

    public var isEmpty: Bool { targets.isEmpty }

    /// Whether no place is missed: where `find` finds none there is none.
    public var isPlain: Bool { isSimple }

    @inline(__always)
    var isBilledByNode: Bool { leastPriceByNode != nil }

    /// The same gang with another count of workers, without resolving it again. `Target.workers` stays as it was.
    /// Precondition: one group without further rules that is not scaled by speed.
    public mutating func resize(to workers: Int) {
        precondition(uniformWorkers > 0, "only a plain gang can be resized")
        uniformWorkers = workers
    }

    /// The same gang, for which each target is looked at for itself. For tests: the answer is the same.
    func lookingAtEachTarget() -> Gang {
        var gang = self
        gang.brackets = targets.indices.map { Bracket(targets: $0..<$0 + 1, row: -1, word: 0, pools: 0, perNode: 0) }
        return gang
    }

    /// The least workers of the lead group that must fit in one place of the scope in a target.
    @inline(__always)
    func workers(_ target: Int) -> Int { uniformWorkers > 0 ? uniformWorkers : targets[target].workers }

    /// GPU capacity of the least gang were it all in one target, in thousandths of a GPU.
    public func leastMilli(target: Int) -> Int {
        form.groups.indices.reduce(0) {
            let group = group($1, target: target)
            return $0 + group.least * group.need.totalMilli
        }
    }

    @inline(__always)
    func group(_ group: Int, target: Int) -> GroupTarget { groups[target * form.groups.count + group] }
}
