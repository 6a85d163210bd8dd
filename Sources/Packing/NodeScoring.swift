// The node on which one worker does least harm to the demand that usually comes: for each kind of worker the states of nodes
// by how much the potential rises when the worker comes. For pools where a node is more than a count of free GPUs.

import HeapModule
import Model

/// The states of a pool's nodes and, for each need that was asked for, those that hold a worker in order of harm.
struct NodeScoring: ~Copyable {
    private var free: FreeStates
    private var orders: [Order] = []
    private var mix = PoolMix()
    /// What is free on an unused node, where nodes are paid for as a whole once they are used; else nil.
    private let unused: FreeState?

    /// One need's states: the least harm first.
    private struct Order {
        let need: WorkerNeed
        var heap = Heap<Entry>()
        /// What the heap was made for.
        var version: UInt64 = 0
        var epoch: UInt64 = 0
        /// States born up to here are in the heap.
        var born = 0
        var lastUse: UInt64 = 0
    }

    /// Needs whose order is kept: as many as a mix has entries. What else is asked for now and then has its order made anew.
    static let mostOrders = PoolMix.mostEntries
    private var uses: UInt64 = 0

    var orderCount: Int { orders.count }

    private struct Entry: Comparable {
        /// Rise of the potential.
        let rise: Int64
        /// Less is left on a node, then the state itself decides, whatever its number.
        let tie: UInt64
        let hash: UInt64
        let state: UInt32

        static func < (left: Entry, right: Entry) -> Bool {
            if left.rise != right.rise { return left.rise < right.rise }
            return left.tie != right.tie ? left.tie < right.tie : left.hash < right.hash
        }
    }

    /// `unused` is what is free on an unused node of a pool that is billed by the node, and nil for other pools.
    init(nodes: Int, unused: FreeState?) {
        free = FreeStates(nodes: nodes)
        self.unused = unused
    }

    init(copying other: borrowing NodeScoring) {
        free = FreeStates(copying: other.free)
        orders = other.orders
        uses = other.uses
        mix = other.mix
        unused = other.unused
    }

    var bytes: Int { free.bytes + orders.reduce(0) { $0 + $1.heap.count * MemoryLayout<Entry>.stride } }

    mutating func setMix(_ mix: PoolMix) { self.mix = mix }

    /// Takes note of what is free on a node now, or that it is not open.
    mutating func note(_ node: Int, _ state: FreeState?) {
        free.put(node, in: state.map { free.number(of: $0) })
    }

    /// The same for neighbours that are in the state of another node.
    mutating func note(_ nodes: Range<Int>, as other: Int) {
        let state = free.state(of: other)
        for node in nodes { free.put(node, in: state) }
    }

    /// Where one worker does least harm.
    struct Found {
        /// The lowest in the best state.
        var node: Int
        /// Of the potential.
        var rise: Int64
        /// What is left there in millionths of the largest node's GPUs and CPU.
        var leftover: Int
        /// For a share, what is free of the GPU that it takes, in thousandths.
        var gpuMilli: Int
    }

    /// Nil where no open node holds a worker. Where nodes are paid for as a whole, unused ones are not looked at.
    mutating func best(_ need: WorkerNeed) -> Found? {
        free.tidy()
        uses += 1
        let at = orders.firstIndex { $0.need == need } ?? place(for: need)
        orders[at].lastUse = uses
        if orders[at].version != mix.priceVersion || orders[at].epoch != free.epoch
            || orders[at].heap.count > 2 * free.live + 256
        {
            orders[at].heap = Heap()
            orders[at].version = mix.priceVersion
            orders[at].epoch = free.epoch
            orders[at].born = free.born.count
            for state in free.states.indices where free.isLive(state) { add(state, to: at) }
        }
        while orders[at].born < free.born.count {
            let state = Int(free.born[orders[at].born])
            orders[at].born += 1
            if free.isLive(state) { add(state, to: at) }
        }
        while let entry = orders[at].heap.min {
            if free.isLive(Int(entry.state)) {
                let state = Int(entry.state)
                return Found(
                    node: free.lowestNode(state), rise: entry.rise, leftover: Int(entry.tie),
                    gpuMilli: rise(state, need)?.gpuMilli ?? 1000)
            }
            orders[at].heap.removeMin()
        }
        return nil
    }

