// Priority classes as a client sees them.

import API
import Engine
import HTTP
import Model
import TestKit
import Testing

@Suite struct PriorityClassTests {
    @Test func `a class is put, read, listed, changed and deleted`() throws {
        let caller = try APICaller()
        let put = try caller.call(.put, "/v1/priority-classes/urgent", "{\"value\":900}")
        #expect(put.status == 201 && put.field("Location") == "/v1/priority-classes/urgent")
        #expect(put.json["preemption"].string == "lower" && put.json["minRuntimeSeconds"].int == 0)
        let same = try caller.call(
            .put, "/v1/priority-classes/urgent", "{\"value\":900,\"preemption\":\"lower\",\"minRuntimeSeconds\":0}")
        #expect(same.status == 200 && same.json["revision"].int == put.json["revision"].int)
        let changed = try caller.call(
            .put, "/v1/priority-classes/urgent",
            "{\"value\":800,\"preemption\":\"never\",\"minRuntimeSeconds\":60,\"description\":\"d\"}")
        #expect(changed.status == 200 && changed.json["value"].int == 800)
        try caller.call(.put, "/v1/priority-classes/a", "{\"value\":1}")
        let list = try caller.get("/v1/priority-classes").json["priorityClasses"].array
        #expect(list.compactMap { $0["name"].string } == ["a", "urgent"])
        #expect(try caller.get("/v1/priority-classes/urgent").json["description"].string == "d")
        #expect(try caller.call(.delete, "/v1/priority-classes/a").json["deleted"].bool == true)
        for method in [HTTPMethod.get, .delete] {
            let gone = try caller.call(method, "/v1/priority-classes/a")
            #expect(gone.status == 404 && gone.problem == "priority-class-not-found")
        }
        #expect(try caller.call(.delete, "/v1/priority-classes/urgent", "{\"x\":1}").status == 422)
        #expect(try caller.get("/v1/priority-classes?x=1").status == 400)
    }

    @Test func `a job shows what its class gave it and keeps that, and a class in use is not deleted`() throws {
        let caller = try APICaller(pools: "p")
        try caller.call(
            .put, "/v1/priority-classes/urgent", "{\"value\":900,\"preemption\":\"never\",\"minRuntimeSeconds\":60}")
        let job = try caller.submit("a", ",\"priorityClass\":\"urgent\"").json
        func check(_ job: JSON) {
            #expect(job["priority"].int == 900 && job["priorityClass"].string == "urgent")
            #expect(job["preemption"].string == "never" && job["minRuntimeSeconds"].int == 60)
        }
        check(job)
        try caller.call(.put, "/v1/priority-classes/urgent", "{\"value\":5}")
        check(try caller.get("/v1/jobs/a").json)
        #expect(try caller.submit("a", ",\"priorityClass\":\"urgent\"").status == 200)
        #expect(try caller.submit("b", ",\"priorityClass\":\"urgent\"").json["priority"].int == 5)
        #expect(try caller.get("/v1/priority-classes/urgent").json["jobCount"].int == 2)
        let refused = try caller.call(.delete, "/v1/priority-classes/urgent")
        #expect(refused.status == 409 && refused.problem == "priority-class-in-use")
        for id in ["a", "b"] { try caller.call(.delete, "/v1/jobs/\(id)") }
        #expect(try caller.call(.delete, "/v1/priority-classes/urgent").status == 200)
    }

    @Test(arguments: [
        ("{}", ["/value missing"]), ("{\"value\":1001}", ["/value outOfRange"]),
        (
            "{\"value\":\"1\",\"preemption\":\"all\",\"minRuntimeSeconds\":-1,\"description\":5,\"x\":1}",
            [
                "/value wrongType", "/preemption invalid", "/minRuntimeSeconds outOfRange", "/description wrongType",
                "/x unknownField",
            ]
        ),
    ])
    func `all mistakes of a class come at once`(body: String, mistakes: [String]) throws {
        let caller = try APICaller()
        let answer = try caller.call(.put, "/v1/priority-classes/c", body)
        #expect(answer.status == 422 && Set(answer.mistakes) == Set(mistakes))
        #expect(try caller.call(.put, "/v1/priority-classes/a%20b", "{\"value\":1}").problem == "invalid-parameter")
        #expect(caller.backend.view.priorityClasses.isEmpty)
    }

    @Test func `there are so many classes at most`() throws {
        var settings = EngineSettings()
        settings.limits.priorityClasses = 1
        let caller = try APICaller(backend: DeskBackend(settings: settings))
        #expect(try caller.call(.put, "/v1/priority-classes/a", "{\"value\":1}").status == 201)
        let refused = try caller.call(.put, "/v1/priority-classes/b", "{\"value\":1}")
        #expect(refused.status == 429 && refused.json["detail"].string?.contains("limits.priorityClasses") == true)
    }
}
