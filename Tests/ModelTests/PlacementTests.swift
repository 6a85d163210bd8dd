// What a placement says of itself.

import Model
import Testing

@Suite struct PlacementTests {
    @Test func `A placement counts its workers and GPUs part by part`() {
        let whole = WorkerNeed(gpus: 2, cpuMillis: 0, memoryMiB: 0)
        let share = WorkerNeed(gpus: 1, gpuMilli: 250, cpuMillis: 0, memoryMiB: 0)
        let loader = WorkerNeed(gpus: 0, cpuMillis: 4000, memoryMiB: 0)
        let placement = Placement(
            tier: .block,
            parts: [
                PlacementPart(group: 0, pool: PoolSlot(0), need: whole, runEnd: 2),
                PlacementPart(group: 1, pool: PoolSlot(4), need: share, runEnd: 3),
                PlacementPart(group: 2, pool: PoolSlot(4), need: loader, runEnd: 4),
            ],
            runs: [
                NodeRun(node: 8, nodeCount: 3, gpuMask: 0b1111, workers: 2),
                NodeRun(node: 2, nodeCount: 1, gpuMask: 0b0110, workers: 1),
                NodeRun(node: 5, nodeCount: 2, gpuMask: 0b1000, workers: 3),
                NodeRun(node: 6, nodeCount: 1, gpuMask: 0, workers: 7),
            ])
        #expect(placement.parts.indices.map { placement.workerCount($0) } == [7, 6, 7])
        #expect(placement.parts.indices.map { placement.gpuMilli($0) } == [14_000, 1_500, 0])
        #expect(placement.workerCount == 20)
        #expect(placement.gpuMilli == 15_500)
        #expect((0..<13).filter { placement.holds(node: $0, of: PoolSlot(0)) } == [2, 8, 9, 10])
        #expect((0..<13).filter { placement.holds(node: $0, of: PoolSlot(4)) } == [5, 6])
        #expect(Placement.none.gpuMilli == 0)
    }
}
