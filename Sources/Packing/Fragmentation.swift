// What the demand that usually comes leaves unused of a node: the potential whose rise is the cost of a choice.
// A pure function of what is free and of a mix; knows no node.
//
// The potential of a state is what is lost of its GPUs less the worth of the slots it still has.
//
// Lost: a few short sequences of demands, drawn from the mix by the GPU capacity they ask for, are offered to the state one
// by one; each takes the tightest GPU that holds it or passes. What is idle in the end, averaged over the sequences, is lost.
// It is what fragmentation gradient descent (Weng et al., USENIX ATC 2023) looks at one demand ahead, looked at until
// nothing fits: it sees the balance of CPU and GPU, which shares pair, and gaps that nothing will fill. All states meet the
// same sequences, so that their differences have little noise. An empty node is neither dear nor cheap by this measure:
// each worker goes where it fits better than a usual one would.
//
// Slots: each demand of the mix has a price, and a state is worth the sum over demands of how many more of them it holds
// times their price. The price is the demand's share of the mix times its scarcity: free capacity of the fleet over
// the capacity of what still fits of it. It is the gradient of the sum of weight times the logarithm of slots, so what
// runs out first is kept longest: whole nodes, or the one accelerator that a job may have.
//
// Horizon: in pools billed by the node, the choice of a node to open also looks at what demand to come will cost there.

import Model

/// The mix as one pool sees it.
struct PoolMix {
    struct Entry {
        var need: WorkerNeed
        /// Of a slot, in thousandths of a GPU times `unit`.
        var price: Int64
    }

    /// Potentials are thousandths of a GPU times this.
    static let unit = 1 << 16
    /// Entries beyond this are too rare to matter and would cost as much as the others.
    static let mostEntries = 64
    /// Sequences, a power of two, and how many demands each has.
    static let sequences = 8
    static let sequenceLength = 64
    /// GPU capacity to come that the choice of a node to open is made for.
    static let horizonMilli = 10_000
    /// The worth of slots against what is lost: one sixteenth.
    private static let slotShift = 4

    /// Of the sequences, and of prices.
    private(set) var version: UInt64 = 0
    private(set) var priceVersion: UInt64 = 0
    private(set) var entries: [Entry] = []
    /// Shape [sequences * sequenceLength]: entries that can stand here; -1 for others.
    private var steps: [Int8] = []
    /// The entries with whole GPUs that can stand here, gang by gang.
    private(set) var gangs: [WasteGang] = []
    /// The least of any entry: below one of them nothing fits.
    private var leastMilli = Int.max
    private var leastCPUMillis = Int.max
    /// The largest node of the fleet.
    private(set) var mostNodeMilli = 1
    private(set) var mostNodeCPUMillis = 1

    init() {}

    /// `need` says what a worker of an entry takes here, or nil where it can never stand here.
    init(_ mix: FleetMix, accelerator: String, need: (Demand) -> WorkerNeed?) {
        version = mix.version
        priceVersion = mix.priceVersion
        mostNodeMilli = mix.mostNodeMilli
        mostNodeCPUMillis = mix.mostNodeCPUMillis
        var places = [Int8](repeating: -1, count: mix.entries.count)
        for (at, entry) in mix.entries.enumerated() {
            let isWelcome = entry.accelerators.isEmpty || entry.accelerators.contains(accelerator)
            guard isWelcome, let need = need(entry.demand) else { continue }
            let weight = mix.weights[at]
            if !need.isShare {
                gangs.append(
                    WasteGang(
                        gpus: entry.workers * need.gpus, workerGPUs: need.gpus,
                        weight: Int(UInt128(entry.weight) * UInt128(Self.unit) / UInt128(max(1, mix.totalCount)))))
            }
            let worth =
                (UInt128(entry.scarcity) * weight * UInt128(need.totalMilli) / max(1, mix.totalWeight))
                >> UInt128(Self.slotShift)
            let price = Int64(truncatingIfNeeded: min(worth, UInt128(1 << 40)))
            leastMilli = min(leastMilli, need.gpuMilli)
            leastCPUMillis = min(leastCPUMillis, need.cpuMillis)
            if let known = entries.firstIndex(where: { $0.need == need }) {
                entries[known].price += price
                places[at] = Int8(known)
            } else {
                places[at] = Int8(entries.count)
                entries.append(Entry(need: need, price: price))
            }
        }
        steps = mix.steps.map { places[$0] }
    }

    // MARK: The potential

