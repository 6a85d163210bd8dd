// Members in buckets by a small number, each bucket an ordered set. Memory goes to buckets that have members only.
// Knows nothing of what a member or its number means.

/// Buckets 0..<`buckets` of members 0..<`width`. Adding, removing and finding touch a few words.
///
/// Memory is as many rows of bits as buckets ever had members at once, not one for each bucket: a pool of many small
/// domains and one very large has tens of thousands of possible fits, of which few occur.
struct Buckets: ~Copyable {
    let count: Int
    /// For each bucket: members << 32 | its row of bits, which counts for nothing while there are no members.
    private let heads: Column<UInt64>
    private var rows: BitRows
    private var rowCount: Int
    /// Rows that no bucket has now, as a stack.
    private var free: Column<UInt32>
    private var freeCount: Int

    /// More than the kinds of room that the domains of most pools can have, so that few pools ever add rows. Sixteen bytes a
    /// member.
    private static let firstRows = 128

    init(count: Int, width: Int) {
        self.count = count
        heads = Column(count: count)
        rowCount = min(count, Self.firstRows)
        rows = BitRows(rows: rowCount, width: width)
        free = Column(count: rowCount)
        freeCount = rowCount
        for row in 0..<rowCount { free[row] = UInt32(rowCount - 1 - row) }
    }

    init(copying other: borrowing Buckets) {
        count = other.count
        heads = Column(copying: other.heads)
        rows = BitRows(copying: other.rows)
        rowCount = other.rowCount
        free = Column(copying: other.free)
        freeCount = other.freeCount
    }

    var bytes: Int { heads.bytes + rows.bytes + free.bytes }

    @inline(__always)
    func members(_ bucket: Int) -> Int { Int(heads[bucket] >> 32) }

    @inline(__always)
    private func row(_ bucket: Int) -> Int? {
        let head = heads[bucket]
        return head >> 32 == 0 ? nil : Int(UInt32(truncatingIfNeeded: head))
    }

    /// Says whether the bucket was empty. Precondition: the member is not there.
    @inline(__always)
    mutating func insert(_ member: Int, bucket: Int) -> Bool {
        var head = heads[bucket]
        let wasEmpty = head >> 32 == 0
        if wasEmpty {
            if freeCount == 0 { addRows() }
            freeCount -= 1
            head = UInt64(free[freeCount])
        }
        heads[bucket] = head + 1 << 32
        rows.insert(member, row: Int(UInt32(truncatingIfNeeded: head)))
        return wasEmpty
    }

    /// Says whether the bucket is empty now. Precondition: the member is there.
    @inline(__always)
    mutating func remove(_ member: Int, bucket: Int) -> Bool {
        let head = heads[bucket] - 1 << 32
        let row = Int(UInt32(truncatingIfNeeded: head))
        heads[bucket] = head
        rows.remove(member, row: row)
        if head >> 32 > 0 { return false }
        free[freeCount] = UInt32(row)
        freeCount += 1
        return true
    }

    private mutating func addRows() {
        let more = min(count, rowCount * 2)
        precondition(more > rowCount, "more buckets have members than there are")
        let grown = BitRows(rows: more, width: rows.width)
        grown.copyPrefix(from: rows)
        rows = grown
        free = Column(count: more)
        for row in rowCount..<more { free[more - 1 - row] = UInt32(row) }
        freeCount = more - rowCount
        rowCount = more
    }

    func contains(_ member: Int, bucket: Int) -> Bool { row(bucket).map { rows.contains(member, row: $0) } ?? false }

    /// The lowest member at or above `start`, or nil.
    @inline(__always)
    func first(_ bucket: Int, from start: Int = 0) -> Int? {
        guard let row = row(bucket) else { return nil }
        return rows.first(row: row, from: start)
    }

    /// The lowest member at or above `start` that also stands in `otherRow` of `other`.
    @inline(__always)
    func firstCommon(_ bucket: Int, with other: borrowing BitRows, otherRow: Int, from start: Int = 0) -> Int? {
        guard let row = row(bucket) else { return nil }
        return rows.firstCommon(row: row, with: other, otherRow: otherRow, from: start)
    }

    /// How many members stand in `range`.
    func count(_ bucket: Int, in range: Range<Int>) -> Int {
        guard let row = row(bucket) else { return 0 }
        return rows.count(row: row, in: range)
    }
}
