// The closed sets of words of the API: how each value is written, and the values that a body may name.

import Engine
import Model

extension Purchase {
    var word: StaticString {
        switch self {
        case .onDemand: "onDemand"
        case .reserved: "reserved"
        case .spot: "spot"
        case .committed: "committed"
        }
    }
}

extension Billing {
    var word: StaticString {
        switch self {
        case .gpu: "gpu"
        case .node: "node"
        }
    }
}

extension RequeueCause {
    var word: StaticString {
        switch self {
        case .nodeDown: "nodeDown"
        case .nodeDraining: "nodeDraining"
        case .preempted: "preempted"
        }
    }
}

extension BlockReason {
    var word: StaticString {
        switch self {
        case .waitingForTurn: "waitingForTurn"
        case .waitingForPreferred: "waitingForPreferred"
        case .reservedForOthers: "reservedForOthers"
        case .tenantJobsAtLimit: "tenantJobsAtLimit"
        case .budgetUsedUp: "budgetUsedUp"
        case .quotaUsedUp: "quotaUsedUp"
        case .capacityBusy: "capacityBusy"
        case .nodesUnavailable: "nodesUnavailable"
        case .gangTooLarge: "gangTooLarge"
        case .workerTooLarge: "workerTooLarge"
        case .acceleratorNotWanted: "acceleratorNotWanted"
        case .placeNotAllowed: "placeNotAllowed"
        case .placeNotAllowedToTenant: "placeNotAllowedToTenant"
        }
    }
}

extension ReservationCause {
    var word: StaticString {
        switch self {
        case .schedule: "schedule"
        case .preemption: "preemption"
        }
    }
}

extension PreemptionPolicy {
    var word: StaticString {
        switch self {
        case .never: "never"
        case .lower: "lower"
        }
    }
}

extension PreemptionKind {
    var word: StaticString {
        switch self {
        case .priority: "priority"
        case .reclaim: "reclaim"
        case .fairShare: "fairShare"
        }
    }
}

extension PreemptionReading {
    var word: StaticString {
        switch self {
        case .inProgress: "inProgress"
        case .possible: "possible"
        case .impossible: "impossible"
        case .gaveUp: "gaveUp"
        }
    }
}

extension NoStart {
    var word: StaticString {
        switch self {
        case .gated: "gated"
        case .neverFits: "neverFits"
        case .nodesUnavailable: "nodesUnavailable"
        case .tenantJobsAtLimit: "tenantJobsAtLimit"
        case .budgetUsedUp: "budgetUsedUp"
        case .quotaUsedUp: "quotaUsedUp"
        case .gaveUpSearching: "gaveUpSearching"
        }
    }
}

extension DeadlineOutlook {
    var word: StaticString {
        switch self {
        case .onTime: "onTime"
        case .atRisk: "atRisk"
        case .late: "late"
        case .unknown: "unknown"
        }
    }
}

extension EndCause {
    var word: StaticString {
        switch self {
        case .caller: "caller"
        case .dependencyFailed: "dependencyFailed"
        case .maxWait: "maxWait"
        case .deadlineMissed: "deadlineMissed"
        }
    }
}

extension GateKind {
    var word: StaticString {
        switch self {
        case .held: "held"
        case .notBefore: "notBefore"
        case .after: "after"
        case .array: "array"
        }
    }
}

extension DependencyCondition {
    var word: StaticString {
        switch self {
        case .succeeded: "succeeded"
        case .any: "any"
        }
    }
}

/// The words that a field may have, and what each stands for. Made once, for the sentence about them takes long.
struct Words<Value: Sendable>: Sendable {
    private let words: [(word: String, value: Value)]
    /// What was expected, for the mistake of another word.
    let expected: String

    init(_ words: [(word: String, value: Value)]) {
        self.words = words
        expected = "one of " + words.map(\.word).joined(separator: ", ")
    }

    subscript(_ word: String) -> Value? { words.first { $0.word == word }?.value }
}

extension Words<Tier> {
    static let tiers = Words(Tier.allCases.map { ($0.name, $0) })
    static let segmentTiers = Words([Tier.node, .domain, .block].map { ($0.name, $0) })
    static let exclusives = Words([Tier.domain, .block].map { ($0.name, $0) })
}

extension Words<Purchase> {
    static let purchases = Words(Purchase.allCases.map { ("\($0.word)", $0) })
}

extension Words<Billing> {
    static let billings = Words(Billing.allCases.map { ("\($0.word)", $0) })
}

extension Words<PreemptionPolicy> {
    static let preemptions = Words(PreemptionPolicy.allCases.map { ("\($0.word)", $0) })
}

extension Words<DependencyCondition> {
    static let conditions = Words(DependencyCondition.allCases.map { ("\($0.word)", $0) })
}

extension Words<JobEnd> {
    /// How a caller may say that a job ended; cancelling is another call.
    static let ends = Words([("succeeded", .succeeded), ("failed", .failed)])
}
