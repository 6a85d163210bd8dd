// Why a job waits, as the API shows it: all that is in the way, nearest to a place first, in words a program may switch on and in
// sentences.

import Engine
import JSON
import Model

extension JSONWriter {
    mutating func explanation(_ explanation: Explanation, of job: Job) {
        member("couldEverFit", explanation.couldEverFit)
        member("settlesAt", explanation.settlesAt)
        key("reasons")
        array { writer in
            for blocker in explanation.blockers {
                writer.object { writer in
                    writer.field("reason", text: blocker.reason.word)
                    writer.member("poolCount", blocker.pools)
                    if blocker.reason < .workerTooLarge {
                        writer.member("nearestPool", blocker.nearestPool)
                        writer.member("tier", blocker.tier.name)
                    }
                    if blocker.reason <= .workerTooLarge {
                        writer.member("group", job.spec.workers[blocker.group].name)
                    }
                    if blocker.reason < .workerTooLarge {
                        writer.member("workersThatFit", blocker.workersThatFit)
                        writer.member("workersNeeded", blocker.workersNeeded)
                    }
                    if let rule = blocker.rule { writer.rule(rule) }
                    if let heldFor = blocker.heldFor { writer.member("heldFor", heldFor) }
                    writer.member("detail", blocker.sentence(job, explanation))
                }
            }
            if explanation.blockers.isEmpty {
                writer.object { writer in
                    writer.member("reason", "noPools")
                    writer.member("poolCount", 0)
                    writer.member("detail", "The fleet has no pool. PUT /v1/pools/{name} adds one.")
                }
            }
        }
    }
}

extension Blocker {
    /// What the reason means for this job and what may end it.
    fileprivate func sentence(_ job: Job, _ explanation: Explanation) -> String {
        let count = pools == 1 ? "1 pool" : "\(pools) pools"
        let are = pools == 1 ? "is" : "are"
        let have = pools == 1 ? "has" : "have"
        let group = job.spec.workers[group]
        let ofGroup = job.spec.workers.count == 1 ? "" : " of group '\(group.name)'"
        let place = tier >= .pool ? "'\(nearestPool)'" : "the best \(tier.name) of '\(nearestPool)'"
        // Where there is room for the group that needs most, the other groups or the job's rules stand in the way.
        let isShort = workersThatFit < workersNeeded
        let room =
            isShort
            ? "\(workersThatFit) of \(workersNeeded) workers\(ofGroup)"
            : "the \(workersNeeded) workers\(ofGroup), but not for the whole gang as the job asks,"
        switch reason {
        case .waitingForTurn: return "\(count) could hold it now; jobs ahead of it are being placed."
        case .waitingForPreferred:
            return "\(count) could hold it now; it waits for a place in one \(explanation.tier.name)"
                + (explanation.settlesAt.map { " until \($0)" } ?? "") + ", as the job prefers."
        case .heldForOtherJob:
            return
                "\(count) could hold it, but '\(nearestPool)' is kept for job '\(heldFor ?? "")', which has waited too long."
        case .tenantJobsAtLimit, .budgetUsedUp, .quotaUsedUp: return rule?.sentence ?? ""
        case .placeNotAllowedToTenant:
            return
                "\(count) \(are) ruled out by the residency or the denied providers of tenant '\(job.spec.tenant)' or of one above it."
        case .capacityBusy:
            return "\(count) \(are) too full: \(place) has room for \(room) now. "
                + "The job is placed as soon as enough ends there."
        case .nodesUnavailable:
            return "\(count) \(have) too many nodes cordoned, draining or down: \(place) has room for \(room) now."
        case .gangTooLarge:
            if !isShort {
                return "\(count) \(have) no place for the whole gang as the job asks, even when empty. "
                    + "Ask for fewer workers, a wider scope or fewer rules."
            }
            return "\(count) \(are) too small: \(place) holds \(room) even when empty. Ask for fewer workers"
                + (tier >= .pool ? "." : " or a wider scope.")
        case .workerTooLarge:
            return
                "\(count) \(have) no node that holds one worker\(ofGroup). Ask for fewer GPUs, CPU or memory for a worker."
                + (group.demand.gpuMilli < 1000 ? " Only pools with 'allowsGPUShares' take shares of a GPU." : "")
        case .acceleratorNotWanted: return "\(count) \(have) an accelerator that the job does not name."
        case .placeNotAllowed:
            return "\(count) \(are) ruled out by the job's lists of providers, regions and pools."
        }
    }
}
