// A set of small indexes as bits. Knows nothing of what an index means.

/// Indexes from 0 up, iterated by rising index, so that nothing ever depends on a hash order.
/// Inserting and removing are constant time; a walk costs the largest index over 64 and the members.
struct IndexSet: Sequence {
    private var words: [UInt64] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    func contains(_ index: Int) -> Bool {
        index >> 6 < words.count && words[index >> 6] >> UInt64(index & 63) & 1 == 1
    }

    mutating func insert(_ index: Int) {
        if contains(index) { return }
        while words.count <= index >> 6 { words.append(0) }
        words[index >> 6] |= 1 << UInt64(index & 63)
        count += 1
    }

    mutating func remove(_ index: Int) {
        guard contains(index) else { return }
        words[index >> 6] &= ~(1 << UInt64(index & 63))
        count -= 1
    }

    mutating func removeAll() {
        words.removeAll(keepingCapacity: true)
        count = 0
    }

    func makeIterator() -> Iterator { Iterator(words: words) }

    struct Iterator: IteratorProtocol {
        private let words: [UInt64]
        private var at = 0
        private var rest: UInt64

        fileprivate init(words: [UInt64]) {
            self.words = words
            rest = words.first ?? 0
        }

        mutating func next() -> Int? {
            while rest == 0 {
                at += 1
                if at >= words.count { return nil }
                rest = words[at]
            }
            let bit = rest.trailingZeroBitCount
            rest &= rest - 1
            return at << 6 + bit
        }
    }
}
