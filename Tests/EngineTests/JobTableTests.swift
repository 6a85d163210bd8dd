// The job table against a plain dictionary, with copies kept to see that they never change.

import Model
import TestKit
import Testing

@testable import Engine

@Suite struct JobTableTests {
    static func job(_ number: Int, message: String = "") -> Job {
        let at = Timestamp(nanoseconds: 1)
        var life = JobLife(state: .queued, revision: 1, submittedAt: at, queuedAt: at, queuedAtPlacement: 0)
        life.message = message
        let spec = JobSpec(id: "j\(number)", workers: [WorkerGroup(count: 1, demand: Demand(gpus: 1))])
        return Job(number: JobNumber(UInt64(number)), spec: spec, life: life)
    }

    static func firstDifference(_ table: JobTable, _ model: [Int: Job]) -> String? {
        if table.count != model.count { return "\(table.count) jobs, not \(model.count)" }
        let ordered = model.keys.sorted()
        var walked: [Int] = []
        table.forEach { job in
            walked.append(Int(job.number.value))
            return true
        }
        if walked != ordered { return "walked \(walked), not \(ordered)" }
        for number in ordered {
            if table[JobNumber(UInt64(number))] !== model[number] { return "job \(number) by number" }
            if table["j\(number)"] !== model[number] { return "job \(number) by id" }
        }
        return nil
    }

    @Test("It holds what a dictionary holds, and a copy never changes", arguments: 1...8)
    func model(seed: UInt64) {
        var random = History(seed: seed)
        var table = JobTable()
        var model: [Int: Job] = [:]
        var copies: [(JobTable, [Int: Job])] = []
        // Numbers about the edges of leaves and branches.
        let numbers = [1, 2, 126, 127, 128, 129, 255, 256, 16_383, 16_384, 16_385, 32_767, 32_768, 49_999]
        for step in 0..<400 {
            let number = random.pick(numbers)
            if random.chance(percent: 60) {
                let job = Self.job(number, message: "\(step)")
                table.put(job)
                model[number] = job
            } else if let job = model[number] {
                table.remove(job)
                model[number] = nil
            }
            if step % 40 == 0 { copies.append((table, model)) }
            let difference = Self.firstDifference(table, model)
            #expect(difference == nil, "seed \(seed) step \(step)")
        }
        for (copy, then) in copies {
            let difference = Self.firstDifference(copy, then)
            #expect(difference == nil, "seed \(seed)")
        }
        for number in numbers { if let job = model[number] { table.remove(job) } }
        #expect(table.count == 0)
        #expect(table[JobNumber(1)] == nil)
        table.put(Self.job(130))
        #expect(table[JobNumber(130)] != nil && table[JobNumber(129)] == nil)
    }

    @Test("A walk begins after any number there is, and ends where the body says")
    func walks() {
        var table = JobTable()
        for number in [5, 127, 128, 20_000] { table.put(Self.job(number)) }
        func after(_ number: UInt64, atMost: Int = 10) -> [UInt64] {
            var found: [UInt64] = []
            table.forEach(after: JobNumber(number)) { job in
                found.append(job.number.value)
                return found.count < atMost
            }
            return found
        }
        #expect(after(0) == [5, 127, 128, 20_000])
        #expect(after(4) == [5, 127, 128, 20_000])
        #expect(after(5) == [127, 128, 20_000])
        #expect(after(127) == [128, 20_000])
        #expect(after(128) == [20_000])
        for beyond in [20_000, 40_000, 1 << 50, UInt64.max - 1, .max] { #expect(after(beyond).isEmpty) }
        #expect(after(0, atMost: 2) == [5, 127])
        for beyond in [UInt64.max, 1 << 63, 50_000, 0] { #expect(table[JobNumber(beyond)] == nil) }
        #expect(table["nobody"] == nil)
    }

    @Test("A set of indexes holds what a set holds and walks upwards", arguments: 1...4)
    func indexSet(seed: UInt64) {
        var random = History(seed: seed)
        var indexes = IndexSet()
        var model: Set<Int> = []
        for _ in 0..<500 {
            let index = random.pick([0, 1, 62, 63, 64, 65, 127, 128, 640, 1000])
            if random.chance(percent: 50) {
                indexes.insert(index)
                model.insert(index)
            } else {
                indexes.remove(index)
                model.remove(index)
            }
            #expect(Array(indexes) == model.sorted(), "seed \(seed)")
            #expect(indexes.count == model.count && indexes.isEmpty == model.isEmpty)
        }
        indexes.removeAll()
        #expect(Array(indexes) == [] && !indexes.contains(0))
    }
}
