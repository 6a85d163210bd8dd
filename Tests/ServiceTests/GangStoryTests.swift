// What a gang may ask for, by curl against the real binary: every feature once, and the same answers after a kill.

import Foundation
import JSON
import TestKit
import Testing

@Suite(.enabled(if: Tools.haveCurl, "needs /usr/bin/curl"))
struct GangStoryTests {
    /// A server that was asked something, and what it said.
    private struct Asked {
        let server: RunningBerth

        func ask(_ method: String, _ path: String, _ body: String? = nil, status: Int) throws -> JSONValue {
            let answer = try server.curl(method, path, body: body)
            #expect(answer.status == status, "\(method) \(path): \(answer.body)")
            return try JSONDocument(Array(answer.body.utf8)).root
        }

        /// Submits a job of these groups, each an object without its braces.
        func submit(_ id: String, _ groups: [String], _ more: String = "") throws -> JSONValue {
            let workers = groups.map { "{\($0)}" }.joined(separator: ",")
            return try ask("POST", "/v1/jobs", #"{"id":"\#(id)","workers":[\#(workers)]\#(more)}"#, status: 201)
        }
    }

    private func parts(_ job: JSONValue) -> [JSONValue] { job["placement"]?.list("parts") ?? [] }

    private func nodes(_ job: JSONValue) -> [JSONValue] { parts(job).flatMap { $0.list("nodes") } }

    private func names(_ job: JSONValue, _ field: String) -> [String] { nodes(job).compactMap { $0[field]?.string } }

    private func cost(_ job: JSONValue, _ term: String) -> String? { job["placement"]?["cost"]?[term]?.string }

