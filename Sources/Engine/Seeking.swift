// Who of the blocked jobs has a place kept for it, and when it is sought: at the end of a pass, and when one that had a place kept
// is placed, so that what is tried after it cannot stand in the way of the next. Depends on nothing but the state and the time:
// not on what was tried, which a restart forgets.

import DequeModule
import Model
import Packing

extension Engine {
    /// Jobs for which one pass seeks places.
    private static let searchesPerPass = 4
    /// With more lines who is next is sought at most once in a pause: each of them is looked at.
    private static let linesSoughtAtOnce = 1024
    /// A job whose place is late, or whose nodes went, is looked at again after so many seconds.
    private static let lateSeconds = 10

    /// Seeks places for those that may have one kept and have none, in order, and again for those that may have a better one.
    mutating func seekPlaces(at: Timestamp) {
        guard settings.reservations > 0 else { return }
        seeksMore = queue.busy > 0 && claims.scheduled < settings.reservations
        for _ in 0..<Self.searchesPerPass {
            guard maySearch(at: at), releasesLeft > 0, !isLayoutWorkUsedUp else { return }
            if let number = dueReservation(at: at) {
                seekAgain(number, at: at)
            } else if !maySeekNext(at: at) {
                seeksMore = queue.busy > 0
                return
            } else if !seekNext(inPass: false, at: at) {
                seeksMore = false
                return
            }
        }
    }

    /// Seeks a place for who is next when one that had a place kept has been placed, in the middle of a pass.
    mutating func seekSuccessor(at: Timestamp) {
        if maySearch(at: at) && maySeekNext(at: at) && releasesLeft > 0 { _ = seekNext(inPass: true, at: at) }
    }

    /// When places are sought next whatever happens until then.
    var searchDue: Timestamp? {
        guard settings.reservations > 0, claims.scheduled > 0 else { return nil }
        let pause = Timestamp(nanoseconds: state.searchedAt.nanoseconds + pauseNanoseconds)
        if seeksMore { return isLong ? max(pause, pauseCell(of: state.at).end) : pause }
        let due = claims.all.compactMap { claim in reservation(of: claim).flatMap { dueAt($0, isSuspect: false) } }
            .min()
        return due.map { max($0, pause) }
    }

    var pauseNanoseconds: Int64 { Int64(settings.searchPauseMilliseconds) * 1_000_000 }

    private var isLong: Bool { queue.lineCount > Self.linesSoughtAtOnce && settings.searchPauseMilliseconds > 0 }

    /// Whether a long queue may be gone through: in the first command of each stretch of the clock as long as the pause. Says nothing
    /// of what was tried, which a restart forgets.
    private func maySeekNext(at: Timestamp) -> Bool {
        !isLong || pauseCell(of: at).number != pauseCell(of: lastFactAt).number
    }

    private func pauseCell(of moment: Timestamp) -> (number: Int64, end: Timestamp) {
        let number = moment.nanoseconds / pauseNanoseconds
        let (end, overflow) = (number + 1).multipliedReportingOverflow(by: pauseNanoseconds)
        return (number, overflow ? .distantFuture : Timestamp(nanoseconds: end))
    }

    private func maySearch(at: Timestamp) -> Bool {
        claims.scheduled == 0 || at.nanoseconds >= state.searchedAt.nanoseconds + pauseNanoseconds
    }

    private func reservation(of claim: Claim) -> Reservation? {
        guard case .job(let number) = claim.owner else { return nil }
        return state.jobs[number]?.life.reservation
    }

    /// When a place that is kept is sought again; nil where others were asked to leave it.
    private func dueAt(_ reservation: Reservation, isSuspect: Bool) -> Timestamp? {
        if reservation.cause == .preemption { return nil }
        if isSuspect { return reservation.madeAt }
        let later = reservation.madeAt.adding(seconds: settings.reservationSeconds)
        return min(later, max(reservation.start, reservation.madeAt.adding(seconds: Self.lateSeconds)))
    }

    /// Of the places that should be sought again, the one that was sought longest ago.
    private mutating func dueReservation(at: Timestamp) -> JobNumber? {
        var oldest: (madeAt: Timestamp, number: JobNumber)?
        for claim in claims.all {
            guard case .job(let number) = claim.owner, let reservation = reservation(of: claim) else { continue }
            let isSuspect = claims.isSuspect(claim.owner) && faultOfNodes(reservation.placement) != nil
            guard let due = dueAt(reservation, isSuspect: isSuspect), due <= at else { continue }
            if let oldest, oldest <= (reservation.madeAt, number) { continue }
            oldest = (reservation.madeAt, number)
        }
        return oldest?.number
    }

