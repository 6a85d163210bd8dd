// Over random histories: nobody is asked to leave but for a job that then has a place kept or is placed, victims are such as may be
// taken, and whoever leaves is settled. All is told anew from the facts, not from what the engine believes.

import Engine
import Model
import TestKit
import Testing

/// What preemption must be, from facts and the state before each transaction.
private struct PreemptionShadow {
    struct Known {
        var startedAt: Timestamp?
        var placedAt: Timestamp?
        var preemptions = 0
        var placement: Placement?
        var eviction: Eviction?
    }

    let settings: EngineSettings
    var jobs: [JobNumber: Known] = [:]
    var reserved: [JobNumber: Placement] = [:]
    var evictions: [String: [Int64: Int]] = [:]
    var kinds: [PreemptionKind: Int] = [:]
    var surplus = 0
    var spared = 0
    var hasQuotas = false

    init(_ settings: EngineSettings) { self.settings = settings }

    /// What a fact at `at` breaks, or nil. `job`: as the state knows it after the transaction, for its spec.
    mutating func note(_ fact: Fact, at: Timestamp, _ job: (JobNumber) -> Job?) -> String? {
        switch fact {
        case .tenantPut(let spec): if !spec.quotas.isEmpty { hasQuotas = true }
        case .jobPlaced(let number, let placement):
            if let kept = reserved[number], kept.parts.isEmpty { return "a place of nothing was kept" }
            reserved[number] = nil
            jobs[number, default: Known()].placedAt = at
            jobs[number]?.startedAt = nil
            jobs[number]?.placement = placement
        case .jobStarted(let number): jobs[number]?.startedAt = at
        case .jobReserved(let number, let reservation):
            reserved[number] = reservation.cause == .preemption ? reservation.placement : nil
        case .jobUnreserved(let number): reserved[number] = nil
        case .jobHeld(let number): reserved[number] = nil
        case .jobEnded(let number, _, _, _):
            reserved[number] = nil
            jobs[number]?.eviction = nil
            jobs[number]?.placement = nil
        case .jobRequeued(let number, let cause):
            guard let known = jobs[number] else { return "an unknown job is requeued" }
            if cause == .preempted {
                guard let eviction = known.eviction, eviction.keeps == nil else { return "one leaves unasked" }
                if reserved[eviction.by] == nil { return "one leaves for a job that needs it no more" }
                jobs[number]?.preemptions += 1
            }
            jobs[number]?.eviction = nil
            jobs[number]?.placement = nil
        case .jobShrunk(let number):
            guard let eviction = jobs[number]?.eviction, let keeps = eviction.keeps else {
                return "one shrinks unasked"
            }
            if reserved[eviction.by] == nil { return "one shrinks for a job that needs it no more" }
            jobs[number]?.placement = keeps
            jobs[number]?.eviction = nil
        case .jobGrown(let number, let placement):
            if jobs[number]?.eviction != nil { return "one grows that is asked to leave" }
            jobs[number]?.placement = placement
        case .jobSpared(let number):
            guard let eviction = jobs[number]?.eviction else { return "one is spared that was not asked" }
            if reserved[eviction.by] != nil { return "one is spared whose place is needed" }
            jobs[number]?.eviction = nil
            spared += 1
        case .jobPreempting(let number, let eviction): return note(number, eviction, at, job)
        default: break
        }
        return nil
    }

