// Owns finding fields by name in one object, noting which are missing and which nobody asked for.
// It must not know how a value is decoded; `ValueReader` does that.

/// Reads the fields of one object by name. A name asked for is a known field; when the object ends, each other one
/// is an `unknownField` mistake that names the nearest known field.
///
/// Asking is cheapest in the order the fields are usually written; a field that is absent costs a few nanoseconds.
public struct ObjectReader: ~Copyable {
    @usableFromInline let decoding: Decoding
    /// Tape index of the object, or -1 for a reader over nothing.
    private let object: Int
    private let end: Int
    private let count: Int
    private let keyMask: UInt64
    private let id: Int

    /// Where the next search begins: behind the field found last.
    private var cursor: Int
    private var cursorOrdinal = 0
    private var foundCount = 0
    /// Bit n: the n-th member was asked for. Members beyond 63 stand in `seenBeyond` by ordinal.
    private var seen: UInt64 = 0
    private var seenBeyond: Set<Int> = []

    init(decoding: Decoding, object: Int?) {
        self.decoding = decoding
        self.object = object ?? -1
        id = decoding.newReader()
        cursor = self.object + 3
        guard let object else {
            (end, count, keyMask) = (0, 0, 0)
            return
        }
        end = Tape.length(decoding.document.tape[object])
        count = Tape.count(decoding.document.tape[object + 1])
        keyMask = decoding.document.tape[object + 2]
    }

    /// The object's own pointer.
    public var pointer: String { object < 0 ? "" : decoding.document.pointer(of: object) }

    /// Members of the object.
    public var memberCount: Int { count }

    /// Mistakes of the whole body so far. Where it has not grown, what was read in between was right.
    public var mistakeCount: Int { decoding.mistakes.count + decoding.leftOut }

    /// Whether the field is there. It counts as known from now on, but not as read.
    public func has(_ name: StaticString) -> Bool {
        var (key, ordinal) = (object + 3, 0)
        return search(name, from: &key, ordinal: &ordinal, until: end)
    }

    /// Notes a mistake of the caller's own about the field (or the object, without a name).
    public func mistake(_ code: Mistake.Code, _ name: StaticString? = nil, _ message: @autoclosure () -> String) {
        guard object >= 0 else { return }
        decoding.add(
            code, at: name.map { JSONPointer.appending($0.description, to: pointer) } ?? pointer, message())
    }

    /// The reader of an optional field; nil when it is absent. A null is not absent.
    public mutating func field(_ name: StaticString) -> ValueReader? {
        if let index = find(name) { return ValueReader(decoding: decoding, index: index) }
        // Once every member is read, nothing unknown can be left to name candidates for.
        if foundCount < count { decoding.noteAbsent(name, reader: id) }
        return nil
    }

    /// The reader of a required field; its absence is a mistake.
    public mutating func required(_ name: StaticString) -> ValueReader? {
        if let field = field(name) { return field }
        mistake(.missing, name, "Add the field \"\(name)\"; it is required.")
        return nil
    }

    /// Tape index of the value of that name. Linear in the members, about constant in the order they are written.
    private mutating func find(_ name: StaticString) -> Int? {
        guard object >= 0 else { return nil }
        var key = cursor
        var ordinal = cursorOrdinal
        if !search(name, from: &key, ordinal: &ordinal, until: end) {
            (key, ordinal) = (object + 3, 0)
            guard cursor > key, search(name, from: &key, ordinal: &ordinal, until: cursor) else { return nil }
        }
        let tape = decoding.document.tape
        cursor = Tape.next(key + 1, tape[key + 1])
        cursorOrdinal = ordinal + 1
        if ordinal < 64 {
            if seen & 1 << UInt64(ordinal) == 0 { foundCount += 1 }
            seen |= 1 << UInt64(ordinal)
        } else if seenBeyond.insert(ordinal).inserted {
            foundCount += 1
        }
        return key + 1
    }

    /// Moves `key` on to the key of that name. The key mask answers for most absent names at once.
    private func search(_ name: StaticString, from key: inout Int, ordinal: inout Int, until end: Int) -> Bool {
        let document = decoding.document
        // The buffer does not leave the closure.
        return name.withUTF8Buffer { name in
            let bucket =
                unsafe name.isEmpty
                ? 1
                : KeyBucket.of(
                    count: name.count, first: name[0], middle: name[name.count >> 1], last: name[name.count - 1])
            guard keyMask & bucket != 0 else { return false }
            let tape = document.tape
            while key < end {
                if unsafe document.isEqual(tape[key], name) { return true }
                key = Tape.next(key &+ 1, tape[key &+ 1])
                ordinal &+= 1
            }
            return false
        }
    }

    /// Notes the fields nobody asked for. Linear in the members.
    @usableFromInline
    consuming func finish() {
        if foundCount < count {
            let tape = decoding.document.tape
            let known = decoding.absentNames(reader: id) + presentNames
            var key = object + 3
            var left = count - foundCount
            for ordinal in 0..<count where left > 0 {
                if !isSeen(ordinal) {
                    guard decoding.mistakes.count < decoding.maxMistakes else {
                        decoding.leaveOut(left)
                        break
                    }
                    left -= 1
                    noteUnknown(key, known)
                }
                key = Tape.next(key + 1, tape[key + 1])
            }
        }
        decoding.forgetAbsent(reader: id)
    }

    private func isSeen(_ ordinal: Int) -> Bool {
        ordinal < 64 ? seen & 1 << UInt64(ordinal) != 0 : seenBeyond.contains(ordinal)
    }

    /// Names of the members that were asked for. Only made once there is a mistake to tell.
    private var presentNames: [String] {
        var names: [String] = []
        var key = object + 3
        for ordinal in 0..<count {
            if isSeen(ordinal) { names.append(decoding.document.text(decoding.document.tape[key])) }
            key = Tape.next(key + 1, decoding.document.tape[key + 1])
        }
        return names
    }

    private func noteUnknown(_ key: Int, _ known: [String]) {
        let name = decoding.document.text(decoding.document.tape[key])
        let hint = nearest(to: name, among: known).map { "; did you mean \"\($0)\"?" } ?? "."
        decoding.add(
            .unknownField, at: JSONPointer.appending(name, to: pointer),
            "Remove \"\(shown(name))\": there is no such field here\(hint)")
    }
}