    // MARK: Who is next

    /// A blocked job's place in the order in which places are kept. Smaller is earlier.
    private struct Turn: Comparable {
        /// Placements went past it for too long.
        let isOverdue: Bool
        let standing: Standing

        var number: JobNumber { standing.number }
        var priority: Int { standing.priority }
        var rank: UInt32 { standing.rank }

        static func < (left: Turn, right: Turn) -> Bool {
            if left.isOverdue != right.isOverdue { return left.isOverdue }
            return left.isOverdue ? left.number < right.number : left.standing < right.standing
        }

        /// Whether what is kept for another may be taken for it. `isKept`: whether a place is kept for it, too: then it does not
        /// take that of one who is equal but for having come later.
        func mayBreak(_ other: Turn, isKept: Bool) -> Bool {
            if isOverdue != other.isOverdue { return isOverdue }
            if !isOverdue && (priority, rank) != (other.priority, other.rank) {
                return (-priority, rank) < (-other.priority, other.rank)
            }
            return !isKept && number < other.number
        }

        /// Whether it may take the place in the list of another that has one. Shares alone, which change with each placement, do
        /// not count.
        func isAbove(_ other: Turn) -> Bool {
            isOverdue != other.isOverdue ? isOverdue : !isOverdue && priority > other.priority
        }
    }

    private func turn(_ first: First, _ kind: LineKind, _ standings: inout Standings) -> Turn {
        Turn(
            isOverdue: first.queuedAtPlacement + UInt64(settings.placementsBeforeReservation) <= state.placements,
            standing: standings.standing(first.number, since: first.submittedAt, kind, fairShare))
    }

    /// Seeks a place for the next job in the order that has none. False where there is none, or no room for one more.
    private mutating func seekNext(inPass: Bool, at: Timestamp) -> Bool {
        refreshShares()
        bars.refresh(state, at: now)
        guard let (turn, shape) = nextBlocked(at: at), let job = state.jobs[turn.number] else { return false }
        if claims.scheduled >= settings.reservations {
            guard let last = lastKept(), turn.isAbove(last) else { return false }
            emit(.jobUnreserved(number: last.number), at: at)
        }
        seek(job, of: shape, closedPools(tenant(of: job), gang(of: shape)), inPass: inPass, at: at)
        return true
    }

    /// The first blocked job for which a place may be sought. Whether a line is passed over does not matter, for that depends on
    /// what was tried. Cost: the lines, and the pools of those that might be the first.
    private mutating func nextBlocked(at: Timestamp) -> (turn: Turn, shape: ShapeIndex)? {
        var best: (turn: Turn, shape: ShapeIndex)?
        var standings = Standings(settings, at: now)
        for shape in queue.shapes.indices where queue.count(shape) > 0 && !queue[shape].isPatient {
            for line in queue.heads[shape].indices {
                let head = queue.heads[shape][line]
                // Its tenant may use no pool now: that was found, and nothing has changed of it.
                if head.marks.contains(.barred) && !bars.mayOpen { continue }
                if let best, best.turn < turn(queue.lines[shape][line].first, head.kind, &standings) { continue }
                guard let job = firstWithout(line, of: shape, at: at) else { continue }
                let turn = turn(First(job), head.kind, &standings)
                if best.map({ turn < $0.turn }) ?? true, couldStart(shape, head.tenant) { best = (turn, shape) }
            }
        }
        return best
    }

    /// The first job of a line that has no place kept for it and may have one.
    private mutating func firstWithout(_ line: Int, of shape: ShapeIndex, at: Timestamp) -> Job? {
        var seen = 0
        for number in queue.lines[shape][line].waiting {
            // Some numbers are stale, and their jobs may wait elsewhere.
            guard let job = waiting.job(number, asking: queue[shape].key.form.scope) else { continue }
            if mayBeKept(job, of: shape, at: at) { return job }
            seen += 1
            if seen > settings.reservations { return nil }
        }
        return nil
    }

    /// Whether the ready nodes of some pool that is open to a tenant could hold a gang.
    private mutating func couldStart(_ shape: ShapeIndex, _ tenant: TenantSlot) -> Bool {
        let gang = gang(of: shape)
        let closed = closedPools(tenant, gang)
        let key = queue[shape].key
        return !closed.isAll
            && gang.targets.indices.contains {
                !closed.contains(gang.targets[$0].pool) && fitsWhenReady(key, gang, target: $0)
            }
    }

