// Who of a shape's jobs is next, and a job's place among all that wait. Follows from the state and the time.

import Model

extension Engine {
    /// The first job of a shape that is not passed over: its line and its place in the order. Cost: the shape's lines that
    /// are not barred.
    mutating func head(of shape: ShapeIndex) -> (line: Int, key: OrderKey)? {
        refreshShares()
        var best: (line: Int, priority: Int, rank: UInt32, number: JobNumber)?
        for at in queue.unbarred[shape].all where queue.lines[shape][at].pass == .none {
            let first = queue.lines[shape][at].first
            let priority = rank(priority: queue.lines[shape][at].priority, since: first.submittedAt)
            let rank = settings.order == .full ? fairShare.rank(queue.lines[shape][at].tenant) : 0
            if let best, (-best.priority, best.rank, best.number) < (-priority, rank, first.number) { continue }
            best = (at, priority, rank, first.number)
        }
        guard let best else { return nil }
        let tenant = queue.lines[shape][best.line].tenant
        return (best.line, key(priority: best.priority, tenant, best.number))
    }

    /// A waiting job's place in the order.
    mutating func key(of job: Job) -> OrderKey {
        refreshShares()
        let priority = rank(priority: job.life.priority, since: job.life.submittedAt)
        return key(priority: priority, tenant(of: job), job.number)
    }

    /// What a job's priority counts now.
    func rank(priority: Int, since submittedAt: Timestamp) -> Int {
        settings.order == .arrival ? 0 : priority + agingPoints(since: submittedAt)
    }

    private func key(priority: Int, _ tenant: TenantSlot, _ number: JobNumber) -> OrderKey {
        if settings.order == .full { return fairShare.key(priority: priority, tenant, number, state.tenants) }
        return OrderKey(priority: Bounds.priority - priority, shares: (0, 0, 0, 0, 0, 0), number: number)
    }

    /// What a job has won of priority by waiting.
    func agingPoints(since submittedAt: Timestamp) -> Int {
        guard settings.agingSeconds > 0, now > submittedAt else { return 0 }
        let seconds = (now.nanoseconds &- submittedAt.nanoseconds) / 1_000_000_000
        // Of moments centuries apart the difference wraps.
        return seconds < 0 ? settings.agingPoints : min(settings.agingPoints, Int(seconds) / settings.agingSeconds)
    }

    /// Precondition: the job waits or holds capacity.
    func tenant(of job: Job) -> TenantSlot {
        guard let slot = state.tenants.slot(of: job.spec.tenant) else {
            preconditionFailure("a live job has no tenant")
        }
        return slot
    }

    /// With one tenant there is nobody to share with.
    mutating func refreshShares() {
        if settings.order == .full && state.tenants.count > 1 { fairShare.refresh(state, at: now) }
    }
}
