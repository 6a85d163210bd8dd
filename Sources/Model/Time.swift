// A moment, as integer nanoseconds since 1970 UTC, and its RFC 3339 form.
// Owns no clock: a Timestamp is always handed in by whoever holds one.

/// A moment in UTC, counted in nanoseconds since 1970-01-01T00:00:00Z. Reaches from 1678 to 2262.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Before all others.
    public static let distantPast = Timestamp(nanoseconds: .min)
    /// After all others.
    public static let distantFuture = Timestamp(nanoseconds: .max)

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The time from `earlier` to here, in nanoseconds, negative when `earlier` is later; as far as that can be told.
    public func nanoseconds(since earlier: Timestamp) -> Int64 {
        let (span, isLong) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return isLong ? (earlier < self ? .max : .min) : span
    }

    /// So many seconds later, or earlier; where that is out of reach, the end of time on that side.
    public func adding(seconds: Int) -> Timestamp {
        let (span, isLong) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isBeyond) = nanoseconds.addingReportingOverflow(span)
        return Timestamp(nanoseconds: isLong || isBeyond ? (seconds < 0 ? .min : .max) : sum)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-11-23T02:08:39.120Z`.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        write { bytes.append($0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RFC 3339 in UTC with milliseconds, or with nanoseconds where milliseconds are not all of it: what a caller gave
    /// comes back as the same moment.
    public var exact: String {
        var bytes: [UInt8] = []
        write(exactly: true) { bytes.append($0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Gives the bytes of `description`, or of `exact`, one by one, so that a writer needs no string.
    public func write(exactly: Bool = false, _ emit: (UInt8) -> Void) {
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
        if exactly && timeOfDay % 1_000_000 != 0 {
            digits(timeOfDay % 1_000_000_000, 9)
        } else {
            digits(timeOfDay / 1_000_000 % 1000, 3)
        }
        emit(90)
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension Timestamp {
    /// A moment as RFC 3339 writes it: `2027-01-31T18:00:00Z`, with up to nine decimals of a second, and with any offset from UTC.
    /// Nil for any other text, for a day that no calendar has, and for a moment out of reach. A leap second is not one that
    /// can be told from the next.
    public init?(_ text: String) {
        var rest = Substring(text).utf8
        func number(_ digits: Int, _ range: ClosedRange<Int64>) -> Int64? {
            guard rest.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(digits) {
                guard 48...57 ~= byte else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            rest = rest.dropFirst(digits)
            return range ~= value ? value : nil
        }
        func take(_ character: UInt8...) -> Bool {
            guard let first = rest.first, character.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4, 1678...2261), take(45), let month = number(2, 1...12), take(45),
            let day = number(2, 1...31), take(84, 116), let hour = number(2, 0...23), take(58),
            let minute = number(2, 0...59), take(58), let second = number(2, 0...59)
        else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        let days = date.daysSince1970
        // The 30th of February comes back as another day.
        guard CivilDate(daysSince1970: days).day == day else { return nil }
        var fraction: Int64 = 0
        if take(46) {
            var scale: Int64 = 100_000_000
            var digits = 0
            while let byte = rest.first, 48...57 ~= byte {
                fraction += Int64(byte - 48) * scale
                scale /= 10
                digits += 1
                rest = rest.dropFirst()
            }
            guard 1...9 ~= digits else { return nil }
        }
        var offset: Int64 = 0
        if !take(90, 122) {
            let isEast = rest.first == 43
            guard take(43, 45), let hours = number(2, 0...23), take(58), let minutes = number(2, 0...59) else {
                return nil
            }
            offset = (hours * 60 + minutes) * (isEast ? 60 : -60)
        }
        guard rest.isEmpty else { return nil }
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        self.init(nanoseconds: seconds * 1_000_000_000 + fraction)
    }
}

/// A day of the proleptic Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Source: the same, days_from_civil.
    var daysSince1970: Int64 {
        let year = month <= 2 ? self.year - 1 : self.year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

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