    /// What is lost of a state, on average over the sequences.
    func lost(_ state: FreeState) -> Int64 {
        let free = state.freeMilli
        if free == 0 || entries.isEmpty { return 0 }
        if isFull(state) { return Int64(free) * Int64(Self.unit) }
        var sum = 0
        for sequence in 0..<Self.sequences {
            var left = state
            var idle = free
            for at in sequence * Self.sequenceLength..<(sequence + 1) * Self.sequenceLength {
                let step = Int(steps[at])
                if step < 0 { continue }
                let need = entries[step].need
                guard left.holds(need) else { continue }
                left.takeTightest(need)
                idle -= need.totalMilli
                if isFull(left) { break }
            }
            sum += idle
        }
        return Int64(sum) * Int64(Self.unit / Self.sequences)
    }

    /// What the next GPUs of demand, `horizonMilli` of them, would cost on unused nodes that are paid for as a whole, in units
    /// of a potential: more than their price where not all of a node can be used, by the usual demand or by workers of
    /// `need`. So nodes are opened where they are cheap for what they will hold, not where they are small.
    func horizon(_ unused: FreeState, lost: Int64, _ need: WorkerNeed) -> Int64 {
        let all = unused.freeMilli
        var usable = all - Int(lost / Int64(Self.unit))
        if need.gpus > 0 { usable = min(usable, unused.count(of: need) * need.totalMilli) }
        return Int64(all * Self.horizonMilli / max(1, usable) * Self.unit)
    }

    /// The worth of the slots that a state has.
    func slots(_ state: FreeState) -> Int64 {
        if isFull(state) { return 0 }
        var sum: Int64 = 0
        for entry in entries where entry.price > 0 && state.holds(entry.need) {
            sum += entry.price * Int64(state.count(of: entry.need))
        }
        return sum
    }

    /// Whether no entry fits any more, or no GPU is idle.
    @inline(__always)
    private func isFull(_ state: FreeState) -> Bool {
        Int(state.milli[state.gpus - 1]) < leastMilli || state.cpuMillis < leastCPUMillis
    }
}

/// The mix as the whole fleet sees it: the entries that count, by weight, and the sequences drawn from them.
struct FleetMix {
    /// With GPUs, the most frequent first.
    private(set) var entries: [MixEntry]
    /// By the GPU capacity asked for.
    private(set) var weights: [UInt128] = []
    private(set) var totalWeight: UInt128 = 0
    private(set) var totalCount: UInt64 = 0
    /// Indexes of entries.
    private(set) var steps: [Int] = []
    let version: UInt64
    let priceVersion: UInt64
    var mostNodeMilli = 1
    var mostNodeCPUMillis = 1

    init(_ mix: [MixEntry], version: UInt64, priceVersion: UInt64) {
        self.version = version
        self.priceVersion = priceVersion
        entries = Array(mix.lazy.filter { $0.demand.gpus > 0 }.prefix(PoolMix.mostEntries))
        var reached: [UInt128] = []
        for entry in entries {
            let weight = UInt128(entry.weight) * UInt128(entry.workers * entry.demand.totalMilli)
            weights.append(weight)
            totalWeight += weight
            totalCount += entry.weight
            reached.append(totalWeight)
        }
        if !entries.isEmpty { draw(reached) }
    }

    /// Each place of the sequences takes one draw from each equal part of the distribution: fewer sequences say as much.
    private mutating func draw(_ reached: [UInt128]) {
        let sequences = PoolMix.sequences
        let parts = UInt64(sequences.trailingZeroBitCount)
        steps = Array(repeating: 0, count: sequences * PoolMix.sequenceLength)
        // A fixed start: the same mix always has the same sequences. Source of the generator: SplitMix64 (Steele, Lea and
        // Flood, 2014).
        var seed: UInt64 = 12345
        func next() -> UInt64 {
            seed &+= 0x9E37_79B9_7F4A_7C15
            var word = seed
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        for place in 0..<PoolMix.sequenceLength {
            var order = Array(0..<sequences)
            for at in stride(from: sequences - 1, to: 0, by: -1) { order.swapAt(at, Int(next() % UInt64(at + 1))) }
            for sequence in 0..<sequences {
                let point = UInt64(order[sequence]) << (64 - parts) | next() >> parts
                // The weights may need more than 64 bits: the upper ones of the product are taken apart.
                let (high, low) = (totalWeight >> 64, totalWeight & UInt128(UInt64.max))
                let target = high * UInt128(point) + (low * UInt128(point)) >> 64
                steps[sequence * PoolMix.sequenceLength + place] = reached.firstIndex { $0 > target } ?? 0
            }
        }
    }
}
