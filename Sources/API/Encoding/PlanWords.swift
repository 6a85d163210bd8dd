// The words and sentences of plans: why there are no more moves, what stands in the way, what ties a waiting job to a place.

import Engine
import Model

extension DefragmentPlan {
    /// Why there are no more moves, and what would bring more.
    var detail: String {
        switch end {
        case .wholeDomainsWon: "As many whole domains as were wanted are won."
        case .gaveUpSearching:
            "The search gave up after \(basis.maxSteps) steps, so there may be more to win. Ask for fewer pools at a time."
        case .nothingMore where notWon.allSatisfy { $0 == 0 }:
            "Nothing stands in a domain that could be emptied."
        case .nothingMore:
            "All domains were tried that could be won; domainsNotWon says what stands in the way of the others."
        }
    }
}

extension PlanEnd {
    var word: StaticString {
        switch self {
        case .wholeDomainsWon: "wholeDomainsWon"
        case .nothingMore: "nothingMore"
        case .gaveUpSearching: "gaveUpSearching"
        }
    }
}

extension PlanObstacle {
    var word: StaticString {
        switch self {
        case .notTried: "notTried"
        case .nodesUnavailable: "nodesUnavailable"
        case .keptForWaitingJob: "keptForWaitingJob"
        case .exclusiveJob: "exclusiveJob"
        case .jobMayNotMove: "jobMayNotMove"
        case .jobMovedAlready: "jobMovedAlready"
        case .noOtherPlace: "noOtherPlace"
        case .costsMore: "costsMore"
        case .tooManyMoves: "tooManyMoves"
        case .tooMuchLost: "tooMuchLost"
        }
    }

    var sentence: String {
        switch self {
        case .notTried: "The plan came to its end before it came to these."
        case .nodesUnavailable: "They have nodes that are cordoned, draining or down."
        case .keptForWaitingJob: "Nodes of them are kept for a waiting job."
        case .exclusiveJob: "A gang keeps them from others; it would only keep another one instead."
        case .jobMayNotMove:
            "A gang there stands partly in other pools than the plan's, has not run for as long as its class lets it, or is not "
                + "preemptible where only such are to move."
        case .jobMovedAlready: "A gang comes there with a move of this plan, and none moves twice."
        case .noOtherPlace: "A gang there fits nowhere else in the plan's pools as well as it does there."
        case .costsMore: "Emptying one would add to the bill. With mayCostMore it may."
        case .tooManyMoves: "Emptying one takes more moves than maxMoves leaves."
        case .tooMuchLost: "Emptying one loses more than maxGPUHoursLost leaves."
        }
    }
}

extension QueuedTie {
    var word: StaticString {
        switch self {
        case .placeKept: "placeKept"
        case .nowhereElse: "nowhereElse"
        case .firstChoice: "firstChoice"
        }
    }
}
