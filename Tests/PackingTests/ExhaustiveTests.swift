// Every state of three nodes, every gang: nothing is left to chance.

import Model
import Packing
import TestKit
import Testing

@Suite struct ExhaustiveTests {
    /// Which domain and block each of three nodes belongs to.
    static let arrangements: [[(domain: String, block: String)]] = [
        [("d0", "b0"), ("d0", "b0"), ("d0", "b0")],
        [("d0", "b0"), ("d0", "b0"), ("d1", "b0")],
        [("d0", "b0"), ("d1", "b0"), ("d1", "b0")],
        [("d0", "b0"), ("d1", "b0"), ("d2", "b0")],
        [("d0", "b0"), ("d0", "b0"), ("d1", "b1")],
        [("d0", "b0"), ("d1", "b0"), ("d2", "b1")],
        [("d0", "b0"), ("d1", "b1"), ("d2", "b2")],
    ]

    @Test(arguments: arrangements.indices)
    func `Three nodes in every state place every gang as the reference does`(arrangement: Int) {
        let listings = Self.arrangements[arrangement].enumerated().map { index, place in
            NodeListing(name: "n\(index)", domain: place.domain, block: place.block)
        }
        let layout = PoolLayout(.nodes(listings))
        let shape = NodeShape(gpus: 2, cpuMillis: 3, memoryMiB: 2)
        let demands = [Demand(gpus: 1), Demand(gpus: 2), Demand(gpus: 1, cpuMillis: 2)]
        var packer = Packer()
        packer.put(pool: 0, layout: layout, shape: shape)
        var gangs: [Gang] = []
        for demand in demands {
            for scope in Scope.allCases {
                gangs.append(packer.gang(workers: 1, demand: demand, scope: scope, pools: [(pool: 0, rank: 0)]))
            }
        }
        // The state of a node: two bits of GPUs that are taken, and one more where it takes nothing new.
        for state in 0..<512 {
            var reference = ReferencePacker()
            reference.put(pool: 0, layout: layout, shape: shape)
            var taken: [Placement] = []
            for node in 0..<3 {
                let bits = state >> (3 * node) & 7
                if bits & 3 > 0 {
                    let run = NodeRun(node: UInt32(node), nodeCount: 1, gpuMask: UInt16(bits & 3))
                    let placement = Placement(
                        pool: PoolSlot(0), tier: .node, gpusPerWorker: 1, cpuMillisPerWorker: 1, memoryMiBPerWorker: 1,
                        runs: [run])
                    taken.append(placement)
                    packer.take(placement)
                    reference.take(placement)
                }
                packer.setSchedulable(pool: 0, node: node, bits & 4 == 0)
                reference.setSchedulable(pool: 0, node: node, bits & 4 == 0)
            }
            for at in gangs.indices {
                for workers in 1...7 {
                    gangs[at].workers = workers
                    var placement = Placement.none
                    let found = packer.find(gangs[at], into: &placement)
                    let expected = reference.find(
                        workers: workers, demand: demands[at / 4], scope: gangs[at].scope, pools: [(pool: 0, rank: 0)])
                    let isRight =
                        found == (expected != nil) && placement.masks == expected?.masks ?? []
                        && (!found || placement.tier == expected?.tier)
                    if !isRight {
                        Issue.record("state \(state), \(workers) of \(demands[at / 4]) in \(gangs[at].scope)")
                    }
                }
            }
            let fault = packer.firstFault()
            #expect(fault == nil, "state \(state)")
            for placement in taken { packer.give(placement) }
        }
    }
}
