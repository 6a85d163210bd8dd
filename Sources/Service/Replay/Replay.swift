// Drives a running server with a trace: submits each job at its time, starts it when it is placed, finishes it after its run
// time. Talks HTTP like any client; the trace's clock runs N times as fast as ours, or every job comes at once.

import Glibc
public import HTTP
import JSON
import Model

public enum ReplayPace: Equatable, Sendable {
    /// Seconds of the trace a second.
    case speed(Double)
    /// Every job comes at once, in the trace's order, and time jumps from finish to finish.
    case asSoonAsPossible
}

/// Why a replay stopped.
public enum ReplayFault: Error, CustomStringConvertible {
    case client(HTTPClientError)
    case answer(String)

    public var description: String {
        switch self {
        case .client(let error): error.description
        case .answer(let reason): reason
        }
    }
}

public final class Replay {
    /// A job of the trace on its way through the server.
    private struct Track {
        let job: TraceJob
        var startedSeconds: Int?
        var finishedSeconds: Int?
        var domains = 0
        var leastDomains = 0
        var gpus: Int
    }

    private let client: HTTPClient
    private let trace: Trace
    private let pace: ReplayPace
    private let prefix: String
    private let accelerators: [String]
    private let gpusPerWorker: Int
    /// GPUs of one full domain, by pool.
    private let domainGPUs: [String: Int]
    private let fleetGPUs: Int
    private var tracks: [Track] = []
    private var indexByID: [String: Int] = [:]
    /// Finishes to come, by falling time, so that the next stands last.
    private var finishes: [(seconds: Int, index: Int)] = []
    private var nextSubmit = 0
    private var seconds = 0
    private var gpusInUse = 0
    private var gpuSeconds = 0
    private var requests = 0
    private let begin = SystemClock.steady()
    private var saidAt: UInt64 = 0

    /// Asks the server for its pools and prepares; `gpusPerWorker` nil takes the smallest node of the fleet where the
    /// trace's workers are larger.
    public init(
        _ trace: Trace, url: String, pace: ReplayPace, accelerators: [String] = [], gpusPerWorker: Int? = nil
    ) throws(ReplayFault) {
        self.trace = trace
        self.pace = pace
        self.accelerators = accelerators
        prefix = "replay-" + String(SystemClock.now().nanoseconds / 1_000_000, radix: 36) + "-"
        do throws(HTTPClientError) { client = try HTTPClient(url: url) } catch { throw .client(error) }
        let pools = try Self.get("/v1/pools", client)
        var domains: [String: Int] = [:]
        var total = 0
        var smallest = Int.max
        for pool in pools["pools"].map({ Array($0.elements) }) ?? [] {
            guard let name = pool["name"]?.string, let gpus = pool["gpus"]?.int64,
                let count = pool["domainCount"]?.int64,
                let node = pool["node"]?["gpus"]?.int64
            else { continue }
            if !accelerators.isEmpty, !accelerators.contains(pool["accelerator"]?.string ?? "") { continue }
            domains[name] = Int(gpus / max(count, 1))
            total += Int(gpus)
            smallest = min(smallest, Int(node))
        }
        if domains.isEmpty { throw .answer("The server has no pool that the trace could use.") }
        domainGPUs = domains
        fleetGPUs = total
        self.gpusPerWorker = gpusPerWorker ?? smallest
        for var job in trace.jobs {
            if pace == .asSoonAsPossible { job.submitSeconds = 0 }
            tracks.append(Track(job: job, gpus: job.gpus))
        }
    }

    // MARK: Running

    /// Replays to the end and returns the final table.
    public func run() throws(ReplayFault) -> String {
        while nextSubmit < tracks.count || !finishes.isEmpty || indexByID.count > 0 {
            let submitAt = nextSubmit < tracks.count ? tracks[nextSubmit].job.submitSeconds : Int.max
            let finishAt = finishes.last?.seconds ?? Int.max
            let next = min(submitAt, finishAt)
            if next == .max {
                // What a command left for later is placed after its answer.
                try startPlaced()
                if !finishes.isEmpty { continue }
                throw .answer(
                    "\(indexByID.count) jobs wait and none runs, so none of them will ever be placed; see /v1/queue.")
            }
            wait(until: next)
            gpuSeconds += gpusInUse * (next - seconds)
            seconds = next
            if finishAt <= submitAt {
                try finishNext()
                try startPlaced()
            } else {
                try submitNext()
            }
            sayProgress(isLast: false)
        }
        sayProgress(isLast: true)
        return table()
    }

