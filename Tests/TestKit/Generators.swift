// Seeded draws of pools, demands and gangs for property tests. One seed gives one case on every machine.

public import Model

/// A small seeded generator. Source: Sebastiano Vigna, splitmix64 (2015).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed &* 0x2545_F491_4F6C_DD1D &+ 1 }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    public mutating func pick(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    public mutating func pick<Value>(_ values: [Value]) -> Value { values[pick(0...values.count - 1)] }

    /// Whether an event of so many percent happens.
    public mutating func chance(percent: Int) -> Bool { pick(1...100) <= percent }
}

/// A pool to be put: its description, and the larger arrangement that it may grow to.
public struct DrawnPool: Sendable {
    public var spec: PoolSpec
    public var grown: Topology

    public init(spec: PoolSpec, grown: Topology) {
        self.spec = spec
        self.grown = grown
    }

    public var topology: Topology { spec.topology }
    public var shape: NodeShape { spec.node }
}

extension SeededRandom {
    /// A pool of 1 to about 100 nodes, or 1 to about 8 where it is small, counted or listed, with 1 to 16 GPUs a node,
    /// that is sold at one of a few prices in one of a few regions; sometimes with shares, spare nodes or cliques, and
    /// sometimes billed by the node.
    public mutating func pool(number: Int = 0, isSmall: Bool = false) -> DrawnPool {
        let gpus = isSmall ? pick(1...4) : pick([1, 2, 3, 4, 4, 6, 8, 8, 15, 16])
        let shape = NodeShape(
            gpus: gpus, cpuMillis: pick([gpus * 1000, gpus * 12_500 + 7, 0]),
            memoryMiB: pick([gpus * 4096, gpus * 999 + 1, 0]))
        let most = isSmall ? 2 : 6
        let topology: Topology
        let grown: Topology
        if chance(percent: 50) {
            let (domainsPerBlock, nodesPerDomain) = (pick(1...most), pick(1...most))
            let blocks = pick(1...(isSmall ? 2 : 3))
            let cliques = chance(percent: 20) && nodesPerDomain % 2 == 0 ? 2 : 1
            func counts(_ blocks: Int) -> Topology {
                .counts(
                    blocks: blocks, domainsPerBlock: domainsPerBlock, nodesPerDomain: nodesPerDomain,
                    cliquesPerDomain: cliques)
            }
            (topology, grown) = (counts(blocks), counts(blocks + pick(0...2)))
        } else {
            let listings = self.listings(blocks: 0..<pick(1...(isSmall ? 2 : 4)), most: most)
            let more = self.listings(blocks: 10..<10 + pick(0...2), most: most)
            (topology, grown) = (.nodes(listings), .nodes(listings + more))
        }
        return DrawnPool(
            spec: PoolSpec(
                name: "pool-\(number)", provider: pick(["aws", "gcp"]), region: pick(["east", "west"]),
                accelerator: pick(["gb300", "h100"]), node: shape, topology: topology,
                allowsGPUShares: chance(percent: 50),
                sparesPerDomain: chance(percent: 20) ? pick(1...2) : 0,
                billing: chance(percent: 40) ? .node : .gpu,
                priceMicroUSDPerGPUHour: Int64(pick([0, 1_000_000, 2_000_000, 2_000_000, 2_345_671, 8_000_003]))),
            grown: grown)
    }

    /// Nodes of domains of unequal sizes in blocks of unequal sizes.
    private mutating func listings(blocks: Range<Int>, most: Int) -> [NodeListing] {
        var listings: [NodeListing] = []
        for block in blocks {
            for domain in 0..<pick(1...max(2, most - 1)) {
                let hasCliques = chance(percent: 20)
                for node in 0..<pick(1...most) {
                    listings.append(
                        NodeListing(
                            name: "\(block)-\(domain)-\(node)", domain: "rack\(domain)",
                            clique: hasCliques ? "c\(node % 2)" : "", block: "block\(block)"))
                }
            }
        }
        return listings
    }

    /// A demand for nodes like `shape`: mostly bound by GPUs, sometimes by CPU or memory, now and then by nothing
    /// that a node has.
    public mutating func demand(for shape: NodeShape) -> Demand {
        var demand = Demand(gpus: pick(1...min(shape.gpus + 1, 16)))
        if chance(percent: 30) { demand.cpuMillis = pick(0...shape.cpuMillis + shape.cpuMillis / 10) }
        if chance(percent: 30) { demand.memoryMiB = pick(0...shape.memoryMiB + shape.memoryMiB / 10) }
        return demand
    }

    /// Small gangs mostly, some as large as a fleet.
    public mutating func workers() -> Int {
        switch pick(0...9) {
        case 0..<4: 1
        case 4..<7: pick(2...8)
        case 7..<9: pick(2...40)
        default: pick(1...400)
        }
    }

    public mutating func scope() -> Tier { pick([.node, .domain, .block, .pool]) }
}
