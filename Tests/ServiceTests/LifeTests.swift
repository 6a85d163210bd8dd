// The process's life: start, recovery, drain, stop and restart, and every way in which a start is refused.

import Foundation
import Glibc
import JSON
import TestKit
import Testing

@testable import Service

@Suite struct LifeTests {
    /// Everything that GET shows of a quiet server.
    private func shown(_ caller: Caller) throws -> [String: String] {
        var paths = ["/v1/jobs?limit=1000", "/v1/pools", "/v1/fleet", "/v1/queue"]
        paths += try caller.get("/v1/jobs?limit=1000").list("jobs").map { "/v1/jobs/" + ($0["id"]?.string ?? "") }
        paths += try caller.get("/v1/pools").list("pools").map {
            "/v1/pools/\($0["name"]?.string ?? "")/nodes?limit=1000"
        }
        var shown: [String: String] = [:]
        for path in paths { shown[path] = try caller.get(path).text }
        return shown
    }

    private func fillSome(_ caller: Caller) throws {
        _ = try caller.batch((0..<40).map { Caller.job("j\($0)", workers: 1 + $0 % 5, gpus: 1 + $0 % 4) })
        for number in 0..<10 { _ = try caller.post("/v1/jobs/j\(number):start") }
        for number in 0..<4 { _ = try caller.post("/v1/jobs/j\(number):finish", #"{"result":"succeeded"}"#) }
        _ = try caller.delete("/v1/jobs/j5")
        _ = try caller.post("/v1/nodes/east/b00/d001/n02:down")
        _ = try caller.post("/v1/nodes/west/b00/d000/n01:drain")
        _ = try caller.post("/v1/nodes/west/b00/d000/n02:cordon")
        _ = try caller.put("/v1/pools/extra", Caller.pool(nodes: 2, accelerator: "B200"))
        _ = try caller.put("/v1/pools/gone", Caller.pool(nodes: 1, #","labels":{"a":"b"}"#))
        _ = try caller.delete("/v1/pools/gone")
    }

    @Test("After SIGTERM and after SIGKILL a restart shows the same, to the byte; SIGTERM leaves a snapshot")
    func restart() throws {
        let place = Place()
        // Places that are kept are sought again as time goes on.
        let settings = #"{"scheduler":{"reservations":0}}"#
        var server = try place.serve(settings)
        try fillSome(server.caller)
        let before = try shown(server.caller)
        #expect(before.count > 40)
        #expect(server.stop() == 0)
        let files = try FileManager.default.contentsOfDirectory(atPath: place.data)
        #expect(files.filter { $0.hasSuffix(".snap") }.count == 1)
        // From the snapshot, from the snapshot and the journal after it, and from the journal alone.
        server = try place.serve(settings, fleet: nil)
        #expect(try shown(server.caller) == before)
        _ = try server.caller.post("/v1/jobs", Caller.job("more", workers: 2, gpus: 2))
        let later = try shown(server.caller)
        server.killAtOnce()
        server = try place.serve(settings, fleet: nil)
        #expect(try shown(server.caller) == later)
        server.killAtOnce()
        for file in files where file.hasSuffix(".snap") {
            try FileManager.default.removeItem(atPath: place.data + "/" + file)
        }
        server = try place.serve(settings, fleet: nil)
        #expect(try shown(server.caller) == later)
        #expect(server.stop() == 0)
        let verified = try Programs.berth(["journal", "verify", "--data", place.data])
        #expect(verified.status == 0)
        #expect(verified.output.contains("sound"))
    }

    @Test("Pools that were all deleted stay deleted over a restart, and no built-in fleet takes their place")
    func deletedPools() throws {
        let place = Place()
        var server = try place.serve(fleet: Fleets.one(nodes: 1))
        #expect(try server.caller.delete("/v1/pools/pool").status == 200)
        for stop in [{ (server: RunningBerth) in _ = server.stop() }, { $0.killAtOnce() }] {
            stop(server)
            server = try place.serve(fleet: nil)
            #expect(try server.caller.get("/v1/pools").list("pools").isEmpty)
        }
        #expect(server.stop() == 0)
    }

    @Test("After SIGTERM readiness fails first and changes are still taken; what is in flight ends; then exit 0")
    func drain() throws {
        let place = Place()
        let server = try place.serve(#"{"server":{"drainPauseSeconds":5}}"#, fleet: Fleets.one(nodes: 4))
        let caller = server.caller
        #expect(try caller.get("/readyz").status == 200)
        let slow = try RawConnection(port: server.port)
        let body = Caller.job("slow", workers: 1, gpus: 1)
        slow.send(
            "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n" + body.prefix(10))
        kill(server.process.processIdentifier, SIGTERM)
        #expect(try eventually { try caller.get("/readyz").status == 503 })
        let ready = try caller.get("/readyz")
        #expect(ready.text.contains("notDraining"))
        #expect(try caller.get("/livez").status == 200)
        #expect(try caller.post("/v1/jobs", Caller.job("during", workers: 1, gpus: 1)).status == 201)
        // The idle connection closes when the pause is over; the one in flight is waited for.
        #expect(eventually { (try? caller.get("/livez")) == nil })
        slow.send(String(body.dropFirst(10)))
        let answer = slow.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 201"), "\(answer)")
        #expect(answer.contains("Connection: close"))
        server.process.waitUntilExit()
        #expect(server.process.terminationReason == .exit)
        #expect(server.process.terminationStatus == 0)
        let next = try place.serve(fleet: nil)
        for id in ["slow", "during"] { #expect(try next.caller.get("/v1/jobs/\(id)").status == 200, "\(id)") }
        #expect(next.stop() == 0)
    }

    @Test("While a long journal is read, /livez answers 200 and other routes 503 'starting', until the server is ready")
    func longRecovery() throws {
        let place = Place()
        let first = try place.serve(fleet: Fleets.one(nodes: 2))
        for part in 0..<4 {
            let jobs = (0..<5000).map { Caller.job("p\(part)-\($0)", workers: 3, gpus: 4) }
            #expect(try first.caller.batch(jobs).lines.count == 5000)
        }
        let fleet = try first.caller.get("/v1/fleet").text
        first.killAtOnce()
        let port = try RawConnection.freePort()
        let server = try place.serve(fleet: nil, unawaitedPort: port)
        let caller = Caller(port: port)
        #expect(eventually { (try? caller.get("/livez").status) == 200 })
        var refused = 0
        let isReady = try eventually {
            #expect(try caller.get("/livez").status == 200)
            let reply = try caller.get("/v1/fleet")
            if reply.status == 200 { return true }
            refused += 1
            #expect(reply.status == 503)
            #expect(reply.problem == "starting")
            #expect(reply.field("Retry-After") == "1")
            return false
        }
        #expect(isReady)
        #expect(refused > 0)
        #expect(try caller.get("/v1/fleet").text == fleet)
        #expect(server.stop() == 0)
    }

    @Test("SIGTERM while a long journal is read ends the process with 0 and harms nothing")
    func stopDuringRecovery() throws {
        let place = Place()
        let first = try place.serve(fleet: Fleets.one(nodes: 2))
        #expect(
            try first.caller.batch((0..<5000).map { Caller.job("p\($0)", workers: 3, gpus: 4) }).lines.count == 5000)
        first.killAtOnce()
        let port = try RawConnection.freePort()
        let second = try place.serve(fleet: nil, unawaitedPort: port)
        #expect(eventually { (try? Caller(port: port).get("/livez").status) == 200 })
        #expect(second.stop() == 0)
        let third = try place.serve(fleet: nil)
        #expect(try third.caller.get("/v1/fleet")["jobsByState"]?["queued"]?.int64 == 5000)
        #expect(third.stop() == 0)
    }

    // MARK: Refused starts

    @Test("A second process on the same data ends with 75 and names the first; a port in use ends with 71")
    func takenDataAndPort() throws {
        let place = Place()
        let server = try place.serve()
        let second = try Programs.berth(["serve", "--port", "0", "--data", place.data])
        #expect(second.status == 75)
        #expect(second.errors.contains("process \(server.process.processIdentifier)"), "\(second.errors)")
        let other = try Programs.berth(["serve", "--port", "\(server.port)", "--data", place.folder.path + "/other"])
        #expect(other.status == 71)
        #expect(other.errors.contains("Port \(server.port)"), "\(other.errors)")
        #expect(try server.caller.get("/readyz").status == 200)
        #expect(server.stop() == 0)
    }

    @Test("A configuration or fleet with mistakes ends with 65 and names all of them")
    func mistakes() throws {
        let place = Place()
        let settings = try place.write(
            "settings.json",
            #"{"server":{"prot":1,"host":7,"headTimeoutSeconds":0},"storage":{"segmentMiB":"64"},"lgo":{},"log":{"level":"loud"}}"#
        )
        let served = try Programs.berth(["serve", "--port", "0", "--data", place.data, "--config", settings])
        #expect(served.status == 65)
        let words = [
            "/server/prot", "\"port\"", "/server/host", "/server/headTimeoutSeconds", "/storage/segmentMiB", "/lgo",
            "\"log\"",
            "/log/level",
        ]
        for word in words { #expect(served.errors.contains(word), "\(word) in \(served.errors)") }
        let checked = try Programs.berth(["check-config", settings])
        #expect(checked.status == 65)
        #expect(checked.errors == served.errors)
        #expect(!FileManager.default.fileExists(atPath: place.data))

        let pool = Caller.pool(nodes: 2).replacingOccurrences(of: "us-east-1", with: "us-east-2")
        let fleet = try place.write(
            "fleet.json",
            Fleets.of([
                Fleets.pool("a", pool), Fleets.pool("a", Caller.pool(nodes: 2)),
                Fleets.pool("b", Caller.pool(nodes: 2).replacingOccurrences(of: "aws", with: "azure")),
                Fleets.pool("c", Caller.pool(nodes: 0, #","colour":"red""#)),
            ]))
        let refused = try Programs.berth(["serve", "--port", "0", "--data", place.data, "--fleet", fleet])
        #expect(refused.status == 65)
        for word in [
            "/pools/0/region", "/pools/1/name", "/pools/2/provider", "/pools/3/topology/nodesPerDomain",
            "/pools/3/colour",
        ] {
            #expect(refused.errors.contains(word), "\(word) in \(refused.errors)")
        }
        #expect(try Programs.berth(["check-config", "--fleet", fleet]).errors == refused.errors)
        #expect(try Programs.berth(["serve", "--config", place.folder.path + "/none.json"]).status == 65)
        #expect(try Programs.berth(["serve", "--port", "70000"]).status == 64)
        #expect(try Programs.berth(["serve", "--prot", "1"]).status == 64)
    }

    @Test("Damage in the middle of the journal ends the start with 65, file and offset; journal verify says the same")
    func damage() throws {
        let place = Place()
        let server = try place.serve()
        for number in 0..<20 { _ = try server.caller.post("/v1/jobs", Caller.job("j\(number)", workers: 1, gpus: 1)) }
        server.killAtOnce()
        let file = place.data + "/journal-00000000000000000001.log"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        let end = try #require(bytes.lastIndex { $0 != 0 })
        bytes[end / 2] ^= 0x10
        try bytes.write(to: URL(fileURLWithPath: file))
        let verified = try Programs.berth(["journal", "verify", "--data", place.data])
        #expect(verified.status == 65)
        let served = try Programs.berth(["serve", "--port", "0", "--data", place.data])
        #expect(served.status == 65)
        #expect(served.errors.contains(file), "\(served.errors)")
        let offset = try #require(served.errors.firstMatch(of: /byte (\d+)/)?.1)
        #expect(try #require(Int(offset)) <= end / 2)
        #expect(verified.output.contains("damage \(file) at byte \(offset):"), "\(verified.output)")
        // Nothing was changed by the attempt.
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes)
    }
}
