// Which demand usually comes: a histogram of the shapes of submitted gangs in which old ones fade.
// Placement measures fragmentation against it. All integers; equal histories give equal mixes.

/// One shape of demand and how often it comes.
public struct MixEntry: Hashable, Sendable {
    /// The gang's largest worker group.
    public var demand: Demand
    public var workers: Int
    /// The tier that the gang would share: preferred where it has one, else required.
    public var tier: Tier
    /// Models that it accepts, sorted; empty means any.
    public var accelerators: [String]
    public var weight: UInt64
    /// How scarce room for it is: free GPU capacity over the capacity of what fits of it, with 16 bits after the point.
    /// Known for mixes in use where some pool weighs its nodes; else 0.
    public var scarcity: UInt64 = 0

    public init(demand: Demand, workers: Int, tier: Tier, accelerators: [String], weight: UInt64) {
        self.demand = demand
        self.workers = workers
        self.tier = tier
        self.accelerators = accelerators
        self.weight = weight
    }

    public func isSameShape(as other: MixEntry) -> Bool {
        demand == other.demand && workers == other.workers && tier == other.tier && accelerators == other.accelerators
    }
}

/// What came and how much it counts still, and the part of it that decisions use.
///
/// Each arrival weighs a little more than the one before, which is the same as all earlier ones fading: after
/// `halfLife` arrivals one counts half. When weights grow large all are halved. At most `mostEntries` shapes are
/// remembered; a new one takes the place of the lightest, as in the Space-Saving sketch (Metwally, Agrawal and El
/// Abbadi, 2005), but with its own weight only.
///
/// Decisions use `inUse`, a copy: what was computed from it stays valid until it is taken anew. Each time the arrivals have
/// grown by half (at most by `halfLife`/2) it is, if by then a tenth of the demand is of other shapes.
public struct DemandMix: Hashable, Sendable {
    public static let mostEntries = 128
    public static let halfLife: UInt64 = 1 << 15
    /// The weight of the first arrival; by it weights are finer than one arrival.
    private static let unit: UInt64 = 1 << 20

    /// In order of first arrival.
    public private(set) var entries: [MixEntry]
    public private(set) var arrivals: UInt64
    /// What an arrival weighs now.
    public private(set) var step: UInt64
    /// By falling weight, then by first arrival.
    public private(set) var inUse: [MixEntry]
    /// Rises each time `inUse` is taken anew or its scarcities are found again.
    public private(set) var version: UInt64
    /// Arrivals after which it is taken anew.
    public private(set) var nextVersionAt: UInt64
    /// Free GPU capacity when scarcities were last found, in thousandths of a GPU.
    public private(set) var pricedFreeMilli: Int

    public init() {
        entries = []
        arrivals = 0
        step = Self.unit
        inUse = []
        version = 0
        nextVersionAt = 1
        pricedFreeMilli = 0
    }

    /// As it was remembered.
    public init(
        entries: [MixEntry], arrivals: UInt64, step: UInt64, inUse: [MixEntry], version: UInt64, nextVersionAt: UInt64,
        pricedFreeMilli: Int
    ) {
        self.entries = entries
        self.arrivals = arrivals
        self.step = step
        self.inUse = inUse
        self.version = version
        self.nextVersionAt = nextVersionAt
        self.pricedFreeMilli = pricedFreeMilli
    }

    /// Takes note of a job that came. Cost: the entries.
    public mutating func note(_ spec: JobSpec) {
        guard let group = spec.workers.max(by: { $0.count * $0.demand.totalMilli < $1.count * $1.demand.totalMilli })
        else { return }
        let entry = MixEntry(
            demand: group.demand, workers: group.count, tier: spec.scope.preferred ?? spec.scope.required,
            accelerators: spec.accelerators.map(\.model).sorted(), weight: step)
        note(entry)
    }

    public mutating func note(_ entry: MixEntry) {
        arrivals += 1
        if let at = entries.firstIndex(where: { $0.isSameShape(as: entry) }) {
            entries[at].weight += step
        } else {
            var entry = entry
            entry.weight = step
            if entries.count == Self.mostEntries {
                // The first of the lightest.
                var lightest = 0
                for at in entries.indices where entries[at].weight < entries[lightest].weight { lightest = at }
                entries.remove(at: lightest)
            }
            entries.append(entry)
        }
        // 2^(1/halfLife) in fixed point: ln 2 = 45426/65536.
        step += max(1, step / Self.halfLife * 45426 / 65536)
        if step >= Self.unit << 20 { halve() }
        if arrivals >= nextVersionAt { renew() }
    }

    /// Whether so much less or more is free than when scarcities were found that they should be found again. Below a
    /// hundredth of `allMilli` they no longer matter.
    public func isOutdated(freeMilli: Int, allMilli: Int) -> Bool {
        if inUse.isEmpty || freeMilli * 100 <= allMilli && pricedFreeMilli * 100 <= allMilli { return false }
        return freeMilli * 5 < pricedFreeMilli * 4 || freeMilli * 4 > pricedFreeMilli * 5
    }

    /// Takes the scarcity of each entry in use.
    public mutating func price(freeMilli: Int, scarcity: [UInt64]) {
        precondition(scarcity.count == inUse.count, "a scarcity for each entry")
        pricedFreeMilli = freeMilli
        version += 1
        for at in inUse.indices { inUse[at].scarcity = scarcity[at] }
    }

    private mutating func halve() {
        step = Self.unit
        for at in entries.indices { entries[at].weight >>= 20 }
        entries.removeAll { $0.weight == 0 }
    }

    private mutating func renew() {
        nextVersionAt = arrivals + max(1, min(arrivals, Self.halfLife) / 2)
        if !isFar() { return }
        version += 1
        inUse = entries.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }
            .map(\.element)
    }

    /// Whether a tenth of the weight is of other shapes than in the copy in use (the total variation distance of both).
    private func isFar() -> Bool {
        if inUse.isEmpty { return true }
        let (all, allInUse) = (total(entries), total(inUse))
        // Twice the distance is the sum of |a/all - b/allInUse| over all shapes.
        var twice: UInt128 = 0
        for entry in entries {
            let before = inUse.first { $0.isSameShape(as: entry) }?.weight ?? 0
            let (now, then) = (UInt128(entry.weight) * allInUse, UInt128(before) * all)
            twice += max(now, then) - min(now, then)
        }
        for entry in inUse where !entries.contains(where: { $0.isSameShape(as: entry) }) {
            twice += UInt128(entry.weight) * all
        }
        return twice * 5 >= all * allInUse
    }

    private func total(_ entries: [MixEntry]) -> UInt128 { entries.reduce(0) { $0 + UInt128($1.weight) } }
}
