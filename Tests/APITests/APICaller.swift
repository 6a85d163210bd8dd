// Calls the API as a client would and looks at every answer before the test does: it came once, it carries its revision, and
// it has the shape that the OpenAPI file gives for its path and status, with nothing in it that the file does not know.

import API
import Foundation
import HTTP
import Model
import Synchronization
import TestKit
import Testing

/// An answer as a test reads it.
struct Answered {
    var status: Int
    var contentType: String?
    var fields: [HTTPField]
    var text: String

    func field(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }

    /// The body as JSON; a failed expectation where it is none.
    var json: JSON { parse(text) }

    /// The body's lines as JSON.
    var lines: [JSON] { text.split(separator: "\n").map { parse(String($0)) } }

    private func parse(_ text: String) -> JSON {
        do {
            return try JSON(parsing: Data(text.utf8))
        } catch {
            Issue.record("not JSON: \(text.prefix(400))")
            return .nothing
        }
    }

    /// The last word of a problem's type.
    var problem: String? { json["type"].string?.replacingOccurrences(of: "urn:berth:problem:", with: "") }

    /// The mistakes of a body: pointer and code.
    var mistakes: [String] {
        json["errors"].array.map { "\($0["pointer"].string ?? "?") \($0["code"].string ?? "?")" }
    }
}

/// An API over an engine in memory.
final class APICaller {
    let backend: DeskBackend
    let api: BerthAPI

    init(backend: DeskBackend = DeskBackend(), settings: APISettings = APISettings()) throws {
        self.backend = backend
        api = try BerthAPI(backend, settings: settings)
    }

    /// An API with pools; each is `blocks x domains x nodes` of 4-GPU nodes.
    convenience init(pools: String..., settings: APISettings = APISettings()) throws {
        try self.init(settings: settings)
        for pool in pools { #expect(try put(pool).status == 201) }
    }

    /// Puts a pool called `name` of provider `aws`.
    @discardableResult
    func put(
        _ name: String, blocks: Int = 2, domains: Int = 2, nodes: Int = 2, gpus: Int = 4,
        accelerator: String = "GB200", price: String = "6.90"
    ) throws -> Answered {
        try call(
            .put, "/v1/pools/\(name)",
            """
            {"provider":"aws","region":"us-east-1","accelerator":"\(accelerator)","node":{"gpus":\(gpus),"cpuMillis":144000,
            "memoryMiB":983040},"topology":{"blocks":\(blocks),"domainsPerBlock":\(domains),"nodesPerDomain":\(nodes)},
            "purchase":"committed","priceUSDPerGPUHour":"\(price)"}
            """)
    }

    /// Submits a job.
    @discardableResult
    func submit(_ id: String, count: Int = 1, gpus: Int = 4, _ more: String = "") throws -> Answered {
        try call(
            .post, "/v1/jobs", "{\"id\":\"\(id)\",\"workers\":[{\"count\":\(count),\"gpus\":\(gpus)}]\(more)}")
    }

    func get(_ target: String) throws -> Answered { try call(.get, target) }

    /// One request; with a body it says JSON unless `type` says otherwise.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ target: String, _ body: String? = nil, type: String? = "application/json",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answered {
        try call(
            method, target, bytes: body.map { Array($0.utf8) }, type: type, sourceLocation: sourceLocation)
    }

    @discardableResult
    func call(
        _ method: HTTPMethod, _ target: String, bytes: [UInt8]?, type: String?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Answered {
        let fields = bytes == nil ? [] : type.map { [HTTPField("Content-Type", $0)] } ?? []
        let request = try HTTPRequest(method, target, fields: fields, body: bytes ?? [])
        let answers = Mutex<[HTTPResponse]>([])
        api.handle(request, Responder { response in answers.withLock { $0.append(response) } })
        let all = answers.withLock { $0 }
        #expect(all.count == 1, "one answer to one request", sourceLocation: sourceLocation)
        let response = try #require(all.first, sourceLocation: sourceLocation)
        let answered = Answered(
            status: Int(response.status.code), contentType: response.contentType, fields: response.fields,
            text: String(decoding: response.body, as: UTF8.self))
        try check(answered, of: method, target, request, sourceLocation)
        return answered
    }

    private func check(
        _ answered: Answered, of method: HTTPMethod, _ target: String, _ request: HTTPRequest,
        _ sourceLocation: SourceLocation
    ) throws {
        #expect(
            answered.field("X-Berth-Revision").flatMap { UInt64($0) } != nil, "\(target) has no revision",
            sourceLocation: sourceLocation)
        #expect(
            answered.status < 500 || answered.status == 503 || answered.status == 501, sourceLocation: sourceLocation)
        if answered.contentType == "application/problem+json" {
            let json = answered.json
            #expect(json["instance"].string == target, sourceLocation: sourceLocation)
            #expect(json["status"].int == answered.status, sourceLocation: sourceLocation)
            #expect(!(json["detail"].string ?? "").isEmpty, sourceLocation: sourceLocation)
        }
        let faults = try OpenAPIFile.shared.faults(in: answered, to: method, request)
        #expect(
            faults.isEmpty, "\(method.name) \(target) \(answered.status): \(faults)", sourceLocation: sourceLocation)
    }
}
