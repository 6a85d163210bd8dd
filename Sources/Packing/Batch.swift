// Places for many gangs that are known at once: the most difficult first, and then a bounded search that takes a few workers
// off a node or two and fills these again, as long as no less is placed than before.
// Changes nothing in the end; the same packer and the same gangs always give the same places.

public import Model

extension Packer {
    /// Finds places for `requests`, each an index into `gangs`; nil where one finds none. What is returned can be taken in
    /// the order of the requests. `steps` bounds the search, in nodes or pairs of nodes looked at; it only helps gangs of one
    /// worker in pools whose nodes are weighed. Of more nodes than twice the steps only a part is searched.
    ///
    /// Cost: a decision a request, twice for those that find no place at first; for the search a word for each weighed node,
    /// the nodes that are searched, and about three microseconds a step. Once gangs of several groups or rules have cost
    /// `mostPlanWork` in layouts, others of them are left without a place.
    public mutating func plan(
        _ gangs: [Gang], requests: [Int], steps: Int, isHeld: (_ pool: Int) -> Bool = { _ in false }
    ) -> [Placement?] {
        let difficulty = gangs.map { Difficulty($0.form) }
        var order = Array(requests.indices)
        order.sort {
            let (left, right) = (difficulty[requests[$0]], difficulty[requests[$1]])
            return left == right ? $0 < $1 : right < left
        }
        var places = [Placement?](repeating: nil, count: requests.count)
        var placement = Placement.none
        var unplaced: [Int] = []
        let workBefore = layoutWork
        for request in order {
            let isTooDear = layoutWork - workBefore >= Self.mostPlanWork && !gangs[requests[request]].isSimple
            if !isTooDear, find(gangs[requests[request]], into: &placement, isHeld: isHeld) {
                take(placement)
                places[request] = placement
            } else {
                unplaced.append(request)
            }
        }
        if steps > 0 && !unplaced.isEmpty {
            improve(&places, gangs, requests, unplaced, steps: steps, isHeld: isHeld)
            for request in unplaced where places[request] == nil && gangs[requests[request]].isSimple {
                guard find(gangs[requests[request]], into: &placement, isHeld: isHeld) else { continue }
                take(placement)
                places[request] = placement
            }
        }
        for place in places.reversed() { if let place { give(place) } }
        priceInOrder(&places, gangs, requests)
        return places
    }

    /// The most work for layouts in one plan, in the units of `layoutWork`: some twenty milliseconds.
    public static let mostPlanWork: UInt64 = 1 << 21

    /// Prices what stands in pools billed by the node anew: they were found in another order than that in which they can be
    /// taken, and the search may have moved what opened a node.
    private func priceInOrder(_ places: inout [Placement?], _ gangs: [Gang], _ requests: [Int]) {
        if !requests.contains(where: { gangs[$0].isBilledByNode }) { return }
        for request in places.indices {
            guard var place = places[request] else { continue }
            let gang = gangs[requests[request]]
            if gang.isBilledByNode && place.exclusive == nil {
                place.cost.price = price(place, of: gang)
                place.cost.topology = Cost.topology(
                    place.tier, preferred: gang.form.preferred, price: place.cost.price)
                places[request] = place
            }
            take(place)
        }
        for place in places.reversed() { if let place { give(place) } }
    }

    /// Larger gangs are harder, then those that need more CPU, then more memory.
    private struct Difficulty: Comparable {
        let milli: Int
        let cpuMillis: Int
        let memoryMiB: Int

        init(_ form: GangForm) {
            milli = form.groups.reduce(0) { $0 + $1.count * $1.demand.totalMilli }
            cpuMillis = form.groups.reduce(0) { $0 + $1.count * ($1.demand.cpuMillis ?? 0) }
            memoryMiB = form.groups.reduce(0) { $0 + $1.count * ($1.demand.memoryMiB ?? 0) }
        }

        static func < (left: Difficulty, right: Difficulty) -> Bool {
            (left.milli, left.cpuMillis, left.memoryMiB) < (right.milli, right.cpuMillis, right.memoryMiB)
        }
    }

