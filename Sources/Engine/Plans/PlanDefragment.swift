// Which gangs to move so that whole domains come free, at the least work lost for each. A domain is emptied when all that stands in
// it fits elsewhere, in domains that are in use already and without the ones that are free; then the next one is looked for.

import HeapModule
public import Model
import Packing

/// Why a plan has no more moves.
public enum PlanEnd: UInt8, CaseIterable, Sendable {
    /// As many domains as were wanted are won.
    case wholeDomainsWon
    /// All domains were tried that could be won.
    case nothingMore
    /// The search would have cost too much.
    case gaveUpSearching
}

/// Moves in order, each legal when those before it are done, and what they come to.
public struct DefragmentPlan: Sendable {
    public let basis: PlanBasis
    public let moves: [PlannedMove]
    public let lost: GPUTime
    public let costMicroUSDPerHour: Int64
    /// In the order in which they come free.
    public let won: [DomainPlace]
    /// Domains that were free before.
    public let freeBefore: Int
    public let end: PlanEnd
    /// Occupied domains that are not won, by `PlanObstacle.rawValue`.
    public let notWon: [Int]
}

/// A domain that might be emptied, and what that would take. Smaller is tried first.
private struct Candidate: Comparable {
    /// GPU time lost for each domain that comes free.
    let lostPerDomain: Int64
    let jobs: Int
    let gpuMilli: Int
    let row: Int
    let version: Int
    let lost: GPUTime
    /// All domains that come free, with this one.
    let freed: [Int]

    private var key: (Int64, Int, Int, Int) { (lostPerDomain, jobs, gpuMilli, row) }

    static func == (left: Candidate, right: Candidate) -> Bool { left.key == right.key }
    static func < (left: Candidate, right: Candidate) -> Bool { left.key < right.key }
}

extension Planner {
    /// Cost: the search, within its steps. The trial stands as after all moves then.
    public mutating func defragment(_ request: DefragmentRequest) -> DefragmentPlan {
        var domains = PlanDomains(engine, request)
        let freeBefore = domains.rows.count { $0.isFree }
        // A domain that is free is no place to go to.
        close(domains.rows.indices.filter { domains[$0].isFree }, domains, true)
        var candidates = Heap<Candidate>()
        for row in domains.rows.indices { insert(row, &domains, into: &candidates) }
        var moves: [PlannedMove] = []
        var lost = GPUTime.zero
        var won = 0
        var end = PlanEnd.nothingMore
        while true {
            if let wanted = request.wholeDomains, won >= wanted {
                end = .wholeDomainsWon
                break
            }
            guard let next = candidates.popMin() else { break }
            if next.version != domains[next.row].version || domains[next.row].isWon { continue }
            if hasGivenUp {
                end = .gaveUpSearching
                break
            }
            if moves.count + next.jobs > request.maxMoves {
                domains[next.row].failure = .tooManyMoves
            } else if let most = request.maxLost, lost + next.lost > most {
                domains[next.row].failure = .tooMuchLost
            } else {
                switch empty(next, domains, mayCostMore: request.mayCostMore) {
                case .moves(let more):
                    moves += more
                    lost = lost + next.lost
                    won += more.reduce(0) { $0 + $1.won.count }
                    note(more, &domains, &candidates)
                case .costsMore: domains[next.row].failure = .costsMore
                // What was not searched to its end is no answer.
                case .noOtherPlace: domains[next.row].failure = hasGivenUp ? nil : .noOtherPlace
                }
            }
        }
        if domains.rows.contains(where: { $0.obstacle == .notTried }) && hasGivenUp { end = .gaveUpSearching }
        var notWon = [Int](repeating: 0, count: PlanObstacle.allCases.count)
        for row in domains.rows { if let obstacle = row.obstacle { notWon[Int(obstacle.rawValue)] += 1 } }
        return DefragmentPlan(
            basis: basis, moves: moves, lost: lost,
            costMicroUSDPerHour: moves.reduce(0) { $0 &+ $1.costMicroUSDPerHour }, won: moves.flatMap(\.won),
            freeBefore: freeBefore, end: end, notWon: notWon)
    }

    /// Keeps all gangs from some domains, or no more.
    private func close(_ rows: [Int], _ domains: PlanDomains, _ isClosed: Bool) {
        for row in rows {
            engine.packer.setReserved(pool: domains[row].place.pool.index, nodes: domains[row].nodes, isClosed)
        }
    }

    // MARK: Candidates

    /// Domains of the gangs of one candidate that are looked at for others that come free with it.
    private static let mostNeighbours = 512

