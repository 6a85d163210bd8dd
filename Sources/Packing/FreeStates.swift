// The states that nodes of a pool are in, each once, with the nodes in it: nodes in one state are as good as each other, so
// a choice among a hundred thousand nodes is one among the states they are in. Knows no demand.

import HeapModule
import Model

/// What is free on a node, whatever its flags, with the shares of its GPUs in rising order: which GPU has which does not
/// matter to what may still come.
struct FreeState {
    var cpuMillis: Int
    var memoryMiB: Int
    /// Free thousandths of each GPU, rising. Entries beyond the node's GPUs are 0 and not looked at.
    var milli: InlineArray<16, UInt16>
    var gpus: Int

    /// Whole GPUs only.
    init(_ free: NodeFree, gpus: Int) {
        cpuMillis = Int(free.cpuMillis)
        memoryMiB = Int(free.memoryMiB)
        milli = InlineArray(repeating: 0)
        self.gpus = gpus
        for gpu in (gpus - free.gpus)..<gpus { milli[gpu] = 1000 }
    }

    init(_ free: NodeFree, node: Int, shares: borrowing ShareColumns) {
        cpuMillis = Int(free.cpuMillis)
        memoryMiB = Int(free.memoryMiB)
        milli = InlineArray(repeating: 0)
        gpus = shares.gpus
        for gpu in 0..<gpus { insert(UInt16(shares.free(node, gpu: gpu)), among: gpu) }
    }

    /// Puts a value in its place among the first `count`.
    @inline(__always)
    private mutating func insert(_ value: UInt16, among count: Int) {
        var at = count
        while at > 0, milli[at - 1] > value {
            milli[at] = milli[at - 1]
            at -= 1
        }
        milli[at] = value
    }

    /// The state after one worker, its share taken from the GPU at `gpu`; a worker with whole GPUs takes free ones.
    /// Precondition: it fits there.
    @inline(__always)
    func after(_ need: WorkerNeed, gpu: Int) -> FreeState {
        var next = self
        next.cpuMillis -= need.cpuMillis
        next.memoryMiB -= need.memoryMiB
        if need.isShare {
            let left = next.milli[gpu] - UInt16(need.gpuMilli)
            var at = gpu
            while at > 0, next.milli[at - 1] > left {
                next.milli[at] = next.milli[at - 1]
                at -= 1
            }
            next.milli[at] = left
        } else if need.gpus > 0 {
            // The last are whole; the lowest places become empty, all others move up.
            var at = gpus - 1
            while at >= need.gpus {
                next.milli[at] = next.milli[at - need.gpus]
                at -= 1
            }
            while at >= 0 {
                next.milli[at] = 0
                at -= 1
            }
        }
        return next
    }

    /// Whether one worker fits, whatever flags the node has.
    @inline(__always)
    func holds(_ need: WorkerNeed) -> Bool {
        if cpuMillis < need.cpuMillis || memoryMiB < need.memoryMiB { return false }
        if need.gpus == 0 { return true }
        if need.gpus > gpus { return false }
        return need.isShare ? Int(milli[gpus - 1]) >= need.gpuMilli : milli[gpus - need.gpus] == 1000
    }

    /// Idle capacity of all GPUs.
    var freeMilli: Int {
        var sum = 0
        for gpu in 0..<gpus { sum += Int(milli[gpu]) }
        return sum
    }

    /// Takes one worker from the tightest GPU that holds it. Precondition: it fits.
    @inline(__always)
    mutating func takeTightest(_ need: WorkerNeed) {
        var gpu = 0
        if need.isShare { while Int(milli[gpu]) < need.gpuMilli { gpu += 1 } }
        self = after(need, gpu: gpu)
    }

