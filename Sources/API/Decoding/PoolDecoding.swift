// A pool as a value of the model, with every mistake of it; or several of one name prefix, where its nodes are of several shapes.

public import JSON
public import Model

/// Gives the bytes of a file that a pool names for its nodes, or says why it cannot.
public typealias NodeFileReader = (String) throws(NodeFileFault) -> [UInt8]

public struct NodeFileFault: Error {
    public var reason: String

    public init(reason: String) { self.reason = reason }
}

extension PoolSpec {
    /// Reads a pool. `name` is the one in the path.
    init(_ reader: inout ObjectReader, named name: String) {
        self = PoolEntry(&reader, named: name).plain
    }
}

/// What one body or one entry of a fleet file says.
public struct PoolEntry {
    /// The pool where all nodes are of its shape.
    fileprivate var plain: PoolSpec
    /// By the first of its nodes, each with its own part of the list.
    public private(set) var pools: [PoolSpec]

    /// Reads an entry in which nodes may have shapes of their own. Without `readNodes` it may name no file.
    public init(_ reader: inout ObjectReader, readNodes: NodeFileReader? = nil) {
        self.init(&reader, nil, NodeLists(mayMix: true, readFile: readNodes))
    }

    fileprivate init(_ reader: inout ObjectReader, named name: String) {
        self.init(&reader, name, NodeLists(mayMix: false, readFile: nil))
    }

    private init(_ reader: inout ObjectReader, _ name: String?, _ lists: NodeLists) {
        let before = reader.mistakeCount
        let ownName = name == nil ? reader.name("name") : reader.optionalName("name")
        if let name, let ownName, name != ownName {
            reader.mistake(.invalid, "name", "Leave the name out or make it '\(name)', as in the path.")
        }
        let provider = reader.name("provider") ?? ""
        let region = reader.name("region") ?? ""
        let accelerator = reader.optionalName("accelerator")
        let instanceType = reader.optionalName("instanceType") ?? ""
        let node = reader.optionalObject("node") { NodeShape(&$0) }
        let purchase = reader.optionalWord("purchase", Words.purchases) ?? .onDemand
        let billing = reader.optionalWord("billing", Words.billings) ?? .gpu
        let price = reader.price("priceUSDPerGPUHour") ?? 0
        let supply = Supply(&reader, lists)
        // A list in which every node says it needs no common one.
        if accelerator == nil && !supply.everyNodeHas(\.accelerator) { _ = reader.required("accelerator") }
        if node == nil && !supply.everyNodeHas(\.node) { _ = reader.required("node") }
        plain = PoolSpec(
            name: name ?? ownName ?? "", provider: provider, region: region, accelerator: accelerator ?? "",
            instanceType: instanceType, node: node ?? .none, topology: supply.topology,
            allowsGPUShares: reader.optionalBoolean("allowsGPUShares") ?? false,
            sparesPerDomain: reader.optionalInteger("sparesPerDomain", in: 0...Bounds.nodesPerDomain) ?? 0,
            reservation: reader.optionalReservation() ?? "", purchase: purchase, billing: billing,
            priceMicroUSDPerGPUHour: price,
            labels: reader.labels())
        pools = [plain]
        guard reader.mistakeCount == before else { return }
        if supply.isMixed { pools = plain.divided(supply.nodes) }
        for pool in pools {
            pool.checkName(reader)
            pool.checkTopology(supply.field, reader)
        }
    }
}

extension NodeShape {
    /// In the place of one that is missing.
    fileprivate static let none = NodeShape(gpus: 1, cpuMillis: 0, memoryMiB: 0)

    init(_ reader: inout ObjectReader) {
        self.init(
            gpus: reader.integer("gpus", in: 1...Bounds.gpusPerNode),
            cpuMillis: reader.integer("cpuMillis", in: 0...Bounds.cpuMillisPerNode),
            memoryMiB: reader.integer("memoryMiB", in: 0...Bounds.memoryMiBPerNode))
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

    /// The id that the provider gave a capacity block or reservation.
    mutating func optionalReservation() -> String? {
        optionalParsed("reservation", Rule.nodeName) { Names.isValidNodeName($0) ? $0 : nil }
    }
}

extension PoolSpec {
    fileprivate func checkName(_ reader: borrowing ObjectReader) {
        if Names.isValid(name) { return }
        reader.mistake(.tooLong, "name", "Shorten the name: with the shape of its nodes behind it, it makes '\(name)'.")
    }

    /// Bounds that follow from shape and topology together. The index of domains by free workers must stay small.
    fileprivate func checkTopology(_ field: StaticString, _ reader: borrowing ObjectReader) {
        let largest: Int
        switch topology {
        case .counts(_, _, let nodesPerDomain, let cliquesPerDomain): largest = nodesPerDomain / cliquesPerDomain
        case .nodes:
            let layout = PoolLayout(topology)
            largest = zip(layout.domainStart, layout.domainStart.dropFirst()).map { Int($1 - $0) }.max() ?? 0
            if largest > Bounds.nodesPerDomain || largest * node.gpus * layout.domainCount > Bounds.domainIndexBits {
                reader.mistake(
                    .outOfRange, field,
                    "Put large and small domains into different pools, each domain with at most \(Bounds.nodesPerDomain) nodes: the largest "
                        + "here has \(largest), beside \(layout.domainCount) domains.")
            }
        }
        if sparesPerDomain >= largest {
            reader.mistake(
                .outOfRange, "sparesPerDomain",
                "Keep fewer spares: the largest domain (or clique, where domains are partitioned) has \(largest) nodes, so none would be left."
            )
        }
    }
}
