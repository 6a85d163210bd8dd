// Kueue's own benchmarks of its scheduler, replayed as data on virtual time: what they come to here, and what processor time that
// takes. The engine alone, without journal and sockets.
//
// Source: kubernetes-sigs/kueue, test/performance/scheduler/configs: baseline, tas and large-scale (generator.yaml; Apache-2.0).
// A queue is a tenant with its quota, a cohort the tenant above it, with no quota of its own and none to borrow. What there is CPU is
// here GPU, for quota counts those. A node has at most 16 of them, so that the pod of 20 CPUs is two workers of ten, and with
// the topology a GPU stands for a quarter of a CPU: its nodes are smaller than theirs, and there is no less to place. Where theirs
// has no nodes at all there are enough that only quota keeps anyone waiting. Kueue displaces jobs of lower priority there; Berth lets them
// run to their end.

import Engine
import Model

public struct KueueBench: Sendable {
    /// Workloads of one kind that come to each queue at even intervals, the first after one.
    struct Stream: Sendable {
        var name: String
        var count: Int
        var intervalMilliseconds: Int
        var runtimeMilliseconds: Int
        var priority: Int
        var workers: Int
        var gpus: Int
        var scope = Scope.pool
        var segment: Segment?
    }

    public let name: String
    /// Seconds from the first workload to the end of the last, as published.
    let publishedSeconds: Int
    var cohorts: Int
    let queuesPerCohort: Int
    let nominalGPUs: Int
    let borrowedGPUs: Int
    let node: Int
    let topology: Topology
    let streams: [Stream]

    public var workloads: Int { cohorts * queuesPerCohort * streams.reduce(0) { $0 + $1.count } }

    /// One cohort of the first.
    public static var smoke: KueueBench {
        var bench = baseline
        bench.cohorts = 1
        return bench
    }

    public static let all = [baseline, topologyAware, largeScale]

    /// 5 cohorts of 6 queues.
    static let baseline = KueueBench(
        name: "kueue1", publishedSeconds: 351, cohorts: 5, queuesPerCohort: 6, nominalGPUs: 20, borrowedGPUs: 100,
        node: 10, topology: .counts(blocks: 1, domainsPerBlock: 10, nodesPerDomain: 24),
        streams: [
            Stream(
                name: "small", count: 350, intervalMilliseconds: 100, runtimeMilliseconds: 200, priority: 50,
                workers: 1, gpus: 1),
            Stream(
                name: "medium", count: 100, intervalMilliseconds: 500, runtimeMilliseconds: 500, priority: 100,
                workers: 1, gpus: 5),
            Stream(
                name: "large", count: 50, intervalMilliseconds: 1200, runtimeMilliseconds: 1000, priority: 200,
                workers: 2, gpus: 10),
        ])

    /// The same in a block of 10 racks of 64 nodes. A third of each size must share a rack, a third would rather, and of a third slices
    /// must.
    static let topologyAware = KueueBench(
        name: "kueue2", publishedSeconds: 401, cohorts: 5, queuesPerCohort: 6, nominalGPUs: 80, borrowedGPUs: 400,
        node: 16, topology: .counts(blocks: 1, domainsPerBlock: 10, nodesPerDomain: 64),
        streams: [
            ("small", [120, 120, 110], 100, 200, 50, 2, 2, 1), ("medium", [34, 33, 33], 500, 500, 100, 4, 5, 2),
            ("large", [17, 17, 16], 1200, 1000, 200, 8, 10, 4),
        ].flatMap { name, counts, interval, runtime, priority, workers, gpus, slice in
            [
                (Scope(.domain), 1), (Scope(.pool, preferred: .domain), 1), (Scope.pool, slice),
            ].enumerated().map { at, form in
                Stream(
                    name: name, count: counts[at], intervalMilliseconds: interval, runtimeMilliseconds: runtime,
                    priority: priority, workers: workers, gpus: gpus, scope: form.0,
                    segment: form.1 > 1 ? Segment(size: form.1, tier: .domain) : nil)
            }
        })

    /// 10 cohorts of 100 queues.
    static let largeScale = KueueBench(
        name: "kueue3", publishedSeconds: 1179, cohorts: 10, queuesPerCohort: 100, nominalGPUs: 20, borrowedGPUs: 100,
        node: 10, topology: .counts(blocks: 10, domainsPerBlock: 10, nodesPerDomain: 80),
        streams: [
            Stream(
                name: "small", count: 35, intervalMilliseconds: 60, runtimeMilliseconds: 150, priority: 50, workers: 1,
                gpus: 1),
            Stream(
                name: "medium", count: 11, intervalMilliseconds: 300, runtimeMilliseconds: 350, priority: 100,
                workers: 1, gpus: 5),
            Stream(
                name: "large", count: 4, intervalMilliseconds: 700, runtimeMilliseconds: 700, priority: 200,
                workers: 2, gpus: 10),
        ])

    public func run() -> Report {
        var run = KueueRun(self)
        let start = threadNanosecondsNow()
        run.run()
        let nanoseconds = threadNanosecondsNow() - start
        let work = run.engine.work
        return Report(
            benchmark: name,
            figures: [
                Figure("workloads", Double(workloads), "workloads"),
                Figure("workloadsAdmitted", Double(run.admitted), "workloads", goal: "\(workloads)"),
                Figure("makespan", Double(run.milliseconds) / 1000, "s simulated", goal: "Kueue: \(publishedSeconds)"),
                Figure("processorTime", Double(nanoseconds) / 1e9, "s", goal: "below 2"),
                Figure("timePerWorkload", Double(nanoseconds) / Double(workloads), "ns"),
                Figure("triesPerWorkload", Double(work.tries) / Double(workloads), "tries"),
                Figure("misses", Double(work.misses), "tries"),
            ] + run.waits, hash: run.engine.state.digest)
    }
}

