// A trace of jobs: when each came, how large it was and how long it ran. Read from CSV with a header line.

/// One job of a trace.
public struct TraceJob: Hashable, Sendable {
    public var name: String
    public var submitSeconds: Int
    public var workers: Int
    public var gpusPerWorker: Int
    public var runtimeSeconds: Int

    public var gpus: Int { workers * gpusPerWorker }
}

public struct Trace: Sendable {
    /// By rising submit time, then as they stand in the file.
    public var jobs: [TraceJob]

    /// Reads the columns `job, submit_seconds, workers, gpus_per_worker, runtime_seconds`; others are passed over.
    public static func read(file path: String) throws(FileFault) -> Trace {
        let text = String(decoding: try Files.bytes(path), as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline)
        guard let header = lines.first?.split(separator: ",").map(String.init) else {
            throw FileFault(path: path, lines: ["the file is empty"])
        }
        var columns: [Int] = []
        for name in ["job", "submit_seconds", "workers", "gpus_per_worker", "runtime_seconds"] {
            guard let column = header.firstIndex(of: name) else {
                throw FileFault(path: path, lines: ["line 1 names no column '\(name)'"])
            }
            columns.append(column)
        }
        var jobs: [TraceJob] = []
        var faults: [String] = []
        for (index, line) in lines.enumerated().dropFirst() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            let numbers = columns.dropFirst().map { $0 < cells.count ? Int(cells[$0]) : nil }
            guard columns[0] < cells.count, let submit = numbers[0], let workers = numbers[1], let gpus = numbers[2],
                let runtime = numbers[3], (0...10_000_000_000).contains(submit), (1...1_048_576).contains(workers),
                (1...1024).contains(gpus), (0...10_000_000_000).contains(runtime)
            else {
                faults.append("line \(index + 1) does not have five usable cells")
                continue
            }
            jobs.append(
                TraceJob(
                    name: cells[columns[0]], submitSeconds: submit, workers: workers, gpusPerWorker: gpus,
                    runtimeSeconds: runtime))
        }
        if !faults.isEmpty { throw FileFault(path: path, lines: Array(faults.prefix(20))) }
        let order = jobs.indices.sorted { (jobs[$0].submitSeconds, $0) < (jobs[$1].submitSeconds, $1) }
        return Trace(jobs: order.map { jobs[$0] })
    }
}
