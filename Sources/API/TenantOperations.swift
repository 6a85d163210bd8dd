// Reading and changing tenants.

import Engine
import HTTP
import JSON
import Model

extension BerthAPI {
    func listTenants(_ call: Call) throws(ParameterMistake) -> Step {
        let parameters = try Parameters(call.request, known: ["below", "limit", "cursor"])
        let limit = try parameters.limit()
        let after = Int(try parameters.cursor())
        let below = try parameters.tenant("below")
        let view = backend.view
        if let below, view.tenants.slot(of: below) == nil {
            return .now(call.problem(Problem(.tenantNotFound(path: below)), revision: view.revision))
        }
        let moment = backend.now
        return .slowly {
            let slots = (max(after, 1)..<max(after, 1, view.tenants.records.count)).lazy
                .filter { view.tenants.has($0, below: below) }.prefix(limit + 1).map { TenantSlot($0) }
            let page = Array(slots)
            let readings = view.tenantReadings(Array(page.prefix(limit)), at: moment)
            return Answer.json(revision: view.revision, reserving: readings.count * 512) { writer in
                writer.object { writer in
                    writer.member("revision", view.revision)
                    writer.key("tenants")
                    writer.array { writer in for reading in readings { writer.tenant(reading) } }
                    if page.count > limit {
                        writer.member("nextCursor", Parameters.cursor(UInt64(page[limit].index)))
                    }
                }
            }
        }
    }

    func getTenant(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let path = call.parameters[0]
        return .desk { desk in
            let state = desk.state
            guard let slot = state.tenants.slot(of: path) else {
                return call.problem(Problem(.tenantNotFound(path: path)), revision: state.revision)
            }
            let readings = state.tenantReadings([slot], at: call.api.backend.now)
            let outlook = desk.outlook(of: slot)
            return Answer.json(revision: state.revision) { writer in
                for reading in readings { writer.tenant(reading, outlook: outlook) }
            }
        }
    }

    func putTenant(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let path = call.parameters[0]
        guard TenantPath.isValid(path) else {
            return .now(call.problem(Problem(.invalidParameter, "Name the tenant in the path with \(Rule.tenant).")))
        }
        switch Body.read(call.request, { TenantSpec(&$0, at: path) }) {
        case .problem(let problem, let mistakes): return .now(call.problem(problem, mistakes))
        case .value(let spec): return .desk { desk in call.answer(desk.decide(.putTenant(spec)), desk) }
        }
    }

    func deleteTenant(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        let path = call.parameters[0]
        return .desk { desk in call.answer(desk.decide(.deleteTenant(path: path)), desk) }
    }
}

extension TenantTable {
    /// Whether a slot is taken, by a tenant below the one of a path where there is one.
    fileprivate func has(_ slot: Int, below path: String?) -> Bool {
        guard let record = records[slot] else { return false }
        return path.map { record.path.hasPrefix($0 + "/") } ?? true
    }
}
