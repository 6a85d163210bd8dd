// The search behind a batch: single workers on nodes, some of them still without a place. A step takes a few workers off one
// node or two and fills these again, and is taken back where less is placed than before ("ruin and recreate", Schrimpf et
// al., 2000). It draws from a fixed sequence, so that the same batch always ends in the same places.
// Knows no packer; what it found is put there by its user.

import Model

/// What is free on a node while a batch is searched, and which of the batch's workers stand there.
struct BatchNode {
    var cpuMillis: Int
    var memoryMiB: Int
    var gpus: Int
    /// By GPU, in thousandths.
    var milli = InlineArray<16, UInt16>(repeating: 0)
    var pool = 0
    var node = 0
    var workers: [Worker] = []
    /// Whether its pool bills by the node, and then what all its GPUs cost per hour, in thousandths of a micro-USD.
    var isBilledWhole = false
    var price: Int128 = 0
    /// CPU, memory and GPUs that others than the batch have taken, added up: more than 0 where they opened the node.
    var takenByOthers = 0
    /// In the list of nodes with idle GPUs, or -1.
    var idlePlace = -1

    struct Worker {
        var kind: Int
        var gpuMask: UInt16
        var request: Int
    }

    init(cpuMillis: Int, memoryMiB: Int, gpus: Int) {
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
        self.gpus = gpus
    }

    var idle: Int {
        var sum = 0
        for gpu in 0..<gpus { sum += Int(milli[gpu]) }
        return sum
    }
}

struct BatchSearch {
    /// One worker's place.
    struct Item {
        var request: Int
        var pool: Int
        var node: Int
        var gpuMask: UInt16
    }

    /// Equal requests: all of one gang.
    private struct Kind {
        /// By pool; nil where they may not go.
        var needs: [WorkerNeed?]
        /// By pool: the accelerator's place in the order that is wanted, and the price of one worker per hour in thousandths of a
        /// micro-USD.
        var ranks: [Int]
        var prices: [Int128]
        var milli: Int
        /// Requests without a place.
        var waiting: [Int] = []
    }

    private var kinds: [Kind]
    /// Kinds of equal GPU demand, the smallest demand first, in each the least CPU first.
    private var families: [[Int]] = []
    private var nodes: [BatchNode] = []
    /// The number of each node that is searched, by pool << 32 | node; only looked up, so its order does not matter.
    private var nodeAt: [Int: Int] = [:]
    private var idle: [Int] = []
    /// Capacity placed, and workers.
    private var value = 0
    /// Of what is placed, all ranks together, and all prices.
    private var rank = 0
    private var price: Int128 = 0
    /// By pool, of one GPU.
    private var pricesPerGPU: [Int64]
    private var random: UInt64 = 0x5EED
    private var removed: [(node: Int, worker: BatchNode.Worker)] = []
    private var added: [Int] = []

    /// Of one worker more, against capacity in thousandths of a GPU.
    private static let workerValue = 1
    private static let milliValue = 1 << 12

    init(_ gangs: [Gang], pools: Int) {
        kinds = gangs.map { gang in
            var needs = [WorkerNeed?](repeating: nil, count: pools)
            var ranks = [Int](repeating: 0, count: pools)
            var prices = [Int128](repeating: 0, count: pools)
            for target in gang.targets {
                needs[target.pool] = target.need
                ranks[target.pool] = target.rank
                prices[target.pool] = Int128(target.need.totalMilli) * Int128(target.price)
            }
            return Kind(
                needs: needs, ranks: ranks, prices: prices, milli: gang.form.groups[0].demand.totalMilli)
        }
        pricesPerGPU = Array(repeating: 0, count: pools)
        for target in gangs.lazy.flatMap(\.targets) { pricesPerGPU[target.pool] = target.price }
        let demands = gangs.map { $0.form.groups[0].demand }
        let order = kinds.indices.sorted {
            let (left, right) = (demands[$0], demands[$1])
            return (left.gpus, left.gpuMilli, left.cpuMillis ?? 0, $0) < (
                right.gpus, right.gpuMilli, right.cpuMillis ?? 0, $1
            )
        }
        for kind in order {
            if let last = families.last?.last, demands[last].gpus == demands[kind].gpus,
                demands[last].gpuMilli == demands[kind].gpuMilli
            {
                families[families.count - 1].append(kind)
            } else {
                families.append([kind])
            }
        }
    }

