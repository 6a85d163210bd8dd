// How few domains gangs touch: random small fleets, filled through the packer, and gangs whose least number of domains is known
// by counting; and how many whole domains are left free, against plain best fit by domain.
//
// Once gangs leave, it is mostly chance which of two rules is ahead in one fleet. Say both held the same until a gang came that
// best fit put on a domain in use, and the other rule elsewhere, on no fewer domains in all. Let every gang leave but this one and
// one that stands on that domain alone: best fit has a whole domain more. Had one stayed that stands on a domain which only the
// other rule chose, it would be the other way round. So a rule that differs from best fit in this is behind it in some fleets, as
// is best fit itself where it breaks a tie another way; only the sum over very many fleets says which rule keeps more.

import Model
import Packing

/// Fleets of some seeds at three fills.
public struct TopologyBench: Sendable {
    public var seeds: ClosedRange<UInt64> = 1...200
    /// Of fleets from which gangs also leave, to see what is no chance.
    public var leavingSeeds: ClosedRange<UInt64> = 1...5000
    public var fills = [50, 80, 95]
    /// Holds `exact.py`, which confirms what was counted; nil where nothing can.
    public var scripts: String?

    public static let full = TopologyBench()
    /// Small enough for a test.
    public static let smoke = TopologyBench(seeds: 1...4, leavingSeeds: 1...8)

    public init(seeds: ClosedRange<UInt64> = 1...200, leavingSeeds: ClosedRange<UInt64> = 1...5000) {
        self.seeds = seeds
        self.leavingSeeds = leavingSeeds
    }

    public func run() throws -> Report {
        var figures: [Figure] = []
        var digest = Digest(seed: 0)
        for fill in fills {
            let used = measure(fill)
            let filled = whole(fill, seeds: seeds, isLeaving: false)
            let left = whole(fill, seeds: leavingSeeds, isLeaving: true)
            for sum in [used.digest, filled.digest, left.digest] { digest.add(sum) }
            figures += [
                Figure("gangsAt\(fill)", Double(used.gangs), "gangs"),
                Figure("domainsOverLeastAt\(fill)", used.ratio(to: used.least), "ratio", goal: "at most 1.02"),
                Figure("domainsOverLeastOfPoolAt\(fill)", used.ratio(to: used.leastOfPool), "ratio"),
            ]
            if let scripts {
                figures.append(
                    Figure(
                        "leastDeniedBySolverAt\(fill)", try used.denied(by: scripts), "gangs",
                        goal: "0 of \(used.instances.count)"))
            }
            figures += filled.figures("At\(fill)")
            figures += left.figures("At\(fill)AsGangsLeave")
            figures.append(
                Figure("fleetsWithFewerByOtherTiesAt\(fill)AsGangsLeave", Double(left.lowerByOtherTies), "fleets"))
        }
        return Report(benchmark: "topology", figures: figures, hash: digest.value)
    }

    private func measure(_ fill: Int) -> TopologySums {
        var sums = TopologySums()
        for seed in seeds {
            var fleet = TopologyFleet(seed: seed)
            fleet.fill(percent: fill, isLeaving: true)
            for round in 0..<20 {
                guard let probe = fleet.probe() else { continue }
                sums.touched += probe.domains
                sums.least += probe.least
                sums.leastOfPool += probe.leastOfPool
                sums.gangs += 1
                if round == 0, sums.instances.count < 20 { sums.instances.append((probe.instance, probe.least)) }
            }
        }
        return sums
    }

    private func whole(_ fill: Int, seeds: ClosedRange<UInt64>, isLeaving: Bool) -> WholeSums {
        var sums = WholeSums()
        for seed in seeds {
            var fleet = TopologyFleet(seed: seed)
            fleet.fill(percent: fill, isLeaving: isLeaving)
            let (ours, bestFit, otherTies) = fleet.wholeDomains
            sums.ours += ours
            sums.bestFit += bestFit
            if ours < bestFit { sums.lower += 1 }
            if ours > bestFit { sums.higher += 1 }
            if otherTies < bestFit { sums.lowerByOtherTies += 1 }
        }
        return sums
    }
}

/// Whole domains that are left in many fleets of one fill.
private struct WholeSums {
    var ours = 0
    var bestFit = 0
    /// Fleets in which fewer or more are left than best fit leaves.
    var lower = 0
    var higher = 0
    /// Fleets in which best fit leaves fewer if of equally roomy domains it takes the lowest instead of the highest.
    var lowerByOtherTies = 0

    var digest: UInt64 {
        var digest = Digest(seed: 0)
        for count in [ours, bestFit, lower, higher, lowerByOtherTies] { digest.add(count) }
        return digest.value
    }

    func figures(_ when: String) -> [Figure] {
        [
            Figure("wholeDomains\(when)", Double(ours), "domains", goal: "at least \(bestFit)"),
            Figure("fleetsWithFewerWholeDomains\(when)", Double(lower), "fleets", goal: "0"),
            Figure("fleetsWithMoreWholeDomains\(when)", Double(higher), "fleets"),
        ]
    }
}

/// What the fleets of one fill come to together.
private struct TopologySums {
    var gangs = 0
    var touched = 0
    var least = 0
    var leastOfPool = 0
    /// Some of the gangs, as the solver reads them, and what was counted as least.
    var instances: [(line: String, least: Int)] = []

    var digest: UInt64 {
        var digest = Digest(seed: 0)
        for count in [gangs, touched, least, leastOfPool] { digest.add(count) }
        return digest.value
    }

