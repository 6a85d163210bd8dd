// What a gang may ask for, as a client sees it in the answer: groups, shares, scopes, segments, splits and the rest.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct GangTests {
    /// Submits a job of these groups.
    private func submit(_ caller: APICaller, _ id: String, _ workers: String, _ more: String = "") throws -> JSON {
        try caller.call(.post, "/v1/jobs", "{\"id\":\"\(id)\",\"workers\":[\(workers)]\(more)}").json
    }

    /// Puts a pool of 4-GPU nodes in one block.
    private func put(
        _ caller: APICaller, _ name: String, domains: Int = 2, nodes: Int = 2, accelerator: String = "GB200",
        _ more: String = "", cliques: Int = 1
    ) throws {
        let answer = try caller.call(
            .put, "/v1/pools/\(name)",
            """
            {"provider":"aws","region":"us-east-1","accelerator":"\(accelerator)","priceUSDPerGPUHour":"1","node":{"gpus":4,
            "cpuMillis":64000,"memoryMiB":4096},"topology":{"blocks":1,"domainsPerBlock":\(domains),
            "nodesPerDomain":\(nodes),"cliquesPerDomain":\(cliques)}\(more)}
            """)
        #expect(answer.status == 201, "\(answer.text)")
    }

    private func nodes(_ part: JSON) -> [String] { part["nodes"].array.compactMap { $0["node"].string } }

    private func workers(_ part: JSON) -> [Int] {
        part["nodes"].array.flatMap { $0["workers"].array.compactMap { $0["worker"].int } }
    }

    @Test func `groups of roles are placed together, each with its own workers and needs`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        let job = try submit(
            caller, "rl",
            "{\"name\":\"trainer\",\"count\":2,\"gpus\":4},{\"name\":\"sampler\",\"count\":3,\"gpus\":1},"
                + "{\"name\":\"loader\",\"count\":2,\"gpus\":0,\"cpuMillis\":2000,\"memoryMiB\":16}")
        #expect(job["state"].string == "placed" && job["gpus"].int == 11)
        let parts = job["placement"]["parts"].array
        #expect(parts.compactMap { $0["group"].string } == ["trainer", "sampler", "loader"])
        #expect(parts.compactMap { $0["workers"].int } == [2, 3, 2])
        #expect(parts.compactMap { $0["gpusPerWorker"].int } == [4, 1, 0])
        #expect(parts.map { workers($0) } == [[0, 1], [0, 1, 2], [0, 1]])
        #expect(parts[2]["nodes"][0]["workers"][0]["gpuIndexes"].isArray)
        #expect(parts[2]["nodes"][0]["workers"][0]["gpuIndexes"].array.isEmpty)
        #expect(parts[2]["cpuMillisPerWorker"].int == 2000 && parts[1]["cpuMillisPerWorker"].int == 16000)
        #expect(job["placement"]["cost"]["priceUSDPerHour"].string == "11.00")
        #expect(job["placement"]["nodeCount"].int == Set(parts.flatMap { nodes($0) }).count)
        let waits = try submit(
            caller, "large", "{\"name\":\"a\",\"count\":1,\"gpus\":1},{\"name\":\"b\",\"count\":1,\"gpus\":8}")
        #expect(waits["reasons"][0]["reason"].string == "workerTooLarge" && waits["reasons"][0]["group"].string == "b")
        #expect(waits["reasons"][0]["detail"].string?.contains("worker of group 'b'") == true)
        #expect(caller.backend.fault == nil)
    }

    @Test func `a share of a GPU is answered with its device, and the node shows what is left of it`() throws {
        let caller = try APICaller()
        try put(caller, "whole")
        let waits = try submit(caller, "early", "{\"count\":1,\"gpuMilli\":250}")
        #expect(waits["reasons"][0]["reason"].string == "workerTooLarge")
        #expect(waits["reasons"][0]["detail"].string?.contains("allowsGPUShares") == true)
        try caller.call(.delete, "/v1/jobs/early")
        try put(caller, "shared", domains: 1, nodes: 1, ",\"allowsGPUShares\":true")
        let job = try submit(caller, "a", "{\"count\":5,\"gpuMilli\":400}")
        #expect(job["workers"][0]["gpus"].int == 1 && job["workers"][0]["gpuMilli"].int == 400)
        #expect(job["gpus"].int == 2)
        let placement = job["placement"]
        #expect(placement["pools"][0].string == "shared")
        #expect(placement["gpuMilli"].int == 2000 && placement["gpus"].int == 2)
        let part = placement["parts"][0]
        #expect(part["gpuMilliPerWorker"].int == 400 && part["cpuMillisPerWorker"].int == 6400)
        #expect(nodes(part) == ["shared/b00/d000/n00"] && part["nodeCount"].int == 1)
        #expect(workers(part) == [0, 1, 2, 3, 4])
        let node = try caller.get("/v1/pools/shared/nodes").json["nodes"][0]
        var left = [1000, 1000, 1000, 1000]
        for worker in part["nodes"][0]["workers"].array {
            #expect(worker["gpuIndexes"].array.count == 1)
            left[worker["gpuIndexes"][0].int ?? 0] -= 400
        }
        #expect(node["gpuMilliFree"].array.compactMap(\.int) == left && left.allSatisfy { $0 >= 0 })
        #expect(node["gpusFree"].int == left.count { $0 == 1000 })
        #expect(node["gpuIndexesFree"].array.compactMap(\.int) == left.indices.filter { left[$0] == 1000 })
        let pools = try caller.get("/v1/pools").json["pools"].array
        #expect(pools.map { $0["allowsGPUShares"].bool } == [false, true])
        let fleet = try caller.get("/v1/fleet").json
        let parts = ["gpusAllocated", "gpusBroken", "gpusFree", "gpusUnavailable"].compactMap { fleet[$0].int }
        #expect(parts.count == 4 && parts.reduce(0, +) == fleet["gpus"].int)
        #expect(fleet["gpusAllocated"].int == 2)
    }

    @Test func `a tier beyond the preferred one costs a twentieth of the price`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        let job = try submit(
            caller, "a", "{\"count\":2,\"gpus\":4}", ",\"scope\":{\"required\":\"pool\",\"preferred\":\"node\"}")
        #expect(job["scope"]["required"].string == "pool" && job["scope"]["preferred"].string == "node")
        #expect(job["scope"]["patienceSeconds"].int == 0)
        let cost = job["placement"]["cost"]
        #expect(job["placement"]["tier"].string == "domain")
        #expect(cost["priceUSDPerHour"].string == "8.00" && cost["topologyUSDPerHour"].string == "0.40")
    }

    @Test func `a patient job waits for the tier that it prefers, and says until when`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        try caller.submit("busy", count: 1, gpus: 1)
        try caller.submit("other", count: 1, gpus: 1, ",\"deny\":{\"pools\":[]}")
        for number in 0..<2 {
            _ = try submit(
                caller, "one\(number)", "{\"count\":1,\"gpus\":4}", ",\"exclusive\":\"domain\"")
        }
        let waits = try submit(
            caller, "patient", "{\"count\":2,\"gpus\":4}",
            ",\"scope\":{\"required\":\"pool\",\"preferred\":\"domain\",\"patienceSeconds\":600}")
        #expect(waits["state"].string == "queued")
        #expect(waits["settlesAt"].string == "2026-11-23T02:18:39.126Z")
    }

    @Test func `a gang that may be split stands in several pools and numbers its workers over them`() throws {
        let caller = try APICaller()
        for name in ["p", "q", "r"] { try put(caller, name) }
        let job = try submit(
            caller, "a", "{\"count\":6,\"gpus\":4}", ",\"split\":{\"maxPools\":2,\"minWorkersPerPool\":2}")
        #expect(job["scope"].string == "fleet" && job["split"]["maxPools"].int == 2)
        let placement = job["placement"]
        #expect(placement["pools"].array.count == 2 && placement["tier"].string == "region")
        let parts = placement["parts"].array
        #expect(parts.allSatisfy { ($0["workers"].int ?? 0) >= 2 })
        #expect(parts.flatMap { workers($0) } == Array(0..<6))
        for pool in placement["pools"].array.compactMap(\.string) {
            #expect(try caller.get("/v1/jobs?pool=\(pool)").json["jobs"].array.count == 1)
        }
        for node in parts.flatMap({ nodes($0) }) {
            #expect(try caller.get("/v1/jobs?node=\(node)").json["jobs"].array.count == 1)
        }
        let whole = try submit(caller, "b", "{\"count\":6,\"gpus\":4}")
        #expect(whole["reasons"][0]["reason"].string == "gangTooLarge")
    }

    @Test func `an exclusive gang pays for its places and keeps others out`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        let job = try submit(caller, "alone", "{\"count\":1,\"gpus\":1}", ",\"exclusive\":\"domain\"")
        #expect(job["exclusive"].string == "domain" && job["placement"]["exclusive"].string == "domain")
        #expect(job["placement"]["cost"]["priceUSDPerHour"].string == "8.00")
        let domain = job["placement"]["parts"][0]["nodes"][0]["domain"].string
        let other = try submit(caller, "other", "{\"count\":8,\"gpus\":1}")
        for node in other["placement"]["parts"][0]["nodes"].array { #expect(node["domain"].string != domain) }
        let more = try submit(caller, "more", "{\"count\":1,\"gpus\":1}")
        #expect(more["state"].string == "queued")
    }

    @Test func `segments share a place and spread workers stand apart`() throws {
        let caller = try APICaller()
        try put(caller, "p", domains: 3)
        let close = try submit(
            caller, "close", "{\"count\":8,\"gpus\":1,\"segment\":{\"size\":4,\"tier\":\"node\"}}")
        #expect(close["workers"][0]["segment"]["size"].int == 4)
        #expect(close["placement"]["nodeCount"].int == 2)
        let apart = try submit(
            caller, "apart", "{\"count\":2,\"gpus\":1,\"spread\":{\"workersPerNode\":1,\"workersPerDomain\":1}}")
        #expect(apart["workers"][0]["spread"]["workersPerDomain"].int == 1)
        #expect(apart["placement"]["nodeCount"].int == 2 && apart["placement"]["domainCount"].int == 2)
    }

    @Test func `a group that may grow takes what its place has, and its place says how much`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        let job = try submit(caller, "a", "{\"minCount\":2,\"maxCount\":6,\"gpus\":1}", ",\"scope\":\"node\"")
        #expect(job["workers"][0]["minCount"].int == 2 && job["workers"][0]["maxCount"].int == 6)
        #expect(!job["workers"][0]["count"].isThere && job["gpus"].int == 2)
        #expect(job["placement"]["parts"][0]["workers"].int == 4 && job["placement"]["gpus"].int == 4)
    }

    @Test func `speeds scale a gang where the job says so`() throws {
        let caller = try APICaller()
        try put(caller, "p", domains: 4)
        let accelerators = "[\"B300\",{\"model\":\"GB200\",\"speedMilli\":500}]"
        let plain = try submit(caller, "plain", "{\"count\":2,\"gpus\":1}", ",\"accelerators\":\(accelerators)")
        #expect(plain["placement"]["parts"][0]["workers"].int == 2)
        #expect(plain["accelerators"][0].string == "B300" && plain["accelerators"][1]["speedMilli"].int == 500)
        let scaled = try submit(
            caller, "scaled", "{\"count\":2,\"gpus\":1}", ",\"accelerators\":\(accelerators),\"scaleBySpeed\":true")
        #expect(scaled["scaleBySpeed"].bool == true && scaled["placement"]["parts"][0]["workers"].int == 4)
    }

    @Test func `spare nodes are shown, and only jobs that may use them stand there`() throws {
        let caller = try APICaller()
        try put(caller, "p", domains: 1, nodes: 3, ",\"sparesPerDomain\":1,\"reservation\":\"cr-1\"")
        let nodes = try caller.get("/v1/pools/p/nodes").json["nodes"].array
        #expect(nodes.map { $0["spare"].bool } == [nil, nil, true])
        #expect(nodes.allSatisfy { $0["reservation"].string == "cr-1" })
        let pool = try caller.get("/v1/pools/p").json
        #expect(pool["sparesPerDomain"].int == 1 && pool["reservation"].string == "cr-1")
        #expect(try submit(caller, "a", "{\"count\":3,\"gpus\":4}")["state"].string == "queued")
        try caller.call(.delete, "/v1/jobs/a")
        let job = try submit(caller, "b", "{\"count\":3,\"gpus\":4}", ",\"preemptible\":true,\"usesSpares\":true")
        #expect(job["preemptible"].bool == true && job["usesSpares"].bool == true)
        #expect(job["placement"]["nodeCount"].int == 3)
        #expect(job["placement"]["parts"][0]["nodes"][2]["reservation"].string == "cr-1")
    }

    @Test func `domain, clique and reservation of a node are three fields`() throws {
        let caller = try APICaller()
        try put(caller, "p", domains: 1, nodes: 4, cliques: 2)
        #expect(try caller.get("/v1/pools/p").json["topology"]["cliquesPerDomain"].int == 2)
        let counted = try caller.get("/v1/pools/p/nodes").json["nodes"].array
        #expect(counted.compactMap { $0["name"].string }.last == "b00/d000/n03")
        #expect(counted.compactMap { $0["domain"].string } == Array(repeating: "b00/d000", count: 4))
        #expect(
            counted.compactMap { $0["clique"].string } == [
                "b00/d000/c0", "b00/d000/c0", "b00/d000/c1", "b00/d000/c1",
            ])
        #expect(
            try submit(caller, "a", "{\"count\":3,\"gpus\":4}", ",\"scope\":\"domain\"")["state"].string == "queued")
        let job = try submit(caller, "b", "{\"count\":2,\"gpus\":4}", ",\"scope\":\"domain\"")
        #expect(job["placement"]["parts"][0]["nodes"][1]["clique"].string == "b00/d000/c0")
        let put = try caller.call(
            .put, "/v1/pools/metal",
            """
            {"provider":"aws","region":"r","accelerator":"H200","node":{"gpus":8,"cpuMillis":8000,"memoryMiB":8},
            "reservation":"cr-9","nodes":[{"name":"h1","domain":"rack","clique":"rack/a","reservation":"cb-1"},
            {"name":"h2","domain":"rack","clique":"rack/b"},{"name":"h3"}]}
            """)
        #expect(put.json["domainCount"].int == 3)
        let listed = try caller.get("/v1/pools/metal/nodes").json["nodes"].array
        #expect(listed.map { $0["domain"].string } == ["rack", "rack", "h3"])
        #expect(listed.map { $0["clique"].string } == ["rack/a", "rack/b", nil])
        #expect(listed.map { $0["reservation"].string } == ["cb-1", "cr-9", "cr-9"])
    }

    @Test func `what is given is given back, and the same body is the same job`() throws {
        let caller = try APICaller()
        try put(caller, "p")
        let body = """
            {"id":"all","workers":[{"name":"a","minCount":4,"maxCount":8,"gpus":2,"segment":{"size":2,"tier":"domain"},
            "spread":{"workersPerNode":2}},{"name":"b","count":2,"gpuMilli":500}],"accelerators":[{"model":"GB200"},
            {"model":"H200","speedMilli":1500}],"scaleBySpeed":true,"scope":{"required":"provider","preferred":"block",
            "patienceSeconds":30},"split":{"maxPools":3},"exclusive":"block","preemptible":true,"usesSpares":true}
            """
        let first = try caller.call(.post, "/v1/jobs", body)
        #expect(first.status == 201)
        let job = first.json
        #expect(job["accelerators"][0].string == "GB200" && job["accelerators"][1]["model"].string == "H200")
        #expect(job["split"]["minWorkersPerPool"].int == 1 && job["exclusive"].string == "block")
        #expect(job["gpus"].int == 9)
        // What an answer says of the job, submitted, is that job.
        var fields: [String] = []
        for name in [
            "id", "workers", "accelerators", "scaleBySpeed", "scope", "split", "exclusive", "preemptible", "usesSpares",
        ] {
            fields.append("\"\(name)\":\(job[name].description)")
        }
        let again = try caller.call(.post, "/v1/jobs", "{" + fields.joined(separator: ",") + "}")
        #expect(again.status == 200, "\(again.text)")
        let other = body.replacing("\"size\":2", with: "\"size\":4")
        #expect(try caller.call(.post, "/v1/jobs", other).status == 409)
    }
}
