// Reading and changing pools and nodes; the fleet and the queue.

import Engine
import HTTP
import JSON
import Model

extension Answer {
    fileprivate static func pools(_ pools: [PoolRecord], revision: UInt64) -> HTTPResponse {
        json(revision: revision, reserving: pools.count * 640) { writer in
            writer.object { writer in
                writer.member("revision", revision)
                writer.key("pools")
                writer.array { writer in for pool in pools { writer.pool(pool) } }
            }
        }
    }
}

extension BerthAPI {
    func listPools(_ call: Call) throws(ParameterMistake) -> Step {
        let parameters = try Parameters(call.request, known: ["provider", "region", "accelerator"])
        let provider = try parameters.name("provider")
        let region = try parameters.name("region")
        let accelerator = try parameters.name("accelerator")
        let view = backend.view
        let pools = view.pools.filter { pool in
            !pool.isDeleted && provider ?? pool.spec.provider == pool.spec.provider
                && region ?? pool.spec.region == pool.spec.region
                && accelerator ?? pool.spec.accelerator == pool.spec.accelerator
        }
        return .slowly { Answer.pools(pools, revision: view.revision) }
    }

    /// A pool, or a pool for each shape of a list of nodes. All mistakes are found before any is put, and all are on disk with
    /// one flush.
    func loadPools(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .slowlyToDesk {
            switch Body.read(call.request, { PoolEntry(&$0).pools }) {
            case .problem(let problem, let mistakes): return .answer(call.problem(problem, mistakes))
            case .value(let pools): return .desk { desk in Self.load(pools, call, desk) }
            }
        }
    }

    private static func load(_ pools: [PoolSpec], _ call: Call, _ desk: any Desk) -> HTTPResponse {
        for (index, pool) in pools.enumerated() {
            var problem: Problem
            switch desk.decide(.putPool(pool)) {
            case .unwritable(let stop): problem = Problem(stop)
            case .outcome(.refused(let refusal)): problem = Problem(refusal)
            case .outcome: continue
            }
            // The same body may be sent again: a pool that is as it should be stays so.
            if index > 0 { problem.detail += " Before it \(index) of \(pools.count) pools were put." }
            return call.problem(problem, revision: desk.state.revision)
        }
        let state = desk.state
        return Answer.pools(
            pools.compactMap { state.slot(named: $0.name).map { state[$0] } }, revision: state.revision)
    }

    func getPool(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let view = backend.view
        let name = call.parameters[0]
        guard let slot = view.slot(named: name) else { return .now(call.problem(Problem(.poolNotFound(name: name)))) }
        return .now(Answer.json(revision: view.revision) { $0.pool(view[slot]) })
    }

    func putPool(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let name = call.parameters[0]
        guard Names.isValid(name) else {
            return .now(call.problem(Problem(.invalidParameter, "Name the pool in the path with \(Rule.name).")))
        }
        switch Body.read(call.request, { PoolSpec(&$0, named: name) }) {
        case .problem(let problem, let mistakes): return .now(call.problem(problem, mistakes))
        case .value(let spec): return .desk { desk in call.answer(desk.decide(.putPool(spec)), desk) }
        }
    }

    func deletePool(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let name = call.parameters[0]
        return .desk { desk in call.answer(desk.decide(.deletePool(name: name)), desk) }
    }

    func listNodes(_ call: Call) throws(ParameterMistake) -> Step {
        let parameters = try Parameters(call.request, known: ["state", "limit", "cursor"])
        let limit = try parameters.limit()
        let after = Int(try parameters.cursor())
        let wanted = try parameters.words(
            "state",
            [
                ("ready", [NodeState.ready]), ("cordoned", [.cordoned]), ("draining", [.draining]),
                ("down", [.down, .downCordoned]),
            ])?.flatMap(\.self)
        let name = call.parameters[0]
        return .desk { desk in
            let state = desk.state
            guard let slot = state.slot(named: name) else {
                return call.problem(Problem(.poolNotFound(name: name)), revision: state.revision)
            }
            let pool = state[slot]
            return Answer.json(revision: state.revision, reserving: limit * 256) { writer in
                writer.object { writer in
                    writer.member("revision", state.revision)
                    var count = 0
                    var node = after
                    writer.key("nodes")
                    writer.array { writer in
                        while node < pool.nodeStates.count && count < limit {
                            if wanted?.contains(pool.nodeStates[node]) ?? true {
                                writer.node(node, of: slot, desk)
                                count += 1
                            }
                            node += 1
                        }
                    }
                    let rest = pool.nodeStates.dropFirst(node)
                    if rest.contains(where: { wanted?.contains($0) ?? true }) {
                        writer.member("nextCursor", Parameters.cursor(UInt64(node)))
                    }
                }
            }
        }
    }

    func changeNode(_ call: Call, _ action: NodeAction) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let command = Command.changeNode(pool: call.parameters[0], node: call.parameters[1], action: action)
        return .desk { desk in call.answer(desk.decide(command), desk) }
    }

    func changePlace(_ call: Call, _ place: PoolPlace, _ action: NodeAction) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let command = Command.changePlace(pool: call.parameters[0], place: place, action: action)
        return .desk { desk in call.answer(desk.decide(command), desk) }
    }

    func getFleet(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .desk { desk in
            let state = desk.state
            let readings = desk.poolReadings()
            return Answer.json(revision: state.revision, reserving: readings.count * 512) { $0.fleet(readings, state) }
        }
    }

    func getQueue(_ call: Call) throws(ParameterMistake) -> Step {
        let parameters = try Parameters(call.request, known: ["limit"])
        let limit = try parameters.limit(default: 20)
        return .desk { desk in
            let state = desk.state
            let queue = desk.queueReading(limit: limit)
            let waiting = Waiting.of(queue.shapes.map(\.head), desk)
            return Answer.json(revision: state.revision, reserving: queue.shapes.count * 1024) { writer in
                writer.object { writer in
                    writer.member("revision", state.revision)
                    writer.member("jobCount", state.count(of: .queued))
                    writer.member("gatedJobCount", state.gatedJobs)
                    writer.member("gpus", state.gpusQueued)
                    writer.member("shapeCount", queue.distinct)
                    writer.key("shapes")
                    writer.array { writer in
                        for (shape, waiting) in zip(queue.shapes, waiting) {
                            writer.object { writer in
                                writer.member("jobCount", shape.jobs)
                                writer.key("first")
                                writer.job(shape.head, in: state, .summary, waiting: waiting)
                            }
                        }
                    }
                }
            }
        }
    }
}