    func ratio(to least: Int) -> Double { Double(touched) / Double(max(1, least)) }

    /// For how many of the instances the solver finds another least.
    func denied(by scripts: String) throws -> Double {
        let answers = try GapBench.counts(
            "bound", GapBench.run(["\(scripts)/exact.py", "--seconds", "10"], input: instances.map(\.line).joined()))
        return Double(zip(answers, instances).count { $0 != $1.least } + instances.count - answers.count)
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
    private var held: [(ours: Placement, theirs: [Int: Int], byOtherTies: [Int: Int])] = []
    private var bestFit: PlainBestFit
    private var otherTies: PlainBestFit
    private var taken = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        blocks = random.pick(1...3)
        domains = random.pick(3...8)
        nodes = random.pick(4...18)
        gpus = 4
        bestFit = PlainBestFit(domains: blocks * domains, nodes: nodes, isLowestRoomiestFirst: false)
        otherTies = PlainBestFit(domains: blocks * domains, nodes: nodes, isLowestRoomiestFirst: true)
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

    /// Gangs of whole nodes come until so much is taken, and where they leave also go, some time beyond that; all packers
    /// serve the same ones.
    mutating func fill(percent: Int, isLeaving: Bool) {
        let all = blocks * domains * nodes
        var placement = Placement.none
        for _ in 0..<all * 4 {
            let workers = draw()
            if (taken + workers) * 100 <= all * percent, packer.find(gang(workers), into: &placement),
                let theirs = bestFit.take(workers), let byOtherTies = otherTies.take(workers)
            {
                packer.take(placement)
                held.append((placement, theirs, byOtherTies))
                taken += workers
            } else if isLeaving, !held.isEmpty {
                let gang = held.remove(at: random.pick(0...held.count - 1))
                packer.give(gang.ours)
                bestFit.give(gang.theirs)
                otherTies.give(gang.byOtherTies)
                taken -= gang.ours.workerCount
            }
        }
    }

    /// Free nodes by domain, read from the packer node by node.
    private var free: [Int] {
        (0..<blocks * domains).map { domain in
            (0..<nodes).count { packer.free(pool: 0, node: domain * nodes + $0).gpuMask == 15 }
        }
    }

    var wholeDomains: (ours: Int, bestFit: Int, otherTies: Int) {
        (free.count { $0 == nodes }, bestFit.free.count { $0 == nodes }, otherTies.free.count { $0 == nodes })
    }

    /// One more gang and the domains it touches; the least that it could within the smallest tier that holds it, and within
    /// the pool: the roomiest domains of a place suffice with the fewest. Nil where it fits nowhere.
    mutating func probe() -> TopologyProbe? {
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
        guard let leastOfPool = least(0..<blocks * domains) else { return nil }
        var placement = Placement.none
        guard packer.find(gang(workers), into: &placement) else { return nil }
        var touched: Set<Int> = []
        for run in placement.runs { for node in run.nodes { touched.insert(node / nodes) } }
        return TopologyProbe(
            domains: touched.count, least: inBlocks ?? leastOfPool, leastOfPool: leastOfPool,
            instance: instance(workers, scope: inBlocks == nil ? .pool : .block))
    }

    /// The fleet as it is and one gang, as `exact.py` reads them.
    private func instance(_ workers: Int, scope: Tier) -> String {
        let listed = (0..<blocks * domains * nodes).map { node in
            let free = packer.free(pool: 0, node: node).gpuMask.nonzeroBitCount
            let domain = node / nodes
            return "{\"freeGPUs\":\(free),\"domain\":\(domain),\"block\":\(domain / domains)}"
        }
        return "{\"kind\":\"topology\",\"id\":\"\(workers)\",\"nodes\":[\(listed.joined(separator: ","))],\"gang\":"
            + "{\"scope\":\"\(scope.name)\",\"groups\":[{\"workers\":\(workers),\"gpusPerWorker\":\(gpus)}]}}\n"
    }
}

/// Best fit by domain, which knows whole nodes only.
private struct PlainBestFit {
    /// By domain: nodes.
    private(set) var free: [Int]
    /// Of equally roomy domains that hold a gang together; of those that each hold it the lowest always goes first.
    private let isLowestRoomiestFirst: Bool

    init(domains: Int, nodes: Int, isLowestRoomiestFirst: Bool) {
        free = Array(repeating: nodes, count: domains)
        self.isLowestRoomiestFirst = isLowestRoomiestFirst
    }

    /// The domain with least room that holds the gang, else the roomiest ones.
    mutating func take(_ workers: Int) -> [Int: Int]? {
        let order = free.indices.sorted { (free[$0], $0) < (free[$1], $1) }
        var used: [Int: Int] = [:]
        if let domain = order.first(where: { free[$0] >= workers }) {
            used[domain] = workers
        } else {
            var left = workers
            let roomiest =
                isLowestRoomiestFirst
                ? free.indices.sorted { (-free[$0], $0) < (-free[$1], $1) } : order.reversed()
            for domain in roomiest where left > 0 {
                let count = min(left, free[domain])
                if count > 0 { used[domain] = count }
                left -= count
            }
            if left > 0 { return nil }
        }
        for (domain, count) in used { free[domain] -= count }
        return used
    }

    mutating func give(_ used: [Int: Int]) { for (domain, count) in used { free[domain] += count } }
}

/// A gang that came to a filled fleet.
private struct TopologyProbe {
    let domains: Int
    let least: Int
    let leastOfPool: Int
    let instance: String
}