    mutating func add(_ work: BatchNode, pool: Int, node: Int) {
        nodeAt[pool << 32 | node] = nodes.count
        nodes.append(work)
        nodes[nodes.count - 1].pool = pool
        nodes[nodes.count - 1].node = node
        nodes[nodes.count - 1].price = Int128(work.gpus * 1000) * Int128(pricesPerGPU[pool])
        touch(nodes.count - 1)
    }

    func has(pool: Int, node: Int) -> Bool { nodeAt[pool << 32 | node] != nil }

    /// How many nodes are searched.
    var nodeCount: Int { nodes.count }

    /// A request that has no place.
    mutating func wait(_ request: Int, _ kind: Int) { kinds[kind].waiting.append(request) }

    /// A request that has one, already taken from what is free. Places on nodes that are not searched stay as they are.
    mutating func put(_ request: Int, _ kind: Int, _ place: Placement) {
        guard let at = searched(place) else { return }
        nodes[at].workers.append(BatchNode.Worker(kind: kind, gpuMask: place.runs[0].gpuMask, request: request))
        if let need = kinds[kind].needs[nodes[at].pool] { nodes[at].takenByOthers -= need.sum }
        value += worth(kind)
        rank += kinds[kind].ranks[nodes[at].pool]
        if !nodes[at].isBilledWhole { price += kinds[kind].prices[nodes[at].pool] }
    }

    /// Whether the search may have moved what stands at a place.
    func owns(_ place: Placement) -> Bool {
        searched(place) != nil
    }

    private func searched(_ place: Placement) -> Int? {
        let run = place.runs[0]
        guard place.parts.count == 1, run.nodeCount == 1, run.workers == 1, place.runs.count == 1 else { return nil }
        return nodeAt[place.parts[0].pool.index << 32 | Int(run.node)]
    }

    /// Where every worker of the batch on the searched nodes stands now, by request.
    func items() -> [Item] {
        var items: [Item] = []
        for node in nodes {
            for worker in node.workers {
                items.append(
                    Item(request: worker.request, pool: node.pool, node: node.node, gpuMask: worker.gpuMask))
            }
        }
        return items.sorted { $0.request < $1.request }
    }

    // MARK: Steps

    /// Searches, and in the end fills every node, so that nothing is left out that fits.
    mutating func run(steps: Int) {
        for node in nodes where node.isBilledWhole && node.takenByOthers == 0 && !node.workers.isEmpty {
            price += node.price
        }
        var steps = steps
        while steps > 0 && !idle.isEmpty && kinds.contains(where: { !$0.waiting.isEmpty && $0.milli > 0 }) {
            step()
            steps -= 1
        }
        for node in nodes.indices { fill(node, isBlinking: false) }
    }

    private mutating func step() {
        let first = idle[draw(idle.count)]
        let second = draw(2) == 0 ? first : draw(nodes.count)
        let before = (value, -rank, -price)
        removed.removeAll(keepingCapacity: true)
        added.removeAll(keepingCapacity: true)
        ruin(first, workers: draw(4))
        if second != first {
            ruin(second, workers: max(1, draw(4)))
            fill(second, isBlinking: true)
        }
        fill(first, isBlinking: true)
        // Of equal value, what is wanted more, then what costs less.
        if (value, -rank, -price) < before { takeBack() }
        touch(first)
        touch(second)
    }

    private mutating func ruin(_ node: Int, workers: Int) {
        var left = workers
        while left > 0 && !nodes[node].workers.isEmpty {
            let worker = remove(draw(nodes[node].workers.count), from: node)
            removed.append((node, worker))
            left -= 1
        }
    }