    /// Sleeps until the trace's clock shows `next`.
    private func wait(until next: Int) {
        guard case .speed(let speed) = pace else { return }
        let due = begin + UInt64(Double(next) / speed * 1e9)
        while true {
            let now = SystemClock.steady()
            if now >= due { return }
            sayProgress(isLast: false)
            usleep(UInt32(min((due - now) / 1000 + 1, 200_000)))
        }
    }

    private func submitNext() throws(ReplayFault) {
        let index = nextSubmit
        nextSubmit += 1
        let job = tracks[index].job
        let perWorker = min(job.gpusPerWorker, gpusPerWorker)
        let workers = (job.gpus + perWorker - 1) / perWorker
        tracks[index].gpus = workers * perWorker
        let id = prefix + job.name
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("id")
            writer.value(id)
            writer.key("name")
            writer.value(job.name)
            writer.key("tenant")
            writer.value("replay")
            writer.key("workers")
            writer.array { writer in
                writer.object { writer in
                    writer.key("name")
                    writer.value("trainer")
                    writer.key("count")
                    writer.value(workers)
                    writer.key("gpus")
                    writer.value(perWorker)
                }
            }
            if !accelerators.isEmpty {
                writer.key("accelerators")
                writer.array { writer in for accelerator in accelerators { writer.value(accelerator) } }
            }
            writer.key("maxRuntimeSeconds")
            writer.value(max(1, job.runtimeSeconds))
        }
        let answer = try post("/v1/jobs", writer.take())
        indexByID[id] = index
        if answer["state"]?.string == "placed" { try start(id, answer) }
    }

    private func start(_ id: String, _ job: JSONValue) throws(ReplayFault) {
        guard let index = indexByID[id], tracks[index].startedSeconds == nil else { return }
        let placement = job["placement"]
        tracks[index].domains = Int(placement?["domainCount"]?.int64 ?? 0)
        // Every job of a trace has one group in one pool.
        let pool = placement?["pools"]?.elements.first { _ in true }?.string ?? ""
        let perDomain = domainGPUs[pool] ?? 1
        tracks[index].leastDomains = (tracks[index].gpus + perDomain - 1) / perDomain
        _ = try post("/v1/jobs/\(id):start", [])
        tracks[index].startedSeconds = seconds
        gpusInUse += tracks[index].gpus
        let at = seconds + tracks[index].job.runtimeSeconds
        let place = finishes.firstIndex { ($0.seconds, $0.index) < (at, index) } ?? finishes.count
        finishes.insert((at, index), at: place)
    }

    private func finishNext() throws(ReplayFault) {
        let (_, index) = finishes.removeLast()
        let id = prefix + tracks[index].job.name
        _ = try post("/v1/jobs/\(id):finish", Array("{\"result\":\"succeeded\"}".utf8))
        tracks[index].finishedSeconds = seconds
        gpusInUse -= tracks[index].gpus
        indexByID[id] = nil
    }

    /// Starts the jobs that waited and were placed by what has just ended.
    private func startPlaced() throws(ReplayFault) {
        var cursor: String?
        repeat {
            let more = cursor.map { "&cursor=" + $0 } ?? ""
            let page = try Self.get("/v1/jobs?state=placed&tenant=replay&limit=1000" + more, client)
            requests += 1
            var placed: [(String, JSONValue)] = []
            for job in page["jobs"].map({ Array($0.elements) }) ?? [] {
                if let id = job["id"]?.string { placed.append((id, job)) }
            }
            for (id, job) in placed { try start(id, job) }
            cursor = page["nextCursor"]?.string
        } while cursor != nil
    }

    // MARK: HTTP

    private static func get(_ target: String, _ client: HTTPClient) throws(ReplayFault) -> JSONValue {
        do throws(HTTPClientError) { return try read(try client.send(.get, target), target) } catch {
            throw fault(error)
        }
    }

    private func post(_ target: String, _ body: [UInt8]) throws(ReplayFault) -> JSONValue {
        requests += 1
        // Every call of a replay may be made twice: ids are chosen here, and a repeated start or finish changes nothing.
        for attempt in 0... {
            do throws(HTTPClientError) {
                let fields = body.isEmpty ? [] : [HTTPField("Content-Type", "application/json")]
                let response = try client.send(.post, target, fields: fields, body: body)
                if response.status == 503 && attempt < 100 {
                    usleep(100_000)
                    continue
                }
                return try Self.read(response, target)
            } catch {
                if case .closedByServer = error, attempt < 3 { continue }
                throw Self.fault(error)
            }
        }
        throw .answer("\(target) was not answered")
    }

    private static func fault(_ error: any Error) -> ReplayFault {
        if let error = error as? HTTPClientError { return .client(error) }
        return .answer("\(error)")
    }

    private static func read(_ response: HTTPClientResponse, _ target: String) throws(HTTPClientError) -> JSONValue {
        guard (200...299).contains(response.status.code) else {
            throw .malformedResponse(
                "\(target) was answered with \(response.status): \(String(decoding: response.body, as: UTF8.self))")
        }
        do throws(JSONSyntaxError) { return try JSONDocument(response.body).root } catch {
            throw .malformedResponse("\(target): \(error.description)")
        }
    }

    // MARK: Telling

    private func sayProgress(isLast: Bool) {
        let now = SystemClock.steady()
        let pause: UInt64 = StandardOutput.isTerminal ? 100_000_000 : 1_000_000_000
        if !isLast && now < saidAt + pause { return }
        saidAt = now
        let done = tracks.count { $0.finishedSeconds != nil }
        let running = tracks.count { $0.startedSeconds != nil && $0.finishedSeconds == nil }
        let rate = Double(requests) / max(Double(now - begin) / 1e9, 1e-9)
        let line =
            "day \(seconds / 86_400) \(seconds / 3600 % 24) h  jobs \(done)/\(tracks.count) done, \(running) running, "
            + "\(nextSubmit - done - running) queued  GPUs \(gpusInUse)/\(fleetGPUs)  \(Int(rate)) requests/s"
        StandardOutput.write(StandardOutput.isTerminal ? "\r\u{1B}[K" + line + (isLast ? "\n" : "") : line + "\n")
    }

    private func table() -> String {
        var waits = tracks.compactMap { track in track.startedSeconds.map { $0 - track.job.submitSeconds } }
        waits.sort()
        func wait(_ percent: Int) -> String { waits.isEmpty ? "-" : "\(waits[(waits.count - 1) * percent / 100]) s" }
        let domains = tracks.reduce(0) { $0 + $1.domains }
        let least = tracks.reduce(0) { $0 + $1.leastDomains }
        let finished = tracks.count { $0.finishedSeconds != nil }
        let span = seconds - (tracks.first?.job.submitSeconds ?? 0)
        let used = span > 0 ? Double(gpuSeconds) / (Double(span) * Double(fleetGPUs)) * 100 : 0
        let real = Double(SystemClock.steady() - begin) / 1e9
        let split = trace.jobs.contains { $0.gpusPerWorker > gpusPerWorker }
        func row(_ name: String, _ value: String) -> String {
            name + String(repeating: " ", count: max(1, 34 - name.count)) + value + "\n"
        }
        func decimals(_ value: Double) -> String {
            let hundredths = Int((value * 100).rounded())
            return "\(hundredths / 100)." + (hundredths % 100 < 10 ? "0" : "") + "\(hundredths % 100)"
        }
        return row("jobs", "\(tracks.count)")
            + row("placed", "\(waits.count)")
            + row("finished", "\(finished)")
            + row("lost", "\(tracks.count - finished)")
            + row("wait p50 / p90 / p99", "\(wait(50)) / \(wait(90)) / \(wait(99)) of the trace's time")
            + row("longest wait", wait(100))
            + row("utilisation", "\(decimals(used)) % of \(fleetGPUs) GPUs over \(span) s of the trace's time")
            + row("domains used / least possible", "\(domains) / \(least)")
            + row("real time", "\(decimals(real)) s for \(requests) requests")
            + (split
                ? row("workers", "split into workers of at most \(gpusPerWorker) GPUs, so that they fit the nodes")
                : "")
    }
}
