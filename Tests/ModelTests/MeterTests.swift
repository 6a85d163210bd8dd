// What use leaves behind: the memory that fades, and what was used up in a month. Beside each stands the same in floating point.

import Foundation
import Model
import Testing

@Suite struct MeterTests {
    static let policy = FairSharePolicy(halfLifeSeconds: 3600)
    static let start = Timestamp(nanoseconds: 1_795_000_000_000_000_000)

    static func after(_ seconds: Double) -> Timestamp {
        Timestamp(nanoseconds: start.nanoseconds + Int64(seconds * 1e9))
    }

    /// What is remembered of CPU, without what is in use.
    static func remembered(_ meter: Meter, _ usage: Usage, at moment: Timestamp) -> Double {
        Double(meter.claims(at: moment, usage, policy)[1] - Int128(usage.cpuMillis) * 256) / 256
    }

    @Test("Use is remembered as its mean weighted by age, and fades by half in each half-life")
    func halves() {
        var meter = Meter(at: Self.start)
        let usage = Usage(cpuMillis: 1_000_000)
        meter.settle(to: Self.after(3600), usage, Self.policy)
        #expect(abs(Self.remembered(meter, usage, at: Self.after(3600)) - 500_000) < 100)
        meter.settle(to: Self.after(7200), .none, Self.policy)
        #expect(abs(Self.remembered(meter, .none, at: Self.after(7200)) - 250_000) < 100)
        #expect(abs(Self.remembered(meter, .none, at: Self.after(7 * 3600)) - 500_000 / 64) < 10)
        #expect(Self.remembered(meter, .none, at: Self.after(1e6)) < 1)
    }

    @Test("Any history comes out as the integral says, settled often or seldom", arguments: 1...10)
    func integral(seed: UInt64) {
        var random = Random(seed: seed)
        var meter = Meter(at: Self.start)
        var seldom = Meter(at: Self.start)
        var exact = 0.0
        var moment = 0.0
        for _ in 0..<60 {
            let use = Double(random.below(1_000_000))
            let usage = Usage(cpuMillis: Int64(use))
            let length = pow(10, Double(random.below(400)) / 100 - 1)
            for part in 1...5 {
                meter.settle(to: Self.after(moment + length * Double(part) / 5), usage, Self.policy)
            }
            moment += length
            seldom.settle(to: Self.after(moment), usage, Self.policy)
            let left = pow(0.5, length / 3600)
            exact = exact * left + use * (1 - left)
        }
        // A cell, a 65,536th of a half-life, is the finest that is told apart.
        for meter in [meter, seldom] {
            #expect(abs(Self.remembered(meter, .none, at: Self.after(moment)) - exact) < 200, "seed \(seed)")
        }
    }

    @Test("What is used up begins anew with each calendar month")
    func months() throws {
        var meter = Meter(at: try #require(Timestamp("2027-01-31T22:00:00Z")))
        let usage = Usage(gpuMilli: 2500, price: 2500 * 4_000_000)
        meter.settle(to: try #require(Timestamp("2027-01-31T23:59:59Z")), usage, Self.policy)
        #expect(meter.gpuHours == 4 && meter.microUSD / 1_000_000 == 19)
        meter.settle(to: try #require(Timestamp("2027-02-01T02:00:00Z")), usage, Self.policy)
        #expect(meter.gpuHours == 5 && meter.microUSD == 20_000_000)
        #expect(meter.month.start.description == "2027-02-01T00:00:00.000Z")
        #expect(meter.month.next.start.description == "2027-03-01T00:00:00.000Z")
        meter.settle(to: try #require(Timestamp("2027-12-31T23:00:00Z")), .none, Self.policy)
        #expect(meter.gpuHours == 0 && meter.month.next.start.description == "2028-01-01T00:00:00.000Z")
    }

    @Test("The largest fleet through the longest time does not trap")
    func extremes() {
        let most = Usage(
            gpuMilli: 4096 << 34, price: Int128(4096 << 34) * 1_000_000_000_000, cpuMillis: 1 << 60,
            memoryMiB: 1 << 60)
        for seconds in [Bounds.halfLifeSeconds.lowerBound, Bounds.halfLifeSeconds.upperBound] {
            let policy = FairSharePolicy(halfLifeSeconds: seconds)
            var meter = Meter(at: Timestamp(nanoseconds: .min))
            for moment in [Int64.min + 5, -1, 0, 1, 1 << 60, .max - 1, .max] {
                meter.settle(to: Timestamp(nanoseconds: moment), most, policy)
            }
            #expect(meter.fault(at: Timestamp(nanoseconds: .max)) == nil)
            #expect(meter.claims(at: Timestamp(nanoseconds: .max), most, policy)[0] > 0)
        }
    }

    @Test("Moments are read as RFC 3339 writes them, and nothing else is")
    func moments() {
        for (text, same) in [
            ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00.000Z"),
            ("2024-02-29T00:00:00.5z", "2024-02-29T00:00:00.500Z"),
            ("2027-01-01T00:30:00+01:00", "2026-12-31T23:30:00.000Z"),
            ("2027-01-01t00:00:00-00:30", "2027-01-01T00:30:00.000Z"),
            ("1969-12-31T23:59:59.123456789Z", "1969-12-31T23:59:59.123Z"),
        ] { #expect(Timestamp(text)?.description == same, "\(text)") }
        for text in [
            "", "2027-01-31", "2027-01-31T18:00Z", "2027-01-31T18:00:00", "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z", "2027-01-32T00:00:00Z", "2027-01-31T24:00:00Z", "2027-01-31T18:60:00Z",
            "2027-01-31T18:00:60Z", "2027-01-31 18:00:00Z", "2027-01-31T18:00:00.Z", "2027-01-31T18:00:00.1234567890Z",
            "2027-01-31T18:00:00+0100", "2027-01-31T18:00:00+24:00", "2027-01-31T18:00:00ZZ", "+027-01-31T18:00:00Z",
            "1677-01-31T18:00:00Z", "2262-01-31T18:00:00Z", "2027-1-31T18:00:00Z", "２027-01-31T18:00:00Z",
        ] { #expect(Timestamp(text) == nil, "\(text)") }
    }
}

/// Source: Sebastiano Vigna, splitmix64 (2015).
private struct Random {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return (mixed ^ mixed >> 31) % bound
    }
}
