// What a benchmark found: figures with units and goals. How they are shown: Output.swift. And what it measures with: clocks,
// spreads and a seeded generator.

import Dispatch
import Glibc

/// One figure of a benchmark.
public struct Figure: Sendable {
    public var name: String
    public var value: Double
    public var unit: String
    /// What was aimed at, in words: `at least 150000`.
    public var goal: String?

    public init(_ name: String, _ value: Double, _ unit: String, goal: String? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        self.goal = goal
    }
}

/// What one benchmark came to. `hash` is the digest of its result: equal code and input give equal hashes.
public struct Report: Sendable {
    public var benchmark: String
    public var figures: [Figure]
    public var hash: UInt64

    public init(benchmark: String, figures: [Figure], hash: UInt64 = 0) {
        self.benchmark = benchmark
        self.figures = figures
        self.hash = hash
    }
}

/// Median, spread and tail of many measured durations.
public struct Spread: Sendable {
    public let p10: UInt64
    public let median: UInt64
    public let p90: UInt64
    public let p99: UInt64
    public let largest: UInt64

    /// Of at least one sample; sorts `samples`.
    public init(_ samples: inout [UInt64]) {
        samples.sort()
        func at(_ permille: Int, _ samples: [UInt64]) -> UInt64 { samples[(samples.count - 1) * permille / 1000] }
        p10 = at(100, samples)
        median = at(500, samples)
        p90 = at(900, samples)
        p99 = at(990, samples)
        largest = samples[samples.count - 1]
    }
}

/// Nanoseconds of a clock that only runs forward.
@inline(__always)
public func nanosecondsNow() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

/// Nanoseconds that this thread ran. On a machine shared with others this tells what the code costs, where the clock on
/// the wall tells what the others do.
public func threadNanosecondsNow() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// A small seeded generator, the same on every machine. Source: Sebastiano Vigna, splitmix64 (2015).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A number in `range`. The bias of the remainder is below one in 2^40 for the ranges used here.
    public mutating func pick(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }
}
