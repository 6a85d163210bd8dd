// A moment, as integer nanoseconds since 1970 UTC, and its RFC 3339 form.
// Owns no clock: a Timestamp is always handed in by whoever holds one.

/// A moment in UTC, counted in nanoseconds since 1970-01-01T00:00:00Z. Reaches from 1678 to 2262.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The time from `earlier` to here, in nanoseconds, negative when `earlier` is later.
    public func nanoseconds(since earlier: Timestamp) -> Int64 { nanoseconds - earlier.nanoseconds }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-11-23T02:08:39.120Z`.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        write { bytes.append($0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Gives the bytes of `description` one by one, so that a writer needs no string.
    public func write(_ emit: (UInt8) -> Void) {
        let nanosecondsPerDay: Int64 = 86_400_000_000_000
        let (day, timeOfDay) = Timestamp.floorDivide(nanoseconds, by: nanosecondsPerDay)
        let date = CivilDate(daysSince1970: day)
        func digits(_ value: Int64, _ width: Int) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                emit(UInt8(48 + value / divisor % 10))
                divisor /= 10
            }
        }
        digits(date.year, 4)
        emit(45)
        digits(date.month, 2)
        emit(45)
        digits(date.day, 2)
        emit(84)
        let seconds = timeOfDay / 1_000_000_000
        digits(seconds / 3600, 2)
        emit(58)
        digits(seconds / 60 % 60, 2)
        emit(58)
        digits(seconds % 60, 2)
        emit(46)
        digits(timeOfDay / 1_000_000 % 1000, 3)
        emit(90)
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// A day of the proleptic Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(daysSince1970 days: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}
