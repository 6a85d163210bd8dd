// From a request to its answer: finds the route, runs its operation at once, on the writer or beside the loops, and counts.
// Reads that the published state answers never wait for the writer; health waits for nothing.

import Engine
public import HTTP
import JSON
import Model
import Synchronization

public struct APISettings: Sendable {
    public var batchLines = 20_000
    public var maxBatchBodyBytes = 64 << 20

    public init() {}
}

public final class BerthAPI: Sendable {
    let backend: any Backend
    let settings: APISettings
    let plans = PlanDesk()
    private let router: Router<Int>
    /// Answers by route and class of status; the last row is what matched no route.
    private let counts: Mutex<[[UInt64]]>

    /// Throws where the route table contradicts itself, which a test would show first.
    public init(_ backend: any Backend, settings: APISettings = APISettings()) throws(RouteError) {
        self.backend = backend
        self.settings = settings
        router = try RouteTable.router()
        counts = Mutex(Array(repeating: Array(repeating: 0, count: 6), count: RouteTable.rows.count + 1))
    }

    /// Only a batch of jobs and a list of nodes may have a body beyond the server's own limit.
    public static func bodyLimit(_ settings: APISettings) -> BodyLimit {
        { method, path in
            guard method == .post, path.count == 2, path[0] == PathSegment(name: "v1") else { return nil }
            let isLong = [PathSegment(name: "jobs", verb: "batch"), PathSegment(name: "pools", verb: "load")]
                .contains(path[1])
            return isLong ? settings.maxBatchBodyBytes : nil
        }
    }

    /// The newest revision that is on disk.
    public var revision: UInt64 { backend.view.revision }

    public func handle(_ request: HTTPRequest, _ responder: consuming Responder) {
        switch router.match(request) {
        case .found(let row, let parameters):
            let operation = RouteTable.rows[row].operation
            let call = Call(row: row, request: request, parameters: parameters, api: self)
            do throws(ParameterMistake) {
                switch try step(operation, call) {
                case .now(let response): responder.send(counted(row, response))
                case .desk(let work, let instead): post(call, PendingAnswer(responder), work, instead: instead)
                case .slowly(let work): runSlowly(call, PendingAnswer(responder), work)
                case .slowlyToDesk(let work): prepareSlowly(call, PendingAnswer(responder), work)
                }
            } catch {
                responder.send(counted(row, call.problem(Problem(.invalidParameter, error.detail))))
            }
        case .options(let allow):
            responder.send(counted(RouteTable.rows.count, Answer.empty(allow: allow, revision: backend.view.revision)))
        case .notFound: responder.send(unmatched(request, .routeNotFound, "GET /openapi.json lists every path."))
        case .methodNotAllowed(let allow):
            var response = unmatched(request, .methodNotAllowed, "\(request.method.name) is not among \(allow).")
            response.add("Allow", allow)
            responder.send(response)
        case .methodNotImplemented:
            responder.send(
                unmatched(request, .notImplemented, "The method '\(request.method.name)' is not known here."))
        }
    }

    private func unmatched(_ request: HTTPRequest, _ type: ProblemType, _ detail: String) -> HTTPResponse {
        counted(
            RouteTable.rows.count,
            Answer.problem(Problem(type, detail), instance: request.target, revision: backend.view.revision))
    }

    private func post(
        _ call: Call, _ answer: PendingAnswer, _ work: @escaping DeskWork,
        instead: (@Sendable () -> HTTPResponse)? = nil
    ) {
        let accepted = backend.post(answer) { [self] desk in counted(call.row, work(desk)) }
        if accepted { return }
        let overloaded = Problem(
            .overloaded, "More requests wait for the scheduler than it may hold. Nothing was changed; try again soon.")
        answer.send(counted(call.row, instead?() ?? call.problem(overloaded)))
    }

    private func runSlowly(_ call: Call, _ answer: PendingAnswer, _ work: @escaping @Sendable () -> HTTPResponse) {
        backend.runSlowly { [self] in answer.send(counted(call.row, work())) }
    }

    private func prepareSlowly(
        _ call: Call, _ answer: PendingAnswer, _ prepare: @escaping @Sendable () -> Prepared
    ) {
        backend.runSlowly { [self] in
            switch prepare() {
            case .answer(let response): answer.send(counted(call.row, response))
            case .desk(let work): post(call, answer, work)
            }
        }
    }

    private func counted(_ row: Int, _ response: HTTPResponse) -> HTTPResponse {
        counts.withLock { $0[row][min(Int(response.status.code) / 100, 5)] += 1 }
        return response
    }

    /// Answers so far, by route and class of status.
    var requestCounts: [RequestCount] {
        let counts = counts.withLock { $0 }
        var rows: [RequestCount] = []
        for (index, row) in counts.enumerated() {
            let (route, method) =
                index < RouteTable.rows.count
                ? (RouteTable.rows[index].pattern, RouteTable.rows[index].method.name) : ("none", "any")
            for statusClass in 1...5 where row[statusClass] > 0 {
                rows.append(
                    RequestCount(route: route, method: method, statusClass: "\(statusClass)xx", count: row[statusClass])
                )
            }
        }
        return rows
    }
}

/// How an operation goes on.
enum Step {
    case now(HTTPResponse)
    /// On the writer; the answer leaves when all that was decided is on disk. `instead` answers where the writer has no
    /// room for more work; without it that is a 503.
    case desk(DeskWork, instead: (@Sendable () -> HTTPResponse)? = nil)
    /// Beside the event loops, for what takes longer than a loop may be held.
    case slowly(@Sendable () -> HTTPResponse)
    /// Prepared beside the loops, then on the writer.
    case slowlyToDesk(@Sendable () -> Prepared)
}

enum Prepared {
    case answer(HTTPResponse)
    case desk(DeskWork)
}

/// A matched request.
struct Call: Sendable {
    let row: Int
    let request: HTTPRequest
    let parameters: RouteParameters
    let api: BerthAPI

    func problem(_ problem: Problem, _ mistakes: JSONFailure? = nil, revision: UInt64? = nil) -> HTTPResponse {
        Answer.problem(
            problem, instance: request.target, mistakes: mistakes, revision: revision ?? api.backend.view.revision)
    }
}
