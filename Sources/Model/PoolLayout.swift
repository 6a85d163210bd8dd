// How the nodes of a pool are numbered and named. Domains are contiguous in nodes, blocks are contiguous in domains.
// A domain that is partitioned counts here as several, one for each clique: placement follows the reach of NVLink.

/// The expanded topology of a pool: which nodes a domain has, which domains a block has, and what they are called.
public final class PoolLayout: Sendable {
    /// Shape [domains + 1]: index of each domain's first node, then the node count.
    public let domainStart: [UInt32]
    /// Shape [blocks + 1]: index of each block's first domain, then the domain count.
    public let blockStart: [UInt32]
    private let names: Naming

    /// Least digits of the numbers in derived names. Larger numbers have more, so that growth renames no node.
    private static let digits = (block: 2, domain: 3, node: 2)

    private enum Naming: Sendable {
        /// Domains and nodes of each as numbers of this layout, so with cliques counted as domains.
        case derived(domainsPerBlock: Int, nodesPerDomain: Int, cliquesPerDomain: Int)
        case listed([NodeListing], indexByName: [String: UInt32])
    }

    /// Whether names are derived from counts.
    var isCounted: Bool {
        if case .derived = names { true } else { false }
    }

    public var nodeCount: Int { Int(domainStart[domainStart.count - 1]) }
    public var domainCount: Int { domainStart.count - 1 }
    public var blockCount: Int { blockStart.count - 1 }

    /// Listed nodes are put in order of the first appearance of their block, then of their domain, then of their clique,
    /// then of themselves.
    public init(_ topology: Topology) {
        switch topology {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
            let perBlock = domainsPerBlock * cliquesPerDomain
            let perDomain = nodesPerDomain / cliquesPerDomain
            domainStart = (0...blocks * perBlock).map { UInt32($0 * perDomain) }
            blockStart = (0...blocks).map { UInt32($0 * perBlock) }
            names = .derived(
                domainsPerBlock: perBlock, nodesPerDomain: perDomain, cliquesPerDomain: cliquesPerDomain)
        case .nodes(let listings):
            let ordered = Self.ordered(listings)
            var domainStart: [UInt32] = []
            var blockStart: [UInt32] = []
            var indexByName: [String: UInt32] = [:]
            for (index, listing) in ordered.enumerated() {
                let isNewBlock = index == 0 || ordered[index - 1].block != listing.block
                if isNewBlock { blockStart.append(UInt32(domainStart.count)) }
                if isNewBlock || ordered[index - 1].domain != listing.domain
                    || ordered[index - 1].clique != listing.clique
                {
                    domainStart.append(UInt32(index))
                }
                indexByName[listing.name] = UInt32(index)
            }
            blockStart.append(UInt32(domainStart.count))
            domainStart.append(UInt32(ordered.count))
            self.domainStart = domainStart
            self.blockStart = blockStart
            names = .listed(ordered, indexByName: indexByName)
        }
    }

    private static func ordered(_ listings: [NodeListing]) -> [NodeListing] {
        var blockRank: [String: Int] = [:]
        var domainRank: [String: Int] = [:]
        var cliqueRank: [String: Int] = [:]
        var keyed: [(block: Int, domain: Int, clique: Int, index: Int)] = []
        keyed.reserveCapacity(listings.count)
        for (index, listing) in listings.enumerated() {
            let block = blockRank[listing.block, default: blockRank.count]
            blockRank[listing.block] = block
            let domainKey = listing.block + "\u{0}" + listing.domain
            let domain = domainRank[domainKey, default: domainRank.count]
            domainRank[domainKey] = domain
            let cliqueKey = domainKey + "\u{0}" + listing.clique
            let clique = cliqueRank[cliqueKey, default: cliqueRank.count]
            cliqueRank[cliqueKey] = clique
            keyed.append((block, domain, clique, index))
        }
        keyed.sort { $0 < $1 }
        return keyed.map { listings[$0.index] }
    }

    // MARK: Where a node stands

    /// The domain of a node. O(log domains) for listed nodes, constant for counted ones.
    public func domain(ofNode node: Int) -> Int {
        if case .derived(_, let nodesPerDomain, _) = names { return node / nodesPerDomain }
        return Self.lastIndex(in: domainStart, notAfter: node)
    }

