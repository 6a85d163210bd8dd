// Who owns jobs: a tree of tenants by path, what each is entitled to, and the policy that weighs them against each other.

/// A tenant's place in the state's table. 0 is the fleet as a whole, the root of the tree; a place that became vacant may be
/// given to another tenant.
public struct TenantSlot: Hashable, Comparable, Sendable {
    public var index: Int

    public init(_ index: Int) { self.index = index }

    public static let fleet = TenantSlot(0)

    public static func < (left: TenantSlot, right: TenantSlot) -> Bool { left.index < right.index }
}

/// What a quota counts.
public enum QuotaUnit: Hashable, Sendable {
    /// GPUs of one accelerator model, in thousandths of a GPU.
    case gpuMilli(accelerator: String)
    /// GPUs of all models together, each at its pool's price, in micro-USD per hour.
    case microUSDPerHour
}

/// How much of one unit a tenant with all below it is entitled to.
public struct Quota: Hashable, Sendable {
    public var unit: QuotaUnit
    /// Its own.
    public var nominal: Int64
    /// The most that it may take beyond its own; nil for all that is idle.
    public var borrowLimit: Int64?
    /// The most of its own that others may take while it is idle; nil for all.
    public var lendLimit: Int64?
    /// In force from here on; nil for always.
    public var from: Timestamp?
    /// In force until here; nil for ever.
    public var until: Timestamp?

    public init(
        unit: QuotaUnit, nominal: Int64, borrowLimit: Int64? = nil, lendLimit: Int64? = nil, from: Timestamp? = nil,
        until: Timestamp? = nil
    ) {
        self.unit = unit
        self.nominal = nominal
        self.borrowLimit = borrowLimit
        self.lendLimit = lendLimit
        self.from = from
        self.until = until
    }

    /// Whether it holds for a while only. Such a quota takes the place of a lasting one of the same unit while it is in force.
    public var isPassing: Bool { from != nil || until != nil }

    public func isInForce(at moment: Timestamp) -> Bool {
        (from.map { $0 <= moment } ?? true) && (until.map { moment < $0 } ?? true)
    }
}

/// What a tenant with all below it may use up in one calendar month, UTC.
public struct Budget: Hashable, Sendable {
    public var gpuHours: Int64?
    public var microUSD: Int64?
    /// Whether nothing more is placed once it is used up; else it is only told.
    public var isHard: Bool

    public init(gpuHours: Int64? = nil, microUSD: Int64? = nil, isHard: Bool = false) {
        self.gpuHours = gpuHours
        self.microUSD = microUSD
        self.isHard = isHard
    }
}

/// A tenant as it was put.
public struct TenantSpec: Hashable, Sendable {
    /// Names from the top of the tree down, with `/` between them: `research/vision`.
    public var path: String
    /// How much of what is shared it should get, against its siblings.
    public var weight: Int
    /// By unit, then by beginning.
    public var quotas: [Quota]
    public var budget: Budget?
    /// Jobs of it and of all below it that may wait, and that may be placed or run, at once.
    public var maxQueuedJobs: Int?
    public var maxRunningJobs: Int?
    /// Regions, each alone or as `provider/region`, beyond which no job of it may run; empty for no such rule.
    public var residency: [String]
    public var denyProviders: [String]
    /// Ordered by name.
    public var labels: [Label]

    public init(
        path: String, weight: Int = 1, quotas: [Quota] = [], budget: Budget? = nil, maxQueuedJobs: Int? = nil,
        maxRunningJobs: Int? = nil, residency: [String] = [], denyProviders: [String] = [], labels: [Label] = []
    ) {
        self.path = path
        self.weight = weight
        self.quotas = quotas
        self.budget = budget
        self.maxQueuedJobs = maxQueuedJobs
        self.maxRunningJobs = maxRunningJobs
        self.residency = residency
        self.denyProviders = denyProviders
        self.labels = labels
    }
}

/// What all tenants have in common. Part of the state, for what the state remembers of their use depends on it.
public struct FairSharePolicy: Hashable, Sendable {
    /// After so long, use counts half. Never 0: what is remembered would fade at once.
    public var halfLifeSeconds: Int

    public init(halfLifeSeconds: Int = 7 * 86_400) { self.halfLifeSeconds = halfLifeSeconds }
}

/// The paths of tenants: names with `/` between them.
public enum TenantPath {
    /// Whether it is 1 to 128 bytes of names with `/` between them, at most `Bounds.tenantDepth`.
    public static func isValid(_ path: String) -> Bool {
        Names.isValidNodeName(path) && path.utf8.count { $0 == UInt8(ascii: "/") } < Bounds.tenantDepth
    }

    /// The path of the tenant above; nil for one directly below the fleet.
    public static func parent(of path: String) -> String? {
        path.lastIndex(of: "/").map { String(path[..<$0]) }
    }
}

extension TenantSpec {
    /// The part of the state digest of what was put.
    public var digest: UInt64 {
        var digest = Digest(seed: 7)
        digest.add(path)
        digest.add(weight)
        digest.add(quotas.count)
        for quota in quotas {
            switch quota.unit {
            case .gpuMilli(let accelerator): digest.add(accelerator)
            case .microUSDPerHour: digest.add("*")
            }
            for amount in [quota.nominal, quota.borrowLimit ?? -1, quota.lendLimit ?? -1] {
                digest.add(UInt64(bitPattern: amount))
            }
            digest.add(quota.from)
            digest.add(quota.until)
        }
        digest.add(budget.map { $0.isHard ? 2 : 1 } ?? 0)
        digest.add(UInt64(bitPattern: budget?.gpuHours ?? -1))
        digest.add(UInt64(bitPattern: budget?.microUSD ?? -1))
        digest.add(maxQueuedJobs ?? -1)
        digest.add(maxRunningJobs ?? -1)
        digest.add(residency)
        digest.add(denyProviders)
        digest.add(labels)
        return digest.value
    }
}
