// What a plan is asked for, with every mistake of it: names of what is there, bounds, and words that together mean something.

import Engine
import JSON
import Model

/// What there is to name, for the mistakes of names that are not.
private struct Known {
    let pools: [PoolRecord]
    let view: State

    init(_ view: State) {
        self.view = view
        pools = view.pools.filter { !$0.isDeleted }
    }

    var providers: [String] { unique(pools.map(\.spec.provider)) }
    var accelerators: [String] { unique(pools.map(\.spec.accelerator)) }
    /// Alone and behind their providers.
    var regions: [String] { unique(pools.flatMap { [$0.spec.region, $0.spec.provider + "/" + $0.spec.region] }) }

    private func unique(_ names: [String]) -> [String] { Set(names).sorted() }
}

extension ValueReader {
    /// A name among those that are there.
    fileprivate func known(
        _ kind: String, _ expected: String, maxBytes: Int = FieldDefaults.stringBytes, among names: [String],
        _ isValid: (String) -> Bool
    ) -> String? {
        guard let name = parsed(expected, maxBytes: maxBytes, { isValid($0) ? $0 : nil }) else { return nil }
        if names.contains(name) { return name }
        let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "."
        mistake(.invalid, "Name a \(kind) that is there, not '\(name)'\(hint)")
        return nil
    }
}

extension ObjectReader {
    fileprivate mutating func placeFilter(_ known: Known) -> PoolFilter {
        var filter = PoolFilter()
        let names = known.pools.map(\.spec.name)
        var seen: Set<String> = []
        filter.pools =
            optionalArray("pools", count: 1...Bounds.listEntries) { element in
                let name = element.known("pool", Rule.name, among: names, Names.isValid)
                if let name, !seen.insert(name).inserted {
                    element.mistake(.duplicate, "Leave this '\(name)' out: it stands in the list before.")
                }
                return name
            }?.compactMap(\.self) ?? []
        filter.provider = field("provider")?.known("provider", Rule.name, among: known.providers, Names.isValid)
        filter.region = field("region")?.known(
            "region", Rule.region, maxBytes: 2 * Bounds.nameBytes + 1, among: known.regions, Rule.isRegion)
        return filter
    }

    /// Notes that nothing is all of what is said, where each word by itself is right.
    fileprivate func expectSome(_ filter: PoolFilter, _ known: Known, since mistakes: Int) {
        if mistakeCount > mistakes || filter == PoolFilter() { return }
        if known.pools.contains(where: { filter.admits($0.spec) }) { return }
        mistake(.invalid, nil, "Ask for less: each of these names is there, and no pool is all that they say together.")
    }
}

extension DefragmentRequest {
    init(_ reader: inout ObjectReader, _ view: State) {
        self.init()
        let known = Known(view)
        let mistakes = reader.mistakeCount
        filter = reader.placeFilter(known)
        filter.accelerator = reader.field("accelerator")?.known(
            "accelerator", Rule.name, among: known.accelerators, Names.isValid)
        maxMoves = reader.optionalInteger("maxMoves", in: 1...Bounds.planMoves) ?? maxMoves
        maxLost = reader.optionalInteger("maxGPUHoursLost", in: 0...Bounds.budgetGPUHours).map { GPUTime(gpuHours: $0) }
        wholeDomains = reader.optionalInteger("wholeDomains", in: 1...Bounds.nodesPerPool)
        onlyPreemptible = reader.optionalBoolean("onlyPreemptible") ?? false
        mayCostMore = reader.optionalBoolean("mayCostMore") ?? false
        reader.expectSome(filter, known, since: mistakes)
    }
}

extension EvacuationRequest {
    init(_ reader: inout ObjectReader, _ view: State) {
        self.init()
        let known = Known(view)
        let mistakes = reader.mistakeCount
        filter = reader.placeFilter(known)
        let chosen = filter
        var seen: Set<String> = []
        domains =
            reader.optionalArray("domains", count: 1...Bounds.planDomains) { element -> [DomainPlace] in
                guard let name = element.parsed(Rule.domain, maxBytes: 512, { Rule.isDomain($0) ? $0 : nil }) else {
                    return []
                }
                if !seen.insert(name).inserted {
                    element.mistake(.duplicate, "Leave this '\(name)' out: it stands in the list before.")
                }
                return Self.domains(named: name, of: chosen, view, element)
            }?.flatMap(\.self) ?? []
        limit = reader.optionalInteger("limit", in: 1...Bounds.planJobs) ?? limit
        if filter == PoolFilter() && !reader.has("domains") && reader.mistakeCount == mistakes {
            reader.mistake(
                .missing, nil, "Say what is to be emptied: a \"provider\", a \"region\", \"pools\" or \"domains\".")
        }
        reader.expectSome(filter, known, since: mistakes)
    }

    /// The domain called `name`, by its pool's name, a slash, and its own; all cliques of one that is partitioned.
    private static func domains(
        named name: String, of filter: PoolFilter, _ view: State, _ element: ValueReader
    ) -> [DomainPlace] {
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        guard let slot = view.slot(named: parts[0]) else {
            element.mistake(.invalid, "Name a pool that is there, not '\(parts[0])', before the first '/'.")
            return []
        }
        let layout = view[slot].layout
        let found = (0..<layout.domainCount).filter { layout.name(ofDomain: $0) == parts[1] }
        if found.isEmpty {
            element.mistake(
                .invalid,
                "Name a domain that is there: pool '\(parts[0])' has none called '\(parts[1])'. "
                    + "GET /v1/pools/\(parts[0])/nodes shows them.")
        } else if !filter.admits(view[slot].spec) {
            element.mistake(.invalid, "Leave '\(name)' out: its pool is none of those that the other fields choose.")
        }
        return found.map { DomainPlace(pool: slot, domain: $0) }
    }
}

extension Rule {
    static let domain = "a pool's name, '/' and the name of one of its domains"

    fileprivate static func isDomain(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return parts.count == 2 && Names.isValid(parts[0]) && Names.isValidNodeName(parts[1])
    }
}
