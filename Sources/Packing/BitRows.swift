// Rows of bits with a summary word over each 64 words, so that the lowest set bit of a row is found in a few steps.
// Knows nothing of what a bit means.

/// `rows` sets over 0..<`width`. Setting, clearing and finding touch two words; memory is rows * width * 65/64 bits.
/// A row is its summary words and then its bits, so that both are near in memory.
struct BitRows: ~Copyable {
    let width: Int
    let words: Int
    private let summaries: Int
    private let stride: Int
    private let bits: Column<UInt64>

    init(rows: Int, width: Int) {
        self.width = width
        words = (width + 63) / 64
        summaries = (words + 63) / 64
        stride = summaries + words
        bits = Column(count: rows * stride)
    }

    init(copying other: borrowing BitRows) {
        width = other.width
        words = other.words
        summaries = other.summaries
        stride = other.stride
        bits = Column(copying: other.bits)
    }

    var bytes: Int { bits.bytes }

    @inline(__always)
    func insert(_ bit: Int, row: Int) {
        let word = bit >> 6
        let base = row * stride
        bits[base + summaries + word] |= 1 << UInt64(bit & 63)
        bits[base + word >> 6] |= 1 << UInt64(word & 63)
    }

    @inline(__always)
    func remove(_ bit: Int, row: Int) {
        let word = bit >> 6
        let base = row * stride
        let left = bits[base + summaries + word] & ~(1 << UInt64(bit & 63))
        bits[base + summaries + word] = left
        if left == 0 { bits[base + word >> 6] &= ~(1 << UInt64(word & 63)) }
    }

    /// Copies the rows that both have. Precondition: equal width.
    func copyPrefix(from other: borrowing BitRows) { bits.copyPrefix(from: other.bits) }

    func contains(_ bit: Int, row: Int) -> Bool {
        bits[row * stride + summaries + bit >> 6] >> UInt64(bit & 63) & 1 == 1
    }

    /// The lowest set bit at or above `start`, or nil.
    func first(row: Int, from start: Int = 0) -> Int? {
        if start >= width { return nil }
        var word = start >> 6
        let head = bits[row * stride + summaries + word] & (~0 << UInt64(start & 63))
        if head != 0 { return word << 6 + head.trailingZeroBitCount }
        word += 1
        if word >= words { return nil }
        var above = word >> 6
        var candidates = bits[row * stride + above] & (~0 << UInt64(word & 63))
        while candidates == 0 {
            above += 1
            if above >= summaries { return nil }
            candidates = bits[row * stride + above]
        }
        let found = above << 6 + candidates.trailingZeroBitCount
        return found << 6 + bits[row * stride + summaries + found].trailingZeroBitCount
    }

    /// The highest set bit at or below `start`, or nil.
    func last(row: Int, from start: Int) -> Int? {
        if start < 0 { return nil }
        let start = min(start, width - 1)
        var word = start >> 6
        let head = bits[row * stride + summaries + word] & (~0 >> UInt64(63 - start & 63))
        if head != 0 { return word << 6 + 63 - head.leadingZeroBitCount }
        word -= 1
        if word < 0 { return nil }
        var above = word >> 6
        var candidates = bits[row * stride + above] & (~0 >> UInt64(63 - word & 63))
        while candidates == 0 {
            above -= 1
            if above < 0 { return nil }
            candidates = bits[row * stride + above]
        }
        let found = above << 6 + 63 - candidates.leadingZeroBitCount
        return found << 6 + 63 - bits[row * stride + summaries + found].leadingZeroBitCount
    }

    /// The lowest bit at or above `start` set both in `row` here and in `otherRow` of `other`, which has the same width.
    @inline(__always)
    func firstCommon(row: Int, with other: borrowing BitRows, otherRow: Int, from start: Int = 0) -> Int? {
        if start >= width { return nil }
        let first = start >> 6
        // Words and bits before the start count in its own summary word and its own word only.
        var wordMask: UInt64 = ~0 << UInt64(first & 63)
        for above in first >> 6..<summaries {
            var candidates = bits[row * stride + above] & other.bits[otherRow * stride + above] & wordMask
            wordMask = ~0
            while candidates != 0 {
                let word = above << 6 + candidates.trailingZeroBitCount
                var common = bits[row * stride + summaries + word] & other.bits[otherRow * stride + summaries + word]
                if word == first { common &= ~0 << UInt64(start & 63) }
                if common != 0 { return word << 6 + common.trailingZeroBitCount }
                candidates &= candidates - 1
            }
        }
        return nil
    }

    /// How many bits of `range` are set.
    func count(row: Int, in range: Range<Int>) -> Int {
        if range.isEmpty { return 0 }
        let firstWord = range.lowerBound >> 6
        let lastWord = (range.upperBound - 1) >> 6
        let headMask: UInt64 = ~0 << UInt64(range.lowerBound & 63)
        let tailMask: UInt64 = ~0 >> UInt64(63 - (range.upperBound - 1) & 63)
        if firstWord == lastWord {
            return (bits[row * stride + summaries + firstWord] & headMask & tailMask).nonzeroBitCount
        }
        var total = (bits[row * stride + summaries + firstWord] & headMask).nonzeroBitCount
        for word in firstWord + 1..<lastWord { total += bits[row * stride + summaries + word].nonzeroBitCount }
        return total + (bits[row * stride + summaries + lastWord] & tailMask).nonzeroBitCount
    }
}
