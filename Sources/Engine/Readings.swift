// What only the engine can tell of the present: free capacity by pool and tier, how many gangs fit, and the queue by shape.
// The state's own values are read from a copy of the state instead.

public import Model
import Packing

/// How many gangs of so many GPUs fit at once, each within one place of a tier.
public struct GangRoom: Hashable, Sendable {
    public let gpus: Int
    public let inOneDomain: Int
    public let inOneBlock: Int
    public let inOnePool: Int
}

/// Free capacity of one pool.
public struct PoolReading: Sendable {
    public let slot: PoolSlot
    public let gpus: Int
    /// GPU capacity that jobs hold, in thousandths of a GPU.
    public let gpuMilliAllocated: Int
    /// The same in GPUs, rounded up.
    public let gpusAllocated: Int
    /// GPUs beyond `gpusAllocated` that no worker may have whole, for shares of them are taken.
    public let gpusBroken: Int
    /// Wholly free, on nodes that accept ordinary work.
    public let gpusFree: Int
    /// Wholly free, on nodes that are cordoned, draining or down, spare, or kept by an exclusive gang or for a waiting job.
    public let gpusUnavailable: Int
    /// Places with nothing taken and every node but spares ready; domains and blocks as large as the pool's largest.
    public let freeNodes: Int
    public let freeDomains: Int
    public let freeBlocks: Int
    /// Largest gang of whole nodes, in GPUs, that fits in one place of each tier.
    public let largestGang: (domain: Int, block: Int, pool: Int)
    public let room: [GangRoom]
}

/// Waiting jobs of one shape.
public struct ShapeReading: Sendable {
    public let jobs: Int
    public let head: Job
}

extension Engine {
    /// Gang sizes, in GPUs, for which room is counted.
    public static let gangSizes = [8, 72, 512, 4096]

    /// Free capacity of every pool. Gangs are counted with workers as large as a node, or as the gang where it is smaller.
    /// Cost: pools times gang sizes times their blocks and domain sizes, not nodes.
    public mutating func poolReadings() -> [PoolReading] {
        var readings: [PoolReading] = []
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            let shape = pool.spec.node
            guard let whole = packer.need(of: Demand(gpus: shape.gpus), pool: index) else { continue }
            func free(_ scope: Tier) -> Int {
                let size = packer.mostWhenEmpty(whole, pool: index, scope: scope)
                return packer.gangsThatFit(workers: size, need: whole, pool: index, scope: scope)
            }
            var room: [GangRoom] = []
            for gpus in Self.gangSizes {
                let perWorker = min(gpus, shape.gpus)
                guard let need = packer.need(of: Demand(gpus: perWorker), pool: index) else { continue }
                let workers = (gpus + perWorker - 1) / perWorker
                room.append(
                    GangRoom(
                        gpus: gpus,
                        inOneDomain: packer.gangsThatFit(workers: workers, need: need, pool: index, scope: .domain),
                        inOneBlock: packer.gangsThatFit(workers: workers, need: need, pool: index, scope: .block),
                        inOnePool: packer.gangsThatFit(workers: workers, need: need, pool: index, scope: .pool)))
            }
            let freeGPUs = packer.freeGPUs(pool: index)
            readings.append(
                PoolReading(
                    slot: PoolSlot(index), gpus: pool.spec.gpuCount, gpuMilliAllocated: pool.gpuMilliAllocated,
                    gpusAllocated: pool.gpusAllocated,
                    gpusBroken: pool.spec.gpuCount - freeGPUs.all - pool.gpusAllocated, gpusFree: freeGPUs.schedulable,
                    gpusUnavailable: freeGPUs.all - freeGPUs.schedulable,
                    freeNodes: free(.node), freeDomains: free(.domain), freeBlocks: free(.block),
                    largestGang: (
                        packer.largestFit(whole, pool: index, scope: .domain) * shape.gpus,
                        packer.largestFit(whole, pool: index, scope: .block) * shape.gpus,
                        packer.largestFit(whole, pool: index, scope: .pool) * shape.gpus
                    ), room: room))
        }
        return readings
    }

    /// Wholly free GPUs, CPU and memory of one node.
    public func free(_ slot: PoolSlot, node: Int) -> (gpuMask: UInt16, cpuMillis: Int, memoryMiB: Int) {
        packer.free(pool: slot.index, node: node)
    }

    /// What is free of one GPU, in thousandths.
    public func freeMilli(_ slot: PoolSlot, node: Int, gpu: Int) -> Int {
        packer.freeMilli(pool: slot.index, node: node, gpu: gpu)
    }

    /// The queue by shape, in the order in which the shapes' first jobs stand, at most `limit` shapes.
    public mutating func queueReading(limit: Int) -> [ShapeReading] {
        var heads: [(key: OrderKey, jobs: Int)] = []
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            // Where all lines are passed over, the first of them stands for the shape.
            let key =
                head(of: shape)?.key
                ?? queue.lines[shape].compactMap { state.jobs[$0.first.number] }
                .map { self.key(of: $0) }.min()
            if let key { heads.append((key, queue.count(shape))) }
        }
        heads.sort { $0.key < $1.key }
        return heads.prefix(limit).compactMap { key, jobs in
            state.jobs[key.number].map { ShapeReading(jobs: jobs, head: $0) }
        }
    }

    /// Distinct shapes that wait.
    public var queuedShapes: Int { queue.busy }

    /// What is free, as one number: equal after recovery exactly when every node's free GPUs, CPU and memory are.
    public func capacityDigest() -> UInt64 { packer.digest() }

    /// The first disagreement inside the packer's indexes, or nil. For tests.
    public func firstFault() -> String? { packer.firstFault() }
}