    /// Where the order of a new need goes: behind the others, or in place of the one longest unused.
    private mutating func place(for need: WorkerNeed) -> Int {
        if orders.count < Self.mostOrders {
            orders.append(Order(need: need))
            return orders.count - 1
        }
        let at = orders.indices.min { orders[$0].lastUse < orders[$1].lastUse } ?? 0
        orders[at] = Order(need: need)
        return at
    }

    /// An unused node, where nodes are paid for as a whole, and what demand to come would cost there (`PoolMix.horizon`). Nil
    /// where there is none, or none that holds a worker.
    mutating func unusedNode(_ need: WorkerNeed) -> (found: Found, horizon: Int64)? {
        guard let unused else { return nil }
        let state = free.number(of: unused)
        guard free.isLive(state), let rise = rise(state, need) else { return nil }
        let found = Found(
            node: free.lowestNode(state), rise: rise.rise, leftover: Int(leftover(state, need)), gpuMilli: rise.gpuMilli
        )
        return (found, mix.horizon(unused, lost: free.lost(state, mix), need))
    }

    /// Whether some node holds a worker.
    mutating func holds(_ need: WorkerNeed) -> Bool { best(need) != nil || unusedNode(need) != nil }

    private mutating func add(_ state: Int, to at: Int) {
        if let unused, free.states[state] == unused { return }
        guard let (rise, _) = rise(state, orders[at].need) else { return }
        let tie = leftover(state, orders[at].need)
        orders[at].heap.insert(Entry(rise: rise, tie: tie, hash: free.hash(state), state: UInt32(state)))
    }

    /// What is left on a node of a state after one worker, in millionths of the largest node's GPUs and CPU.
    private func leftover(_ state: Int, _ need: WorkerNeed) -> UInt64 {
        let gpu = (free.states[state].freeMilli - need.totalMilli) * 1_000_000 / mix.mostNodeMilli
        let cpu = (free.states[state].cpuMillis - need.cpuMillis) * 1_000_000 / mix.mostNodeCPUMillis
        return UInt64(gpu + cpu)
    }

    /// How many workers of a need all open nodes hold, each node alone. Cost: the states.
    func slots(_ need: WorkerNeed) -> Int {
        var sum = 0
        for state in free.states.indices where free.isLive(state) && free.states[state].holds(need) {
            sum += free.nodeCount(state) * free.states[state].count(of: need)
        }
        return sum
    }

    /// Idle GPU capacity of all open nodes, in thousandths of a GPU. Cost: the states.
    var freeMilli: Int {
        var sum = 0
        for state in free.states.indices { sum += free.nodeCount(state) * free.states[state].freeMilli }
        return sum
    }

    /// The least rise of the potential by one worker on a node in a state, or nil where it does not fit. A share takes the
    /// GPU that is best for it, the fullest of equally good ones.
    private mutating func rise(_ state: Int, _ need: WorkerNeed) -> (rise: Int64, gpuMilli: Int)? {
        let now = free.states[state]
        guard now.holds(need) else { return nil }
        let before = potential(state)
        if !need.isShare { return (potential(free.number(of: now.after(need, gpu: 0))) - before, 1000) }
        var best: (rise: Int64, gpuMilli: Int)?
        for gpu in 0..<now.gpus where Int(now.milli[gpu]) >= need.gpuMilli {
            if gpu > 0 && now.milli[gpu] == now.milli[gpu - 1] { continue }
            let rise = potential(free.number(of: now.after(need, gpu: gpu))) - before
            if best.map({ rise < $0.rise }) ?? true { best = (rise, Int(now.milli[gpu])) }
        }
        return best
    }

    /// The rise of the potential by one worker on an open node, its share on a GPU with so much free.
    mutating func rise(node: Int, _ need: WorkerNeed, gpuMilli: Int) -> Int64 {
        guard let state = free.state(of: node) else { return 0 }
        let now = free.states[state]
        let gpu = need.isShare ? (0..<now.gpus).first { Int(now.milli[$0]) == gpuMilli } ?? 0 : 0
        return potential(free.number(of: now.after(need, gpu: gpu))) - potential(state)
    }

    private mutating func potential(_ state: Int) -> Int64 { free.potential(state, mix) }
}
