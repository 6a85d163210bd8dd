// Gangs that lost some of their workers with their nodes: which wait for others, when each is looked at, and what becomes of it.
// The workers that live stay where they are. Follows from the jobs.

import Model
import Packing

struct Repairs {
    /// Jobs that are `repairing`, by rising number.
    private(set) var jobs: [JobNumber] = []
    /// Those still to be looked at, the last first.
    fileprivate(set) var waiting: [JobNumber] = []
    /// Whether something changed that may help one of them, and that no pool's growth tells.
    fileprivate(set) var isFresh = false

    /// Whether some are to be looked at.
    var isPending: Bool { isFresh || !waiting.isEmpty }

    fileprivate mutating func insert(_ number: JobNumber) {
        jobs.insert(number, at: jobs.firstIndex { $0 > number } ?? jobs.count)
        isFresh = true
    }

    fileprivate mutating func remove(_ number: JobNumber) { jobs.removeAll { $0 == number } }

    /// Takes note that nodes of such a job changed.
    mutating func touch() { isFresh = !jobs.isEmpty }

    mutating func forgetTouched() {
        isFresh = false
        waiting = []
    }
}

extension Engine {
    /// Nodes that one command looks at in search of replacements.
    private static let repairNodesPerCommand = 65_536

    /// Takes note of what a change of a job means for its repair.
    mutating func noteRepair(from before: JobLife?, to after: Job) {
        let (old, new) = (before?.repairUntil, after.life.repairUntil)
        if old == new { return }
        if old != nil {
            repairs.remove(after.number)
            timers.unset(.repair, isSet: waiting.isSet)
        }
        if let new {
            repairs.insert(after.number)
            timers.set(Timer(at: new, number: after.number, kind: .repair))
        }
    }

    /// Seeks the workers that gangs lost, in the order of the queue, before anything new is placed. False where more is left than
    /// one command may do.
    mutating func repairGangs(_ budget: inout PassBudget, at: Timestamp) -> Bool {
        if repairs.jobs.isEmpty {
            repairs.forgetTouched()
            return true
        }
        if repairs.isFresh || triesAll || !grown.isEmpty {
            repairs.isFresh = false
            let jobs = repairs.jobs.compactMap { state.jobs[$0] }
            let ordered = jobs.map { (key: key(of: $0), number: $0.number) }.sorted { $1.key < $0.key }
            repairs.waiting = ordered.map(\.number)
        }
        var looks = Self.repairNodesPerCommand
        while let number = repairs.waiting.popLast() {
            guard let job = state.jobs[number], job.state == .repairing else { continue }
            if budget.isUsedUp || looks <= 0 {
                repairs.waiting.append(number)
                return false
            }
            guard let placement = repaired(job, &looks) else { continue }
            budget.notePlacement(placement.runs.count)
            for owner in owners(of: claims.all, standingOn: newSpans(placement, of: job)) {
                emit(.jobUnreserved(number: owner), at: at)
            }
            emit(.jobRepaired(number: number, placement: placement), at: at)
        }
        return true
    }

    /// What becomes of a gang when its time is up: an elastic one goes on with the workers that it has, if they are enough.
    func repairGivenUp(_ job: Job) -> Fact {
        if let rest = survivors(of: job) { return .jobRepaired(number: job.number, placement: rest) }
        return .jobRequeued(number: job.number, cause: .nodeDown)
    }

    /// What becomes of a gang some of whose nodes went down just now.
    func loss(of job: Job, at: Timestamp) -> Fact? {
        guard let placement = job.life.placement else { return nil }
        let isWhole = state.lostWorkers(of: placement) == placement.workerCount
        switch job.state {
        case .placed, .running:
            if isWhole || settings.repairGraceSeconds == 0 {
                return .jobRequeued(number: job.number, cause: .nodeDown)
            }
            return .jobRepairing(number: job.number, until: at.adding(seconds: settings.repairGraceSeconds))
        case .repairing: return isWhole ? .jobRequeued(number: job.number, cause: .nodeDown) : nil
        case .preempting: return .jobRequeued(number: job.number, cause: .nodeDown)
        case .queued, .succeeded, .failed, .cancelled: return nil
        }
    }

    /// What keeps a gang from being whole again in a place.
    func faultOfRepair(_ number: JobNumber, _ placement: Placement) -> String? {
        if let fault = fault(of: number, .repairing) { return fault }
        guard let job = state.jobs[number], let old = job.life.placement else { return "a job is repaired nowhere" }
        packer.give(old)
        defer { packer.take(old) }
        if let fault = fault(of: placement, for: job.asRepaired) { return fault }
        for (at, part) in placement.parts.enumerated() {
            let states = state[part.pool].nodeStates
            for node in placement.runRange(at).lazy.flatMap({ placement.runs[$0].nodes }) {
                let mayStand = states[node] == .ready || !states[node].isDown && old.holds(node: node, of: part.pool)
                if !mayStand { return "node \(node) accepts no work" }
            }
        }
        return nil
    }
}

extension Job {
    /// As it is once it has lost workers and found others: it may stand on spare nodes.
    var asRepaired: Job {
        var life = life
        life.repairs += 1
        return with(life)
    }
}
