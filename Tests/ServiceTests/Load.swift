// Clients that work at once, what each was told, and a check of everything a server shows against what was told.

import Foundation
import Glibc
import HTTP
import JSON
import Synchronization
import TestKit

/// What a client was told of a job.
struct Told: Sendable {
    var workers: Int
    var gpus: Int
    var state: String

    /// How far a job is: a later state is at least as far. Nothing sends a job back where no node goes down.
    static func rank(_ state: String) -> Int {
        ["queued": 0, "placed": 1, "running": 2][state] ?? 3
    }
}

/// Everything acknowledged so far, over all rounds.
final class Ledger: Sendable {
    private let told = Mutex<[String: Told]>([:])

    func merge(_ news: [String: Told]) { told.withLock { $0.merge(news) { $1 } } }
    var all: [String: Told] { told.withLock { $0 } }
}

/// Threads that submit, start, finish, cancel and send batches until the server is gone.
final class Load: Sendable {
    private let ledger: Ledger
    private let group = DispatchGroup()
    private let acknowledged = Atomic(0)

    init(_ ledger: Ledger, port: Int, threads: Int, round: Int, _ random: inout SeededRandom) {
        self.ledger = ledger
        for thread in 0..<threads {
            let seed = random.next()
            group.enter()
            Thread.detachNewThread { [self] in
                var client = Client(prefix: "r\(round)t\(thread)-", port: port, SeededRandom(seed: seed))
                while (try? client.step()) != nil { acknowledged.add(1, ordering: .relaxed) }
                ledger.merge(client.told)
                group.leave()
            }
        }
    }

    /// Waits until so many calls were answered, so that a round is never empty.
    func waitForAnswers(_ count: Int) { _ = eventually { acknowledged.load(ordering: .relaxed) >= count } }
    /// Waits until every client has found the server gone.
    func wait() { group.wait() }

    private struct Client {
        let prefix: String
        let caller: Caller
        var random: SeededRandom
        var told: [String: Told] = [:]
        var live: [String] = []
        var next = 0

        init(prefix: String, port: Int, _ random: SeededRandom) {
            self.prefix = prefix
            caller = Caller(port: port)
            self.random = random
        }

        /// One call. Throws when the server is gone: then nobody knows whether the call counted.
        mutating func step() throws {
            switch random.pick(0...9) {
            case 0...4 where live.count < 40: try submit()
            case 5 where live.count < 40: try batch()
            default: try move()
            }
        }

        private mutating func draw() -> (id: String, workers: Int, gpus: Int, body: String) {
            next += 1
            let (id, workers, gpus) = (prefix + String(next), random.pick(1...6), random.pick([1, 2, 4, 4, 4]))
            let more = random.chance(percent: 30) ? #","scope":"domain","priority":\#(random.pick(0...3))"# : ""
            return (id, workers, gpus, Caller.job(id, workers: workers, gpus: gpus, more))
        }

        private mutating func hear(_ id: String, _ workers: Int, _ gpus: Int, _ state: String?) {
            guard let state else { return }
            told[id] = Told(workers: workers, gpus: gpus, state: state)
            if Told.rank(state) == 3 { live.removeAll { $0 == id } } else if !live.contains(id) { live.append(id) }
        }

        private mutating func submit() throws {
            let job = draw()
            let reply = try caller.post("/v1/jobs", job.body)
            if reply.status == 201 { hear(job.id, job.workers, job.gpus, reply["state"]?.string) }
        }

        private mutating func batch() throws {
            let jobs = (0..<random.pick(2...8)).map { _ in draw() }
            let reply = try caller.batch(jobs.map(\.body))
            for (job, line) in zip(jobs, reply.lines) where line["status"]?.int64 == 201 {
                hear(job.id, job.workers, job.gpus, line["job"]?["state"]?.string)
            }
        }

        private mutating func move() throws {
            guard !live.isEmpty else { return try submit() }
            let id = random.pick(live)
            guard let job = told[id] else { return }
            let reply: Reply
            switch job.state {
            case "placed" where random.chance(percent: 80): reply = try caller.post("/v1/jobs/\(id):start")
            case "running": reply = try caller.post("/v1/jobs/\(id):finish", #"{"result":"succeeded"}"#)
            case "queued" where random.chance(percent: 60): reply = try caller.get("/v1/jobs/\(id)")
            default: reply = try caller.delete("/v1/jobs/\(id)")
            }
            if reply.status == 200 { hear(id, job.workers, job.gpus, reply["state"]?.string) }
        }
    }
}

/// Reads all that a quiet server shows, and collects what contradicts itself or what was told.
struct Audit {
    private let caller: Caller
    private(set) var faults: [String] = []
    /// Jobs of which something acknowledged is not there.
    private(set) var lost = 0
    private var states: [String: Int] = [:]
    private var gpusByPool: [String: Int] = [:]
    private var jobsByPool: [String: Int] = [:]
    /// GPUs in use, by node.
    private var used: [String: Set<Int64>] = [:]