    private mutating func note(
        _ number: JobNumber, _ eviction: Eviction, _ at: Timestamp, _ job: (JobNumber) -> Job?
    ) -> String? {
        guard let known = jobs[number], let placement = known.placement, let victim = job(number),
            let preemptor = job(eviction.by)
        else { return "one that holds nothing is asked to leave" }
        if known.eviction != nil { return "\(victim.id) is asked twice" }
        guard let place = reserved[eviction.by] else { return "\(victim.id) leaves for nobody" }
        if preemptor.life.preemption == .never { return "\(preemptor.id) preempts and must not" }
        if eviction.deadline != at.adding(seconds: settings.preemptionGraceSeconds) { return "the grace is another" }
        if let begin = known.startedAt ?? known.placedAt, at < begin.adding(seconds: victim.life.minRuntimeSeconds) {
            return "\(victim.id) is asked to leave within its least run time"
        }
        switch eviction.kind {
        case .priority:
            if victim.life.priority >= preemptor.life.priority { return "\(victim.id) is no less than \(preemptor.id)" }
        case .fairShare:
            if victim.life.priority != preemptor.life.priority { return "\(victim.id) is not equal to \(preemptor.id)" }
            if victim.spec.tenant == preemptor.spec.tenant { return "shares of one tenant are compared" }
        case .reclaim:
            if victim.spec.tenant == preemptor.spec.tenant { return "a tenant reclaims from itself" }
        }
        if let keeps = eviction.keeps {
            surplus += 1
            if let fault = faultOfSurplus(victim, placement, keeps) { return fault }
        } else {
            if !victim.spec.isPreemptible { return "\(victim.id) is not preemptible" }
            if known.preemptions >= settings.preemptionsBeforeProtection { return "\(victim.id) is protected" }
            let hour = at.nanoseconds / 3_600_000_000_000
            evictions[victim.spec.tenant, default: [:]][hour, default: 0] += 1
            if evictions[victim.spec.tenant]?[hour] ?? 0 > settings.evictionsPerTenantAndHour {
                return "\(victim.spec.tenant) loses more than its budget"
            }
        }
        // Something that it gives is needed: a node of the place, unless it is all the quota that it takes.
        if !hasQuotas && place.exclusive == nil && placement.exclusive == nil && !placement.overlaps(place) {
            return "\(victim.id) leaves for nothing"
        }
        kinds[eviction.kind, default: 0] += 1
        jobs[number]?.eviction = eviction
        return nil
    }

    /// What is kept must be whole groups of the least size, on places that the job has.
    private func faultOfSurplus(_ job: Job, _ placement: Placement, _ keeps: Placement) -> String? {
        if keeps.workerCount >= placement.workerCount { return "\(job.id) gives up nothing" }
        for (at, part) in keeps.parts.enumerated() {
            if !job.spec.scaleBySpeed, keeps.workerCount(at) != job.spec.workers[part.group].count {
                return "\(job.id) does not keep its least"
            }
            for run in keeps.runs[keeps.runRange(at)] {
                for node in run.nodes where !placement.holds(node: node, of: part.pool) {
                    return "\(job.id) keeps what it has not"
                }
            }
        }
        return nil
    }
}

extension Placement {
    /// Whether both stand on some node.
    fileprivate func overlaps(_ other: Placement) -> Bool {
        for (at, part) in parts.enumerated() {
            for run in runs[runRange(at)] {
                if run.nodes.contains(where: { other.holds(node: $0, of: part.pool) }) { return true }
            }
        }
        return false
    }
}

@Suite struct PreemptionProperties {
    static func history(_ seed: UInt64) -> History {
        var history = History(seed: seed)
        history.percentPreemptible = 80
        history.percentRich = 20 + Int(seed % 3) * 30
        history.percentElastic = 50
        return history
    }

    @Test("Nobody leaves but for a job that has its place kept, and only those who may be asked", arguments: 1...24)
    func victims(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var harness = EngineHarness(settings: settings)
        var history = Self.history(seed &+ 40_000)
        var shadow = PreemptionShadow(settings)
        // Jobs are looked up as they were before a command where they are forgotten after it.
        var noted = 0
        for step in 0..<400 {
            let before = harness.engine.state
            harness.run(history.command(before))
            if step % 3 == 0 { harness.settle() }
            let after = harness.engine.state
            while noted < harness.transactions.count {
                let transaction = harness.transactions[noted]
                noted += 1
                for fact in transaction.facts {
                    let fault = shadow.note(fact, at: transaction.at) { after.jobs[$0] ?? before.jobs[$0] }
                    try #require(fault == nil, "seed \(seed) step \(step) \(fact)")
                }
            }
            if step % 5 == 0 {
                let fault = harness.engine.firstDisagreement()
                try #require(fault == nil, "seed \(seed) step \(step)")
            }
            harness.settle()
            try #require(Self.fault(in: harness.engine.state) == nil, "seed \(seed) step \(step)")
        }
    }

