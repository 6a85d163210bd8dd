// A fixed-length column of integers. This file and Slots.swift own the only unsafe code of the packing core.
// Knows nothing of what its rows mean.

/// A zeroed, fixed-length run of trivial values with one owner: no reference count, no copy on write, bounds checked.
@safe struct Column<Element: BitwiseCopyable & FixedWidthInteger>: ~Copyable {
    private let base: UnsafeMutablePointer<Element>
    let count: Int

    init(count: Int) {
        unsafe base = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
        unsafe base.initialize(repeating: 0, count: max(count, 1))
        self.count = count
    }

    init(copying other: borrowing Column<Element>) {
        unsafe base = UnsafeMutablePointer<Element>.allocate(capacity: max(other.count, 1))
        count = other.count
        unsafe base.initialize(from: other.base, count: max(other.count, 1))
    }

    var bytes: Int { count * MemoryLayout<Element>.stride }

    deinit { unsafe base.deallocate() }

    /// Constant time. The index is checked in release builds too.
    @inline(__always)
    subscript(index: Int) -> Element {
        get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe base[index]
        }
        nonmutating set {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            unsafe base[index] = newValue
        }
    }

    /// The end of the rows from `start` on that hold what row `start` holds, at most `end`.
    @inline(__always)
    func endOfEqual(from start: Int, upTo end: Int) -> Int {
        precondition(0 <= start && start < end && end <= count)
        let value = unsafe base[start]
        var next = start + 1
        while next < end, unsafe base[next] == value { next += 1 }
        return next
    }

    @inline(__always)
    func fill(_ range: Range<Int>, with value: Element) {
        precondition(0 <= range.lowerBound && range.upperBound <= count)
        var next = range.lowerBound
        while next < range.upperBound {
            unsafe base[next] = value
            next += 1
        }
    }

    /// Copies the rows that both columns have.
    func copyPrefix(from other: borrowing Column<Element>) {
        unsafe base.update(from: other.base, count: min(count, other.count))
    }
}

extension Column where Element == UInt64 {
    /// The smallest value that is at least `least`, or nil. Precondition: all values are below 2^63.
    @inline(__always)
    func smallest(atLeast least: UInt64) -> UInt64? {
        // What is below `least` wraps around to 2^63 or more, so that one minimum without a branch answers.
        var smallest = UInt64.max
        for index in 0..<count { smallest = unsafe min(smallest, base[index] &- least) }
        return smallest < 1 << 63 ? smallest + least : nil
    }
}
