// Reading and cancelling arrays of jobs; they are submitted and listed as jobs are.

import Engine
import HTTP
import JSON
import Model

extension BerthAPI {
    func getArray(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .now(call.answer(array: call.parameters[0], created: false, backend.view))
    }

    func cancelArray(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let id = call.parameters[0]
        return .desk { desk in call.answer(desk.decide(.cancelArray(id: id)), desk) }
    }
}

extension Call {
    func answer(array id: String, created: Bool, _ state: State) -> HTTPResponse {
        guard let record = state.arrays[id] else {
            return problem(Problem(.arrayNotFound(id: id)), revision: state.revision)
        }
        var response = Answer.json(created ? 201 : 200, revision: state.revision) { $0.array(record) }
        if created { response.add("Location", "/v1/arrays/" + id) }
        return response
    }
}

extension JSONWriter {
    fileprivate mutating func array(_ record: JobArrayRecord) {
        let spec = record.info.spec
        object { writer in
            writer.member("id", spec.id)
            if !spec.name.isEmpty { writer.member("name", spec.name) }
            writer.member("tenant", spec.tenant)
            writer.member("count", record.info.array.count)
            writer.member("maxParallel", record.info.array.maxParallel)
            writer.key("tasks")
            writer.object { writer in
                for state in JobState.allCases {
                    writer.key(string: state.name)
                    writer.value(record.count(of: state))
                }
            }
            writer.member("waitingForTurn", record.waitingForTurn)
            if let end = record.end { writer.member("end", end.state.name) }
        }
    }

    /// Of which array a job is a task.
    mutating func task(_ job: Job) {
        guard let array = job.spec.array, let id = job.arrayID, let index = job.taskIndex else { return }
        key("array")
        object { writer in
            writer.member("id", id)
            writer.member("index", index)
            writer.member("count", array.count)
            writer.member("maxParallel", array.maxParallel)
        }
    }
}
