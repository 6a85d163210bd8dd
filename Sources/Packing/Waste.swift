// What the demand that usually comes cannot use of free whole GPUs in a node or a domain, by how many are free: tables, so
// that a decision reads two numbers. For pools where a node is no more than a count of free GPUs.

import Model

/// A gang of a mix as the tables see it.
struct WasteGang {
    /// Of the whole gang and of one worker.
    var gpus: Int
    var workerGPUs: Int
    /// Of `PoolMix.unit`.
    var weight: Int
}

/// A pool's tables. Empty while no mix is known; then everything costs nothing.
struct Waste: ~Copyable {
    /// Shapes [GPUs of a node + 1] and [GPUs of the largest domain + 1]: for each count of free GPUs the part that a gang
    /// of the mix could not use, weighed by how often it comes; in thousandths of a GPU times `PoolMix.unit`.
    private let node: Column<Int64>
    private let domain: Column<Int64>
    /// By GPUs taken, the least rise that any node, and any domain or larger place, can have.
    private let leastInNode: Column<Int64>
    private let leastInDomain: Column<Int64>

    /// Domains with more free GPUs cost nothing: one gang more or less makes no difference there.
    static let mostGPUs = 1024

    init() {
        node = Column(count: 0)
        domain = Column(count: 0)
        leastInNode = Column(count: 0)
        leastInDomain = Column(count: 0)
    }

    /// A gang that fits in a node leaves of a node what is no multiple of it; a larger one leaves what is no multiple of
    /// its worker. So with domains, of which a gang that needs several uses whole ones.
    init(_ gangs: [WasteGang], nodeGPUs: Int, domainGPUs: Int) {
        let domainGPUs = min(domainGPUs, Self.mostGPUs)
        node = Column(count: nodeGPUs + 1)
        domain = Column(count: domainGPUs + 1)
        leastInNode = Column(count: nodeGPUs + 1)
        leastInDomain = Column(count: domainGPUs + 1)
        for gang in gangs where gang.gpus > 0 {
            let unitOfNode = gang.gpus <= nodeGPUs ? gang.gpus : gang.workerGPUs
            for free in 0...nodeGPUs { node[free] += Int64(gang.weight * 1000 * (free % unitOfNode)) }
            let unitOfDomain = min(gang.gpus, domainGPUs)
            for free in 0...domainGPUs { domain[free] += Int64(gang.weight * 1000 * (free % unitOfDomain)) }
        }
        for taken in 0...nodeGPUs {
            var lowest = Int64.max
            for free in taken...nodeGPUs { lowest = min(lowest, node[free - taken] - node[free]) }
            leastInNode[taken] = lowest
        }
        for taken in 0...domainGPUs {
            var lowest: Int64 = 0
            for free in taken...domainGPUs { lowest = min(lowest, domain[free - taken] - domain[free]) }
            leastInDomain[taken] = lowest
        }
    }

    init(copying other: borrowing Waste) {
        node = Column(copying: other.node)
        domain = Column(copying: other.domain)
        leastInNode = Column(copying: other.leastInNode)
        leastInDomain = Column(copying: other.leastInDomain)
    }

    var bytes: Int { node.bytes + domain.bytes + leastInNode.bytes + leastInDomain.bytes }

    @inline(__always)
    var isEmpty: Bool { node.count == 0 }

    /// How much more is wasted of a node or domain with `free` GPUs once `taken` are gone. Precondition: there are tables.
    @inline(__always)
    func riseInNode(free: Int, taken: Int) -> Int64 { node[free - taken] - node[free] }

    @inline(__always)
    func riseInDomain(free: Int, taken: Int) -> Int64 {
        free < domain.count ? domain[free - taken] - domain[free] : 0
    }

    /// No node has a smaller rise for a gang of so many GPUs. Precondition: a node has as many.
    @inline(__always)
    func leastRiseInNode(taken: Int) -> Int64 { isEmpty ? 0 : leastInNode[taken] }

    /// No larger place has a smaller rise.
    @inline(__always)
    func leastRiseInDomain(taken: Int) -> Int64 { taken < leastInDomain.count ? leastInDomain[taken] : 0 }
}
