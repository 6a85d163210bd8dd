// A part of a pool that fails, or is taken from service, as one; and what became of it.

public enum PoolPlace: Hashable, Sendable {
    case pool
    case block(String)
    /// An NVLink domain with all its cliques.
    case domain(String)
}

/// Neighbouring nodes that come to one state.
public struct NodeStateRun: Hashable, Sendable {
    public var node: Int
    public var nodeCount: Int
    public var state: NodeState

    public init(node: Int, nodeCount: Int, state: NodeState) {
        self.node = node
        self.nodeCount = nodeCount
        self.state = state
    }

    /// Precondition: what a fact says was found possible.
    public var nodes: Range<Int> { node..<node + nodeCount }
}

/// What a change of a whole place came to.
public struct PlaceChange: Hashable, Sendable {
    /// Of the requeued jobs an answer names so many.
    public static let jobsShown = 100

    public var pool: PoolSlot
    public var place: PoolPlace
    /// All nodes of the place.
    public var nodes: Range<Int>
    /// Those of them whose state changed.
    public var changedNodes: Int
    /// The jobs that lost their place by it, in order of arrival; some may have found another at once.
    public var requeued: [JobNumber]
    /// The jobs that lost some of their workers by it, in order of arrival; for some, others may have been found at once.
    public var repairing: [JobNumber] = []

    public init(
        pool: PoolSlot, place: PoolPlace, nodes: Range<Int>, changedNodes: Int = 0, requeued: [JobNumber] = []
    ) {
        self.pool = pool
        self.place = place
        self.nodes = nodes
        self.changedNodes = changedNodes
        self.requeued = requeued
    }
}

extension PoolLayout {
    /// The nodes of a place, which are neighbours, or nil where nothing, or more than one domain, has its name. O(log domains)
    /// for counted nodes, O(domains) for listed ones.
    public func nodes(of place: PoolPlace) -> Range<Int>? {
        switch place {
        case .pool: 0..<nodeCount
        case .block(let name):
            block(named: name).map { Int(domainStart[Int(blockStart[$0])])..<Int(domainStart[Int(blockStart[$0 + 1])]) }
        case .domain(let name): firstDomain(named: name).map { nodes(ofDomainsFrom: $0) }
        }
    }

    /// The nodes of all cliques of the domain whose first one is `first`.
    private func nodes(ofDomainsFrom first: Int) -> Range<Int> {
        let name = name(ofDomain: first)
        let blockEnd = Int(blockStart[block(ofDomain: first) + 1])
        var end = first + 1
        while end < blockEnd && self.name(ofDomain: end) == name { end += 1 }
        return Int(domainStart[first])..<Int(domainStart[end])
    }

    private func block(named name: String) -> Int? {
        if isCounted { return firstDomain(named: name + "/d000").map { block(ofDomain: $0) } }
        return (0..<blockCount).first { self.name(ofBlock: $0) == name }
    }

    /// The first clique of the domain called `name`. Listed domains of several blocks may share a name: then it is written
    /// behind its block's and a slash.
    private func firstDomain(named name: String) -> Int? {
        if isCounted { return node(named: name + "/n00").map { domain(ofNode: $0) } }
        var found: [Int] = []
        for block in 0..<blockCount {
            let prefix = self.name(ofBlock: block) + "/"
            let short = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
            let domains = Int(blockStart[block])..<Int(blockStart[block + 1])
            for domain in domains {
                let known = self.name(ofDomain: domain)
                if domain > domains.lowerBound && self.name(ofDomain: domain - 1) == known { continue }
                if known == name || known == short { found.append(domain) }
            }
        }
        return found.count == 1 ? found[0] : nil
    }
}
