// Deadlines of many connections without a timer for any: a wheel of coarse slots. A connection has one live entry; moving its
// deadline later costs nothing, the entry is put forward when its slot comes round. It knows no connection but by its token.
// (Varghese and Lauck, "Hashed and hierarchical timing wheels", scheme 4.)

struct DeadlineWheel {
    static let slotMilliseconds: UInt64 = 50
    private static let slotCount: UInt64 = 2048

    struct Entry {
        let token: ConnectionToken
        let tick: UInt64
    }

    private var slots: [[ConnectionToken]]
    private var current: UInt64
    /// No slot before this one has an entry.
    private var earliest = UInt64.max

    init(now: UInt64) {
        slots = Array(repeating: [], count: Int(Self.slotCount))
        current = now / Self.slotMilliseconds
    }

    /// Enters a connection and gives the tick of its entry, by which the entry is known to be the live one.
    mutating func insert(_ token: ConnectionToken, deadline: UInt64) -> UInt64 {
        let wanted = Self.tick(of: deadline)
        let tick = min(max(wanted, current + 1), current + Self.slotCount - 1)
        slots[Int(tick % Self.slotCount)].append(token)
        earliest = min(earliest, tick)
        return tick
    }

    /// The tick that the entry of a deadline would have, were the wheel endless.
    static func tick(of deadline: UInt64) -> UInt64 {
        deadline == .max ? .max : deadline / slotMilliseconds + 1
    }

    /// When to look again, in milliseconds from now; nil where nothing is entered.
    func wait(now: UInt64) -> UInt64? {
        guard earliest != .max else { return nil }
        let due = earliest * Self.slotMilliseconds
        return due > now ? due - now : 0
    }

    /// Takes out the entries of every slot that has come round.
    mutating func expire(now: UInt64, into due: inout [Entry]) {
        let target = now / Self.slotMilliseconds
        guard earliest <= target else {
            current = max(current, target)
            return
        }
        current = max(current, earliest - 1)
        while current < target {
            current += 1
            let slot = Int(current % Self.slotCount)
            for token in slots[slot] { due.append(Entry(token: token, tick: current)) }
            slots[slot].removeAll(keepingCapacity: true)
        }
        let rest = current + 1..<current + Self.slotCount
        earliest = rest.first { !slots[Int($0 % Self.slotCount)].isEmpty } ?? .max
    }
}
