// A fleet file: the providers with their regions, and the pools, which may only name those.

public import JSON
public import Model

/// The pools of a fleet file.
public struct Fleet: Sendable {
    public var pools: [PoolSpec]

    /// Reads a fleet. Its mistakes are the reader's.
    public init(_ reader: inout ObjectReader, readNodes: @escaping NodeFileReader) {
        let providers = reader.objects("providers") { provider in
            let name = provider.name("name") ?? ""
            _ = provider.optionalString("title")
            let regions = provider.objects("regions") { region in
                _ = region.optionalString("location")
                return region.name("name") ?? ""
            }
            return (name: name, regions: regions)
        }
        var names: Set<String> = []
        let entries = reader.objects("pools", count: 0...Bounds.poolSlots) { reader in
            let pools = PoolEntry(&reader, readNodes: readNodes).pools
            for pool in pools where !pool.name.isEmpty && !names.insert(pool.name).inserted {
                reader.mistake(.duplicate, "name", "Name this pool otherwise: '\(pool.name)' stands before it.")
            }
            // All of them are of one provider and region.
            let pool = pools[0]
            guard let provider = providers.first(where: { $0.name == pool.provider }) else {
                let hint =
                    nearest(to: pool.provider, among: providers.map(\.name)).map { "; did you mean '\($0)'?" } ?? "."
                reader.mistake(.invalid, "provider", "Name one of the providers, not '\(pool.provider)'\(hint)")
                return pools
            }
            if !provider.regions.contains(pool.region) {
                let hint = nearest(to: pool.region, among: provider.regions).map { "; did you mean '\($0)'?" } ?? "."
                reader.mistake(.invalid, "region", "Name a region of '\(provider.name)', not '\(pool.region)'\(hint)")
            }
            return pools
        }
        pools = entries.flatMap(\.self)
        if pools.count > Bounds.poolSlots {
            reader.mistake(
                .tooLong, "pools",
                "Give fewer pools: with one for each shape of listed nodes there are \(pools.count), and at most \(Bounds.poolSlots) are allowed."
            )
        }
    }
}
