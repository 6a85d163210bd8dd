// When victims are sought, and for whom: once nothing more can be placed, for the first job of each shape that may preempt, in the
// order of the queue. What was looked at in vain is not looked at again before the state or the time has changed something.

import Model
import Packing

/// What one command may still do.
struct PassBudget {
    var placements: Int
    /// Runs of nodes that its facts may write.
    var runs: Int

    var isUsedUp: Bool { placements <= 0 || runs <= 0 }

    mutating func notePlacement(_ written: Int) {
        placements -= 1
        runs -= written
    }
}

extension Engine {
    /// Lines of a shape that are looked at where another than the first may reclaim what it owns, or leave kept nodes in time.
    private static let linesPerShape = 4

    /// Whether those that wait should be looked at now.
    var isPreemptionDue: Bool {
        mayPreempt && isPreemptionAwaited && preemption.isDue(revision: state.revision, at: now)
    }

    /// When those that wait are looked at next, whatever happens until then.
    var preemptionDue: Timestamp? {
        if !isPreemptionAwaited { return nil }
        if !preemption.isOutdated(revision: state.revision) { return preemption.vainUntil }
        return Timestamp(nanoseconds: (pause(of: state.at) + 1) * pauseNanoseconds)
    }

    /// Whether a command at a moment may look for victims: one for each pause, and the first that changes something in it. So it
    /// follows from the state and the time, and a restart changes nothing.
    func mayPreempt(at moment: Timestamp) -> Bool {
        settings.searchPauseMilliseconds == 0 || pause(of: moment) > pause(of: state.at)
    }

    /// The number of the pause that a moment is in.
    private func pause(of moment: Timestamp) -> Int64 { moment.nanoseconds / max(1, pauseNanoseconds) }

    /// Whether there are jobs that wait, and others that might give way.
    var isPreemptionAwaited: Bool { queue.busy > 0 && !preemption.holders.isEmpty }

    /// Looks for victims for those that wait, and asks the first that are found to leave. False where more is left than one
    /// command may do.
    mutating func preempt(_ budget: inout PassBudget, at: Timestamp) -> Bool {
        guard isPreemptionDue else { return true }
        var sweep =
            preemption.takeRest(revision: state.revision) ?? Preemption.Sweep(preemptors: preemptors().reversed())
        while let next = sweep.preemptors.popLast() {
            if budget.isUsedUp || preemption.releases >= settings.preemptionReleasesPerCommand {
                sweep.preemptors.append(next)
                preemption.noteRest(sweep, revision: state.revision)
                return false
            }
            guard let job = state.jobs[next.number], job.isOpen else { continue }
            let answer = searchVictims(for: job, ShapeKey(job.spec, asking: job.scope(at: now)))
            if let moment = answer.until { sweep.until = min(sweep.until ?? moment, moment) }
            guard case .found(let plan) = answer.result else { continue }
            carryOut(plan, for: job, &budget, at: at)
            guard settleGates(at: at) else { return false }
            // What this sets free is given out before others are asked to leave.
            if let again = preemptor(ofLineOf: next) { sweep.preemptors.append(again) }
            sweep.isWhole = false
            preemption.noteRest(sweep, revision: state.revision)
            return true
        }
        if sweep.isWhole {
            preemption.noteVain(revision: state.revision, until: sweep.until)
            // What is kept for others from now on does not make it worth another look at once.
            if settings.searchPauseMilliseconds > 0 && !facts.isEmpty { mayPreempt = false }
        }
        return true
    }

    /// Asks the victims to leave and keeps their place for the job.
    private mutating func carryOut(
        _ plan: PreemptionPlan, for job: Job, _ budget: inout PassBudget, at: Timestamp
    ) {
        budget.placements -= 1
        budget.runs -= plan.placement.runs.count
        for number in plan.displaced { emit(.jobUnreserved(number: number), at: at) }
        if plan.victims.isEmpty {
            emit(.jobPlaced(number: job.number, placement: plan.placement), at: at)
            work.placements += 1
            return
        }
        let deadline = at.adding(seconds: settings.preemptionGraceSeconds)
        let reservation = Reservation(
            cause: .preemption, madeAt: at, movedAt: at, start: deadline, isAssumed: false, placement: plan.placement)
        emit(.jobReserved(number: job.number, reservation: reservation), at: at)
        for victim in plan.victims {
            let eviction = Eviction(by: job.number, kind: victim.kind, deadline: deadline, keeps: victim.keeps)
            budget.runs -= victim.keeps?.runs.count ?? 0
            emit(.jobPreempting(number: victim.job.number, eviction: eviction), at: at)
        }
    }

    // MARK: Who may preempt

    /// The jobs for which victims may be sought, in order. Cost: the lines of all shapes.
    private mutating func preemptors() -> [Preemption.Preemptor] {
        var found: [Preemption.Preemptor] = []
        let most = bars.quotas.isEmpty && claims.isEmpty ? 1 : Self.linesPerShape
        for shape in queue.shapes.indices where queue.count(shape) > 0 {
            // Who waits for a better place sends nobody away meanwhile.
            if queue[shape].isPatient { continue }
            var ofShape: [Preemption.Preemptor] = []
            for line in queue.heads[shape].indices where mayPreempt(queue.heads[shape][line]) {
                guard let next = preemptor(line, of: shape) else { continue }
                if ofShape.count == most, let last = ofShape.last, last.key < next.key { continue }
                ofShape.insert(next, at: ofShape.firstIndex { next.key < $0.key } ?? ofShape.count)
                if ofShape.count > most { ofShape.removeLast() }
            }
            found += ofShape
        }
        found.sort { $0.key < $1.key }
        return found
    }

    /// Whether there is anyone of whom the jobs of a line might take something.
    private func mayPreempt(_ line: LineHead) -> Bool {
        guard let least = preemption.holders.first?.priority else { return false }
        if least < line.priority || !bars.quotas.isEmpty { return true }
        return state.tenants.count > 1 && preemption.holders.contains { $0.priority == line.priority }
    }

    /// The first job of a line for which nobody leaves yet, if it may preempt.
    private mutating func preemptor(_ line: Int, of shape: ShapeIndex) -> Preemption.Preemptor? {
        let scope = queue[shape].key.form.scope
        let first = queue.lines[shape][line].first(of: waiting, asking: scope) {
            $0.life.reservation?.cause != .preemption
        }
        guard let job = first, job.life.preemption == .lower else { return nil }
        return Preemption.Preemptor(
            key: key(of: job), shape: shape, line: queue.heads[shape][line].kind, number: job.number)
    }

    private mutating func preemptor(ofLineOf last: Preemption.Preemptor) -> Preemption.Preemptor? {
        queue.line(last.shape, last.line).flatMap { preemptor($0, of: last.shape) }
    }
}
