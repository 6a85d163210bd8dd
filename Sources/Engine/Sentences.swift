// What an explanation says, in sentences: what each gate and each reason means for this job and what may end it.

public import Model

extension Explanation {
    /// One for each gate, then one for each reason, nearest to a place first, then one for preemption.
    public func sentences(of job: Job) -> [String] {
        gates.map(\.sentence) + (blockers.isEmpty ? [Self.noPools] : blockers.map { sentence($0, of: job) })
            + (preemption.map { [$0.sentence] } ?? [])
    }

    public static let noPools = "The fleet has no pool. PUT /v1/pools/{name} adds one."

    /// What a reason means for this job and what may end it.
    public func sentence(_ blocker: Blocker, of job: Job) -> String {
        let pools = blocker.pools
        let count = pools == 1 ? "1 pool" : "\(pools) pools"
        let are = pools == 1 ? "is" : "are"
        let have = pools == 1 ? "has" : "have"
        let group = job.spec.workers[blocker.group]
        let ofGroup = job.spec.workers.count == 1 ? "" : " of group '\(group.name)'"
        let tier = blocker.tier
        let nearestPool = blocker.nearestPool
        let place = tier >= .pool ? "'\(nearestPool)'" : "the best \(tier.name) of '\(nearestPool)'"
        // Where there is room for the group that needs most, the other groups or the job's rules stand in the way.
        let isShort = blocker.workersThatFit < blocker.workersNeeded
        let room =
            isShort
            ? "\(blocker.workersThatFit) of \(blocker.workersNeeded) workers\(ofGroup)"
            : "the \(blocker.workersNeeded) workers\(ofGroup), but not for the whole gang as the job asks,"
        switch blocker.reason {
        case .waitingForTurn:
            return "\(count) could hold it now; "
                + (gates.isEmpty ? "jobs ahead of it are being placed." : "it is tried when its gates are open.")
        case .waitingForPreferred:
            return "\(count) could hold it now; it waits for a place in one \(self.tier.name)"
                + (settlesAt.map { " until \($0)" } ?? "") + ", as the job prefers."
        case .reservedForOthers:
            let from = blocker.reservedFrom.map { " from \($0) on" } ?? ""
            return
                "\(count) could hold it, but nodes of '\(nearestPool)' are kept\(from) for job '\(blocker.reservedFor ?? "")', "
                + "which is ahead of it. A job whose maxRuntimeSeconds ends before that may use them meanwhile."
        case .tenantJobsAtLimit, .budgetUsedUp, .quotaUsedUp: return blocker.rule?.sentence ?? ""
        case .placeNotAllowedToTenant:
            return "\(count) \(are) ruled out by the residency or the denied providers of tenant '\(job.spec.tenant)' "
                + "or of one above it."
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

extension Gate {
    /// What the gate means and what opens it.
    public var sentence: String {
        switch self {
        case .held: return "The job is held until POST /v1/jobs/{id}:release."
        case .notBefore(let moment): return "The job is not to start before \(moment.exact)."
        case .after(let jobs):
            let named = jobs.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
            let more = jobs.count > 3 ? " and \(jobs.count - 3) more" : ""
            return "The job waits for the end of \(named)\(more)."
        case .array(let id, let maxParallel):
            return "The turn of this task comes when an earlier one of array '\(id)' ends: at most \(maxParallel) "
                + "of them may be tried, placed or running at once."
        }
    }
}

extension TenantRule {
    /// What the rule means for the job and what may end it.
    public var sentence: String {
        switch self {
        case .jobs(let tenant, let limit):
            return "Tenant '\(tenant)' may have \(limit) jobs placed or running at once, and has."
        case .budget(let tenant): return "Tenant '\(tenant)' has used up its budget of this month, which is a hard one."
        case .quota(let accelerator?, let needed, let available):
            return "The job's least gang takes \(gpus(needed)) GPUs of \(accelerator), and its tenant's quota has "
                + "\(gpus(available)) left with all that it may borrow. It is placed when others of the tenant end or "
                + "lenders leave more idle."
        case .quota(nil, let needed, let available):
            return
                "The job's least gang costs \(Self.decimal(needed)) USD per hour, and its tenant's quota has "
                + "\(Self.decimal(available)) left with all that it may borrow."
        }
    }

    private func gpus(_ milli: Int64) -> String { Self.decimal(milli * 1000) }

    /// Millionths as a decimal number with as many digits as it needs.
    private static func decimal(_ millionths: Int64) -> String {
        var fraction = String(millionths % 1_000_000 + 1_000_000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(millionths / 1_000_000)" + (fraction.isEmpty ? "" : "." + fraction)
    }
}
