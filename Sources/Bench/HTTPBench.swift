// The whole server under load on loopback: one process with its own client, a temporary data folder, the built-in fleet.

import API
import HTTP
import Model
import Service

/// Size of a run.
public struct HTTPBench: Sendable {
    /// Requests in a round, of reads and of single submits.
    public var requests: Int
    /// Requests in a round over one connection, where each waits for a flush of its own.
    public var lonelyRequests: Int
    public var batches: Int
    public var batchLines: Int
    public var rounds: Int
    public var folder: String?

    public static let full = HTTPBench(
        requests: 20_000, lonelyRequests: 400, batches: 10, batchLines: 1000, rounds: 5)
    public static let smoke = HTTPBench(requests: 40, lonelyRequests: 5, batches: 2, batchLines: 20, rounds: 1)

    public init(
        requests: Int, lonelyRequests: Int, batches: Int, batchLines: Int, rounds: Int, folder: String? = nil
    ) {
        self.requests = requests
        self.lonelyRequests = lonelyRequests
        self.batches = batches
        self.batchLines = batchLines
        self.rounds = rounds
        self.folder = folder
    }

    public func run() throws -> Report {
        let data = try BenchFolder(in: folder)
        var settings = Configuration()
        settings.server.port = 0
        settings.storage.directory = data.path
        settings.log.level = .error
        let service = try RunningService(settings, log: LineLog.logger(settings.log))
        _ = try service.recover(fleet: nil)
        defer { _ = service.stop() }
        let probe = HTTPClient(host: "127.0.0.1", port: service.port)
        try prepare(probe)

        var requestNumber = 0
        func nextID() -> String {
            requestNumber += 1
            return "atlas-\(requestNumber)"
        }
        let one = try LoadClient(port: service.port, connections: 1)
        let some = try LoadClient(port: service.port, connections: 64)
        let many = try LoadClient(port: service.port, connections: 256)
        let few = try LoadClient(port: service.port, connections: 2)
        let livez = Self.get("/livez")
        let job = Self.get("/v1/jobs/first")
        var measured: [Measured] = []
        func measure(
            _ name: String, _ client: LoadClient, _ count: Int, perRequest operations: Int = 1,
            _ make: (inout [UInt8]) -> Void
        ) throws {
            let before = try Counters(probe)
            let result = try client.run(requests: count, make)
            let after = try Counters(probe)
            let at = measured.firstIndex { $0.name == name } ?? measured.count
            if at == measured.count { measured.append(Measured(name: name, operations: operations)) }
            measured[at].add(result, records: after.records - before.records, flushes: after.flushes - before.flushes)
        }
        for _ in 0..<rounds {
            try measure("GetLivez", some, requests) { $0 = livez }
            try measure("GetJob", some, requests) { $0 = job }
            try measure("PostJobOver1", one, lonelyRequests) { $0 = Self.post("/v1/jobs", Bodies.job(nextID())) }
            try measure("PostJobOver64", some, requests / 2) { $0 = Self.post("/v1/jobs", Bodies.job(nextID())) }
            try measure("PostJobOver256", many, requests) { $0 = Self.post("/v1/jobs", Bodies.job(nextID())) }
            try measure("PostQueuedJobOver64", some, requests / 2) {
                $0 = Self.post("/v1/jobs", Bodies.job(nextID(), pools: ["bench-full"]))
            }
            try measure("PostBatchLine", few, batches, perRequest: batchLines) {
                var lines: [UInt8] = []
                lines.reserveCapacity(batchLines * (Bodies.jobBytes + 1))
                for _ in 0..<batchLines { lines += Bodies.job(nextID()) + [0x0A] }
                $0 = Self.post("/v1/jobs:batch", lines, "application/x-ndjson")
            }
        }
        return try report(measured, jobs: requestNumber, probe)
    }

