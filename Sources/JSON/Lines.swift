// Lines of newline-delimited JSON, as ranges of the bytes they stand in.

public enum JSONLines {
    /// The lines of `bytes` that hold more than white space, with their numbers from 1. LF or CRLF ends a line.
    public static func ranges(of bytes: [UInt8]) -> [(number: Int, range: Range<Int>)] {
        var lines: [(number: Int, range: Range<Int>)] = []
        var start = 0
        var number = 1
        func add(_ end: Int) {
            let range = start..<end
            if bytes[range].contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
                lines.append((number, range))
            }
        }
        for (at, byte) in bytes.enumerated() where byte == 0x0A {
            add(at)
            start = at + 1
            number += 1
        }
        add(bytes.count)
        return lines
    }
}
