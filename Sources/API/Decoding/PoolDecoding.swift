// A pool, a list of nodes and a whole fleet file as values of the model, with every mistake of them.

public import JSON
public import Model

extension PoolSpec {
    /// Reads a pool. `name` is the one in the path, where there is one. `readNodes` gives the bytes of a file that the
    /// pool names for its nodes, or throws a sentence; a pool of the API may name none.
    public init?(
        _ value: JSONValue, at pointer: Pointer = .root, named name: String? = nil, _ mistakes: Mistakes,
        readNodes: ((String) throws -> [UInt8])? = nil
    ) {
        let before = mistakes.list.count
        var fields = Fields(value, at: pointer, mistakes)
        let ownName = fields.name("name", required: name == nil)
        if let name, let ownName, name != ownName {
            mistakes.add(
                fields.pointer("name"), .invalid,
                "is '\(ownName)', and the path says '\(name)'; leave it out or make them one")
        }
        let provider = fields.name("provider", required: true)
        let region = fields.name("region", required: true)
        let accelerator = fields.name("accelerator", required: true)
        let instanceType = fields.name("instanceType")
        let node = fields.object("node", required: true).flatMap { NodeShape($0) }
        let purchase = fields.word("purchase", Purchase.allCases.map { ("\($0)", $0) })
        let price = fields.price("priceUSDPerGPUHour")
        let labels = fields.labels()
        let topology = Topology(&fields, gpus: node?.gpus ?? 1, readNodes: readNodes)
        fields.finish()
        guard mistakes.list.count == before, mistakes.leftOut == 0, let poolName = name ?? ownName, let provider,
            let region,
            let accelerator, let node, let topology
        else { return nil }
        self.init(
            name: poolName, provider: provider, region: region, accelerator: accelerator,
            instanceType: instanceType ?? "",
            node: node, topology: topology, purchase: purchase ?? .onDemand, priceMicroUSDPerGPUHour: price ?? 0,
            labels: labels)
    }
}

extension NodeShape {
    init?(_ fields: Fields) {
        var fields = fields
        let gpus = fields.integer("gpus", in: 1...Bounds.gpusPerNode, required: true)
        let cpuMillis = fields.integer("cpuMillis", in: 0...Bounds.cpuMillisPerNode, required: true)
        let memoryMiB = fields.integer("memoryMiB", in: 0...Bounds.memoryMiBPerNode, required: true)
        fields.finish()
        guard let gpus, let cpuMillis, let memoryMiB else { return nil }
        self.init(gpus: gpus, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
    }
}

extension Fields {
    /// A decimal amount of USD as a string, in micro-USD.
    mutating func price(_ name: String) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else {
            mistakes.add(
                pointer(name), .wrongType,
                "must be a decimal number of USD as a string, like \"3.25\", not \(value.named)")
            return nil
        }
        guard text.utf8.count <= 32, let micros = Decimal.micros(text) else {
            mistakes.add(
                pointer(name), .invalid,
                "must be a decimal number of USD with at most six decimals, like \"3.25\"")
            return nil
        }
        if micros > Bounds.priceMicroUSDPerGPUHour {
            mistakes.add(
                pointer(name), .outOfRange,
                "is \(text); it must be from 0 to \(Bounds.priceMicroUSDPerGPUHour / 1_000_000) USD")
            return nil
        }
        return micros
    }
}