    init(port: Int, _ told: [String: Told]) throws {
        caller = Caller(port: port)
        var jobs: [String: JSONValue] = [:]
        var cursor = ""
        repeat {
            let page = try caller.get("/v1/jobs?limit=1000" + cursor)
            for job in page.list("jobs") {
                if jobs.updateValue(job, forKey: job["id"]?.string ?? "") != nil { fault("a job stands twice") }
            }
            cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
        } while !cursor.isEmpty
        compare(jobs, told)
        for (id, job) in jobs { try add(id, job) }
        try checkPools()
        try checkFleet()
    }

    private mutating func fault(_ text: String) { if faults.count < 20 { faults.append(text) } }

    private mutating func compare(_ jobs: [String: JSONValue], _ told: [String: Told]) {
        for (id, told) in told {
            guard let job = jobs[id], let state = job["state"]?.string else {
                lost += 1
                fault("\(id) was told to be \(told.state) and is not there")
                continue
            }
            let group = job.list("workers").first
            if group?["count"]?.int64 != Int64(told.workers) || group?["gpus"]?.int64 != Int64(told.gpus) {
                fault("\(id) is not the job that was asked for")
            }
            let isBehind = Told.rank(state) < Told.rank(told.state)
            if isBehind || (Told.rank(told.state) == 3 && state != told.state) {
                lost += 1
                fault("\(id) was told to be \(told.state) and is \(state)")
            }
        }
    }

    /// A gang is whole, and no GPU is held twice.
    private mutating func add(_ id: String, _ listed: JSONValue) throws {
        let state = listed["state"]?.string ?? ""
        states[state, default: 0] += 1
        guard state == "placed" || state == "running" else { return }
        let job = try caller.get("/v1/jobs/\(id)")
        let pool = job["placement"]?.list("pools").first?.string ?? ""
        var workers: Set<Int64> = []
        var gpus = 0
        for node in job.placedNodes {
            let name = node["node"]?.string ?? ""
            for worker in node.list("workers") {
                workers.insert(worker["worker"]?.int64 ?? -1)
                for gpu in worker.list("gpuIndexes") {
                    gpus += 1
                    if !used[name, default: []].insert(gpu.int64 ?? -1).inserted { fault("\(name) is held twice") }
                }
            }
        }
        let group = job.list("workers").first
        let count = group?["count"]?.int64 ?? 0
        if workers != Set(0..<count) || Int64(gpus) != count * (group?["gpus"]?.int64 ?? 0) {
            fault("the gang of \(id) is not whole: \(job.text)")
        }
        gpusByPool[pool, default: 0] += gpus
        jobsByPool[pool, default: 0] += 1
    }

    private mutating func checkPools() throws {
        for pool in try caller.get("/v1/pools").list("pools") {
            let name = pool["name"]?.string ?? ""
            if pool["gpusAllocated"]?.int64 != Int64(gpusByPool[name] ?? 0) {
                fault(
                    "\(name) says \(pool["gpusAllocated"]?.int64 ?? -1) GPUs are held, its jobs \(gpusByPool[name] ?? 0)"
                )
            }
            if pool["jobCount"]?.int64 != Int64(jobsByPool[name] ?? 0) { fault("\(name) miscounts its jobs") }
            let nodes = try caller.get("/v1/pools/\(name)/nodes?limit=1000").list("nodes")
            if Int64(nodes.count) != pool["nodeCount"]?.int64 { fault("\(name) does not list all its nodes") }
            for node in nodes {
                let free = Set(node.list("gpuIndexesFree").compactMap(\.int64))
                let taken = used[node["node"]?.string ?? ""] ?? []
                if free != Set(0..<(node["gpus"]?.int64 ?? 0)).subtracting(taken) {
                    fault("\(node["node"]?.string ?? "") has \(free) free beside \(taken)")
                }
            }
        }
    }

    private mutating func checkFleet() throws {
        let fleet = try caller.get("/v1/fleet")
        func number(_ name: String) -> Int64 { fleet[name]?.int64 ?? -1 }
        if number("gpusAllocated") != Int64(gpusByPool.values.reduce(0, +)) { fault("the fleet miscounts held GPUs") }
        if number("gpusAllocated") + number("gpusFree") + number("gpusUnavailable") != number("gpus") {
            fault("the fleet's GPUs do not add up")
        }
        for state in ["queued", "placed", "running", "succeeded", "failed", "cancelled"]
        where fleet["jobsByState"]?[state]?.int64 != Int64(states[state] ?? 0) {
            fault(
                "the fleet counts \(fleet["jobsByState"]?[state]?.int64 ?? -1) \(state) jobs of \(states[state] ?? 0)")
        }
        if try caller.get("/v1/queue")["jobCount"]?.int64 != Int64(states["queued"] ?? 0) {
            fault("the queue miscounts")
        }
    }
}