    private mutating func insert(_ row: Int, _ domains: inout PlanDomains, into candidates: inout Heap<Candidate>) {
        let here = domains[row]
        if here.fixed != nil || here.jobs.isEmpty || here.isWon { return }
        if here.jobs.contains(where: { domains.pinned.contains($0) }) {
            domains[row].failure = .jobMayNotMove
            return
        }
        if here.jobs.contains(where: { domains.moved.contains($0) }) {
            domains[row].failure = .jobMovedAlready
            return
        }
        var lost = GPUTime.zero
        var gpuMilli = 0
        var neighbours: [Int] = []
        for number in here.jobs {
            let job = job(number)
            guard let placement = job.life.placement else { continue }
            lost = lost + job.timeLost(ifStoppedAt: engine.now)
            gpuMilli += placement.gpuMilli
            if neighbours.count < Self.mostNeighbours { neighbours += domains.rows(of: placement) }
            spend(1 + placement.runs.count)
        }
        let leaving = Set(here.jobs)
        var freed = [row]
        for other in Set(neighbours).sorted() where other != row {
            let there = domains[other]
            spend(there.jobs.count)
            if there.fixed == nil && there.jobs.allSatisfy({ leaving.contains($0) }) { freed.append(other) }
        }
        candidates.insert(
            Candidate(
                lostPerDomain: lost.gpuMilliSeconds / Int64(freed.count), jobs: here.jobs.count, gpuMilli: gpuMilli,
                row: row, version: here.version, lost: lost, freed: freed))
    }

    /// Takes note of moves, and looks again at the domains that they changed.
    private mutating func note(
        _ moves: [PlannedMove], _ domains: inout PlanDomains, _ candidates: inout Heap<Candidate>
    ) {
        var changed: Set<Int> = []
        for move in moves { changed.formUnion(domains.move(job(move.job), from: move.from, to: move.to)) }
        let places = Set(moves.flatMap(\.won))
        for row in changed.sorted() {
            if places.contains(domains[row].place) { domains[row].isWon = true }
            insert(row, &domains, into: &candidates)
        }
    }

    // MARK: Emptying one

    /// What became of a domain.
    private enum Emptied {
        case moves([PlannedMove])
        /// Some gang of it finds no place; nothing was changed.
        case noOtherPlace
        /// It would add to the bill; nothing was changed.
        case costsMore
    }

    /// Empties a domain, with all that may come free with it or alone.
    private mutating func empty(_ candidate: Candidate, _ domains: PlanDomains, mayCostMore: Bool) -> Emptied {
        let emptied = empty(candidate, closing: candidate.freed, domains, mayCostMore)
        guard case .noOtherPlace = emptied, candidate.freed.count > 1 else { return emptied }
        return empty(candidate, closing: [candidate.row], domains, mayCostMore)
    }

    private mutating func empty(
        _ candidate: Candidate, closing rows: [Int], _ domains: PlanDomains, _ mayCostMore: Bool
    ) -> Emptied {
        close(rows, domains, true)
        // The largest are the hardest to place.
        let jobs = domains[candidate.row].jobs.map { job($0) }
            .sorted { left, right in
                let (large, small) = (left.life.placement?.gpuMilli ?? 0, right.life.placement?.gpuMilli ?? 0)
                return large != small ? large > small : left.number < right.number
            }
        var moves: [PlannedMove] = []
        for job in jobs {
            guard !hasGivenUp, let move = move(job, domains) else { break }
            moves.append(move)
        }
        let isDearer = !mayCostMore && moves.reduce(0) { $0 &+ $1.costMicroUSDPerHour } > 0
        if moves.count < jobs.count || isDearer {
            for job in jobs.prefix(moves.count).reversed() { restore(job) }
            close(rows, domains, false)
            return moves.count < jobs.count ? .noOtherPlace : .costsMore
        }
        let entered = Set(moves.flatMap { domains.rows(of: $0.to) })
        let won = candidate.freed.filter { !entered.contains($0) }
        close(won, domains, true)
        for row in won {
            guard let last = jobs.lastIndex(where: { domains[row].jobs.contains($0.number) }) else { continue }
            moves[last].won.append(domains[row].place)
        }
        return .moves(moves)
    }

    /// Moves one gang to where it may go now; it stays where it is when that is nowhere.
    private mutating func move(_ job: Job, _ domains: PlanDomains) -> PlannedMove? {
        guard let old = job.life.placement else { return nil }
        let lifted = lift(job)
        let released = engine.billReleased(by: old)
        guard let new = newPlace(of: lifted, from: old, isOpen: { domains.contains(pool: $0) }) else {
            restore(job)
            return nil
        }
        settle(lifted, in: new)
        return PlannedMove(
            job: job.number, from: old, to: new, lost: job.timeLost(ifStoppedAt: engine.now),
            costMicroUSDPerHour: new.cost.price - released)
    }
}
