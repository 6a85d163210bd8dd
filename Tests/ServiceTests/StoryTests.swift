// What a user does, by curl against the real binary: a job's life, nodes, pools, lists, batches, and methods.

import Foundation
import JSON
import TestKit
import Testing

@Suite(.enabled(if: Tools.haveCurl, "needs /usr/bin/curl"))
struct StoryTests {
    /// The names of the nodes on which a job is placed, part by part.
    private static func nodes(_ job: [String: Any]) -> [String] {
        let parts = (job["placement"] as? [String: Any])?["parts"] as? [[String: Any]] ?? []
        return parts.flatMap { $0["nodes"] as? [[String: Any]] ?? [] }.compactMap { $0["node"] as? String }
    }

    @Test(
        "A job is placed, started, finished; another waits with reasons, is placed when there is room, and is cancelled"
    )
    func jobLife() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 4))
        #expect(server.port > 0)
        let placed = try server.curl("POST", "/v1/jobs", body: Caller.job("a", workers: 3, gpus: 4))
        #expect(placed.status == 201)
        #expect(placed.fields["location"] == "/v1/jobs/a")
        #expect(placed.json["state"] as? String == "placed")
        #expect(Self.nodes(placed.json).count == 3)
        #expect(try server.curl("POST", "/v1/jobs", body: Caller.job("a", workers: 3, gpus: 4)).status == 200)
        #expect(try server.curl("POST", "/v1/jobs", body: Caller.job("a", workers: 2, gpus: 4)).status == 409)

        let waiting = try server.curl("POST", "/v1/jobs", body: Caller.job("b", workers: 2, gpus: 4))
        #expect(waiting.status == 201)
        #expect(waiting.json["state"] as? String == "queued")
        let reasons = waiting.json["reasons"] as? [[String: Any]]
        #expect(reasons?.first?["reason"] as? String == "capacityBusy")
        #expect(reasons?.first?["workersThatFit"] as? Int == 1)
        #expect(try server.curl("POST", "/v1/jobs/b:start").status == 409)
        let tooLarge = try server.curl("POST", "/v1/jobs", body: Caller.job("c", workers: 5, gpus: 4))
        #expect(tooLarge.json["couldEverFit"] as? Bool == false)
        #expect((tooLarge.json["reasons"] as? [[String: Any]])?.first?["reason"] as? String == "gangTooLarge")

        #expect(try server.curl("POST", "/v1/jobs/a:finish", body: #"{"result":"succeeded"}"#).status == 409)
        #expect(try server.curl("POST", "/v1/jobs/a:start").json["state"] as? String == "running")
        #expect(try server.curl("POST", "/v1/jobs/a:start").status == 200)
        let done = try server.curl("POST", "/v1/jobs/a:finish", body: #"{"result":"failed","message":"loss is NaN"}"#)
        #expect(done.json["state"] as? String == "failed")
        #expect(done.json["message"] as? String == "loss is NaN")
        #expect(try server.curl("GET", "/v1/jobs/b").json["state"] as? String == "placed")
        #expect(try server.curl("DELETE", "/v1/jobs/b").json["state"] as? String == "cancelled")
        #expect(try server.curl("DELETE", "/v1/jobs/a").status == 409)
        #expect(try server.curl("DELETE", "/v1/jobs/none").status == 404)
        #expect(server.stop() == 0)
    }

    @Test("A node that goes down sends its gang elsewhere; a draining one keeps what runs; both come back")
    func nodes() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 4))
        func nodesOf(_ id: String) throws -> [String] {
            Self.nodes(try server.curl("GET", "/v1/jobs/\(id)").json)
        }
        _ = try server.curl("POST", "/v1/jobs", body: Caller.job("gang", workers: 2, gpus: 4))
        _ = try server.curl("POST", "/v1/jobs/gang:start")
        let lost = try #require(try nodesOf("gang").first)
        #expect(try server.curl("POST", "/v1/nodes/\(lost):down").json["state"] as? String == "down")
        let repaired = try server.curl("GET", "/v1/jobs/gang").json
        #expect(repaired["state"] as? String == "running")
        #expect(repaired["repairs"] as? Int == 1)
        #expect(try !nodesOf("gang").contains(lost))
        // Three nodes are left: a gang of two beside it must wait until the node is up again.
        _ = try server.curl("POST", "/v1/jobs", body: Caller.job("next", workers: 2, gpus: 4))
        #expect(try server.curl("GET", "/v1/jobs/next").json["state"] as? String == "queued")
        #expect(try server.curl("POST", "/v1/nodes/\(lost):up").json["state"] as? String == "ready")
        #expect(try server.curl("GET", "/v1/jobs/next").json["state"] as? String == "placed")

        _ = try server.curl("POST", "/v1/jobs/gang:start")
        let busy = try #require(try nodesOf("gang").first)
        #expect(try server.curl("POST", "/v1/nodes/\(busy):drain").json["state"] as? String == "draining")
        #expect(try server.curl("GET", "/v1/jobs/gang").json["state"] as? String == "running")
        let idle = try #require(try nodesOf("next").first)
        _ = try server.curl("POST", "/v1/nodes/\(idle):drain")
        #expect(try server.curl("GET", "/v1/jobs/next").json["state"] as? String == "queued")
        let listed = try server.curl("GET", "/v1/pools/pool/nodes?state=draining").json["nodes"] as? [[String: Any]]
        #expect(listed?.count == 2)
        #expect(try server.curl("POST", "/v1/nodes/\(idle):uncordon").status == 200)
        #expect(try server.curl("GET", "/v1/jobs/next").json["state"] as? String == "placed")
        #expect(try server.curl("POST", "/v1/nodes/pool/none:down").status == 404)
        #expect(server.stop() == 0)
    }

    @Test("A pool is put, grows, changes its price, is refused while in use, and is deleted")
    func pools() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 2))
        #expect(
            try server.curl("PUT", "/v1/pools/more", body: Caller.pool(nodes: 2, accelerator: "B200")).status == 201)
        #expect(
            try server.curl("PUT", "/v1/pools/more", body: Caller.pool(nodes: 2, accelerator: "B200")).status == 200)
        let job = Caller.job("a", workers: 2, gpus: 4, #","allow":{"pools":["more"]}"#)
        #expect(try server.curl("POST", "/v1/jobs", body: job).json["state"] as? String == "placed")
        let bigger = Caller.job("b", workers: 2, gpus: 4, #","allow":{"pools":["more"]}"#)
        #expect(try server.curl("POST", "/v1/jobs", body: bigger).json["state"] as? String == "queued")
        let shrunk = try server.curl("PUT", "/v1/pools/more", body: Caller.pool(nodes: 1, accelerator: "B200"))
        #expect(shrunk.status == 409)
        #expect((shrunk.json["type"] as? String)?.hasSuffix("pool-in-use") == true)
        #expect(try server.curl("DELETE", "/v1/pools/more").status == 409)
        let grown = try server.curl(
            "PUT", "/v1/pools/more",
            body: Caller.pool(blocks: 2, nodes: 2, accelerator: "B200", #","priceUSDPerGPUHour":"2.50""#))
        #expect(grown.status == 200)
        #expect(grown.json["nodeCount"] as? Int == 4)
        #expect(grown.json["priceUSDPerGPUHour"] as? String == "2.50")
        #expect(try server.curl("GET", "/v1/jobs/b").json["state"] as? String == "placed")
        for id in ["a", "b"] { _ = try server.curl("DELETE", "/v1/jobs/\(id)") }
        #expect(try server.curl("DELETE", "/v1/pools/more").status == 200)
        #expect(try server.curl("GET", "/v1/pools/more").status == 404)
        #expect((try server.curl("GET", "/v1/pools").json["pools"] as? [Any])?.count == 1)
        #expect(server.stop() == 0)
    }

    @Test("A batch is answered line by line; lists come in pages and by state, and each job stands in them once")
    func batchAndPages() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 4))
        var lines = (0..<25).map { Caller.job("n\($0)", workers: 1, gpus: 1) }
        lines.insert(#"{"id":"bad","workers":[]}"#, at: 3)
        lines.insert("{", at: 7)
        let reply = try server.caller.batch(lines)
        #expect(reply.status == 200)
        #expect(reply.field("Content-Type") == "application/x-ndjson")
        #expect(reply.lines.map { $0["line"]?.int64 } == (1...27).map { Int64($0) })
        #expect(reply.lines.filter { $0["status"]?.int64 == 201 }.count == 25)
        #expect(reply.lines[3]["status"]?.int64 == 422)
        #expect(reply.lines[7]["status"]?.int64 == 400)
        var seen: [String] = []
        var path = "/v1/jobs?limit=4"
        while true {
            let page = try server.curl("GET", path).json
            let ids = (page["jobs"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
            #expect(ids.count <= 4)
            seen += ids
            guard let cursor = page["nextCursor"] as? String else { break }
            path = "/v1/jobs?limit=4&cursor=" + cursor
        }
        #expect(seen == (0..<25).map { "n\($0)" })
        #expect((try server.curl("GET", "/v1/jobs?state=queued").json["jobs"] as? [Any])?.count == 9)
        #expect(server.stop() == 0)
    }

    @Test("HEAD answers without a body, OPTIONS names the methods, 405 too; every answer carries the revision it shows")
    func methods() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 2))
        _ = try server.curl("POST", "/v1/jobs", body: Caller.job("a", workers: 1, gpus: 1))
        let get = try server.curl("GET", "/v1/jobs/a")
        let head = try server.curl("HEAD", "/v1/jobs/a")
        #expect(head.status == 200)
        #expect(head.body.isEmpty)
        #expect(head.fields["content-length"] == "\(get.body.utf8.count)")
        let options = try server.curl("OPTIONS", "/v1/jobs")
        #expect(options.status == 204)
        #expect(options.fields["allow"]?.contains("POST") == true)
        let refused = try server.curl("PUT", "/v1/jobs")
        #expect(refused.status == 405)
        #expect(refused.fields["allow"]?.contains("GET") == true)
        #expect(try server.curl("BREW", "/v1/jobs").status == 501)

        let answers: [(String, String, String?)] = [
            ("GET", "/", nil), ("GET", "/metrics", nil), ("GET", "/readyz", nil), ("GET", "/healthz?verbose", nil),
            ("GET", "/v1/jobs", nil), ("GET", "/v1/jobs/a", nil), ("GET", "/v1/jobs/none", nil),
            ("GET", "/v1/jobs?limit=x", nil), ("GET", "/v1/pools", nil), ("GET", "/v1/pools/pool", nil),
            ("GET", "/v1/pools/pool/nodes", nil), ("GET", "/v1/fleet", nil), ("GET", "/v1/queue", nil),
            ("GET", "/nowhere", nil), ("PUT", "/v1/jobs", nil), ("BREW", "/v1/jobs", nil), ("HEAD", "/v1/fleet", nil),
            ("OPTIONS", "/v1/jobs", nil),
            ("POST", "/v1/jobs", "{"), ("POST", "/v1/jobs", "{}"), ("POST", "/v1/jobs/a:start", nil),
            ("POST", "/v1/jobs/a:start", nil), ("DELETE", "/v1/jobs/none", nil), ("DELETE", "/v1/pools/pool", nil),
            ("POST", "/v1/nodes/pool/b00/d000/n01:cordon", nil), ("PUT", "/v1/pools/two", Caller.pool(nodes: 1)),
        ]
        for (method, path, body) in answers {
            let answer = try server.curl(method, path, body: body)
            #expect(answer.fields["x-berth-revision"].flatMap { Int($0) } ?? 0 >= 3, "\(method) \(path)")
        }
        #expect(server.stop() == 0)
    }

    @Test("Garbage, huge bodies and half requests end their own connection and nothing else")
    func garbage() throws {
        let place = Place()
        let server = try place.serve(
            #"{"server":{"maxBodyBytes":4096,"maxBatchBodyBytes":8192,"headTimeoutSeconds":1,"bodyTimeoutSeconds":1}}"#)
        let noise = try RawConnection(port: server.port)
        noise.send("\u{0}\u{1}garbage\r\n\r\n")
        #expect(noise.readToEnd().hasPrefix("HTTP/1.1 400"))
        let half = try RawConnection(port: server.port)
        half.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
        #expect(half.readToEnd().hasPrefix("HTTP/1.1 408"))
        let huge = String(repeating: " ", count: 5000)
        #expect(try server.caller.post("/v1/jobs", huge).status == 413)
        #expect(try server.caller.batch([huge, huge]).status == 413)
        #expect(try server.caller.post("/v1/jobs", String(repeating: "[", count: 4000)).status == 400)
        #expect(try server.caller.get("/v1/jobs")["jobs"]?.count == 0)
        #expect(try server.caller.get("/readyz").status == 200)
        #expect(server.stop() == 0)
    }
}
