// A fixed-length column of integers. Owns the only unsafe code of the packing core.
// Knows nothing of what its rows mean.

/// A zeroed, fixed-length run of trivial values with one owner: no reference count, no copy on write, bounds checked.
@safe struct Column<Element: BitwiseCopyable & FixedWidthInteger>: ~Copyable {
    let base: UnsafeMutablePointer<Element>
    let count: Int

    init(count: Int) {
        unsafe base = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
        unsafe base.initialize(repeating: 0, count: max(count, 1))
        self.count = count
    }

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

    /// Copies the rows that both columns have.
    func copyPrefix(from other: borrowing Column<Element>) {
        unsafe base.update(from: other.base, count: min(count, other.count))
    }
}
