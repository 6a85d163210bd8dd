// Owns decimal amounts: text to integer micros and back, exactly.
// It must not know currencies or JSON values.

/// Amounts as decimal text.
public enum Money {
    /// Why a text is no amount; `message` says what to do.
    public enum ParseError: Error, Sendable, Equatable {
        case malformed, tooPrecise, tooLarge

        public var message: String {
            switch self {
            case .malformed: "Write an amount as digits with at most one point, such as \"3.20\": no sign, no exponent."
            case .tooPrecise: "Give at most six decimals: a millionth is the smallest unit."
            case .tooLarge: "Give at most \(decimalString(micros: .max))."
            }
        }
    }

    /// "12", "3.2", "0.000001" as micros. One to nineteen-odd digits, then at most a point and one to six decimals.
    public static func micros(_ text: String) -> Result<Int64, ParseError> {
        var micros: Int64 = 0
        var decimals = -1
        var digits = 0
        for byte in text.utf8 {
            if byte == Byte.dot, decimals < 0, digits > 0 {
                decimals = 0
                continue
            }
            guard Byte.isDigit(byte) else { return .failure(.malformed) }
            digits += 1
            if decimals >= 0 { decimals += 1 }
            if decimals > 6 { return .failure(.tooPrecise) }
            guard append(Int64(byte - Byte.zero), to: &micros) else { return .failure(.tooLarge) }
        }
        guard digits > 0, decimals != 0 else { return .failure(.malformed) }
        for _ in max(0, decimals)..<6 {
            guard append(0, to: &micros) else { return .failure(.tooLarge) }
        }
        return .success(micros)
    }

    private static func append(_ digit: Int64, to value: inout Int64) -> Bool {
        let (tens, overflowsTens) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflows) = tens.addingReportingOverflow(digit)
        value = sum
        return !overflowsTens && !overflows
    }
}

/// Micros as decimal text with at least two decimals and no needless ones: 3_200_000 is "3.20", 1 is "0.000001".
public func decimalString(micros: Int64) -> String {
    var writer = JSONWriter(capacity: 32)
    writer.appendDecimal(micros: micros)
    return String(decoding: writer.take(), as: UTF8.self)
}
