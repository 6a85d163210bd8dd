// Pools, nodes, the fleet and the queue, as a client sees them.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct SupplyTests {
    @Test func `a pool is put, read, changed and deleted`() throws {
        let caller = try APICaller()
        let new = try caller.put("p")
        #expect(new.status == 201 && new.field("Location") == "/v1/pools/p")
        #expect(new.json["nodeCount"].int == 8 && new.json["gpus"].int == 32 && new.json["domainCount"].int == 4)
        #expect(new.json["nodesByState"]["ready"].int == 8)
        let same = try caller.put("p")
        #expect(same.status == 200 && same.text == new.text && same.field("Location") == nil)
        let dearer = try caller.put("p", price: "7.5")
        #expect(dearer.status == 200 && dearer.json["priceUSDPerGPUHour"].string == "7.50")
        #expect(try caller.get("/v1/pools/p").text == dearer.text)
        try caller.submit("a")
        #expect(try caller.get("/v1/pools/p").json["jobCount"].int == 1)
        let refused = try caller.put("p", gpus: 8)
        #expect(refused.status == 409 && refused.problem == "pool-in-use")
        #expect(refused.json["detail"].string?.contains("1 placed or running job holds") == true)
        #expect(try caller.put("p", blocks: 3, price: "7.5").json["blockCount"].int == 3)
        try caller.call(.delete, "/v1/jobs/a")
        let deleted = try caller.call(.delete, "/v1/pools/p")
        #expect(deleted.status == 200 && deleted.json["deleted"].bool == true)
        #expect(try caller.get("/v1/pools/p").status == 404)
        // Where an ended job ran is still told.
        #expect(try caller.get("/v1/jobs/a").json["placement"]["pools"][0].string == "p")
    }

    @Test func `a name in the path that is none is a 400`() throws {
        let caller = try APICaller()
        #expect(try caller.put("bad%20name").problem == "invalid-parameter")
        #expect(try caller.put("-p").status == 400)
    }

    @Test func `listed nodes keep their names, domains and blocks`() throws {
        let caller = try APICaller()
        let put = try caller.call(
            .put, "/v1/pools/metal",
            """
            {"provider":"nebius","region":"eu-north1","accelerator":"H200","node":{"gpus":8,"cpuMillis":128000,
            "memoryMiB":1572864},"nodes":[{"name":"rack1/host1","domain":"rack1","block":"row1"},
            {"name":"lone"},{"name":"rack1/host2","domain":"rack1","block":"row1"}]}
            """)
        #expect(put.status == 201 && put.json["nodesListed"].bool == true && !put.json["topology"].isThere)
        #expect(put.json["domainCount"].int == 2 && put.json["blockCount"].int == 2)
        #expect(put.json["purchase"].string == "onDemand" && put.json["priceUSDPerGPUHour"].string == "0.00")
        #expect(put.json["billing"].string == "gpu")
        let nodes = try caller.get("/v1/pools/metal/nodes").json["nodes"].array
        #expect(nodes.compactMap { $0["name"].string } == ["rack1/host1", "rack1/host2", "lone"])
        #expect(nodes.compactMap { $0["domain"].string } == ["rack1", "rack1", "lone"])
        #expect(nodes.compactMap { $0["block"].string } == ["row1", "row1", "b00"])
        let job = try caller.submit("a", count: 2, gpus: 8, ",\"scope\":\"domain\"").json
        #expect(
            job["placement"]["parts"][0]["nodes"].array.compactMap { $0["node"].string } == [
                "metal/rack1/host1", "metal/rack1/host2",
            ])
        #expect(job["placement"]["cost"]["totalUSDPerHour"].string == "0.00")
    }

    @Test func `a node's path takes slashes as they are and encoded`() throws {
        let caller = try APICaller(pools: "p")
        let cordoned = try caller.call(.post, "/v1/nodes/p/b01/d000/n01:cordon")
        #expect(cordoned.status == 200 && cordoned.json["node"].string == "p/b01/d000/n01")
        #expect(cordoned.json["state"].string == "cordoned")
        let ready = try caller.call(.post, "/v1/nodes/p/b01%2Fd000%2Fn01:uncordon")
        #expect(ready.json["state"].string == "ready" && ready.json["name"].string == "b01/d000/n01")
        #expect(try caller.call(.post, "/v1/nodes/p/b01/d000/:cordon").status == 404)
        #expect(try caller.call(.post, "/v1/nodes/p/b01/d000/n01").status == 404)
        #expect(try caller.call(.get, "/v1/nodes/p/b01/d000/n01:cordon").status == 405)
    }

    @Test func `a node goes through its states, and a drain of a down one is refused`() throws {
        let caller = try APICaller(pools: "p")
        func change(_ action: String) throws -> Answered {
            try caller.call(.post, "/v1/nodes/p/b00/d000/n00:\(action)")
        }
        try caller.submit("a", count: 8)
        try caller.call(.post, "/v1/jobs/a:start")
        #expect(try change("drain").json["state"].string == "draining")
        #expect(try change("drain").status == 200)
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "running")
        let down = try change("down")
        #expect(down.json["state"].string == "down" && down.json["cordonedWhenUp"].bool == true)
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "repairing")
        let refused = try change("drain")
        #expect(refused.status == 409 && refused.problem == "illegal-transition")
        #expect(refused.json["state"].string == "down")
        #expect(
            refused.json["detail"].string
                == "Node 'p/b00/d000/n00' is down, so 'drain' does not apply. A node that is down takes cordon, uncordon, down, up."
        )
        #expect(try change("up").json["state"].string == "cordoned")
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "running")
        #expect(try change("uncordon").json["state"].string == "ready")
    }

    @Test func `a node shows what is free on it`() throws {
        let caller = try APICaller()
        try caller.put("p", blocks: 1, domains: 1, nodes: 1)
        try caller.submit("a", count: 1, gpus: 3)
        let node = try caller.get("/v1/pools/p/nodes").json["nodes"][0]
        #expect(node["gpus"].int == 4 && node["gpusFree"].int == 1)
        #expect(node["gpuIndexesFree"].array.compactMap(\.int) == [3])
        #expect(node["cpuMillisFree"].int == 36000)
    }

    @Test func `the fleet's sums agree with each other and with the nodes`() throws {
        let caller = try APICaller(pools: "p", "q")
        try caller.put("r", accelerator: "H200")
        try caller.submit("a", count: 3)
        try caller.submit("b", count: 1, gpus: 2)
        try caller.call(.post, "/v1/nodes/r/b00/d000/n00:cordon")
        let fleet = try caller.get("/v1/fleet").json
        #expect(fleet["poolCount"].int == 3 && fleet["gpus"].int == 96 && fleet["gpusAllocated"].int == 14)
        func sum(_ group: String, _ field: String) -> Int { fleet[group].array.reduce(0) { $0 + ($1[field].int ?? 0) } }
        for field in ["gpus", "gpusAllocated", "gpusBroken", "gpusFree", "gpusUnavailable"] {
            for group in ["providers", "accelerators", "pools"] {
                #expect(sum(group, field) == fleet[field].int, "\(group) \(field)")
            }
        }
        for pool in [fleet] + fleet["pools"].array {
            let parts = ["gpusAllocated", "gpusBroken", "gpusFree", "gpusUnavailable"].compactMap { pool[$0].int }
            #expect(parts.reduce(0, +) == pool["gpus"].int)
        }
        #expect(fleet["gpusUnavailable"].int == 4)
        #expect(fleet["accelerators"].array.compactMap { $0["name"].string } == ["GB200", "H200"])
        #expect(fleet["jobsByState"]["placed"].int == 2)
        var free = 0
        for pool in ["p", "q", "r"] {
            for node in try caller.get("/v1/pools/\(pool)/nodes").json["nodes"].array
            where node["state"].string == "ready" { free += node["gpusFree"].int ?? 0 }
        }
        #expect(fleet["gpusFree"].int == free)
    }

    @Test func `the queue counts jobs by shape, first in line first`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("all", count: 8)
        for number in 0..<3 { try caller.submit("small\(number)", count: 2) }
        try caller.submit("urgent", count: 8, gpus: 4, ",\"priority\":10")
        let queue = try caller.get("/v1/queue").json
        #expect(queue["jobCount"].int == 4 && queue["gpus"].int == 56 && queue["shapeCount"].int == 2)
        #expect(queue["shapes"].array.compactMap { $0["first"]["id"].string } == ["urgent", "small0"])
        #expect(queue["shapes"].array.compactMap { $0["jobCount"].int } == [1, 3])
        #expect(queue["shapes"][0]["first"]["reasons"][0]["reason"].string == "capacityBusy")
        let one = try caller.get("/v1/queue?limit=1").json
        #expect(one["shapes"].array.count == 1 && one["shapeCount"].int == 2)
    }
}
