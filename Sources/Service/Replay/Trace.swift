// A trace of jobs: when each came, how large it was and how long it ran. Read from CSV with a header line; each mistake is told
// with its line and column.

import Model

/// One job of a trace.
public struct TraceJob: Hashable, Sendable {
    public var name: String
    public var submitSeconds: Int
    public var workers: Int
    public var gpusPerWorker: Int
    public var runtimeSeconds: Int
    public var tenant = "default"
    public var priority = 0
    /// The longest run time that its user stated; nil where the trace does not say.
    public var limitSeconds: Int?

    public var gpus: Int { workers * gpusPerWorker }
}

public struct Trace: Sendable {
    /// By rising submit time, then as they stand in the file.
    public var jobs: [TraceJob]

    /// No more mistakes of a file than these are told.
    private static let mostFaults = 20

    /// Reads the columns `job, submit_seconds, workers, gpus_per_worker, runtime_seconds` and, where they are there, `gpus` (which must be
    /// the product), `tenant`, `priority` and `limit_seconds`; others are passed over. Cells hold no commas.
    public static func read(file path: String) throws(FileFault) -> Trace {
        let text = String(decoding: try Files.bytes(path), as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let header = lines.first.map(TraceRow.cells) ?? []
        if header == [""] { throw FileFault(path: path, lines: ["the file is empty"]) }
        var faults = TraceColumn.faults(in: header)
        if !faults.isEmpty { throw FileFault(path: path, lines: faults) }
        var jobs: [TraceJob] = []
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            var row = TraceRow(line, number: index + 1, header: header)
            if let job = TraceJob(&row) { jobs.append(job) }
            faults += row.faults
        }
        if faults.count > mostFaults { faults = faults.prefix(mostFaults) + ["and \(faults.count - mostFaults) more"] }
        if !faults.isEmpty { throw FileFault(path: path, lines: faults) }
        if jobs.isEmpty { throw FileFault(path: path, lines: ["the file has no job"]) }
        return Trace(jobs: jobs)
    }

    public init(jobs: [TraceJob]) {
        let order = jobs.indices.sorted { (jobs[$0].submitSeconds, $0) < (jobs[$1].submitSeconds, $1) }
        self.jobs = order.map { jobs[$0] }
    }
}

private enum TraceColumn: String, CaseIterable {
    case job
    case submit = "submit_seconds"
    case workers
    case gpusPerWorker = "gpus_per_worker"
    case runtime = "runtime_seconds"
    case gpus, tenant, priority
    case limit = "limit_seconds"

    private var isRequired: Bool {
        switch self {
        case .job, .submit, .workers, .gpusPerWorker, .runtime: true
        case .gpus, .tenant, .priority, .limit: false
        }
    }

    static func faults(in header: [String]) -> [String] {
        allCases.compactMap { column in
            let count = header.count { $0 == column.rawValue }
            if count > 1 { return "line 1 names the column '\(column.rawValue)' \(count) times" }
            return count == 0 && column.isRequired ? "line 1 names no column '\(column.rawValue)'" : nil
        }
    }
}

/// One line of the file on its way to a job.
private struct TraceRow {
    private let number: Int
    private let cells: [TraceColumn: String]
    var faults: [String] = []

    static func cells(_ line: Substring) -> [String] {
        line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    init(_ line: Substring, number: Int, header: [String]) {
        self.number = number
        let values = Self.cells(line)
        var cells: [TraceColumn: String] = [:]
        if values.count == header.count {
            for (name, value) in zip(header, values) {
                if let column = TraceColumn(rawValue: name) { cells[column] = value }
            }
        } else {
            faults.append("line \(number) has \(values.count) cells, where line 1 names \(header.count) columns")
        }
        self.cells = cells
    }

    /// What stands in a column; nil where the trace does not have it or the cell is empty.
    func text(_ column: TraceColumn) -> String? { cells[column].flatMap { $0.isEmpty ? nil : $0 } }

    /// A whole number of a column; where it is missing or wrong that is a mistake and the least is taken.
    mutating func integer(_ column: TraceColumn, _ range: ClosedRange<Int>) -> Int {
        let cell = cells[column] ?? ""
        if let value = Int(cell), range.contains(value) { return value }
        fault(column, "a whole number from \(range.lowerBound) to \(range.upperBound), not '\(cell)'")
        return range.lowerBound
    }

    mutating func fault(_ column: TraceColumn, _ wanted: String) {
        faults.append("line \(number), column \(column.rawValue): give \(wanted)")
    }
}

extension TraceJob {
    fileprivate init?(_ row: inout TraceRow) {
        // Of a line with too few or too many cells nothing can be told.
        guard row.faults.isEmpty else { return nil }
        name = row.text(.job) ?? ""
        submitSeconds = row.integer(.submit, 0...10_000_000_000)
        workers = row.integer(.workers, 1...Bounds.workersPerJob)
        gpusPerWorker = row.integer(.gpusPerWorker, 1...1024)
        runtimeSeconds = row.integer(.runtime, 0...10_000_000_000)
        if row.text(.gpus) != nil, row.integer(.gpus, 1...1024 * Bounds.workersPerJob) != workers * gpusPerWorker {
            row.fault(.gpus, "the product of workers and gpus_per_worker, \(workers * gpusPerWorker)")
        }
        if let tenant = row.text(.tenant) {
            self.tenant = tenant
            if !TenantPath.isValid(tenant) {
                row.fault(.tenant, "names of letters, digits, '.', '_' and '-' with '/' between them, not '\(tenant)'")
            }
        }
        if row.text(.priority) != nil { priority = row.integer(.priority, 0...Bounds.priority) }
        if row.text(.limit) != nil { limitSeconds = row.integer(.limit, 1...Bounds.runtimeSeconds) }
        if !row.faults.isEmpty { return nil }
    }
}
