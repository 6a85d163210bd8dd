// How far the packing core is from the optimum on small instances that a solver can finish: capacity allocated, price of the
// nodes opened, GPUs of gangs placed. Draws and exact solutions come from the scripts beside the other bench scripts; what
// a gap is stands at the top of the solver's.

import Foundation
import JSON
import Model

/// A run over the instances of some seeds.
public struct GapBench: Sendable {
    /// Holds `instances.py`, `exact.py` and `online.py`.
    public var scripts = "Config/bench"
    /// The folder of openb's two lists, of which nodes and pods are drawn.
    public var openb: String
    public var kinds = Kind.allCases
    public var seeds = 0...9
    public var secondsPerInstance = 10

    public enum Kind: String, CaseIterable, Sendable {
        case allocation
        case cost
        case gangs

        /// The gap to stay below, in percent.
        var goal: Int {
            switch self {
            case .allocation: 8
            case .cost: 15
            case .gangs: 1
            }
        }
    }

    public init(openb: String) { self.openb = openb }

    /// Why there is nothing to compare with here, or nil.
    public var missing: String? {
        if !FileManager.default.fileExists(atPath: openb + "/openb_node_list_gpu_node.csv") {
            return "the openb lists are not in '\(openb)'"
        }
        return !Self.hasSolver ? "OR-tools is not installed (python3 -m pip install ortools)" : nil
    }

    /// Whether OR-tools is installed.
    public static var hasSolver: Bool {
        (try? run(["-c", "import ortools.sat.python.cp_model"], input: "")) != nil
    }

    public func run() throws -> Report {
        var figures: [Figure] = []
        var digest = Digest(seed: 0)
        for kind in kinds {
            let drawn = try Self.run(
                [
                    "\(scripts)/instances.py", kind.rawValue, "\(seeds.lowerBound)", "\(seeds.upperBound)", "--openb",
                    openb,
                ],
                input: "")
            let solved = try Self.run(
                ["\(scripts)/exact.py", "--seconds", "\(secondsPerInstance)", "--workers", "2"], input: drawn)
            let instances = try Self.lines(drawn) { GapInstance(&$0) }
            let bounds = try Self.counts("bound", solved)
            guard instances.count == bounds.count else { throw BenchFault("\(kind): an instance has no answer") }
            // What came before is known when the next instance comes, as in a service that runs on; but for those that have no
            // solution, which are left out of everything.
            var mix = DemandMix()
            let ours = zip(instances, bounds).map { instance, bound in
                bound.map { $0 > 0 } ?? false ? instance.solve(&mix) : nil
            }
            for value in ours { if let value { digest.add(value) } }
            let gaps = Gaps(bounds, ours, isLessBetter: kind == .cost)
            figures.append(Figure("\(kind)Gap", gaps.percent, "%", goal: "below \(kind.goal)"))
            figures.append(Figure("\(kind)Instances", Double(gaps.count), "instances"))
            figures.append(Figure("\(kind)Failed", Double(gaps.failed), "instances", goal: "0"))
            if kind == .gangs {
                figures += try onlineFigures(drawn, bounds, ours)
                mix = DemandMix()
                let batched = Gaps(bounds, instances.map { $0.solveBatched(&mix) })
                figures.append(Figure("gangsGapBatched", batched.percent, "%", goal: "below \(kind.goal)"))
            }
        }
        return Report(benchmark: "gap", figures: figures, hash: digest.value)
    }

    /// The least gap of any packer that refuses nothing which fits, of any such that also keeps each gang as close together
    /// as ours, and how far ours is from both.
    private func onlineFigures(_ drawn: String, _ bounds: [Int?], _ ours: [Int?]) throws -> [Figure] {
        let answers = try Self.run(["\(scripts)/online.py"], input: drawn)
        let (any, close) = (try Self.counts("any", answers), try Self.counts("close", answers))
        guard any.count == bounds.count else { throw BenchFault("gangs: an instance has no on-line answer") }
        return [
            Figure("gangsGapOfBestOnline", Gaps(bounds, any).percent, "%"),
            Figure("gangsGapOfBestOnlineAndClose", Gaps(bounds, close).percent, "%"),
            Figure("gangsGapToBestOnline", Gaps(any, ours).percent, "%", goal: "below \(Kind.gangs.goal)"),
            Figure("gangsGapToBestOnlineAndClose", Gaps(close, ours).percent, "%"),
        ]
    }

    /// Gaps of some packings to what was best.
    private struct Gaps {
        /// The mean.
        let percent: Double
        /// Of those that have a gap.
        let count: Int
        /// Packings that leave out what they may not.
        let failed: Int

        init(_ bounds: [Int?], _ values: [Int?], isLessBetter: Bool = false) {
            var (sum, count, failed) = (0.0, 0, 0)
            for (bound, value) in zip(bounds, values) {
                guard let bound, bound > 0 else { continue }
                guard let value else {
                    failed += 1
                    continue
                }
                sum += Double(isLessBetter ? value - bound : bound - value) / Double(bound) * 100
                count += 1
            }
            (percent, self.count, self.failed) = (sum / Double(max(1, count)), count, failed)
        }
    }

    /// One number of each answer; nil where it has none. "bound": no solution is better; nil where there is no solution.
    static func counts(_ name: String, _ text: String) throws -> [Int?] {
        try text.split(separator: "\n").map { line in
            let answer = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return answer?[name] as? Int
        }
    }

    private static func lines<Value>(_ text: String, _ body: (inout ObjectReader) -> Value) throws -> [Value] {
        let bytes = Array(text.utf8)
        return try JSONLines(bytes).map { line in
            do throws(JSONFailure) {
                return try decodeObject(bytes, in: line.range, body)
            } catch {
                throw BenchFault("line \(line.number): \(error)")
            }
        }
    }

    /// What `python3` prints. Throws where it fails.
    static func run(_ arguments: [String], input: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        let (into, out) = (Pipe(), Pipe())
        process.standardInput = into
        process.standardOutput = out
        process.standardError = FileHandle.nullDevice
        try process.run()
        // The scripts read all before they write much, so that writing first fills no pipe.
        DispatchQueue.global().async {
            try? into.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? into.fileHandleForWriting.close()
        }
        let data = try out.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchFault("python3 \(arguments.first ?? "") failed") }
        return String(decoding: data, as: UTF8.self)
    }
}
