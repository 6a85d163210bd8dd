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
        if let preemption = explanation.preemption { self.preemption(preemption) }
    }

    /// Who leaves for the job, or could be made to.
    private mutating func preemption(_ reading: PreemptionReading) {
        key("preemptionOutlook")
        object { writer in
            writer.field("outlook", text: reading.word)
            writer.member("detail", reading.sentence)
            switch reading {
            case .inProgress(let victims), .possible(let victims):
                writer.key("victims")
                writer.array { writer in for victim in victims { writer.victim(victim) } }
            case .impossible, .gaveUp: break
            }
        }
    }

    private mutating func victim(_ victim: VictimReading) {
        object { writer in
            writer.member("job", victim.job)
            writer.member("tenant", victim.tenant)
            writer.field("kind", text: victim.kind.word)
            writer.member("isSurplus", victim.isSurplus)
            writer.member("gpuMilli", victim.gpuMilli)
            writer.member("lostGPUSeconds", Int(victim.lostGPUSeconds))
            writer.member("deadlineAt", victim.deadlineAt)
        }
    }
}
