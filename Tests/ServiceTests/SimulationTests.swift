// Simulations by hand: tiny fleets and workloads whose schedules fit on a card, and the command as a user sees it.

import Engine
import Foundation
import JSON
import Model
import TestKit
import Testing

@testable import Service

@Suite struct SimulationTests {
    /// So many nodes of one GPU.
    private static func fleet(_ gpus: Int) -> [PoolSpec] { [.sample("p", nodes: gpus, gpus: 1)] }

    private static func job(
        _ submit: Int, gpus: Int, runtime: Int, tenant: String = "default", priority: Int = 0, limit: Int? = nil
    ) -> TraceJob {
        TraceJob(
            name: "j\(submit)", submitSeconds: submit, workers: gpus, gpusPerWorker: 1, runtimeSeconds: runtime,
            tenant: tenant, priority: priority, limitSeconds: limit)
    }

    private func run(_ jobs: [TraceJob], gpus: Int, _ policy: SimulationPolicy) throws -> SimulationResult {
        let pools = Self.fleet(gpus)
        let workload = try Workload(Trace(jobs: jobs), on: pools, WorkloadOptions())
        return try Simulation(workload, on: pools).run(policy.settings)
    }

    private static let second: Int64 = 1_000_000_000

    /// Four GPUs: two run for 10 s; the next wants all four; then a short small job that could run beside the first.
    private static let textbook = [
        job(0, gpus: 2, runtime: 10), job(1, gpus: 4, runtime: 10), job(2, gpus: 2, runtime: 5),
    ]

    @Test("By FIFO a small job waits behind a large one that does not fit")
    func fifo() throws {
        let result = try run(Self.textbook, gpus: 4, .fifo)
        // Starts at 0, 10 and 20: waits of 0, 9 and 18.
        let waits = try #require(result.classes[0].waits)
        #expect(waits.count == 3)
        #expect(waits.meanNanoseconds == 9 * Self.second)
        #expect(waits.medianNanoseconds == 9 * Self.second)
        #expect(waits.largestNanoseconds == 18 * Self.second)
        #expect(result.makespanNanoseconds == 25 * Self.second)
        // 20, 40 and 10 GPU-seconds of 4 GPUs for 25 s; until the last submission 4 of 8.
        #expect(result.utilisationUntilEnd?.millionths == 700_000)
        #expect(result.utilisationUntilLastSubmission?.millionths == 500_000)
        #expect(result.preemptions == 0)
        #expect(result.predictionErrors == nil)
    }

    @Test("By priority whatever fits overtakes, and a large job waits for ever more of them")
    func priority() throws {
        var jobs = Self.textbook
        // Comes when the first small one has 2 s left, and outlasts the job that runs since 0.
        jobs.append(Self.job(5, gpus: 2, runtime: 10))
        let result = try run(jobs, gpus: 4, .priority)
        // Starts at 0, 17, 2 and 7.
        #expect(result.classes[0].waits?.largestNanoseconds == 16 * Self.second)
        #expect(result.classes[0].waits?.meanNanoseconds == 18 * Self.second / 4)
        #expect(result.makespanNanoseconds == 27 * Self.second)
        // One of higher priority goes first when there is room for one only.
        let ranked = try run(
            [
                Self.job(0, gpus: 4, runtime: 10), Self.job(1, gpus: 3, runtime: 10),
                Self.job(2, gpus: 4, runtime: 10, priority: 5),
            ], gpus: 4, .priority)
        #expect(ranked.classes[0].waits?.largestNanoseconds == 19 * Self.second)
    }

    /// Four GPUs: two run for 1000 s; the next wants all; a short one ends before those two do, and one that is as long does not.
    private static let backfilled = [
        job(0, gpus: 2, runtime: 1000, limit: 1000), job(100, gpus: 4, runtime: 1000, limit: 1000),
        job(200, gpus: 2, runtime: 500, limit: 500), job(300, gpus: 2, runtime: 1000, limit: 1000),
    ]

