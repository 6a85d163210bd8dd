// Plans: made from the published state, beside the loops and the writer, one at a time.

import Engine
import HTTP
import JSON
import Model
import Synchronization

/// What plans cost so far, and whether one is being made: each holds a copy of the fleet's free capacity and a core while it is.
final class PlanDesk: Sendable {
    private let isTaken = Atomic(false)
    private let stepsDone = Atomic<UInt64>(0)
    let seconds = Histogram()

    var steps: UInt64 { stepsDone.load(ordering: .relaxed) }

    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }

    func leave(after nanoseconds: Int64, steps: Int) {
        seconds.add(nanoseconds: UInt64(max(0, nanoseconds)))
        stepsDone.add(UInt64(steps), ordering: .relaxed)
        isTaken.store(false, ordering: .releasing)
    }
}

extension BerthAPI {
    func planDefragmentation(_ call: Call) throws(ParameterMistake) -> Step {
        try plan(call, { DefragmentRequest(&$0, $1) }) { planner, request, view in
            let plan = planner.defragment(request)
            return Answer.json(revision: view.revision, reserving: 1024 + plan.moves.count * 1024) {
                $0.plan(plan, in: view)
            }
        }
    }

    func planEvacuation(_ call: Call) throws(ParameterMistake) -> Step {
        try plan(call, { EvacuationRequest(&$0, $1) }) { planner, request, view in
            let plan = planner.evacuate(request)
            return Answer.json(revision: view.revision, reserving: 1024 + plan.jobs.count * 1024) {
                $0.plan(plan, in: view)
            }
        }
    }

    private func plan<Request: Sendable>(
        _ call: Call, _ decode: @escaping @Sendable (inout ObjectReader, State) -> Request,
        _ make: @escaping @Sendable (inout Planner, Request, State) -> HTTPResponse
    ) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .slowly { [self] in
            let view = backend.view
            let request: Request
            let read =
                call.request.body.isEmpty
                ? Body.readLine(Array("{}".utf8), in: 0..<2) { decode(&$0, view) }
                : Body.read(call.request) { decode(&$0, view) }
            switch read {
            case .problem(let problem, let mistakes): return call.problem(problem, mistakes, revision: view.revision)
            case .value(let value): request = value
            }
            guard plans.take() else {
                return call.problem(
                    Problem(
                        .overloaded, "Another plan is being made, and only one is at a time. Try again in a moment."))
            }
            let begin = backend.now
            var planner = Planner(view, settings: backend.engineSettings, at: begin)
            let response = make(&planner, request, view)
            plans.leave(after: backend.now.nanoseconds(since: begin), steps: planner.stepsTaken)
            return response
        }
    }
}
