// Plans as a client sees them: what comes back, all mistakes of a body at once, and that nothing was changed.

import API
import Engine
import HTTP
import Model
import Synchronization
import TestKit
import Testing

@Suite struct PlanTests {
    /// Two domains of two nodes of four GPUs, with one job of a node in each.
    private static func caller() throws -> APICaller {
        let caller = try APICaller()
        try caller.put("p", blocks: 1)
        for id in ["a", "b", "c"] { try caller.submit(id) }
        try caller.call(.delete, "/v1/jobs/b")
        for id in ["a", "c"] { try caller.call(.post, "/v1/jobs/\(id):start") }
        return caller
    }

    @Test func `a plan tells the moves that free a domain, and makes none`() throws {
        let caller = try Self.caller()
        let revision = caller.backend.view.revision
        for body in [nil, "{}", "{\"provider\":\"aws\",\"region\":\"aws/us-east-1\",\"accelerator\":\"GB200\"}"] {
            let answer = try caller.call(.post, "/v1/plans:defragment", body)
            #expect(answer.status == 200 && answer.field("X-Berth-Revision") == String(revision))
            let plan = answer.json
            #expect(plan["revision"].int == Int(revision) && plan["end"].string == "nothingMore")
            let moves = plan["moves"].array
            #expect(moves.count == 1 && plan["totals"]["moves"].int == 1 && plan["totals"]["domainsWon"].int == 1)
            guard let move = moves.first else { continue }
            #expect(move["gpus"].int == 4 && move["costUSDPerHour"].string == "0.00")
            #expect(move["gpuHoursLost"].string == "0.00")
            let from = move["from"]["runs"].array.compactMap { $0["domain"].string }
            let to = move["to"]["runs"].array.compactMap { $0["domain"].string }
            #expect(Set(from + to) == ["b00/d000", "b00/d001"] && from.count == 1 && to.count == 1)
            #expect(move["to"]["runs"].array.first?["gpuMilli"].int == 4000)
            #expect(move["domainsWon"].array.first?["domain"].string == from.first)
            #expect(plan["domainsWon"].array.first?["gpus"].int == 8)
            #expect(plan["domainsNotWon"].array.map { $0["reason"].string } == ["jobMovedAlready"])
        }
        #expect(caller.backend.view.revision == revision && caller.backend.fault == nil)
    }