    @Test("By EASY what ends before the first blocked job can start overtakes it, and nothing else does")
    func easy() throws {
        // Starts at 0, 1000, 200 and 2000; by FIFO at 0, 1000, 2000 and 2000.
        let easy = try run(Self.backfilled, gpus: 4, .easy)
        #expect(easy.classes[0].waits?.meanNanoseconds == 650 * Self.second)
        #expect(easy.classes[0].waits?.largestNanoseconds == 1700 * Self.second)
        #expect(easy.makespanNanoseconds == 3000 * Self.second)
        let fifo = try run(Self.backfilled, gpus: 4, .fifo)
        #expect(fifo.classes[0].waits?.meanNanoseconds == 1100 * Self.second)
        // By priority the third and the fourth both go past the second.
        let priority = try run(Self.backfilled, gpus: 4, .priority)
        #expect(priority.classes[0].waits?.largestNanoseconds == 1600 * Self.second)
        // All limits are the run times, so that what is promised comes true.
        #expect(easy.predictionErrors?.largestNanoseconds == 0)
        #expect(fifo.predictionErrors == nil)
    }

    @Test("By conservative backfill nothing delays the second blocked job, which by EASY a long small one does")
    func conservative() throws {
        let jobs = [
            Self.job(0, gpus: 3, runtime: 1000, limit: 1000), Self.job(100, gpus: 2, runtime: 1000, limit: 1000),
            Self.job(200, gpus: 4, runtime: 1000, limit: 1000), Self.job(400, gpus: 1, runtime: 3000, limit: 3000),
        ]
        // Starts at 0, 1000, 3400 and 400.
        let easy = try run(jobs, gpus: 4, .easy)
        #expect(easy.classes[0].waits?.meanNanoseconds == 1025 * Self.second)
        #expect(easy.classes[0].waits?.largestNanoseconds == 3200 * Self.second)
        // Starts at 0, 1000, 2000 and 3000.
        let conservative = try run(jobs, gpus: 4, .conservative)
        #expect(conservative.classes[0].waits?.meanNanoseconds == 1325 * Self.second)
        #expect(conservative.classes[0].waits?.largestNanoseconds == 2600 * Self.second)
    }

    @Test("Without tenants and priorities ours keeps places for all that wait, as conservative backfill does")
    func ours() throws {
        let ours = try run(Self.backfilled, gpus: 4, .ours)
        #expect(ours.classes == (try run(Self.backfilled, gpus: 4, .conservative)).classes)
    }

    @Test("What ends makes room for what comes at the same moment")
    func sameMoment() throws {
        // The large job takes all when the first ends, though another comes that would have found room just before.
        let result = try run(
            [Self.job(0, gpus: 2, runtime: 10), Self.job(1, gpus: 4, runtime: 10), Self.job(10, gpus: 2, runtime: 5)],
            gpus: 4, .priority)
        #expect(result.classes[0].waits?.largestNanoseconds == 10 * Self.second)
        #expect(result.makespanNanoseconds == 25 * Self.second)
    }

    @Test("A run that is lost counts as held and as lost; the wait ends with the first start, and so does prediction")
    func lost() throws {
        let jobs = [Self.job(0, gpus: 2, runtime: 10), Self.job(20, gpus: 1, runtime: 0)]
        var tally = SimulationTally(try Workload(Trace(jobs: jobs), on: Self.fleet(4), WorkloadOptions()))
        tally.predicted(0, at: 5 * Self.second)
        tally.predicted(0, at: 4 * Self.second)
        tally.started(0, at: 3 * Self.second)
        tally.predicted(1, at: 18 * Self.second)
        tally.started(1, at: 24 * Self.second)
        tally.predicted(0, at: 99 * Self.second)
        tally.ran(0, from: 3 * Self.second, to: 8 * Self.second, isLost: true)
        tally.started(0, at: 15 * Self.second)
        tally.ran(0, from: 15 * Self.second, to: 25 * Self.second, isLost: false)
        let result = tally.result(hash: 0)
        #expect(result.preemptions == 1)
        #expect(result.lostGPUNanoseconds == 10_000_000_000)
        // Off by 2 s and 6 s: what was first predicted counts, and only for the first start.
        #expect(result.predictionErrors?.count == 2)
        #expect(result.predictionErrors?.meanNanoseconds == 4 * Self.second)
        #expect(result.classes[0].waits?.largestNanoseconds == 4 * Self.second)
        // 10 and 20 GPU-seconds of 100; until 20 s 10 and 10 of 80.
        #expect(result.utilisationUntilEnd?.millionths == 300_000)
        #expect(result.utilisationUntilLastSubmission?.millionths == 250_000)
    }

