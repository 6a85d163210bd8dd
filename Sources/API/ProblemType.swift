// The one table of errors: every problem a caller may meet, its status and its words.
// A new entry exists only if a caller would act differently.

import Engine
public import HTTP
import JSON
public import Model

/// What went wrong, as a program may switch on it: `type` is `urn:berth:problem:` and the raw value.
public enum ProblemType: String, CaseIterable, Sendable {
    case invalidJSON = "invalid-json"
    case invalidBody = "invalid-body"
    case invalidParameter = "invalid-parameter"
    case unsupportedMediaType = "unsupported-media-type"
    case routeNotFound = "route-not-found"
    case methodNotAllowed = "method-not-allowed"
    case notImplemented = "not-implemented"
    case jobNotFound = "job-not-found"
    case arrayNotFound = "array-not-found"
    case poolNotFound = "pool-not-found"
    case nodeNotFound = "node-not-found"
    case placeNotFound = "place-not-found"
    case tenantNotFound = "tenant-not-found"
    case idInUse = "id-in-use"
    case illegalTransition = "illegal-transition"
    case poolInUse = "pool-in-use"
    case tenantInUse = "tenant-in-use"
    case tenantQueueFull = "tenant-queue-full"
    case priorityClassNotFound = "priority-class-not-found"
    case priorityClassInUse = "priority-class-in-use"
    case limitReached = "limit-reached"
    case batchTooLong = "batch-too-long"
    case overloaded = "overloaded"
    case diskFull = "disk-full"
    case journalFailed = "journal-failed"
    case starting = "starting"
    case stopping = "stopping"

    public var status: HTTPStatus {
        switch self {
        case .invalidJSON, .invalidParameter: 400
        case .routeNotFound, .jobNotFound, .arrayNotFound, .poolNotFound, .nodeNotFound, .placeNotFound,
            .tenantNotFound,
            .priorityClassNotFound:
            404
        case .methodNotAllowed: 405
        case .idInUse, .illegalTransition, .poolInUse, .tenantInUse, .priorityClassInUse: 409
        case .batchTooLong: 413
        case .unsupportedMediaType: 415
        case .invalidBody: 422
        case .limitReached, .tenantQueueFull: 429
        case .notImplemented: 501
        case .overloaded, .diskFull, .journalFailed, .starting, .stopping: 503
        }
    }

    public var title: String {
        switch self {
        case .invalidJSON: "The body is not JSON"
        case .invalidBody: "The body has mistakes"
        case .invalidParameter: "A parameter has a mistake"
        case .unsupportedMediaType: "The body is of a media type that is not read here"
        case .routeNotFound: "There is nothing at this path"
        case .methodNotAllowed: "This path does not take this method"
        case .notImplemented: "No path takes this method"
        case .jobNotFound: "There is no such job"
        case .arrayNotFound: "There is no such array"
        case .poolNotFound: "There is no such pool"
        case .nodeNotFound: "There is no such node"
        case .placeNotFound: "There is no such domain or block"
        case .tenantNotFound: "There is no such tenant"
        case .idInUse: "Another job has this id"
        case .illegalTransition: "The state does not allow this"
        case .poolInUse: "Jobs hold nodes of this pool"
        case .tenantInUse: "Jobs or tenants are below this tenant"
        case .tenantQueueFull: "As many jobs of this tenant wait as may"
        case .priorityClassNotFound: "There is no such priority class"
        case .priorityClassInUse: "Jobs name this priority class"
        case .limitReached: "A limit is reached"
        case .batchTooLong: "The batch has too many lines"
        case .overloaded: "Too many requests wait"
        case .diskFull: "The disk is full"
        case .journalFailed: "The journal has failed"
        case .starting: "The service is starting"
        case .stopping: "The service is stopping"
        }
    }

    /// Seconds after which the same request may succeed, where time can help.
    var retryAfterSeconds: Int? {
        switch self {
        case .overloaded, .starting: 1
        case .stopping: 5
        case .diskFull, .limitReached, .tenantQueueFull: 10
        default: nil
        }
    }
}

/// A problem ready to be told: its type, a sentence for this occurrence, and the mistakes of a body.
struct Problem {
    var type: ProblemType
    var detail: String
    /// The state that stood in the way, where there is one.
    var state: String?
    /// Of a body that was right in itself.
    var mistakes: JSONFailure?

    init(_ type: ProblemType, _ detail: String, state: String? = nil) {
        self.type = type
        self.detail = detail
        self.state = state
    }

