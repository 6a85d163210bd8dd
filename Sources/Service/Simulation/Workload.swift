// The jobs of a simulation: a trace in nanoseconds from its first submission, with the limits that users state, at the load asked
// for.

public import Model

/// Why a simulation cannot be run: each line says what is wrong.
public struct SimulationFault: Error, Sendable, CustomStringConvertible {
    public var lines: [String]

    public var description: String { lines.joined(separator: "\n") }
}

/// How a trace becomes a workload.
public struct WorkloadOptions: Sendable {
    /// GPU-seconds asked over what the fleet has while jobs are submitted, in thousandths: submissions are moved together or apart
    /// until it is so. Nil leaves them as they are.
    public var loadMilli: Int?
    /// The limit that a job states where the trace has none: its run time times so many thousandths.
    public var limitFactorMilli = 2000

    public init() {}
}

/// One job on virtual time.
struct SimulatedJob: Sendable {
    let name: String
    /// From the first submission.
    let submitNanoseconds: Int64
    let runtimeNanoseconds: Int64
    let gpus: Int
    let spec: JobSpec
}

/// What every policy is given.
public struct Workload: Sendable {
    /// By rising submission.
    let jobs: [SimulatedJob]
    public let capacityGPUs: Int
    public let gpuSeconds: Int

    /// From the first submission to the last.
    public var spanNanoseconds: Int64 { jobs.last?.submitNanoseconds ?? 0 }

    /// The least limit that a job states where the trace has none.
    private static let leastLimitSeconds = 60
    /// Both ends of what a load and a run may come to.
    private static let mostSeconds = 100 * 366 * 86_400

    public init(_ trace: Trace, on pools: [PoolSpec], _ options: WorkloadOptions) throws(SimulationFault) {
        let capacity = pools.reduce(0) { $0 + $1.gpuCount }
        if capacity == 0 { throw SimulationFault(lines: ["The fleet has no GPU."]) }
        let first = trace.jobs.first?.submitSeconds ?? 0
        let span = (trace.jobs.last?.submitSeconds ?? 0) - first
        capacityGPUs = capacity
        let asked = trace.jobs.reduce(Int128(0)) { $0 + Int128($1.gpus) * Int128($1.runtimeSeconds) }
        let runtime = trace.jobs.reduce(Int128(0)) { $0 + Int128($1.runtimeSeconds) }
        // One after the other is the longest that they can take.
        guard asked < Int128(Int.max), Int128(span) + runtime < Int128(Self.mostSeconds) else {
            throw SimulationFault(lines: ["The jobs of the trace run for more than a hundred years."])
        }
        gpuSeconds = Int(asked)
        var wanted = Int128(span) * 1_000_000_000
        if let load = options.loadMilli {
            if span == 0 {
                throw SimulationFault(
                    lines: ["All jobs come at one moment; no load can be made of that. Leave --load out."])
            }
            wanted = asked * 1_000_000_000 * 1000 / (Int128(capacity) * Int128(load))
            if wanted + runtime * 1_000_000_000 >= Int128(Self.mostSeconds) * 1_000_000_000 {
                throw SimulationFault(lines: ["At so little load the jobs would come over more than a hundred years."])
            }
        }
        jobs = trace.jobs.map { job in
            let seconds = Int128(job.submitSeconds - first)
            return SimulatedJob(
                job, at: span == 0 ? 0 : Int64(wanted * seconds / Int128(span)),
                limitSeconds: Self.limit(of: job, options))
        }
    }

    private static func limit(of job: TraceJob, _ options: WorkloadOptions) -> Int {
        if let limit = job.limitSeconds { return limit }
        let scaled = (Int128(job.runtimeSeconds) * Int128(options.limitFactorMilli) + 999) / 1000
        return Int(min(max(scaled, Int128(leastLimitSeconds)), Int128(Bounds.runtimeSeconds)))
    }

    /// GPU-seconds asked over what the fleet has while jobs are submitted; nil where all come at one moment.
    public var load: Ratio? {
        if spanNanoseconds == 0 { return nil }
        return Ratio(Int128(gpuSeconds) * 1_000_000_000, Int128(capacityGPUs) * Int128(spanNanoseconds))
    }
}

extension SimulatedJob {
    fileprivate init(_ job: TraceJob, at nanoseconds: Int64, limitSeconds: Int) {
        name = job.name
        submitNanoseconds = nanoseconds
        runtimeNanoseconds = Int64(job.runtimeSeconds) * 1_000_000_000
        gpus = job.gpus
        // The engine gives ids; names of a trace need not differ.
        spec = JobSpec(
            tenant: job.tenant, priority: job.priority,
            workers: [WorkerGroup(count: job.workers, demand: Demand(gpus: job.gpusPerWorker))],
            maxRuntimeSeconds: limitSeconds)
    }
}
