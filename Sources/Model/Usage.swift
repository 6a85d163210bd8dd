// What a tenant uses, what it used lately, and what it used up this month: integers only, brought up to date when a use
// changes, so that the same facts at the same times always leave the same figures.

/// What is in use at one moment.
public struct Usage: Hashable, Sendable {
    /// GPU capacity, in thousandths of a GPU.
    public var gpuMilli: Int64
    /// Its price: thousandths of a GPU times their pools' micro-USD per GPU-hour.
    public var price: Int128
    public var cpuMillis: Int64
    public var memoryMiB: Int64

    public init(gpuMilli: Int64 = 0, price: Int128 = 0, cpuMillis: Int64 = 0, memoryMiB: Int64 = 0) {
        self.gpuMilli = gpuMilli
        self.price = price
        self.cpuMillis = cpuMillis
        self.memoryMiB = memoryMiB
    }

    public static let none = Usage()

    public static func += (left: inout Usage, right: Usage) {
        left.gpuMilli += right.gpuMilli
        left.price += right.price
        left.cpuMillis += right.cpuMillis
        left.memoryMiB += right.memoryMiB
    }

    public static prefix func - (usage: Usage) -> Usage {
        Usage(
            gpuMilli: -usage.gpuMilli, price: -usage.price, cpuMillis: -usage.cpuMillis, memoryMiB: -usage.memoryMiB)
    }

    /// What is weighed against what others use: GPUs by price, and one micro-USD per GPU-hour more, so that GPUs without a
    /// price count against each other; CPU; memory.
    public var claims: Claims { [price + Int128(gpuMilli), Int128(cpuMillis), Int128(memoryMiB)] }
}

/// GPUs by price, CPU and memory.
public typealias Claims = [3 of Int128]

/// A calendar month in UTC, counted from January of year 0.
public struct Month: Hashable, Comparable, Sendable {
    public var index: Int64

    public init(index: Int64) { self.index = index }

    public init(_ moment: Timestamp) {
        let perDay: Int64 = 86_400_000_000_000
        let (day, rest) = moment.nanoseconds.quotientAndRemainder(dividingBy: perDay)
        let date = CivilDate(daysSince1970: rest < 0 ? day - 1 : day)
        index = date.year * 12 + date.month - 1
    }

    /// Its first moment.
    public var start: Timestamp {
        let (year, month) = index.quotientAndRemainder(dividingBy: 12)
        let day = CivilDate(year: year, month: month + 1, day: 1).daysSince1970
        let (nanoseconds, isBeyond) = day.multipliedReportingOverflow(by: 86_400_000_000_000)
        return Timestamp(nanoseconds: isBeyond ? .max : nanoseconds)
    }

    public var next: Month { Month(index: index + 1) }

    public static func < (left: Month, right: Month) -> Bool { left.index < right.index }
}

/// What use leaves behind: a memory that halves in each half-life, and what was used up in the month. `usage` since
/// `settledAt` is still to be added; every call says how much that was.
public struct Meter: Equatable, Sendable {
    /// The moment up to which the rest is true.
    public var settledAt: Timestamp
    /// Mean use, weighted by how long ago it was, as of the beginning of the cell of `settledAt`, in 256ths.
    public var remembered: Claims
    /// Use times nanoseconds since the beginning of that cell.
    public var area: Claims
    public var month: Month
    /// Used up since the month began: thousandths of a GPU times nanoseconds, and price times nanoseconds.
    public var gpuMilliNanoseconds: UInt128
    public var priceNanoseconds: UInt128

    public init(at moment: Timestamp) {
        settledAt = moment
        remembered = Claims(repeating: 0)
        area = Claims(repeating: 0)
        month = Month(moment)
        gpuMilliNanoseconds = 0
        priceNanoseconds = 0
    }

    public init(
        settledAt: Timestamp, remembered: Claims, area: Claims, month: Month, gpuMilliNanoseconds: UInt128,
        priceNanoseconds: UInt128
    ) {
        self.settledAt = settledAt
        self.remembered = remembered
        self.area = area
        self.month = month
        self.gpuMilliNanoseconds = gpuMilliNanoseconds
        self.priceNanoseconds = priceNanoseconds
    }

    /// Whole GPU-hours used up in the month.
    public var gpuHours: Int64 { Int64(clamping: gpuMilliNanoseconds / (1000 * Self.nanosecondsPerHour)) }

    /// Micro-USD used up in the month.
    public var microUSD: Int64 { Int64(clamping: priceNanoseconds / (1000 * Self.nanosecondsPerHour)) }

    private static let nanosecondsPerHour: UInt128 = 3_600_000_000_000

    /// Brings all up to `moment`, through which `usage` was in use. Does nothing for a moment that is past.
    public mutating func settle(to moment: Timestamp, _ usage: Usage, _ policy: FairSharePolicy) {
        guard moment > settledAt else { return }
        spend(to: moment, usage)
        remember(to: moment, usage.claims, policy)
        settledAt = moment
    }

    private mutating func spend(to moment: Timestamp, _ usage: Usage) {
        var from = settledAt
        if month != Month(moment) {
            month = Month(moment)
            gpuMilliNanoseconds = 0
            priceNanoseconds = 0
            from = max(from, month.start)
        }
        let passed = UInt128(Int128(moment.nanoseconds) - Int128(from.nanoseconds))
        // No month of any fleet comes to the bounds; a forged journal's does not trap.
        gpuMilliNanoseconds = gpuMilliNanoseconds.saturatingSum(UInt128(clamping: usage.gpuMilli), times: passed)
        priceNanoseconds = priceNanoseconds.saturatingSum(UInt128(clamping: usage.price), times: passed)
    }