private struct KueueRun: ~Copyable {
    private static let begin = Timestamp(nanoseconds: 1_795_000_000_000_000_000)

    private struct Submission {
        let at: Int
        let queue: Int
        let stream: Int
    }

    /// Workloads of one stream that run: all as long, so that they end in the order in which they began.
    private struct Running {
        var ends: [(at: Int, id: String)] = []
        var ended = 0

        var next: Int? { ended < ends.count ? ends[ended].at : nil }
    }

    var engine: Engine
    /// Since the beginning.
    private(set) var milliseconds = 0
    private(set) var admitted = 0
    private let bench: KueueBench
    private let paths: [String]
    private let submissions: [Submission]
    private var running: [Running]
    /// By number of the job.
    private var submitted: [(at: Int, stream: Int)] = []
    /// By stream.
    private var waited: [[UInt64]]

    init(_ bench: KueueBench) {
        self.bench = bench
        engine = Engine(settings: EngineSettings())
        running = Array(repeating: Running(), count: bench.streams.count)
        waited = Array(repeating: [], count: bench.streams.count)
        paths = (0..<bench.cohorts * bench.queuesPerCohort).map {
            "cohort-\($0 / bench.queuesPerCohort)/cq-\($0 % bench.queuesPerCohort)"
        }
        var submissions: [Submission] = []
        for (number, stream) in bench.streams.enumerated() {
            for time in 1...stream.count {
                for queue in paths.indices {
                    submissions.append(
                        Submission(at: time * stream.intervalMilliseconds, queue: queue, stream: number))
                }
            }
        }
        self.submissions = submissions.indices.sorted {
            (submissions[$0].at, $0) < (submissions[$1].at, $1)
        }.map { submissions[$0] }
        setUp()
    }

    private mutating func setUp() {
        decide(
            .putPool(
                PoolSpec(
                    name: "nodes", provider: "cloud", region: "region", accelerator: "cpu",
                    node: NodeShape(gpus: bench.node, cpuMillis: bench.node * 1000, memoryMiB: bench.node * 4096),
                    topology: bench.topology)))
        for cohort in 0..<bench.cohorts { put("cohort-\(cohort)", nominal: 0, borrow: 0) }
        for path in paths { put(path, nominal: bench.nominalGPUs, borrow: bench.borrowedGPUs) }
    }

    private mutating func put(_ path: String, nominal: Int, borrow: Int) {
        let quota = Quota(
            unit: .gpuMilli(accelerator: "cpu"), nominal: Int64(nominal) * 1000, borrowLimit: Int64(borrow) * 1000)
        decide(.putTenant(TenantSpec(path: path, quotas: [quota])))
    }

    mutating func run() {
        var next = 0
        while true {
            let submitAt = next < submissions.count ? submissions[next].at : .max
            var stream = 0
            for at in running.indices where running[at].next ?? .max < running[stream].next ?? .max { stream = at }
            let endAt = running[stream].next ?? .max
            if min(submitAt, endAt) == .max { break }
            milliseconds = min(submitAt, endAt)
            // What ends makes room for what comes at the same moment.
            if endAt <= submitAt {
                let id = running[stream].ends[running[stream].ended].id
                running[stream].ended += 1
                decide(.finish(id: id, end: .succeeded, message: ""))
            } else {
                submit(submissions[next])
                next += 1
            }
        }
    }

    private mutating func submit(_ submission: Submission) {
        let stream = bench.streams[submission.stream]
        submitted.append((milliseconds, submission.stream))
        decide(
            .submit(
                JobSpec(
                    tenant: paths[submission.queue], priority: stream.priority,
                    workers: [
                        WorkerGroup(
                            count: stream.workers, demand: Demand(gpus: stream.gpus), segment: stream.segment)
                    ], scope: stream.scope)))
    }

    private mutating func decide(_ command: Command) {
        let at = Self.begin.adding(milliseconds: milliseconds)
        note(engine.decide(command, at: at).transaction, at: at)
        while engine.hasPendingWork { note(engine.decide(.resume, at: at).transaction, at: at) }
    }

    /// What is placed starts at once.
    private mutating func note(_ transaction: Transaction?, at: Timestamp) {
        for case .jobPlaced(let number, _) in transaction?.facts ?? [] {
            guard let id = engine.state.jobs[number]?.id else { continue }
            let job = submitted[Int(number.value) - 1]
            admitted += 1
            waited[job.stream].append(UInt64(milliseconds - job.at))
            running[job.stream].ends.append((milliseconds + bench.streams[job.stream].runtimeMilliseconds, id))
            _ = engine.decide(.start(id: id), at: at)
        }
    }

    /// The mean time to admission by size.
    var waits: [Figure] {
        var names: [String] = []
        for stream in bench.streams where !names.contains(stream.name) { names.append(stream.name) }
        return names.map { name in
            let all = bench.streams.indices.filter { bench.streams[$0].name == name }.flatMap { waited[$0] }
            return Figure(
                name + "MeanWait", Double(all.reduce(0, +)) / 1000 / Double(max(1, all.count)), "s simulated")
        }
    }
}

extension Timestamp {
    fileprivate func adding(milliseconds: Int) -> Timestamp {
        Timestamp(nanoseconds: nanoseconds + Int64(milliseconds) * 1_000_000)
    }
}