    /// How many workers of one need fit. Precondition: one does.
    @inline(__always)
    func count(of need: WorkerNeed) -> Int {
        var count = 0
        if need.gpuMilli > 500 {
            for gpu in 0..<gpus where Int(milli[gpu]) >= need.gpuMilli { count += 1 }
            if need.gpus > 1 { count /= need.gpus }
        } else {
            for gpu in 0..<gpus { count += Int(milli[gpu]) / need.gpuMilli }
        }
        if need.cpuMillis > 0 { count = min(count, cpuMillis / need.cpuMillis) }
        if need.memoryMiB > 0 { count = min(count, memoryMiB / need.memoryMiB) }
        return count
    }

    var hash: UInt64 {
        var digest = Digest(seed: UInt64(bitPattern: Int64(cpuMillis)) << 32 | UInt64(UInt32(memoryMiB)))
        var word: UInt64 = 0
        for gpu in 0..<gpus {
            word = word << 16 | UInt64(milli[gpu])
            if gpu & 3 == 3 { digest.add(word) }
        }
        digest.add(word)
        return digest.value
    }

    @inline(__always)
    static func == (left: FreeState, right: FreeState) -> Bool {
        if left.cpuMillis != right.cpuMillis || left.memoryMiB != right.memoryMiB { return false }
        for gpu in 0..<left.gpus where left.milli[gpu] != right.milli[gpu] { return false }
        return true
    }
}

/// What was found out about a state, and for which versions of the mix and its prices; 0 for none.
private struct Findings {
    var version: UInt64 = 0
    var priceVersion: UInt64 = 0
    var lost: Int64 = 0
    var potential: Int64 = 0
}

/// Every state that a node of one pool is in, or was in not long ago, by number.
///
/// A state is live while some node in it accepts ordinary work. The lowest of its nodes is found by a heap whose entries
/// may be stale; they are dropped as they come up.
struct FreeStates: ~Copyable {
    private(set) var states: [FreeState] = []
    private var hashes: [UInt64] = []
    /// What the table's user found out about each state.
    private var findings: [Findings] = []
    /// Open nodes in each state.
    private var counts: [UInt32] = []
    private var nodes: [Heap<UInt32>] = []
    /// Open addressing: number of a state plus 1, or 0. A power of two, at most half full.
    private var table: [UInt32] = Array(repeating: 0, count: 64)
    /// Shape [nodes]: the number of each node's state, or the largest number where the node is not open.
    private let stateOfNode: Column<UInt32>
    /// States in the order in which they became live, since `epoch` began.
    private(set) var born: [UInt32] = []
    /// Rises when numbers are given anew and `born` begins again.
    private(set) var epoch: UInt64 = 1
    private(set) var live = 0

    private static let none = UInt32.max

    init(nodes: Int) {
        stateOfNode = Column(count: nodes)
        stateOfNode.fill(0..<nodes, with: Self.none)
    }

    init(copying other: borrowing FreeStates) {
        states = other.states
        hashes = other.hashes
        findings = other.findings
        counts = other.counts
        nodes = other.nodes
        table = other.table
        stateOfNode = Column(copying: other.stateOfNode)
        born = other.born
        epoch = other.epoch
        live = other.live
    }

    var bytes: Int {
        stateOfNode.bytes + states.count * (MemoryLayout<FreeState>.stride + MemoryLayout<Findings>.stride + 20) + table
            .count * 4
            + nodes.reduce(0) { $0 + $1.count * 4 } + born.count * 4
    }

    @inline(__always)
    func isLive(_ state: Int) -> Bool { counts[state] > 0 }

    /// A number that depends on nothing but what the state is.
    @inline(__always)
    func hash(_ state: Int) -> UInt64 { hashes[state] }

    /// The potential of a state, from what was found before as far as it still holds.
    @inline(__always)
    mutating func potential(_ state: Int, _ mix: PoolMix) -> Int64 {
        if findings[state].priceVersion == mix.priceVersion { return findings[state].potential }
        if findings[state].version != mix.version {
            findings[state].version = mix.version
            findings[state].lost = mix.lost(states[state])
        }
        findings[state].priceVersion = mix.priceVersion
        findings[state].potential = findings[state].lost - mix.slots(states[state])
        return findings[state].potential
    }

