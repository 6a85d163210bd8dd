// Submitting, reading and moving jobs, as a client sees it.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct JobTests {
    @Test func `a job that fits is placed in the answer, and workers, nodes and GPUs add up to its cost`() throws {
        let caller = try APICaller(pools: "p")
        let answer = try caller.submit("llm-7", count: 5, gpus: 2, ",\"scope\":\"block\"")
        #expect(answer.status == 201)
        #expect(answer.field("Location") == "/v1/jobs/llm-7")
        let job = answer.json
        #expect(job["state"].string == "placed")
        #expect(job["gpus"].int == 10)
        let placement = job["placement"]
        #expect(placement["gpus"].int == 10)
        #expect(placement["gpuMilli"].int == 10_000)
        #expect(placement["tier"].string == "block")
        #expect(placement["cost"]["priceUSDPerHour"].string == "69.00")
        #expect(placement["cost"]["topologyUSDPerHour"].string == "0.00")
        #expect(placement["parts"].array.count == 1)
        let part = placement["parts"][0]
        #expect(part["group"].string == "worker" && part["workers"].int == 5 && part["pool"].string == "p")
        #expect(part["priceUSDPerGPUHour"].string == "6.90" && part["gpusPerWorker"].int == 2)
        let nodes = part["nodes"].array
        #expect(nodes.count == placement["nodeCount"].int && nodes.count == part["nodeCount"].int)
        #expect(Set(nodes.compactMap { $0["domain"].string }).count == placement["domainCount"].int)
        var workers: [Int] = []
        for node in nodes {
            var gpus: [Int] = []
            for worker in node["workers"].array {
                workers.append(worker["worker"].int ?? -1)
                #expect(worker["gpuIndexes"].array.count == 2)
                gpus += worker["gpuIndexes"].array.compactMap(\.int)
            }
            #expect(gpus.count == Set(gpus).count && gpus.allSatisfy { (0..<4).contains($0) })
        }
        #expect(workers == Array(0..<5))
        #expect(!job["reasons"].isThere)
        #expect(caller.backend.fault == nil)
    }

    @Test func `a submit without an id is given one that can be read`() throws {
        let caller = try APICaller(pools: "p")
        let answer = try caller.call(.post, "/v1/jobs", "{\"workers\":[{\"count\":1,\"gpus\":1}]}")
        let id = try #require(answer.json["id"].string)
        #expect(answer.status == 201 && id == "job-1")
        #expect(try caller.get("/v1/jobs/\(id)").json["state"].string == "placed")
        #expect(answer.json["tenant"].string == "default")
        #expect(answer.json["priority"].int == 0)
        #expect(answer.json["scope"].string == "pool")
    }

    @Test func `a job that cannot run now says all that is in the way, nearest first, and whether it ever could`()
        throws
    {
        let caller = try APICaller(pools: "p")
        try caller.put("other", accelerator: "H200")
        try caller.submit("first", count: 6)
        let busy = try caller.submit("waits", count: 4, gpus: 4, ",\"accelerators\":[\"GB200\"]")
        #expect(busy.status == 201)
        #expect(busy.json["state"].string == "queued")
        #expect(busy.json["couldEverFit"].bool == true)
        let reasons = busy.json["reasons"].array
        #expect(reasons.compactMap { $0["reason"].string } == ["capacityBusy", "acceleratorNotWanted"])
        #expect(reasons[0]["nearestPool"].string == "p")
        #expect(reasons[0]["workersThatFit"].int == 2)
        #expect(reasons[0]["workersNeeded"].int == 4)
        #expect(
            reasons[0]["detail"].string
                == "1 pool is too full: 'p' has room for 2 of 4 workers now. The job is placed as soon as enough ends there."
        )
        let never = try caller.submit("never", count: 3, gpus: 4, ",\"accelerators\":[\"GB200\"],\"scope\":\"domain\"")
        #expect(never.json["couldEverFit"].bool == false)
        #expect(never.json["reasons"][0]["reason"].string == "gangTooLarge")
        #expect(never.json["reasons"][0]["detail"].string?.contains("or a wider scope") == true)
        let read = try caller.get("/v1/jobs/never")
        #expect(read.json["reasons"].array.count == 2)
        let wide = try caller.submit("wide", count: 1, gpus: 8)
        #expect(wide.json["reasons"].array.map { $0["reason"].string } == ["workerTooLarge"])
        #expect(wide.json["reasons"][0]["poolCount"].int == 2)
        let denied = try caller.submit("denied", count: 1, gpus: 1, ",\"deny\":{\"providers\":[\"aws\"]}")
        #expect(denied.json["reasons"][0]["reason"].string == "placeNotAllowed")
    }

    @Test func `nodes that are not ready are a reason of their own, and so is a fleet without pools`() throws {
        let caller = try APICaller()
        #expect(try caller.submit("early").json["reasons"][0]["reason"].string == "noPools")
        try caller.call(.delete, "/v1/jobs/early")
        try caller.put("p", blocks: 1, domains: 1, nodes: 2)
        try caller.call(.post, "/v1/nodes/p/b00/d000/n00:cordon")
        #expect(try caller.submit("two", count: 2).json["reasons"][0]["reason"].string == "nodesUnavailable")
    }

    @Test func `the same id with the same values is the same job, whatever the order of fields and defaults`() throws {
        let caller = try APICaller(pools: "p")
        let first = try caller.submit("a", count: 1, gpus: 2, ",\"allow\":{\"pools\":[\"p\",\"q\"]}")
        #expect(first.status == 201)
        let revision = caller.backend.view.revision
        let again = try caller.call(
            .post, "/v1/jobs",
            """
            {"scope":"pool","labels":{},"priority":0,"tenant":"default","accelerators":[],"name":"","deny":{},
            "allow":{"providers":[],"pools":["q","p"]},"workers":[{"gpus":2,"name":"worker","count":1}],"id":"a"}
            """)
        #expect(again.status == 200)
        #expect(again.field("Location") == nil)
        #expect(again.text == first.text)
        #expect(caller.backend.view.revision == revision)
        let other = try caller.submit("a", count: 2, gpus: 2)
        #expect(other.status == 409 && other.problem == "id-in-use")
        #expect(caller.backend.view.revision == revision)
    }

    @Test func `a job goes through its life, and every step said twice is done once`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a")
        let started = try caller.call(.post, "/v1/jobs/a:start")
        #expect(started.json["state"].string == "running" && started.json["startedAt"].isThere)
        #expect(try caller.call(.post, "/v1/jobs/a:start").text == started.text)
        let done = try caller.call(
            .post, "/v1/jobs/a:finish", "{\"result\":\"succeeded\",\"message\":\"loss \\\"1.9\\\"\"}")
        #expect(done.json["state"].string == "succeeded")
        #expect(done.json["message"].string == "loss \"1.9\"")
        #expect(done.json["placement"]["parts"][0]["nodes"].array.count == 1)
        let again = try caller.call(
            .post, "/v1/jobs/a:finish", "{\"message\":\"loss \\\"1.9\\\"\",\"result\":\"succeeded\"}")
        #expect(again.text == done.text)
        #expect(caller.backend.view.pools[0].gpusAllocated == 0)
        try caller.submit("b")
        #expect(try caller.call(.delete, "/v1/jobs/b").json["state"].string == "cancelled")
        #expect(try caller.call(.delete, "/v1/jobs/b").status == 200)
    }

    @Test(arguments: [
        ("queued", "POST", "/v1/jobs/q:start", "start"), ("queued", "POST", "/v1/jobs/q:finish", "finish"),
        ("placed", "POST", "/v1/jobs/p:finish", "finish"), ("succeeded", "POST", "/v1/jobs/s:start", "start"),
        ("succeeded", "DELETE", "/v1/jobs/s", "cancel"), ("cancelled", "POST", "/v1/jobs/c:finish", "finish"),
        ("cancelled", "POST", "/v1/jobs/c:start", "start"),
    ])
    func `a transition that does not apply is a 409 that names the state`(
        state: String, method: String, target: String, action: String
    ) throws {
        let caller = try APICaller(pools: "pool")
        try caller.submit("p")
        try caller.submit("s")
        try caller.call(.post, "/v1/jobs/s:start")
        try caller.call(.post, "/v1/jobs/s:finish", "{\"result\":\"succeeded\"}")
        try caller.submit("c")
        try caller.call(.delete, "/v1/jobs/c")
        try caller.submit("q", count: 100)
        let revision = caller.backend.view.revision
        let body = target.hasSuffix("finish") ? "{\"result\":\"failed\"}" : nil
        let answer = try caller.call(method == "POST" ? .post : .delete, target, body)
        #expect(answer.status == 409 && answer.problem == "illegal-transition")
        #expect(answer.json["state"].string == state)
        #expect(answer.json["detail"].string?.contains("is \(state), so '\(action)' does not apply") == true)
        #expect(caller.backend.view.revision == revision)
    }

    @Test func `what is not there is a 404 that says how to find what is`() throws {
        let caller = try APICaller(pools: "p")
        for (method, target, type) in [
            (HTTPMethod.get, "/v1/jobs/x", "job-not-found"), (.delete, "/v1/jobs/x", "job-not-found"),
            (.post, "/v1/jobs/x:start", "job-not-found"), (.get, "/v1/pools/x", "pool-not-found"),
            (.delete, "/v1/pools/x", "pool-not-found"), (.get, "/v1/pools/x/nodes", "pool-not-found"),
            (.post, "/v1/nodes/x/b00:drain", "pool-not-found"),
            (.post, "/v1/nodes/p/b00/d000/n99:up", "node-not-found"),
            (.get, "/v1/jobs?pool=x", "pool-not-found"), (.get, "/v1/jobs?node=x/b00", "pool-not-found"),
            (.get, "/v1/jobs?node=p/b00", "node-not-found"), (.get, "/v2/jobs", "route-not-found"),
            (.get, "/v1/jobs/", "route-not-found"), (.post, "/v1/jobs/x:explode", "route-not-found"),
        ] {
            let answer = try caller.call(method, target)
            #expect(answer.status == 404 && answer.problem == type, "\(target): \(answer.text)")
        }
        let answer = try caller.call(.post, "/v1/jobs/x:finish", "{\"result\":\"failed\"}")
        #expect(answer.status == 404 && answer.problem == "job-not-found")
    }

    @Test func `a limit that is reached is a 429 with its name and when to ask again`() throws {
        var settings = EngineSettings()
        settings.limits.liveJobs = 2
        let caller = try APICaller(backend: DeskBackend(settings: settings))
        try caller.submit("a")
        try caller.submit("b")
        let answer = try caller.submit("c")
        #expect(answer.status == 429 && answer.problem == "limit-reached")
        #expect(answer.json["detail"].string?.contains("limits.liveJobs is 2") == true)
        #expect(answer.field("Retry-After") == "10")
        #expect(try caller.submit("a").status == 200)
    }

    @Test func `a gang that loses a worker says which, until when others are sought, and what it was before`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a", count: 8)
        try caller.call(.post, "/v1/nodes/p/b01/d001/n01:down")
        let job = try caller.get("/v1/jobs/a").json
        #expect(job["state"].string == "repairing" && job["placement"].isThere && job["repair"]["until"].isThere)
        #expect(job["repair"]["lostWorkers"].int == 1)
        #expect(job["repair"]["lostNodes"].array.compactMap(\.string) == ["p/b01/d001/n01"])
        #expect(try caller.call(.post, "/v1/jobs/a:start").status == 409)
        try caller.call(.post, "/v1/nodes/p/b01/d001/n01:up")
        let whole = try caller.get("/v1/jobs/a").json
        #expect(whole["state"].string == "placed" && whole["repairs"].int == 1 && !whole["repair"].isThere)
        let metrics = try caller.get("/metrics").text
        #expect(metrics.contains("berth_gang_losses_total 1\n") && metrics.contains("berth_gang_repairs_total 1\n"))
    }

    @Test func `a node that goes down sends a gang that is lost whole back, and the job says why`() throws {
        let caller = try APICaller()
        try caller.put("p", blocks: 1, domains: 1, nodes: 1, gpus: 8)
        try caller.submit("a", count: 1)
        let down = try caller.call(.post, "/v1/nodes/p/b00/d000/n00:down")
        #expect(down.json["state"].string == "down")
        let job = try caller.get("/v1/jobs/a").json
        #expect(job["state"].string == "queued")
        #expect(job["requeues"].int == 1)
        #expect(job["lastRequeue"].string == "nodeDown")
        #expect(job["queuedAt"].isThere && !job["placedAt"].isThere && !job["placement"].isThere)
        try caller.call(.post, "/v1/nodes/p/b00/d000/n00:up")
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "placed")
    }

    @Test func `a domain that goes down says which jobs lost their place, and comes back whole`() throws {
        let caller = try APICaller(pools: "p")
        try caller.submit("a", count: 8)
        let down = try caller.call(.post, "/v1/pools/p/domains/b01/d001:down").json
        #expect(down["pool"].string == "p" && down["domain"].string == "b01/d001" && !down["block"].isThere)
        #expect(down["nodeCount"].int == 2 && down["changedNodeCount"].int == 2)
        #expect(down["nodesByState"]["down"].int == 2 && down["nodesByState"]["ready"].int == 0)
        #expect(down["requeuedJobCount"].int == 0 && down["requeuedJobs"].array.isEmpty)
        #expect(down["repairingJobCount"].int == 1 && down["repairingJobs"].array.compactMap(\.string) == ["a"])
        #expect(try caller.get("/v1/jobs/a").json["repair"]["lostWorkers"].int == 2)
        let again = try caller.call(.post, "/v1/pools/p/domains/b01/d001:down").json
        #expect(again["changedNodeCount"].int == 0 && again["requeuedJobs"].array.isEmpty)
        #expect(try caller.call(.post, "/v1/pools/p/blocks/b01:up").json["changedNodeCount"].int == 2)
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "placed")
        let cordoned = try caller.call(.post, "/v1/pools/p:cordon").json
        #expect(cordoned["nodesByState"]["cordoned"].int == 8 && cordoned["requeuedJobCount"].int == 0)
        #expect(!cordoned["block"].isThere && !cordoned["domain"].isThere)
        let drained = try caller.call(.post, "/v1/pools/p/blocks/b00:drain").json
        #expect(drained["block"].string == "b00" && drained["requeuedJobs"].array.compactMap(\.string) == ["a"])
        #expect(try caller.call(.post, "/v1/pools/p:uncordon").json["nodesByState"]["ready"].int == 8)
    }

    @Test func `a place that is not there is a 404 that says where to look`() throws {
        let caller = try APICaller(pools: "p")
        for (path, problem) in [
            ("x:down", "pool-not-found"), ("x/blocks/b00:down", "pool-not-found"),
            ("p/blocks/b09:up", "place-not-found"), ("p/domains/b00:drain", "place-not-found"),
            ("p/domains/b00/d000/n00:cordon", "place-not-found"),
        ] {
            let answer = try caller.call(.post, "/v1/pools/" + path)
            #expect(answer.status == 404 && answer.problem == problem, "\(path)")
        }
        let body = try caller.call(.post, "/v1/pools/p:down", "{\"force\":true}")
        #expect(body.status == 422)
    }

    @Test func `all groups of a job together have a bound`() throws {
        let caller = try APICaller(pools: "p")
        let group = { (name: String, count: Int) in #"{"name":"\#(name)","count":\#(count),"gpus":1}"# }
        let half = Bounds.workersPerJob / 2
        let bad = try caller.call(.post, "/v1/jobs", "{\"workers\":[\(group("a", half)),\(group("b", half + 1))]}")
        #expect(bad.status == 422 && bad.mistakes == ["/workers outOfRange"])
        #expect(
            try caller.call(.post, "/v1/jobs", "{\"workers\":[\(group("a", half)),\(group("b", half))]}").status == 201)
    }
}
