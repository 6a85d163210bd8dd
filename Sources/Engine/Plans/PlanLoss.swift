// What stopping a gang loses and saves: the one place that says how much work is lost, and what leaves the bill.

public import Model
import Packing

extension Job {
    /// What is lost if the job is stopped at a moment: all that it did since its last checkpoint, or else its start.
    public func timeLost(ifStoppedAt moment: Timestamp) -> GPUTime {
        guard isRunning, let start = life.unsavedSince, moment > start, let placement = life.placement else {
            return .zero
        }
        return GPUTime(
            gpuMilli: placement.gpuMilli, seconds: moment.nanoseconds(since: start) / 1_000_000_000)
    }
}

extension Engine {
    /// What leaves the bill with a gang that has just given `placement` back: the opposite of `PlacementCost.price`, as the
    /// nodes are now.
    func billReleased(by placement: Placement) -> Int64 {
        var total: Int128 = 0
        let spans = spans(of: placement)
        if placement.exclusive != nil {
            for span in spans { total += nodePrice(span.nodes.count, of: span.pool) }
            return Int64(clamping: total)
        }
        for (at, part) in placement.parts.enumerated() where state[part.pool].spec.billing == .gpu {
            let price = Int128(placement.gpuMilli(at)) * Int128(state[part.pool].spec.priceMicroUSDPerGPUHour)
            total += (price + 999) / 1000
        }
        for span in spans where state.pools[span.pool].spec.billing == .node {
            total += nodePrice(span.nodes.count { isUnused($0, of: span.pool) }, of: span.pool)
        }
        return Int64(clamping: total)
    }

    private func nodePrice(_ nodes: Int, of pool: Int) -> Int128 {
        let spec = state.pools[pool].spec
        return Int128(nodes * spec.node.gpus) * Int128(spec.priceMicroUSDPerGPUHour)
    }

    /// Whether nothing of a node is taken.
    private func isUnused(_ node: Int, of pool: Int) -> Bool {
        let free = packer.free(pool: pool, node: node)
        let shape = state.pools[pool].spec.node
        return free.gpuMask.nonzeroBitCount == shape.gpus && free.cpuMillis == shape.cpuMillis
            && free.memoryMiB == shape.memoryMiB
    }
}
