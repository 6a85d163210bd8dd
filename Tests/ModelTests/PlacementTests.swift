// What a placement says of itself.

import Model
import Testing

@Suite struct PlacementTests {
    @Test func `A placement counts its nodes, GPUs and workers over all runs`() {
        let placement = Placement(
            pool: PoolSlot(0), tier: .block, gpusPerWorker: 2, cpuMillisPerWorker: 0, memoryMiBPerWorker: 0,
            runs: [NodeRun(node: 8, nodeCount: 3, gpuMask: 0b1111), NodeRun(node: 2, nodeCount: 1, gpuMask: 0b0110)])
        #expect(placement.nodeCount == 4)
        #expect(placement.gpuCount == 14)
        #expect(placement.workerCount == 7)
        #expect((0..<13).filter { placement.holds(node: $0) } == [2, 8, 9, 10])
        var nodes: [Int] = []
        placement.forEachNode { node, gpuMask in
            nodes.append(node)
            #expect(gpuMask == (node == 2 ? 0b0110 : 0b1111))
        }
        #expect(nodes == [8, 9, 10, 2])
        #expect(Placement.none.gpuCount == 0)
    }
}
