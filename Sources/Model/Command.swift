// What a caller asks of the engine, and what it answers. Values are validated before they become a command.

public enum Command: Sendable {
    /// A job, or all tasks of an array.
    case submit(JobSpec)
    /// Jobs that come together and are placed together: those of one priority in the order that places most.
    case submitBatch([JobSpec])
    case cancel(id: String)
    /// Cancels all tasks of an array that have not ended.
    case cancelArray(id: String)
    case start(id: String)
    case finish(id: String, end: JobEnd, message: String)
    /// Keeps a queued job from being tried until it is released.
    case hold(id: String)
    case release(id: String)
    /// Says that a running job has saved its work.
    case checkpoint(id: String)
    /// Says that a job that was asked to leave, or to give up workers, has done so.
    case stopped(id: String)
    case putPriorityClass(PriorityClass)
    case deletePriorityClass(name: String)
    case putPool(PoolSpec)
    case deletePool(name: String)
    case changeNode(pool: String, node: String, action: NodeAction)
    /// All nodes of a place at once.
    case changePlace(pool: String, place: PoolPlace, action: NodeAction)
    case putTenant(TenantSpec)
    case deleteTenant(path: String)
    case setFairShare(FairSharePolicy)
    /// Goes on with what an earlier command's budget left for later, and with what time has brought.
    case resume
}

/// The engine's answer to a command.
public enum Outcome: Sendable {
    /// The job after the command. `created` tells a new job from one that was already there with the same values.
    case job(Job, created: Bool)
    /// All tasks of an array. `created` as for a job.
    case array(id: String, created: Bool)
    /// For each job of a batch, in order, `job` or `refused`.
    indirect case batch([Outcome])
    case pool(PoolSlot, created: Bool)
    case poolDeleted(name: String)
    case node(PoolSlot, node: Int, NodeState)
    case place(PlaceChange)
    case tenant(TenantSlot, created: Bool)
    case tenantDeleted(path: String)
    case fairShare(FairSharePolicy)
    case priorityClass(name: String, created: Bool)
    case priorityClassDeleted(name: String)
    case resumed
    case refused(Refusal)
}

/// Why a command was refused. A case of its own exists only where a caller would act differently.
public enum Refusal: Hashable, Sendable {
    case jobNotFound(id: String)
    case arrayNotFound(id: String)
    case poolNotFound(name: String)
    case nodeNotFound(pool: String, node: String)
    /// No domain or block of the pool has this name, or several domains have.
    case placeNotFound(pool: String, place: PoolPlace)
    /// Another job has this id.
    case idInUse(id: String)
    case illegalTransition(id: String, state: JobState, action: String)
    case illegalNodeTransition(node: String, state: NodeState, action: NodeAction)
    /// The change needs the pool to be empty, and `jobs` hold some of it.
    case poolInUse(name: String, jobs: Int)
    case tenantNotFound(path: String)
    /// It has `jobs` that wait, are placed or run, and `children` below it.
    case tenantInUse(path: String, jobs: Int, children: Int)
    /// As many jobs of `tenant`, or of those below it, wait as may.
    case tenantQueueFull(tenant: String, limit: Int)
    case limitReached(name: String, limit: Int)
    /// What a job says does not go with what is there, or with the time: all of it.
    case invalidJob([SubmitMistake])
    case priorityClassNotFound(name: String)
    /// `jobs` that have not ended name it.
    case priorityClassInUse(name: String, jobs: Int)
}
