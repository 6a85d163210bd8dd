// What keeps a queued job from being tried for a while, what it waits for, and why a job came to its end.

/// How another job must end.
public enum DependencyCondition: UInt8, CaseIterable, Sendable {
    case succeeded, any

    /// Whether a job that ended in `state` meets it.
    public func isMet(by state: JobState) -> Bool { self == .any || state == .succeeded }
}

/// Another job that must end before this one starts.
public struct Dependency: Hashable, Sendable {
    /// Its id.
    public var job: String
    public var condition: DependencyCondition

    public init(job: String, condition: DependencyCondition = .succeeded) {
        self.job = job
        self.condition = condition
    }
}

/// What brought a job to its end.
public enum EndCause: UInt8, CaseIterable, Sendable {
    /// Its caller said so.
    case caller
    /// A job that it was to follow ended otherwise than it asked.
    case dependencyFailed
    /// It was queued for as long as it was to wait.
    case maxWait
    /// It could no longer end by its deadline.
    case deadlineMissed
}

/// The kinds of gates. Closed: a program may switch on it.
public enum GateKind: UInt8, CaseIterable, Comparable, Sendable {
    case held, notBefore, after, array

    public static func < (left: GateKind, right: GateKind) -> Bool { left.rawValue < right.rawValue }
}

/// Something that keeps a queued job from being tried, whatever room there is.
public enum Gate: Hashable, Sendable {
    /// Until its caller releases it.
    case held
    /// Until a time.
    case notBefore(Timestamp)
    /// Until these jobs have ended.
    case after([String])
    /// Until fewer than `maxParallel` tasks of its array that came before it have not ended.
    case array(id: String, maxParallel: Int)

    public var kind: GateKind {
        switch self {
        case .held: .held
        case .notBefore: .notBefore
        case .after: .after
        case .array: .array
        }
    }
}

extension JobLife {
    public var isGated: Bool { isHeld || isEarly || unmet != 0 || awaitsTurn }

    /// What was promised to a waiting job no longer matters.
    public mutating func forgetPromises() {
        reservation = nil
        searchGivenUpAt = nil
        firstStart = nil
    }
}

extension Job {
    /// Whether it is queued and may be tried.
    public var isOpen: Bool { state == .queued && !life.isGated }

    /// All that keeps it from being tried while it is queued, in the order of the kinds.
    public var gates: [Gate] {
        guard state == .queued, life.isGated else { return [] }
        var gates: [Gate] = life.isHeld ? [.held] : []
        if life.isEarly, let notBefore = spec.notBefore { gates.append(.notBefore(notBefore)) }
        if life.unmet != 0 { gates.append(.after(unmetDependencies.map { spec.after[$0].job })) }
        if life.awaitsTurn, let array = spec.array {
            gates.append(.array(id: arrayID ?? id, maxParallel: array.maxParallel))
        }
        return gates
    }

    /// Indexes in `spec.after` of what it waits for.
    public var unmetDependencies: [Int] { spec.after.indices.filter { life.unmet >> UInt64($0) & 1 == 1 } }

    /// When it has waited as long as it may. What it waited before `notBefore` does not count.
    public var maxWaitEnd: Timestamp? {
        spec.maxWaitSeconds.map { max(life.submittedAt, spec.notBefore ?? life.submittedAt).adding(seconds: $0) }
    }
}

extension JobSpec {
    /// The last moment at which it may start and still end by its deadline, if it runs as long as it may.
    public var latestStart: Timestamp? { deadline.map { $0.adding(seconds: -(maxRuntimeSeconds ?? 0)) } }

    /// When it would end if it started as soon as it may and ran as long as it may.
    public func earliestEnd(submittedAt at: Timestamp) -> Timestamp {
        max(at, notBefore ?? at).adding(seconds: maxRuntimeSeconds ?? 0)
    }
}

/// Something of a job that was right in itself and is wrong in this state at this time.
public enum SubmitMistake: Hashable, Sendable {
    case unknownPriorityClass(name: String)
    /// `index` in the job's `after`.
    case unknownDependency(index: Int, id: String)
    case deadlineTooEarly(deadline: Timestamp, earliestEnd: Timestamp)
}
