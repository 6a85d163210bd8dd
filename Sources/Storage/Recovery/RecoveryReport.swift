// What a start found in the data directory, for the log and for the readiness page.

/// What was read, cut and set aside at a start.
public struct RecoveryReport: Hashable, Sendable {
    /// A tail that a power cut left half written. Nothing in it was ever acknowledged.
    public struct Cut: Hashable, Sendable {
        public var file: String
        public var offset: Int
        public var bytes: Int
    }

    /// A bad snapshot, renamed so that nobody reads it again.
    public struct SetAside: Hashable, Sendable {
        public var file: String
        public var reason: String
    }

    /// The file of the snapshot that was used, if there was one, and its revision, else 0.
    public var snapshot: String?
    public var snapshotRevision: UInt64 = 0
    /// What was replayed after it.
    public var transactions = 0
    public var bytes = 0
    public var segments = 0
    public var revision: UInt64 = 0
    public var cut: Cut?
    public var setAside: [SetAside] = []
}

extension RecoveryReport: CustomStringConvertible {
    public var description: String {
        var text = snapshot.map { "read \($0)" } ?? "no snapshot"
        text += ", replayed \(transactions) transactions of \(bytes) bytes from \(segments) segments"
        text += " up to revision \(revision)"
        if let cut { text += "; cut \(cut.bytes) bytes never acknowledged from \(cut.file) at byte \(cut.offset)" }
        for bad in setAside { text += "; set aside \(bad.file): \(bad.reason)" }
        return text
    }
}
