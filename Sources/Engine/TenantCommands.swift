// Commands about tenants, and what a tenant must allow before a job of it enters the queue.

import Model

extension Engine {
    mutating func putTenant(_ spec: TenantSpec, at: Timestamp) -> Outcome {
        let known = state.tenants.slot(of: spec.path)
        if let known, state.tenants[known].spec == spec { return .tenant(known, created: false) }
        let created = known.map { state.tenants[$0].spec == nil } ?? true
        if known == nil, let refusal = makeRoom(for: spec.path, jobs: 1, at: at) { return .refused(refusal) }
        emit(.tenantPut(spec: spec), at: at)
        schedule(at: at)
        guard let slot = state.tenants.slot(of: spec.path) else {
            preconditionFailure("a tenant that was put is not there")
        }
        return .tenant(slot, created: created)
    }

    mutating func deleteTenant(_ path: String, at: Timestamp) -> Outcome {
        guard let slot = state.tenants.slot(of: path) else { return .refused(.tenantNotFound(path: path)) }
        let record = state.tenants[slot]
        if record.children > 0 || record.liveJobs > 0 {
            return .refused(.tenantInUse(path: path, jobs: record.liveJobs, children: record.children))
        }
        emit(.tenantRemoved(slot: slot), at: at)
        schedule(at: at)
        return .tenantDeleted(path: path)
    }

    mutating func setFairShare(_ policy: FairSharePolicy, at: Timestamp) -> Outcome {
        if state.tenants.policy != policy { emit(.fairShareSet(policy), at: at) }
        return .fairShare(policy)
    }

    /// Why a tenant cannot take so many more jobs into the queue, or nil.
    mutating func admit(_ tenant: String, jobs: Int, at: Timestamp) -> Refusal? {
        guard let slot = state.tenants.slot(of: tenant) else { return makeRoom(for: tenant, jobs: jobs, at: at) }
        var refusal: Refusal?
        state.tenants.path(from: slot) { above in
            let record = state.tenants[above]
            if let limit = record.spec?.maxQueuedJobs, record.queuedJobs + jobs > limit {
                refusal = .tenantQueueFull(tenant: record.path, limit: limit)
            }
        }
        return refusal
    }

    /// Forgets tenants that jobs only named, where there is no room for a new one and those above it.
    private mutating func makeRoom(for path: String, jobs: Int, at: Timestamp) -> Refusal? {
        var missing = 0
        var next: String? = path
        while let name = next, state.tenants.slot(of: name) == nil {
            missing += 1
            next = TenantPath.parent(of: name)
        }
        // The limits of those above hold for a new one, too.
        if let next, let refusal = admit(next, jobs: jobs, at: at) { return refusal }
        let limit = settings.limits.tenants
        if state.tenants.count + missing <= limit { return nil }
        var least: [(remembered: Int128, slot: Int)] = []
        for (slot, record) in state.tenants.records.enumerated().dropFirst() {
            guard let record, record.spec == nil, record.children == 0, record.liveJobs == 0, record.path != next else {
                continue
            }
            least.append((record.meter.claims(at: at, record.usage, state.tenants.policy)[0], slot))
        }
        let excess = state.tenants.count + missing - limit
        guard least.count >= excess else { return .limitReached(name: "limits.tenants", limit: limit) }
        least.sort { $0 < $1 }
        for (_, slot) in least.prefix(excess) { emit(.tenantRemoved(slot: TenantSlot(slot)), at: at) }
        return nil
    }

    /// Whether a waiting job is the only one of its line.
    func isAlone(_ number: JobNumber, in shape: ShapeIndex) -> Bool {
        guard let job = state.jobs[number], let line = queue.line(shape, queue.kind(of: job, tenant(of: job))) else {
            return false
        }
        return queue.lines[shape][line].count == 1
    }
}
