// The levels of the supply tree, smallest first.

/// One level of the tree node < domain < block < pool < region < provider < fleet.
public enum Tier: UInt8, Comparable, CaseIterable, Sendable {
    case node, domain, block, pool, region, provider, fleet

    public static func < (left: Tier, right: Tier) -> Bool { left.rawValue < right.rawValue }

    public var name: String {
        switch self {
        case .node: "node"
        case .domain: "domain"
        case .block: "block"
        case .pool: "pool"
        case .region: "region"
        case .provider: "provider"
        case .fleet: "fleet"
        }
    }
}

/// The largest tier over which one gang may be spread.
public enum Scope: UInt8, CaseIterable, Sendable {
    case node, domain, block, pool

    public var tier: Tier {
        switch self {
        case .node: .node
        case .domain: .domain
        case .block: .block
        case .pool: .pool
        }
    }
}
