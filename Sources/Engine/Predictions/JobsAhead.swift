// Who stands before a job in the order of the queue, counted line by line, and how much they ask for.

import DequeModule
import Model
import Packing

/// Jobs of one tenant that may have the same places: equal but for priority, length and what they prefer for a while.
struct Peers {
    let tenant: TenantSlot
    /// Of the least gang, in the tier that is required.
    let key: ShapeKey
    let gang: Gang
    let closed: ClosedPools
    /// The pools that they may use now, or all of theirs where their tenant may use none; by rising number.
    let pools: [Int]
    let unit: CapacityUnit
    /// In which they wait now.
    let shapes: [ShapeIndex]
}

/// The jobs ahead of one.
struct JobsAhead {
    private(set) var overall = 0
    private(set) var inPools = 0
    /// Whether of other lines than those of peers only some were looked at, each for its neighbours too.
    fileprivate(set) var isSampled = false
    /// The first ones that may use the pools, of those that were looked at.
    private(set) var first: [Standing] = []
    /// What those that may use the pools ask for, each up to its limit and rounded up to what it keeps from others, in capacity times
    /// seconds; the longest limit among them; and whether some of these are assumed.
    fileprivate(set) var work: Int128 = 0
    fileprivate(set) var longest = 0
    fileprivate(set) var isAssumed = false
    /// What of it are peers, at least; and the longest limit of all peers, ahead or not.
    fileprivate(set) var peerWork: Int128 = 0
    fileprivate(set) var longestPeer = 0
    /// Since when none came ahead and none of those left the queue.
    fileprivate(set) var changedAt = Timestamp.distantPast

    fileprivate mutating func count(_ jobs: Int, inPools isInPools: Bool) {
        overall += jobs
        if isInPools { inPools += jobs }
    }

    /// False once all later ones of the same line would be left out.
    fileprivate mutating func name(_ standing: Standing) -> Bool {
        if first.count == Bounds.jobsAheadNamed {
            guard let last = first.last, standing < last else { return false }
            first.removeLast()
        }
        first.insert(standing, at: first.firstIndex { standing < $0 } ?? first.count)
        return true
    }
}

/// Which lines of a long queue are looked at: of each so many neighbours one, at a place that no order among them can follow.
private struct LineSample {
    let stride: Int
    /// Lines until the next that is looked at, and how many of its neighbours come after that.
    private var next = 0
    private var rest = 0
    private var random: UInt64 = 0x9E37_79B9_7F4A_7C15

    init(lines: Int) {
        stride = max(1, (lines + Bounds.predictionLines - 1) / Bounds.predictionLines)
        take()
    }

    /// Whether none of the next lines is looked at; they are gone past then.
    mutating func skips(_ lines: Int) -> Bool {
        if next < lines { return false }
        next -= lines
        return true
    }

    /// Goes past the line that is looked at.
    mutating func take() {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let place = Int(random >> 33) % stride
        next = rest + place
        rest = stride - 1 - place
    }
}

/// Limits that were looked at one by one.
private struct KnownLimits {
    var jobs = 0
    var seconds: Int128 = 0
    var longest = 0
}

extension Engine {
    /// Precondition: the job waits and no gate keeps it back.
    mutating func peers(of job: Job) -> Peers {
        let tenant = tenant(of: job)
        let required = ShapeKey(job.spec, asking: job.spec.scope.required)
        let first = ShapeKey(job.spec, asking: job.spec.scope.first)
        let shapes = (first == required ? [required] : [required, first]).compactMap { queue.index(of: $0) }
        var key = required
        key.form.shrink()
        let gang = queue.index(of: key).map { self.gang(of: $0) } ?? resolve(key)
        let closed = closedPools(tenant, gang)
        let targets = gang.targets.filter { closed.isAll || !closed.contains($0.pool) }
        let lead = gang.targets.first?.need
        let hasGPUs = key.form.groups.contains { $0.demand.totalMilli > 0 }
        return Peers(
            tenant: tenant, key: key, gang: gang, closed: closed, pools: targets.map(\.pool).sorted(),
            unit: hasGPUs ? .gpuMilli : lead?.cpuMillis ?? 0 > 0 ? .cpuMillis : .memoryMiB,
            shapes: shapes.filter { queue.count($0) > 0 })
    }

    func standing(of job: Job) -> Standing {
        standing(
            job.number, priority: rank(priority: job.life.priority, since: job.life.submittedAt), tenant(of: job))
    }

    private func standing(_ number: JobNumber, priority: Int, _ tenant: TenantSlot) -> Standing {
        Standing(priority: priority, rank: settings.order == .full ? fairShare.rank(tenant) : 0, number: number)
    }

