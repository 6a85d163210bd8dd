// A pool as a value of the model, with every mistake of it.

public import JSON
public import Model

/// Gives the bytes of a file that a pool names for its nodes, or says why it cannot.
public typealias NodeFileReader = (String) throws(NodeFileFault) -> [UInt8]

public struct NodeFileFault: Error {
    public var reason: String

    public init(reason: String) { self.reason = reason }
}

extension PoolSpec {
    /// Reads a pool. `name` is the one in the path, where there is one. Without `readNodes` it may name no file.
    public init(_ reader: inout ObjectReader, named name: String? = nil, readNodes: NodeFileReader? = nil) {
        let ownName = name == nil ? reader.name("name") : reader.optionalName("name")
        if let name, let ownName, name != ownName {
            reader.mistake(.invalid, "name", "Leave the name out or make it '\(name)', as in the path.")
        }
        let provider = reader.name("provider") ?? ""
        let region = reader.name("region") ?? ""
        let accelerator = reader.name("accelerator") ?? ""
        let instanceType = reader.optionalName("instanceType") ?? ""
        let node = reader.object("node") { NodeShape(&$0) }
        let purchase = reader.optionalWord("purchase", Words.purchases) ?? .onDemand
        let price = reader.price("priceUSDPerGPUHour") ?? 0
        let labels = reader.labels()
        self.init(
            name: name ?? ownName ?? "", provider: provider, region: region, accelerator: accelerator,
            instanceType: instanceType, node: node, topology: Topology(&reader, gpus: node.gpus, readNodes),
            purchase: purchase, priceMicroUSDPerGPUHour: price, labels: labels)
    }
}

extension ObjectReader {
    /// A decimal amount of USD, as a string and never as a number, in micro-USD.
    fileprivate mutating func price(_ field: StaticString) -> Int64? {
        let most = Bounds.priceMicroUSDPerGPUHour
        let expected =
            "a decimal number of USD with at most six decimals and at most \(most / 1_000_000), like \"3.25\""
        return optionalParsed(field, expected) { text in
            guard case .success(let micros) = Money.micros(text), micros <= most else { return nil }
            return micros
        }
    }
}

extension NodeShape {
    init(_ reader: inout ObjectReader) {
        self.init(
            gpus: reader.integer("gpus", in: 1...Bounds.gpusPerNode),
            cpuMillis: reader.integer("cpuMillis", in: 0...Bounds.cpuMillisPerNode),
            memoryMiB: reader.integer("memoryMiB", in: 0...Bounds.memoryMiBPerNode))
    }
}

extension Topology {
    /// One of `topology` (counts), `nodes` (a list) and `nodesFile` (NDJSON).
    init(_ reader: inout ObjectReader, gpus: Int, _ readNodes: NodeFileReader?) {
        let counts = reader.optionalObject("topology") { Topology(counts: &$0) }
        let nodes = reader.optionalObjects("nodes", count: 1...Bounds.nodesPerPool) { NodeListing(&$0) }
        let file = readNodes == nil ? nil : reader.optionalString("nodesFile", maxBytes: 4096)
        let given = (counts == nil ? 0 : 1) + (nodes == nil ? 0 : 1) + (file == nil ? 0 : 1)
        if given != 1 {
            let ways = readNodes == nil ? "'topology' and 'nodes'" : "'topology', 'nodes' and 'nodesFile'"
            reader.mistake(given == 0 ? .missing : .invalid, nil, "Give exactly one of \(ways); there are \(given).")
        }
        var listings = nodes ?? []
        if let file, let readNodes { listings = Self.listings(file, reader, readNodes) }
        Self.check(listings, nodes == nil ? "nodesFile" : "nodes", reader, gpus: gpus)
        self = counts ?? .nodes(listings)
    }

    private init(counts reader: inout ObjectReader) {
        let blocks = reader.integer("blocks", in: 1...Bounds.nodesPerPool)
        let domains = reader.integer("domainsPerBlock", in: 1...Bounds.nodesPerPool)
        let perDomain = reader.integer("nodesPerDomain", in: 1...Bounds.nodesPerDomain)
        // Each is at most 2^20, so the product fits.
        if blocks * domains * perDomain > Bounds.nodesPerPool {
            reader.mistake(
                .outOfRange, nil,
                "Split this into several pools: it makes \(blocks * domains * perDomain) nodes, and a pool has at most \(Bounds.nodesPerPool)."
            )
        }
        self = .counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: perDomain)
    }

    private static func listings(_ file: String, _ reader: borrowing ObjectReader, _ readNodes: NodeFileReader)
        -> [NodeListing]
    {
        let bytes: [UInt8]
        do throws(NodeFileFault) { bytes = try readNodes(file) } catch {
            reader.mistake(.invalid, "nodesFile", "'\(file)' cannot be read: \(error.reason).")
            return []
        }
        var listings: [NodeListing] = []
        for line in JSONLines(bytes) {
            do throws(JSONFailure) {
                listings.append(try decodeObject(bytes, in: line.range) { NodeListing(&$0) })
            } catch {
                for mistake in error.mistakes {
                    reader.mistake(
                        mistake.code, "nodesFile",
                        "'\(file)' line \(line.number): \(mistake.pointer) \(mistake.message)")
                }
            }
        }
        if listings.isEmpty || listings.count > Bounds.nodesPerPool {
            reader.mistake(.outOfRange, "nodesFile", "Give '\(file)' from 1 to \(Bounds.nodesPerPool) lines of nodes.")
        }
        return listings
    }

    /// Node names must differ, and a domain belongs to one block. The index of domains by free workers must stay small.
    private static func check(
        _ listings: [NodeListing], _ field: StaticString, _ reader: borrowing ObjectReader, gpus: Int
    ) {
        var names: Set<String> = []
        var domains: [String: (block: String, nodes: Int)] = [:]
        var largest = 0
        for (index, listing) in listings.enumerated() {
            if !names.insert(listing.name).inserted {
                reader.mistake(
                    .duplicate, field, "Leave out element \(index): the node '\(listing.name)' stands before it.")
            }
            let known = domains[listing.domain, default: (listing.block, 0)]
            if known.block != listing.block {
                reader.mistake(
                    .invalid, field,
                    "Put domain '\(listing.domain)' into one block; it is in '\(known.block)' and, at element \(index), in '\(listing.block)'."
                )
            }
            domains[listing.domain] = (known.block, known.nodes + 1)
            largest = max(largest, known.nodes + 1)
        }
        if largest > Bounds.nodesPerDomain || largest * gpus * domains.count > Bounds.domainIndexBits {
            reader.mistake(
                .outOfRange, field,
                "Put large and small domains into different pools, each domain with at most \(Bounds.nodesPerDomain) nodes: the largest "
                    + "here has \(largest), beside \(domains.count) domains.")
        }
    }
}

extension NodeListing {
    init(_ reader: inout ObjectReader) {
        func valid(_ text: String) -> String? { Names.isValidNodeName(text) ? text : nil }
        let name = reader.parsed("name", Rule.nodeName, valid) ?? ""
        // A node without a domain is one of its own, as an eight-GPU machine is.
        let domain = reader.optionalParsed("domain", Rule.nodeName, valid) ?? name
        let block = reader.optionalParsed("block", Rule.nodeName, valid) ?? "b00"
        self.init(name: name, domain: domain, block: block)
    }
}
