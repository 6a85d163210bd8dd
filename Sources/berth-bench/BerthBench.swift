// The benchmark executable: one subcommand a benchmark, a table or JSON lines.

import ArgumentParser
import Bench
import CAllocations

@main
struct BerthBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth-bench", abstract: "Measures Berth. Build it with -c release, or the figures mean nothing.",
        subcommands: [
            PackingCommand.self, OpenbCommand.self, GapCommand.self, TopologyCommand.self, QueueCommand.self,
            PreemptionCommand.self, PlanCommand.self, JSONCommand.self,
            JournalCommand.self, HTTPCommand.self, MemoryCommand.self, AllCommand.self,
        ])
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "One JSON object a figure, each on its line.")
    var json = false

    func show(_ reports: [Report]) {
        print(json ? Output.lines(reports) : Output.table(reports), terminator: "")
    }
}

struct DataOptions: ParsableArguments {
    @Option(help: "Folder for the data, which goes again; put it on the disk that is to be measured.")
    var data: String = "/tmp"
}

struct PackingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packing", abstract: "The packing core alone, on a million GPUs.")

    @OptionGroup var output: OutputOptions

    func run() throws { output.show([Self.bench.run()]) }

    /// With a count of what is allocated, which only this executable has.
    static var bench: PackingBench {
        var bench = PackingBench.full
        bench.allocator = Allocator(count: { berth_allocations() }, trim: { berth_trim() })
        return bench
    }
}

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "A million waiting jobs of a thousand tenants: one more, and one that ends.")

    @OptionGroup var output: OutputOptions

    @Option(help: "Jobs that come and jobs that end while it is measured.")
    var samples = QueueBench.full.samples

    @Option(
        help: "One of Kueue's own benchmarks instead, on virtual time: kueue1, kueue2 or kueue3.",
        transform: { name in
            guard let bench = KueueBench.all.first(where: { $0.name == name }) else {
                throw ValidationError("'\(name)' is no workload.")
            }
            return bench
        })
    var workload: KueueBench?

    func run() throws {
        if let workload { return output.show([workload.run()]) }
        var bench = QueueBench.full
        bench.samples = samples
        for hasQuota in [false, true] { output.show([bench.run(hasQuota: hasQuota)]) }
    }
}

struct PreemptionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preemption", abstract: "A thousand running gangs, and one job that takes the place of some.")

    @OptionGroup var output: OutputOptions

    func run() throws { output.show([PreemptionBench.full.run()]) }
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Plans that free domains or empty a provider, on 10,000 nodes with 2,000 jobs.")

    @OptionGroup var output: OutputOptions

    @Option(help: "Nodes of four GPUs.")
    var nodes = PlanBench.full.nodes

    @Option(help: "Jobs that run.")
    var jobs = PlanBench.full.jobs

    func run() throws {
        var bench = PlanBench.full
        bench.nodes = nodes
        bench.jobs = jobs
        output.show([bench.run()])
    }
}

struct JSONCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "json", abstract: "Reading the body of a job, and writing JSON.")

    @OptionGroup var output: OutputOptions

    func run() throws { output.show([try JSONBench.full.run()]) }
}

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "The journal alone, on a real disk, with 1, 16 and 256 records a flush.")

    @OptionGroup var output: OutputOptions
    @OptionGroup var place: DataOptions

    func run() throws {
        var bench = JournalBench.full
        bench.folder = place.data
        output.show([try bench.run()])
    }
}

struct HTTPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http", abstract: "The whole server on loopback: reads, durable submits, batches.")

    @OptionGroup var output: OutputOptions
    @OptionGroup var place: DataOptions

    func run() throws {
        var bench = HTTPBench.full
        bench.folder = place.data
        output.show([try bench.run()])
    }
}

struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "A million GPUs and 200,000 jobs: memory, start from journal and snapshot, and the snapshot's cost.")

    @OptionGroup var output: OutputOptions
    @OptionGroup var place: DataOptions

    func run() throws {
        var bench = MemoryBench.full
        bench.folder = place.data
        output.show([try bench.run()])
    }
}

struct AllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "all", abstract: "Everything, as one table.")

    @OptionGroup var output: OutputOptions
    @OptionGroup var place: DataOptions
    @OptionGroup var traces: TraceOptions

    @Option(help: "A benchmark to leave out; may be given several times.")
    var without: [String] = []

    func run() throws {
        var memory = MemoryBench.full
        var journal = JournalBench.full
        var http = HTTPBench.full
        memory.folder = place.data
        journal.folder = place.data
        http.folder = place.data
        // Memory first: it weighs the whole process. The gap last: it takes the solver minutes.
        let benchmarks: [(name: String, run: () throws -> [Report])] = [
            ("memory", { [try memory.run()] }),
            ("packing", { [PackingCommand.bench.run()] }),
            ("topology", { [try traces.topologyReport()] }),
            ("openb", traces.openbReports),
            ("queue", { [false, true].map { QueueBench.full.run(hasQuota: $0) } }),
            ("kueue", { KueueBench.all.map { $0.run() } }),
            ("preemption", { [PreemptionBench.full.run()] }),
            ("plan", { [PlanBench.full.run()] }),
            ("json", { [try JSONBench.full.run()] }),
            ("journal", { [try journal.run()] }),
            ("http", { [try http.run()] }),
            ("gap", { try traces.gapReports() }),
        ]
        var reports: [Report] = []
        for benchmark in benchmarks where !without.contains(benchmark.name) {
            Output.say("\(benchmark.name) ...")
            reports += try benchmark.run()
        }
        output.show(reports)
    }
}
