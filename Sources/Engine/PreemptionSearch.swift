// The search for those that must go so that one waiting job fits, on a trial: candidates are released in the packer one after the
// other until the whole gang has a place, those that stand in nobody's way are put back, and then all is as it was before.

import Model
import Packing

/// Who goes, and where the preemptor comes to stand then.
struct PreemptionPlan {
    let placement: Placement
    let victims: [PreemptionCandidate]
    /// Waiting jobs behind the preemptor for which nodes of the place are kept.
    let displaced: [JobNumber]
}

/// What a search came to.
enum PreemptionResult {
    case found(PreemptionPlan)
    /// Nothing that may be taken back makes room for the whole gang.
    case impossible
    /// No place was found, and it was not proved that there is none.
    case gaveUp
}

/// A result, and when time alone may change it.
struct PreemptionAnswer {
    let result: PreemptionResult
    let until: Timestamp?
}

/// What a search has done to the packer and to the quotas.
private struct Release {
    let candidates: [PreemptionCandidate]
    /// By candidate.
    var isOut: [Bool]
    /// So many of the first are out, while the search still goes forward and back.
    var count = 0
    /// By candidate, for the surplus of a job the place of its whole gang among the candidates.
    private var gangs: [Int?]

    init(_ candidates: [PreemptionCandidate]) {
        self.candidates = candidates
        isOut = Array(repeating: false, count: candidates.count)
        gangs = Array(repeating: nil, count: candidates.count)
        let surplus = candidates.prefix { !$0.isGang }.count
        if surplus == 0 { return }
        var places: [JobNumber: Int] = [:]
        for at in surplus..<candidates.count { places[candidates[at].job.number] = at }
        for at in 0..<surplus { gangs[at] = places[candidates[at].job.number] }
    }

    /// Whether the surplus of a job goes with the whole gang.
    func isCovered(_ at: Int) -> Bool { gangs[at].map { isOut[$0] } ?? false }
}

extension Engine {
    /// Times that one search tries to place the gang.
    static let mostPreemptionTrials = 64

    /// Looks for victims for a waiting job. Changes nothing but caches. Precondition: quotas are up to date.
    mutating func searchVictims(for job: Job, _ key: ShapeKey) -> PreemptionAnswer {
        work.preemptionSearches += 1
        var least = key
        // Nobody is sent away so that others may have more than they need.
        least.form.shrink()
        let gang = resolve(least)
        let tenant = tenant(of: job)
        if gang.isEmpty || state.tenantBar(tenant, at: now) != nil {
            return PreemptionAnswer(result: .impossible, until: nil)
        }
        var rules = PreemptionRules(
            job, of: tenant, gang, usage: usage(of: gang, most: false), inFlight: preemptionInFlight())
        discountPreemption(1)
        defer { discountPreemption(-1) }
        let found = candidates(rules)
        // What is kept for those behind it does not stand in its way.
        let behind = claimsBehind(job)
        let own = claims[.job(job.number)].map { [$0] } ?? []
        // Nor do nodes that it leaves before they are due.
        let seconds = settings.preemptionGraceSeconds + (job.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds)
        let end = now.adding(seconds: seconds)
        let taken = Set((own + behind).map(\.owner))
        let later = claims.all.filter { claim in
            !taken.contains(claim.owner) && claim.openUntil.map { end <= $0 } ?? false
        }
        let open = own + behind + later
        let touched = claims.touched
        for claim in open { suspend(claim) }
        defer {
            for claim in open { resume(claim) }
            claims.restoreTouched(touched)
        }
        var result = search(found.all, rules, behind, isOpened: !open.isEmpty)
        if case .found(let plan) = result, !isAllowed(plan, rules) {
            // Together they are more than may be taken: now only as many as may, whichever of them go.
            rules.usage = usage(of: gang, most: true)
            result = search(allowed(found.all, rules), rules, behind, isOpened: !open.isEmpty)
            if case .found(let plan) = result {
                result = isAllowed(plan, rules) ? result : .gaveUp
            } else {
                result = .gaveUp
            }
        }
        if case .impossible = result, found.isCut { result = .gaveUp }
        return PreemptionAnswer(result: result, until: found.until)
    }

    /// Whether all victims may be taken together by what the preemptor really comes to use.
    private func isAllowed(_ plan: PreemptionPlan, _ rules: PreemptionRules) -> Bool {
        var rules = rules
        rules.usage = usage(of: plan.placement)
        return allowed(plan.victims, rules).count == plan.victims.count
    }

    private mutating func search(
        _ candidates: [PreemptionCandidate], _ rules: PreemptionRules, _ behind: [Claim], isOpened: Bool
    ) -> PreemptionResult {
        if candidates.isEmpty && !isOpened { return .impossible }
        guard let first = leastCount(candidates, rules) else { return .impossible }
        var release = Release(candidates)
        var trials = Self.mostPreemptionTrials
        defer { setOut(0, &release) }
        var placement = Placement.none
        // Twice as many each time, until they are enough.
        var low = first - 1
        var high = first
        while true {
            setOut(high, &release)
            trials -= 1
            if fits(rules, into: &placement) { break }
            if high == candidates.count { return provesNoPlace(rules) ? .impossible : .gaveUp }
            low = high
            high = min(candidates.count, max(1, 2 * high))
        }
        // Then the least that are enough.
        while high - low > 1, trials > 0 {
            let middle = (low + high) / 2
            setOut(middle, &release)
            trials -= 1
            if fits(rules, into: &placement) { high = middle } else { low = middle }
        }
        setOut(high, &release)
        spare(&release, &placement, rules)
        for at in candidates.indices.reversed() where release.isOut[at] && trials > 0 {
            guard putBack(at, &release) else { continue }
            trials -= 1
            var other = Placement.none
            if fits(rules, into: &other) {
                placement = other
                spare(&release, &placement, rules)
            } else {
                takeOut(at, &release)
            }
        }
        let victims = candidates.indices.filter { release.isOut[$0] && !release.isCovered($0) }.map { candidates[$0] }
        for at in candidates.indices.reversed() where release.isOut[at] { _ = putBack(at, &release) }
        release.count = 0
        return .found(
            PreemptionPlan(
                placement: placement, victims: victims, displaced: owners(of: behind, standingOn: spans(of: placement)))
        )
    }

