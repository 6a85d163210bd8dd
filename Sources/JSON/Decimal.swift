// Decimal amounts as text and as integer millionths, exactly both ways. Knows no currency.

public enum Decimal {
    /// `"3.2"` as 3,200,000. Nil for a sign, an exponent, more than six decimals, a bare point, or more than fits.
    public static func micros(_ text: String) -> Int64? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 1 || parts.count == 2, let whole = digits(parts[0]) else { return nil }
        var fraction: Int64 = 0
        if parts.count == 2 {
            guard parts[1].count <= 6, var decimals = digits(parts[1]) else { return nil }
            for _ in parts[1].count..<6 { decimals *= 10 }
            fraction = decimals
        }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(fraction)
        return overflow || carry ? nil : sum
    }

    private static func digits(_ text: Substring.UTF8View) -> Int64? {
        guard !text.isEmpty, text.count <= 18 else { return nil }
        var value: Int64 = 0
        for byte in text {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        return value
    }

    /// 3,200,000 as `3.20`: at least two decimals, and no more zeros than that.
    public static func text(micros: Int64) -> String {
        let magnitude = micros.magnitude
        var fraction = String(magnitude % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
        while fraction.utf8.count > 2 && fraction.hasSuffix("0") { fraction.removeLast() }
        return (micros < 0 ? "-" : "") + "\(magnitude / 1_000_000)." + fraction
    }
}
