// For each kind of worker: which pools have a node that takes so many of them. One level above the indexes of the pools, so that
// a decision among pools of one price reads a few words for all of them. Knows no gang, no price and no node.

/// Sets of pools by kind of worker and fit of a node, for kinds whose fits are exact. A set is words of 64 neighbouring pools.
///
/// A class, because a packer and all its pools write to the same one; a fork has its own. A pool writes only when the first
/// node of a fit comes or the last one goes, which few decisions bring about.
final class FitBoard {
    /// Words of each set.
    private var words = 1
    /// Shape [rows, fits from 0 on, words].
    private var pools: Column<UInt64>
    private var rowCount: Int
    private var rowOfKey: [IndexKey: Int] = [:]
    /// By row: its kind of worker, and how many pools count it.
    private var users: [(key: IndexKey, pools: Int)?] = []

    private static let fits = FitClass.exact + 1

    init() {
        rowCount = 8
        pools = Column(count: 8 * Self.fits)
    }

    init(copying other: FitBoard) {
        words = other.words
        rowCount = other.rowCount
        pools = Column(copying: other.pools)
        rowOfKey = other.rowOfKey
        users = other.users
    }

    var bytes: Int { pools.bytes }

    /// Of 64 pools those that have a node which takes exactly so many workers.
    @inline(__always)
    func pools(_ row: Int, fit: Int, word: Int) -> UInt64 { pools[(row * Self.fits + fit) * words + word] }

    /// The row of a kind of worker, which one more pool counts from now on. Cost: where there are more kinds or pools than
    /// ever before, the whole board.
    func join(_ key: IndexKey, pool: Int) -> Int {
        let row = rowOfKey[key] ?? users.firstIndex { $0 == nil } ?? users.count
        if row == users.count { users.append(nil) }
        rowOfKey[key] = row
        users[row] = (key, (users[row]?.pools ?? 0) + 1)
        if row >= rowCount || pool >> 6 >= words { grow(row: row, word: pool >> 6) }
        return row
    }

    /// The pool counts the kind of worker no more.
    func leave(_ row: Int, pool: Int, fits: UInt64) {
        note(row, pool: pool, from: fits, to: 0)
        guard let user = users[row] else { preconditionFailure("a row is left that nobody has") }
        users[row] = user.pools > 1 ? (user.key, user.pools - 1) : nil
        if user.pools == 1 { rowOfKey[user.key] = nil }
    }

    /// The fits that some node of a pool has were those of one mask and are those of another. Cost: the fits that differ.
    func note(_ row: Int, pool: Int, from old: UInt64, to new: UInt64) {
        var changed = old ^ new
        while changed != 0 {
            let fit = changed.trailingZeroBitCount
            changed &= changed - 1
            pools[(row * Self.fits + fit) * words + pool >> 6] ^= 1 << UInt64(pool & 63)
        }
    }

    private func grow(row: Int, word: Int) {
        let (moreRows, moreWords) = (row < rowCount ? rowCount : 2 * rowCount, max(words, word + 1))
        let grown = Column<UInt64>(count: moreRows * Self.fits * moreWords)
        for set in 0..<rowCount * Self.fits {
            for word in 0..<words { grown[set * moreWords + word] = pools[set * words + word] }
        }
        (rowCount, words) = (moreRows, moreWords)
        pools = grown
    }
}

extension PoolPacker {
    /// Shows what fits on a board, from now on.
    mutating func join(_ board: FitBoard, as number: Int) {
        self.board = board
        self.number = number
        for at in 0..<indexes.count where indexes.isFilled(at) { join(index: at) }
    }

    mutating func join(index at: Int) {
        guard let board, indexes[at].isExact else { return }
        indexes[at].row = board.join(indexes[at].key, pool: number)
        board.note(indexes[at].row, pool: number, from: 0, to: indexes[at].nodeFits)
    }

    /// Takes everything off the board.
    mutating func leaveBoard() {
        for at in 0..<indexes.count where indexes.isFilled(at) { leave(index: at) }
        board = nil
    }

    mutating func leave(index at: Int) {
        guard let board, indexes[at].row >= 0 else { return }
        board.leave(indexes[at].row, pool: number, fits: indexes[at].nodeFits)
        indexes[at].row = -1
    }

    /// Some fit has its first node or has lost its last one.
    func note(index at: Int, from old: UInt64) {
        guard let board, indexes[at].row >= 0 else { return }
        board.note(indexes[at].row, pool: number, from: old, to: indexes[at].nodeFits)
    }

    /// Whether places with equally much free cost the same fragmentation here and there.
    func wastesLike(_ other: borrowing PoolPacker) -> Bool {
        shape == other.shape && accelerator == other.accelerator && layout.largestDomain == other.layout.largestDomain
            && shares.isEmpty == other.shares.isEmpty && isScored == other.isScored
    }

    /// Whether the board says what the indexes say. For tests and for doubt.
    func firstFaultOnBoard() -> String? {
        guard let board else { return "it shows nothing on the board" }
        for at in 0..<indexes.count where indexes.isFilled(at) && indexes[at].isExact {
            if indexes[at].row < 0 { return "an index shows nothing on the board" }
            for fit in 1...FitClass.exact {
                let pools = board.pools(indexes[at].row, fit: fit, word: number >> 6)
                let isThere = pools >> UInt64(number & 63) & 1 == 1
                if isThere != (indexes[at].nodeFits >> UInt64(fit) & 1 == 1) {
                    return "the board differs at fit \(fit)"
                }
            }
        }
        return nil
    }
}
