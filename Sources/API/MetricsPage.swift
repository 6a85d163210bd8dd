// The metrics page in the Prometheus text format, version 0.0.4: every name, its help and its values in one place.

import Engine
import HTTP
import Model

/// Writes metric families one after the other.
struct MetricsPage {
    private(set) var bytes: [UInt8] = []

    private mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func family(_ name: String, _ type: String, _ help: String) {
        text("# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
    }

    /// Label values are names of pools and the like, which hold nothing to escape.
    private mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: String) {
        text(name)
        if !labels.isEmpty { text("{" + labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",") + "}") }
        text(" " + value + "\n")
    }

    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        family(name, "counter", help)
        sample(name, [], String(value))
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        family(name, "gauge", help)
        sample(name, [], String(value))
    }

    mutating func samples(
        _ name: String, _ type: String, _ help: String, _ values: [(labels: [(String, String)], value: Int)]
    ) {
        family(name, type, help)
        for value in values { sample(name, value.labels, String(value.value)) }
    }

    mutating func histogram(_ name: String, _ help: String, _ reading: HistogramReading) {
        family(name, "histogram", help)
        for (index, bound) in Histogram.bounds.enumerated() {
            sample(name + "_bucket", [("le", bound.label)], String(reading.cumulative[safe: index]))
        }
        let all = reading.cumulative.last ?? 0
        sample(name + "_bucket", [("le", "+Inf")], String(all))
        sample(name + "_sum", [], Self.seconds(reading.sumNanoseconds))
        sample(name + "_count", [], String(all))
    }

    private static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
    }
}

extension [UInt64] {
    fileprivate subscript(safe index: Int) -> UInt64 { index < count ? self[index] : 0 }
}

extension MetricsPage {
    init(_ reading: ServiceReading, _ state: State, routes: [RequestCount], ready: Bool) {
        http(reading, routes)

        gauge("berth_ready", "1 while the service is ready for traffic.", ready ? 1 : 0)
        gauge("berth_revision", "Revision of the newest fact that is on disk.", Int(state.revision))
        samples(
            "berth_jobs", "gauge", "Jobs remembered, by state.",
            JobState.allCases.map { ([("state", $0.name)], state.count(of: $0)) })
        gauge("berth_queue_gpus", "GPUs that waiting jobs ask for.", state.gpusQueued)
        samples(
            "berth_jobs_gated", "gauge", "Queued jobs that may not be tried, by gate; one may be behind several.",
            GateKind.allCases.map { ([("gate", "\($0.word)")], state.jobsByGate[Int($0.rawValue)]) })
        gauge("berth_jobs_reserved", "Queued jobs that have a place kept for them.", state.reservedJobs)
        predictions(reading.work.predictions)
        predictedStarts(reading.work.predictedStarts)
        gauge("berth_arrays", "Arrays of jobs of which a task is remembered.", state.arrays.count)
        gauge("berth_inbox_depth", "Requests that wait for the writer.", reading.inboxDepth)
        gauge("berth_inbox_capacity", "Requests that may wait for the writer.", reading.inboxCapacity)
        counter("berth_inbox_refusals_total", "Requests refused because the inbox was full.", reading.inboxRefusals)

        counter("berth_placements_total", "Jobs placed.", reading.work.placements)
        counter(
            "berth_requeues_total",
            "Gangs sent back to the queue by a node that went down or was drained, or by a higher claim.",
            reading.work.requeues)
        preemption(reading.work)
        samples(
            "berth_jobs_ended_total", "counter", "Jobs ended, by what brought them to their end.",
            EndCause.allCases.map { ([("cause", "\($0.word)")], Int(reading.work.ends[Int($0.rawValue)])) })
        counter("berth_scheduler_passes_total", "Scheduling passes.", reading.work.passes)
        counter("berth_scheduler_tries_total", "Times a shape was tried.", reading.work.tries)
        counter("berth_scheduler_misses_total", "Tries that found no place.", reading.work.misses)
        histogram("berth_decision_seconds", "Time to decide one command.", reading.decisions)
        histogram("berth_plan_seconds", "Time to make one plan, beside the writer.", reading.plans)
        counter("berth_plan_steps_total", "Steps of the searches of plans.", reading.planSteps)

        counter("berth_journal_bytes_total", "Bytes appended to the journal.", reading.journalBytes)
        counter("berth_journal_records_total", "Records appended to the journal.", reading.journalRecords)
        counter("berth_journal_flushes_total", "Flushes of the journal.", reading.journalFlushes)
        histogram("berth_flush_seconds", "Time of one flush of the journal.", reading.flushes)
        gauge("berth_journal_segments", "Segments of the journal on disk.", reading.journalSegments)
        counter("berth_snapshots_total", "Snapshots taken.", reading.snapshots)
        gauge("berth_snapshot_revision", "Revision of the newest snapshot.", Int(reading.snapshotRevision))

        tenants(state.tenants)
        pools(reading, state)
        gauge("process_resident_memory_bytes", "Resident memory.", Int(reading.residentBytes))
        gauge(
            "process_start_time_seconds", "Start of the process, Unix time.",
            Int(reading.startedAt.nanoseconds / 1_000_000_000))
    }

