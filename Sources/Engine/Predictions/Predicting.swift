// When a waiting job starts: reckoned when somebody asks, from the order of the queue by lines, what is kept, and the limits of all
// that runs. Changes nothing but caches and what is remembered for metrics, and its cost is bounded whatever waits.
//
// Of peers (`Peers`) none that is behind another is predicted an earlier `earliest`: it is made of parts that are equal for all
// of them or grow along the order.

public import Model
import Packing

/// Places that are kept for peers: the starts of those up to a certain one.
private struct KeptStarts {
    /// The earliest that the last of so many may have: whoever is first takes what comes free first.
    var earliest: Timestamp?
    /// The latest of those that they were promised.
    var latest: Timestamp?
    var isAssumed = false
}

/// The earliest start of the first peer for which no place is kept.
private enum FirstStart {
    case at(Timestamp, isAssumed: Bool)
    /// The search was given up.
    case unknown
    case never
}

extension Engine {
    /// When jobs that wait start, all for one answer: what that may cost is shared among them, so that of many the last may have
    /// no prediction. `couldEverFit`: as their explanations say.
    public mutating func predictStarts(_ jobs: [(job: Job, couldEverFit: Bool)], at moment: Timestamp) -> [StartReading]
    {
        var work = PredictionWork()
        var readings: [StartReading] = []
        for (job, couldEverFit) in jobs {
            readings.append(predictStart(of: job, couldEverFit: couldEverFit, at: moment, &work))
        }
        return readings
    }

    /// What is predicted of a job that waits. Cost: the lines of the queue, the ends of
    /// limits in its pools and one search for a place, each within its bound.
    private mutating func predictStart(
        of job: Job, couldEverFit: Bool, at moment: Timestamp, _ work: inout PredictionWork
    ) -> StartReading {
        if !job.isOpen { return StartReading(.none(.gated)) }
        let at = max(now, moment)
        layoutWorkBefore = packer.layoutWork
        refreshShares()
        bars.refresh(state, at: now)
        let peers = peers(of: job)
        let place = standing(of: job)
        let lines = queue.lineCount
        let suffices = work.suffices(lines: lines)
        guard suffices, couldEverFit || job.life.reservation != nil else {
            return predictKept(job, peers, upTo: place, couldEverFit: couldEverFit, at: at)
        }
        work.spend(min(lines, Bounds.predictionLines))
        let ahead = jobsAhead(of: place, peers)
        let position = QueuePosition(
            inItsPools: ahead.inPools, overall: ahead.overall, isEstimate: ahead.isSampled,
            ahead: ahead.isSampled ? [] : ahead.first.compactMap { state.jobs[$0.number]?.id })
        let start = start(of: job, peers, place, ahead, at: at, &work)
        let reading = StartReading(
            start, position: position,
            movedAt: ahead.isSampled ? job.life.reservation?.movedAt : movedAt(job, peers, ahead))
        if let range = reading.range { firstPredictions.note(range, of: job.number) }
        return reading
    }

    /// Where others of the answer have used up what predictions may cost, what is kept for the job is known all the same.
    private func predictKept(
        _ job: Job, _ peers: Peers, upTo place: Standing, couldEverFit: Bool, at: Timestamp
    ) -> StartReading {
        guard let reservation = job.life.reservation else {
            return StartReading(.none(couldEverFit ? .gaveUpSearching : .neverFits))
        }
        let kept = keptStarts(of: peers, upTo: place)
        let earliest = max(at, kept.earliest ?? reservation.start)
        let range = StartRange(
            earliest: earliest, latest: max(earliest, kept.latest ?? reservation.start), isAssumed: kept.isAssumed)
        return StartReading(.range(range), movedAt: reservation.movedAt)
    }

    private mutating func start(
        of job: Job, _ peers: Peers, _ place: Standing, _ ahead: JobsAhead, at: Timestamp, _ work: inout PredictionWork
    ) -> StartReading.Start {
        let isKept = job.life.reservation != nil
        if !isKept && peers.closed.isAll { return .none(rule(of: peers)) }
        let kept = keptStarts(of: peers, upTo: place)
        var earliest = max(at, kept.earliest ?? at)
        var isAssumed = kept.isAssumed
        let first = firstWithoutPlace(of: peers)
        guard !isKept || first.map({ $0.standing < place }) ?? false else {
            return .range(
                StartRange(earliest: earliest, latest: max(earliest, kept.latest ?? at), isAssumed: isAssumed))
        }
        let found = first.map { firstStart(of: $0.job, peers, at: at, &work) } ?? .unknown
        let outlook = capacityOutlook(of: peers.pools, peers.unit, at: at)
        work.spend(outlook.ends)
        var fits = at
        switch found {
        case .at(let start, let isAssumedThere):
            earliest = max(earliest, start)
            isAssumed = isAssumed || isAssumedThere
            fits = start
        case .unknown:
            isAssumed = isAssumed || outlook.isAssumed
            fits = emptyAt(peers, at: at)
        case .never:
            if !isKept { return .none(hasReadyNodes(peers) ? .gaveUpSearching : .nodesUnavailable) }
        }
        if let bound = turn(of: peers, ahead, outlook, at: at) { earliest = max(earliest, bound) }
        var latest = max(earliest, fits, kept.latest ?? at)
        if ahead.work > 0 {
            guard let served = outlook.most.time(from: at, serving: ahead.work * 1_000_000_000) else {
                return isKept
                    ? .range(StartRange(earliest: earliest, latest: latest, isAssumed: isAssumed))
                    : .none(.gaveUpSearching)
            }
            latest = max(latest, served.adding(seconds: ahead.longest))
            isAssumed = isAssumed || ahead.isAssumed || outlook.isAssumed
        }
        // It may settle for a larger tier only then.
        if let end = job.scope(at: now) == job.spec.scope.required ? nil : job.patienceEnd { latest = max(latest, end) }
        latest = max(earliest, min(latest, Bounds.moments.upperBound))
        return .range(StartRange(earliest: earliest, latest: latest, isAssumed: isAssumed))
    }

