// Plans by curl against the real binary: moves that free a domain, where a provider's jobs would go, and nothing changed by either.

import Foundation
import TestKit
import Testing

@Suite(.enabled(if: Tools.haveCurl, "needs /usr/bin/curl"))
struct PlanStoryTests {
    private static func pool(_ provider: String, domains: Int) -> String {
        """
        {"provider":"\(provider)","region":"east","accelerator":"GB200","node":{"gpus":4,"cpuMillis":144000,
        "memoryMiB":983040},"topology":{"blocks":1,"domainsPerBlock":\(domains),"nodesPerDomain":2},
        "priceUSDPerGPUHour":"6.90"}
        """
    }

    @Test("Two half full domains become one, on paper; a provider that is emptied sends its jobs away")
    func plans() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 1))
        #expect(try server.curl("DELETE", "/v1/pools/pool").status == 200)
        #expect(try server.curl("PUT", "/v1/pools/p", body: Self.pool("aws", domains: 2)).status == 201)
        for id in ["a", "b", "c"] {
            #expect(try server.curl("POST", "/v1/jobs", body: Caller.job(id, workers: 1, gpus: 4)).status == 201)
        }
        #expect(try server.curl("DELETE", "/v1/jobs/b").status == 200)
        #expect(try server.curl("POST", "/v1/jobs/a:start").status == 200)
        #expect(try server.curl("POST", "/v1/jobs/c:start").status == 200)

        let plan = try server.curl("POST", "/v1/plans:defragment", body: "{}")
        #expect(plan.status == 200)
        #expect((plan.json["revision"] as? Int).map { "\($0)" } == plan.fields["x-berth-revision"])
        let moves = plan.json["moves"] as? [[String: Any]] ?? []
        #expect(moves.count == 1 && plan.json["end"] as? String == "nothingMore")
        #expect((moves.first?["domainsWon"] as? [[String: Any]])?.count == 1)

        #expect(try server.curl("PUT", "/v1/pools/q", body: Self.pool("gcp", domains: 1)).status == 201)
        #expect(try server.curl("POST", "/v1/jobs", body: Caller.job("d", workers: 3, gpus: 4)).status == 201)
        func revision() throws -> String? { try server.curl("GET", "/v1/jobs/a").fields["x-berth-revision"] }
        let before = try revision()
        let evacuation = try server.curl("POST", "/v1/plans:evacuate", body: #"{"provider":"gcp"}"#)
        #expect(evacuation.status == 200 && (evacuation.json["jobs"] as? [Any])?.isEmpty == true)
        #expect(evacuation.json["nodeCount"] as? Int == 2)
        let other = try server.curl("POST", "/v1/plans:evacuate", body: #"{"domains":["p/b00/d000","p/b00/d001"]}"#)
        let outcomes = (other.json["jobs"] as? [[String: Any]] ?? []).compactMap { $0["outcome"] as? String }
        #expect(outcomes == ["moves", "moves"])
        let wrong = try server.curl("POST", "/v1/plans:evacuate", body: #"{"provider":"azure","limit":0}"#)
        #expect(wrong.status == 422 && (wrong.json["errors"] as? [Any])?.count == 2)
        #expect(try revision() == before && before != nil)
        #expect(server.stop() == 0)
    }
}
