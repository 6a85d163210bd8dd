// What a place costs: price, fragmentation left behind and topology worse than preferred, in integer micro-USD per hour.
// Knows no gang and no pool; all amounts are handed in.

import Model

enum Cost {
    /// Sums stay far from overflow below this; what costs more costs this.
    private static let most = Int64.max / 8

    /// Precondition: neither is above what the other functions return.
    static func sum(_ left: Int64, _ right: Int64) -> Int64 { min(most, left + right) }

    /// The price of a capacity of GPUs in thousandths, rounded up.
    @inline(__always)
    static func price(milli: Int, microUSDPerGPUHour: Int64) -> Int64 {
        let (product, overflow) = Int64(milli).multipliedReportingOverflow(by: microUSDPerGPUHour)
        if overflow || product > most { return slowPrice(milli, microUSDPerGPUHour) }
        return (product + 999) / 1000
    }

    private static func slowPrice(_ milli: Int, _ price: Int64) -> Int64 {
        Int64(min(Int128(most), (Int128(milli) * Int128(price) + 999) / 1000))
    }

    /// The price of a rise of `PoolMix.potential`; less than nothing where a place uses what others could not.
    @inline(__always)
    static func fragmentation(_ rise: Int64, microUSDPerGPUHour: Int64) -> Int64 {
        let scale = Int64(1000 * PoolMix.unit)
        let (product, overflow) = rise.multipliedReportingOverflow(by: microUSDPerGPUHour)
        if !overflow { return product / scale }
        return Int64(max(-Int128(most), min(Int128(most), Int128(rise) * Int128(microUSDPerGPUHour) / Int128(scale))))
    }

    /// A twentieth of the price for each tier beyond the preferred one.
    @inline(__always)
    static func topology(_ tier: Tier, preferred: Tier?, price: Int64) -> Int64 {
        guard let preferred, tier > preferred else { return 0 }
        return Int64(tier.rawValue - preferred.rawValue) * (price / 20)
    }
}

/// How good a place is among those of one rank: smaller is better.
struct Merit: Comparable {
    var total: Int64
    /// Rise of the potential, for places of equal cost: where capacity has no price it still has better uses.
    var rise: Int64
    var fit: Fit

    static let none = Merit(total: .max, rise: .max, fit: .none)

    @inline(__always)
    static func < (left: Merit, right: Merit) -> Bool {
        if left.total != right.total { return left.total < right.total }
        return left.rise != right.rise ? left.rise < right.rise : left.fit < right.fit
    }
}