    private func report(_ measured: [Measured], jobs: Int, _ probe: HTTPClient) throws -> Report {
        let metrics = try Self.metrics(probe)
        let placed = try Self.value("berth_jobs{state=\"placed\"}", metrics)
        let queued = try Self.value("berth_jobs{state=\"queued\"}", metrics)
        var figures = measured.flatMap(\.figures)
        figures.append(Figure("refusals", Double(measured.reduce(0) { $0 + $1.refusals }), "answers", goal: "0"))
        figures.append(Figure("jobsPlaced", placed, "jobs"))
        figures.append(Figure("jobsQueued", queued, "jobs"))
        var hash = Digest(seed: 0)
        for count in [jobs, Int(placed), Int(queued)] { hash.add(count) }
        return Report(benchmark: "http", figures: figures, hash: hash.value)
    }

    /// A pool that one job fills, so that others wait for it, and the job that is read.
    private func prepare(_ probe: HTTPClient) throws {
        let json = [HTTPField("Content-Type", "application/json")]
        let pool =
            "{\"provider\":\"aws\",\"region\":\"us-east-1\",\"accelerator\":\"GB200\","
            + "\"node\":{\"gpus\":1,\"cpuMillis\":2000,\"memoryMiB\":4096},"
            + "\"topology\":{\"blocks\":1,\"domainsPerBlock\":1,\"nodesPerDomain\":1}}"
        let requests: [(HTTPMethod, String, [UInt8])] = [
            (.put, "/v1/pools/bench-full", Array(pool.utf8)),
            (.post, "/v1/jobs", Bodies.job("filler", pools: ["bench-full"])),
            (.post, "/v1/jobs", Bodies.job("first")),
        ]
        for (method, target, body) in requests {
            let answer = try probe.send(method, target, fields: json, body: body)
            if answer.status.code != 201 {
                throw BenchFault(
                    "\(target) was answered with \(answer.status): \(String(decoding: answer.body, as: UTF8.self))")
            }
        }
    }

    private static func get(_ target: String) -> [UInt8] {
        Array("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
    }

    private static func post(_ target: String, _ body: [UInt8], _ type: String = "application/json") -> [UInt8] {
        Array(
            "POST \(target) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n"
                .utf8)
            + body
    }

    // MARK: What the server counts

    private struct Counters {
        let records: Double
        let flushes: Double

        init(_ probe: HTTPClient) throws {
            let metrics = try HTTPBench.metrics(probe)
            records = try HTTPBench.value("berth_journal_records_total", metrics)
            flushes = try HTTPBench.value("berth_journal_flushes_total", metrics)
        }
    }

    private static func metrics(_ probe: HTTPClient) throws -> String {
        String(decoding: try probe.send(.get, "/metrics").body, as: UTF8.self)
    }

    private static func value(_ name: String, _ metrics: String) throws(BenchFault) -> Double {
        for line in metrics.split(separator: "\n") where line.hasPrefix(name + " ") {
            if let value = Double(line.dropFirst(name.count + 1)) { return value }
        }
        throw BenchFault("/metrics has no \(name)")
    }
}

/// One kind of request over all rounds.
private struct Measured {
    let name: String
    /// Operations in one request: the lines of a batch.
    let operations: Int
    private(set) var refusals = 0
    private var rate = Rounds()
    private var cost = Rounds()
    private var perFlush = Rounds()
    private var latencies: [UInt64] = []

    init(name: String, operations: Int) {
        self.name = name
        self.operations = operations
    }

    mutating func add(_ result: LoadResult, records: Double, flushes: Double) {
        refusals += result.refusals
        rate.add(result.perSecond * Double(operations))
        cost.add(Double(result.serverNanoseconds) / Double(max(1, result.requests * operations)) / 1000)
        if flushes > 0 { perFlush.add(records / flushes) }
        latencies += result.latencies
    }

    var figures: [Figure] {
        var sorted = latencies
        let spread = Spread(&sorted)
        let prefix = name.prefix(1).lowercased() + name.dropFirst()
        var figures = rate.figures(prefix + "PerSecond", "1/s")
        figures += [
            Figure(prefix + "Median", Double(spread.median) / 1000, "us"),
            Figure(prefix + "P99", Double(spread.p99) / 1000, "us"),
            Figure(prefix + "ServerTime", cost.median, "us"),
        ]
        if perFlush.median > 0 { figures.append(Figure(prefix + "RecordsPerFlush", perFlush.median, "records")) }
        return figures
    }
}