    /// Searches for places of single workers among the nodes that are weighed, and takes what was found instead of what was
    /// taken.
    private mutating func improve(
        _ places: inout [Placement?], _ gangs: [Gang], _ requests: [Int], _ unplaced: [Int], steps: Int,
        isHeld: (_ pool: Int) -> Bool
    ) {
        // What no pool could ever hold is not worth a search.
        let wanted = unplaced.filter { gangs[requests[$0]].isSingle && !gangs[requests[$0]].isEmpty }
        if wanted.isEmpty { return }
        var search = BatchSearch(gangs, pools: pools.count)
        addNodes(to: &search, places, atMost: max(Self.leastSearched, 2 * steps), isHeld: isHeld)
        batchNodes += UInt64(search.nodeCount)
        for request in wanted { search.wait(request, requests[request]) }
        for (request, place) in places.enumerated() {
            guard let place, gangs[requests[request]].isSingle else { continue }
            search.put(request, requests[request], place)
        }
        search.run(steps: steps)
        // What the search may have moved is given back, and taken anew where it is now.
        for (request, place) in places.enumerated() {
            guard let place, gangs[requests[request]].isSingle, search.owns(place) else { continue }
            give(place)
            places[request] = nil
        }
        for item in search.items() {
            let target = gangs[requests[item.request]].targets.first { $0.pool == item.pool }
            guard let target else { preconditionFailure("the search used a pool that the gang may not") }
            let placement = place(item, target)
            take(placement)
            places[item.request] = placement
        }
    }

    /// Fewer nodes than these are always searched whole.
    private static let leastSearched = 4096

    /// Adds the nodes to search: all that are weighed and open, or of more than `most` every second, third and so on, and those on
    /// which a worker of the batch stands. Cost: a word for each node.
    private func addNodes(
        to search: inout BatchSearch, _ places: [Placement?], atMost most: Int, isHeld: (_ pool: Int) -> Bool
    ) {
        let scored = (0..<pools.count).filter { pools.isFilled($0) && pools[$0].isScored && !isHeld($0) }
        let nodes = scored.reduce(0) { $0 + pools[$1].layout.nodes }
        let step = max(1, (nodes + most - 1) / max(1, most))
        if step > 1 {
            for place in places {
                guard let place, place.runs.count == 1, place.runs[0].nodeCount == 1 else { continue }
                let (pool, node) = (place.parts[0].pool.index, Int(place.runs[0].node))
                if scored.contains(pool) && !search.has(pool: pool, node: node) {
                    addNode(to: &search, pool: pool, node: node)
                }
            }
        }
        var number = 0
        for pool in scored {
            for node in 0..<pools[pool].layout.nodes {
                defer { number += 1 }
                if number % step != 0 || step > 1 && search.has(pool: pool, node: node) { continue }
                addNode(to: &search, pool: pool, node: node)
            }
        }
    }

    private func addNode(to search: inout BatchSearch, pool: Int, node: Int) {
        if pools[pool].columns[node].isOpen { search.add(pools[pool].work(node: node), pool: pool, node: node) }
    }

    private mutating func place(_ item: BatchSearch.Item, _ target: Target) -> Placement {
        let price = Cost.price(milli: target.need.totalMilli, microUSDPerGPUHour: target.price)
        let rise = pools[item.pool].riseOnNode(item.node, target.need, gpuMask: item.gpuMask)
        let run = NodeRun(node: UInt32(item.node), nodeCount: 1, gpuMask: item.gpuMask, workers: 1)
        return Placement(
            tier: .node,
            cost: PlacementCost(
                price: price, fragmentation: Cost.fragmentation(rise, microUSDPerGPUHour: target.price)),
            parts: [PlacementPart(group: 0, pool: PoolSlot(item.pool), need: target.need, runEnd: 1)], runs: [run])
    }
}

extension Gang {
    /// Whether it is one worker that goes where it fits, by scoring in every pool that is weighed.
    fileprivate var isSingle: Bool { form.isSingle && targets.allSatisfy { $0.workers == 1 } }
}

extension PoolPacker {
    /// What is free on a node, GPU by GPU.
    fileprivate func work(node: Int) -> BatchNode {
        let free = columns[node]
        var work = BatchNode(cpuMillis: Int(free.cpuMillis), memoryMiB: Int(free.memoryMiB), gpus: shape.gpus)
        for gpu in 0..<shape.gpus {
            work.milli[gpu] =
                shares.isEmpty ? (free.gpuMask >> UInt16(gpu) & 1) * 1000 : UInt16(shares.free(node, gpu: gpu))
        }
        work.isBilledWhole = isBilledByNode
        work.takenByOthers =
            shape.cpuMillis - work.cpuMillis + shape.memoryMiB - work.memoryMiB + shape.gpus * 1000 - work.idle
        return work
    }

    /// The rise of the potential by one worker on a node, its share on a certain GPU.
    fileprivate func riseOnNode(_ node: Int, _ need: WorkerNeed, gpuMask: UInt16) -> Int64 {
        let milli = need.isShare ? shares.free(node, gpu: gpuMask.trailingZeroBitCount) : 1000
        return scoring[0].rise(node: node, need, gpuMilli: milli)
    }
}
