// Proof that the indexes are true: everything is counted again from the node columns. For tests and for doubt.

import Model

extension Packer {
    /// The first disagreement between columns and indexes of any pool, or nil. Cost: all nodes times all indexes.
    public func firstFault() -> String? {
        for number in 0..<pools.count where pools.isFilled(number) {
            if let fault = pools[number].firstFault() { return "pool \(number): \(fault)" }
        }
        return nil
    }

    /// A digest of all free capacity. Equal states have equal digests, whatever led to them.
    public func digest() -> UInt64 {
        var digest = Digest(seed: 5)
        for number in 0..<pools.count where pools.isFilled(number) {
            digest.add(number)
            for node in 0..<pools[number].layout.nodes {
                let free = pools[number].columns[node]
                digest.add(UInt64(free.gpuMask) << 1 | (free.isSchedulable ? 1 : 0))
                digest.add(UInt64(free.cpuMillis) << 32 | UInt64(free.memoryMiB))
            }
        }
        return digest.value
    }
}

extension PoolPacker {
    func firstFault() -> String? {
        var free = 0
        var schedulable = 0
        for node in 0..<layout.nodes {
            let here = columns[node]
            free += here.gpus
            if here.isSchedulable { schedulable += here.gpus }
            if here.cpuMillis > shape.cpuMillis { return "node \(node) has more CPU than its shape" }
            if here.memoryMiB > shape.memoryMiB { return "node \(node) has more memory than its shape" }
            if Int(here.gpuMask) >> shape.gpus != 0 { return "node \(node) has GPUs beyond its shape" }
        }
        if free != gpusFree { return "\(gpusFree) free GPUs are counted, \(free) are there" }
        if schedulable != gpusSchedulable { return "\(gpusSchedulable) schedulable GPUs counted, \(schedulable) there" }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            if let fault = firstFault(of: indexes[at]) { return fault }
        }
        return nil
    }

    private func firstFault(of index: borrowing DemandIndex) -> String? {
        var total = 0
        var nodeFits: UInt32 = 0
        for block in 0..<layout.blocks {
            var inBlock = 0
            for domain in layout.domainRange(block) {
                var inDomain = 0
                var byFit = [Int](repeating: 0, count: index.perNode + 1)
                for node in layout.nodeRange(domain) {
                    let fit = index.fit(columns[node])
                    if Int(index.nodeFit[node]) != fit { return "node \(node): fit \(index.nodeFit[node]), not \(fit)" }
                    inDomain += fit
                    byFit[fit] += 1
                    if fit > 0 { nodeFits |= 1 << UInt32(fit) }
                }
                for fit in 1...index.perNode {
                    if index.nodes(withFit: fit, domain: domain) != byFit[fit] {
                        return "domain \(domain): count of fit \(fit)"
                    }
                    if index.hasNode.contains(domain, row: fit) != (byFit[fit] > 0) {
                        return "domain \(domain): bit of fit \(fit)"
                    }
                }
                if index.domainFit(domain) != inDomain {
                    return "domain \(domain): fit \(index.domainFit(domain))"
                }
                for fit in 0..<index.byFit.count
                where index.byFit.contains(domain, bucket: fit) != (fit == inDomain) {
                    return "domain \(domain): stands in bucket \(fit)"
                }
                inBlock += inDomain
            }
            if Int(index.blockFit[block]) != inBlock { return "block \(block): fit \(index.blockFit[block])" }
            total += inBlock
        }
        if index.total != total { return "the pool's fit is \(index.total), not \(total)" }
        if index.nodeFits != nodeFits { return "the pool's node fits differ" }
        for fit in 0..<index.byFit.count
        where index.fits.contains(fit, row: 0) != (index.byFit.members(fit) > 0) {
            return "the summary of fit \(fit) differs"
        }
        return nil
    }
}