    @Test(
        "Roles, shares, segments, splits, exclusive places, spread, growth, speeds and spares are placed and survive a kill"
    )
    func everyFeature() throws {
        let place = Place()
        let rack = #","priceUSDPerGPUHour":"1","sparesPerDomain":1"#
        let fleet = Fleets.of([
            Fleets.pool("east", Caller.pool(blocks: 2, domains: 4, nodes: 5, rack)),
            Fleets.pool("west", Caller.pool(blocks: 2, domains: 4, nodes: 5, rack + #","reservation":"cr-7""#)),
            Fleets.pool(
                "cut",
                #"{"provider":"aws","region":"us-east-1","accelerator":"GB300","node":{"gpus":4,"cpuMillis":1000,"memoryMiB":1000},"#
                    + #""topology":{"blocks":1,"domainsPerBlock":1,"nodesPerDomain":4,"cliquesPerDomain":2}}"#),
            Fleets.pool("burst", Caller.pool(nodes: 2, gpus: 8, accelerator: "H200", #","allowsGPUShares":true"#)),
        ])
        let server = try place.serve(fleet: fleet)
        let api = Asked(server: server)
        let gb200 = #","accelerators":["GB200"]"#

        let roles = try api.submit(
            "roles",
            [
                #""name":"trainer","count":4,"gpus":4,"segment":{"size":2,"tier":"domain"}"#,
                #""name":"loader","count":2,"gpus":0,"cpuMillis":500"#,
            ], gb200 + #","scope":{"required":"pool","preferred":"node"}"#)
        #expect(parts(roles).map { $0["group"]?.string } == ["trainer", "loader"])
        #expect(parts(roles).last?.list("nodes").first?.list("workers").first?.list("gpuIndexes").isEmpty == true)
        #expect(cost(roles, "priceUSDPerHour") == "16.00" && cost(roles, "topologyUSDPerHour") != "0.00")

        let share = try api.submit("share", [#""count":3,"gpuMilli":300"#])
        #expect(share["placement"]?["gpuMilli"]?.int64 == 900 && share["placement"]?["gpus"]?.int64 == 1)
        #expect(parts(share)[0]["gpuMilliPerWorker"]?.int64 == 300)
        let devices = nodes(share)[0].list("workers").flatMap { $0.list("gpuIndexes") }.compactMap(\.int64)
        let shared = try api.ask("GET", "/v1/pools/burst/nodes", status: 200).list("nodes")
        let left = shared.flatMap { $0.list("gpuMilliFree") }.compactMap(\.int64)
        #expect(devices.count == 3 && left.reduce(0, +) == 16 * 1000 - 900)

        let split = try api.submit(
            "split", [#""count":48,"gpus":4"#], gb200 + #","split":{"maxPools":2,"minWorkersPerPool":4}"#)
        #expect(split["placement"]?.list("pools").count == 2 && split["placement"]?["tier"]?.string == "region")
        #expect(Set(names(split, "reservation")) == ["cr-7"], "only west has a reservation")
        #expect(!names(split, "node").contains { $0.hasSuffix("n04") }, "spares are kept out")
        _ = try api.ask("DELETE", "/v1/jobs/split", status: 200)

        let alone = try api.submit("alone", [#""count":1,"gpus":1"#], gb200 + #","exclusive":"domain""#)
        #expect(alone["placement"]?["exclusive"]?.string == "domain")
        #expect(cost(alone, "priceUSDPerHour") == "20.00")
        let apart = try api.submit("apart", [#""count":3,"gpus":1,"spread":{"workersPerDomain":1}"#], gb200)
        #expect(Set(names(apart, "domain")).count == 3)

        let grown = try api.submit("grown", [#""minCount":2,"maxCount":4,"gpus":4"#], gb200 + #","scope":"domain""#)
        #expect(parts(grown)[0]["workers"]?.int64 == 4 && grown.list("workers")[0]["maxCount"]?.int64 == 4)
        let scaled = try api.submit(
            "scaled", [#""count":2,"gpus":1"#],
            #","accelerators":[{"model":"GB200","speedMilli":500}],"scaleBySpeed":true"#)
        #expect(parts(scaled)[0]["workers"]?.int64 == 4)
        let spare = try api.submit(
            "spare", [#""count":5,"gpus":4"#], gb200 + #","scope":"domain","preemptible":true,"usesSpares":true"#)
        #expect(names(spare, "node").contains { $0.hasSuffix("n04") })
        let pages = try api.ask("GET", "/v1/pools/east/nodes?limit=5", status: 200).list("nodes")
        #expect(pages.map { $0["spare"]?.boolean } == [nil, nil, nil, nil, true])

        let cut = try api.submit("cut", [#""count":2,"gpus":4"#], #","accelerators":["GB300"],"scope":"domain""#)
        #expect(Set(names(cut, "clique")).count == 1 && Set(names(cut, "domain")) == ["b00/d000"])
        let over = try api.submit("over", [#""count":3,"gpus":4"#], #","accelerators":["GB300"],"scope":"domain""#)
        #expect(over["state"]?.string == "queued" && over.list("reasons")[0]["reason"]?.string == "gangTooLarge")
        let patient = try api.submit(
            "patient", [#""count":3,"gpus":4"#],
            #","accelerators":["GB300"],"scope":{"required":"block","preferred":"domain","patienceSeconds":3600}"#)
        #expect(patient["state"]?.string == "queued")

        let ids = ["roles", "share", "split", "alone", "apart", "grown", "scaled", "spare", "cut", "over"]
        let before = try ids.map { try server.curl("GET", "/v1/jobs/\($0)").body }
        server.killAtOnce()
        let next = try place.serve(fleet: fleet)
        #expect(try ids.map { try next.curl("GET", "/v1/jobs/\($0)").body } == before)
        #expect(next.stop() == 0)
        let dumped = try Programs.berth(["journal", "dump", "--data", place.data])
        #expect(dumped.status == 0)
    }

    @Test(
        "In a pool billed by the node the first job pays for the node, the next for nothing, and a kill forgets neither"
    )
    func billing() throws {
        let place = Place()
        let terms = #","priceUSDPerGPUHour":"2","billing":"#
        let fleet = Fleets.of([
            Fleets.pool("whole", Caller.pool(nodes: 2, gpus: 8, terms + #""node""#)),
            Fleets.pool("single", Caller.pool(nodes: 2, gpus: 8, terms + #""gpu""#)),
        ])
        let server = try place.serve(fleet: fleet)
        let api = Asked(server: server)
        #expect(try api.ask("GET", "/v1/pools/whole", status: 200)["billing"]?.string == "node")
        #expect(try api.ask("GET", "/v1/pools/single", status: 200)["billing"]?.string == "gpu")
        let whole = #","allow":{"pools":["whole"]}"#
        let first = try api.submit("first", [#""count":1,"gpus":2"#], whole)
        #expect(cost(first, "priceUSDPerHour") == "16.00" && parts(first)[0]["billing"]?.string == "node")
        // Beside it there is nothing more to pay, and elsewhere there is.
        let second = try api.submit("second", [#""count":2,"gpus":2"#])
        #expect(cost(second, "priceUSDPerHour") == "0.00" && names(second, "node") == names(first, "node"))
        let third = try api.submit("third", [#""count":1,"gpus":4"#])
        #expect(cost(third, "priceUSDPerHour") == "8.00" && parts(third)[0]["billing"]?.string == "gpu")
        let alone = try api.submit(
            "alone", [#""count":1,"gpus":1"#], #","exclusive":"domain","allow":{"pools":["whole"]}"#)
        #expect(alone["state"]?.string == "queued", "the only domain is in use")
        _ = try server.curl("DELETE", "/v1/jobs/alone")
        let wrong = try api.ask(
            "PUT", "/v1/pools/other", Caller.pool(nodes: 2, gpus: 8, terms + #""rack""#), status: 422)
        #expect(wrong.list("errors").compactMap { $0["pointer"]?.string } == ["/billing"])

        let ids = ["first", "second", "third"]
        let before = try ids.map { try server.curl("GET", "/v1/jobs/\($0)").body }
        server.killAtOnce()
        let next = try place.serve(fleet: fleet)
        #expect(try ids.map { try next.curl("GET", "/v1/jobs/\($0)").body } == before)
        _ = try Asked(server: next).ask(
            "PUT", "/v1/pools/whole", Caller.pool(nodes: 2, gpus: 8, terms + #""gpu""#), status: 200)
        let fourth = try Asked(server: next).submit("fourth", [#""count":1,"gpus":2"#], whole)
        #expect(cost(fourth, "priceUSDPerHour") == "4.00")
        #expect(next.stop() == 0)
        let dumped = try Programs.berth(["journal", "dump", "--data", place.data])
        #expect(dumped.status == 0 && dumped.output.contains(#""billing":"node""#))
    }

    @Test("A list of nodes of several shapes is one pool a shape, over HTTP and from a fleet file")
    func mixedNodes() throws {
        let place = Place()
        func node(_ name: String, _ model: String, _ gpus: Int) -> String {
            #"{"name":"\#(name)","accelerator":"\#(model)","node":{"gpus":\#(gpus),"cpuMillis":96000,"memoryMiB":393216}}"#
        }
        let lines = [node("n0", "P100", 2), node("n1", "G2", 8), node("n2", "P100", 2), node("n3", "G2", 8)]
        _ = try place.write("nodes.ndjson", lines.joined(separator: "\n") + "\n")
        let entry =
            #"{"name":"openb","provider":"aws","region":"us-east-1","nodesFile":"nodes.ndjson","allowsGPUShares":true}"#
        let server = try place.serve(fleet: Fleets.of([entry]))
        let api = Asked(server: server)
        let pools = ["openb-p100-2g-96c-384g", "openb-g2-8g-96c-384g"]
        let listed = try api.ask("GET", "/v1/pools", status: 200)
        #expect(listed.list("pools").compactMap { $0["name"]?.string } == pools)
        let body = #"{"name":"lab","provider":"lab","region":"r","nodes":["# + lines.joined(separator: ",") + "]}"
        let loaded = try api.ask("POST", "/v1/pools:load", body, status: 200)
        #expect(
            loaded.list("pools").compactMap { $0["name"]?.string } == ["lab-p100-2g-96c-384g", "lab-g2-8g-96c-384g"])
        #expect(loaded.list("pools").compactMap { $0["nodeCount"]?.int64 } == [2, 2])
        let job = try api.submit("a", [#""count":2,"gpuMilli":500"#], #","accelerators":["G2"]"#)
        #expect(parts(job)[0]["pool"]?.string == "openb-g2-8g-96c-384g")
        let bad = try api.ask(
            "POST", "/v1/pools:load", #"{"name":"x","provider":"lab","region":"r","nodes":[{"name":"a"},{}]}"#,
            status: 422)
        #expect(bad.list("errors").compactMap { $0["pointer"]?.string } == ["/nodes/1/name", "/accelerator", "/node"])
        #expect(try api.ask("GET", "/v1/pools", status: 200).list("pools").count == 4)
        let revision = try server.caller.get("/v1/fleet").revision
        #expect(server.stop() == 0)
        let next = try place.serve(fleet: Fleets.of([entry]))
        #expect(try next.caller.get("/v1/fleet").revision == revision)
        #expect(next.stop() == 0)
    }
}
