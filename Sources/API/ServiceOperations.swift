// Health, metrics, the OpenAPI file and the index; and which operation runs what.

import Engine
import HTTP
import JSON
import Model

extension BerthAPI {
    func step(_ operation: Operation, _ call: Call) throws(ParameterMistake) -> Step {
        switch operation {
        case .index: try index(call)
        case .openAPI: try openAPI(call)
        case .metrics: try metrics(call)
        // No mistake of a probe is a reason to restart the process, so its parameters are not read.
        case .livez: fixed(Self.alive)
        case .readyz, .healthz: try readiness(call)
        case .submitJob: try submitJob(call)
        case .submitBatch: try submitBatch(call)
        case .listJobs: try listJobs(call)
        case .getJob: try getJob(call)
        case .cancelJob: try cancelJob(call)
        case .startJob: try startJob(call)
        case .finishJob: try finishJob(call)
        case .holdJob: try holdJob(call)
        case .releaseJob: try releaseJob(call)
        case .getArray: try getArray(call)
        case .cancelArray: try cancelArray(call)
        case .checkpointJob: try checkpointJob(call)
        case .stoppedJob: try stoppedJob(call)
        case .listPriorityClasses: try listPriorityClasses(call)
        case .getPriorityClass: try getPriorityClass(call)
        case .putPriorityClass: try putPriorityClass(call)
        case .deletePriorityClass: try deletePriorityClass(call)
        case .listPools: try listPools(call)
        case .loadPools: try loadPools(call)
        case .getPool: try getPool(call)
        case .putPool: try putPool(call)
        case .deletePool: try deletePool(call)
        case .listNodes: try listNodes(call)
        case .cordonNode: try changeNode(call, .cordon)
        case .drainNode: try changeNode(call, .drain)
        case .uncordonNode: try changeNode(call, .uncordon)
        case .downNode: try changeNode(call, .down)
        case .upNode: try changeNode(call, .up)
        case .cordonDomain: try changePlace(call, .domain(call.parameters[1]), .cordon)
        case .drainDomain: try changePlace(call, .domain(call.parameters[1]), .drain)
        case .uncordonDomain: try changePlace(call, .domain(call.parameters[1]), .uncordon)
        case .downDomain: try changePlace(call, .domain(call.parameters[1]), .down)
        case .upDomain: try changePlace(call, .domain(call.parameters[1]), .up)
        case .cordonBlock: try changePlace(call, .block(call.parameters[1]), .cordon)
        case .drainBlock: try changePlace(call, .block(call.parameters[1]), .drain)
        case .uncordonBlock: try changePlace(call, .block(call.parameters[1]), .uncordon)
        case .downBlock: try changePlace(call, .block(call.parameters[1]), .down)
        case .upBlock: try changePlace(call, .block(call.parameters[1]), .up)
        case .cordonPool: try changePlace(call, .pool, .cordon)
        case .drainPool: try changePlace(call, .pool, .drain)
        case .uncordonPool: try changePlace(call, .pool, .uncordon)
        case .downPool: try changePlace(call, .pool, .down)
        case .upPool: try changePlace(call, .pool, .up)
        case .listTenants: try listTenants(call)
        case .getTenant: try getTenant(call)
        case .putTenant: try putTenant(call)
        case .deleteTenant: try deleteTenant(call)
        case .getFleet: try getFleet(call)
        case .getQueue: try getQueue(call)
        case .planDefragmentation: try planDefragmentation(call)
        case .planEvacuation: try planEvacuation(call)
        }
    }

    static let alive = Array("{\"status\":\"alive\"}\n".utf8)

    private func openAPI(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return fixed(PackageResources.openapi_json)
    }

    private func fixed(_ body: [UInt8]) -> Step {
        .now(
            HTTPResponse(
                200, contentType: Answer.json, fields: Answer.revisionField(backend.view.revision), body: body))
    }

    private func readiness(_ call: Call) throws(ParameterMistake) -> Step {
        let isVerbose = try Parameters(call.request, known: ["verbose"]).flag("verbose")
        let checks = backend.readiness
        let isReady = checks.allSatisfy(\.isPassing)
        return .now(
            Answer.json(isReady ? 200 : 503, revision: backend.view.revision) { writer in
                writer.object { writer in
                    writer.member("status", isReady ? "ready" : "notReady")
                    let failing = checks.filter { !$0.isPassing }
                    if isVerbose || !failing.isEmpty {
                        writer.key("checks")
                        writer.array { writer in
                            for check in isVerbose ? checks : failing {
                                writer.object { writer in
                                    writer.member("name", check.name)
                                    writer.member("passing", check.isPassing)
                                    writer.member("detail", check.detail)
                                }
                            }
                        }
                    }
                }
            })
    }

    /// Gathered on the writer, which alone can count the gangs that fit. Where the writer has no room for more work the page
    /// comes without those counts: under load one needs it most.
    private func metrics(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .desk({ [self] desk in metricsPage(desk.state, pools: desk.poolReadings()) }) { [self] in
            metricsPage(backend.view, pools: [])
        }
    }

    private func metricsPage(_ state: State, pools: [PoolReading]) -> HTTPResponse {
        var reading = backend.reading
        reading.pools = pools
        reading.plans = plans.seconds.reading
        reading.planSteps = plans.steps
        let isReady = backend.readiness.allSatisfy(\.isPassing)
        let page = MetricsPage(reading, state, routes: requestCounts, ready: isReady)
        return HTTPResponse(
            200, contentType: "text/plain; version=0.0.4; charset=utf-8",
            fields: Answer.revisionField(state.revision), body: page.bytes)
    }

    private func index(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        return .now(
            Answer.json(revision: backend.view.revision) { writer in
                writer.object { writer in
                    writer.member("service", "berth")
                    writer.member("revision", backend.view.revision)
                    writer.key("links")
                    writer.object { writer in
                        for row in RouteTable.rows
                        where row.method == .get && !row.pattern.contains("{") && row.operation != .index {
                            writer.key(string: row.operation.rawValue)
                            writer.value(row.pattern)
                        }
                    }
                }
            })
    }
}