    @Test("Waits are counted by size, and a class without jobs has none")
    func sizes() throws {
        let result = try run(
            [8, 9, 64, 65, 256, 257, 512, 513].enumerated().map { Self.job($0, gpus: $1, runtime: 1) }, gpus: 2000,
            .ours)
        #expect(result.classes.map { $0.waits?.count } == [1, 2, 2, 2, 1])
        #expect(try run(Self.textbook, gpus: 4, .ours).classes[1].waits == nil)
    }

    @Test("Jain's index tells a tenant that got everything from one that got nothing")
    func fairness() throws {
        let jobs = [
            Self.job(0, gpus: 4, runtime: 10, tenant: "a"), Self.job(0, gpus: 4, runtime: 10, tenant: "b"),
            Self.job(10, gpus: 4, runtime: 0, tenant: "a"),
        ]
        // Until 10 s a got all that it asked for, b nothing: 1 / (2 x 1).
        #expect(try run(jobs, gpus: 4, .fifo).fairnessMillionths == 500_000)
        #expect(try run(Array(jobs.prefix(1)), gpus: 4, .fifo).fairnessMillionths == 1_000_000)
    }

    @Test("The load moves submissions together, to the nanosecond")
    func load() throws {
        var options = WorkloadOptions()
        options.loadMilli = 2000
        // 40 GPU-seconds of 4 GPUs: 5 s of span are a load of two.
        let jobs = [0, 50, 100].map { Self.job($0, gpus: 4, runtime: $0 == 0 ? 0 : 5) }
        let workload = try Workload(Trace(jobs: jobs), on: Self.fleet(4), options)
        #expect(workload.jobs.map(\.submitNanoseconds) == [0, 2_500_000_000, 5_000_000_000])
        #expect(workload.load?.millionths == 2_000_000)
        #expect(throws: SimulationFault.self) {
            _ = try Workload(Trace(jobs: Array(jobs.prefix(1))), on: Self.fleet(4), options)
        }
    }

    @Test("The limit is the trace's, or the run time times the factor, and at least a minute")
    func limits() throws {
        let jobs = [
            Self.job(0, gpus: 1, runtime: 7, limit: 9), Self.job(1, gpus: 1, runtime: 7),
            Self.job(2, gpus: 1, runtime: 41),
        ]
        let workload = try Workload(Trace(jobs: jobs), on: Self.fleet(1), WorkloadOptions())
        #expect(workload.jobs.map(\.spec.maxRuntimeSeconds) == [9, 60, 82])
    }

    @Test("A job that fits no empty pool is told before anything runs")
    func neverFits() throws {
        let workload = try Workload(
            Trace(jobs: [Self.job(0, gpus: 1, runtime: 1), Self.job(1, gpus: 5, runtime: 1)]), on: Self.fleet(4),
            WorkloadOptions())
        let fault = #expect(throws: SimulationFault.self) { _ = try Simulation(workload, on: Self.fleet(4)) }
        #expect(fault?.lines == ["j1: 5 workers of 1 GPUs fit no pool even when it is empty."])
    }

    @Test("A made-up day has the mix of its cluster, and the same seed gives the same day")
    func seren() throws {
        let trace = Trace.serenDay(jobs: 20_000, seed: 5)
        #expect(trace.jobs == Trace.serenDay(jobs: 20_000, seed: 5).jobs)
        #expect(trace.jobs != Trace.serenDay(jobs: 20_000, seed: 6).jobs)
        for (gpus, permille) in [(1, 540), (4, 679), (8, 967), (64, 993), (512, 998), (1016, 1000)] {
            let found = trace.jobs.count { $0.gpus <= gpus } / 20
            #expect(abs(found - permille) <= 12, "\(gpus)")
        }
        let durations = trace.jobs.map(\.runtimeSeconds).sorted()
        for (permille, seconds) in [(250, 18), (500, 134), (750, 413), (900, 1352), (950, 3269)] {
            let found = durations[permille * 20]
            #expect(abs(found - seconds) * 6 <= seconds, "\(permille) \(found)")
        }
        #expect(trace.jobs.allSatisfy { 0..<86_400 ~= $0.submitSeconds && $0.gpus <= 1016 })
        #expect(Set(trace.jobs.map(\.tenant)).count == Trace.serenTeams)
    }
}

