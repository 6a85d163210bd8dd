// Owns the splitting of NDJSON into lines.
// It must not know what stands on a line.

/// The lines of NDJSON that hold anything, as ranges of the bytes, without copies.
///
/// Lines end with LF or CRLF; the last one may lack its end. Lines of only white space are skipped but counted.
public struct JSONLines: Sequence, IteratorProtocol, Sendable {
    public struct Line: Sendable, Equatable {
        /// Counted from one, skipped lines too.
        public let number: Int
        /// Without the line's end.
        public let range: Range<Int>
    }

    private let bytes: [UInt8]
    private var index: Int
    private let end: Int
    private var number = 0

    public init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
        self.bytes = bytes
        index = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// Linear in the bytes passed.
    public mutating func next() -> Line? {
        // The span borrows from a copy of the reference, so that `self` stays free to move on.
        let copy = bytes
        let bytes = copy.span
        while index < end {
            let start = index
            var stop = start
            while stop &+ 8 <= end {
                let marks = Eight.lineFeeds(bytes.eight(at: stop))
                if marks != 0 {
                    stop &+= Eight.firstMarked(marks)
                    break
                }
                stop &+= 8
            }
            while stop < end, bytes[stop] != Byte.lineFeed { stop &+= 1 }
            index = stop &+ 1
            number += 1
            if stop > start, bytes[stop &- 1] == Byte.carriageReturn { stop &-= 1 }
            for place in start..<stop where !Byte.isWhite(bytes[place]) {
                return Line(number: number, range: start..<stop)
            }
        }
        return nil
    }
}
