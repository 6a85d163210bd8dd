// A header field of an answer, and the header fields of a request as spans into its head.
// It knows no meaning of any field.

/// A header field to send.
public struct HTTPField: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Where a field stands in the octets of its head.
struct FieldSpan: Sendable {
    let nameStart: UInt32
    let nameCount: UInt32
    let valueStart: UInt32
    let valueCount: UInt32

    init(name: Range<Int>, value: Range<Int>) {
        nameStart = UInt32(name.lowerBound)
        nameCount = UInt32(name.count)
        valueStart = UInt32(value.lowerBound)
        valueCount = UInt32(value.count)
    }

    var name: Range<Int> { Int(nameStart)..<Int(nameStart + nameCount) }
    var value: Range<Int> { Int(valueStart)..<Int(valueStart + valueCount) }
}

/// The header fields of a request: its head's octets, and a span for every field. A lookup is a linear search that
/// compares lengths first; nothing is decoded before it is asked for.
public struct HTTPFields: Sendable {
    let head: [UInt8]
    let spans: [FieldSpan]

    public var count: Int { spans.count }

    /// The first value under `name`, whatever its case.
    public subscript(_ name: String) -> String? {
        for span in spans where isNamed(span, name) { return head.span.text(span.value) }
        return nil
    }

    /// Every value under `name`, in the order of the head.
    public func values(of name: String) -> [String] {
        spans.filter { isNamed($0, name) }.map { head.span.text($0.value) }
    }

    /// All fields in the order and spelling of the head.
    public var all: [HTTPField] {
        spans.map { HTTPField(head.span.text($0.name), head.span.text($0.value)) }
    }

    private func isNamed(_ span: FieldSpan, _ name: String) -> Bool {
        guard Int(span.nameCount) == name.utf8.count else { return false }
        var place = Int(span.nameStart)
        for octet in name.utf8 {
            guard Octet.lowercased(head[place]) == Octet.lowercased(octet) else { return false }
            place += 1
        }
        return true
    }
}
