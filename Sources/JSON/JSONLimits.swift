// Owns the limits of the reader and of the fields it decodes, with their names and defaults.
// It must not know who asks or what a body means.

/// What a text may hold before the reader refuses it with a `JSONSyntaxError`.
public struct JSONLimits: Sendable, Equatable {
    /// Bytes of the whole text; never more than one GiB, whatever is set here.
    public var inputBytes: Int
    /// Arrays and objects inside one another.
    public var depth: Int
    /// Values of every kind, at all depths, keys not counted.
    public var values: Int
    /// Bytes of one string or key, as written between its quotes.
    public var stringBytes: Int

    public init(
        inputBytes: Int = 64 << 20, depth: Int = 64, values: Int = 1_000_000, stringBytes: Int = 4 << 20
    ) {
        self.inputBytes = inputBytes
        self.depth = depth
        self.values = values
        self.stringBytes = stringBytes
    }
}

/// The limits a field has when its caller names none.
public enum FieldDefaults {
    /// UTF-8 bytes of a string.
    public static let stringBytes = 1024
    /// Elements of an array.
    public static let elements = 1000
    /// Entries of a string map.
    public static let mapEntries = 64
    /// Mistakes collected from one body; the rest is only counted.
    public static let mistakes = 64
}
