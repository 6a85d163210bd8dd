// Reading a job's body and writing a job's answer, as the API does for every request; no socket, no engine.

import API
import Engine
import JSON
import Model

/// Size of a run.
public struct JSONBench: Sendable {
    public var operations: Int
    public var rounds: Int

    public static let full = JSONBench(operations: 20_000, rounds: 5)
    public static let smoke = JSONBench(operations: 50, rounds: 2)

    public init(operations: Int, rounds: Int) {
        self.operations = operations
        self.rounds = rounds
    }

    public func run() throws -> Report {
        let body = Bodies.job("atlas-0001")
        var parse = Rounds()
        var decode = Rounds()
        var write = Rounds()
        var rate = Rounds()
        var hash = Digest(seed: 0)
        let strings = ["trainer", "s3://lab-atlas/checkpoints/step-001000", "us-east-1", "p6e-gb200.36xlarge"]
        for _ in 0..<rounds {
            var begin = threadNanosecondsNow()
            var values = 0
            for _ in 0..<operations { values += try JSONDocument(body).root.kind == .object ? 1 : 0 }
            parse.add(perOperation(since: begin))
            begin = threadNanosecondsNow()
            var labels = 0
            for _ in 0..<operations {
                labels += try decodeObject(body) { JobSpec(&$0) }.labels.count
            }
            decode.add(perOperation(since: begin))
            hash.add(values)
            hash.add(labels)
            var bytes = 0
            begin = threadNanosecondsNow()
            for number in 0..<operations {
                var writer = JSONWriter(capacity: 1024)
                writer.object { writer in
                    for _ in 0..<5 {
                        writer.key("count")
                        writer.value(number)
                        for string in strings {
                            writer.key("instanceType")
                            writer.value(string)
                        }
                    }
                }
                bytes += writer.take().count
            }
            let each = perOperation(since: begin)
            write.add(each)
            rate.add(Double(bytes / operations) / each * 1000)
            hash.add(bytes)
        }
        return Report(
            benchmark: "json",
            figures: [Figure("bodyBytes", Double(body.count), "B")]
                + parse.figures("parse", "ns")
                + decode.figures("parseAndDecode", "ns", goal: "below 2000")
                + write.figures("write", "ns") + rate.figures("writeRate", "MB/s", goal: "at least 500"),
            hash: hash.value)
    }

    private func perOperation(since begin: UInt64) -> Double {
        Double(threadNanosecondsNow() - begin) / Double(operations)
    }
}
