// When the first place for a blocked job comes free: the jobs that stand in its pools leave one after the other, on trial, at the
// ends of their limits, until the gang fits. Afterwards everything is as it was. The profile of free capacity over time is the
// jobs by the ends of their limits, which every placement and end keeps up to date.

import Model
import Packing

/// A place that a blocked job can have, and when.
struct EarliestPlace {
    let start: Timestamp
    /// Whether the limit of some job that leaves before is not said but assumed.
    let isAssumed: Bool
    let placement: Placement
}

/// What a search for the earliest place found.
enum PlaceSearch {
    case now(Placement)
    case later(EarliestPlace)
    /// It would have cost more than a command may.
    case givenUp
    /// Not even when all that is there has left.
    case never
}

/// Who leaves a few pools, in order of time.
struct Departures {
    enum Leaver {
        case job(Job)
        /// A job for which nodes are kept comes and leaves again.
        case owner(Claim)
    }

    private struct Row {
        let ends: SortedBlocks<JobLimit>
        var position = SortedBlocks<JobLimit>.Position()
        var next: JobLimit?

        init(_ ends: SortedBlocks<JobLimit>) {
            self.ends = ends
            next = self.ends.next(&position)
        }

        mutating func advance() { next = ends.next(&position) }
    }

    private var rows: [Row]
    private var claims: [Claim]
    /// Jobs that stand in several of the pools, which have left.
    private var seen: Set<JobNumber> = []

    init(_ rows: [SortedBlocks<JobLimit>], _ claims: [Claim]) {
        self.rows = rows.map { Row($0) }
        self.claims = claims.sorted { ($1.end, $1.owner) < ($0.end, $0.owner) }
    }

    mutating func next(_ jobs: JobTable) -> (leaver: Leaver, limit: Timestamp)? {
        while true {
            var first: Int?
            for row in rows.indices {
                guard let next = rows[row].next else { continue }
                if let known = first.flatMap({ rows[$0].next }), known <= next { continue }
                first = row
            }
            let job = first.flatMap { rows[$0].next }
            if let claim = claims.last, job.map({ claim.end < $0.end }) ?? true {
                claims.removeLast()
                return (.owner(claim), claim.end)
            }
            guard let first, let limit = job, let leaver = jobs[limit.job] else { return nil }
            rows[first].advance()
            if leaver.spec.split != nil && !seen.insert(limit.job).inserted { continue }
            return (.job(leaver), limit.end)
        }
    }
}

/// Who left on trial, and what the time is then.
private struct Released {
    let leaver: Departures.Leaver
    let at: Timestamp
    let isAssumed: Bool

    var cost: Int {
        switch leaver {
        case .job(let job): job.life.placement?.runs.count ?? 1
        case .owner(let claim): claim.spans.count
        }
    }

    init(_ leaver: Departures.Leaver, limit: Timestamp, after last: Timestamp, now: Timestamp) {
        self.leaver = leaver
        switch leaver {
        case .owner: (at, isAssumed) = (max(limit, last), false)
        case .job(let job):
            (at, isAssumed) = (max(job.expectedEnd(limit, at: now), last), job.spec.maxRuntimeSeconds == nil)
        }
    }
}

extension Engine {
    /// The earliest place of a waiting job by the limits of all that stand in its pools, and of those for which nodes are kept
    /// there. Cost: those that leave before it, twice, within what the command has left.
    mutating func earliestPlace(
        of job: Job, _ shape: ShapeIndex, _ closed: ClosedPools, at: Timestamp
    ) -> PlaceSearch {
        var key = queue[shape].key
        key.form.shrink()
        let gang = queue[shape].key == key ? gang(of: shape) : resolve(key)
        return earliestPlace(of: job, key, gang, closed, at: at)
    }

    /// The same for a reader, of a gang that may fit at once, where no more than `releases` runs are given back; and how many
    /// were. What commands may give back stays as it is.
    mutating func earliestPlace(
        of job: Job, _ key: ShapeKey, _ gang: Gang, _ closed: ClosedPools, at: Timestamp, within releases: Int
    ) -> (found: PlaceSearch, released: Int) {
        if let placement = place(gang, closed) { return (.now(placement), 0) }
        let left = releasesLeft
        releasesLeft = releases
        defer { releasesLeft = left }
        let found = earliestPlace(of: job, key, gang, closed, at: at)
        return (found, releases - releasesLeft)
    }

