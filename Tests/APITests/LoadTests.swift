// Lists of nodes of several shapes: a pool of each, under one prefix, all or none where the body has mistakes.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct LoadTests {
    private func node(_ name: String, _ accelerator: String, gpus: Int, cpu: Int = 96000, memory: Int = 393_216)
        -> String
    {
        "{\"name\":\"\(name)\",\"accelerator\":\"\(accelerator)\",\"node\":{\"gpus\":\(gpus),\"cpuMillis\":\(cpu),"
            + "\"memoryMiB\":\(memory)}}"
    }

    private func body(_ nodes: [String], _ more: String = "") -> String {
        "{\"name\":\"openb\",\"provider\":\"lab\",\"region\":\"r\",\"allowsGPUShares\":true\(more),\"nodes\":["
            + nodes.joined(separator: ",") + "]}"
    }

    private func names(_ answer: Answered) -> [String] { answer.json["pools"].array.compactMap { $0["name"].string } }

    @Test func `a list of several shapes makes a pool of each, named by prefix, accelerator and shape`() throws {
        let caller = try APICaller()
        let nodes = [
            node("n0", "P100", gpus: 2, cpu: 64000, memory: 262_144), node("n1", "G2", gpus: 8),
            node("n2", "G2", gpus: 8),
            node("n3", "G2", gpus: 8, cpu: 96500, memory: 393_000),
        ]
        let answer = try caller.call(.post, "/v1/pools:load", body(nodes, ",\"billing\":\"node\""))
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.json["pools"].array.allSatisfy { $0["billing"].string == "node" })
        let pools = ["openb-p100-2g-64c-256g", "openb-g2-8g-96c-384g", "openb-g2-8g-96500m-393000mi"]
        #expect(names(answer) == pools)
        #expect(answer.json["pools"].array.compactMap { $0["nodeCount"].int } == [1, 2, 1])
        #expect(answer.json["pools"].array.compactMap { $0["gpus"].int } == [2, 16, 8])
        #expect(answer.json["pools"].array.allSatisfy { $0["allowsGPUShares"].bool == true })
        #expect(try caller.get("/v1/pools").json["pools"].array.count == 3)
        let listed = try caller.get("/v1/pools/openb-g2-8g-96c-384g/nodes").json["nodes"].array
        #expect(listed.compactMap { $0["name"].string } == ["n1", "n2"])
        let revision = caller.backend.view.revision
        let again = try caller.call(.post, "/v1/pools:load", body(nodes, ",\"billing\":\"node\""))
        #expect(again.text == answer.text && caller.backend.view.revision == revision)
        // A longer list that begins with this one makes the same names.
        let longer = try caller.call(
            .post, "/v1/pools:load", body(nodes + [node("n4", "T4", gpus: 4), nodes[1].replacing("n1", with: "n5")]))
        #expect(names(longer) == pools + ["openb-t4-4g-96c-384g"])
        #expect(longer.json["pools"].array.compactMap { $0["nodeCount"].int } == [1, 3, 1, 1])
        #expect(caller.backend.fault == nil)
    }

    @Test func `nodes without a shape of their own are of the body's, and pools that would share a name differ`() throws
    {
        let caller = try APICaller()
        let common =
            ",\"accelerator\":\"H100\",\"instanceType\":\"big\",\"node\":{\"gpus\":8,\"cpuMillis\":1000,\"memoryMiB\":1024}"
        let plain = try caller.call(.post, "/v1/pools:load", body(["{\"name\":\"a\"}"], common))
        #expect(names(plain) == ["openb"])
        let mixed = try caller.call(
            .post, "/v1/pools:load",
            body(
                [
                    "{\"name\":\"a\"}", "{\"name\":\"b\",\"instanceType\":\"Other\"}",
                    "{\"name\":\"c\",\"accelerator\":\"h100\",\"instanceType\":\"Other\"}",
                ], common))
        #expect(
            names(mixed) == ["openb-h100-8g-1c-1g", "openb-h100-8g-1c-1g-other", "openb-h100-8g-1c-1g-other-2"],
            "\(mixed.text)")
        let counted = try caller.call(
            .post, "/v1/pools:load",
            "{\"name\":\"c\",\"provider\":\"a\",\"region\":\"r\",\"topology\":{\"blocks\":1,\"domainsPerBlock\":1,"
                + "\"nodesPerDomain\":2}\(common)}")
        #expect(names(counted) == ["c"])
    }

    @Test func `a list with mistakes puts nothing and names them all`() throws {
        let caller = try APICaller()
        let answer = try caller.call(
            .post, "/v1/pools:load",
            body([
                node("n0", "P100", gpus: 32), "{\"name\":\"n1\",\"accelerator\":\"G2\"}",
                "{\"node\":5,\"name\":\"n1\"}",
            ]))
        #expect(answer.status == 422)
        #expect(
            Set(answer.mistakes) == [
                "/nodes/0/node/gpus outOfRange", "/nodes/2/node wrongType", "/nodes duplicate", "/accelerator missing",
                "/node missing",
            ], "\(answer.text)")
        let long = body([node("n0", "P100", gpus: 2)]).replacing("openb", with: String(repeating: "x", count: 120))
        #expect(try caller.call(.post, "/v1/pools:load", long).mistakes == ["/name tooLong"])
        #expect(caller.backend.view.pools.isEmpty)
        // One pool is of one shape.
        let put = try caller.call(
            .put, "/v1/pools/p",
            "{\"provider\":\"a\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":1,\"memoryMiB\":1},"
                + "\"nodes\":[\(node("n", "y", gpus: 2))]}")
        #expect(put.mistakes == ["/nodes/0 invalid"])
        #expect(put.json["errors"][0]["detail"].string?.contains("/v1/pools:load") == true)
    }

    @Test func `a pool that is refused says how many were put before it`() throws {
        let caller = try APICaller()
        try caller.call(.post, "/v1/pools:load", body([node("n0", "G2", gpus: 8)]))
        try caller.submit("a", count: 1, gpus: 8)
        let answer = try caller.call(
            .post, "/v1/pools:load", body([node("n1", "T4", gpus: 8), node("other", "G2", gpus: 8)]))
        #expect(answer.status == 409 && answer.problem == "pool-in-use")
        #expect(answer.json["detail"].string?.hasSuffix("Before it 1 of 2 pools were put.") == true)
        #expect(try caller.get("/v1/pools").json["pools"].array.count == 2)
        caller.backend.stopWrites(.diskFull)
        let full = try caller.call(.post, "/v1/pools:load", body([node("n9", "T4", gpus: 4)]))
        #expect(full.status == 503 && full.problem == "disk-full")
    }
}