    /// What is lost of a state (`PoolMix.lost`), from what was found before as far as it still holds.
    mutating func lost(_ state: Int, _ mix: PoolMix) -> Int64 {
        _ = potential(state, mix)
        return findings[state].lost
    }

    /// The state of an open node, or nil.
    func state(of node: Int) -> Int? { stateOfNode[node] == Self.none ? nil : Int(stateOfNode[node]) }

    /// Open nodes in a state.
    func nodeCount(_ state: Int) -> Int { Int(counts[state]) }

    /// The number of a state, new where it is not known.
    mutating func number(of state: FreeState) -> Int {
        let hash = state.hash
        var at = Int(truncatingIfNeeded: hash) & (table.count - 1)
        while table[at] != 0 {
            let known = Int(table[at]) - 1
            if hashes[known] == hash && states[known] == state { return known }
            at = (at + 1) & (table.count - 1)
        }
        let number = states.count
        states.append(state)
        hashes.append(hash)
        findings.append(Findings())
        counts.append(0)
        nodes.append(Heap())
        table[at] = UInt32(number + 1)
        if states.count * 2 > table.count { makeTable(table.count * 2) }
        return number
    }

    private mutating func makeTable(_ size: Int) {
        table = Array(repeating: 0, count: size)
        for (number, hash) in hashes.enumerated() {
            var at = Int(truncatingIfNeeded: hash) & (size - 1)
            while table[at] != 0 { at = (at + 1) & (size - 1) }
            table[at] = UInt32(number + 1)
        }
    }

    /// Takes note of the state that a node is in now, or that it is not open.
    mutating func put(_ node: Int, in state: Int?) {
        let before = stateOfNode[node]
        let now = state.map { UInt32($0) } ?? Self.none
        if before == now { return }
        stateOfNode[node] = now
        if before != Self.none {
            counts[Int(before)] -= 1
            if counts[Int(before)] == 0 { live -= 1 }
        }
        guard let state else { return }
        counts[state] += 1
        if counts[state] == 1 {
            live += 1
            nodes[state] = Heap()
            born.append(now)
        }
        nodes[state].insert(UInt32(node))
        // Nodes that left and came back stand there twice.
        if nodes[state].count > 2 * Int(counts[state]) + 64 {
            nodes[state] = Heap(Set(nodes[state].unordered.filter { stateOfNode[Int($0)] == now }))
        }
    }

    /// The lowest open node in a live state.
    mutating func lowestNode(_ state: Int) -> Int {
        while let node = nodes[state].min {
            if stateOfNode[Int(node)] == UInt32(state) { return Int(node) }
            nodes[state].removeMin()
        }
        preconditionFailure("a live state has no node")
    }

    /// Forgets the states that no open node is in, once they are many. Cost: the states, seldom.
    mutating func tidy() {
        if states.count <= 4 * stateOfNode.count + 65_536 && born.count <= 4 * stateOfNode.count + 65_536 { return }
        epoch += 1
        var numbers = Array(repeating: Self.none, count: states.count)
        var kept = 0
        for number in states.indices where counts[number] > 0 {
            numbers[number] = UInt32(kept)
            states[kept] = states[number]
            hashes[kept] = hashes[number]
            findings[kept] = findings[number]
            counts[kept] = counts[number]
            nodes[kept] = Heap(Set(nodes[number].unordered.filter { stateOfNode[Int($0)] == UInt32(number) }))
            kept += 1
        }
        states.removeLast(states.count - kept)
        hashes.removeLast(hashes.count - kept)
        findings.removeLast(findings.count - kept)
        counts.removeLast(counts.count - kept)
        nodes.removeLast(nodes.count - kept)
        for node in 0..<stateOfNode.count where stateOfNode[node] != Self.none {
            stateOfNode[node] = numbers[Int(stateOfNode[node])]
        }
        born = (0..<UInt32(kept)).map { $0 }
        var size = 64
        while size < kept * 4 { size *= 2 }
        makeTable(size)
    }
}
