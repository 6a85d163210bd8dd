// What changes in one pool: runs are taken and given back, flags set and cleared, and every index is kept true meanwhile.
// Knows no gang and no other pool.

import Model

extension PoolPacker {
    /// Whether all that a run holds is free, and stands within this pool.
    func canTake(_ run: NodeRun, of need: WorkerNeed) -> Bool {
        if run.nodeCount == 0 || run.workers == 0 || run.nodes.upperBound > layout.nodes { return false }
        let workers = Int(run.workers)
        let milli = workers * need.gpuMilli
        if need.isShare && (run.gpuMask.nonzeroBitCount != 1 || shares.isEmpty || milli > 1000) { return false }
        if !need.isShare && run.gpuMask.nonzeroBitCount != workers * need.gpus { return false }
        if run.gpuMask & ~full.gpuMask != 0 { return false }
        for node in run.nodes {
            let free = columns[node]
            if workers * need.cpuMillis > Int(free.cpuMillis) { return false }
            if workers * need.memoryMiB > Int(free.memoryMiB) { return false }
            if need.isShare {
                if shares.free(node, gpu: run.gpuMask.trailingZeroBitCount) < milli { return false }
            } else if free.gpuMask & run.gpuMask != run.gpuMask {
                return false
            }
        }
        return true
    }

