// Tenants over HTTP: put, read, list, delete; every mistake of a body at once; and what a job that waits for one is told.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct TenantTests {
    private static let full = """
        {"weight":3,"quota":[{"accelerator":"*","nominalUSDPerHour":"20000"},{"accelerator":"GB200","nominalGPUs":8,
        "borrowLimitGPUs":8,"lendLimitGPUs":4},{"accelerator":"GB200","nominalGPUs":64,"from":"2027-01-01T00:00:00+01:00",
        "until":"2027-01-08T00:00:00.5Z"}],"budget":{"gpuHoursPerMonth":100,"usdPerMonth":"5000.5","enforcement":"hard"},
        "maxQueuedJobs":5,"maxRunningJobs":4,"residency":["us-east-1","aws/us-west-2"],"denyProviders":["gcp"],
        "labels":{"team":"vision"}}
        """

    @Test func `a tenant comes back as it was put, with its figures`() throws {
        let caller = try APICaller(pools: "p")
        let put = try caller.call(.put, "/v1/tenants/research/vision", Self.full)
        #expect(put.status == 201 && put.field("Location") == "/v1/tenants/research/vision")
        #expect(try caller.call(.put, "/v1/tenants/research/vision", Self.full).status == 200)
        let got = try caller.get("/v1/tenants/research/vision").json
        #expect(got["weight"].int == 3 && got["isImplicit"].bool == false && got["maxQueuedJobs"].int == 5)
        #expect(got["quota"][0]["nominalUSDPerHour"].string == "20000.00")
        #expect(got["quota"][1]["lendLimitGPUs"].int == 4)
        #expect(got["quota"][2]["from"].string == "2026-12-31T23:00:00.000Z")
        #expect(got["quota"][2]["until"].string == "2027-01-08T00:00:00.500Z")
        #expect(got["budget"]["usdPerMonth"].string == "5000.50" && got["budget"]["enforcement"].string == "hard")
        #expect(got["residency"].array.count == 2 && got["denyProviders"][0].string == "gcp")
        #expect(got["labels"]["team"].string == "vision")
        #expect(got["outlook"].array.count == 1 && got["month"]["gpuHoursLeft"].int == 100)
        let above = try caller.get("/v1/tenants/research").json
        #expect(above["isImplicit"].bool == true && above["childCount"].int == 1)
        #expect(try caller.get("/v1/tenants?below=research").json["tenants"].array.count == 1)
        #expect(try caller.get("/v1/tenants?limit=1").json["nextCursor"].isThere)
        #expect(try caller.get("/v1/tenants").json["tenants"].array.count == 2)
    }

    @Test func `a job that waits for quota is told by how much, and goes on when it may`() throws {
        let caller = try APICaller(pools: "p")
        let quota = { (gpus: Int) in
            #"{"quota":[{"accelerator":"GB200","nominalGPUs":\#(gpus),"borrowLimitGPUs":0}]}"#
        }
        try caller.call(.put, "/v1/tenants/lab", quota(4))
        try caller.submit("a", count: 1, gpus: 4, #","tenant":"lab/x""#)
        let waits = try caller.submit("b", count: 2, gpus: 4, #","tenant":"lab/y""#).json
        #expect(waits["state"].string == "queued" && waits["tenant"].string == "lab/y")
        let reason = waits["reasons"][0]
        #expect(reason["reason"].string == "quotaUsedUp")
        #expect(reason["rule"]["neededGPUs"].int == 8 && reason["rule"]["availableGPUs"].int == 0)
        let tenant = try caller.get("/v1/tenants/lab").json
        #expect(tenant["quotaNow"][0]["usedGPUs"].int == 4 && tenant["runningJobs"].int == 1)
        #expect(tenant["outlook"][0]["quotaLeftGPUs"].int == 0 && tenant["queuedJobs"].int == 1)
        try caller.call(.put, "/v1/tenants/lab", quota(12))
        #expect(try caller.get("/v1/jobs/b").json["state"].string == "placed")
        #expect(try caller.get("/v1/jobs?tenant=lab/y").json["jobs"].array.count == 1)
        #expect(try caller.get("/metrics").text.contains(#"berth_tenant_gpu_milli{tenant="lab"} 12000"#))
        let refused = try caller.call(.delete, "/v1/tenants/lab")
        #expect(refused.status == 409 && refused.problem == "tenant-in-use")
        for job in ["a", "b"] { try caller.call(.delete, "/v1/jobs/\(job)") }
        for path in ["lab/x", "lab/y", "lab"] {
            #expect(try caller.call(.delete, "/v1/tenants/\(path)").json["deleted"].bool == true)
        }
        #expect(try caller.get("/v1/tenants/lab").problem == "tenant-not-found")
        #expect(try caller.get("/v1/tenants?below=lab").status == 404)
    }

    @Test func `a full queue of a tenant is a 429 that names the tenant`() throws {
        let caller = try APICaller(pools: "p")
        try caller.call(.put, "/v1/tenants/lab", #"{"maxQueuedJobs":0}"#)
        let refused = try caller.submit("a", count: 1, gpus: 4, #","tenant":"lab/x""#)
        #expect(refused.status == 429 && refused.problem == "tenant-queue-full")
        #expect(refused.json["detail"].string?.contains("'lab'") == true)
    }

    @Test func `all mistakes of a tenant come at once and change nothing`() throws {
        let caller = try APICaller(pools: "p")
        let bad = try caller.call(
            .put, "/v1/tenants/lab",
            """
            {"path":"other","weight":0,"quota":[{"accelerator":"a b"},{"accelerator":"GB200","nominalGPUs":-1},
            {"accelerator":"GB200","nominalGPUs":1},{"accelerator":"*","nominalGPUs":1},
            {"accelerator":"H100","nominalGPUs":1,"from":"2027-02-30T00:00:00Z"},
            {"accelerator":"B200","nominalGPUs":1,"from":"2027-02-03T00:00:00Z","until":"2027-02-02T00:00:00Z"}],
            "budget":{},"maxRunningJobs":1.5,"residency":["a/b/c"],"denyProviders":["x","x"],"colour":1}
            """)
        #expect(bad.status == 422)
        let pointers = Set(bad.json["errors"].array.compactMap { $0["pointer"].string })
        for pointer in [
            "/path", "/weight", "/quota/0/accelerator", "/quota/1/nominalGPUs", "/quota/2",
            "/quota/3/nominalUSDPerHour",
            "/quota/3/nominalGPUs", "/quota/4/from", "/quota/5/until", "/budget/gpuHoursPerMonth", "/maxRunningJobs",
            "/residency/0", "/denyProviders/1", "/colour",
        ] { #expect(pointers.contains(pointer), "\(pointer) of \(pointers.sorted())") }
        #expect(try caller.get("/v1/tenants/lab").status == 404)
        #expect(try caller.call(.put, "/v1/tenants/a//b", "{}").status == 404)
        #expect(try caller.call(.put, "/v1/tenants/a/b/c/d/e/f/g", "{}").status == 400)
        #expect(try caller.submit("a", count: 1, gpus: 4, #","tenant":"a//b""#).status == 422)
    }
}