    /// `key`: of the least gang, `gang` resolved from it.
    private mutating func earliestPlace(
        of job: Job, _ key: ShapeKey, _ gang: Gang, _ closed: ClosedPools, at: Timestamp
    ) -> PlaceSearch {
        let open = gang.targets.indices.filter { !closed.contains(gang.targets[$0].pool) }
        guard open.contains(where: { fitsWhenReady(key, gang, target: $0) }) else { return .never }
        let pools = open.map { gang.targets[$0].pool }.sorted()
        let touched = claims.touched
        let own = claims[.job(job.number)]
        // What is kept for those behind it does not stand in its way.
        let mine =
            (own.map { [$0] } ?? []) + claimsBehind(job).filter { claim in pools.contains { claim.contains(pool: $0) } }
        for claim in mine { suspend(claim) }
        defer {
            for claim in mine { resume(claim) }
            claims.restoreTouched(touched)
        }
        if !mine.isEmpty, let placement = place(gang, closed) { return .now(placement) }
        let others = claims.all.filter { claim in pools.contains { claim.contains(pool: $0) } }
        var departures = Departures(pools.map { occupancy.ends($0) }, others)
        var released: [Released] = []
        var gone = 0
        defer { setGone(0, of: released, &gone) }
        var step = 4
        var last = at
        while true {
            let before = released.count
            while released.count < before + step, releasesLeft > 0, let (leaver, limit) = departures.next(state.jobs) {
                let next = Released(leaver, limit: limit, after: last, now: at)
                released.append(next)
                last = next.at
                releasesLeft -= next.cost
            }
            if released.count == before { return releasesLeft > 0 ? .never : .givenUp }
            setGone(released.count, of: released, &gone)
            if open.contains(where: { packer.fits(gang, target: $0) }), place(gang, closed) != nil { break }
            step *= 2
        }
        // The fewest that must leave.
        var (low, high) = (1, released.count)
        while low < high {
            let middle = (low + high) / 2
            releasesLeft -= released[min(middle, gone)..<max(middle, gone)].reduce(0) { $0 + $1.cost }
            setGone(middle, of: released, &gone)
            if place(gang, closed) != nil { high = middle } else { low = middle + 1 }
        }
        setGone(high, of: released, &gone)
        guard let placement = place(gang, closed) else { return .givenUp }
        return .later(
            EarliestPlace(
                start: released[high - 1].at, isAssumed: released[..<high].contains { $0.isAssumed },
                placement: placement))
    }

    private mutating func place(_ gang: Gang, _ closed: ClosedPools) -> Placement? {
        var placement = Placement.none
        return packer.find(gang, into: &placement) { closed.contains($0) } ? placement : nil
    }

    /// Lets so many of the released be gone, and the others be there.
    private mutating func setGone(_ count: Int, of released: [Released], _ gone: inout Int) {
        while gone < count {
            switch released[gone].leaver {
            case .job(let job): if let placement = job.life.placement { packer.give(placement) }
            case .owner(let claim): suspend(claim)
            }
            gone += 1
        }
        while gone > count {
            gone -= 1
            switch released[gone].leaver {
            case .job(let job): if let placement = job.life.placement { packer.take(placement) }
            case .owner(let claim): resume(claim)
            }
        }
    }

    /// Whether ready nodes could hold the gang in a target were nothing else there.
    mutating func fitsWhenReady(_ key: ShapeKey, _ gang: Gang, target: Int) -> Bool {
        let isLarge =
            gang.form.split != nil
            ? packer.mostWhenEmpty(gang, target: target, group: gang.lead) >= gang.targets[target].workers
            : gang.form.groups.indices.allSatisfy {
                packer.mostWhenEmpty(gang, target: target, group: $0)
                    >= leastWorkers(key, $0, pool: gang.targets[target].pool)
            }
        return isLarge && couldHold(key, gang, target: target, ready: true)
    }
}

extension Job {
    /// When a job that holds capacity is expected to end: at its limit. One that stays beyond it is taken to stay as long again as
    /// it has stayed too long.
    func expectedEnd(_ limit: Timestamp, at now: Timestamp) -> Timestamp {
        limit > now ? limit : now.adding(seconds: Int(now.nanoseconds(since: limit) / 1_000_000_000))
    }
}

extension Engine {
    /// Precondition: the job holds capacity.
    func expectedEnd(of job: Job, at now: Timestamp) -> Timestamp {
        job.limitEnd(assumedSeconds: settings.assumedRuntimeSeconds).map { job.expectedEnd($0, at: now) } ?? now
    }
}
