// A group over several domains: the roomiest whole until the rest fits in one, then the tightest that holds the rest,
// so the fewest domains possible and none broken but the last. And how workers fill the nodes of one domain.

import Model

extension PoolPacker {
    /// Writes `workers` over domains. With a quota, each domain holds what the quota lets it; without, what fits.
    /// Precondition: the room is there, and `workers` are a multiple of the quota's domain quantum.
    func spread(
        _ workers: Int, over domains: Range<Int>, _ index: borrowing DemandIndex, _ quota: Quota?,
        into runs: inout [NodeRun]
    ) {
        if !index.isExact { return spreadLoosely(workers, over: domains, index, quota, into: &runs) }
        var left = workers
        var top = index.buckets.last(row: 0, from: index.buckets.width - 1)
        while left > 0, let largest = top, largest > 0 {
            // Domains of several fits may hold equally many workers; the fuller ones come first.
            let size = quota?.usable(largest) ?? largest
            if size == 0 { break }
            var next: Int? = quota == nil ? largest : index.buckets.first(row: 0, from: size)
            while left > 0, let fit = next, fit <= largest {
                var from = domains.lowerBound
                while left >= size, let domain = index.byFit.first(fit, from: from), domain < domains.upperBound {
                    from = domain + 1
                    if !isOpen(domain, to: quota?.exclusive) { continue }
                    fill(domain, workers: size, index, into: &runs)
                    left -= size
                }
                // Domains that hold less are all untouched; a remainder wants the tightest of those that hold it, and of
                // this fit only domains not used yet come into question.
                if left > 0, left < size {
                    let used = fit..<fit + 1
                    if let last = tightestUnused(left, index, quota, below: size, used, from, domains, largest) {
                        return fill(last, workers: left, index, into: &runs)
                    }
                    break
                }
                next = index.buckets.first(row: 0, from: fit + 1)
            }
            top = index.buckets.last(row: 0, from: size - 1)
        }
        precondition(left == 0, "the index promised room that is not there")
    }

    /// The tightest domain not used yet that may hold `workers`: of fits below `size`, of which none is used, then of the
    /// fit in `used` from `from` on, then of larger ones up to `largest`.
    private func tightestUnused(
        _ workers: Int, _ index: borrowing DemandIndex, _ quota: Quota?, below size: Int, _ used: Range<Int>,
        _ from: Int, _ domains: Range<Int>, _ largest: Int
    ) -> Int? {
        guard let least = quota.map({ $0.leastFit(for: workers) }) ?? workers else { return nil }
        var next = index.buckets.first(row: 0, from: least)
        while let fit = next, fit <= largest {
            next = index.buckets.first(row: 0, from: fit + 1)
            // Those between are used up.
            if size <= fit && fit < used.lowerBound { continue }
            var domain = index.byFit.first(fit, from: used.contains(fit) ? from : domains.lowerBound)
            while let at = domain, at < domains.upperBound {
                if isOpen(at, to: quota?.exclusive) { return at }
                domain = index.byFit.first(fit, from: at + 1)
            }
        }
        return nil
    }

    /// Where a bucket holds several fits: the roomiest buckets first, each domain as full as it may be.
    private func spreadLoosely(
        _ workers: Int, over domains: Range<Int>, _ index: borrowing DemandIndex, _ quota: Quota?,
        into runs: inout [NodeRun]
    ) {
        var left = workers
        var bucket = index.buckets.last(row: 0, from: index.buckets.width - 1)
        while left > 0, let at = bucket {
            var next = index.byFit.first(at, from: domains.lowerBound)
            while left > 0, let domain = next, domain < domains.upperBound {
                next = index.byFit.first(at, from: domain + 1)
                let room = self.room(index, quota ?? .plain, domain: domain)
                let taken = min(room, left)
                if taken > 0 { fill(domain, workers: taken, index, into: &runs) }
                left -= taken
            }
            bucket = index.buckets.last(row: 0, from: at - 1)
        }
        precondition(left == 0, "the index promised room that is not there")
    }

