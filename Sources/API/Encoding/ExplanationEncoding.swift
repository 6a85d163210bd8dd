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
                    if let job = blocker.reservedFor { writer.member("reservedFor", job) }
                    if let from = blocker.reservedFrom { writer.member("reservedFrom", from) }
                    writer.member("detail", explanation.sentence(blocker, of: job))
                }
            }
            if explanation.blockers.isEmpty {
                writer.object { writer in
                    writer.member("reason", "noPools")
                    writer.member("poolCount", 0)
                    writer.member("detail", Explanation.noPools)
                }
            }
        }
    }
}
