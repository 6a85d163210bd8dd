// A priority with a name: how much jobs of it matter, and what their claims do to others.

/// Whom a job may displace.
public enum PreemptionPolicy: UInt8, CaseIterable, Sendable {
    /// Nobody: it waits until there is room.
    case never
    /// Jobs of lower priority.
    case lower
}

/// A priority class as its caller put it. Jobs take its values when they are submitted and keep them.
public struct PriorityClass: Hashable, Sendable {
    public var name: String
    /// The priority of its jobs: 0...1000, higher first.
    public var value: Int
    public var preemption: PreemptionPolicy
    /// How long a job of it runs before it may be displaced.
    public var minRuntimeSeconds: Int
    /// For people.
    public var description: String

    public init(
        name: String, value: Int, preemption: PreemptionPolicy = .lower, minRuntimeSeconds: Int = 0,
        description: String = ""
    ) {
        self.name = name
        self.value = value
        self.preemption = preemption
        self.minRuntimeSeconds = minRuntimeSeconds
        self.description = description
    }
}
