// What an elastic gang keeps of its place when it gives up all workers beyond its least: the first of each group.

import Model
import Packing

extension Engine {
    /// The place of a job's least gang within the one that it holds, or nil where it has nothing to give up, or where what is
    /// left would break its rules. A gang that is split over pools keeps them.
    func shrunk(_ placement: Placement, of job: Job) -> Placement? {
        guard job.spec.workers.contains(where: \.isElastic), let pool = placement.parts.first?.pool,
            placement.parts.allSatisfy({ $0.pool == pool })
        else { return nil }
        let form = GangForm(job.spec, scope: job.spec.scope.required)
        let model = state[pool].spec.accelerator
        let speed = form.scaleBySpeed ? job.spec.accelerators.preference(for: model)?.speedMilli ?? 1000 : 1000
        var kept = Placement(tier: placement.tier, exclusive: placement.exclusive)
        var isLess = false
        for (at, part) in placement.parts.enumerated() {
            let least = form.workers(part.group, speedMilli: speed).lowerBound
            if placement.workerCount(at) > least { isLess = true }
            kept.runs += placement.runs[placement.runRange(at)].first(workers: least, of: part.need)
            kept.parts.append(
                PlacementPart(group: part.group, pool: part.pool, need: part.need, runEnd: kept.runs.count))
        }
        if !isLess { return nil }
        kept.tier = tier(of: kept)
        kept.cost = placement.cost.scaled(by: kept.gpuMilli, over: placement.gpuMilli)
        return fault(ofRules: kept, for: job) == nil ? kept : nil
    }
}

extension ArraySlice<NodeRun> {
    /// The runs of the first so many workers.
    fileprivate func first(workers: Int, of need: WorkerNeed) -> [NodeRun] {
        var left = workers
        var kept: [NodeRun] = []
        for run in self where left > 0 {
            let perNode = Int(run.workers)
            let nodes = Swift.min(Int(run.nodeCount), left / perNode)
            if nodes > 0 {
                kept.append(
                    NodeRun(node: run.node, nodeCount: UInt16(nodes), gpuMask: run.gpuMask, workers: run.workers))
                left -= nodes * perNode
            }
            if left > 0 && nodes < Int(run.nodeCount) {
                kept.append(
                    NodeRun(
                        node: run.node + UInt32(nodes), nodeCount: 1,
                        gpuMask: need.isShare ? run.gpuMask : run.gpuMask.lowest(left * need.gpus),
                        workers: UInt16(left)))
                left = 0
            }
        }
        return kept
    }
}

extension UInt16 {
    /// Its lowest set bits, so many of them.
    fileprivate func lowest(_ count: Int) -> UInt16 {
        var rest = self
        for _ in 0..<count { rest &= rest &- 1 }
        return self & ~rest
    }
}

extension PlacementCost {
    /// The same cost for a part of the capacity.
    func scaled(by part: Int, over all: Int) -> PlacementCost {
        if all == 0 { return self }
        func scaled(_ cost: Int64) -> Int64 { Int64(Int128(cost) * Int128(part) / Int128(all)) }
        return PlacementCost(price: scaled(price), fragmentation: scaled(fragmentation), topology: scaled(topology))
    }
}