    @Test func `work that is lost is what ran since the start times its GPUs`() throws {
        let caller = try Self.caller()
        // Commands come a millisecond apart.
        for _ in 0..<3000 { caller.backend.decide(.cancel(id: "nobody")) }
        caller.backend.decide(.putPriorityClass(PriorityClass(name: "x", value: 1)))
        let plan = try caller.call(.post, "/v1/plans:defragment", "{}").json
        // Three seconds of four GPUs.
        #expect(plan["totals"]["gpuHoursLost"].string == "0.003334")
        let none = try caller.call(.post, "/v1/plans:defragment", "{\"maxGPUHoursLost\":0}").json
        #expect(
            none["moves"].array.isEmpty && none["domainsNotWon"].array.map { $0["reason"].string } == ["tooMuchLost"])
    }

    @Test func `an evacuation tells where each job goes, and of one that would wait why`() throws {
        let caller = try Self.caller()
        try caller.put("q", blocks: 1, domains: 1, nodes: 1, price: "8.00")
        try caller.call(.put, "/v1/priority-classes/high", "{\"value\":9}")
        try caller.submit("d", count: 4, ",\"priority\":3")
        let plan = try caller.call(.post, "/v1/plans:evacuate", "{\"pools\":[\"p\"]}").json
        let jobs = plan["jobs"].array
        #expect(plan["nodeCount"].int == 4 && plan["gpus"].int == 16)
        try #require(jobs.map { $0["job"].string } == ["a", "c"])
        #expect(jobs.map { $0["outcome"].string } == ["moves", "waits"])
        #expect(jobs[0]["to"]["pools"].array.first?.string == "q" && jobs[0]["costUSDPerHour"].string == "4.40")
        #expect(jobs[1]["costUSDPerHour"].string == "-27.60" && jobs[1]["couldEverFit"].bool == true)
        let reasons = Set(jobs[1]["reasons"].array.compactMap { $0["reason"].string })
        #expect(reasons == ["nodesUnavailable", "capacityBusy"])
        #expect(plan["totals"]["moves"]["jobs"].int == 1 && plan["totals"]["waits"]["jobs"].int == 1)
        #expect(plan["queued"]["jobs"].array.map { $0["job"].string } == ["d"])
        let few = try caller.call(.post, "/v1/plans:evacuate", "{\"provider\":\"aws\",\"limit\":1}").json
        #expect(few["jobs"].array.count == 1 && few["jobsLeftOut"].int == 1)
        #expect(few["totals"]["waits"]["jobs"].int == 2)
        let domain = try caller.call(.post, "/v1/plans:evacuate", "{\"domains\":[\"p/b00/d001\"]}").json
        #expect(domain["jobs"].array.count == 1 && domain["nodeCount"].int == 2)
        #expect(try caller.get("/v1/jobs/a").json["state"].string == "running")
    }

    @Test(arguments: [
        (
            "defragment",
            "{\"maxMoves\":0,\"wholeDomains\":\"x\",\"maxGPUHoursLost\":-1,\"onlyPreemptible\":1,\"move\":2}",
            [
                "/maxMoves outOfRange", "/wholeDomains wrongType", "/maxGPUHoursLost outOfRange",
                "/onlyPreemptible wrongType", "/move unknownField",
            ]
        ),
        (
            "defragment",
            "{\"pools\":[\"p\",\"x\",\"p\",\"?\"],\"provider\":\"asw\",\"region\":\"aws/east\",\"accelerator\":\"GB300\"}",
            [
                "/pools/1 invalid", "/pools/2 duplicate", "/pools/3 invalid", "/provider invalid", "/region invalid",
                "/accelerator invalid",
            ]
        ),
        ("evacuate", "{}", [" missing"]),
        ("evacuate", "{\"limit\":0}", ["/limit outOfRange"]),
        (
            "evacuate",
            "{\"domains\":[\"p/b00/d009\",\"x/b00/d000\",\"p\",\"p/b00/d000\",\"p/b00/d000\"],\"accelerator\":\"GB200\"}",
            [
                "/domains/0 invalid", "/domains/1 invalid", "/domains/2 invalid", "/domains/4 duplicate",
                "/accelerator unknownField",
            ]
        ),
        ("evacuate", "{\"pools\":[\"q\"],\"domains\":[\"p/b00/d000\"]}", ["/domains/0 invalid"]),
        ("evacuate", "{\"pools\":[\"q\"],\"provider\":\"aws\"}", [" invalid"]),
        ("evacuate", "{\"pools\":[]}", ["/pools tooShort"]),
    ])
    func `all mistakes of a plan's body come at once`(plan: String, body: String, mistakes: [String]) throws {
        let caller = try Self.caller()
        try caller.call(
            .put, "/v1/pools/q",
            """
            {"provider":"gcp","region":"west","accelerator":"GB200","node":{"gpus":4,"cpuMillis":1000,"memoryMiB":1000},
            "topology":{"blocks":1,"domainsPerBlock":1,"nodesPerDomain":1}}
            """)
        let answer = try caller.call(.post, "/v1/plans:\(plan)", body)
        #expect(answer.status == 422 && Set(answer.mistakes) == Set(mistakes), "\(answer.text)")
    }

    @Test func `a name that is not there comes with the nearest one that is`() throws {
        let answer = try Self.caller().call(.post, "/v1/plans:evacuate", "{\"provider\":\"asw\"}")
        #expect(answer.json["errors"].array.first?["detail"].string?.contains("did you mean 'aws'?") == true)
    }

    @Test func `parameters and other media types are refused`() throws {
        let caller = try Self.caller()
        #expect(try caller.call(.post, "/v1/plans:evacuate?dry=1", "{}").status == 400)
        #expect(try caller.call(.post, "/v1/plans:defragment", "{}", type: "text/plain").status == 415)
        #expect(try caller.call(.post, "/v1/plans:defragment", "{").status == 400)
        #expect(try caller.call(.post, "/v1/plans:evacuate").status == 422)
        #expect(try caller.get("/v1/plans:evacuate").status == 405)
    }

    @Test func `one plan is made at a time, and each is counted`() throws {
        let caller = try Self.caller()
        let nested = try APICallerDuringPlans(caller.backend)
        #expect(try nested.call("/v1/plans:defragment") == [503, 200])
        #expect(try nested.call("/v1/plans:defragment") == [503, 200])
        let page = try MetricsText(try caller.get("/metrics").text)
        #expect(page["berth_plan_seconds_count"] == 0 && page["berth_plan_steps_total"] == 0)
        let planned = try Self.caller()
        try planned.call(.post, "/v1/plans:defragment", "{}")
        let after = try MetricsText(try planned.get("/metrics").text)
        #expect(after["berth_plan_seconds_count"] == 1 && after["berth_plan_steps_total"] ?? 0 > 0)
    }
}

/// An API that is called once more while it makes a plan.
private final class APICallerDuringPlans: Sendable {
    private let backend: Interrupted
    private let api: BerthAPI

    init(_ backend: DeskBackend) throws {
        self.backend = Interrupted(backend)
        api = try BerthAPI(self.backend)
    }

    /// The statuses of the call made meanwhile and of the one that was first.
    func call(_ target: String) throws -> [Int] {
        let request = try HTTPRequest(.post, target)
        let statuses = Mutex<[Int]>([])
        let api = api
        backend.interrupt.withLock {
            $0 = {
                api.handle(
                    request, Responder { response in statuses.withLock { $0.append(Int(response.status.code)) } })
            }
        }
        api.handle(request, Responder { response in statuses.withLock { $0.append(Int(response.status.code)) } })
        return statuses.withLock { $0 }
    }
}

/// A backend that does something once when a plan asks it for the engine's settings.
private final class Interrupted: Backend {
    private let inner: DeskBackend
    let interrupt = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ inner: DeskBackend) { self.inner = inner }

    var engineSettings: EngineSettings {
        let now = interrupt.withLock { interrupt in
            defer { interrupt = nil }
            return interrupt
        }
        now?()
        return inner.engineSettings
    }

    var view: State { inner.view }
    var now: Timestamp { inner.now }
    var readiness: [HealthCheck] { inner.readiness }
    var reading: ServiceReading { inner.reading }

    func post(_ answer: PendingAnswer, _ work: @escaping DeskWork) -> Bool { inner.post(answer, work) }
    func runSlowly(_ work: @escaping @Sendable () -> Void) { inner.runSlowly(work) }
}