    /// Over blocks that each hold a multiple of the quota's block quantum: the roomiest first, then the tightest that holds
    /// the rest. Precondition: the room is there. Cost: the domains, and the order of the blocks.
    func spreadOverBlocks(
        _ workers: Int, _ index: borrowing DemandIndex, _ quota: Quota, into runs: inout [NodeRun]
    ) {
        var rooms: [(room: Int, block: Int)] = []
        for block in 0..<layout.blocks {
            let room = room(index, quota, block: block)
            if room > 0 { rooms.append((room, block)) }
        }
        rooms.sort { ($1.room, $0.block) < ($0.room, $1.block) }
        var left = workers
        for at in rooms.indices where left > 0 {
            var chosen = rooms[at]
            if chosen.room >= left {
                // All that hold the rest stand from here on up to one place; the tightest are the last of them.
                var (low, high) = (at, rooms.count)
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if rooms[middle].room >= left { low = middle } else { high = middle }
                }
                let room = rooms[low].room
                chosen = (room, rooms[at...low].lazy.filter { $0.room == room }.map(\.block).min() ?? chosen.block)
            }
            let taken = min(chosen.room, left)
            spread(taken, over: layout.domainRange(chosen.block), index, quota, into: &runs)
            left -= taken
        }
        precondition(left == 0, "the index promised room that is not there")
    }

    // MARK: Nodes of a domain

    /// Puts `workers` on nodes of one domain: nodes that are used up whole first, the emptiest such first,
    /// then the tightest node for the rest; in a pool billed by the node used nodes first. Precondition: the room is there.
    func fill(_ domain: Int, workers: Int, _ index: borrowing DemandIndex, into runs: inout [NodeRun]) {
        let range = layout.nodeRange(domain)
        if workers == index.domainFit(domain) {
            if index.fullMask != 0 && workers == range.count * index.perNode {
                append(range, mask: index.fullMask, workers: index.perNode, to: &runs)
                return
            }
            for node in range where index.nodeFit[node] > 0 {
                append(node, workers: Int(index.nodeFit[node]), index, to: &runs)
            }
            return
        }
        if isBilledByNode && usedInDomain[domain] > 0 {
            return fillUsedFirst(domain, workers: workers, index, into: &runs)
        }
        let start = runs.count
        var left = workers
        var fitClass = index.classes - 1
        while left > 0 && fitClass > 0 {
            if FitClass.least(fitClass) <= left && index.nodes(withClass: fitClass, domain: domain) > 0 {
                for node in range {
                    let fit = Int(index.nodeFit[node])
                    if fit == 0 || fit > left || FitClass.of(fit) != fitClass { continue }
                    append(node, workers: fit, index, to: &runs)
                    left -= fit
                }
            }
            fitClass -= 1
        }
        if left == 0 { return }
        // Every node of a fit up to `left` is used, so some node of a larger fit is free whole and holds the rest.
        var best: Int?
        for node in range {
            let fit = Int(index.nodeFit[node])
            if fit <= left || best.map({ fit >= Int(index.nodeFit[$0]) }) ?? false { continue }
            if !isUsed(node, in: runs, from: start) { best = node }
        }
        guard let best else { preconditionFailure("the index promised room in a domain that is not there") }
        append(best, workers: left, index, to: &runs)
    }

    /// Whether `node` is in the runs from `start` on, or in the one before, which may have been joined to.
    private func isUsed(_ node: Int, in runs: [NodeRun], from start: Int) -> Bool {
        for run in runs[max(0, start - 1)...] where run.nodes.contains(node) { return true }
        return false
    }

    /// Adds the lowest free GPUs of a node for `workers`; for shares, of the fullest GPUs that hold them.
    @inline(__always)
    func append(_ node: Int, workers: Int, _ index: borrowing DemandIndex, to runs: inout [NodeRun]) {
        let need = index.need
        if need.isShare { return appendShares(node, workers: workers, size: need.gpuMilli, to: &runs) }
        let mask = Self.lowest(workers * need.gpus, of: columns[node].gpuMask)
        append(node..<node + 1, mask: mask, workers: workers, to: &runs)
    }

    /// Adds neighbours with equal masks, joined to the run before where they continue it.
    @inline(__always)
    private func append(_ nodes: Range<Int>, mask: UInt16, workers: Int, to runs: inout [NodeRun]) {
        let last = runs.count - 1
        if last >= 0, runs[last].gpuMask == mask, Int(runs[last].workers) == workers,
            runs[last].nodes.upperBound == nodes.lowerBound,
            Int(runs[last].nodeCount) + nodes.count <= Int(UInt16.max)
        {
            runs[last].nodeCount += UInt16(nodes.count)
        } else {
            runs.append(
                NodeRun(
                    node: UInt32(nodes.lowerBound), nodeCount: UInt16(nodes.count), gpuMask: mask,
                    workers: UInt16(workers)))
        }
    }

    /// Shares on the GPU with least free that holds one, then the next; the lowest of equal ones.
    private func appendShares(_ node: Int, workers: Int, size: Int, to runs: inout [NodeRun]) {
        var left = workers
        var used: UInt16 = 0
        while left > 0 {
            var best: (free: Int, gpu: Int)?
            for gpu in 0..<shape.gpus where used >> UInt16(gpu) & 1 == 0 {
                let free = shares.free(node, gpu: gpu)
                if free >= size, best.map({ free < $0.free }) ?? true { best = (free, gpu) }
            }
            guard let best else { preconditionFailure("the index promised shares that are not there") }
            let taken = min(left, best.free / size)
            append(node..<node + 1, mask: 1 << UInt16(best.gpu), workers: taken, to: &runs)
            used |= 1 << UInt16(best.gpu)
            left -= taken
        }
    }

    /// Adds one worker on a node; a share on the lowest GPU that has exactly so much free.
    func place(_ need: WorkerNeed, on node: Int, gpuMilli: Int, into runs: inout [NodeRun]) {
        var mask: UInt16 = 0
        if need.isShare {
            guard let gpu = (0..<shape.gpus).first(where: { shares.free(node, gpu: $0) == gpuMilli }) else {
                preconditionFailure("the scoring names a GPU that the node has not")
            }
            mask = 1 << UInt16(gpu)
        } else {
            mask = Self.lowest(need.gpus, of: columns[node].gpuMask)
        }
        append(node..<node + 1, mask: mask, workers: 1, to: &runs)
    }

    @inline(__always)
    private static func lowest(_ count: Int, of mask: UInt16) -> UInt16 {
        var rest = mask
        for _ in 0..<count { rest &= rest &- 1 }
        return mask & ~rest
    }
}
