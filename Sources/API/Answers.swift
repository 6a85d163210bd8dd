// Answers as bytes: JSON with the revision it shows, and problems (RFC 9457).

import Engine
public import HTTP
import JSON
import Model

enum Answer {
    static let json = "application/json"
    static let ndjson = "application/x-ndjson"
    static let problem = "application/problem+json"

    /// JSON with a newline behind it, so that a terminal stays readable.
    static func json(
        _ status: HTTPStatus = 200, revision: UInt64, reserving capacity: Int = 1024, _ body: (inout JSONWriter) -> Void
    ) -> HTTPResponse {
        var writer = JSONWriter(capacity: capacity)
        body(&writer)
        writer.newLine()
        return HTTPResponse(status, contentType: json, fields: revisionField(revision), body: writer.take())
    }

    static func revisionField(_ revision: UInt64) -> [HTTPField] {
        [HTTPField("X-Berth-Revision", String(revision)), HTTPField("Cache-Control", "no-store")]
    }

    /// 204 with what a path allows.
    static func empty(allow: String, revision: UInt64) -> HTTPResponse {
        var response = HTTPResponse(204, fields: revisionField(revision))
        response.add("Allow", allow)
        return response
    }

    static func problem(_ problem: Problem, instance: String, mistakes: JSONFailure? = nil, revision: UInt64)
        -> HTTPResponse
    {
        var writer = JSONWriter()
        writer.problem(problem, instance: instance, mistakes: mistakes)
        writer.newLine()
        var response = HTTPResponse(
            problem.type.status, contentType: Self.problem, fields: revisionField(revision), body: writer.take())
        if let seconds = problem.type.retryAfterSeconds { response.add("Retry-After", String(seconds)) }
        return response
    }
}

extension JSONWriter {
    mutating func problem(_ problem: Problem, instance: String?, mistakes: JSONFailure? = nil) {
        object { writer in
            writer.member("type", "urn:berth:problem:" + problem.type.rawValue)
            writer.member("title", problem.type.title)
            writer.member("status", Int(problem.type.status.code))
            writer.member("detail", problem.detail)
            if let instance { writer.member("instance", instance) }
            if let state = problem.state { writer.member("state", state) }
            guard let mistakes = mistakes ?? problem.mistakes else { return }
            writer.key("errors")
            writer.array { writer in
                for mistake in mistakes.mistakes {
                    writer.object { writer in
                        writer.member("pointer", mistake.pointer)
                        writer.member("code", mistake.code.rawValue)
                        writer.member("detail", mistake.message)
                    }
                }
            }
            if mistakes.leftOut > 0 { writer.member("errorsLeftOut", mistakes.leftOut) }
        }
    }
}

/// A body read, or the problem that it has.
enum Read<Value> {
    case value(Value)
    case problem(Problem, JSONFailure?)
}

enum Body {
    /// Parses and decodes a JSON body.
    static func read<Value>(_ request: HTTPRequest, _ decode: (inout ObjectReader) -> Value) -> Read<Value> {
        guard isJSON(request) else {
            return .problem(
                Problem(
                    .unsupportedMediaType,
                    "Send the body as JSON and say so: -H 'Content-Type: application/json'. "
                        + (request.fields["content-type"].map { "It came as '\($0)'." }
                            ?? "It came without a Content-Type.")),
                nil)
        }
        return read(
            request.body, in: 0..<request.body.count, { "Line \($0.line), column \($0.column): \($0.message)" }, decode)
    }

    /// Reads one line of NDJSON, whose number stands elsewhere in the answer.
    static func readLine<Value>(
        _ bytes: [UInt8], in range: Range<Int>, _ decode: (inout ObjectReader) -> Value
    ) -> Read<Value> {
        read(bytes, in: range, { "Column \($0.column): \($0.message)" }, decode)
    }

    private static func read<Value>(
        _ bytes: [UInt8], in range: Range<Int>, _ place: (JSONSyntaxError) -> String,
        _ decode: (inout ObjectReader) -> Value
    ) -> Read<Value> {
        do throws(JSONFailure) {
            return .value(try decodeObject(bytes, in: range, decode))
        } catch {
            if case .syntax(let fault) = error {
                return .problem(Problem(.invalidJSON, "\(place(fault)) Nothing was changed."), nil)
            }
            return .problem(Problem(.invalidBody, error.countedWords), error)
        }
    }

    /// A call that needs no body takes none, or an empty object.
    static func isEmpty(_ request: HTTPRequest) -> Bool {
        if request.body.allSatisfy({ [0x20, 0x0A, 0x0D, 0x09].contains($0) }) { return true }
        guard let root = try? JSONDocument(request.body).root else { return false }
        return root.kind == .object && root.count == 0
    }

    static func isJSON(_ request: HTTPRequest) -> Bool { isMedia(request, "application/json") }

    /// Whether the Content-Type is `type`, whatever its parameters.
    static func isMedia(_ request: HTTPRequest, _ type: String) -> Bool {
        guard let field = request.fields["content-type"] else { return false }
        if field == type { return true }
        let media = field.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)[0]
        return media.lowercased().filter { $0 != " " } == type
    }
}

extension BerthAPI {
    /// The answer to a change that was decided and then could not be brought to disk.
    public static func problem(_ stop: WriteStop, revision: UInt64) -> HTTPResponse {
        Answer.problem(Problem(stop), instance: "/", revision: revision)
    }

    /// The answer to everything but `/livez` while the state is read from disk.
    public static func starting(_ request: HTTPRequest) -> HTTPResponse {
        if request.path.count == 1, request.path[0].text == "livez" {
            return HTTPResponse(200, contentType: Answer.json, fields: Answer.revisionField(0), body: alive)
        }
        let problem = Problem(
            .starting, "The state is being read from disk. Ask again in a moment; /readyz tells when it is done.")
        return Answer.problem(problem, instance: request.target, revision: 0)
    }
}