    private mutating func takeBack() {
        for node in added.reversed() { _ = remove(nodes[node].workers.count - 1, from: node) }
        for (node, worker) in removed.reversed() {
            guard let at = kinds[worker.kind].waiting.lastIndex(of: worker.request) else {
                preconditionFailure("a worker that was taken off does not wait")
            }
            kinds[worker.kind].waiting.swapAt(at, kinds[worker.kind].waiting.count - 1)
            kinds[worker.kind].waiting.removeLast()
            place(worker, on: node)
        }
    }

    /// Fills a node: the demand that leaves least of the GPU it takes, the larger one of equal ones, and of its kinds the one
    /// whose CPU is nearest to its share of what is free. Blinking passes over some demands and moves the share.
    private mutating func fill(_ node: Int, isBlinking: Bool) {
        var skipped: UInt64 = 0
        if isBlinking {
            for family in 0..<min(64, families.count) where draw(4) == 0 { skipped |= 1 << UInt64(family) }
        }
        while true {
            var best: (rest: Int, family: Int)?
            let free = nodes[node].idle
            for family in families.indices.reversed() {
                if family < 64 && skipped >> UInt64(family) & 1 == 1 { continue }
                let kind = kinds[families[family][0]]
                if kind.milli == 0 || kind.milli > free { continue }
                guard let need = kind.needs[nodes[node].pool] ?? anyNeed(family, node) else { continue }
                guard let rest = rest(need, on: node), best.map({ rest < $0.rest }) ?? true else { continue }
                if pick(family, node, target: 0) != nil { best = (rest, family) }
            }
            guard let best else { break }
            var target = nodes[node].cpuMillis * kinds[families[best.family][0]].milli / max(1, free)
            if isBlinking { target = target * (64 + draw(64)) / 96 }
            guard let kind = pick(best.family, node, target: target) else { break }
            place(kind, on: node)
        }
        // Workers without GPUs on what is left.
        for family in families.indices where kinds[families[family][0]].milli == 0 {
            while let kind = pick(family, node, target: .max) { place(kind, on: node) }
        }
    }

    private func anyNeed(_ family: Int, _ node: Int) -> WorkerNeed? {
        for kind in families[family] { if let need = kinds[kind].needs[nodes[node].pool] { return need } }
        return nil
    }

    /// The kind of a family that waits, fits a node's CPU and memory, and has the CPU nearest to a target.
    private func pick(_ family: Int, _ node: Int, target: Int) -> Int? {
        var best: (distance: Int, kind: Int)?
        for kind in families[family] where !kinds[kind].waiting.isEmpty {
            guard let need = kinds[kind].needs[nodes[node].pool], need.cpuMillis <= nodes[node].cpuMillis,
                need.memoryMiB <= nodes[node].memoryMiB
            else { continue }
            let distance = need.cpuMillis > target ? need.cpuMillis - target : target - need.cpuMillis
            if best.map({ distance < $0.distance }) ?? true { best = (distance, kind) }
        }
        return best?.kind
    }

    /// What would be left of the GPU that a share takes, 0 for whole ones; nil where the GPUs do not suffice.
    private func rest(_ need: WorkerNeed, on node: Int) -> Int? {
        if need.isShare {
            var least: Int?
            for gpu in 0..<nodes[node].gpus {
                let left = Int(nodes[node].milli[gpu]) - need.gpuMilli
                if left >= 0, least.map({ left < $0 }) ?? true { least = left }
            }
            return least
        }
        var whole = 0
        for gpu in 0..<nodes[node].gpus where nodes[node].milli[gpu] == 1000 { whole += 1 }
        return whole >= need.gpus ? 0 : nil
    }

    // MARK: Placing

