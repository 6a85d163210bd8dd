// A fleet file: the providers with their regions, and the pools, which may only name those.

public import JSON
public import Model

/// The pools of a fleet file.
public struct Fleet: Sendable {
    public var pools: [PoolSpec]

    /// Reads a fleet; nil where the file has mistakes, which are then in `mistakes`.
    public init?(_ value: JSONValue, _ mistakes: Mistakes, readNodes: @escaping (String) throws -> [UInt8]) {
        var fields = Fields(value, mistakes)
        var regions: [String: [String]] = [:]
        for (value, pointer) in fields.array("providers", required: true) ?? [] {
            var provider = Fields(value, at: pointer, mistakes)
            let name = provider.name("name", required: true)
            _ = provider.string("title")
            var names: [String] = []
            for (value, pointer) in provider.array("regions", required: true) ?? [] {
                var region = Fields(value, at: pointer, mistakes)
                if let name = region.name("name", required: true) { names.append(name) }
                _ = region.string("location")
                region.finish()
            }
            provider.finish()
            if let name { regions[name] = names }
        }
        var pools: [PoolSpec] = []
        var names: Set<String> = []
        for (value, pointer) in fields.array("pools", required: true) ?? [] {
            guard let pool = PoolSpec(value, at: pointer, mistakes, readNodes: readNodes) else { continue }
            if !names.insert(pool.name).inserted {
                mistakes.add(.member(pointer, "name"), .duplicate, "the pool '\(pool.name)' stands twice")
            }
            let known = regions.keys.sorted()
            if let ofProvider = regions[pool.provider] {
                if !ofProvider.contains(pool.region) {
                    let hint = nearest(to: pool.region, among: ofProvider).map { "; did you mean '\($0)'?" } ?? ""
                    mistakes.add(
                        .member(pointer, "region"), .invalid,
                        "'\(pool.region)' is not a region of '\(pool.provider)'" + hint)
                }
            } else {
                let hint = nearest(to: pool.provider, among: known).map { "; did you mean '\($0)'?" } ?? ""
                mistakes.add(
                    .member(pointer, "provider"), .invalid, "'\(pool.provider)' is not among the providers" + hint)
            }
            pools.append(pool)
        }
        fields.finish()
        guard mistakes.isEmpty else { return nil }
        self.pools = pools
    }
}
