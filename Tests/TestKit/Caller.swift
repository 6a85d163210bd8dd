// A client for one thread that speaks JSON with a service on this machine, without a program between them.

public import HTTP
public import JSON

/// An answer and what is in it.
public struct Reply: Sendable {
    public let response: HTTPClientResponse

    public var status: Int { Int(response.status.code) }
    public var text: String { String(decoding: response.body, as: UTF8.self) }
    public var revision: UInt64? { field("X-Berth-Revision").flatMap { UInt64($0) } }

    /// The body as JSON; nil where it is none.
    public var json: JSONValue? { try? JSONDocument(response.body).root }

    /// The body's lines as JSON, for NDJSON.
    public var lines: [JSONValue] {
        response.body.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDocument(Array($0)).root }
    }

    /// The last part of a problem's type: `disk-full`.
    public var problem: String? { self["type"]?.string?.split(separator: ":").last.map(String.init) }

    public func field(_ name: String) -> String? { response.field(name) }

    public subscript(name: String) -> JSONValue? { json?[name] }

    /// The elements under a name; none where there are none.
    public func list(_ name: String) -> [JSONValue] { json?.list(name) ?? [] }

    /// The nodes of all parts of a job's placement; none where it has none.
    public var placedNodes: [JSONValue] { self["placement"]?.list("parts").flatMap { $0.list("nodes") } ?? [] }
}

extension JSONValue {
    /// The elements under a name; none where there are none.
    public func list(_ name: String) -> [JSONValue] { self[name].map { Array($0.elements) } ?? [] }
}

/// Not for use by two threads at once.
public final class Caller {
    private let client: HTTPClient

    public init(port: Int) { client = HTTPClient(host: "127.0.0.1", port: UInt16(port)) }

    public func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, type: String = "application/json"
    ) throws(HTTPClientError) -> Reply {
        let fields = body == nil ? [] : [HTTPField("Content-Type", type)]
        return Reply(response: try client.send(method, path, fields: fields, body: Array((body ?? "").utf8)))
    }

    public func get(_ path: String) throws(HTTPClientError) -> Reply { try send(.get, path) }
    public func post(_ path: String, _ body: String? = nil) throws(HTTPClientError) -> Reply {
        try send(.post, path, body)
    }
    public func put(_ path: String, _ body: String) throws(HTTPClientError) -> Reply { try send(.put, path, body) }
    public func delete(_ path: String) throws(HTTPClientError) -> Reply { try send(.delete, path) }

    /// Lines of jobs as NDJSON.
    public func batch(_ jobs: [String]) throws(HTTPClientError) -> Reply {
        try send(.post, "/v1/jobs:batch", jobs.joined(separator: "\n") + "\n", type: "application/x-ndjson")
    }

    /// A body that asks for a gang of equal workers.
    public static func job(_ id: String, workers: Int, gpus: Int, _ more: String = "") -> String {
        #"{"id":"\#(id)","workers":[{"count":\#(workers),"gpus":\#(gpus)}]\#(more)}"#
    }

    /// A body that puts a pool of counted nodes.
    public static func pool(
        blocks: Int = 1, domains: Int = 1, nodes: Int, gpus: Int = 4, accelerator: String = "GB200", _ more: String = ""
    ) -> String {
        #"{"provider":"aws","region":"us-east-1","accelerator":"\#(accelerator)","#
            + #""node":{"gpus":\#(gpus),"cpuMillis":100000,"memoryMiB":100000},"#
            + #""topology":{"blocks":\#(blocks),"domainsPerBlock":\#(domains),"nodesPerDomain":\#(nodes)}\#(more)}"#
    }
}
