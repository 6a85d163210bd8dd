// A growing table of values that have one owner each, read and changed where they stand.
// Knows nothing of what the values are.

/// Numbered slots, each empty or filled. No reference count stands between a caller and a value: a class per pool and
/// per index cost a third of the time of a small decision.
///
/// A value changes in place even through a borrowed table, as rows of a `Column` do; whoever holds the table must not
/// reach one slot from two places at once. Putting a value may move all others.
@safe struct Slots<Value: ~Copyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Value>
    private var filled: UnsafeMutablePointer<Bool>
    private var capacity: Int
    /// Slots, filled or empty.
    private(set) var count = 0

    init() {
        capacity = 4
        unsafe base = .allocate(capacity: 4)
        unsafe filled = .allocate(capacity: 4)
    }

    deinit {
        for index in 0..<count where unsafe filled[index] { unsafe (base + index).deinitialize(count: 1) }
        unsafe base.deallocate()
        unsafe filled.deallocate()
    }

    @inline(__always)
    func isFilled(_ index: Int) -> Bool {
        unsafe UInt(bitPattern: index) < UInt(bitPattern: count) && filled[index]
    }

    /// Precondition: the slot is filled.
    @inline(__always)
    subscript(index: Int) -> Value {
        unsafeAddress {
            precondition(isFilled(index), "an empty slot was used")
            return unsafe UnsafePointer(base + index)
        }
        nonmutating unsafeMutableAddress {
            precondition(isFilled(index), "an empty slot was used")
            return unsafe base + index
        }
    }

    /// Fills a slot; what was there is let go.
    mutating func put(_ value: consuming Value, at index: Int) {
        while count <= index { addEmpty() }
        remove(at: index)
        unsafe (base + index).initialize(to: value)
        unsafe filled[index] = true
    }

    mutating func remove(at index: Int) {
        if !isFilled(index) { return }
        unsafe (base + index).deinitialize(count: 1)
        unsafe filled[index] = false
    }

    private mutating func addEmpty() {
        if count == capacity {
            let (more, moreFilled) = (
                UnsafeMutablePointer<Value>.allocate(capacity: capacity * 2),
                UnsafeMutablePointer<Bool>.allocate(capacity: capacity * 2)
            )
            for index in 0..<count {
                unsafe moreFilled[index] = filled[index]
                if unsafe filled[index] { unsafe (more + index).moveInitialize(from: base + index, count: 1) }
            }
            unsafe base.deallocate()
            unsafe filled.deallocate()
            unsafe base = more
            unsafe filled = moreFilled
            capacity *= 2
        }
        unsafe filled[count] = false
        count += 1
    }
}

/// A large value that has a field of this type is handed to functions by its address. Without one the compiler loads a
/// value that is borrowed from a slot and stores it on the stack for each call, half a KiB for a pool and as much for an
/// index: it does so with all values of which it knows every bit. What an existential holds it does not know, so it leaves
/// the whole where it stands. Forty bytes.
struct HandedInPlace {
    private let nothing: (any Sendable)? = nil
}
