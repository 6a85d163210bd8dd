// The nodes of a pool as a body or a file gives them: as counts, as a list, or as a file of lines; and the rules of lists.

import JSON
import Model

/// What lists of nodes may be here.
struct NodeLists {
    /// Whether nodes may have shapes of their own.
    var mayMix: Bool
    var readFile: NodeFileReader?
}

/// What a node of a list says of itself that else its pool says.
struct OwnShape: Hashable {
    var accelerator: String?
    var instanceType: String?
    var node: NodeShape?

    var isEmpty: Bool { self == OwnShape() }
}

struct ListedNode {
    var listing: NodeListing
    var own: OwnShape
}

/// One of `topology` (counts), `nodes` (a list) and `nodesFile` (NDJSON).
struct Supply {
    private var counts: Topology?
    private(set) var nodes: [ListedNode] = []
    /// Where the nodes are given.
    let field: StaticString

    init(_ reader: inout ObjectReader, _ lists: NodeLists) {
        let listed = reader.optionalObjects("nodes", count: 1...Bounds.nodesPerPool) {
            ListedNode(&$0, mayMix: lists.mayMix)
        }
        counts = reader.optionalObject("topology") { Topology(counts: &$0) }
        let file = lists.readFile == nil ? nil : reader.optionalString("nodesFile", maxBytes: 4096)
        field = listed != nil ? "nodes" : file != nil ? "nodesFile" : "topology"
        let given = (counts == nil ? 0 : 1) + (listed == nil ? 0 : 1) + (file == nil ? 0 : 1)
        if given != 1 {
            let ways = lists.readFile == nil ? "'topology' and 'nodes'" : "'topology', 'nodes' and 'nodesFile'"
            reader.mistake(given == 0 ? .missing : .invalid, nil, "Give exactly one of \(ways); there are \(given).")
        }
        nodes = listed ?? []
        if let file, let readFile = lists.readFile { nodes = Self.read(file, reader, lists, readFile) }
        check(reader)
    }

    var topology: Topology { counts ?? .nodes(nodes.map(\.listing)) }

    /// Whether any node has a shape of its own, so that the list makes pools by shape.
    var isMixed: Bool { nodes.contains { !$0.own.isEmpty } }

    /// Whether the entry itself need not say it.
    func everyNodeHas<Value>(_ value: KeyPath<OwnShape, Value?>) -> Bool {
        !nodes.isEmpty && nodes.allSatisfy { $0.own[keyPath: value] != nil }
    }

    private static func read(
        _ file: String, _ reader: borrowing ObjectReader, _ lists: NodeLists, _ readFile: NodeFileReader
    ) -> [ListedNode] {
        let bytes: [UInt8]
        do throws(NodeFileFault) { bytes = try readFile(file) } catch {
            reader.mistake(.invalid, "nodesFile", "'\(file)' cannot be read: \(error.reason).")
            return []
        }
        var nodes: [ListedNode] = []
        for line in JSONLines(bytes) {
            do throws(JSONFailure) {
                nodes.append(try decodeObject(bytes, in: line.range) { ListedNode(&$0, mayMix: lists.mayMix) })
            } catch {
                for mistake in error.mistakes {
                    reader.mistake(
                        mistake.code, "nodesFile",
                        "'\(file)' line \(line.number): \(mistake.pointer) \(mistake.message)")
                }
            }
        }
        if nodes.isEmpty || nodes.count > Bounds.nodesPerPool {
            reader.mistake(.outOfRange, "nodesFile", "Give '\(file)' from 1 to \(Bounds.nodesPerPool) lines of nodes.")
        }
        return nodes
    }

    /// Node names must differ, a domain belongs to one block, and all of its nodes or none name a clique.
    private func check(_ reader: borrowing ObjectReader) {
        var names: Set<String> = []
        var domains: [String: (block: String, hasCliques: Bool)] = [:]
        var nameBytes = 0
        for (index, node) in nodes.enumerated() {
            let listing = node.listing
            nameBytes += listing.nameBytes
            if !names.insert(listing.name).inserted {
                reader.mistake(
                    .duplicate, field, "Leave out element \(index): the node '\(listing.name)' stands before it.")
            }
            let known = domains[listing.domain, default: (listing.block, !listing.clique.isEmpty)]
            domains[listing.domain] = known
            if known.block != listing.block {
                reader.mistake(
                    .invalid, field,
                    "Put domain '\(listing.domain)' into one block; it is in '\(known.block)' and, at element \(index), in '\(listing.block)'."
                )
            }
            if known.hasCliques == listing.clique.isEmpty {
                reader.mistake(
                    .invalid, field,
                    "Name a clique for each node of domain '\(listing.domain)' or for none; element \(index) differs from the ones before it."
                )
            }
        }
        if nameBytes > Bounds.listedNameBytes {
            reader.mistake(
                .outOfRange, field,
                "Shorten the names or split the pool: names of nodes, domains, cliques, blocks and reservations have \(nameBytes) bytes "
                    + "together, and at most \(Bounds.listedNameBytes) are allowed.")
        }
    }
}

extension Topology {
    fileprivate init(counts reader: inout ObjectReader) {
        let before = reader.mistakeCount
        let blocks = reader.integer("blocks", in: 1...Bounds.nodesPerPool)
        let domains = reader.integer("domainsPerBlock", in: 1...Bounds.nodesPerPool)
        let perDomain = reader.integer("nodesPerDomain", in: 1...Bounds.nodesPerDomain)
        let cliques = reader.optionalInteger("cliquesPerDomain", in: 1...Bounds.nodesPerDomain) ?? 1
        // Each is at most 2^20, so the product fits.
        if blocks * domains * perDomain > Bounds.nodesPerPool {
            reader.mistake(
                .outOfRange, nil,
                "Split this into several pools: it makes \(blocks * domains * perDomain) nodes, and a pool has at most \(Bounds.nodesPerPool)."
            )
        } else if perDomain % cliques != 0 && reader.mistakeCount == before {
            reader.mistake(
                .invalid, "cliquesPerDomain",
                "Give a number that divides the \(perDomain) nodes of a domain into equal cliques, not \(cliques).")
        }
        self = .counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: perDomain, cliquesPerDomain: cliques)
    }
}

extension ListedNode {
    fileprivate init(_ reader: inout ObjectReader, mayMix: Bool) {
        func valid(_ text: String) -> String? { Names.isValidNodeName(text) ? text : nil }
        let name = reader.parsed("name", Rule.nodeName, valid) ?? ""
        // A node without a domain is one of its own, as an eight-GPU machine is.
        let domain = reader.optionalParsed("domain", Rule.nodeName, valid) ?? name
        let clique = reader.optionalParsed("clique", Rule.nodeName, valid) ?? ""
        let block = reader.optionalParsed("block", Rule.nodeName, valid) ?? "b00"
        listing = NodeListing(
            name: name, domain: domain, clique: clique, block: block, reservation: reader.optionalReservation() ?? "")
        own = OwnShape()
        if mayMix {
            own.accelerator = reader.optionalName("accelerator")
            own.instanceType = reader.optionalName("instanceType")
            own.node = reader.optionalObject("node") { NodeShape(&$0) }
        } else if reader.has("node") || reader.has("accelerator") || reader.has("instanceType") {
            for field in ["node", "accelerator", "instanceType"] as [StaticString] { _ = reader.field(field) }
            reader.mistake(
                .invalid, nil,
                "Leave the node's own shape out, for this is one pool: POST /v1/pools:load makes a pool of each shape.")
        }
    }
}
