// Whether several groups of workers fit on some nodes together: every way is tried, node by node, until one does.
// For small fleets only. Knows no tiers of a gang's scope: the nodes it is given are the place.

import Model
import Packing

/// A search over the nodes of one place, or of several pools that must all take part.
struct ReferenceSearch {
    private struct Node {
        var free: ShadowNode
        var pool: Int
        var needs: [WorkerNeed]
        /// The most workers of each group alone.
        var fits: [Int]
    }

    /// What is decided so far: workers of each group that are left to place, and those in the domain, block and pool at
    /// hand, kept only where a rule asks for them.
    private struct State: Hashable {
        var at = 0
        var left: [Int]
        var inDomain: [Int]
        var inBlock: [Int]
        var inPool: [Int]
    }

    private let form: GangForm
    /// Of each group in each pool that holds any of it, where the gang is split.
    private let fewest: [Int]
    private var nodes: [Node] = []
    private var poolCount = 0
    private var dead: Set<State> = []
    private var steps = 0
    private let counts: [Int]
    private let patience: Int

    init(_ form: GangForm, _ counts: [Int], patience: Int) {
        self.form = form
        self.counts = counts
        self.patience = patience
        fewest = form.groups.indices.map { at in
            let size = form.groups[at].segment?.size ?? 1
            return min(((form.split?.minWorkersPerPool ?? 1) + size - 1) / size * size, counts[at])
        }
    }

    /// Adds nodes of one more pool, in order.
    mutating func add(_ fleet: ShadowFleet, _ candidate: Candidate, _ needs: [WorkerNeed], nodes more: [Int]) {
        guard let pool = fleet.pools[candidate.pool] else { return }
        for node in more
        where fleet.mayUse(
            pool: candidate.pool, node: node, usesSpares: form.usesSpares, exclusive: form.exclusive)
        {
            let fits = form.groups.indices.map {
                min(pool.nodes[node].fit(needs[$0]), form.groups[$0].spread.workersPerNode ?? .max)
            }
            nodes.append(Node(free: pool.nodes[node], pool: poolCount, needs: needs, fits: fits))
        }
        poolCount += 1
    }

    /// Nil where the patience did not suffice.
    mutating func run() -> Bool? {
        let none = counts.map { _ in 0 }
        let found = search(State(left: counts, inDomain: none, inBlock: none, inPool: none))
        return !found && steps >= patience ? nil : found
    }

    private mutating func search(_ state: State) -> Bool {
        var state = state
        if state.at > 0, !close(&state) { return false }
        if state.at == nodes.count { return state.left.allSatisfy { $0 == 0 } }
        for group in counts.indices {
            let room = nodes[state.at...].reduce(0) { $0 + min($1.fits[group], counts[group]) }
            if room < state.left[group] { return false }
        }
        if steps >= patience || dead.contains(state) { return false }
        if tryNode(&state, group: 0, workers: []) { return true }
        dead.insert(state)
        return false
    }

    /// At the end of a domain, block or pool: whether its rules are kept, and counting starts anew.
    private func close(_ state: inout State) -> Bool {
        let before = nodes[state.at - 1]
        let next: Node? = state.at < nodes.count ? nodes[state.at] : nil
        let poolEnds = next?.pool != before.pool
        let blockEnds = poolEnds || next?.free.block != before.free.block
        let domainEnds = blockEnds || next?.free.domain != before.free.domain
        for (at, group) in form.groups.enumerated() {
            if domainEnds {
                if group.segment?.tier == .domain, state.inDomain[at] % (group.segment?.size ?? 1) != 0 { return false }
                state.inDomain[at] = 0
            }
            if blockEnds {
                if group.segment?.tier == .block, state.inBlock[at] % (group.segment?.size ?? 1) != 0 { return false }
                state.inBlock[at] = 0
            }
            if poolEnds {
                if poolCount > 1, state.inPool[at] > 0, state.inPool[at] < fewest[at] { return false }
                state.inPool[at] = 0
            }
        }
        return true
    }

    /// Tries every number of workers of each group from `group` on, the most first.
    private mutating func tryNode(_ state: inout State, group: Int, workers: [Int]) -> Bool {
        steps += 1
        if steps >= patience { return false }
        let node = nodes[state.at]
        if group == counts.count {
            if !Self.holds(node.free, node.needs, workers) { return false }
            var next = state
            next.at += 1
            for at in counts.indices {
                next.left[at] -= workers[at]
                let asked = form.groups[at]
                if asked.spread.workersPerDomain != nil || asked.segment?.tier == .domain {
                    next.inDomain[at] += workers[at]
                }
                if asked.segment?.tier == .block { next.inBlock[at] += workers[at] }
                if poolCount > 1 { next.inPool[at] = min(next.inPool[at] + workers[at], fewest[at]) }
                if next.inDomain[at] > asked.spread.workersPerDomain ?? .max { return false }
            }
            return search(next)
        }
        let size = form.groups[group].segment?.tier == .node ? form.groups[group].segment?.size ?? 1 : 1
        for count in stride(from: min(state.left[group], node.fits[group]), through: 0, by: -1) where count % size == 0
        {
            if tryNode(&state, group: group + 1, workers: workers + [count]) { return true }
        }
        return false
    }

    /// Whether a node holds so many workers of each group at once.
    static func holds(_ node: ShadowNode, _ needs: [WorkerNeed], _ workers: [Int]) -> Bool {
        var (cpuMillis, memoryMiB, whole) = (0, 0, 0)
        var shares: [Int] = []
        for (need, count) in zip(needs, workers) {
            cpuMillis += count * need.cpuMillis
            memoryMiB += count * need.memoryMiB
            if need.isShare {
                shares += Array(repeating: need.gpuMilli, count: count)
            } else {
                whole += count * need.gpus
            }
        }
        if cpuMillis > node.cpuMillis || memoryMiB > node.memoryMiB { return false }
        return pack(shares.sorted(by: >)[...], node.gpuMilli, whole)
    }

    /// Whether shares fit in GPUs so that enough of these stay whole: each share is tried in each GPU.
    private static func pack(_ shares: ArraySlice<Int>, _ gpus: [Int], _ whole: Int) -> Bool {
        if gpus.count(where: { $0 == 1000 }) < whole { return false }
        guard let share = shares.first else { return true }
        var tried: Set<Int> = []
        for gpu in gpus.indices where gpus[gpu] >= share && tried.insert(gpus[gpu]).inserted {
            var rest = gpus
            rest[gpu] -= share
            if pack(shares.dropFirst(), rest, whole) { return true }
        }
        return false
    }
}
