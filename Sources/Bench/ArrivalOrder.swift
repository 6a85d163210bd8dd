// The most that any packer can place of gangs that come one by one when it takes each that fits: found by following all
// states that a small fleet can get into. Tells what of a gap to the optimum is the order of arrival, since the optimum may
// leave out early gangs for later ones.

/// A fleet of at most sixteen nodes, domain by domain and block by block, all of one size, and the states it can be in.
struct ArrivalOrder {
    /// Free GPUs of a node, 0 to 15, in each four bits; node 0 in the lowest.
    typealias State = UInt64

    struct Gang {
        var workers: Int
        var gpus: Int
        /// How many neighbours a place of its scope has; places are in step with that.
        var placeNodes: Int
    }

    let nodesPerDomain: Int
    let domainsPerBlock: Int
    let blocks: Int

    private var nodes: Int { blocks * domainsPerBlock * nodesPerDomain }

    /// The most GPUs that the gangs can hold in the end, or nil where more than `mostStates` states can come about at once.
    func mostGPUs(free: [Int], _ gangs: [Gang], mostStates: Int) -> Int? {
        precondition(free.count == nodes && nodes <= 16 && free.allSatisfy { 0..<16 ~= $0 }, "too large a fleet")
        let first = free.enumerated().reduce(State(0)) { $0 | State($1.element) << State(4 * $1.offset) }
        var states = [ordered(first): 0]
        for gang in gangs {
            var next: [State: Int] = [:]
            for (state, held) in states {
                var after: Set<State> = []
                for place in stride(from: 0, to: nodes, by: gang.placeNodes) {
                    fill(place..<place + gang.placeNodes, gang.workers, gang.gpus, state, &after)
                }
                let gain = after.isEmpty ? 0 : gang.workers * gang.gpus
                if after.isEmpty { after.insert(state) }
                for state in after { next[state] = max(next[state] ?? 0, held + gain) }
                if next.count > mostStates { return nil }
            }
            states = next
        }
        return states.values.max() ?? 0
    }

    private func free(_ state: State, _ node: Int) -> Int { Int(state >> State(4 * node) & 15) }

    /// Adds every way in which some nodes hold so many workers.
    private func fill(_ nodes: Range<Int>, _ workers: Int, _ gpus: Int, _ state: State, _ found: inout Set<State>) {
        if workers == 0 {
            found.insert(ordered(state))
            return
        }
        guard let node = nodes.first, nodes.reduce(0, { $0 + free(state, $1) / gpus }) >= workers else { return }
        for count in 0...min(workers, free(state, node) / gpus) {
            let rest = state - State(count * gpus) << State(4 * node)
            fill(nodes.dropFirst(), workers - count, gpus, rest, &found)
        }
    }

    /// One state for all that differ only by the order of nodes in a domain, of domains in a block, and of blocks.
    private func ordered(_ state: State) -> State {
        let byNode = sorted(state, groups: blocks * domainsPerBlock, size: nodesPerDomain, bits: 4)
        let byDomain = sorted(byNode, groups: blocks, size: domainsPerBlock, bits: 4 * nodesPerDomain)
        return sorted(byDomain, groups: 1, size: blocks, bits: 4 * nodesPerDomain * domainsPerBlock)
    }

    /// Sorts the fields of each group of neighbours.
    private func sorted(_ state: State, groups: Int, size: Int, bits: Int) -> State {
        if size == 1 { return state }
        let mask = (State(1) << State(bits)) - 1
        var result: State = 0
        for group in 0..<groups {
            let first = group * size * bits
            var fields = InlineArray<16, State>(repeating: 0)
            for number in 0..<size {
                let field = state >> State(first + number * bits) & mask
                var at = number
                while at > 0, fields[at - 1] > field {
                    fields[at] = fields[at - 1]
                    at -= 1
                }
                fields[at] = field
            }
            for number in 0..<size { result |= fields[number] << State(first + number * bits) }
        }
        return result
    }
}
