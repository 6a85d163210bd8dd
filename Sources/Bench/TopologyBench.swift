// How few domains gangs touch: random small fleets, filled through the packer, and gangs whose least number of domains is known
// by counting; and how many whole domains are left free, against plain best fit by domain.

import Model
import Packing

/// Fleets of some seeds at three fills.
public struct TopologyBench: Sendable {
    public var seeds: ClosedRange<UInt64> = 1...200
    public var fills = [50, 80, 95]

    public static let full = TopologyBench()
    /// Small enough for a test.
    public static let smoke = TopologyBench(seeds: 1...4)

    public init(seeds: ClosedRange<UInt64> = 1...200) { self.seeds = seeds }

    public func run() -> Report {
        var figures: [Figure] = []
        var digest = Digest(seed: 0)
        for fill in fills {
            var touched = 0
            var least = 0
            var gangs = 0
            var wholeOurs = 0
            var wholeBestFit = 0
            var lower = 0
            for seed in seeds {
                var fleet = TopologyFleet(seed: seed)
                fleet.fill(percent: fill)
                let (ours, bestFit) = fleet.wholeDomains
                wholeOurs += ours
                wholeBestFit += bestFit
                if ours < bestFit { lower += 1 }
                for _ in 0..<20 {
                    guard let (domains, exact) = fleet.probe() else { continue }
                    touched += domains
                    least += exact
                    gangs += 1
                }
            }
            for count in [touched, least, wholeOurs, wholeBestFit] { digest.add(count) }
            figures += [
                Figure("gangsAt\(fill)", Double(gangs), "gangs"),
                Figure(
                    "domainsOverLeastAt\(fill)", Double(touched) / Double(max(1, least)), "ratio",
                    goal: "at most 1.02"),
                Figure("wholeDomainsAt\(fill)", Double(wholeOurs), "domains", goal: "at least \(wholeBestFit)"),
                Figure("fleetsWithFewerWholeDomainsAt\(fill)", Double(lower), "fleets", goal: "0"),
            ]
        }
        return Report(benchmark: "topology", figures: figures, hash: digest.value)
    }
}

/// One pool, the packer over it, and a plain best fit over the same jobs.
private struct TopologyFleet: ~Copyable {
    private let blocks: Int
    private let domains: Int
    private let nodes: Int
    private let gpus: Int
    private var packer = Packer()
    private var random: SeededGenerator
    private var held: [(ours: Placement, theirs: [Int: Int])] = []
    /// By domain: free nodes of the plain best fit, which knows whole nodes only.
    private var freeOfBestFit: [Int]
    private var taken = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        blocks = random.pick(1...3)
        domains = random.pick(3...8)
        nodes = random.pick(4...18)
        gpus = 4
        freeOfBestFit = Array(repeating: nodes, count: blocks * domains)
        let topology = Topology.counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: nodes)
        let shape = NodeShape(gpus: gpus, cpuMillis: 144_000, memoryMiB: 983_040)
        packer.put(
            pool: 0, layout: PoolLayout(topology),
            spec: PoolSpec(
                name: "t", provider: "p", region: "r", accelerator: "a", node: shape, topology: topology))
    }

    private mutating func gang(_ workers: Int) -> Gang {
        packer.gang(
            GangForm(groups: [.init(count: workers, demand: Demand(gpus: gpus))], scope: .pool),
            pools: [Candidate(pool: 0, rank: 0)])
    }

    private mutating func draw() -> Int {
        switch random.pick(0...9) {
        case 0..<5: random.pick(1...max(1, nodes / 3))
        case 5..<9: random.pick(1...nodes)
        default: random.pick(nodes...nodes * 2)
        }
    }

    /// Gangs of whole nodes come and go until so much is taken; both packers serve the same ones.
    mutating func fill(percent: Int) {
        let all = blocks * domains * nodes
        var placement = Placement.none
        for _ in 0..<all * 4 {
            let workers = draw()
            if (taken + workers) * 100 <= all * percent, packer.find(gang(workers), into: &placement),
                let theirs = bestFit(workers)
            {
                packer.take(placement)
                for (domain, count) in theirs { freeOfBestFit[domain] -= count }
                held.append((placement, theirs))
                taken += workers
            } else if !held.isEmpty {
                let (ours, theirs) = held.remove(at: random.pick(0...held.count - 1))
                packer.give(ours)
                for (domain, count) in theirs { freeOfBestFit[domain] += count }
                taken -= ours.workerCount
            }
        }
    }

    /// The domain with least room that holds the gang, else the roomiest ones.
    private func bestFit(_ workers: Int) -> [Int: Int]? {
        let order = freeOfBestFit.indices.sorted { (freeOfBestFit[$0], $0) < (freeOfBestFit[$1], $1) }
        if let domain = order.first(where: { freeOfBestFit[$0] >= workers }) { return [domain: workers] }
        var left = workers
        var used: [Int: Int] = [:]
        for domain in order.reversed() where left > 0 {
            let count = min(left, freeOfBestFit[domain])
            if count > 0 { used[domain] = count }
            left -= count
        }
        return left == 0 ? used : nil
    }

    /// Free nodes by domain, read from the packer node by node.
    private var free: [Int] {
        (0..<blocks * domains).map { domain in
            (0..<nodes).count { packer.free(pool: 0, node: domain * nodes + $0).gpuMask == 15 }
        }
    }

    var wholeDomains: (ours: Int, bestFit: Int) {
        (free.count { $0 == nodes }, freeOfBestFit.count { $0 == nodes })
    }

    /// The domains that one more gang touches, and the least that it could within the smallest tier that holds it: the
    /// roomiest domains of a place suffice with the fewest. Nil where it fits nowhere.
    mutating func probe() -> (domains: Int, least: Int)? {
        let workers = random.pick(1...nodes * 3)
        let free = free
        func least(_ range: Range<Int>) -> Int? {
            var left = workers
            for (count, room) in free[range].sorted(by: >).enumerated() {
                left -= room
                if left <= 0 { return count + 1 }
            }
            return nil
        }
        let inBlocks = (0..<blocks).compactMap { least($0 * domains..<($0 + 1) * domains) }.min()
        guard let exact = inBlocks ?? least(0..<blocks * domains) else { return nil }
        var placement = Placement.none
        guard packer.find(gang(workers), into: &placement) else { return nil }
        var touched: Set<Int> = []
        for run in placement.runs { for node in run.nodes { touched.insert(node / nodes) } }
        return (touched.count, exact)
    }
}