    /// Precondition: shares are fresh. Cost: the shapes, and for at most `Bounds.predictionLines` lines besides those of peers a search
    /// in each; of a longer queue every so many-th line is looked at.
    mutating func jobsAhead(of place: Standing, _ peers: Peers) -> JobsAhead {
        let isIn = mask(of: peers.pools)
        var ahead = JobsAhead()
        var sample = LineSample(lines: queue.lineCount)
        ahead.isSampled = sample.stride > 1
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            if !peers.shapes.contains(shape) && sample.skips(queue.lines[shape].count) { continue }
            let gang = gang(of: shape)
            let target = gang.targets.firstIndex { isIn[$0.pool] }
            let isPeer = peers.shapes.contains(shape)
            let sizes = target.map { self.sizes(queue[shape].key, pool: gang.targets[$0].pool, peers.unit) }
            for line in queue.lines[shape].indices {
                let isPeer = isPeer && queue.heads[shape][line].tenant == peers.tenant
                if isPeer {
                    ahead.longestPeer = max(ahead.longestPeer, longestLimit(of: line, of: shape))
                } else if sample.skips(1) {
                    continue
                } else {
                    sample.take()
                }
                var count = jobs(of: line, of: shape, before: place)
                if count.jobs == 0 { continue }
                if !isPeer { count.jobs *= sample.stride }
                ahead.count(count.jobs, inPools: sizes != nil)
                guard let sizes else { continue }
                note(line, of: shape, before: place, count, sizes, isPeer: isPeer, &ahead)
            }
            if target != nil { ahead.changedAt = max(ahead.changedAt, moves.queue(shape)) }
        }
        return ahead
    }

    /// Takes note of what the first jobs of a line ask for.
    private func note(
        _ line: Int, of shape: ShapeIndex, before place: Standing, _ count: (jobs: Int, entries: Int),
        _ sizes: (least: Int, most: Int), isPeer: Bool, _ ahead: inout JobsAhead
    ) {
        let (kind, waiting) = (queue.heads[shape][line].kind, queue.lines[shape][line].waiting)
        // Of peers and of what is one job the limits are known to the second, of others by their class.
        let isKnown = isPeer || queue.lines[shape][line].count == 1
        var known = isKnown ? limits(of: line, of: shape, in: count.entries) : KnownLimits()
        // One for its neighbours says no more of them than its class.
        if known.jobs < count.jobs && !isPeer { known = KnownLimits() }
        let others = Int128(max(0, count.jobs - known.jobs))
        ahead.work += Int128(sizes.most) * (known.seconds + others * Int128(kind.runtime.mostSeconds))
        ahead.longest = max(ahead.longest, others > 0 ? kind.runtime.mostSeconds : 0, known.longest)
        let isAssumed = state.jobs[queue.lines[shape][line].first.number]?.spec.maxRuntimeSeconds == nil
        ahead.isAssumed = ahead.isAssumed || isAssumed
        if isPeer {
            ahead.peerWork += Int128(sizes.least) * (known.seconds + others * Int128(kind.runtime.leastSeconds))
        }
        if let last = state.jobs[waiting[count.entries - 1]] {
            ahead.changedAt = max(ahead.changedAt, last.life.submittedAt)
        }
        let scope = queue[shape].key.form.scope
        for number in waiting.prefix(count.entries) {
            guard let job = self.waiting.job(number, asking: scope) else { continue }
            if !ahead.name(standing(of: job)) { break }
        }
    }

    /// The limits of the first jobs of a line, among so many entries of its list.
    private func limits(of line: Int, of shape: ShapeIndex, in entries: Int) -> KnownLimits {
        var known = KnownLimits()
        let scope = queue[shape].key.form.scope
        for number in queue.lines[shape][line].waiting.prefix(min(entries, Bounds.predictionLimits)) {
            guard let job = waiting.job(number, asking: scope) else { continue }
            let seconds = job.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds
            known.jobs += 1
            known.seconds += Int128(seconds)
            known.longest = max(known.longest, seconds)
        }
        return known
    }

    /// No job of a line has a longer limit.
    private func longestLimit(of line: Int, of shape: ShapeIndex) -> Int {
        let entries = queue.lines[shape][line].waiting.count
        if entries <= Bounds.predictionLimits { return limits(of: line, of: shape, in: entries).longest }
        return queue.heads[shape][line].runtime.mostSeconds
    }

    /// What the least gang takes of a pool, and what it keeps from others where workers do not fill nodes or gangs the pool.
    private mutating func sizes(_ key: ShapeKey, pool: Int, _ unit: CapacityUnit) -> (least: Int, most: Int) {
        let node = unit.amount(state.pools[pool].spec.node)
        var (least, most) = (0, 0)
        for group in key.form.groups.indices {
            guard let need = packer.need(of: key.form.groups[group].demand, pool: pool) else { continue }
            let one = unit.amount(need)
            if one == 0 { continue }
            let workers = leastWorkers(key, group, pool: pool)
            least += workers * one
            most += workers * (node / max(1, node / one))
        }
        let ready = idleNodes(of: pool).readyCount * node
        if most > 0 && most <= ready { most = ready / (ready / most) }
        return (least, most)
    }

    /// How many jobs of a line stand before a place, and among how many entries of its list. Where so many numbers are stale that to
    /// count would take too long, the jobs are taken to be spread evenly.
    private func jobs(of line: Int, of shape: ShapeIndex, before place: Standing) -> (jobs: Int, entries: Int) {
        let (count, waiting) = (queue.lines[shape][line].count, queue.lines[shape][line].waiting)
        let kind = queue.heads[shape][line].kind
        func isBefore(_ number: JobNumber, _ submittedAt: Timestamp) -> Bool {
            standing(number, priority: rank(priority: kind.priority, since: submittedAt), kind.tenant) < place
        }
        let first = queue.lines[shape][line].first
        guard isBefore(first.number, first.submittedAt) else { return (0, 0) }
        var low = 1
        var high = waiting.count
        while low < high {
            let middle = (low + high) / 2
            // Of one that is forgotten the number alone must do.
            let submittedAt = state.jobs[waiting[middle]]?.life.submittedAt ?? first.submittedAt
            if isBefore(waiting[middle], submittedAt) { low = middle + 1 } else { high = middle }
        }
        if waiting.count == count { return (low, low) }
        let scope = queue[shape].key.form.scope
        let exact = min(low, Bounds.predictionLines)
        let counted = waiting.prefix(exact).reduce(0) { $0 + (self.waiting.job($1, asking: scope) == nil ? 0 : 1) }
        if low == exact { return (counted, low) }
        return (counted + (low - exact) * max(0, count - counted) / (waiting.count - exact), low)
    }
}
