// A tenant as a value of the model, with every mistake of it: weight, quotas, budget, limits and places.

import JSON
import Model

extension TenantSpec {
    /// Reads a tenant. `path` is the one in the request's path.
    init(_ reader: inout ObjectReader, at path: String) {
        if let own = reader.optionalParsed("path", Rule.tenant, { TenantPath.isValid($0) ? $0 : nil }), own != path {
            reader.mistake(.invalid, "path", "Leave the path out or make it '\(path)', as in the request.")
        }
        self.init(path: path, weight: reader.optionalInteger("weight", in: 1...Bounds.tenantWeight) ?? 1)
        quotas = Quota.list(&reader)
        budget = reader.optionalObject("budget") { Budget(&$0) }
        maxQueuedJobs = reader.optionalInteger("maxQueuedJobs", in: 0...Self.jobs)
        maxRunningJobs = reader.optionalInteger("maxRunningJobs", in: 0...Self.jobs)
        residency = reader.names("residency", Rule.region, maxBytes: 2 * Bounds.nameBytes + 1, Rule.isRegion)
        denyProviders = reader.names("denyProviders")
        labels = reader.labels()
    }

    private static let jobs = 1_000_000_000
}

extension Quota {
    /// Ordered by unit, then by beginning; no two of one unit are in force together, but a passing one and a lasting one.
    fileprivate static func list(_ reader: inout ObjectReader) -> [Quota] {
        var seen: [Quota] = []
        let quotas: [Quota] =
            reader.optionalArray("quota", count: 0...Bounds.quotasPerTenant) { element in
                let quota = element.object { Quota(&$0) }
                if let other = seen.first(where: { $0.clashes(with: quota) }) {
                    element.mistake(
                        .duplicate,
                        quota.isPassing
                            ? "Keep quotas of one accelerator apart in time: one before holds from \(other.from.map(\.description) ?? "the beginning") until \(other.until.map(\.description) ?? "the end")."
                            : "Leave one of them out: a lasting quota of this accelerator stands in the list before.")
                }
                seen.append(quota)
                return quota
            } ?? []
        return quotas.sorted {
            ($0.unit.order, $0.from?.nanoseconds ?? .min) < ($1.unit.order, $1.from?.nanoseconds ?? .min)
        }
    }

    private init(_ reader: inout ObjectReader) {
        let expected = Rule.name + ", or '*' for the price of all"
        let name = reader.parsed("accelerator", expected) { $0 == "*" || Names.isValid($0) ? $0 : nil } ?? "*"
        if name == "*" {
            self.init(unit: .microUSDPerHour, nominal: reader.usd("nominalUSDPerHour", isRequired: true) ?? 0)
            borrowLimit = reader.usd("borrowLimitUSDPerHour")
            lendLimit = reader.usd("lendLimitUSDPerHour")
        } else {
            let gpus = 0...Bounds.quotaAmount / 1000
            self.init(unit: .gpuMilli(accelerator: name), nominal: reader.integer("nominalGPUs", in: gpus) * 1000)
            borrowLimit = reader.optionalInteger("borrowLimitGPUs", in: gpus).map { $0 * 1000 }
            lendLimit = reader.optionalInteger("lendLimitGPUs", in: gpus).map { $0 * 1000 }
        }
        from = reader.optionalMoment("from")
        until = reader.optionalMoment("until")
        if let from, let until, until <= from {
            reader.mistake(.invalid, "until", "Let it end after it begins, at \(from).")
        }
    }

    /// Whether both could be in force at once and neither goes before the other.
    private func clashes(with other: Quota) -> Bool {
        guard unit == other.unit, isPassing == other.isPassing else { return false }
        let begins = max(from?.nanoseconds ?? .min, other.from?.nanoseconds ?? .min)
        let ends = min(until?.nanoseconds ?? .max, other.until?.nanoseconds ?? .max)
        return begins < ends
    }
}

extension QuotaUnit {
    /// The price of all first.
    fileprivate var order: String {
        switch self {
        case .gpuMilli(let accelerator): accelerator
        case .microUSDPerHour: ""
        }
    }
}

extension Budget {
    fileprivate init(_ reader: inout ObjectReader) {
        self.init(
            gpuHours: reader.optionalInteger("gpuHoursPerMonth", in: 0...Bounds.budgetGPUHours),
            microUSD: reader.usd("usdPerMonth", most: Bounds.budgetMicroUSD),
            isHard: reader.optionalWord("enforcement", Words.enforcements) ?? false)
        if gpuHours == nil && microUSD == nil && !reader.has("gpuHoursPerMonth") && !reader.has("usdPerMonth") {
            reader.mistake(
                .missing, "gpuHoursPerMonth",
                "Give 'gpuHoursPerMonth' or 'usdPerMonth' or both, or leave the budget out.")
        }
    }
}

extension Words<Bool> {
    /// Whether a budget is hard.
    static let enforcements = Words([("warning", false), ("hard", true)])
}

extension ObjectReader {
    /// A decimal amount of USD as a string, in micro-USD.
    fileprivate mutating func usd(_ field: StaticString, isRequired: Bool = false, most: Int64 = Bounds.quotaAmount)
        -> Int64?
    {
        let expected =
            "a decimal number of USD with at most six decimals and at most \(most / 1_000_000), like \"3.25\""
        func amount(_ text: String) -> Int64? {
            guard case .success(let micros) = Money.micros(text), (0...most) ~= micros else { return nil }
            return micros
        }
        return isRequired ? parsed(field, expected, amount) : optionalParsed(field, expected, amount)
    }
}