    public func block(ofDomain domain: Int) -> Int {
        if case .derived(let domainsPerBlock, _, _) = names { return domain / domainsPerBlock }
        return Self.lastIndex(in: blockStart, notAfter: domain)
    }

    private static func lastIndex(in starts: [UInt32], notAfter position: Int) -> Int {
        var low = 0
        var high = starts.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(starts[middle]) <= position { low = middle } else { high = middle }
        }
        return low
    }

    // MARK: Names

    /// The node's name within its pool: `b03/d017/n04`, or as it was listed.
    public func name(ofNode node: Int) -> String {
        switch names {
        case .derived(_, let nodesPerDomain, let cliquesPerDomain):
            let domain = node / nodesPerDomain
            let first = Int(domainStart[domain - domain % cliquesPerDomain])
            return name(ofDomain: domain) + "/n" + Self.padded(node - first, Self.digits.node)
        case .listed(let listings, _): return listings[node].name
        }
    }

    /// The NVLink domain's name within its pool: `b03/d017`, or as it was listed. The same for all its cliques.
    public func name(ofDomain domain: Int) -> String {
        switch names {
        case .derived(_, _, let cliquesPerDomain):
            let block = block(ofDomain: domain)
            return "b" + Self.padded(block, Self.digits.block)
                + "/d" + Self.padded((domain - Int(blockStart[block])) / cliquesPerDomain, Self.digits.domain)
        case .listed(let listings, _): return listings[Int(domainStart[domain])].domain
        }
    }

    /// The name of the part of an NVLink domain that `domain` is: `b03/d017/c1`, or as it was listed. Nil where the domain
    /// is not partitioned.
    public func cliqueName(ofDomain domain: Int) -> String? {
        switch names {
        case .derived(_, _, let cliquesPerDomain):
            return cliquesPerDomain == 1 ? nil : name(ofDomain: domain) + "/c\(domain % cliquesPerDomain)"
        case .listed(let listings, _):
            let clique = listings[Int(domainStart[domain])].clique
            return clique.isEmpty ? nil : clique
        }
    }

    /// The capacity block or reservation that a listed node names, or nil.
    public func reservation(ofNode node: Int) -> String? {
        guard case .listed(let listings, _) = names, !listings[node].reservation.isEmpty else { return nil }
        return listings[node].reservation
    }

    public func name(ofBlock block: Int) -> String {
        switch names {
        case .derived: "b" + Self.padded(block, Self.digits.block)
        case .listed(let listings, _): listings[Int(domainStart[Int(blockStart[block])])].block
        }
    }

    /// The index of the node called `name` within its pool, or nil.
    public func node(named name: String) -> Int? {
        switch names {
        case .listed(_, let indexByName): return indexByName[name].map(Int.init)
        case .derived(let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, let block = Self.number(parts[0], after: "b"),
                let domain = Self.number(parts[1], after: "d"), let node = Self.number(parts[2], after: "n"),
                block < blockCount, domain < domainsPerBlock / cliquesPerDomain,
                node < nodesPerDomain * cliquesPerDomain
            else { return nil }
            let index = (block * domainsPerBlock + domain * cliquesPerDomain) * nodesPerDomain + node
            // Only the one spelling with its leading zeros is the node's name.
            return self.name(ofNode: index) == name ? index : nil
        }
    }

    /// Whether every node of this layout has the same index, name, domain and block in `other`.
    public func isPrefix(of other: PoolLayout) -> Bool {
        // Blocks are only added whole, so all boundaries of this layout must stand in the other one.
        guard nodeCount <= other.nodeCount, domainCount <= other.domainCount, blockCount <= other.blockCount,
            domainStart.elementsEqual(other.domainStart.prefix(domainStart.count)),
            blockStart.elementsEqual(other.blockStart.prefix(blockStart.count))
        else { return false }
        switch (names, other.names) {
        // Nodes are named by their NVLink domain, so that other cliques are other names.
        case (.derived(_, _, let cliques), .derived(_, _, let others)): return cliques == others
        case (.listed(let listings, _), .listed(let others, _)):
            return listings.elementsEqual(others.prefix(listings.count))
        case (.derived, .listed), (.listed, .derived): return false
        }
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func number(_ part: Substring, after letter: Character) -> Int? {
        guard part.first == letter else { return nil }
        let digits = part.dropFirst()
        guard !digits.isEmpty, digits.utf8.count <= 9, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }
}