    private mutating func preemption(_ work: WorkCounters) {
        var asked: [(labels: [(String, String)], value: Int)] = []
        for kind in PreemptionKind.allCases {
            let (gangs, surplus) = (work.preemptions[Int(kind.rawValue)], work.shrinks[Int(kind.rawValue)])
            asked.append(([("kind", "\(kind.word)"), ("of", "gang")], Int(gangs)))
            asked.append(([("kind", "\(kind.word)"), ("of", "surplus")], Int(surplus)))
        }
        samples(
            "berth_preemptions_total", "counter",
            "Gangs, and surplus workers of elastic ones, that were asked to leave, by the right of the claim.", asked)
        counter("berth_preemptions_spared_total", "Those of them that were spared.", work.spared)
        counter("berth_gang_losses_total", "Gangs that lost some of their workers with nodes.", work.losses)
        counter(
            "berth_gang_repairs_total", "Gangs that went on after such a loss without coming back to the queue.",
            work.repairs)
        counter(
            "berth_gang_repairs_late_total", "Such losses for which no other workers were found in time.",
            work.repairsGivenUp)
        counter("berth_gang_growths_total", "Times that an elastic gang took more workers.", work.growths)
        counter("berth_gang_growth_workers_total", "Workers that elastic gangs took so.", work.grownWorkers)
        family(
            "berth_preemption_lost_gpu_hours_total", "counter",
            "Work since the last checkpoint that preempted jobs lost, in GPU-hours.")
        // Thousandths of a GPU times seconds are 5/18 of millionths of GPU-hours.
        let micro = work.lostMilliSeconds / 18 * 5
        sample(
            "berth_preemption_lost_gpu_hours_total", [],
            "\(micro / 1_000_000).\(String(1_000_000 + micro % 1_000_000).dropFirst())")
        counter(
            "berth_preemption_searches_total", "Searches for jobs that could make room for another.",
            work.preemptionSearches)
        counter(
            "berth_preemption_trials_total", "Times that such a search tried to place a gang.", work.preemptionTrials)
        counter(
            "berth_preemption_releases_total", "Times that such a search released a gang on trial.",
            work.preemptionReleases)
    }

    private mutating func predictions(_ errors: PredictionErrors) {
        let name = "berth_start_prediction_error_seconds"
        family(name, "histogram", "How far from its start the start was that a job was promised first, early or late.")
        var sum: UInt64 = 0
        for (at, count) in errors.counts.enumerated() {
            sum += count
            let bound = at < PredictionErrors.bounds.count ? "\(PredictionErrors.bounds[at])" : "+Inf"
            sample(name + "_bucket", [("le", bound)], "\(sum)")
        }
        sample(name + "_sum", [], "\(errors.sumSeconds)")
        sample(name + "_count", [], "\(sum)")
    }

    private mutating func predictedStarts(_ starts: PredictedStarts) {
        samples(
            "berth_predicted_starts_total", "counter",
            "Starts of jobs of which a reader was told a range before, by where the start fell in the first one told.",
            [
                ([("fell", "before")], Int(starts.before)), ([("fell", "within")], Int(starts.within)),
                ([("fell", "after")], Int(starts.after)),
            ])
    }

