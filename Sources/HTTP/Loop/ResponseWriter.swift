// Answers into octets: the loop's one output buffer, and the Date field that is written once a second.
// It knows no socket and no request but what decides the form of its answer.

/// What a request decides about the form of its answer.
struct AnswerForm: Sendable {
    let isHead: Bool
    let version: HTTPVersion
    var persistence: Persistence
}

struct ResponseWriter {
    /// Octets to send, of as many answers as one turn made.
    var output: [UInt8] = []
    private var date: [UInt8] = []
    private var dateSecond: Int?
    /// A longer body is not copied into the buffer, but sent from where it is.
    let longestCopiedBytes = 32 * 1024

    /// Sets the wall clock that the Date field shows.
    mutating func setDate(secondsSinceEpoch second: Int) {
        guard second != dateSecond else { return }
        dateSecond = second
        date.removeAll(keepingCapacity: true)
        date.append("Date: ")
        DateField.append(secondsSinceEpoch: second, to: &date)
        date.append("\r\n")
    }

    mutating func writeContinue() {
        output.append("HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Writes an answer; gives its body back when that is long and has to follow the buffer.
    mutating func write(_ response: HTTPResponse, _ form: AnswerForm) -> [UInt8]? {
        writeStatusLine(response.status)
        output.append(contentsOf: date)
        if let contentType = response.contentType { writeField("Content-Type", contentType) }
        if !response.status.hasNoContent {
            output.append("Content-Length: ")
            switch response.content {
            case .bytes(let bytes): output.append(decimal: bytes.count)
            case .omitted(let count): output.append(decimal: count)
            }
            output.append("\r\n")
        }
        for field in response.fields where !Self.isServersOwn(field.name) { writeField(field.name, field.value) }
        switch (form.persistence, form.version) {
        case (.close, _): output.append("Connection: close\r\n")
        case (.keepAlive, .http10): output.append("Connection: keep-alive\r\n")
        case (.keepAlive, .http11): break
        }
        output.append("\r\n")
        guard case .bytes(let body) = response.content, !form.isHead, !response.status.hasNoContent else { return nil }
        if body.count > longestCopiedBytes { return body }
        output.append(contentsOf: body)
        return nil
    }

    private mutating func writeStatusLine(_ status: HTTPStatus) {
        output.append("HTTP/1.1 ")
        output.append(decimal: Int(status.code))
        output.append(" ")
        output.append(status.phrase)
        output.append("\r\n")
    }

    /// Whether the server alone writes this field: two of it would be two truths about where the answer ends.
    private static func isServersOwn(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.lowercased() == "date"
        case 10: name.lowercased() == "connection"
        case 14: name.lowercased() == "content-length"
        case 17: name.lowercased() == "transfer-encoding"
        default: false
        }
    }

    private mutating func writeField(_ name: String, _ value: String) {
        precondition(name.utf8.allSatisfy(Octet.isToken), "a field's name is a token")
        output.append(contentsOf: name.utf8)
        output.append(": ")
        let start = output.count
        output.append(contentsOf: value.utf8)
        for place in start..<output.count where !Octet.isFieldContent(output[place]) {
            output[place] = Octet.space
        }
        output.append("\r\n")
    }
}

/// The form of dates in fields (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum DateField {
    public static func text(secondsSinceEpoch second: Int) -> String {
        var bytes: [UInt8] = []
        append(secondsSinceEpoch: second, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    static func append(secondsSinceEpoch second: Int, to bytes: inout [UInt8]) {
        let days = second >= 0 ? second / 86_400 : (second - 86_399) / 86_400
        let secondOfDay = second - days * 86_400
        let (year, month, day) = civil(daysSinceEpoch: days)
        let weekday = ((days + 4) % 7 + 7) % 7
        bytes.append(contentsOf: weekdays[weekday].utf8)
        bytes.append(", ")
        append(twoDigits: day, to: &bytes)
        bytes.append(" ")
        bytes.append(contentsOf: months[month - 1].utf8)
        bytes.append(" ")
        bytes.append(decimal: year)
        bytes.append(" ")
        append(twoDigits: secondOfDay / 3600, to: &bytes)
        bytes.append(":")
        append(twoDigits: secondOfDay / 60 % 60, to: &bytes)
        bytes.append(":")
        append(twoDigits: secondOfDay % 60, to: &bytes)
        bytes.append(" GMT")
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func append(twoDigits number: Int, to bytes: inout [UInt8]) {
        bytes.append(Octet.zero + UInt8(number / 10))
        bytes.append(Octet.zero + UInt8(number % 10))
    }

    /// The proleptic Gregorian date of a day (Howard Hinnant, "chrono-compatible low-level date algorithms").
    private static func civil(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
