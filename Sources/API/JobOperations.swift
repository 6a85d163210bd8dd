// Submitting, reading and moving jobs.

import Engine
import HTTP
import JSON
import Model

extension BerthAPI {
    func submitJob(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        switch Body.read(call.request, { JobSpec(&$0) }) {
        case .problem(let problem, let mistakes): return .now(call.problem(problem, mistakes))
        case .value(let spec): return .desk { desk in call.answer(desk.decide(.submit(spec)), desk) }
        }
    }

    /// NDJSON in and out: each line is a job of its own, answered in order, all on disk with one flush. Up to
    /// `Bounds.jobsPerBatch` neighbours are placed together.
    func submitBatch(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        guard Body.isMedia(call.request, Answer.ndjson) else {
            return .now(
                call.problem(
                    Problem(
                        .unsupportedMediaType,
                        "Send one job a line and say so: -H 'Content-Type: application/x-ndjson' (and --data-binary, which keeps the lines)."
                    )))
        }
        return .slowlyToDesk { [settings] in
            let lines = Array(JSONLines(call.request.body))
            if lines.isEmpty {
                return .answer(
                    call.problem(Problem(.invalidBody, "The batch has no lines. Send one job a line, as JSON.")))
            }
            if lines.count > settings.batchLines {
                return .answer(
                    call.problem(
                        Problem(
                            .batchTooLong,
                            "The batch has \(lines.count) lines; limits.batchLines is \(settings.batchLines). Nothing was changed."
                        )))
            }
            let jobs = lines.map { line in
                BatchLine(
                    number: line.number, bytes: line.range.count,
                    read: SendableRead(Body.readLine(call.request.body, in: line.range) { Self.lineJob(&$0) }))
            }
            return .desk { desk in
                var writer = JSONWriter(capacity: jobs.count * 256)
                var rest = jobs[...]
                while !rest.isEmpty {
                    let batch = rest.prefix(Self.batchEnd(of: rest))
                    rest = rest[batch.endIndex...]
                    // Where nothing at all can be written, the whole call says so, and a script sees it in the status.
                    let isFirst = batch.startIndex == 0
                    if let stop = Self.decide(batch, desk, &writer), isFirst { return call.problem(Problem(stop)) }
                }
                return HTTPResponse(
                    200, contentType: Answer.ndjson, fields: Answer.revisionField(desk.state.revision),
                    body: writer.take())
            }
        }
    }

    /// An array is a command of its own.
    private static func lineJob(_ reader: inout ObjectReader) -> JobSpec {
        let spec = JobSpec(&reader)
        if spec.array != nil {
            reader.mistake(.invalid, "array", "Submit an array by itself: POST /v1/jobs. A batch takes single jobs.")
        }
        return spec
    }

    private struct BatchLine: Sendable {
        let number: Int
        let bytes: Int
        let read: SendableRead
    }

    /// How many of the lines make one command.
    private static func batchEnd(of lines: ArraySlice<BatchLine>) -> Int {
        var bytes = 0
        for (count, line) in lines.enumerated() {
            bytes += line.bytes
            if count == Bounds.jobsPerBatch || count > 0 && bytes > Bounds.batchBytes { return count }
        }
        return lines.count
    }

    /// Decides the jobs of some lines together and answers each line. Why nothing can be written, where nothing can.
    private static func decide(
        _ lines: ArraySlice<BatchLine>, _ desk: any Desk, _ writer: inout JSONWriter
    ) -> WriteStop? {
        let specs = lines.compactMap { line in
            if case .value(let spec) = line.read { spec } else { nil }
        }
        let decision = specs.isEmpty ? .outcome(.batch([])) : desk.decide(.submitBatch(specs))
        var outcomes: [Outcome] = []
        if case .outcome(.batch(let all)) = decision { outcomes = all }
        var next = outcomes.makeIterator()
        for line in lines {
            switch line.read {
            case .problem(let encoded, let status):
                writer.batchLine(line.number, status: status) { $0.value(raw: encoded) }
            case .value: writer.batchLine(line.number, next.next().map { .outcome($0) } ?? decision, desk.state)
            }
        }
        if case .unwritable(let stop) = decision { return stop }
        return nil
    }

    /// A line's job, or its problem written out, so that it may cross to the writer.
    private enum SendableRead: Sendable {
        case value(JobSpec)
        case problem([UInt8], status: Int)

        init(_ read: Read<JobSpec>) {
            switch read {
            case .value(let spec): self = .value(spec)
            case .problem(let problem, let mistakes):
                var writer = JSONWriter()
                writer.problem(problem, instance: nil, mistakes: mistakes)
                self = .problem(writer.take(), status: Int(problem.type.status.code))
            }
        }
    }