    @Test("Over all seeds every right is used, surplus is taken, and some are spared")
    func coverage() throws {
        var kinds: Set<PreemptionKind> = []
        var surplus = 0
        var spared = 0
        for seed in UInt64(1)...24 {
            let settings = ReplayTests.settings(seed)
            var harness = EngineHarness(settings: settings)
            var history = Self.history(seed &+ 40_000)
            for _ in 0..<400 {
                harness.run(history.command(harness.engine.state))
                harness.settle()
            }
            for kind in PreemptionKind.allCases where harness.engine.work.preemptions[Int(kind.rawValue)] > 0 {
                kinds.insert(kind)
            }
            surplus += Int(harness.engine.work.shrinks.reduce(0, +))
            spared += Int(harness.engine.work.spared)
        }
        #expect(kinds == Set(PreemptionKind.allCases))
        #expect(surplus > 0 && spared > 0, "\(surplus) \(spared)")
    }

    @Test("The same history gives the same facts, and a replay the same state", arguments: 1...12)
    func determinism(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var first = EngineHarness(settings: settings)
        var second = EngineHarness(settings: settings)
        var history = Self.history(seed &+ 41_000)
        for _ in 0..<300 {
            let command = history.command(first.engine.state)
            first.run(command)
            second.run(command)
        }
        #expect(first.transactions == second.transactions, "seed \(seed)")
        var replayed = Engine(settings: settings)
        for transaction in first.transactions { try replayed.replay(transaction) }
        #expect(replayed.state.digest == first.engine.state.digest, "seed \(seed)")
        #expect(replayed.capacityDigest() == first.engine.capacityDigest(), "seed \(seed)")
        let fault = replayed.firstDisagreement()
        #expect(fault == nil, "seed \(seed)")
    }

    @Test("An engine started from an image preempts as the live one does from there on", arguments: 1...16)
    func restart(seed: UInt64) throws {
        let settings = ReplayTests.settings(seed)
        var live = EngineHarness(settings: settings)
        var history = Self.history(seed &+ 42_000)
        for round in 0..<20 {
            for _ in 0..<8 { live.run(history.command(live.engine.state)) }
            var again = try EngineHarness(image: live.engine.state.image, settings: settings, clock: live.clock)
            let before = live.transactions.count
            for step in 0..<8 {
                let command = history.command(live.engine.state)
                live.run(command)
                again.run(command)
                let isSame = live.transactions.dropFirst(before).elementsEqual(again.transactions)
                try #require(isSame, "seed \(seed) round \(round) step \(step) \(command)")
            }
        }
    }

    /// What no settled state has.
    private static func fault(in state: State) -> String? {
        var fault: String?
        var waiting: Set<JobNumber> = []
        state.jobs.forEach { job in
            if let eviction = job.life.eviction { waiting.insert(eviction.by) }
            return true
        }
        state.jobs.forEach { job in
            if let eviction = job.life.eviction {
                let preemptor = state.jobs[eviction.by]
                if preemptor?.life.reservation?.cause != .preemption { fault = "\(job.id) leaves for nobody" }
                if eviction.deadline <= state.at { fault = "\(job.id) should have left" }
            }
            if job.life.reservation?.cause == .preemption && !waiting.contains(job.number) {
                fault = "a place is kept for \(job.id), and nobody leaves it"
            }
            return fault == nil
        }
        return fault
    }
}
