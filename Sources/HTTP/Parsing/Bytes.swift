// The octets of HTTP/1.1: their classes (RFC 9110 section 5.6), searching and comparing over spans.
// Every search is bounded by its span. It knows no grammar beyond single characters.

import Glibc

enum Octet {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let hash: UInt8 = 0x23
    static let percent: UInt8 = 0x25
    static let ampersand: UInt8 = 0x26
    static let asterisk: UInt8 = 0x2A
    static let comma: UInt8 = 0x2C
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let equals: UInt8 = 0x3D
    static let question: UInt8 = 0x3F
    static let openBracket: UInt8 = 0x5B
    static let closeBracket: UInt8 = 0x5D
    static let delete: UInt8 = 0x7F

    /// Whether the octet is a `tchar`.
    @inline(__always)
    static func isToken(_ octet: UInt8) -> Bool {
        isMember(octet, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    }

    /// Whether the octet may stand in a registered name of a host (RFC 3986 section 3.2.2), less the comma, which would
    /// let a list of hosts pass as one.
    @inline(__always)
    static func isHostName(_ octet: UInt8) -> Bool {
        isMember(octet, low: 0x2BFF_6FF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    }

    @inline(__always)
    static func isDigit(_ octet: UInt8) -> Bool { octet &- zero < 10 }

    @inline(__always)
    static func isBlank(_ octet: UInt8) -> Bool { octet == space || octet == tab }

    /// Whether the octet may stand in a field's value: visible, blank, or above ASCII.
    @inline(__always)
    static func isFieldContent(_ octet: UInt8) -> Bool {
        octet >= space ? octet != delete : octet == tab
    }

    @inline(__always)
    static func hexadecimal(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet &- 0x30
        case 0x41...0x46: octet &- 0x37
        case 0x61...0x66: octet &- 0x57
        default: nil
        }
    }

    @inline(__always)
    static func lowercased(_ octet: UInt8) -> UInt8 {
        octet &- 0x41 < 26 ? octet | 0x20 : octet
    }

    @inline(__always)
    private static func isMember(_ octet: UInt8, low: UInt64, high: UInt64) -> Bool {
        if octet < 64 { return low >> UInt64(octet) & 1 == 1 }
        if octet < 128 { return high >> UInt64(octet &- 64) & 1 == 1 }
        return false
    }
}

extension Span<UInt8> {
    /// The first place of `octet` at or after `start`.
    func firstIndex(of octet: UInt8, from start: Int) -> Int? {
        precondition(start >= 0 && start <= count)
        guard start < count else { return nil }
        return unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let found = unsafe memchr(base + start, Int32(octet), bytes.count - start)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    /// The range without blanks at its ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, Octet.isBlank(self[lower]) { lower += 1 }
        while upper > lower, Octet.isBlank(self[upper - 1]) { upper -= 1 }
        return lower..<upper
    }

    /// Whether the range spells `text`, whatever the case. `text` is in lower case.
    func matches(_ range: Range<Int>, lowercase text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let expected = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for offset in 0..<range.count
        where unsafe Octet.lowercased(self[range.lowerBound + offset]) != expected[offset] {
            return false
        }
        return true
    }

    /// The range as text; octets that are no UTF-8 become replacement characters.
    func text(_ range: Range<Int>) -> String {
        let part = extracting(range)
        return unsafe part.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    func array(_ range: Range<Int>) -> [UInt8] {
        let part = extracting(range)
        return unsafe part.withUnsafeBufferPointer { unsafe Array($0) }
    }
}

extension [UInt8] {
    mutating func append(_ part: Span<UInt8>) {
        unsafe part.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    mutating func append(_ text: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(decimal number: Int) {
        precondition(number >= 0)
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(Octet.zero + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