    func getJob(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        let id = call.parameters[0]
        let view = backend.view
        guard let job = view.jobs[id] else {
            return .now(call.problem(Problem(.jobNotFound(id: id)), revision: view.revision))
        }
        if job.state != .queued {
            // A gang of thousands of nodes makes an answer of megabytes, for which health on this loop must not wait.
            let isLarge = (job.life.placement?.workerCount ?? 0) > 512
            return isLarge ? .slowly { call.answer(job, view) } : .now(call.answer(job, view))
        }
        // Why it waits is known to the scheduler alone.
        return .desk { desk in
            guard let job = desk.state.jobs[id] else {
                return call.problem(Problem(.jobNotFound(id: id)), revision: desk.state.revision)
            }
            return call.answer(job, desk.state, waiting: Waiting.of(job, desk))
        }
    }

    func cancelJob(_ call: Call) throws(ParameterMistake) -> Step { try moveJob(call, .cancel(id: call.parameters[0])) }

    func startJob(_ call: Call) throws(ParameterMistake) -> Step { try moveJob(call, .start(id: call.parameters[0])) }

    func holdJob(_ call: Call) throws(ParameterMistake) -> Step { try moveJob(call, .hold(id: call.parameters[0])) }

    func releaseJob(_ call: Call) throws(ParameterMistake) -> Step {
        try moveJob(call, .release(id: call.parameters[0]))
    }

    func checkpointJob(_ call: Call) throws(ParameterMistake) -> Step {
        try moveJob(call, .checkpoint(id: call.parameters[0]))
    }

    func stoppedJob(_ call: Call) throws(ParameterMistake) -> Step {
        try moveJob(call, .stopped(id: call.parameters[0]))
    }

