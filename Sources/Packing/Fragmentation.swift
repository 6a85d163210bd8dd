// How much of a node's free GPUs the demand that usually comes cannot use: the potential whose rise is the cost of a choice.
// A pure function of what is free and of a mix; knows no node.

import Model

/// The mix as one pool sees it: what a worker of each entry needs here, and how often it comes.
struct PoolMix {
    struct Entry {
        var need: WorkerNeed
        /// Of `PoolMix.unit`.
        var weight: Int
    }

    /// All weights together are about this.
    static let unit = 1 << 12
    var version: UInt64 = 0
    var entries: [Entry] = []
    /// Weights of entries that can never stand here.
    var foreign = 0
}

extension PoolMix {
    /// Entries beyond this are too rare to matter and would cost as much as the others.
    static let mostEntries = 64

    /// The mix of a fleet as a pool with nodes of one shape and accelerator sees it.
    init(_ mix: [MixEntry], version: UInt64, accelerator: String, need: (Demand) -> WorkerNeed?) {
        self.version = version
        let used = mix.prefix(Self.mostEntries)
        var total: UInt64 = 0
        for entry in used { total += entry.weight }
        for entry in used {
            let weight = Int((UInt128(entry.weight) * UInt128(Self.unit) + UInt128(total) / 2) / UInt128(total))
            let isWelcome = entry.accelerators.isEmpty || entry.accelerators.contains(accelerator)
            guard isWelcome, let need = need(entry.demand) else {
                foreign += weight
                continue
            }
            if let at = entries.firstIndex(where: { $0.need == need }) {
                entries[at].weight += weight
            } else {
                entries.append(Entry(need: need, weight: weight))
            }
        }
    }

    /// The fragmented capacity of a node in a state, in thousandths of a GPU times `unit`: for each entry the free
    /// capacity that one worker of it could not use, weighed by how often it comes. Source: Weng et al., "Beware of
    /// Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023, section 4.
    func potential(_ state: FreeState) -> Int64 {
        var free = 0
        for gpu in 0..<state.gpus { free += Int(state.milli[gpu]) }
        var sum = foreign * free
        for entry in entries {
            if entry.need.gpus == 0 || !state.holds(entry.need) {
                sum += entry.weight * free
                continue
            }
            let size = entry.need.gpuMilli
            var lost = 0
            for gpu in 0..<state.gpus where Int(state.milli[gpu]) < size { lost += Int(state.milli[gpu]) }
            sum += entry.weight * lost
        }
        return Int64(sum)
    }
}
