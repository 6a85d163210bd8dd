// Supply as it is described to Berth: a pool, its node shape, its topology, its price, and the states of a node.

/// What one node has.
public struct NodeShape: Hashable, Sendable {
    public var gpus: Int
    public var cpuMillis: Int
    public var memoryMiB: Int

    public init(gpus: Int, cpuMillis: Int, memoryMiB: Int) {
        self.gpus = gpus
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }
}

/// A node of an explicit inventory. Names of blocks and domains are their own; two domains of different blocks differ.
public struct NodeListing: Hashable, Sendable {
    public var name: String
    /// NVLink domain: the rack or UltraServer.
    public var domain: String
    /// Part of the domain over which NVLink reaches, where it is partitioned (a rack of 72 as two of 36); else empty.
    public var clique: String
    public var block: String
    /// The capacity block or reservation at the provider that the node belongs to; empty where there is none.
    public var reservation: String

    public init(name: String, domain: String, clique: String = "", block: String, reservation: String = "") {
        self.name = name
        self.domain = domain
        self.clique = clique
        self.block = block
        self.reservation = reservation
    }

    /// Bytes of all its names together.
    public var nameBytes: Int {
        name.utf8.count + domain.utf8.count + clique.utf8.count + block.utf8.count + reservation.utf8.count
    }
}

/// How a pool's nodes are arranged.
public enum Topology: Hashable, Sendable {
    /// Names are derived: `b03/d017/n04`, with the domain counted within its block and the node within its domain.
    /// Each domain is cut into `cliquesPerDomain` equal parts, which divide its nodes.
    case counts(blocks: Int, domainsPerBlock: Int, nodesPerDomain: Int, cliquesPerDomain: Int = 1)
    /// An inventory with names of its own.
    case nodes([NodeListing])

    public var nodeCount: Int {
        switch self {
        case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, _): blocks * domainsPerBlock * nodesPerDomain
        case .nodes(let listings): listings.count
        }
    }
}

/// How a pool was bought.
public enum Purchase: UInt8, CaseIterable, Sendable {
    case onDemand, reserved, spot, committed
}

/// What a provider bills for while work runs.
public enum Billing: UInt8, CaseIterable, Sendable {
    /// The GPUs that are held.
    case gpu
    /// All GPUs of each node on which anything runs.
    case node
}

/// A pool as it was put.
public struct PoolSpec: Hashable, Sendable {
    public var name: String
    public var provider: String
    public var region: String
    public var accelerator: String
    public var instanceType: String
    public var node: NodeShape
    public var topology: Topology
    /// Whether workers may take shares of one GPU here.
    public var allowsGPUShares: Bool
    /// Nodes of each domain, the last ones, that are kept out of ordinary placement.
    public var sparesPerDomain: Int
    /// The capacity block or reservation at the provider, for nodes that name none of their own; empty where there is none.
    public var reservation: String
    public var purchase: Purchase
    public var billing: Billing
    public var priceMicroUSDPerGPUHour: Int64
    /// Ordered by name.
    public var labels: [Label]

    public init(
        name: String, provider: String, region: String, accelerator: String, instanceType: String = "",
        node: NodeShape, topology: Topology, allowsGPUShares: Bool = false, sparesPerDomain: Int = 0,
        reservation: String = "", purchase: Purchase = .onDemand, billing: Billing = .gpu,
        priceMicroUSDPerGPUHour: Int64 = 0,
        labels: [Label] = []
    ) {
        self.name = name
        self.provider = provider
        self.region = region
        self.accelerator = accelerator
        self.instanceType = instanceType
        self.node = node
        self.topology = topology
        self.allowsGPUShares = allowsGPUShares
        self.sparesPerDomain = sparesPerDomain
        self.reservation = reservation
        self.purchase = purchase
        self.billing = billing
        self.priceMicroUSDPerGPUHour = priceMicroUSDPerGPUHour
        self.labels = labels
    }

    public var gpuCount: Int { topology.nodeCount * node.gpus }
}

/// The state of a node. A node that was cordoned when it went down comes up cordoned.
public enum NodeState: UInt8, CaseIterable, Sendable {
    case ready, cordoned, draining, down, downCordoned

    public var isDown: Bool { self == .down || self == .downCordoned }

    /// As readers see it; the memory of a cordon while down is `isCordoned`.
    public var name: String {
        switch self {
        case .ready: "ready"
        case .cordoned: "cordoned"
        case .draining: "draining"
        case .down, .downCordoned: "down"
        }
    }
}

/// What a caller may do to a node.
public enum NodeAction: UInt8, CaseIterable, Sendable {
    case cordon, drain, uncordon, down, up

    public var name: String {
        switch self {
        case .cordon: "cordon"
        case .drain: "drain"
        case .uncordon: "uncordon"
        case .down: "down"
        case .up: "up"
        }
    }
}

extension NodeState {
    /// The state after `action`, the same state where nothing changes, or nil where the action makes no sense here.
    public func after(_ action: NodeAction) -> NodeState? {
        switch (self, action) {
        case (.ready, .cordon), (.cordoned, .cordon), (.draining, .cordon): .cordoned
        case (.down, .cordon), (.downCordoned, .cordon): .downCordoned
        case (.ready, .drain), (.cordoned, .drain), (.draining, .drain): .draining
        case (.down, .drain), (.downCordoned, .drain): nil
        case (.ready, .uncordon), (.cordoned, .uncordon), (.draining, .uncordon): .ready
        case (.down, .uncordon), (.downCordoned, .uncordon): .down
        case (.ready, .down), (.down, .down): .down
        case (.cordoned, .down), (.draining, .down), (.downCordoned, .down): .downCordoned
        case (.down, .up), (.ready, .up): .ready
        case (.downCordoned, .up), (.cordoned, .up): .cordoned
        case (.draining, .up): .draining
        }
    }
}
