// When a waiting job is predicted to start, as the API shows it, and what that means for its deadline.

import Engine
import JSON
import Model

extension JSONWriter {
    mutating func prediction(_ reading: StartReading, of job: Job) {
        key("predictedStart")
        object { writer in
            switch reading.start {
            case .range(let range):
                writer.member("earliest", range.earliest)
                writer.member("latest", range.latest)
                writer.member("basis", range.isAssumed ? "assumedLimits" : "limits")
                writer.member("movedAt", reading.movedAt)
            case .none(let none):
                writer.field("none", text: none.word)
                if none == .gated {
                    writer.key("gates")
                    writer.array { writer in for gate in job.gates { writer.value("\(gate.kind.word)") } }
                }
                writer.member("detail", none.sentence(job.gates))
            }
            if let position = reading.position { writer.position(position) }
        }
        deadlineOutlook(reading, of: job)
    }

    private mutating func position(_ position: QueuePosition) {
        key("position")
        object { writer in
            writer.member("inItsPools", position.inItsPools)
            writer.member("overall", position.overall)
            if position.isEstimate { writer.member("estimate", true) }
        }
        if !position.isEstimate { member("ahead", position.ahead) }
    }

    private mutating func deadlineOutlook(_ reading: StartReading, of job: Job) {
        guard let deadline = job.spec.deadline, let outlook = DeadlineOutlook(job, reading) else { return }
        key("deadlineOutlook")
        object { writer in
            writer.field("outlook", text: outlook.word)
            if let range = reading.range, let seconds = job.spec.maxRuntimeSeconds {
                writer.member("earliestEnd", range.earliest.adding(seconds: seconds))
                writer.member("latestEnd", range.latest.adding(seconds: seconds))
            }
            writer.member("detail", outlook.sentence(deadline))
        }
    }
}
