// Memory for the many columns of a copy of the packer: taken from the system at once and in huge pages where it has them, for
// most of what a copy costs is the system's work for each new page. Knows nothing of what lies in it.

import Glibc

/// One stretch of memory, given out piece by piece and back to the system when nothing refers to it any more.
@safe final class Arena {
    private let base: UnsafeMutableRawPointer
    private let size: Int
    private var used = 0

    private static let hugePage = 1 << 21
    /// Below this the pages of the usual allocator do as well.
    private static let least = 1 << 20
    /// Columns begin at a line of the processor's cache.
    private static let alignment = 64

    /// Nil where so little is not worth it, or the system has no memory to give.
    init?(bytes: Int) {
        if bytes < Self.least { return nil }
        size = (bytes + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        // One page more, so that an aligned stretch lies in it; what is too much goes back at once.
        let mapped = size + Self.hugePage
        guard
            let start = unsafe mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe start != MAP_FAILED
        else { return nil }
        let before = (Self.hugePage - Int(bitPattern: start) % Self.hugePage) % Self.hugePage
        unsafe base = start + before
        if before > 0 { unsafe munmap(start, before) }
        if before < Self.hugePage { unsafe munmap(base + size, Self.hugePage - before) }
        // No harm where there are none.
        unsafe madvise(base, size, MADV_HUGEPAGE)
    }

    deinit { unsafe munmap(base, size) }

    /// So many bytes that nothing else has, or nil where there are not so many left. They are zero.
    func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let length = (bytes + Self.alignment - 1) / Self.alignment * Self.alignment
        if length > size - used { return nil }
        defer { used += length }
        return unsafe base + used
    }
}
