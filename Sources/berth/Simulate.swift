// `berth simulate`: a workload from a trace or a generator, through the engine on virtual time, by one policy after the other.

import API
import ArgumentParser
import Service

struct Simulate: ParsableCommand {
    enum Generator: String, CaseIterable, ExpressibleByArgument {
        case seren
    }

    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Runs a trace through the scheduler on virtual time and compares policies.",
        discussion: """
            Policies: fifo (by arrival, nothing overtakes), priority (by priority and arrival, whatever fits overtakes), easy (by \
            arrival, one reservation), conservative (by arrival, all that wait have reservations), ours (as the service decides).
            """)

    @Option(help: "Pools, as Config/fleet.json has them.")
    var fleet: String
    @Option(
        help: """
            CSV with the columns job, submit_seconds, workers, gpus_per_worker, runtime_seconds; and tenant, priority, limit_seconds \
            where there are such.
            """)
    var trace: String?
    @Option(help: "A made-up day instead of a trace: seren, with the mix of sizes and durations of that cluster.")
    var generate: Generator?
    @Option(help: "Jobs of the made-up day.")
    var jobs: Int?
    @Option(help: "Seed of the made-up day.")
    var seed: UInt64?
    @Option(
        help: "Policies, separated by commas; default: all that there are.",
        transform: { names in try names.split(separator: ",", omittingEmptySubsequences: false).map(Self.policy) })
    var policy: [SimulationPolicy]?
    @Option(
        help:
            "Moves submissions together or apart until so much is asked of the fleet while they come; 1 is all it has.")
    var load: Double?
    @Option(help: "The limit that a job states is its run time times this, where the trace has none.")
    var limitFactor = 2.0
    @Flag(help: "One JSON object.")
    var json = false

    func validate() throws {
        if (trace == nil) == (generate == nil) { throw ValidationError("Give either --trace or --generate.") }
        if generate == nil && (jobs != nil || seed != nil) {
            throw ValidationError("--jobs and --seed belong to --generate.")
        }
        if let jobs, !(1...1_000_000).contains(jobs) { throw ValidationError("--jobs must be from 1 to 1000000.") }
        if let load, !(0.001...1000).contains(load) { throw ValidationError("--load must be from 0.001 to 1000.") }
        if !(0.001...1000).contains(limitFactor) {
            throw ValidationError("--limit-factor must be from 0.001 to 1000.")
        }
    }

    private static func policy(_ name: Substring) throws -> SimulationPolicy {
        if let policy = SimulationPolicy(rawValue: String(name)) { return policy }
        let all = SimulationPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("There is no policy '\(name)'; give some of \(all).")
    }

    func run() throws {
        let pools = try readFleet()
        let jobs = try readTrace()
        var options = WorkloadOptions()
        options.loadMilli = load.map { Int(($0 * 1000).rounded()) }
        options.limitFactorMilli = Int((limitFactor * 1000).rounded())
        do throws(SimulationFault) {
            let workload = try Workload(jobs, on: pools.pools, options)
            let simulation = try Simulation(workload, on: pools.pools)
            var results: [(policy: SimulationPolicy, result: SimulationResult)] = []
            for policy in policy ?? SimulationPolicy.allCases {
                results.append((policy, try simulation.run(policy.settings)))
            }
            let report = SimulationReport(workload, results)
            Messages.write(json ? report.json : report.table)
        } catch {
            throw Exit.data(error.description)
        }
    }

    private func readFleet() throws -> Fleet {
        do throws(FileFault) { return try Fleet.read(file: fleet) } catch { throw Exit.data(error.description) }
    }

    private func readTrace() throws -> Trace {
        guard let trace else { return Trace.serenDay(jobs: jobs ?? 20_000, seed: seed ?? 1) }
        do throws(FileFault) { return try Trace.read(file: trace) } catch { throw Exit.data(error.description) }
    }
}