    private func moveJob(_ call: Call, _ command: Command) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        if let problem = call.bodyProblem { return .now(problem) }
        return .desk { desk in call.answer(desk.decide(command), desk) }
    }

    func finishJob(_ call: Call) throws(ParameterMistake) -> Step {
        _ = try Parameters(call.request, known: [])
        switch Body.read(call.request, { Finish(&$0) }) {
        case .problem(let problem, let mistakes): return .now(call.problem(problem, mistakes))
        case .value(let finish):
            let command = Command.finish(id: call.parameters[0], end: finish.end, message: finish.message)
            return .desk { desk in call.answer(desk.decide(command), desk) }
        }
    }

    func listJobs(_ call: Call) throws(ParameterMistake) -> Step {
        let parameters = try Parameters(
            call.request, known: ["state", "tenant", "array", "pool", "node", "limit", "cursor"])
        let limit = try parameters.limit()
        let after = try parameters.cursor()
        let states = try parameters.words("state", JobState.allCases.map { ($0.name, $0) })
        let tenant = try parameters.tenant("tenant")
        let view = backend.view
        var array: JobArrayInfo?
        if let id = try parameters.name("array") {
            guard let record = view.arrays[id] else {
                return .now(call.problem(Problem(.arrayNotFound(id: id)), revision: view.revision))
            }
            array = record.info
        }
        var pool: PoolSlot?
        var node: Int?
        if let name = try parameters.name("pool") {
            guard let slot = view.slot(named: name) else {
                return .now(call.problem(Problem(.poolNotFound(name: name))))
            }
            pool = slot
        }
        if let name = parameters["node"] {
            let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, Names.isValid(parts[0]), Names.isValidNodeName(parts[1]) else {
                throw ParameterMistake(
                    detail: "node is '\(name)'; it must be a pool's name, '/' and the name of one of its nodes.")
            }
            guard let slot = view.slot(named: parts[0]) else {
                return .now(call.problem(Problem(.poolNotFound(name: parts[0]))))
            }
            guard let index = view[slot].layout.node(named: parts[1]) else {
                return .now(call.problem(Problem(.nodeNotFound(pool: parts[0], node: parts[1]))))
            }
            if let asked = pool, asked != slot {
                throw ParameterMistake(
                    detail: "pool is '\(view[asked].spec.name)', and node is of pool '\(parts[0])'; leave one out.")
            }
            pool = slot
            node = index
        }
        let filter = JobFilter(states: states, tenant: tenant, array: array, pool: pool, node: node)
        return .slowly { Self.jobPage(view, filter, after: after, limit: limit) }
    }

    private struct JobFilter: Sendable {
        var states: [JobState]?
        var tenant: String?
        var array: JobArrayInfo?
        var pool: PoolSlot?
        var node: Int?

        func admits(_ job: Job) -> Bool {
            if let states, !states.contains(job.state) { return false }
            if let tenant, job.spec.tenant != tenant { return false }
            if let pool {
                guard let placement = job.life.placement, placement.parts.contains(where: { $0.pool == pool }) else {
                    return false
                }
                if let node, !placement.holds(node: node, of: pool) { return false }
            }
            return true
        }
    }

    private static func jobPage(_ view: State, _ filter: JobFilter, after: UInt64, limit: Int) -> HTTPResponse {
        Answer.json(revision: view.revision, reserving: limit * 512) { writer in
            writer.object { writer in
                writer.member("revision", view.revision)
                var last: UInt64?
                var count = 0
                var hasMore = false
                writer.key("jobs")
                writer.array { writer in
                    view.jobs.forEach(after: JobNumber(max(after, filter.array?.number.value ?? 0))) { job in
                        if let array = filter.array, job.number > array.lastNumber { return false }
                        guard filter.admits(job) else { return true }
                        if count == limit {
                            hasMore = true
                            return false
                        }
                        writer.job(job, in: view, .summary)
                        last = job.number.value
                        count += 1
                        return true
                    }
                }
                if hasMore, let last { writer.member("nextCursor", Parameters.cursor(last)) }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func batchLine(_ line: Int, status: Int, _ problem: (inout JSONWriter) -> Void) {
        object { writer in
            writer.member("line", line)
            writer.member("status", status)
            writer.key("problem")
            problem(&writer)
        }
        newLine()
    }

    fileprivate mutating func batchLine(_ line: Int, _ decision: Decision, _ state: State) {
        let problem: Problem
        switch decision {
        case .outcome(.job(let job, let created)):
            object { writer in
                writer.member("line", line)
                writer.member("status", created ? 201 : 200)
                writer.key("job")
                writer.job(job, in: state, .summary)
            }
            newLine()
            return
        case .outcome(.refused(let refusal)): problem = Problem(refusal)
        case .unwritable(let stop): problem = Problem(stop)
        case .outcome: problem = Problem(.notImplemented, "The scheduler answered something else.")
        }
        batchLine(line, status: Int(problem.type.status.code)) { $0.problem(problem, instance: nil) }
    }
}

extension Call {
    /// The answer to a command about a job.
    func answer(_ decision: Decision, _ desk: any Desk) -> HTTPResponse {
        switch decision {
        case .unwritable(let stop): return problem(Problem(stop))
        case .outcome(.refused(let refusal)): return problem(Problem(refusal), revision: desk.state.revision)
        case .outcome(.job(let job, let created)):
            return answer(job, desk.state, created: created, waiting: Waiting.of(job, desk))
        case .outcome(.array(let id, let created)): return answer(array: id, created: created, desk.state)
        case .outcome(.pool(let slot, let created)):
            let pool = desk.state[slot]
            var response = Answer.json(created ? 201 : 200, revision: desk.state.revision) { $0.pool(pool) }
            if created { response.add("Location", "/v1/pools/" + pool.spec.name) }
            return response
        case .outcome(.poolDeleted(let name)):
            return Answer.json(revision: desk.state.revision) { writer in
                writer.object { writer in
                    writer.member("name", name)
                    writer.member("deleted", true)
                }
            }
        case .outcome(.priorityClass(let name, let created)):
            return answer(priorityClass: name, created: created, desk)
        case .outcome(.priorityClassDeleted(let name)):
            return Answer.json(revision: desk.state.revision) { writer in
                writer.object { writer in
                    writer.member("name", name)
                    writer.member("deleted", true)
                }
            }
        case .outcome(.node(let slot, let node, _)):
            return Answer.json(revision: desk.state.revision) { $0.node(node, of: slot, desk) }
        case .outcome(.place(let change)):
            return Answer.json(revision: desk.state.revision) { $0.place(change, in: desk.state) }
        case .outcome(.tenant(let slot, let created)):
            let readings = desk.state.tenantReadings([slot], at: api.backend.now)
            var response = Answer.json(created ? 201 : 200, revision: desk.state.revision) { writer in
                for reading in readings { writer.tenant(reading) }
            }
            if created { response.add("Location", "/v1/tenants/" + desk.state.tenants[slot].path) }
            return response
        case .outcome(.tenantDeleted(let path)):
            return Answer.json(revision: desk.state.revision) { writer in
                writer.object { writer in
                    writer.member("path", path)
                    writer.member("deleted", true)
                }
            }
        case .outcome(.fairShare): return Answer.json(revision: desk.state.revision) { $0.object { _ in } }
        case .outcome(.batch(let outcomes)):
            return Answer.json(revision: desk.state.revision) { $0.object { $0.member("jobs", outcomes.count) } }
        case .outcome(.resumed): return Answer.json(revision: desk.state.revision) { $0.object { _ in } }
        }
    }

    func answer(_ job: Job, _ state: State, created: Bool = false, waiting: Waiting? = nil) -> HTTPResponse {
        var response = Answer.json(created ? 201 : 200, revision: state.revision) {
            $0.job(job, in: state, .nodes, waiting: waiting)
        }
        if created { response.add("Location", "/v1/jobs/" + job.id) }
        return response
    }

    /// The problem of a body where none is wanted.
    var bodyProblem: HTTPResponse? {
        Body.isEmpty(request)
            ? nil
            : problem(Problem(.invalidBody, "This call takes no body; what to do is in the path. Nothing was changed."))
    }
}