    init(_ refusal: Refusal) {
        switch refusal {
        case .jobNotFound(let id):
            self.init(
                .jobNotFound,
                "No job has the id '\(id)'. It may have ended long ago: ended jobs beyond limits.endedJobs are forgotten."
            )
        case .arrayNotFound(let id):
            self.init(
                .arrayNotFound,
                "No array has the id '\(id)'. It may have ended long ago: an array is forgotten with the last of its tasks."
            )
        case .poolNotFound(let name): self.init(.poolNotFound, "No pool is called '\(name)'. GET /v1/pools lists them.")
        case .nodeNotFound(let pool, let node):
            self.init(
                .nodeNotFound, "Pool '\(pool)' has no node called '\(node)'. GET /v1/pools/\(pool)/nodes lists them.")
        case .placeNotFound(let pool, let place):
            let missing =
                switch place {
                case .pool: "nodes"
                case .block(let name): "block called '\(name)'"
                case .domain(let name):
                    "domain called '\(name)', or several blocks have one, which are written BLOCK/DOMAIN"
                }
            self.init(
                .placeNotFound, "Pool '\(pool)' has no \(missing). GET /v1/pools/\(pool)/nodes lists what is there.")
        case .idInUse(let id):
            self.init(
                .idInUse,
                "The job '\(id)' is there already with other values. Choose another id, or send the same body to get that job."
            )
        case .illegalTransition(let id, let state, let action):
            self.init(
                .illegalTransition, "Job '\(id)' is \(state.name), so '\(action)' does not apply. \(state.whatApplies)",
                state: state.name)
        case .illegalNodeTransition(let node, let state, let action):
            self.init(
                .illegalTransition,
                "Node '\(node)' is \(state.name), so '\(action.name)' does not apply. A node that is \(state.name) takes "
                    + NodeAction.allCases.filter { state.after($0) != nil }.map(\.name).joined(separator: ", ") + ".",
                state: state.name)
        case .poolInUse(let name, let jobs):
            self.init(
                .poolInUse,
                "Pool '\(name)' has nodes that \(jobs) placed or running \(jobs == 1 ? "job holds" : "jobs hold"). "
                    + "Until they end it may change its price, billing, purchase, reservation and labels and grow by whole blocks at its "
                    + "end; nothing else. GET /v1/jobs?pool=\(name)&state=placed,running lists them.")
        case .tenantNotFound(let path):
            self.init(.tenantNotFound, "No tenant has the path '\(path)'. GET /v1/tenants lists them.")
        case .tenantInUse(let path, let jobs, let children):
            self.init(
                .tenantInUse,
                "Tenant '\(path)' has \(jobs == 1 ? "1 live job" : "\(jobs) live jobs") and "
                    + "\(children == 1 ? "1 tenant" : "\(children) tenants") below it. Delete it when they are gone; "
                    + "GET /v1/jobs?tenant=\(path)&state=queued,placed,running lists the jobs.")
        case .tenantQueueFull(let tenant, let limit):
            self.init(
                .tenantQueueFull,
                "Tenant '\(tenant)' may have \(limit) waiting jobs, those of all tenants below it counted, and has. "
                    + "Wait until some are placed, or raise its 'maxQueuedJobs'.")
        case .invalidJob(let mistakes):
            let shown = mistakes.prefix(FieldDefaults.mistakes)
            let failure = JSONFailure.mistakes(shown.map { Mistake($0) }, leftOut: mistakes.count - shown.count)
            self.init(.invalidBody, failure.countedWords)
            self.mistakes = failure
        case .priorityClassNotFound(let name):
            self.init(
                .priorityClassNotFound, "No priority class is called '\(name)'. GET /v1/priority-classes lists them.")
        case .priorityClassInUse(let name, let jobs):
            self.init(
                .priorityClassInUse,
                "\(jobs) \(jobs == 1 ? "job that has not ended names" : "jobs that have not ended name") the priority class '\(name)'. "
                    + "It may be deleted when they have ended; it may change before, for jobs that come then.")
        case .limitReached(let name, let limit):
            self.init(
                .limitReached,
                "\(name) is \(limit) and is reached. Wait until jobs end, or raise it in the configuration.")
        }
    }

    init(_ stop: WriteStop) {
        switch stop {
        case .diskFull:
            self.init(
                .diskFull,
                "The data directory has no room for this change, so it was not made. Reads go on; "
                    + "writes come back by themselves when there is room.")
        case .journalFailed(let reason):
            self.init(
                .journalFailed,
                "The journal could not be written (\(reason)), so nothing more is decided. Reads go on; restart the service when "
                    + "the disk is well.")
        case .stopping: self.init(.stopping, "The service is stopping and takes no more changes. Ask another instance.")
        }
    }
}

extension JSONFailure {
    /// How many mistakes there are, as a problem's detail.
    var countedWords: String {
        let count = mistakes.count + leftOut
        return
            "The body has \(count == 1 ? "1 mistake" : "\(count) mistakes"); 'errors' lists them. Nothing was changed."
    }
}

extension Mistake {
    fileprivate init(_ mistake: SubmitMistake) {
        self.init(pointer: mistake.pointer, code: .invalid, message: mistake.sentence)
    }
}

extension SubmitMistake {
    fileprivate var pointer: String {
        switch self {
        case .unknownPriorityClass: "/priorityClass"
        case .unknownDependency(let index, _): "/after/\(index)/job"
        case .deadlineTooEarly: "/deadline"
        }
    }

    var sentence: String {
        switch self {
        case .unknownPriorityClass(let name):
            "Name a priority class that is there, not \"\(name)\". GET /v1/priority-classes lists them."
        case .unknownDependency(_, let id):
            "Name a job or array that is there, not \"\(id)\": submit it first. Jobs that ended long ago are forgotten."
        case .deadlineTooEarly(_, let earliestEnd):
            "Give a deadline of \(earliestEnd.exact) or later: the job cannot end before, even if it starts as soon as it may."
        }
    }
}

extension Refusal {
    /// The refusal in words, as a problem's detail says it.
    public var words: String { Problem(self).detail }
}

extension JobState {
    /// What a caller may do to a job in this state.
    fileprivate var whatApplies: String {
        switch self {
        case .queued: "It is placed as soon as it fits; until then it can be held, released or cancelled."
        case .placed: "A placed job can be started or cancelled."
        case .running: "A running job can be finished, checkpointed or cancelled."
        case .preempting:
            "It is asked to leave: it can be stopped or cancelled, and while it runs finished or checkpointed."
        case .repairing:
            "It lost workers and others are sought: it can be cancelled, and while it runs finished or checkpointed."
        case .succeeded, .failed, .cancelled: "It has ended, and nothing more changes it."
        }
    }
}