    // MARK: One trial

    private mutating func fits(_ rules: PreemptionRules, into placement: inout Placement) -> Bool {
        work.preemptionTrials += 1
        let closed = closedPools(rules.tenant, rules.gang)
        if closed.isAll { return false }
        return packer.find(rules.gang, into: &placement) { closed.contains($0) }
            && (bars.quotas.isEmpty || isWithinQuota(placement, of: rules.tenant))
    }

    /// Whether a trial that found no place with all candidates out proves that there is none.
    private mutating func provesNoPlace(_ rules: PreemptionRules) -> Bool {
        if rules.gang.isPlain || closedPools(rules.tenant, rules.gang).isAll { return true }
        return !rules.gang.targets.indices.contains { packer.fits(rules.gang, target: $0) }
    }

    /// With fewer candidates out there is not even GPU capacity enough; nil where all are too few.
    private func leastCount(_ candidates: [PreemptionCandidate], _ rules: PreemptionRules) -> Int? {
        let isSplit = rules.gang.form.split != nil
        var need = [Int?](repeating: nil, count: state.pools.count)
        var room = [Int](repeating: 0, count: state.pools.count)
        var all = 0
        var leastOfAll = Int.max
        for (at, target) in rules.gang.targets.enumerated() {
            let pool = state.pools[target.pool]
            room[target.pool] = pool.spec.gpuCount * 1000 - pool.gpuMilliAllocated
            need[target.pool] = rules.gang.leastMilli(target: at)
            all += room[target.pool]
            leastOfAll = min(leastOfAll, rules.gang.leastMilli(target: at))
        }
        func isEnough(_ pool: Int) -> Bool {
            isSplit ? all >= leastOfAll : need[pool].map { room[pool] >= $0 } ?? false
        }
        if rules.gang.targets.contains(where: { isEnough($0.pool) }) { return 0 }
        for (at, candidate) in candidates.enumerated() {
            for (sign, held) in [(1, candidate.holds), (-1, candidate.keeps ?? .none)] {
                for part in held.parts.indices where need[held.parts[part].pool.index] != nil {
                    room[held.parts[part].pool.index] += sign * held.gpuMilli(part)
                    all += sign * held.gpuMilli(part)
                }
            }
            if candidate.holds.parts.contains(where: { isEnough($0.pool.index) }) { return at + 1 }
        }
        return nil
    }

    // MARK: Releasing and putting back

    /// Has exactly the first so many candidates out.
    private mutating func setOut(_ count: Int, _ release: inout Release) {
        while release.count < count {
            takeOut(release.count, &release)
            release.count += 1
        }
        while release.count > count {
            release.count -= 1
            giveBack(release.count, &release)
        }
    }

    private mutating func takeOut(_ at: Int, _ release: inout Release) {
        let candidate = release.candidates[at]
        packer.give(candidate.holds)
        charge(candidate.holds, to: candidate.tenant, -1)
        if let keeps = candidate.keeps {
            packer.take(keeps)
            charge(keeps, to: candidate.tenant, 1)
        }
        release.isOut[at] = true
        preemption.releases += 1
        work.preemptionReleases += 1
    }

    private mutating func giveBack(_ at: Int, _ release: inout Release) {
        let candidate = release.candidates[at]
        if let keeps = candidate.keeps {
            packer.give(keeps)
            charge(keeps, to: candidate.tenant, -1)
        }
        packer.take(candidate.holds)
        charge(candidate.holds, to: candidate.tenant, 1)
        release.isOut[at] = false
        preemption.releases += 1
    }

    /// Puts a candidate back, unless its job is out as a whole and this is its surplus.
    private mutating func putBack(_ at: Int, _ release: inout Release) -> Bool {
        if release.isCovered(at) { return false }
        giveBack(at, &release)
        return true
    }

    /// Puts back all that a place does not need, the greatest loss first.
    private mutating func spare(_ release: inout Release, _ placement: inout Placement, _ rules: PreemptionRules) {
        packer.take(placement)
        for at in release.candidates.indices.reversed() where release.isOut[at] && !release.isCovered(at) {
            let candidate = release.candidates[at]
            if let keeps = candidate.keeps { packer.give(keeps) }
            let isFree = packer.canTake(candidate.holds)
            if let keeps = candidate.keeps { packer.take(keeps) }
            guard isFree else { continue }
            giveBack(at, &release)
            if !bars.quotas.isEmpty && !isWithinQuota(placement, of: rules.tenant) { takeOut(at, &release) }
        }
        packer.give(placement)
    }
}
