// Times that callers give: which texts are read, to which moment, and that they come back as the same moment.

import Model
import Testing

@Suite struct MomentTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2026-11-23T02:08:39.120Z", 1_795_399_719_120_000_000),
        ("2026-11-23T02:08:39.12Z", 1_795_399_719_120_000_000),
        ("2026-11-23T02:08:39.000000001Z", 1_795_399_719_000_000_001),
        ("2026-11-23T04:08:39+02:00", 1_795_399_719_000_000_000),
        ("2026-11-22T20:38:39-05:30", 1_795_399_719_000_000_000),
        ("2026-11-23T02:08:39-00:00", 1_795_399_719_000_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ])
    func `A time is read as the moment that it names`(text: String, nanoseconds: Int64) {
        #expect(Timestamp(text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "now", "2026-11-23", "2026-11-23T02:08:39", "2026-11-23 02:08:39Z", "2026-11-23T02:08Z",
        "2026-11-23T02:08:39.Z",
        "2026-11-23T02:08:39.1234567890Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T23:59:60Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01", "2026-01-01T00:00:00ZZ", " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ", "+026-01-01T00:00:00Z", "20260101T000000Z", "2026-1-1T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z", "２026-01-01T00:00:00Z", "2026-01-01T00:00:0-1Z",
    ])
    func `Any other text is no time`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `What is written is read back, exactly where it is written so`() {
        for nanoseconds in [0, 1, -1, 999, 1_000_000, 1_795_399_719_120_000_001, 1_795_399_719_120_000_000] as [Int64] {
            let moment = Timestamp(nanoseconds: nanoseconds)
            #expect(Timestamp(moment.exact) == moment)
            if nanoseconds % 1_000_000 == 0 {
                #expect(moment.exact == moment.description && Timestamp(moment.description) == moment)
            }
        }
    }

    @Test func `A sum with seconds stays within time`() {
        let moment = Timestamp(nanoseconds: 5)
        #expect(moment.adding(seconds: 2).nanoseconds == 2_000_000_005)
        #expect(moment.adding(seconds: -2).nanoseconds == -1_999_999_995)
        #expect(moment.adding(seconds: .max).nanoseconds == .max && moment.adding(seconds: .min).nanoseconds == .min)
        #expect(Timestamp(nanoseconds: .max - 1).adding(seconds: 1).nanoseconds == .max)
        #expect(Bounds.moments.upperBound.description == "2199-12-31T23:59:59.999Z")
    }
}
