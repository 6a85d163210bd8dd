// A strict reader of the Prometheus text format 0.0.4: families whole and once, each with HELP and TYPE before its samples.
// Source: prometheus.io/docs/instrumenting/exposition_formats.

import Foundation
import Testing

struct MetricsText {
    struct Sample {
        var name: String
        var labels: String
        var value: Double
    }

    private(set) var samples: [Sample] = []
    private var types: [String: String] = [:]

    subscript(_ name: String, _ labels: String = "") -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    /// Reads a page; what is not as the format says is a failed expectation.
    init(_ text: String) throws {
        #expect(text.hasSuffix("\n"))
        var helped: String?
        var family = ""
        var seen: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                let parts = line.split(separator: " ", maxSplits: 3)
                let name = String(try #require(parts.count == 4 ? parts[2] : nil, "\(line)"))
                #expect(types[name] == nil, "\(name) stands twice")
                helped = name
            } else if line.hasPrefix("# TYPE ") {
                let parts = line.split(separator: " ")
                try #require(parts.count == 4, "\(line)")
                #expect(String(parts[2]) == helped, "TYPE follows the HELP of its own family: \(line)")
                #expect(["counter", "gauge", "histogram"].contains(parts[3]))
                family = String(parts[2])
                types[family] = String(parts[3])
            } else {
                let sample = try Self.sample(String(line))
                #expect(seen.insert(sample.name + "{" + sample.labels + "}").inserted, "\(line) stands twice")
                let suffixes = types[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                #expect(suffixes.contains { family + $0 == sample.name }, "\(sample.name) has no HELP and TYPE")
                if types[family] == "counter" { #expect(sample.value >= 0) }
                samples.append(sample)
            }
        }
        for (name, type) in types where type == "histogram" { checkHistogram(name) }
        for (name, type) in types where type == "counter" { #expect(name.hasSuffix("_total"), "\(name)") }
    }

    private static func sample(_ line: String) throws -> Sample {
        let expression =
            /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)/
        let match = try #require(try expression.wholeMatch(in: line), "\(line)")
        let value = try #require(Double(match.3), "\(line)")
        return Sample(name: String(match.1), labels: match.2.map(String.init) ?? "", value: value)
    }

    private func checkHistogram(_ name: String) {
        let buckets = samples.filter { $0.name == name + "_bucket" }
        #expect(buckets.last?.labels == "le=\"+Inf\"")
        let bounds = buckets.map { bucket in
            bucket.labels == "le=\"+Inf\"" ? Double.infinity : Double(bucket.labels.dropFirst(4).dropLast()) ?? .nan
        }
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "\(name): bounds rise")
        #expect(
            zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value }, "\(name): buckets are cumulative")
        #expect(buckets.last?.value == self[name + "_count"])
        #expect(self[name + "_sum"] != nil)
    }
}
