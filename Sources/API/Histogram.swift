// Counts of durations in fixed buckets, for the metrics page.

import Synchronization

/// What a histogram has counted.
public struct HistogramReading: Sendable {
    /// Cumulative counts, one for each of `Histogram.bounds`, then all.
    public var cumulative: [UInt64]
    public var sumNanoseconds: UInt64

    public init(cumulative: [UInt64] = [], sumNanoseconds: UInt64 = 0) {
        self.cumulative = cumulative
        self.sumNanoseconds = sumNanoseconds
    }
}

/// Durations in buckets from a microsecond to ten seconds. Safe from any thread.
public final class Histogram: Sendable {
    /// Upper bounds in nanoseconds, and as the page writes them in seconds.
    public static let bounds: [(nanoseconds: UInt64, label: String)] = [
        (1_000, "1e-06"), (2_500, "2.5e-06"), (5_000, "5e-06"), (10_000, "1e-05"), (25_000, "2.5e-05"),
        (50_000, "5e-05"), (100_000, "0.0001"), (250_000, "0.00025"), (500_000, "0.0005"), (1_000_000, "0.001"),
        (2_500_000, "0.0025"), (5_000_000, "0.005"), (10_000_000, "0.01"), (25_000_000, "0.025"),
        (50_000_000, "0.05"), (100_000_000, "0.1"), (250_000_000, "0.25"), (1_000_000_000, "1"),
        (10_000_000_000, "10"),
    ]

    private struct Counts {
        var buckets = [UInt64](repeating: 0, count: Histogram.bounds.count + 1)
        var sum: UInt64 = 0
    }

    private let counts = Mutex(Counts())

    public init() {}

    public func add(nanoseconds: UInt64) {
        let bucket = Self.bounds.firstIndex { nanoseconds <= $0.nanoseconds } ?? Self.bounds.count
        counts.withLock {
            $0.buckets[bucket] += 1
            $0.sum += nanoseconds
        }
    }

    public var reading: HistogramReading {
        counts.withLock { counts in
            var total: UInt64 = 0
            let cumulative = counts.buckets.map { count in
                total += count
                return total
            }
            return HistogramReading(cumulative: cumulative, sumNanoseconds: counts.sum)
        }
    }
}
