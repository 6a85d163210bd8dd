// Many jobs in one request: each line for itself, all in order.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct BatchTests {
    private let ndjson = "application/x-ndjson"

    private func line(_ id: String, count: Int = 1) -> String {
        "{\"id\":\"\(id)\",\"workers\":[{\"count\":\(count),\"gpus\":4}]}"
    }

    @Test func `every line is answered in order, and a bad one stops no other`() throws {
        let caller = try APICaller(pools: "p")
        let body = [
            line("a"), "", line("b") + "\r", "   ", "{\"id\":\"c\",}", line("d", count: 0), line("a"),
            line("a", count: 2),
            line("e", count: 100),
        ].joined(separator: "\n")
        let answer = try caller.call(.post, "/v1/jobs:batch", body, type: ndjson)
        #expect(answer.status == 200 && answer.contentType == ndjson)
        #expect(answer.text.hasSuffix("\n"))
        let lines = answer.lines
        #expect(lines.compactMap { $0["line"].int } == [1, 3, 5, 6, 7, 8, 9])
        #expect(lines.compactMap { $0["status"].int } == [201, 201, 400, 422, 200, 409, 201])
        #expect(lines[0]["job"]["placement"]["pools"][0].string == "p")
        #expect(!lines[0]["job"]["placement"]["parts"][0]["nodes"].isThere)
        #expect(lines[2]["problem"]["detail"].string?.hasPrefix("Column 11: ") == true)
        #expect(lines[3]["problem"]["errors"][0]["pointer"].string == "/workers/0/count")
        #expect(lines[5]["problem"]["type"].string == "urn:berth:problem:id-in-use")
        #expect(lines[6]["job"]["state"].string == "queued")
        #expect(caller.backend.view.jobs.count == 3)
        #expect(answer.field("X-Berth-Revision") == String(caller.backend.view.revision))
    }

    @Test func `too many lines are a 413 and change nothing`() throws {
        var settings = APISettings()
        settings.batchLines = 3
        let caller = try APICaller(pools: "p", settings: settings)
        let digest = caller.backend.view.digest
        let four = (0..<4).map { line("j\($0)") }.joined(separator: "\n")
        let answer = try caller.call(.post, "/v1/jobs:batch", four, type: ndjson)
        #expect(answer.status == 413 && answer.problem == "batch-too-long")
        #expect(answer.json["detail"].string == "The batch has 4 lines; limits.batchLines is 3. Nothing was changed.")
        #expect(caller.backend.view.digest == digest)
        let three = (0..<3).map { line("j\($0)") + "\n\n" }.joined()
        #expect(try caller.call(.post, "/v1/jobs:batch", three, type: ndjson).lines.count == 3)
    }

    @Test func `a batch without a line is a mistake`() throws {
        let caller = try APICaller(pools: "p")
        for body in ["", "\n", " \r\n\t\n"] {
            let answer = try caller.call(.post, "/v1/jobs:batch", body, type: ndjson)
            #expect(answer.status == 422 && answer.problem == "invalid-body")
        }
    }

    @Test func `where nothing can be written the call says so, and in the middle the lines do`() throws {
        let caller = try APICaller(pools: "p")
        let body = "x\n" + (0..<3).map { line("j\($0)") }.joined(separator: "\n")
        caller.backend.stopWrites(.diskFull)
        let refused = try caller.call(.post, "/v1/jobs:batch", body, type: ndjson)
        #expect(refused.status == 503 && refused.problem == "disk-full")
        // Neighbours are one command, so the middle lies between two of those.
        let many = "x\n" + (0...Bounds.jobsPerBatch).map { line("j\($0)") }.joined(separator: "\n")
        let made = Array(repeating: 201, count: Bounds.jobsPerBatch - 1)
        caller.backend.stopWrites(.diskFull, after: 1)
        let half = try caller.call(.post, "/v1/jobs:batch", many, type: ndjson)
        #expect(half.lines.compactMap { $0["status"].int } == [400] + made + [503, 503])
        #expect(half.lines.last?["problem"]["type"].string == "urn:berth:problem:disk-full")
        caller.backend.stopWrites(nil)
        let again = try caller.call(.post, "/v1/jobs:batch", many, type: ndjson)
        #expect(again.lines.compactMap { $0["status"].int } == [400] + made.map { _ in 200 } + [201, 201])
    }

    @Test func `only a batch and a list of nodes may have a body beyond the server's own limit`() throws {
        let limit = BerthAPI.bodyLimit(APISettings())
        for (method, target, most) in [
            (HTTPMethod.post, "/v1/jobs:batch", Optional(64 << 20)), (.post, "/v1/jobs", nil),
            (.post, "/v1/pools:load", 64 << 20), (.get, "/v1/jobs:batch", nil), (.post, "/v1/pools:batch", nil),
            (.post, "/v1/jobs/x:batch", nil), (.post, "/v2/jobs:batch", nil),
        ] {
            let request = try HTTPRequest(method, target)
            #expect(limit(method, request.path) == most, "\(target)")
        }
    }
}
