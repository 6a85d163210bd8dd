// Proof that the indexes are true: everything is counted again from the node columns. For tests and for doubt.

import Model

extension Packer {
    /// The first disagreement between columns and indexes of any pool, or nil. Cost: all nodes times all indexes.
    public func firstFault() -> String? {
        for number in 0..<pools.count where pools.isFilled(number) {
            if let fault = pools[number].firstFault() ?? pools[number].firstFaultOnBoard() {
                return "pool \(number): \(fault)"
            }
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
                digest.add(UInt64(free.gpuMask) << 8 | UInt64(free.flags.rawValue))
                digest.add(UInt64(free.cpuMillis) << 32 | UInt64(free.memoryMiB))
                if pools[number].shares.isEmpty { continue }
                for gpu in 0..<pools[number].shape.gpus { digest.add(pools[number].shares.free(node, gpu: gpu)) }
            }
        }
        return digest.value
    }
}

extension PoolPacker {
    func firstFault() -> String? {
        var free = 0
        var open = 0
        for block in 0..<layout.blocks {
            var usedInThisBlock = 0
            var keptInThisBlock = 0
            for domain in layout.domainRange(block) {
                var used = 0
                var kept = 0
                for node in layout.nodeRange(domain) {
                    if let fault = firstFault(node: node) { return fault }
                    let here = columns[node]
                    free += here.gpus
                    if here.isOpen { open += here.gpus }
                    if here.isUsed(full: full) { used += 1 }
                    if here.flags.contains(.reserved) { kept += 1 }
                }
                if Int(usedInDomain[domain]) != used { return "domain \(domain): used nodes" }
                if isKept(domain) != (kept > 0) || kept > 0 && Int(keptInDomain[domain]) != kept {
                    return "domain \(domain): kept nodes"
                }
                if isOwn[domain] != 0 { return "domain \(domain) is marked as a trial's own" }
                if openDomains.contains(domain, row: 0) != (used == 0 && kept == 0) {
                    return "domain \(domain): its bit as open"
                }
                usedInThisBlock += used
                keptInThisBlock += kept
            }
            if Int(usedInBlock[block]) != usedInThisBlock { return "block \(block): used nodes" }
            if keptInBlock.count > 0 && Int(keptInBlock[block]) != keptInThisBlock {
                return "block \(block): kept nodes"
            }
        }
        if free != gpusFree { return "\(gpusFree) free GPUs are counted, \(free) are there" }
        if open != gpusOpen { return "\(gpusOpen) open GPUs are counted, \(open) are there" }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            if let fault = firstFault(of: indexes[at]) { return fault }
        }
        return nil
    }

    private func firstFault(node: Int) -> String? {
        let here = columns[node]
        if here.cpuMillis > shape.cpuMillis { return "node \(node) has more CPU than its shape" }
        if here.memoryMiB > shape.memoryMiB { return "node \(node) has more memory than its shape" }
        if Int(here.gpuMask) >> shape.gpus != 0 { return "node \(node) has GPUs beyond its shape" }
        if shares.isEmpty { return nil }
        for gpu in 0..<shape.gpus where (here.gpuMask >> UInt16(gpu) & 1 == 1) != (shares.free(node, gpu: gpu) == 1000)
        {
            return "node \(node): the mask and the shares of GPU \(gpu) differ"
        }
        return nil
    }

    private func firstFault(of index: borrowing DemandIndex) -> String? {
        var total = 0
        var nodeFits: UInt64 = 0
        for block in 0..<layout.blocks {
            var inBlock = 0
            for domain in layout.domainRange(block) {
                if let fault = firstFault(of: index, domain: domain, nodeFits: &nodeFits) { return fault }
                inBlock += index.domainFit(domain)
            }
            if Int(index.blockFit[block]) != inBlock { return "block \(block): fit \(index.blockFit[block])" }
            total += inBlock
        }
        if index.total != total { return "the pool's fit is \(index.total), not \(total)" }
        if index.nodeFits != nodeFits { return "the pool's node fits differ" }
        for bucket in 0..<index.byFit.count
        where index.buckets.contains(bucket, row: 0) != (index.byFit.members(bucket) > 0) {
            return "the summary of bucket \(bucket) differs"
        }
        return nil
    }

    private func firstFault(of index: borrowing DemandIndex, domain: Int, nodeFits: inout UInt64) -> String? {
        var inDomain = 0
        var byClass = [Int](repeating: 0, count: index.classes)
        for node in layout.nodeRange(domain) {
            let fit = fit(index, node: node)
            if Int(index.nodeFit[node]) != fit { return "node \(node): fit \(index.nodeFit[node]), not \(fit)" }
            inDomain += fit
            byClass[FitClass.of(fit)] += 1
            if fit > 0 { nodeFits |= 1 << UInt64(FitClass.of(fit)) }
        }
        for fitClass in 1..<index.classes {
            if index.nodes(withClass: fitClass, domain: domain) != byClass[fitClass] {
                return "domain \(domain): count of class \(fitClass)"
            }
            if (index.firstDomain(withClass: fitClass, from: domain) == domain) != (byClass[fitClass] > 0) {
                return "domain \(domain): bit of class \(fitClass)"
            }
        }
        if index.domainFit(domain) != inDomain { return "domain \(domain): fit \(index.domainFit(domain))" }
        for bucket in 0..<index.byFit.count
        where index.byFit.contains(domain, bucket: bucket) != (bucket == index.bucket(of: inDomain)) {
            return "domain \(domain): stands in bucket \(bucket)"
        }
        return nil
    }
}