    private func mayBeKept(_ job: Job, of shape: ShapeIndex, at: Timestamp) -> Bool {
        // Who waits for a better place does not keep others from it meanwhile.
        if queue[shape].isPatient || job.life.reservation != nil { return false }
        return job.life.searchGivenUpAt.map { $0.adding(seconds: settings.reservationSeconds) <= at } ?? true
    }

    /// The last in the order of those that have a place by the limits of others.
    private func lastKept() -> Turn? { claims.all.compactMap { turn($0) }.max() }

    /// Nil where others were asked to leave for the owner: what is kept for it is nobody else's.
    private func turn(_ claim: Claim) -> Turn? {
        guard case .job(let number) = claim.owner, let job = state.jobs[number],
            job.life.reservation?.cause == .schedule
        else { return nil }
        return turn(job)
    }

    private func turn(_ job: Job) -> Turn {
        var standings = Standings(settings, at: now)
        return turn(First(job), queue.kind(of: job, tenant(of: job)), &standings)
    }

    /// The claims that a waiting job may break.
    mutating func claimsBehind(_ job: Job) -> [Claim] {
        refreshShares()
        let mine = turn(job)
        return claims.all.filter { claim in
            turn(claim).map { mine.mayBreak($0, isKept: job.life.reservation != nil) } ?? false
        }
    }

    /// The place that is kept for a job, with its start as it looks now; nil where it has a node that accepts no work.
    private func knownPlace(of job: Job, at: Timestamp) -> EarliestPlace? {
        guard let known = job.life.reservation, faultOfNodes(known.placement) == nil else { return nil }
        var start = at
        var isAssumed = false
        for span in spans(of: known.placement) {
            for node in span.nodes {
                for number in occupancy.jobs(on: node, of: span.pool) {
                    guard let other = state.jobs[number] else { continue }
                    start = max(start, expectedEnd(of: other, at: at))
                    isAssumed = isAssumed || other.spec.maxRuntimeSeconds == nil
                }
            }
        }
        // Whoever is promised the nodes before it may come from elsewhere.
        return EarliestPlace(
            start: max(start, known.start > at ? known.start : at), isAssumed: isAssumed, placement: known.placement)
    }

    // MARK: One job

    /// `inPass`: whether a job that fits at once is yet to be tried.
    private mutating func seek(
        _ job: Job, of shape: ShapeIndex, _ closed: ClosedPools, inPass: Bool, at: Timestamp
    ) {
        switch earliestPlace(of: job, shape, closed, at: at) {
        case .now where inPass: return
        case .now:
            // It is tried once more, and not sought again at once should it still find none.
            emit(.jobSearchGivenUp(number: job.number), at: at)
            untried.insert(shape)
        case .givenUp, .never: emit(.jobSearchGivenUp(number: job.number), at: at)
        case .later(let place): reserve(place, for: job, at: at)
        }
    }

    /// Keeps a place for a job. Those behind it that lose nodes seek others.
    private mutating func reserve(_ place: EarliestPlace, for job: Job, at: Timestamp) {
        for number in owners(of: claimsBehind(job), standingOn: spans(of: place.placement)) {
            emit(.jobUnreserved(number: number), at: at)
        }
        let known = job.life.reservation
        let reservation = Reservation(
            cause: .schedule, madeAt: at, movedAt: known?.start == place.start ? known?.movedAt ?? at : at,
            start: place.start, isAssumed: place.isAssumed, placement: place.placement)
        emit(.jobReserved(number: job.number, reservation: reservation), at: at)
    }

    /// Seeks the place of a job that has one kept: it may be nearer now, or later, or free at once somewhere else.
    private mutating func seekAgain(_ number: JobNumber, at: Timestamp) {
        guard let job = state.jobs[number],
            let shape = queue.index(of: ShapeKey(job.spec, asking: job.scope(at: now)))
        else { preconditionFailure("a reservation's job does not wait") }
        claims.forgetSuspicion(.job(number))
        let closed = closedPools(tenant(of: job), gang(of: shape))
        if closed.isAll { return emit(.jobUnreserved(number: number), at: at) }
        var found: EarliestPlace?
        switch earliestPlace(of: job, shape, closed, at: at) {
        case .now(let placement):
            // Its turn comes in the order.
            reserve(EarliestPlace(start: at, isAssumed: false, placement: placement), for: job, at: at)
            return claims.touch(number)
        case .later(let place): found = place
        case .givenUp, .never: break
        }
        // Where others are promised what it might have instead, it keeps what it has.
        if let known = knownPlace(of: job, at: at), known.start <= found?.start ?? .distantFuture { found = known }
        guard let found else { return emit(.jobUnreserved(number: number), at: at) }
        reserve(found, for: job, at: at)
        if packer.canTake(found.placement) { claims.touch(number) }
    }
}
