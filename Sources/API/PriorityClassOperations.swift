// Putting, reading and deleting priority classes.

import Engine
import HTTP
import JSON
import Model

extension BerthAPI {
    func listPriorityClasses(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let view = backend.view
        return .slowly {
            Answer.json(revision: view.revision, reserving: view.priorityClasses.count * 160) { writer in
                writer.object { writer in
                    writer.member("revision", view.revision)
                    writer.key("priorityClasses")
                    writer.array { writer in for known in view.priorityClasses { writer.priorityClass(known) } }
                }
            }
        }
    }

    func getPriorityClass(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let view = backend.view
        let name = call.parameters[0]
        guard let known = view.priorityClass(named: name) else {
            return .now(call.problem(Problem(.priorityClassNotFound(name: name)), revision: view.revision))
        }
        return .now(Answer.json(revision: view.revision) { $0.priorityClass(known) })
    }

    func putPriorityClass(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let name = call.parameters[0]
        guard Names.isValid(name) else {
            return .now(call.problem(Problem(.invalidParameter, "Name the class in the path with \(Rule.name).")))
        }
        switch Body.read(call.request, { PriorityClass(&$0, named: name) }) {
        case .problem(let problem, let mistakes): return .now(call.problem(problem, mistakes))
        case .value(let spec): return .desk { desk in call.answer(desk.decide(.putPriorityClass(spec)), desk) }
        }
    }

    func deletePriorityClass(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let name = call.parameters[0]
        return .desk { desk in call.answer(desk.decide(.deletePriorityClass(name: name)), desk) }
    }
}

extension Call {
    /// A class after it was put.
    func answer(priorityClass name: String, created: Bool, _ desk: any Desk) -> HTTPResponse {
        guard let known = desk.state.priorityClass(named: name) else {
            return problem(Problem(.priorityClassNotFound(name: name)), revision: desk.state.revision)
        }
        var response = Answer.json(created ? 201 : 200, revision: desk.state.revision) { $0.priorityClass(known) }
        if created { response.add("Location", "/v1/priority-classes/" + name) }
        return response
    }
}
