// Who of a shape's jobs is next, and a job's place among all that wait. Follows from the state and the time.

import Model

/// A waiting job's place among those of one moment. Smaller is earlier. Jobs of one line have rising places in the order of their
/// numbers.
struct Standing: Comparable {
    /// With what was won by waiting.
    let priority: Int
    /// The tenant's (`FairShare.rank`).
    let rank: UInt32
    let number: JobNumber

    static func < (left: Standing, right: Standing) -> Bool {
        if left.priority != right.priority { return left.priority > right.priority }
        return left.rank != right.rank ? left.rank < right.rank : left.number < right.number
    }
}

/// What jobs have won of priority by waiting, for many in turn: those who came within one step of it have won the same.
struct Aging {
    /// A point is won in so many nanoseconds; none where that is 0.
    private let step: Int128
    private let most: Int
    private let now: Timestamp
    /// What those have won who came in `from...until`.
    private var known: (points: Int, from: Int64, until: Int64)

    init(_ settings: EngineSettings, at now: Timestamp) {
        step = Int128(settings.agingSeconds) * 1_000_000_000
        most = settings.agingPoints
        self.now = now
        known = step == 0 || most == 0 ? (0, .min, .max) : (0, .max, .max)
    }

    mutating func points(since submittedAt: Timestamp) -> Int {
        if known.from > submittedAt.nanoseconds || known.until < submittedAt.nanoseconds { look(submittedAt) }
        return known.points
    }

    private mutating func look(_ submittedAt: Timestamp) {
        guard step > 0, most > 0 else { return }
        let waited = max(0, Int128(now.nanoseconds) - Int128(submittedAt.nanoseconds))
        let points = Int(min(Int128(most), waited / step))
        let first = points == most ? Int128(Int64.min) : Int128(now.nanoseconds) - Int128(points + 1) * step + 1
        let last = points == 0 ? Int128(Int64.max) : Int128(now.nanoseconds) - Int128(points) * step
        known = (points, Int64(clamping: first), Int64(clamping: last))
    }
}

/// What was the first of a shape's jobs when it was last looked for.
struct KnownHead {
    /// Of the queue, of the shares (`FairShare.stamp`), and when.
    let changes: UInt64
    let stamp: UInt64
    let at: Timestamp
    let head: (line: Int, key: OrderKey)?
}

/// Tells the standings of many jobs of one moment.
struct Standings {
    private let order: QueueOrder
    private var aging: Aging

    init(_ settings: EngineSettings, at now: Timestamp) {
        order = settings.order
        aging = Aging(settings, at: now)
    }

    mutating func standing(_ number: JobNumber, since submittedAt: Timestamp, _ kind: LineKind, _ shares: FairShare)
        -> Standing
    {
        Standing(
            priority: order == .arrival ? 0 : kind.priority + aging.points(since: submittedAt),
            rank: order == .full ? shares.rank(kind.tenant) : 0, number: number)
    }

    /// All but the number of a line's first job.
    mutating func standing(_ head: LineHead, _ shares: FairShare) -> (priority: Int, rank: UInt32) {
        (
            order == .arrival ? 0 : head.priority + aging.points(since: head.submittedAt),
            order == .full ? shares.rank(head.tenant) : 0
        )
    }
}

extension Engine {
    /// The first job of a shape that is not passed over: its line and its place in the order. Cost: the shape's lines; nothing as
    /// long as it stays so.
    mutating func head(of shape: ShapeIndex) -> (line: Int, key: OrderKey)? {
        refreshShares()
        while knownHeads.count <= shape { knownHeads.append(nil) }
        if let known = knownHeads[shape], isValid(known, of: shape) { return known.head }
        let head = findHead(of: shape)
        knownHeads[shape] = KnownHead(changes: queue.changes[shape], stamp: fairShare.stamp, at: now, head: head)
        return head
    }

    private func isValid(_ known: KnownHead, of shape: ShapeIndex) -> Bool {
        guard known.changes == queue.changes[shape] else { return false }
        guard let head = known.head else { return true }
        return known.at == now
            && !fairShare.mayDiffer(since: known.stamp, queue.heads[shape][head.line].tenant, state.tenants)
    }

    private func findHead(of shape: ShapeIndex) -> (line: Int, key: OrderKey)? {
        var standings = Standings(settings, at: now)
        // Of most lines the number is never asked.
        var best = (line: -1, priority: Int.min, rank: UInt32.max, number: JobNumber(.max))
        queue.forEachOpen(of: shape) { line, head in
            let (priority, rank) = standings.standing(head, fairShare)
            if priority < best.priority || priority == best.priority && rank > best.rank { return }
            let number = queue.lines[shape][line].first.number
            if priority > best.priority || rank < best.rank || number < best.number {
                best = (line, priority, rank, number)
            }
        }
        if best.line < 0 { return nil }
        return (best.line, key(priority: best.priority, queue.heads[shape][best.line].tenant, best.number))
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
        var aging = Aging(settings, at: now)
        return aging.points(since: submittedAt)
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
