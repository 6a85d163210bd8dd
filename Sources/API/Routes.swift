// The route table: every method and path of the API, once.

public import HTTP

/// What a route does.
public enum Operation: String, CaseIterable, Sendable {
    case index, openAPI, metrics, livez, readyz, healthz
    case submitJob, submitBatch, listJobs, getJob, cancelJob, startJob, finishJob, holdJob, releaseJob
    case getArray, cancelArray
    case checkpointJob, stoppedJob
    case listPriorityClasses, getPriorityClass, putPriorityClass, deletePriorityClass
    case listPools, loadPools, getPool, putPool, deletePool, listNodes
    case cordonNode, drainNode, uncordonNode, downNode, upNode
    case cordonDomain, drainDomain, uncordonDomain, downDomain, upDomain
    case cordonBlock, drainBlock, uncordonBlock, downBlock, upBlock
    case cordonPool, drainPool, uncordonPool, downPool, upPool
    case listTenants, getTenant, putTenant, deleteTenant
    case getFleet, getQueue
    case planDefragmentation, planEvacuation
}

public enum RouteTable {
    /// A node's name may hold slashes and is written as it is: `/v1/nodes/aws-use1-gb300/b03/d017/n04:cordon` is node
    /// `b03/d017/n04` of pool `aws-use1-gb300`. `%2F` in a segment stands for the same slash.
    public static let rows: [(method: HTTPMethod, pattern: String, operation: Operation)] = [
        (.get, "/", .index),
        (.get, "/openapi.json", .openAPI),
        (.get, "/metrics", .metrics),
        (.get, "/livez", .livez),
        (.get, "/readyz", .readyz),
        (.get, "/healthz", .healthz),
        (.post, "/v1/jobs", .submitJob),
        (.post, "/v1/jobs:batch", .submitBatch),
        (.get, "/v1/jobs", .listJobs),
        (.get, "/v1/jobs/{id}", .getJob),
        (.delete, "/v1/jobs/{id}", .cancelJob),
        (.post, "/v1/jobs/{id}:start", .startJob),
        (.post, "/v1/jobs/{id}:finish", .finishJob),
        (.post, "/v1/jobs/{id}:hold", .holdJob),
        (.post, "/v1/jobs/{id}:release", .releaseJob),
        (.get, "/v1/arrays/{id}", .getArray),
        (.post, "/v1/arrays/{id}:cancel", .cancelArray),
        (.post, "/v1/jobs/{id}:checkpoint", .checkpointJob),
        (.post, "/v1/jobs/{id}:stopped", .stoppedJob),
        (.get, "/v1/priority-classes", .listPriorityClasses),
        (.get, "/v1/priority-classes/{name}", .getPriorityClass),
        (.put, "/v1/priority-classes/{name}", .putPriorityClass),
        (.delete, "/v1/priority-classes/{name}", .deletePriorityClass),
        (.get, "/v1/pools", .listPools),
        (.post, "/v1/pools:load", .loadPools),
        (.get, "/v1/pools/{name}", .getPool),
        (.put, "/v1/pools/{name}", .putPool),
        (.delete, "/v1/pools/{name}", .deletePool),
        (.get, "/v1/pools/{name}/nodes", .listNodes),
        (.post, "/v1/nodes/{pool}/{node...}:cordon", .cordonNode),
        (.post, "/v1/nodes/{pool}/{node...}:drain", .drainNode),
        (.post, "/v1/nodes/{pool}/{node...}:uncordon", .uncordonNode),
        (.post, "/v1/nodes/{pool}/{node...}:down", .downNode),
        (.post, "/v1/nodes/{pool}/{node...}:up", .upNode),
        (.post, "/v1/pools/{name}/domains/{domain...}:cordon", .cordonDomain),
        (.post, "/v1/pools/{name}/domains/{domain...}:drain", .drainDomain),
        (.post, "/v1/pools/{name}/domains/{domain...}:uncordon", .uncordonDomain),
        (.post, "/v1/pools/{name}/domains/{domain...}:down", .downDomain),
        (.post, "/v1/pools/{name}/domains/{domain...}:up", .upDomain),
        (.post, "/v1/pools/{name}/blocks/{block...}:cordon", .cordonBlock),
        (.post, "/v1/pools/{name}/blocks/{block...}:drain", .drainBlock),
        (.post, "/v1/pools/{name}/blocks/{block...}:uncordon", .uncordonBlock),
        (.post, "/v1/pools/{name}/blocks/{block...}:down", .downBlock),
        (.post, "/v1/pools/{name}/blocks/{block...}:up", .upBlock),
        (.post, "/v1/pools/{name}:cordon", .cordonPool),
        (.post, "/v1/pools/{name}:drain", .drainPool),
        (.post, "/v1/pools/{name}:uncordon", .uncordonPool),
        (.post, "/v1/pools/{name}:down", .downPool),
        (.post, "/v1/pools/{name}:up", .upPool),
        (.get, "/v1/tenants", .listTenants),
        (.get, "/v1/tenants/{path...}", .getTenant),
        (.put, "/v1/tenants/{path...}", .putTenant),
        (.delete, "/v1/tenants/{path...}", .deleteTenant),
        (.get, "/v1/fleet", .getFleet),
        (.get, "/v1/queue", .getQueue),
        (.post, "/v1/plans:defragment", .planDefragmentation),
        (.post, "/v1/plans:evacuate", .planEvacuation),
    ]

    static func router() throws(RouteError) -> Router<Int> {
        var routes: [Route<Int>] = []
        for (index, row) in rows.enumerated() { routes.append(try Route(row.method, row.pattern, index)) }
        return try Router(routes)
    }
}