@Suite struct SimulateCommandTests {
    private static let header = "job,submit_seconds,workers,gpus_per_worker,runtime_seconds"

    private func simulate(_ place: Place, trace: String, _ more: [String] = []) throws -> Ended {
        let file = try place.write("trace.csv", trace)
        let fleet = try place.write("fleet.json", Fleets.one(nodes: 4))
        return try Programs.berth(["simulate", "--fleet", fleet, "--trace", file] + more)
    }

    @Test("Mistakes of a trace are told with line and column, all of them")
    func mistakes() throws {
        let place = Place()
        let ended = try simulate(
            place,
            trace: """
                job,submit_seconds,workers,gpus_per_worker,gpus,runtime_seconds,tenant,priority,limit_seconds
                a,0,1,4,4,10,,,
                b,soon,1,4,4,10,lab/vision,5,20
                c,1,0,4,5,-1,lab//x,1001,0
                d,1,1,4,5,1,,,

                e,1,1,4
                """)
        #expect(ended.status == 65)
        let lines = ended.errors.split(separator: "\n").map {
            $0.split(separator: ": ", maxSplits: 1).last.map(String.init)
        }
        let wanted = [
            "line 3, column submit_seconds: give a whole number from 0 to 10000000000, not 'soon'",
            "line 4, column workers: give a whole number from 1 to 1048576, not '0'",
            "line 4, column runtime_seconds: give a whole number from 0 to 10000000000, not '-1'",
            "line 4, column gpus: give the product of workers and gpus_per_worker, 4",
            "line 4, column tenant: give names of letters, digits, '.', '_' and '-' with '/' between them, not 'lab//x'",
            "line 4, column priority: give a whole number from 0 to 1000, not '1001'",
            "line 4, column limit_seconds: give a whole number from 1 to \(Bounds.runtimeSeconds), not '0'",
            "line 5, column gpus: give the product of workers and gpus_per_worker, 4",
            "line 7 has 4 cells, where line 1 names 9 columns",
        ]
        #expect(lines.count == wanted.count, "\(ended.errors)")
        for line in wanted { #expect(ended.errors.contains(line), "\(line)\n\(ended.errors)") }
        let header = try simulate(place, trace: "job,workers,workers,gpus_per_worker,runtime_seconds\n")
        #expect(header.errors.contains("line 1 names no column 'submit_seconds'"))
        #expect(header.errors.contains("line 1 names the column 'workers' 2 times"))
        for (text, word) in [("", "is empty"), (Self.header + "\n", "has no job")] {
            let ended = try simulate(place, trace: text)
            #expect(ended.status == 65)
            #expect(ended.errors.contains(word), "\(ended.errors)")
        }
    }

    @Test("Policies stand side by side in a table and in JSON, and twice the same comes out")
    func output() throws {
        let place = Place()
        let trace = Self.header + "\na,0,2,4,10\nb,1,4,4,10\nc,2,2,4,5\n"
        let table = try simulate(place, trace: trace, ["--policy", "fifo,priority"])
        #expect(table.status == 0, "\(table.errors)")
        #expect(
            table.output.hasPrefix("3 jobs that ask for 0.1 GPU-hours of 16 GPUs, submitted within 2 s: load 8.750\n"))
        #expect(table.output.contains(/\n +fifo  priority\n/), "\(table.output)")
        #expect(table.output.contains(/wait, 9-64 GPUs +jobs +1 +1\n +mean s +9 +9\n/), "\(table.output)")
        #expect(table.output.contains(/wait, 1-8 GPUs +jobs +2 +2\n +mean s +9 +0\n/), "\(table.output)")
        #expect(table.output.contains(/makespan +s +25 +20\n/), "\(table.output)")
        let lines = try simulate(place, trace: trace, ["--policy", "fifo,priority", "--json"])
        let json = try JSONDocument(Array(lines.output.utf8)).root
        #expect(json["workload"]?["jobs"]?.int64 == 3)
        #expect(json.list("policies").map { $0["policy"]?.string } == ["fifo", "priority"])
        #expect(json.list("policies").first?["makespanSeconds"]?.numberText == "25.0")
        #expect(json.list("policies").first?.list("waits")[1]["meanSeconds"]?.numberText == "9.0")
        let generated = [
            "simulate", "--generate", "seren", "--jobs", "300", "--seed", "3", "--load", "2", "--fleet",
            Programs.root.appendingPathComponent("Config/simulate/seren-fleet.json").path,
        ]
        let first = try Programs.berth(generated + ["--json"])
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output == (try Programs.berth(generated + ["--json"])).output)
        #expect(first.output != (try Programs.berth(generated + ["--json", "--seed", "4"])).output)
    }

    @Test("A command line that makes no sense is refused with what to do")
    func refusals() throws {
        let place = Place()
        let trace = Self.header + "\na,0,1,1,1\n"
        for (more, word) in [
            (["--policy", "lottery"], "There is no policy 'lottery'"),
            (["--policy", "fifo,"], "There is no policy ''"),
            (["--generate", "seren"], "either"),
            (["--jobs", "5"], "--generate"), (["--load", "0"], "--load"), (["--limit-factor", "0"], "--limit-factor"),
        ] {
            let ended = try simulate(place, trace: trace, more)
            #expect(ended.status == 64, "\(more)")
            #expect(ended.errors.contains(word), "\(ended.errors)")
        }
        let large = try simulate(place, trace: Self.header + "\na,0,9,2,1\nb,0,1,5,1\n")
        #expect(large.status == 65)
        #expect(large.errors.contains("b: 1 workers of 5 GPUs fit no pool"), "\(large.errors)")
        let atOnce = try simulate(place, trace: trace, ["--load", "1.1"])
        #expect(atOnce.status == 65)
        #expect(atOnce.errors.contains("--load"))
    }

    @Test("The example of the README works to the letter")
    func readme() throws {
        let text = try String(contentsOf: Programs.root.appendingPathComponent("README.md"), encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n### Simulate\n").dropFirst().first)
        let blocks = section.components(separatedBy: "\n```")
        let script = blocks[1].dropFirst("sh\n".count)
        let place = Place()
        let berth = Programs.products.appendingPathComponent("berth").path
        let command = script.replacingOccurrences(of: "/tmp/", with: place.folder.path + "/")
            .replacingOccurrences(of: "swift run -c release berth", with: berth)
        let ended = try Programs.run("/bin/sh", ["-c", command])
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(blocks[3] == "\n" + ended.output.dropLast())
    }

    @Test(
        "Kalos, at a load of 1.1, is simulated to its end",
        .enabled(
            if: FileManager.default.fileExists(atPath: CommandTests.kalos), "needs ../shared/traces/kalos/kalos.csv"))
    func kalos() throws {
        let fleet = Programs.root.appendingPathComponent("Config/simulate/kalos-fleet.json").path
        let ended = try Programs.berth([
            "simulate", "--fleet", fleet, "--trace", CommandTests.kalos, "--load", "1.1", "--policy", "fifo,priority",
            "--json",
        ])
        let json = try JSONDocument(Array(ended.output.utf8)).root
        #expect(json["workload"]?["load"]?.numberText == "1.1")
        for policy in json.list("policies") {
            #expect(policy.list("waits").reduce(0) { $0 + ($1["jobs"]?.int64 ?? 0) } == 319)
            #expect(policy["lostGPUHours"]?.numberText == "0.0")
        }
        #expect(json.list("policies").count == 2)
    }
}
