// What preemption means for one waiting job, as its explanation says it: who leaves for it, who could be made to, or why nobody can.

public import Model

/// One job that leaves for another, or would.
public struct VictimReading: Hashable, Sendable {
    public let job: String
    public let tenant: String
    public let kind: PreemptionKind
    /// Whether only workers beyond its least go.
    public let isSurplus: Bool
    /// GPU capacity that is taken back, in thousandths of a GPU.
    public let gpuMilli: Int
    /// Work since its last checkpoint that is lost, in GPU-seconds; of one that leaves, up to its deadline.
    public let lostGPUSeconds: Int64
    /// When its time is up; nil for one that is not asked to leave.
    public let deadlineAt: Timestamp?
}

/// What preemption means for a waiting job.
public enum PreemptionReading: Hashable, Sendable {
    /// These leave for it, and their place is kept for it.
    case inProgress([VictimReading])
    /// These would be asked to leave when it is its turn.
    case possible([VictimReading])
    /// Nothing that may be taken back makes room for it.
    case impossible
    /// No set of victims was found, and it was not proved that there is none.
    case gaveUp
}

extension Engine {
    /// What preemption means for a waiting job; nil where it takes nothing back from anyone, and where nobody has anything to give. Precondition: quotas
    /// are up to date.
    mutating func preemptionReading(_ job: Job, _ key: ShapeKey) -> PreemptionReading? {
        let leaving = preemption.leaving(for: job.number)
        if !leaving.isEmpty { return .inProgress(leaving.compactMap { victim($0) }) }
        if preemption.holders.isEmpty || job.life.preemption == .never { return nil }
        if job.life.reservation?.cause == .preemption { return nil }
        switch searchVictims(for: job, key).result {
        case .found(let plan):
            return plan.victims.isEmpty ? nil : .possible(plan.victims.map { victim($0) })
        case .impossible: return .impossible
        case .gaveUp: return .gaveUp
        }
    }

    private func victim(_ candidate: PreemptionCandidate) -> VictimReading {
        VictimReading(
            job: candidate.job.id, tenant: candidate.job.spec.tenant, kind: candidate.kind,
            isSurplus: !candidate.isGang, gpuMilli: candidate.gpuMilli,
            lostGPUSeconds: Int64(clamping: candidate.lostMilliSeconds / 1000), deadlineAt: nil)
    }

    private func victim(_ number: JobNumber) -> VictimReading? {
        guard let job = state.jobs[number], let eviction = job.life.eviction, let placement = job.life.placement else {
            return nil
        }
        let milli = placement.gpuMilli - (eviction.keeps?.gpuMilli ?? 0)
        let since = job.life.unsavedSince ?? eviction.deadline
        let seconds = max(0, (Int128(eviction.deadline.nanoseconds) - Int128(since.nanoseconds)) / 1_000_000_000)
        return VictimReading(
            job: job.id, tenant: job.spec.tenant, kind: eviction.kind, isSurplus: eviction.keeps != nil,
            gpuMilli: milli, lostGPUSeconds: Int64(clamping: Int128(milli) * seconds / 1000),
            deadlineAt: eviction.deadline)
    }
}

extension PreemptionReading {
    /// What it means for the job and what comes of it.
    public var sentence: String {
        switch self {
        case .inProgress(let victims):
            let until = victims.compactMap(\.deadlineAt).max()
            return "\(Self.names(victims)) \(victims.count == 1 ? "leaves" : "leave") for it"
                + (until.map { " until \($0.exact)" } ?? "") + "; then it is placed."
        case .possible(let victims):
            return "It would take the place of \(Self.names(victims)) when it is its turn."
        case .impossible:
            return "No job that it may displace now would make room for it: those are of higher or equal priority, not "
                + "preemptible, protected, within their least run time, or too small together."
        case .gaveUp:
            return
                "The search for jobs that it may displace was cut short before one was found; it goes on when something "
                + "changes."
        }
    }

    private static func names(_ victims: [VictimReading]) -> String {
        let named = victims.prefix(3).map { $0.isSurplus ? "workers of job '\($0.job)'" : "job '\($0.job)'" }
        return named.joined(separator: ", ") + (victims.count > 3 ? " and \(victims.count - 3) more" : "")
    }
}
