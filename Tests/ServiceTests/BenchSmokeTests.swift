// Every benchmark in small: that it runs, counts what it should and comes to the same result each time. Never how fast.

import Bench
import Foundation
import Testing

@Suite struct BenchSmokeTests {
    private func value(_ name: String, _ report: Report) -> Double? {
        report.figures.first { $0.name == name }?.value
    }

    @Test("The packing benchmark places every gang it can and always comes to the same fleet")
    func packing() {
        let report = PackingBench.smoke.run()
        #expect(report.hash != 0)
        #expect(report.hash == PackingBench.smoke.run().hash)
        #expect(value("gpus", report) == 6912)
    }

    @Test("The benchmark of topology finds gangs that touch the fewest domains, and always the same ones")
    func topology() throws {
        let report = try TopologyBench.smoke.run()
        #expect(report.hash == (try TopologyBench.smoke.run()).hash)
        #expect((value("gangsAt50", report) ?? 0) > 20)
        #expect((value("domainsOverLeastAt50", report) ?? 9) <= 1.02)
        #expect(value("fleetsWithFewerWholeDomainsAt80", report) == 0)
    }

    @Test(
        "A stream of three pods at two nodes: the third finds no room, the log says so, and the mean of two runs is one run"
    )
    func stream() throws {
        let folder =
            FileManager.default.temporaryDirectory.path + "/berth-stream-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let nodes = (0..<2).map { node in
            "{\"node\":\"n\(node)\",\"rank\":\(node),\"cpu_milli\":8000,\"memory_mib\":8000,\"gpus\":1,\"gpu_model\":\"T4\"}\n"
        }
        let pods = [600, 600, 600].enumerated().map { seq, milli in
            "{\"seq\":\(seq),\"pod\":\"p\(seq)\",\"cpu_milli\":1000,\"memory_mib\":1000,\"num_gpu\":1,"
                + "\"gpu_milli\":\(milli),\"gpu_models\":[]}\n"
        }
        try nodes.joined().write(toFile: folder + "/nodes.jsonl", atomically: true, encoding: .utf8)
        try pods.joined().write(toFile: folder + "/arrivals.jsonl", atomically: true, encoding: .utf8)
        let log = folder + "/log.jsonl"
        let report = try OpenbBench(folder: folder, log: log).run()
        #expect(value("podsRejected", report) == 1)
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first == "{\"pod\":\"p0\",\"node\":\"n0\",\"gpus\":[0]}")
        #expect(lines.last == "{\"pod\":\"p2\",\"node\":null}")
        #expect(value("podsRejected", OpenbBench.mean(of: [report, report])) == 1)
        var twice = OpenbBench(folder: folder)
        twice.copies = 2
        #expect(value("podsRejected", try twice.run()) == 2)
    }

    @Test("The openb stream of the trace is placed as it always is")
    func openb() throws {
        guard let folder = try OpenbBench.export(trace: "../shared/traces/openb", workload: "default", seed: 42) else {
            print("skipped: the openb trace, or python3 with numpy, is not there")
            return
        }
        let batched = try OpenbBatchBench(folder: folder, steps: 2000).run()
        #expect((value("allocation", batched) ?? 0) > 98.3)
        #expect(batched.hash == (try OpenbBatchBench(folder: folder, steps: 2000).run()).hash)
    }

    @Test("The benchmark of JSON reads its own body of 600 bytes without a mistake")
    func json() throws {
        let report = try JSONBench.smoke.run()
        #expect(value("bodyBytes", report) == 600)
        #expect(report.hash == (try JSONBench.smoke.run()).hash)
    }

    @Test("The benchmark of the journal brings every record to disk")
    func journal() throws {
        let report = try JournalBench.smoke.run()
        // Two rounds of five flushes with 1, 16 and 256 records.
        #expect(value("records", report) == 2730)
        #expect((value("bytesPerRecord", report) ?? 0) > 100)
        #expect(report.hash == (try JournalBench.smoke.run()).hash)
    }

    @Test("The benchmark of HTTP gets the answer it wants to every request")
    func http() throws {
        let report = try HTTPBench.smoke.run()
        #expect(value("refusals", report) == 0)
        // The filler and the job that is read, then one, sixty-four and many connections, and two batches of twenty.
        #expect(value("jobsPlaced", report) == Double(2 + 5 + 20 + 40 + 2 * 20))
        #expect(value("jobsQueued", report) == 20)
        // The jobs of a batch are one record, and batches that meet share a flush.
        #expect((value("postBatchLineRecordsPerFlush", report) ?? 0) >= 1)
    }

    @Test("The benchmark of memory comes back from journal and snapshot with the state it wrote")
    func memory() throws {
        let report = try MemoryBench.smoke.run()
        // One of the large jobs finds the pool that is still empty.
        #expect(value("jobsPlaced", report) == 61)
        #expect(value("jobsQueued", report) == 39)
        #expect(value("transactionsReplayedFromJournal", report) == 102)
        #expect(value("transactionsReplayedFromSnapshot", report) == value("turnsWhileSnapshot", report))
        #expect(report.hash == (try MemoryBench.smoke.run()).hash)
    }

    @Test(
        "A table has a line a figure, and so do the lines of JSON, each with benchmark, name, value, unit, goal and hash"
    )
    func output() {
        let report = Report(
            benchmark: "b", figures: [Figure("one", 1.5, "s", goal: "below 2"), Figure("two", 1000.4, "1/s")], hash: 255
        )
        #expect(
            Output.table([report]) == """
                benchmark  figure  value  unit  goal
                b          one     1.500  s     below 2
                b          two      1000  1/s
                b          hash       ff

                """)
        #expect(
            Output.lines([report]) == """
                {"benchmark":"b","name":"one","value":1.5,"unit":"s","goal":"below 2","hash":"ff"}
                {"benchmark":"b","name":"two","value":1000.4,"unit":"1/s","goal":null,"hash":"ff"}

                """)
    }

    @Test("Preemption is measured, finds victims, and comes out the same each time")
    func preemption() {
        let report = PreemptionBench.smoke.run()
        for name in ["nodeVictims", "domainVictims", "blockVictims"] {
            #expect(report.figures.first { $0.name == name }?.value ?? 0 >= 1, "\(name)")
        }
        #expect(report.figures.first { $0.name == "impossibleVictims" }?.value == 0)
        #expect(report.hash == PreemptionBench.smoke.run().hash)
    }

    @Test("A long queue is measured, with quotas and without, and comes out the same each time")
    func queue() {
        for hasQuota in [false, true] {
            let report = QueueBench.smoke.run(hasQuota: hasQuota)
            #expect(report.figures.first { $0.name == "jobsQueued" }?.value ?? 0 > 1900)
            #expect(report.figures.first { $0.name == "placementsPerEnd" }?.value ?? 0 > 0)
            #expect(report.hash == QueueBench.smoke.run(hasQuota: hasQuota).hash)
        }
    }

    @Test("Plans on a fleet with holes win domains, and come out the same each time")
    func plan() {
        let report = PlanBench.smoke.run()
        #expect(value("jobs", report) ?? 0 >= 40)
        #expect(value("domainsWon", report) ?? 0 > 0)
        #expect(value("evacuateMoves", report) ?? 0 > 0)
        #expect(report.hash == PlanBench.smoke.run().hash)
    }

    @Test("Kueue's workloads are all admitted, no sooner than quota allows, and come out the same each time")
    func kueue() {
        let report = KueueBench.smoke.run()
        #expect(value("workloadsAdmitted", report) == 3000)
        // 7,920 seconds of CPU for a quota of 120.
        #expect((value("makespan", report) ?? 0) >= 66)
        #expect(value("misses", report) == 0)
        #expect(report.hash == KueueBench.smoke.run().hash)
        #expect(KueueBench.all.map(\.workloads) == [15_000, 15_000, 50_000])
    }
}