    /// The first time by which all peers ahead can have begun, and one more has room, if nobody else were there: what all of them
    /// take is no more than what was free until then, and what those that have not ended yet may still take.
    private mutating func turn(
        of peers: Peers, _ ahead: JobsAhead, _ outlook: CapacityOutlook, at: Timestamp
    ) -> Timestamp? {
        guard ahead.peerWork > 0, let least = outlook.least, let pool = peers.pools.first else { return nil }
        var one = 0
        for group in peers.key.form.groups.indices {
            guard let need = packer.need(of: peers.key.form.groups[group].demand, pool: pool) else { return nil }
            one += leastWorkers(peers.key, group, pool: pool) * peers.unit.amount(need)
        }
        let staying = Int128(ahead.longestPeer) * 1_000_000_000
        return least.time(
            from: at, serving: ahead.peerWork * 1_000_000_000 + Int128(one) * staying, staying: staying)
    }

    // MARK: What is kept

    private func keptStarts(of peers: Peers, upTo place: Standing) -> KeptStarts {
        var starts: [Timestamp] = []
        var ahead = 0
        var kept = KeptStarts()
        for claim in claims.all {
            guard case .job(let number) = claim.owner, let other = state.jobs[number],
                let reservation = other.life.reservation, isPeer(other, of: peers)
            else { continue }
            starts.append(reservation.start)
            if standing(of: other) > place { continue }
            ahead += 1
            kept.latest = max(kept.latest ?? reservation.start, reservation.start)
            kept.isAssumed = kept.isAssumed || reservation.isAssumed
        }
        starts.sort()
        if ahead > 0 { kept.earliest = starts[ahead - 1] }
        return kept
    }

    private func isPeer(_ other: Job, of peers: Peers) -> Bool {
        guard tenant(of: other) == peers.tenant else { return false }
        var key = ShapeKey(other.spec, asking: other.spec.scope.required)
        key.form.shrink()
        return key == peers.key
    }

    // MARK: The first of those for which nothing is kept

    private func firstWithoutPlace(of peers: Peers) -> (job: Job, standing: Standing)? {
        var first: (job: Job, standing: Standing)?
        for shape in peers.shapes {
            let scope = queue[shape].key.form.scope
            for line in queue.lines[shape].indices where queue.heads[shape][line].tenant == peers.tenant {
                let found = queue.lines[shape][line].first(of: waiting, asking: scope) { $0.life.reservation == nil }
                guard let job = found else { continue }
                let standing = standing(of: job)
                if first.map({ standing < $0.standing }) ?? true { first = (job, standing) }
            }
        }
        return first
    }

    private mutating func firstStart(
        of job: Job, _ peers: Peers, at: Timestamp, _ work: inout PredictionWork
    ) -> FirstStart {
        let (found, released) = earliestPlace(
            of: job, peers.key, peers.gang, peers.closed, at: at, within: Bounds.predictionReleases)
        work.spend(released)
        switch found {
        case .now: return .at(at, isAssumed: false)
        case .later(let place): return .at(place.start, isAssumed: place.isAssumed)
        case .givenUp: return .unknown
        case .never: return .never
        }
    }

    /// When the first of the pools that could hold the gang is empty, by the limits of all that stands there.
    private mutating func emptyAt(_ peers: Peers, at: Timestamp) -> Timestamp {
        var first: Timestamp?
        for target in peers.gang.targets.indices where !peers.closed.contains(peers.gang.targets[target].pool) {
            guard fitsWhenReady(peers.key, peers.gang, target: target) else { continue }
            let pool = peers.gang.targets[target].pool
            let last = max(at, occupancy.ends(pool).last?.end ?? at)
            first = min(first ?? last, last)
        }
        return first ?? at
    }

    private mutating func hasReadyNodes(_ peers: Peers) -> Bool {
        peers.gang.targets.indices.contains {
            !peers.closed.contains(peers.gang.targets[$0].pool) && fitsWhenReady(peers.key, peers.gang, target: $0)
        }
    }

    // MARK: What it rests on

    /// Precondition: the tenant may use none of the pools.
    private func rule(of peers: Peers) -> NoStart {
        switch state.tenantBar(peers.tenant, at: now) {
        case .runningJobs: return .tenantJobsAtLimit
        case .budget: return .budgetUsedUp
        case .place, .quota, nil: break
        }
        let isPlace = peers.gang.targets.allSatisfy { placeBar(peers.tenant, pool: $0.pool) != nil }
        return isPlace ? .neverFits : .quotaUsedUp
    }

    private func movedAt(_ job: Job, _ peers: Peers, _ ahead: JobsAhead) -> Timestamp {
        if let reservation = job.life.reservation { return reservation.movedAt }
        return peers.pools.reduce(max(job.life.openedAt, ahead.changedAt)) { max($0, moves.pool($1)) }
    }
}
