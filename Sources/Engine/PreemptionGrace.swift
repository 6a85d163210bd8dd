// From the notice to the end of it: victims stop, or their time is up; and where the preemptor needs them no more those that still
// run are spared. What a command of a caller means for a victim.

import Model
import Packing

extension Engine {
    /// Spares victims whose preemptor needs their place no more, and gives up places that came to nothing. Call after those
    /// that are free have been taken. Cost: the preemptors that changed, and their victims.
    mutating func settlePreemptions(at: Timestamp) {
        for number in preemption.takeTouched() {
            let leaving = preemption.leaving(for: number)
            let reservation = state.jobs[number]?.life.reservation
            let isKept = reservation?.cause == .preemption
            if let reservation, isKept, faultOfNodes(reservation.placement) == nil {
                // Others that leave may free the quota that it still needs.
                let mayCome = preemption.isAnyoneLeaving && packer.canTake(reservation.placement)
                if !leaving.isEmpty || mayCome { continue }
            }
            if isKept { emit(.jobUnreserved(number: number), at: at) }
            for victim in leaving { emit(.jobSpared(number: victim), at: at) }
        }
    }

    /// What takes a victim's capacity: the whole gang goes back to the queue, or an elastic one goes on with its least.
    func departure(of job: Job, _ eviction: Eviction) -> Fact {
        eviction.keeps == nil
            ? .jobRequeued(number: job.number, cause: .preempted) : .jobShrunk(number: job.number)
    }

    mutating func stopped(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        guard let eviction = job.life.eviction else {
            // Said twice, or after its time was up.
            if job.state == .queued && job.life.lastRequeue == .preempted { return .job(job, created: false) }
            return .refused(.illegalTransition(id: id, state: job.state, action: "stopped"))
        }
        emit(departure(of: job, eviction), at: at)
        schedule(at: at)
        return .job(job, created: false)
    }

    mutating func checkpoint(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        guard job.isRunning else {
            return .refused(.illegalTransition(id: id, state: job.state, action: "checkpoint"))
        }
        emit(.jobCheckpointed(number: job.number), at: at)
        return .job(job, created: false)
    }
}

extension Job {
    /// Whether its workers run, be it that they are asked to stop, or that some were lost.
    var isRunning: Bool { state == .running || state.holdsCapacity && life.startedAt != nil }
}
