// Tenants as the API shows them: as they were put, what they use, borrow and lend, and what a job of theirs would meet.

import Engine
import JSON
import Model

extension JSONWriter {
    /// A tenant as it was put, without braces.
    mutating func spec(_ spec: TenantSpec) {
        member("path", spec.path)
        member("weight", spec.weight)
        key("quota")
        array { writer in for quota in spec.quotas { writer.quota(quota) } }
        if let budget = spec.budget {
            key("budget")
            object { $0.budget(budget) }
        }
        if let most = spec.maxQueuedJobs { member("maxQueuedJobs", most) }
        if let most = spec.maxRunningJobs { member("maxRunningJobs", most) }
        if !spec.residency.isEmpty { member("residency", spec.residency) }
        if !spec.denyProviders.isEmpty { member("denyProviders", spec.denyProviders) }
        member("labels", spec.labels)
    }

    private mutating func quota(_ quota: Quota) {
        object { writer in
            switch quota.unit {
            case .gpuMilli(let accelerator):
                writer.member("accelerator", accelerator)
                writer.field("nominalGPUs", quota.nominal / 1000)
                if let limit = quota.borrowLimit { writer.field("borrowLimitGPUs", limit / 1000) }
                if let limit = quota.lendLimit { writer.field("lendLimitGPUs", limit / 1000) }
            case .microUSDPerHour:
                writer.member("accelerator", "*")
                writer.usd("nominalUSDPerHour", quota.nominal)
                if let limit = quota.borrowLimit { writer.usd("borrowLimitUSDPerHour", limit) }
                if let limit = quota.lendLimit { writer.usd("lendLimitUSDPerHour", limit) }
            }
            if let from = quota.from { writer.member("from", from) }
            if let until = quota.until { writer.member("until", until) }
        }
    }

    private mutating func budget(_ budget: Budget) {
        if let hours = budget.gpuHours { field("gpuHoursPerMonth", hours) }
        if let micros = budget.microUSD { usd("usdPerMonth", micros) }
        field("enforcement", text: budget.isHard ? "hard" : "warning")
    }

    private mutating func usd(_ key: StaticString, _ micros: Int64) { member(key, decimalString(micros: micros)) }

    /// A tenant with its figures, and with what its jobs would meet where that is given.
    mutating func tenant(_ reading: TenantReading, outlook: [OutlookReading]? = nil) {
        object { writer in
            let record = reading.record
            if let spec = record.spec {
                writer.spec(spec)
                writer.member("isImplicit", false)
                writer.member("revision", record.revision)
            } else {
                writer.member("path", record.path)
                writer.member("weight", record.weight)
                writer.key("quota")
                writer.array { _ in }
                writer.member("isImplicit", true)
            }
            writer.member("childCount", record.children)
            writer.member("queuedJobs", record.queuedJobs)
            writer.member("runningJobs", record.runningJobs)
            writer.member("share", Self.fraction(reading.shareMillionths))
            writer.key("used")
            writer.array { writer in
                for (accelerator, milli) in reading.used {
                    writer.object { writer in
                        writer.member("accelerator", accelerator)
                        writer.gpus("gpus", milli)
                    }
                }
            }
            writer.key("quotaNow")
            writer.array { writer in for quota in reading.quotas { writer.quotaNow(quota) } }
            writer.key("month")
            writer.object { $0.month(reading) }
            writer.member("jobsAtLimit", reading.jobsAtLimit)
            writer.member("budgetIsUsedUp", reading.budgetIsUsedUp)
            if let outlook { writer.outlook(outlook) }
        }
    }

    private mutating func quotaNow(_ quota: QuotaReading) {
        object { writer in
            guard let accelerator = quota.accelerator else {
                writer.member("accelerator", "*")
                writer.usd("nominalUSDPerHour", quota.nominal)
                writer.usd("usedUSDPerHour", quota.used)
                writer.usd("borrowedUSDPerHour", quota.borrowed)
                writer.usd("lentUSDPerHour", quota.lent)
                writer.usd("availableUSDPerHour", quota.available)
                return
            }
            writer.member("accelerator", accelerator)
            writer.gpus("nominalGPUs", quota.nominal)
            writer.gpus("usedGPUs", quota.used)
            writer.gpus("borrowedGPUs", quota.borrowed)
            writer.gpus("lentGPUs", quota.lent)
            writer.gpus("availableGPUs", quota.available)
        }
    }

    private mutating func month(_ reading: TenantReading) {
        member("from", reading.month.start)
        member("until", reading.month.next.start)
        field("gpuHours", reading.gpuHours)
        usd("costUSD", reading.microUSD)
        guard let budget = reading.record.spec?.budget else { return }
        if let hours = budget.gpuHours { field("gpuHoursLeft", max(0, hours - reading.gpuHours)) }
        if let micros = budget.microUSD { usd("leftUSD", max(0, micros - reading.microUSD)) }
    }

    private mutating func outlook(_ outlook: [OutlookReading]) {
        key("outlook")
        array { writer in
            for reading in outlook {
                writer.object { writer in
                    writer.member("accelerator", reading.accelerator)
                    writer.member("poolCount", reading.pools)
                    writer.member("gpus", reading.gpus)
                    writer.member("gpusFree", reading.gpusFree)
                    writer.key("largestGang")
                    writer.object { writer in
                        writer.member("domain", reading.largestGang.domain)
                        writer.member("block", reading.largestGang.block)
                        writer.member("pool", reading.largestGang.pool)
                    }
                    if let left = reading.quotaLeft { writer.gpus("quotaLeftGPUs", left) }
                }
            }
        }
    }

    /// Thousandths of a GPU in GPUs, as an integer where they are whole.
    private mutating func gpus(_ key: StaticString, _ milli: Int64) {
        if milli % 1000 == 0 { field(key, milli / 1000) } else { field(key, Double(milli) / 1000) }
    }

    /// Millionths as a decimal string.
    private static func fraction(_ millionths: UInt64) -> String { decimalString(micros: Int64(clamping: millionths)) }

    /// The figures of a rule that keeps a job waiting.
    mutating func rule(_ rule: TenantRule) {
        key("rule")
        object { writer in
            switch rule {
            case .jobs(let tenant, let limit):
                writer.member("tenant", tenant)
                writer.member("maxRunningJobs", limit)
            case .budget(let tenant): writer.member("tenant", tenant)
            case .quota(let accelerator?, let needed, let available):
                writer.member("accelerator", accelerator)
                writer.gpus("neededGPUs", needed)
                writer.gpus("availableGPUs", available)
            case .quota(nil, let needed, let available):
                writer.member("accelerator", "*")
                writer.usd("neededUSDPerHour", needed)
                writer.usd("availableUSDPerHour", available)
            }
        }
    }
}
