// Simulated policies side by side: as a table for people, and as JSON for programs.

import JSON

/// Results of several policies for one workload.
public struct SimulationReport: Sendable {
    private let workload: Workload
    private let results: [(policy: SimulationPolicy, result: SimulationResult)]

    public init(_ workload: Workload, _ results: [(policy: SimulationPolicy, result: SimulationResult)]) {
        self.workload = workload
        self.results = results
    }

    // MARK: For people

    /// A column a policy. Waits and other spans are in seconds. Classes of size without jobs are left out.
    public var table: String {
        var rows = [["", ""] + results.map(\.policy.rawValue)]
        func add(_ name: String, _ figure: String, _ text: (SimulationResult) -> String?) {
            rows.append([name, figure] + results.map { text($0.result) ?? "-" })
        }
        for (at, gpus) in SimulationTally.classes.enumerated()
        where results.contains(where: { $0.result.classes[at].waits != nil }) {
            let waits = { (result: SimulationResult) in result.classes[at].waits }
            add("wait, \(gpus.words) GPUs", "jobs") { "\(waits($0)?.count ?? 0)" }
            add("", "mean s") { waits($0).map { $0.meanNanoseconds.seconds } }
            add("", "p50 s") { waits($0).map { $0.medianNanoseconds.seconds } }
            add("", "p95 s") { waits($0).map { $0.p95Nanoseconds.seconds } }
            add("", "max s") { waits($0).map { $0.largestNanoseconds.seconds } }
        }
        add("utilisation until the last submission", "%") { $0.utilisationUntilLastSubmission?.percent }
        add("utilisation until the end", "%") { $0.utilisationUntilEnd?.percent }
        add("makespan", "s") { $0.makespanNanoseconds.seconds }
        add("fairness among tenants", "Jain") { Fixed.text($0.fairnessMillionths, of: 1_000_000, decimals: 3) }
        add("preemptions", "") { "\($0.preemptions)" }
        add("lost GPU-hours", "") { Fixed.text(Int($0.lostGPUNanoseconds / 3_600_000_000), of: 1000, decimals: 1) }
        add("error of predicted starts", "mean s") { $0.predictionErrors.map { $0.meanNanoseconds.seconds } }
        add("", "p95 s") { $0.predictionErrors.map { $0.p95Nanoseconds.seconds } }
        return title + "\n\n" + Self.aligned(rows)
    }

    private var title: String {
        let load = workload.load.map { Fixed.text($0.millionths, of: 1_000_000, decimals: 3) } ?? "-"
        let hours = Fixed.text(workload.gpuSeconds, of: 3600, decimals: 1)
        return "\(workload.jobs.count) jobs that ask for \(hours) GPU-hours of \(workload.capacityGPUs) GPUs, "
            + "submitted within \(workload.spanNanoseconds.seconds) s: load \(load)"
    }

    /// Words to the left, figures to the right.
    private static func aligned(_ rows: [[String]]) -> String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column < 2 ? cell + space : space + cell) + "  "
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    // MARK: For programs

    /// One object. Rational figures are rounded to millionths.
    public var json: String {
        var writer = JSONWriter(style: .pretty)
        writer.object { writer in
            writer.object("workload") { writer in
                writer.field("jobs", workload.jobs.count)
                writer.field("gpuSeconds", workload.gpuSeconds)
                writer.field("capacityGPUs", workload.capacityGPUs)
                writer.field("submissionSpanSeconds", workload.spanNanoseconds.decimalSeconds)
                writer.field("load", ratio: workload.load)
            }
            writer.objects("policies", results) { writer, entry in
                writer.field("policy", entry.policy.rawValue)
                entry.result.write(&writer)
            }
        }
        writer.newLine()
        return String(decoding: writer.take(), as: UTF8.self)
    }
}

extension SimulationResult {
    fileprivate func write(_ writer: inout JSONWriter) {
        writer.objects("waits", classes) { writer, entry in
            writer.field("leastGPUs", entry.gpus.lowerBound)
            if entry.gpus.upperBound < .max { writer.field("mostGPUs", entry.gpus.upperBound) }
            writer.field("jobs", entry.waits?.count ?? 0)
            if let waits = entry.waits {
                writer.field("meanSeconds", waits.meanNanoseconds.decimalSeconds)
                writer.field("p50Seconds", waits.medianNanoseconds.decimalSeconds)
                writer.field("p95Seconds", waits.p95Nanoseconds.decimalSeconds)
                writer.field("maxSeconds", waits.largestNanoseconds.decimalSeconds)
            }
        }
        writer.field("utilisationUntilLastSubmission", ratio: utilisationUntilLastSubmission)
        writer.field("utilisationUntilEnd", ratio: utilisationUntilEnd)
        writer.field("makespanSeconds", makespanNanoseconds.decimalSeconds)
        writer.field("fairness", Double(fairnessMillionths) / 1_000_000)
        writer.field("preemptions", preemptions)
        writer.field("lostGPUHours", Double(Int(lostGPUNanoseconds / 3_600_000)) / 1_000_000)
        if let errors = predictionErrors {
            writer.object("predictionError") { writer in
                writer.field("jobs", errors.count)
                writer.field("meanSeconds", errors.meanNanoseconds.decimalSeconds)
                writer.field("p95Seconds", errors.p95Nanoseconds.decimalSeconds)
            }
        } else {
            writer.nullField("predictionError")
        }
        writer.field("hash", String(hash, radix: 16))
    }
}

extension JSONWriter {
    fileprivate mutating func field(_ key: StaticString, ratio: Ratio?) {
        if let ratio { field(key, Double(ratio.millionths) / 1_000_000) } else { nullField(key) }
    }
}

extension ClosedRange<Int> {
    fileprivate var words: String { upperBound == .max ? "\(lowerBound)+" : "\(lowerBound)-\(upperBound)" }
}

extension Int64 {
    /// Nanoseconds as whole seconds, rounded to the nearest.
    fileprivate var seconds: String { Fixed.text(Int(self), of: 1_000_000_000, decimals: 0) }
    fileprivate var decimalSeconds: Double { Double(self) / 1_000_000_000 }
}

extension Ratio {
    fileprivate var percent: String { Fixed.text(millionths, of: 10_000, decimals: 1) }
}

private enum Fixed {
    /// `value / unit` with so many decimals, rounded to the nearest. Precondition: it is not below zero.
    static func text(_ value: Int, of unit: Int, decimals: Int) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int((Int128(value) * Int128(2 * scale) / Int128(unit) + 1) / 2)
        if decimals == 0 { return "\(scaled)" }
        let digits = "\(scaled % scale)"
        return "\(scaled / scale)." + String(repeating: "0", count: decimals - digits.count) + digits
    }
}