    /// Those that were put: names that jobs bring are without end.
    private mutating func tenants(_ tenants: TenantTable) {
        gauge("berth_tenants", "Tenants, with those that jobs only name.", tenants.count)
        var jobs: [(labels: [(String, String)], value: Int)] = []
        var gpus: [(labels: [(String, String)], value: Int)] = []
        for case let record? in tenants.records where record.spec != nil {
            jobs.append(([("tenant", record.path), ("state", "queued")], record.queuedJobs))
            jobs.append(([("tenant", record.path), ("state", "running")], record.runningJobs))
            gpus.append(([("tenant", record.path)], Int(record.usage.gpuMilli)))
        }
        samples(
            "berth_tenant_jobs", "gauge",
            "Jobs of a tenant that was put and of all below it: queued, or placed and running.",
            jobs)
        samples(
            "berth_tenant_gpu_milli", "gauge",
            "GPU capacity that a tenant that was put, with all below it, holds, in thousandths of a GPU.", gpus)
    }

    private mutating func http(_ reading: ServiceReading, _ routes: [RequestCount]) {
        var requests: [(labels: [(String, String)], value: Int)] = []
        for route in routes {
            let labels = [("route", route.route), ("method", route.method), ("code", route.statusClass)]
            requests.append((labels, Int(route.count)))
        }
        samples("berth_http_requests_total", "counter", "Requests answered, by route and class of status.", requests)
        var refusals: [(labels: [(String, String)], value: Int)] = []
        for (status, count) in reading.http.failures.sorted(by: { $0.key < $1.key }) {
            refusals.append(([("code", String(status))], Int(count)))
        }
        samples("berth_http_refusals_total", "counter", "Requests that HTTP itself refused, by status.", refusals)
        gauge("berth_http_connections", "Open connections.", reading.http.openConnections)
        counter("berth_http_connections_total", "Connections accepted.", reading.http.acceptedConnections)
        counter("berth_http_received_bytes_total", "Bytes read from clients.", reading.http.receivedBytes)
        counter("berth_http_sent_bytes_total", "Bytes sent to clients.", reading.http.sentBytes)
        counter(
            "berth_http_unanswered_total", "Requests that no handler answered; each is a bug.",
            reading.http.unansweredRequests)
    }

    private mutating func pools(_ reading: ServiceReading, _ state: State) {
        let pools = state.pools.filter { !$0.isDeleted }
        func labels(_ spec: PoolSpec) -> [(String, String)] {
            [
                ("pool", spec.name), ("provider", spec.provider), ("region", spec.region),
                ("accelerator", spec.accelerator),
            ]
        }
        samples("berth_pool_gpus", "gauge", "GPUs of a pool.", pools.map { (labels($0.spec), $0.spec.gpuCount) })
        samples(
            "berth_pool_gpus_allocated", "gauge", "GPUs of a pool that jobs hold.",
            pools.map { (labels($0.spec), $0.gpusAllocated) })
        samples(
            "berth_pool_gpu_milli_allocated", "gauge",
            "GPU capacity of a pool that jobs hold, shares counted as shares, in thousandths of a GPU.",
            pools.map { (labels($0.spec), $0.gpuMilliAllocated) })
        samples(
            "berth_pool_jobs", "gauge", "Placed and running jobs of a pool.",
            pools.map { ([("pool", $0.spec.name)], $0.jobs) })
        var room: [(labels: [(String, String)], value: Int)] = []
        for pool in reading.pools where pool.slot.index < state.pools.count {
            let name = state[pool.slot].spec.name
            for gang in pool.room { room.append(([("pool", name), ("gpus", String(gang.gpus))], gang.inOnePool)) }
        }
        samples(
            "berth_pool_placeable_gangs", "gauge", "Gangs of so many GPUs that fit the pool now, one beside the other.",
            room)
    }
}

/// Answers of one route with one class of status.
struct RequestCount: Sendable {
    var route: String
    var method: String
    var statusClass: String
    var count: UInt64
}
