// Lists: pages over changing data, and filters.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct ListTests {
    private func ids(_ answer: Answered) -> [String] { answer.json["jobs"].array.compactMap { $0["id"].string } }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `pages over changing jobs give every job that stays exactly once`(seed: UInt64) throws {
        var random = Random(seed: seed)
        let caller = try APICaller(pools: "p")
        var steady: Set<String> = []
        for number in 0..<30 {
            try caller.submit("j\(number)")
            steady.insert("j\(number)")
        }
        var seen: [String] = []
        var target: String? = "/v1/jobs?limit=\(random.below(7) + 1)"
        let base = try #require(target)
        var fresh = 0
        while let next = target {
            let page = try caller.get(next)
            seen += ids(page)
            target = page.json["nextCursor"].string.map { base + "&cursor=" + $0 }
            // Between pages jobs arrive, move and end.
            if fresh < 15 {
                fresh += 1
                try caller.submit("new\(fresh)")
            }
            let id = "j\(random.below(30))"
            try caller.call(.post, "/v1/jobs/\(id):start")
            if random.below(2) == 0 { try caller.call(.delete, "/v1/jobs/\(id)") }
        }
        #expect(seen.count == Set(seen).count, "seed \(seed): a job stands on two pages")
        #expect(steady.isSubset(of: seen), "seed \(seed): a job is lost")
    }

    @Test func `the last page has no cursor, also where it is exactly full`() throws {
        let caller = try APICaller(pools: "p")
        for number in 0..<4 { try caller.submit("j\(number)") }
        let first = try caller.get("/v1/jobs?limit=2")
        let second = try caller.get("/v1/jobs?limit=2&cursor=" + (first.json["nextCursor"].string ?? "?"))
        #expect(ids(first) + ids(second) == ["j0", "j1", "j2", "j3"])
        #expect(!second.json["nextCursor"].isThere)
        #expect(ids(try caller.get("/v1/jobs?cursor=czzzz")) == [])
        #expect(second.json["revision"].int.map(String.init) == second.field("X-Berth-Revision"))
    }

    @Test func `filters by state, tenant, pool and node meet`() throws {
        let caller = try APICaller(pools: "p", "q")
        try caller.submit("a", count: 2, gpus: 4, ",\"tenant\":\"t1\",\"allow\":{\"pools\":[\"p\"]}")
        try caller.submit("b", count: 1, gpus: 4, ",\"tenant\":\"t1\",\"allow\":{\"pools\":[\"q\"]}")
        try caller.submit("c", count: 1, gpus: 1, ",\"tenant\":\"t2\",\"allow\":{\"pools\":[\"q\"]}")
        try caller.submit("d", count: 100, gpus: 1, ",\"tenant\":\"t2\"")
        try caller.call(.post, "/v1/jobs/b:start")
        try caller.call(.post, "/v1/jobs/b:finish", "{\"result\":\"failed\"}")
        func list(_ query: String) throws -> [String] { ids(try caller.get("/v1/jobs?" + query)) }
        #expect(try list("state=placed") == ["a", "c"])
        #expect(try list("state=failed,queued") == ["b", "d"])
        #expect(try list("state=running") == [])
        #expect(try list("tenant=t1") == ["a", "b"])
        #expect(try list("tenant=t3") == [])
        #expect(try list("pool=q") == ["b", "c"])
        #expect(try list("pool=q&state=placed,running") == ["c"])
        #expect(try list("pool=p&tenant=t2") == [])
        let node = try #require(
            try caller.get("/v1/jobs/c").json["placement"]["parts"][0]["nodes"][0]["node"].string)
        #expect(try list("node=" + node).contains("c"))
        #expect(try list("node=" + node + "&pool=q&tenant=t2") == ["c"])
        #expect(try list("node=" + node.split(separator: "/").joined(separator: "%2F")).contains("c"))
        #expect(try list("node=q/b01/d001/n01") == [])
        // Whoever holds nodes of a pool is found as the refusal says.
        let refused = try caller.call(.delete, "/v1/pools/q")
        #expect(refused.status == 409 && refused.problem == "pool-in-use")
        let hint = try #require(refused.json["detail"].string?.split(separator: " ").first { $0.hasPrefix("/v1") })
        #expect(ids(try caller.get(String(hint))) == ["c"])
    }

    @Test func `a filter looks behind the page, and its cursor goes on where it was`() throws {
        let caller = try APICaller(pools: "p")
        for number in 0..<12 { try caller.submit("j\(number)", count: 1, gpus: 1, ",\"tenant\":\"t\(number % 3)\"") }
        var seen: [String] = []
        var cursor = ""
        repeat {
            let page = try caller.get("/v1/jobs?tenant=t1&limit=3" + cursor)
            seen += ids(page)
            cursor = page.json["nextCursor"].string.map { "&cursor=" + $0 } ?? ""
        } while !cursor.isEmpty
        #expect(seen == ["j1", "j4", "j7", "j10"])
    }

    @Test func `pages of nodes give each node once, and filter by state`() throws {
        let caller = try APICaller()
        try caller.put("p", blocks: 2, domains: 3, nodes: 2)
        for name in ["b00/d001/n00", "b01/d002/n01"] { try caller.call(.post, "/v1/nodes/p/\(name):cordon") }
        try caller.call(.post, "/v1/nodes/p/b01/d000/n00:down")
        func nodes(_ query: String) throws -> [String] {
            var seen: [String] = []
            var cursor = ""
            repeat {
                let page = try caller.get("/v1/pools/p/nodes?" + query + cursor)
                seen += page.json["nodes"].array.compactMap { $0["name"].string }
                cursor = page.json["nextCursor"].string.map { "&cursor=" + $0 } ?? ""
            } while !cursor.isEmpty
            return seen
        }
        let all = try nodes("limit=5")
        #expect(all.count == 12 && Set(all).count == 12 && all == all.sorted())
        #expect(try nodes("limit=1&state=cordoned") == ["b00/d001/n00", "b01/d002/n01"])
        #expect(try nodes("state=down,cordoned") == ["b00/d001/n00", "b01/d000/n00", "b01/d002/n01"])
        #expect(try nodes("limit=9&state=ready").count == 9)
        #expect(try nodes("state=draining") == [])
    }

    @Test func `pools are listed and filtered`() throws {
        let caller = try APICaller(pools: "p")
        try caller.put("q", accelerator: "H200")
        func names(_ query: String) throws -> [String] {
            try caller.get("/v1/pools" + query).json["pools"].array.compactMap { $0["name"].string }
        }
        #expect(try names("") == ["p", "q"])
        #expect(try names("?accelerator=H200") == ["q"])
        #expect(try names("?provider=aws&region=us-east-1") == ["p", "q"])
        #expect(try names("?provider=azure") == [])
        try caller.call(.delete, "/v1/pools/p")
        #expect(try names("") == ["q"])
    }
}
