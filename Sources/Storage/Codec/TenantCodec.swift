// How tenants are written in facts and snapshots. A layout changes only as FactCodec.swift says.

internal import Model

extension ByteWriter {
    mutating func spec(_ spec: TenantSpec) {
        text(spec.path)
        signed(spec.weight)
        list(spec.quotas) { $0.quota($1) }
        optional(spec.budget) { writer, budget in
            writer.optional(budget.gpuHours) { $0.signed($1) }
            writer.optional(budget.microUSD) { $0.signed($1) }
            writer.flag(budget.isHard)
        }
        optional(spec.maxQueuedJobs) { $0.signed($1) }
        optional(spec.maxRunningJobs) { $0.signed($1) }
        list(spec.residency) { $0.text($1) }
        list(spec.denyProviders) { $0.text($1) }
        labels(spec.labels)
    }

    private mutating func quota(_ quota: Quota) {
        // No accelerator has an empty name: that is the price of all.
        switch quota.unit {
        case .gpuMilli(let accelerator): text(accelerator)
        case .microUSDPerHour: text("")
        }
        signed(quota.nominal)
        optional(quota.borrowLimit) { $0.signed($1) }
        optional(quota.lendLimit) { $0.signed($1) }
        optional(quota.from) { $0.signed($1.nanoseconds) }
        optional(quota.until) { $0.signed($1.nanoseconds) }
    }

    /// A tenant of a snapshot, or a vacant slot.
    mutating func tenant(_ tenant: TenantImage?) {
        optional(tenant) { writer, tenant in
            writer.text(tenant.path)
            writer.optional(tenant.spec) { $0.spec($1) }
            writer.signed(tenant.meter.settledAt.nanoseconds)
            for kind in 0..<3 {
                writer.fixed(tenant.meter.remembered[kind])
                writer.fixed(tenant.meter.area[kind])
            }
            writer.signed(tenant.meter.month.index)
            writer.fixed(tenant.meter.gpuMilliNanoseconds)
            writer.fixed(tenant.meter.priceNanoseconds)
            writer.signed(tenant.evictions.hour)
            writer.signed(tenant.evictions.count)
        }
    }
}

extension ByteReader {
    mutating func tenantSpec() throws(DecodeError) -> TenantSpec {
        TenantSpec(
            path: try text(), weight: try signed(),
            quotas: try list(leastBytes: 6) { reader throws(DecodeError) in try reader.quota() },
            budget: try optional { reader throws(DecodeError) in
                Budget(
                    gpuHours: try reader.optional { reader throws(DecodeError) in try reader.signed64() },
                    microUSD: try reader.optional { reader throws(DecodeError) in try reader.signed64() },
                    isHard: try reader.flag())
            },
            maxQueuedJobs: try optional { reader throws(DecodeError) in try reader.signed() },
            maxRunningJobs: try optional { reader throws(DecodeError) in try reader.signed() },
            residency: try texts(), denyProviders: try texts(), labels: try labels())
    }

    private mutating func quota() throws(DecodeError) -> Quota {
        let accelerator = try text()
        return Quota(
            unit: accelerator.isEmpty ? .microUSDPerHour : .gpuMilli(accelerator: accelerator),
            nominal: try signed64(),
            borrowLimit: try optional { reader throws(DecodeError) in try reader.signed64() },
            lendLimit: try optional { reader throws(DecodeError) in try reader.signed64() },
            from: try optional { reader throws(DecodeError) in Timestamp(nanoseconds: try reader.signed64()) },
            until: try optional { reader throws(DecodeError) in Timestamp(nanoseconds: try reader.signed64()) })
    }

    mutating func tenant() throws(DecodeError) -> TenantImage? {
        try optional { reader throws(DecodeError) in
            let path = try reader.text()
            let spec = try reader.optional { reader throws(DecodeError) in try reader.tenantSpec() }
            let settledAt = Timestamp(nanoseconds: try reader.signed64())
            var remembered = Claims(repeating: 0)
            var area = Claims(repeating: 0)
            for kind in 0..<3 {
                remembered[kind] = try reader.fixed(Int128.self)
                area[kind] = try reader.fixed(Int128.self)
            }
            let month = Month(index: try reader.signed64())
            return TenantImage(
                path: path, spec: spec,
                meter: Meter(
                    settledAt: settledAt, remembered: remembered, area: area, month: month,
                    gpuMilliNanoseconds: try reader.fixed(UInt128.self),
                    priceNanoseconds: try reader.fixed(UInt128.self)),
                evictions: EvictionCount(hour: try reader.signed64(), count: try reader.signed()))
        }
    }
}
