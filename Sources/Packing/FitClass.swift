// Small numbers for counts of workers: exact up to sixteen, two a power of two beyond.
// Knows nothing of what is counted.

/// A class of counts. Whole GPUs never need more than the exact ones, for a node has at most sixteen.
enum FitClass {
    /// The largest count that is a class of its own.
    static let exact = 16

    @inline(__always)
    static func of(_ count: Int) -> Int {
        if count <= exact { return count }
        let power = Int.bitWidth - 1 - count.leadingZeroBitCount
        return exact + 1 + (power - 4) * 2 + (count >> (power - 1) & 1)
    }

    /// The smallest count of a class.
    @inline(__always)
    static func least(_ fitClass: Int) -> Int {
        if fitClass <= exact { return fitClass }
        let (power, half) = (fitClass - exact - 1).quotientAndRemainder(dividingBy: 2)
        return max(exact + 1, 1 << (power + 4) + half << (power + 3))
    }
}
