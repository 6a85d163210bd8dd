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
