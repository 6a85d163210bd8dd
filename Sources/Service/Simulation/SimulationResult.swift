// What a simulated policy came to: waits by size, use of the fleet, fairness, what was lost. Integers throughout.

import Model

/// A part of something, exactly.
public struct Ratio: Hashable, Sendable {
    public let part: Int128
    /// Above zero.
    public let whole: Int128

    public init(_ part: Int128, _ whole: Int128) {
        self.part = part
        self.whole = whole
    }

    /// In millionths, rounded to the nearest. Precondition: the part is below 2^100.
    public var millionths: Int { Int((part * 2_000_000 / whole + 1) / 2) }
}

/// Durations of several jobs.
public struct Durations: Hashable, Sendable {
    public let count: Int
    public let meanNanoseconds: Int64
    public let medianNanoseconds: Int64
    public let p95Nanoseconds: Int64
    public let largestNanoseconds: Int64

    /// Nil of none. The quantile of q is the least duration that at least that part of all do not exceed.
    init?(_ durations: [Int64]) {
        if durations.isEmpty { return nil }
        let sorted = durations.sorted()
        func quantile(_ percent: Int) -> Int64 { sorted[(sorted.count * percent + 99) / 100 - 1] }
        count = sorted.count
        meanNanoseconds = Int64(sorted.reduce(Int128(0)) { $0 + Int128($1) } / Int128(sorted.count))
        medianNanoseconds = quantile(50)
        p95Nanoseconds = quantile(95)
        largestNanoseconds = sorted[sorted.count - 1]
    }
}

/// Jobs of one class of size.
public struct SizeClass: Hashable, Sendable {
    public let gpus: ClosedRange<Int>
    /// From submission to first start; nil where the class has no job.
    public let waits: Durations?
}

public struct SimulationResult: Hashable, Sendable {
    public let classes: [SizeClass]
    /// GPU time held over what the fleet had: until the last submission, and until the last end. Nil where that is no time.
    public let utilisationUntilLastSubmission: Ratio?
    public let utilisationUntilEnd: Ratio?
    /// From the first submission to the last end.
    public let makespanNanoseconds: Int64
    /// Jain's index over tenants of GPU time got until the last submission over GPU time asked for, in millionths.
    public let fairnessMillionths: Int
    public let preemptions: Int
    /// GPU time of runs that were lost.
    public let lostGPUNanoseconds: Int128
    /// Between the first start of a job and what was first predicted; nil where the policy predicts nothing.
    public let predictionErrors: Durations?
    /// Of the engine's state at the end.
    public let hash: UInt64
}

/// Takes note of what happens while a policy is simulated.
struct SimulationTally {
    static let classes = [1...8, 9...64, 65...256, 257...512, 513...Int.max]

    private let workload: Workload
    /// By job.
    private var waits: [Int64?]
    /// By job, the start that was first predicted; and how far off the actual ones were.
    private var predictions: [Int64?]
    private var errors: [Int64] = []
    /// GPU nanoseconds held until the last submission, by job, and of all until the end.
    private var got: [Int128]
    private var held: Int128 = 0
    private var lost: Int128 = 0
    private var preemptions = 0
    private var end: Int64 = 0

    init(_ workload: Workload) {
        self.workload = workload
        waits = Array(repeating: nil, count: workload.jobs.count)
        predictions = Array(repeating: nil, count: workload.jobs.count)
        got = Array(repeating: 0, count: workload.jobs.count)
    }

    /// Counts only the first time, and only before the job first started.
    mutating func predicted(_ job: Int, at start: Int64) {
        if waits[job] == nil && predictions[job] == nil { predictions[job] = start }
    }

    mutating func started(_ job: Int, at now: Int64) {
        if waits[job] != nil { return }
        waits[job] = now - workload.jobs[job].submitNanoseconds
        if let predicted = predictions[job] { errors.append(abs(now - predicted)) }
    }

    mutating func ran(_ job: Int, from: Int64, to now: Int64, isLost: Bool) {
        let gpus = Int128(workload.jobs[job].gpus)
        held += gpus * Int128(now - from)
        got[job] += gpus * Int128(max(0, min(now, workload.spanNanoseconds) - from))
        end = max(end, now)
        if isLost {
            preemptions += 1
            lost += gpus * Int128(now - from)
        }
    }

    func result(hash: UInt64) -> SimulationResult {
        let capacity = Int128(workload.capacityGPUs)
        let span = workload.spanNanoseconds
        return SimulationResult(
            classes: Self.classes.map { gpus in
                let jobs = waits.indices.filter { gpus.contains(workload.jobs[$0].gpus) }
                return SizeClass(gpus: gpus, waits: Durations(jobs.compactMap { waits[$0] }))
            },
            utilisationUntilLastSubmission: span == 0 ? nil : Ratio(got.reduce(0, +), capacity * Int128(span)),
            utilisationUntilEnd: end == 0 ? nil : Ratio(held, capacity * Int128(end)), makespanNanoseconds: end,
            fairnessMillionths: fairness, preemptions: preemptions, lostGPUNanoseconds: lost,
            predictionErrors: Durations(errors),
            hash: hash)
    }

    /// Source: Jain, Chiu, Hawe, "A Quantitative Measure of Fairness and Discrimination" (1984).
    private var fairness: Int {
        var byTenant: [String: (got: Int128, asked: Int128)] = [:]
        for (job, got) in zip(workload.jobs, got) {
            byTenant[job.spec.tenant, default: (0, 0)].got += got
            byTenant[job.spec.tenant, default: (0, 0)].asked += Int128(job.gpus) * Int128(job.runtimeNanoseconds)
        }
        let parts = byTenant.values.filter { $0.asked > 0 }.map { Int128(Ratio($0.got, $0.asked).millionths) }
        let sum = parts.reduce(0, +)
        let squares = parts.reduce(0) { $0 + $1 * $1 }
        // Where nobody got anything all are treated alike.
        return squares == 0 ? 1_000_000 : Ratio(sum * sum, Int128(parts.count) * squares).millionths
    }
}
