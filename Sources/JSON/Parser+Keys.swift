// Owns the refusal of duplicate keys and the JSON pointer of a fault.
// It must not know the rest of the grammar.

extension Parser {
    /// Objects of at most so many keys compare a new key with the earlier ones of its bucket; larger ones are
    /// checked in a hash table when they close.
    static let keysComparedEach = 32

    /// Enters the key that was just written into its object's mask, and refuses it if an earlier one is equal.
    @inline(__always)
    mutating func note(_ key: UInt64, _ input: Span<UInt8>) throws(Fault) {
        let bucket =
            Tape.isEscaped(key)
            ? KeyBucket.of(Unescape.bytes(input, Tape.range(key))) : KeyBucket.of(input, Tape.range(key))
        let mask = tape[container &+ 2]
        tape[container &+ 2] = mask | bucket
        if mask & bucket != 0, Tape.count(tape[container &+ 1]) <= Self.keysComparedEach {
            try compareWithEarlier(key, input)
        }
    }

    private func compareWithEarlier(_ key: UInt64, _ input: Span<UInt8>) throws(Fault) {
        var index = container + 3
        let last = tape.count - 1
        while index < last {
            if Self.areEqual(tape[index], key, input) {
                throw Fault(reason: .duplicateKey, offset: Tape.offset(key) - 1)
            }
            index = Tape.next(index + 1, tape[index + 1])
        }
    }

    /// Refuses the innermost object if two of its keys are equal. Linear on average, whoever chose the
    /// keys.
    mutating func refuseDuplicates(_ input: Span<UInt8>) throws(Fault) {
        let count = Tape.count(tape[container + 1])
        let bits = Int.bitWidth - count.leadingZeroBitCount + 1
        slots.removeAll(keepingCapacity: true)
        slots.append(contentsOf: repeatElement(0, count: 1 << bits))
        var index = container + 3
        while index < tape.count {
            let key = tape[index]
            var slot = Self.hash(key, input) & (1 << bits - 1)
            while slots[slot] != 0 {
                if Self.areEqual(tape[Int(slots[slot])], key, input) {
                    // The tape ends with the key at fault, so that the pointer names it.
                    tape.removeSubrange((index + 1)...)
                    throw Fault(reason: .duplicateKey, offset: Tape.offset(key) - 1)
                }
                slot = (slot + 1) & (1 << bits - 1)
            }
            // No key lies at tape index 0.
            slots[slot] = UInt32(truncatingIfNeeded: index)
            index = Tape.next(index + 1, tape[index + 1])
        }
    }

    private static func areEqual(_ left: UInt64, _ right: UInt64, _ input: Span<UInt8>) -> Bool {
        if Tape.isEscaped(left) || Tape.isEscaped(right) {
            return Unescape.bytes(input, Tape.range(left)) == Unescape.bytes(input, Tape.range(right))
        }
        let count = Tape.length(left)
        guard count == Tape.length(right) else { return false }
        let (first, second) = (Tape.offset(left), Tape.offset(right))
        for index in 0..<count where input[first &+ index] != input[second &+ index] { return false }
        return true
    }

    private static func hash(_ key: UInt64, _ input: Span<UInt8>) -> Int {
        if Tape.isEscaped(key) {
            let bytes = Unescape.bytes(input, Tape.range(key))
            return hash(bytes.span, 0..<bytes.count)
        }
        return hash(input, Tape.range(key))
    }

    /// Two random words of this process, so that nobody outside can choose keys that collide.
    private static let seeds = (first: UInt64.random(in: 0...UInt64.max), second: UInt64.random(in: 0...UInt64.max))

    /// Folded 128-bit products of eight bytes at a time, as in wyhash.
    private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
        let seeds = seeds
        var state = seeds.first ^ UInt64(truncatingIfNeeded: range.count)
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            state = fold(state ^ bytes.eight(at: index), seeds.second | 1)
            index &+= 8
        }
        var rest: UInt64 = 0
        while index < range.upperBound {
            rest = rest << 8 | UInt64(bytes[index])
            index &+= 1
        }
        return Int(truncatingIfNeeded: fold(fold(state ^ rest, seeds.second | 1), seeds.first | 1))
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// The pointer of the place the parser has come to: the open containers from the outermost inwards, and the
    /// element or key whose value had begun. Linear in the tape; only for a fault.
    func pointer(of fault: Fault, _ input: Span<UInt8>) -> String {
        var chain: [Int] = []
        var index = container
        while index >= 0 {
            chain.append(index)
            index = Tape.parent(tape[index + 1])
        }
        var pointer = ""
        for container in chain.reversed() {
            let isInnermost = container == self.container
            if !Tape.isObject(tape[container]) {
                if isInnermost && fault.isAfterValue { continue }
                pointer += "/\(Tape.count(tape[container + 1]))"
            } else if let key = openKey(of: container) {
                pointer += "/" + JSONPointer.escape(String(utf8: input, tape[key]))
            }
        }
        return pointer
    }

    /// Tape index of the object's last key, if the value behind it has not ended.
    private func openKey(of object: Int) -> Int? {
        var index = object + 3
        while index < tape.count {
            if index + 1 == tape.count { return index }
            let value = tape[index + 1]
            if Tape.isContainer(value), Tape.length(value) == 0 { return index }
            index = Tape.next(index + 1, value)
        }
        return nil
    }
}