    /// Puts the last waiting request of a kind on a node where it fits.
    private mutating func place(_ kind: Int, on node: Int) {
        guard let need = kinds[kind].needs[nodes[node].pool] else { preconditionFailure("the kind may not go there") }
        var mask: UInt16 = 0
        if need.isShare {
            var best: (free: UInt16, gpu: Int)?
            for gpu in 0..<nodes[node].gpus where Int(nodes[node].milli[gpu]) >= need.gpuMilli {
                if best.map({ nodes[node].milli[gpu] < $0.free }) ?? true { best = (nodes[node].milli[gpu], gpu) }
            }
            if let best { mask = 1 << UInt16(best.gpu) }
        } else {
            var left = need.gpus
            for gpu in 0..<nodes[node].gpus where left > 0 && nodes[node].milli[gpu] == 1000 {
                mask |= 1 << UInt16(gpu)
                left -= 1
            }
        }
        let request = kinds[kind].waiting.removeLast()
        place(BatchNode.Worker(kind: kind, gpuMask: mask, request: request), on: node)
        added.append(node)
    }

    private mutating func place(_ worker: BatchNode.Worker, on node: Int) {
        change(worker, on: node, sign: -1)
        nodes[node].workers.append(worker)
        count(worker.kind, on: node, sign: 1)
    }

    private mutating func remove(_ at: Int, from node: Int) -> BatchNode.Worker {
        nodes[node].workers.swapAt(at, nodes[node].workers.count - 1)
        let worker = nodes[node].workers.removeLast()
        change(worker, on: node, sign: 1)
        kinds[worker.kind].waiting.append(worker.request)
        count(worker.kind, on: node, sign: -1)
        return worker
    }

    private mutating func change(_ worker: BatchNode.Worker, on node: Int, sign: Int) {
        guard let need = kinds[worker.kind].needs[nodes[node].pool] else {
            preconditionFailure("the kind may not stand there")
        }
        nodes[node].cpuMillis += sign * need.cpuMillis
        nodes[node].memoryMiB += sign * need.memoryMiB
        for gpu in 0..<nodes[node].gpus where worker.gpuMask >> UInt16(gpu) & 1 == 1 {
            nodes[node].milli[gpu] = UInt16(Int(nodes[node].milli[gpu]) + sign * need.gpuMilli)
        }
    }

    /// Takes note that a node has one worker more or less. In a pool billed by the node its first one opens the node.
    private mutating func count(_ kind: Int, on node: Int, sign: Int) {
        let pool = nodes[node].pool
        value += sign * worth(kind)
        rank += sign * kinds[kind].ranks[pool]
        guard nodes[node].isBilledWhole else {
            price += Int128(sign) * kinds[kind].prices[pool]
            return
        }
        // The count of workers is as it is after this one came, or went.
        if nodes[node].takenByOthers == 0 && nodes[node].workers.count == (sign > 0 ? 1 : 0) {
            price += Int128(sign) * nodes[node].price
        }
    }

    private func worth(_ kind: Int) -> Int { kinds[kind].milli * Self.milliValue + Self.workerValue }

    /// Keeps the list of nodes with idle GPUs true.
    private mutating func touch(_ node: Int) {
        let isIdle = nodes[node].idle > 0
        if isIdle == (nodes[node].idlePlace >= 0) { return }
        if isIdle {
            nodes[node].idlePlace = idle.count
            idle.append(node)
            return
        }
        let place = nodes[node].idlePlace
        idle.swapAt(place, idle.count - 1)
        idle.removeLast()
        if place < idle.count { nodes[idle[place]].idlePlace = place }
        nodes[node].idlePlace = -1
    }

    /// Below `bound`. Source of the generator: SplitMix64 (Steele, Lea and Flood, 2014).
    private mutating func draw(_ bound: Int) -> Int {
        random &+= 0x9E37_79B9_7F4A_7C15
        var word = random
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return Int(truncatingIfNeeded: word.multipliedFullWidth(by: UInt64(bound)).high)
    }
}

extension WorkerNeed {
    /// CPU, memory and GPUs added up.
    fileprivate var sum: Int { cpuMillis + memoryMiB + totalMilli }
}
