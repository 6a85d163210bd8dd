// Gates and priority classes as the API shows them.

import Engine
import JSON
import Model

extension JSONWriter {
    /// What keeps a queued job from being tried, in words a program may switch on and in sentences.
    mutating func gates(_ gates: [Gate]) {
        key("gates")
        array { writer in
            for gate in gates {
                writer.object { writer in
                    writer.field("gate", text: gate.kind.word)
                    switch gate {
                    case .held: break
                    case .notBefore(let moment): writer.member("until", exactly: moment)
                    case .after(let jobs): writer.member("jobs", jobs)
                    case .array(let id, let maxParallel):
                        writer.member("array", id)
                        writer.member("maxParallel", maxParallel)
                    }
                    writer.member("detail", gate.sentence)
                }
            }
        }
    }

    /// What was asked for of a job's start and end.
    mutating func gateSpec(_ spec: JobSpec) {
        if spec.hold { member("hold", true) }
        if let notBefore = spec.notBefore { member("notBefore", exactly: notBefore) }
        if !spec.after.isEmpty {
            key("after")
            array { writer in
                for dependency in spec.after {
                    writer.object { writer in
                        writer.member("job", dependency.job)
                        writer.field("condition", text: dependency.condition.word)
                    }
                }
            }
        }
        if let seconds = spec.maxWaitSeconds { member("maxWaitSeconds", seconds) }
        if let deadline = spec.deadline { member("deadline", exactly: deadline) }
    }

    mutating func priorityClass(_ record: PriorityClassRecord) {
        object { writer in
            writer.member("name", record.spec.name)
            writer.member("revision", record.revision)
            writer.priorityClassValues(record.spec)
            writer.member("jobCount", record.jobs)
        }
    }

    mutating func priorityClassValues(_ spec: PriorityClass) {
        member("value", spec.value)
        field("preemption", text: spec.preemption.word)
        member("minRuntimeSeconds", spec.minRuntimeSeconds)
        if !spec.description.isEmpty { member("description", spec.description) }
    }
}
