// The benchmarks that need a trace: where it is, and what is said where it is not.

import ArgumentParser
import Bench

struct TraceOptions: ParsableArguments {
    @Option(help: "Folder of the openb trace, with its two lists and score/export_stream.py.")
    var openb: String = "../shared/traces/openb"

    @Option(help: "Folder of instances.py and exact.py.")
    var scripts: String = "Config/bench"

    /// The mean of the streams of three seeds, pod by pod; one of them as a batch; and one with everything 100 times.
    func openbReports() throws -> [Report] {
        let seeds = [42, 43, 44]
        var folders: [String] = []
        for seed in seeds {
            guard let folder = try OpenbBench.export(trace: openb, workload: "default", seed: seed) else {
                Output.say("openb: skipped, for the trace or python3 with numpy is not there (--openb \(openb))")
                return []
            }
            folders.append(folder)
        }
        let reports = try folders.map { try OpenbBench(folder: $0).run() }
        var scaled = OpenbBench(folder: folders[0])
        scaled.copies = 100
        return [
            OpenbBench.mean(of: reports), try OpenbBatchBench(folder: folders[0]).run(), try scaled.run(),
        ]
    }

    /// Confirmed by the solver where that is there.
    func topologyReport() throws -> Report {
        var bench = TopologyBench.full
        if GapBench.hasSolver { bench.scripts = scripts } else { Output.say("topology: not confirmed by OR-tools") }
        return try bench.run()
    }

    func gapReports(_ kinds: [GapBench.Kind] = GapBench.Kind.allCases) throws -> [Report] {
        var bench = GapBench(openb: openb)
        bench.scripts = scripts
        bench.kinds = kinds
        if let missing = bench.missing {
            Output.say("gap: skipped, for \(missing)")
            return []
        }
        return [try bench.run()]
    }
}

struct OpenbCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openb",
        abstract:
            "The openb protocol: pods on shares of GPUs come one by one, nothing leaves, nothing is left out that fits.",
        discussion: "Reads nodes.jsonl and arrivals.jsonl as the trace's export_stream.py writes them.")

    @Option(help: "Name of the workload, for the table.")
    var workload = "default"

    @Option(help: "Seed of the stream, for the table.")
    var seed = 42

    @Option(help: "Folder of the stream's two files; given several times, the mean is shown as well.")
    var data: [String]

    @Option(help: "Where the scorer's log goes; for one folder, each pod once.")
    var log: String?

    @Option(help: "How often each node stands in the cluster and each pod comes.")
    var copies = 1

    @Flag(help: "All pods at once, as a batch.")
    var batched = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if copies < 1 { throw ValidationError("--copies is at least 1.") }
        if log != nil && (data.count > 1 || copies > 1 || batched) {
            throw ValidationError("--log is for one folder, one copy and pods one by one.")
        }
    }

    func run() throws {
        var reports: [Report] = []
        for folder in data {
            var report: Report
            if batched {
                report = try OpenbBatchBench(folder: folder).run()
            } else {
                var bench = OpenbBench(folder: folder, log: log)
                bench.copies = copies
                report = try bench.run()
            }
            report.benchmark += " \(workload)" + (data.count == 1 ? " \(seed)" : " \(folder)")
            reports.append(report)
        }
        if reports.count > 1 && !batched { reports.append(OpenbBench.mean(of: reports)) }
        output.show(reports)
    }
}

struct GapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gap", abstract: "How far the core is from the optimum on small instances, solved with OR-tools.")

    @Option(
        help: "Only instances of this kind: allocation, cost or gangs.",
        transform: { word in
            guard let kind = GapBench.Kind(rawValue: word) else { throw ValidationError("'\(word)' is no kind.") }
            return kind
        })
    var kind: GapBench.Kind?

    @OptionGroup var output: OutputOptions
    @OptionGroup var traces: TraceOptions

    func run() throws {
        output.show(try kind.map { try traces.gapReports([$0]) } ?? traces.gapReports())
    }
}

struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology", abstract: "How few domains gangs touch, and how many whole ones are left.")

    @OptionGroup var output: OutputOptions

    @OptionGroup var traces: TraceOptions

    func run() throws { output.show([try traces.topologyReport()]) }
}