    private mutating func remember(to moment: Timestamp, _ claims: Claims, _ policy: FairSharePolicy) {
        let cell = policy.cell
        let begin = Int128(settledAt.nanoseconds)
        let first = settledAt.nanoseconds / cell
        let last = moment.nanoseconds / cell
        if first == last {
            let passed = Int128(moment.nanoseconds) - begin
            for kind in 0..<3 { area[kind] += claims[kind] * passed }
            return
        }
        let rest = (Int128(first) + 1) * Int128(cell) - begin
        let one = Decay.factor(cells: 1)
        let others = Decay.factor(cells: last - first - 1)
        for kind in 0..<3 {
            let mean = (area[kind] + claims[kind] * rest) / Int128(cell)
            let afterFirst = Decay.mix(remembered[kind], mean << 8, one)
            remembered[kind] = Decay.mix(afterFirst, claims[kind] << 8, others)
            area[kind] = claims[kind] * Int128(moment.nanoseconds - last * cell)
        }
    }

    /// What no history of use leaves, as far as it would lead to a trap.
    public func fault(at moment: Timestamp) -> String? {
        if settledAt > moment { return "is metered ahead of time" }
        for kind in 0..<3 where !(0..<1 << 96 ~= remembered[kind]) || !(0..<1 << 125 ~= area[kind]) {
            return "remembers more than any fleet has"
        }
        return nil
    }

    /// Goes on under another policy. Precondition: settled to now.
    public mutating func adopt(_ policy: FairSharePolicy, _ usage: Usage) {
        let passed = Int128(settledAt.nanoseconds % policy.cell)
        for kind in 0..<3 { area[kind] = usage.claims[kind] * passed }
    }

    /// Mean of what is in use and what is remembered of use before, in 512ths, as of the beginning of `moment`'s cell.
    public func claims(at moment: Timestamp, _ usage: Usage, _ policy: FairSharePolicy) -> Claims {
        var meter = self
        if moment.nanoseconds / policy.cell > settledAt.nanoseconds / policy.cell {
            meter.remember(to: moment, usage.claims, policy)
        }
        var claims = usage.claims
        for kind in 0..<3 { claims[kind] = claims[kind] << 8 + meter.remembered[kind] }
        return claims
    }

    /// The part of the state digest of these figures.
    public func add(to digest: inout Digest) {
        digest.add(settledAt)
        for kind in 0..<3 {
            digest.add(remembered[kind])
            digest.add(area[kind])
        }
        digest.add(Int128(truncatingIfNeeded: gpuMilliNanoseconds))
        digest.add(Int128(truncatingIfNeeded: priceNanoseconds))
    }

    public static func == (left: Meter, right: Meter) -> Bool {
        left.settledAt == right.settledAt && left.month == right.month
            && left.gpuMilliNanoseconds == right.gpuMilliNanoseconds && left.priceNanoseconds == right.priceNanoseconds
            && (0..<3).allSatisfy { left.remembered[$0] == right.remembered[$0] && left.area[$0] == right.area[$0] }
    }

}

extension Digest {
    fileprivate mutating func add(_ number: Int128) {
        add(UInt64(truncatingIfNeeded: number))
        add(UInt64(truncatingIfNeeded: number >> 64))
    }
}

extension FairSharePolicy {
    /// What is remembered fades in steps of this many nanoseconds: 65,536 in a half-life.
    public var cell: Int64 { max(1, Int64(halfLifeSeconds) * 1_000_000_000 / 65_536) }
}

/// Powers of two with fractional exponents in integers.
enum Decay {
    /// 2^(-2^i / 65536) at i, in 2^-62.
    private static let powers: [UInt64] = {
        var powers: [UInt64] = []
        var power: UInt64 = 1 << 61
        for _ in 0..<16 {
            power = squareRoot(UInt128(power) << 62)
            powers.append(power)
        }
        return powers.reversed()
    }()

    /// What is left after so many cells, in 2^-32.
    static func factor(cells: Int64) -> Int128 {
        if cells >> 16 >= 32 { return 0 }
        var factor: UInt64 = 1 << 62
        for bit in 0..<16 where cells >> Int64(bit) & 1 == 1 {
            factor = UInt64((UInt128(factor) * UInt128(powers[bit])) >> 62)
        }
        return Int128(factor >> (30 + UInt64(cells >> 16)))
    }

    /// `factor` of the old and the rest of the new.
    static func mix(_ old: Int128, _ new: Int128, _ factor: Int128) -> Int128 { new + ((old - new) * factor) >> 32 }

    /// Rounded down, one bit after the other.
    private static func squareRoot(_ square: UInt128) -> UInt64 {
        var root: UInt128 = 0
        for bit in stride(from: UInt128(63), through: 0, by: -1) {
            let next = root | 1 << bit
            if next * next <= square { root = next }
        }
        return UInt64(root)
    }
}

extension UInt128 {
    fileprivate func saturatingSum(_ factor: UInt128, times other: UInt128) -> UInt128 {
        let (product, isTooMuch) = factor.multipliedReportingOverflow(by: other)
        if isTooMuch { return .max }
        let (sum, isBeyond) = addingReportingOverflow(product)
        return isBeyond ? .max : sum
    }
}
