// Money as integer micro-USD. Decisions compare and add these integers; nothing here rounds.

/// Money in millionths of a US dollar.
public struct MicroUSD: Hashable, Comparable, Sendable {
    public var micros: Int64

    public init(micros: Int64) { self.micros = micros }

    public static func < (left: MicroUSD, right: MicroUSD) -> Bool { left.micros < right.micros }
}