extension Topology {
    /// One of `topology` (counts), `nodes` (a list) and `nodesFile` (NDJSON).
    init?(_ fields: inout Fields, gpus: Int, readNodes: ((String) throws -> [UInt8])?) {
        let mistakes = fields.mistakes
        let before = mistakes.list.count + mistakes.leftOut
        let counts = fields.object("topology")
        let nodes = fields.array("nodes", count: 1...Bounds.nodesPerPool)
        let file = readNodes == nil ? nil : fields.string("nodesFile", maxBytes: 4096)
        let given = (counts == nil ? 0 : 1) + (nodes == nil ? 0 : 1) + (file == nil ? 0 : 1)
        guard given == 1 else {
            // One that is there and was refused is not missing.
            if given == 0 && mistakes.list.count + mistakes.leftOut > before { return nil }
            let ways = readNodes == nil ? "'topology' or 'nodes'" : "'topology', 'nodes' or 'nodesFile'"
            mistakes.add(
                fields.pointer, given == 0 ? .missing : .invalid, "needs exactly one of \(ways), and has \(given)")
            return nil
        }
        if var counts {
            let blocks = counts.integer("blocks", in: 1...Bounds.nodesPerPool, required: true)
            let domains = counts.integer("domainsPerBlock", in: 1...Bounds.nodesPerPool, required: true)
            let perDomain = counts.integer("nodesPerDomain", in: 1...Bounds.nodesPerDomain, required: true)
            counts.finish()
            guard let blocks, let domains, let perDomain else { return nil }
            let (inBlocks, overflow) = blocks.multipliedReportingOverflow(by: domains)
            let (all, carry) = inBlocks.multipliedReportingOverflow(by: perDomain)
            if overflow || carry || all > Bounds.nodesPerPool {
                mistakes.add(
                    counts.pointer, .outOfRange,
                    "makes more than \(Bounds.nodesPerPool) nodes; split it into several pools")
                return nil
            }
            self = .counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: perDomain)
            return
        }
        var listings: [NodeListing] = []
        if let nodes {
            for (value, pointer) in nodes {
                if let listing = NodeListing(value, at: pointer, mistakes) { listings.append(listing) }
            }
            if listings.count < nodes.count { return nil }
        } else if let file, let readNodes {
            guard let read = Self.listings(file, at: fields.pointer("nodesFile"), mistakes, readNodes) else {
                return nil
            }
            listings = read
        }
        guard Self.areDistinct(listings, at: fields.pointer(nodes == nil ? "nodesFile" : "nodes"), mistakes, gpus: gpus)
        else { return nil }
        self = .nodes(listings)
    }

    private static func listings(
        _ file: String, at pointer: Pointer, _ mistakes: Mistakes, _ readNodes: (String) throws -> [UInt8]
    ) -> [NodeListing]? {
        let bytes: [UInt8]
        do {
            bytes = try readNodes(file)
        } catch {
            mistakes.add(pointer, .invalid, "cannot be read: \(error)")
            return nil
        }
        var listings: [NodeListing] = []
        let lines = JSONLines.ranges(of: bytes)
        if lines.isEmpty || lines.count > Bounds.nodesPerPool {
            mistakes.add(
                pointer, .outOfRange,
                "'\(file)' has \(lines.count) lines; it must have from 1 to \(Bounds.nodesPerPool)")
            return nil
        }
        for (number, range) in lines {
            do throws(JSONSyntaxError) {
                let document = try JSONDocument(bytes, in: range)
                let inLine = Mistakes()
                if let listing = NodeListing(document.root, at: .root, inLine) { listings.append(listing) }
                for mistake in inLine.list {
                    mistakes.add(
                        pointer, mistake.code, "'\(file)' line \(number): \(mistake.pointer) \(mistake.detail)")
                }
            } catch {
                mistakes.add(pointer, .invalid, "'\(file)' line \(number), column \(error.column): \(error.reason)")
            }
        }
        return listings.count == lines.count ? listings : nil
    }

    /// Node names must differ, and a domain belongs to one block. The index of domains by free workers must stay small.
    private static func areDistinct(_ listings: [NodeListing], at pointer: Pointer, _ mistakes: Mistakes, gpus: Int)
        -> Bool
    {
        var names: Set<String> = []
        var blockOfDomain: [String: String] = [:]
        var nodesOfDomain: [String: Int] = [:]
        var isGood = true
        for (index, listing) in listings.enumerated() {
            if !names.insert(listing.name).inserted {
                mistakes.add(.element(pointer, index), .duplicate, "the node '\(listing.name)' stands twice")
                isGood = false
            }
            if let block = blockOfDomain[listing.domain], block != listing.block {
                mistakes.add(
                    .element(pointer, index), .invalid,
                    "the domain '\(listing.domain)' is in block '\(block)' and in '\(listing.block)'; a domain is in one block"
                )
                isGood = false
            }
            blockOfDomain[listing.domain] = listing.block
            nodesOfDomain[listing.domain, default: 0] += 1
        }
        let largest = nodesOfDomain.values.max() ?? 0
        if largest > Bounds.nodesPerDomain || largest * gpus * nodesOfDomain.count > Bounds.domainIndexBits {
            mistakes.add(
                pointer, .outOfRange,
                "the largest domain has \(largest) nodes beside \(nodesOfDomain.count) domains; put large and small domains "
                    + "into different pools, each domain with at most \(Bounds.nodesPerDomain) nodes")
            isGood = false
        }
        return isGood
    }
}

extension NodeListing {
    init?(_ value: JSONValue, at pointer: Pointer, _ mistakes: Mistakes) {
        var fields = Fields(value, at: pointer, mistakes)
        func nodeName(_ name: String, _ fields: inout Fields, required: Bool) -> String? {
            guard let text = fields.string(name, required: required, maxBytes: Bounds.nameBytes) else { return nil }
            if let fault = Rule.nodeName(text) {
                mistakes.add(fields.pointer(name), .invalid, fault)
                return nil
            }
            return text
        }
        let name = nodeName("name", &fields, required: true)
        let domain = nodeName("domain", &fields, required: false)
        let block = nodeName("block", &fields, required: false)
        fields.finish()
        guard let name else { return nil }
        // A node without a domain is one of its own, as an eight-GPU machine is.
        self.init(name: name, domain: domain ?? name, block: block ?? "b00")
    }
}