    /// Takes what a run holds, or gives it back. Precondition: all of it is free, or none of it.
    ///
    /// Nodes change domain by domain, and in each all neighbours in equal state at once: what is the same for every node
    /// stays the same, so they fit the same before and after.
    @inline(__always)
    mutating func change(_ run: NodeRun, of need: WorkerNeed, isTaking: Bool) {
        if need.isShare || !shares.isEmpty { return changeSharing(run, of: need, isTaking: isTaking) }
        let gpus = run.gpuMask.nonzeroBitCount
        let cpuMillis = UInt32(Int(run.workers) * need.cpuMillis)
        let memoryMiB = UInt32(Int(run.workers) * need.memoryMiB)
        let end = run.nodes.upperBound
        var start = run.nodes.lowerBound
        var domain = layout.domain(of: start)
        var open = 0
        while start < end {
            let domainEnd = min(layout.nodeRange(domain).upperBound, end)
            let block = layout.block(of: domain)
            while start < domainEnd {
                let next = columns.endOfEqual(from: start, upTo: domainEnd)
                let old = columns[start]
                let new =
                    isTaking
                    ? old.without(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
                    : old.with(run.gpuMask, cpuMillis: cpuMillis, memoryMiB: memoryMiB, full: full)
                columns.fill(start..<next, with: new)
                if old.isOpen { open += next - start }
                noteUse(start..<next, from: old, to: new, domain: domain, block: block)
                refresh(start..<next, from: old, to: new, domain: domain, block: block)
                start = next
            }
            domain += 1
        }
        let sign = isTaking ? -gpus : gpus
        gpusFree += sign * Int(run.nodeCount)
        gpusOpen += sign * open
    }

    /// The same in a pool that allows shares: node by node, for equal words say nothing of shares.
    private mutating func changeSharing(_ run: NodeRun, of need: WorkerNeed, isTaking: Bool) {
        let cpuMillis = UInt32(Int(run.workers) * need.cpuMillis)
        let memoryMiB = UInt32(Int(run.workers) * need.memoryMiB)
        for node in run.nodes {
            let old = columns[node]
            var mask = run.gpuMask
            if need.isShare {
                let gpu = mask.trailingZeroBitCount
                let before = shares.free(node, gpu: gpu)
                let milli = Int(run.workers) * need.gpuMilli
                let after = before + (isTaking ? -milli : milli)
                precondition(0 <= after && after <= 1000, "a share of a GPU would be given twice")
                shares.set(node, gpu: gpu, to: after)
                // The mask holds wholly free GPUs only.
                mask = (before == 1000) != (after == 1000) ? mask : 0
            } else {
                for gpu in 0..<shape.gpus where mask >> UInt16(gpu) & 1 == 1 {
                    shares.set(node, gpu: gpu, to: isTaking ? 0 : 1000)
                }
            }
            let new =
                isTaking
                ? old.without(mask, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
                : old.with(mask, cpuMillis: cpuMillis, memoryMiB: memoryMiB, full: full)
            columns.fill(node..<node + 1, with: new)
            let gpus = new.gpus - old.gpus
            gpusFree += gpus
            if old.isOpen { gpusOpen += gpus }
            let domain = layout.domain(of: node)
            let block = layout.block(of: domain)
            noteUse(node..<node + 1, from: old, to: new, domain: domain, block: block)
            refreshSharing(node, domain: domain, block: block)
        }
    }

    @inline(__always)
    private func noteUse(_ nodes: Range<Int>, from old: NodeFree, to new: NodeFree, domain: Int, block: Int) {
        let (was, isNow) = (old.isUsed(full: full), new.isUsed(full: full))
        if was == isNow { return }
        let change = isNow ? UInt32(nodes.count) : 0 &- UInt32(nodes.count)
        let before = usedInDomain[domain]
        let after = before &+ change
        usedInDomain[domain] = after
        usedInBlock[block] &+= change
        if before == 0 || after == 0 { noteOpen(domain) }
    }

    /// Brings the row of open domains up to date with one of them.
    func noteOpen(_ domain: Int) {
        if usedInDomain[domain] == 0 && !isKept(domain) || isOwn[domain] == 1 {
            openDomains.insert(domain, row: 0)
        } else {
            openDomains.remove(domain, row: 0)
        }
    }

    /// Marks the places in which a run of an exclusive gang stands as its own, or clears the marks.
    func setOwn(_ run: NodeRun, _ exclusive: Tier?, _ isSet: Bool) {
        let domains = layout.domain(of: run.nodes.lowerBound)...layout.domain(of: run.nodes.upperBound - 1)
        for domain in exclusiveDomains(domains, exclusive) {
            isOwn[domain] = isSet ? 1 : 0
            noteOpen(domain)
        }
    }

    /// Sets or clears one reason why new work may not come to a node. What is there stays there.
    mutating func setFlag(_ flag: NodeFree.Flags, _ isSet: Bool, node: Int) {
        let old = columns[node]
        var new = old
        if isSet { new.flags.insert(flag) } else { new.flags.remove(flag) }
        if new == old { return }
        columns.fill(node..<node + 1, with: new)
        gpusOpen += (new.isOpen ? old.gpus : 0) - (old.isOpen ? old.gpus : 0)
        let domain = layout.domain(of: node)
        let block = layout.block(of: domain)
        if flag == .reserved { noteKept(1, isSet, domain: domain) }
        if shares.isEmpty {
            refresh(node..<node + 1, from: old, to: new, domain: domain, block: block)
        } else {
            refreshSharing(node, domain: domain, block: block)
        }
    }

    /// Whether a domain has nodes that are kept for someone.
    @inline(__always)
    func isKept(_ domain: Int) -> Bool { keptInDomain.count > 0 && keptInDomain[domain] > 0 }

    mutating func noteKept(_ nodes: Int, _ isSet: Bool, domain: Int) {
        if keptInDomain.count == 0 {
            keptInDomain = Column(count: layout.domains)
            keptInBlock = Column(count: layout.blocks)
        }
        let change = isSet ? UInt32(nodes) : 0 &- UInt32(nodes)
        keptInDomain[domain] &+= change
        keptInBlock[layout.block(of: domain)] &+= change
        noteOpen(domain)
    }

    /// The same for neighbouring nodes, all that are in equal state at once.
    mutating func setFlag(_ flag: NodeFree.Flags, _ isSet: Bool, nodes: Range<Int>) {
        var start = nodes.lowerBound
        if !shares.isEmpty {
            for node in nodes { setFlag(flag, isSet, node: node) }
            return
        }
        while start < nodes.upperBound {
            let domain = layout.domain(of: start)
            let domainEnd = min(layout.nodeRange(domain).upperBound, nodes.upperBound)
            let next = columns.endOfEqual(from: start, upTo: domainEnd)
            let old = columns[start]
            var new = old
            if isSet { new.flags.insert(flag) } else { new.flags.remove(flag) }
            if new != old {
                columns.fill(start..<next, with: new)
                if flag == .reserved { noteKept(next - start, isSet, domain: domain) }
                gpusOpen += ((new.isOpen ? old.gpus : 0) - (old.isOpen ? old.gpus : 0)) * (next - start)
                refresh(start..<next, from: old, to: new, domain: domain, block: layout.block(of: domain))
            }
            start = next
        }
    }

    /// Brings every index up to date with nodes of one domain that all went from one state to another.
    @inline(__always)
    private func refresh(_ range: Range<Int>, from old: NodeFree, to new: NodeFree, domain: Int, block: Int) {
        if isScored { for node in range { noteState(node) } }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            let fits = indexes[at].nodeFits
            indexes[at].refresh(
                range, from: indexes[at].fit(old), to: indexes[at].fit(new), domain: domain, block: block)
            if indexes[at].nodeFits != fits { note(index: at, from: fits) }
        }
    }

    private func refreshSharing(_ node: Int, domain: Int, block: Int) {
        if isScored { noteState(node) }
        for at in 0..<indexes.count where indexes.isFilled(at) {
            let fit = fit(indexes[at], node: node)
            let fits = indexes[at].nodeFits
            indexes[at].refresh(
                node..<node + 1, from: Int(indexes[at].nodeFit[node]), to: fit, domain: domain, block: block)
            if indexes[at].nodeFits != fits { note(index: at, from: fits) }
        }
    }
}
