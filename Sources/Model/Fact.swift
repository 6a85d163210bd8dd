// What the engine decided, as changes of state. The journal holds these and nothing else; recovery applies them again.

/// One change of state. Everything needed to apply it is in it: no policy runs at recovery.
public enum Fact: Hashable, Sendable {
    /// A pool was added at a new slot, or an existing one changed its price or grew at its end.
    case poolPut(slot: PoolSlot, spec: PoolSpec)
    case poolDeleted(slot: PoolSlot)
    case nodeChanged(slot: PoolSlot, node: Int, state: NodeState)
    /// `spec.id` is filled in.
    case jobSubmitted(number: JobNumber, spec: JobSpec)
    case jobPlaced(number: JobNumber, placement: Placement)
    case jobStarted(number: JobNumber)
    case jobEnded(number: JobNumber, end: JobEnd, cause: EndCause, message: String)
    case jobRequeued(number: JobNumber, cause: RequeueCause)
    /// An ended job left the memory, for it was beyond the limit of ended jobs.
    case jobForgotten(number: JobNumber)
    /// A tenant was put, with those above it where they were not there.
    case tenantPut(spec: TenantSpec)
    /// A tenant with nothing below it and no live job left the tree, and what is remembered of its use with it.
    case tenantRemoved(slot: TenantSlot)
    case fairShareSet(FairSharePolicy)
    /// A queued job is not tried until it is released.
    case jobHeld(number: JobNumber)
    case jobReleased(number: JobNumber)
    /// The `notBefore` of a queued job has come.
    case jobOpened(number: JobNumber)
    /// A job that a queued one waits for ended as that one asked: the one at index `dependency` of its `after`.
    case jobDependencyMet(number: JobNumber, dependency: Int)
    /// A priority class was added or changed, for jobs that come from now on.
    case priorityClassPut(PriorityClass)
    case priorityClassDeleted(name: String)
    /// A place is kept for a waiting job, in the place of the one that was.
    case jobReserved(number: JobNumber, reservation: Reservation)
    /// Nothing is kept for a waiting job any more.
    case jobUnreserved(number: JobNumber)
    /// The search for the earliest place of a waiting job would have cost more than a command may.
    case jobSearchGivenUp(number: JobNumber)
    /// All tasks of an array were submitted at once. `spec.id` is filled in, and is that of the array.
    case jobArraySubmitted(number: JobNumber, spec: JobSpec)
    /// Fewer tasks of its array have not ended than may be at once, so that this one may be tried.
    case jobTurnCame(number: JobNumber)
    /// A job that holds capacity is asked to leave by `eviction.deadline`, or to give up what it has beyond its least.
    case jobPreempting(number: JobNumber, eviction: Eviction)
    /// A job that was asked to leave may stay.
    case jobSpared(number: JobNumber)
    /// An elastic job goes on with what its eviction leaves it.
    case jobShrunk(number: JobNumber)
    /// The work of a running job is saved up to now.
    case jobCheckpointed(number: JobNumber)
    /// Nodes of a place changed together: runs of neighbours by rising node.
    case nodesChanged(slot: PoolSlot, runs: [NodeStateRun])
    /// Nodes of some workers of a gang went down; others are sought for them, at most until then.
    case jobRepairing(number: JobNumber, until: Timestamp)
    /// A gang that lost workers goes on here: with others in their stead, with its nodes come back, or with those that it has.
    case jobRepaired(number: JobNumber, placement: Placement)
    /// An elastic gang took more workers where nobody else wanted the room: its place with theirs at the end of each group.
    case jobGrown(number: JobNumber, placement: Placement)
}

/// All facts of one command: applied whole or not at all.
public struct Transaction: Hashable, Sendable {
    /// Revision of the first fact; the others follow one by one.
    public var firstRevision: UInt64
    public var at: Timestamp
    public var facts: [Fact]
    /// Digest of the whole state after the last fact; recovery compares.
    public var stateDigest: UInt64

    public init(firstRevision: UInt64, at: Timestamp, facts: [Fact], stateDigest: UInt64) {
        self.firstRevision = firstRevision
        self.at = at
        self.facts = facts
        self.stateDigest = stateDigest
    }

    public var lastRevision: UInt64 { firstRevision + UInt64(facts.count) - 1 }
}
