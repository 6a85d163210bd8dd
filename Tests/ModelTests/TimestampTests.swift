// Moments as text, checked against dates that anyone can look up.

import Model
import Testing

@Suite struct TimestampTests {
    static let second: Int64 = 1_000_000_000

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (951_782_399, "2000-02-28T23:59:59.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_078_012_800, "2004-02-29T00:00:00.000Z"),
        (-2_203_977_600, "1900-02-28T00:00:00.000Z"),
        (-2_203_891_200, "1900-03-01T00:00:00.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        (4_107_456_000, "2100-02-28T00:00:00.000Z"),
        (1_795_399_719, "2026-11-23T02:08:39.000Z"),
        (1_767_225_599, "2025-12-31T23:59:59.000Z"),
        (1_767_225_600, "2026-01-01T00:00:00.000Z"),
    ])
    func `A moment reads as its UTC date and time`(seconds: Int64, text: String) {
        #expect(Timestamp(nanoseconds: seconds * Self.second).description == text)
    }

    @Test func `Milliseconds are cut and not rounded, also before 1970`() {
        #expect(Timestamp(nanoseconds: 120_999_999).description == "1970-01-01T00:00:00.120Z")
        #expect(Timestamp(nanoseconds: -1).description == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(nanoseconds: -1_000_000).description == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(nanoseconds: -1_000_001).description == "1969-12-31T23:59:59.998Z")
    }

    @Test func `The first and the last moment have a text`() {
        #expect(Timestamp(nanoseconds: .min).description == "1677-09-21T00:12:43.145Z")
        #expect(Timestamp(nanoseconds: .max).description == "2262-04-11T23:47:16.854Z")
    }

    @Test func `Every day from 1678 to 2261 follows the one before it`() {
        func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        var day: Int64 = -106_650
        for year in 1678...2261 {
            let months = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            for (month, days) in months.enumerated() {
                for date in [1, days] {
                    let text = Timestamp(nanoseconds: (day + Int64(date) - 1) * 86_400 * Self.second).description
                    if text != "\(year)-\(padded(month + 1))-\(padded(date))T00:00:00.000Z" {
                        Issue.record("day \(day) of \(year)-\(month + 1) reads \(text)")
                        return
                    }
                }
                day += Int64(days)
            }
        }
    }

    @Test func `Moments are ordered, and their distance has a sign`() {
        let (early, late) = (Timestamp(nanoseconds: -5), Timestamp(nanoseconds: 7))
        #expect(early < late)
        #expect(late.nanoseconds(since: early) == 12)
        #expect(early.nanoseconds(since: late) == -12)
    }
}
