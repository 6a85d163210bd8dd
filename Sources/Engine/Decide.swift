// Commands of callers: which facts each leads to, and when it is refused. Placement follows in Scheduling.swift.

import Model

extension Engine {
    mutating func outcome(of command: Command, at: Timestamp) -> Outcome {
        switch command {
        case .submit(let spec): return submit(spec, at: at)
        case .submitBatch(let specs): return submitBatch(specs, at: at)
        case .cancel(let id): return cancel(id, at: at)
        case .cancelArray(let id): return cancelArray(id, at: at)
        case .start(let id): return start(id, at: at)
        case .finish(let id, let end, let message): return finish(id, end, message: message, at: at)
        case .hold(let id): return hold(id, at: at)
        case .release(let id): return release(id, at: at)
        case .checkpoint(let id): return checkpoint(id, at: at)
        case .stopped(let id): return stopped(id, at: at)
        case .putPriorityClass(let spec): return putPriorityClass(spec, at: at)
        case .deletePriorityClass(let name): return deletePriorityClass(name, at: at)
        case .putPool(let spec): return putPool(spec, at: at)
        case .deletePool(let name): return deletePool(name, at: at)
        case .changeNode(let pool, let node, let action): return changeNode(node, of: pool, action, at: at)
        case .changePlace(let pool, let place, let action): return changePlace(place, of: pool, action, at: at)
        case .putTenant(let spec): return putTenant(spec, at: at)
        case .deleteTenant(let path): return deleteTenant(path, at: at)
        case .setFairShare(let policy): return setFairShare(policy, at: at)
        case .resume:
            schedule(at: at)
            return .resumed
        }
    }

    // MARK: Jobs

    private mutating func submit(_ spec: JobSpec, at: Timestamp) -> Outcome {
        let outcome = register(spec, at: at)
        switch outcome {
        case .job(_, created: true), .array(_, created: true): schedule(at: at)
        default: break
        }
        return outcome
    }

    /// Takes a job into the queue, to be tried in the next pass.
    mutating func register(_ asked: JobSpec, at: Timestamp) -> Outcome {
        var spec = asked
        if let known = known(spec) { return known }
        let count = spec.array?.count ?? 1
        if state.liveJobs + count > settings.limits.liveJobs {
            return .refused(.limitReached(name: "limits.liveJobs", limit: settings.limits.liveJobs))
        }
        let mistakes = mistakes(in: spec, at: at)
        if !mistakes.isEmpty { return .refused(.invalidJob(mistakes)) }
        let key = ShapeKey(spec, asking: spec.scope.first)
        let known = queue.index(of: key).map { queue.count($0) > 0 } ?? false
        if !known, let refusal = limitReached(by: key) { return .refused(refusal) }
        if let refusal = admit(spec.tenant, jobs: count, at: at) { return .refused(refusal) }
        let number = JobNumber(state.nextJobNumber)
        if spec.id.isEmpty { spec.id = freshID(number, spec) }
        if spec.array != nil {
            emit(.jobArraySubmitted(number: number, spec: spec), at: at)
            if let shape = queue.index(of: key), queue.count(shape) > 0 { untried.insert(shape) }
            return .array(id: spec.id, created: true)
        }
        emit(.jobSubmitted(number: number, spec: spec), at: at)
        // Where equal jobs wait already, the shape does not fit, and this one waits behind or before them. Only a pool
        // held against the first of them may be open to this one, where it goes before them.
        if state.jobs[number]?.isOpen ?? false, let shape = queue.index(of: key) {
            // What keeps the others from their pools may not keep this one, where it is of another tenant or priority.
            let mayDiffer = (!claims.isEmpty || bars.hasRules) && isAlone(number, in: shape)
            if !known || mayDiffer { untried.insert(shape) }
        }
        guard let job = state.jobs[number] else { preconditionFailure("a submitted job is not there") }
        return .job(job, created: true)
    }

    /// Whether a shape that no job in the queue has is one too many. Shapes behind gates and in the queue are counted apart.
    private func limitReached(by key: ShapeKey) -> Refusal? {
        if gatedShapes.has(key) { return nil }
        if queue.busy + gatedShapes.count >= settings.limits.queuedShapes {
            return .limitReached(name: "limits.queuedShapes", limit: settings.limits.queuedShapes)
        }
        let newDemands = key.demands.count { !queue.has($0) && !gatedShapes.has($0) }
        if newDemands > 0 && queue.distinctDemands + gatedShapes.distinctDemands + newDemands > settings.queuedDemands {
            return .limitReached(name: "limits.queuedDemands", limit: settings.queuedDemands)
        }
        return nil
    }

    /// `job-17`, or with more behind it where a caller took that id.
    private func freshID(_ number: JobNumber, _ spec: JobSpec) -> String {
        var id = "job-\(number.value)"
        while state.awaited(id) != nil || takenTask(of: spec, id: id) != nil { id += "-1" }
        return id
    }

    private mutating func start(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        guard job.state == .placed else {
            return job.state == .running
                ? .job(job, created: false) : .refused(.illegalTransition(id: id, state: job.state, action: "start"))
        }
        emit(.jobStarted(number: job.number), at: at)
        return .job(job, created: false)
    }

    private mutating func hold(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        guard job.state == .queued else {
            return .refused(.illegalTransition(id: id, state: job.state, action: "hold"))
        }
        if job.life.isHeld { return .job(job, created: false) }
        emit(.jobHeld(number: job.number), at: at)
        schedule(at: at)
        return .job(job, created: false)
    }

    private mutating func release(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        if job.state.hasEnded { return .refused(.illegalTransition(id: id, state: job.state, action: "release")) }
        // Said twice, it may be placed already.
        if !job.life.isHeld { return .job(job, created: false) }
        emit(.jobReleased(number: job.number), at: at)
        schedule(at: at)
        return .job(job, created: false)
    }

    private mutating func cancel(_ id: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        // Said twice, it is said once: a script that lost the first answer may ask again.
        if job.state == .cancelled { return .job(job, created: false) }
        if job.state.hasEnded { return .refused(.illegalTransition(id: id, state: job.state, action: "cancel")) }
        return end(job, .cancelled, message: "", at: at)
    }

    private mutating func finish(_ id: String, _ end: JobEnd, message: String, at: Timestamp) -> Outcome {
        guard let job = state.jobs[id] else { return .refused(.jobNotFound(id: id)) }
        if job.state == end.state && job.life.message == message { return .job(job, created: false) }
        guard job.isRunning else {
            return .refused(.illegalTransition(id: id, state: job.state, action: "finish"))
        }
        return self.end(job, end, message: message, at: at)
    }

    private mutating func end(_ job: Job, _ end: JobEnd, message: String, at: Timestamp) -> Outcome {
        emit(.jobEnded(number: job.number, end: end, cause: .caller, message: message), at: at)
        // Read before it may be forgotten.
        let ended = state.jobs[job.number] ?? job
        forgetSurplus(at: at)
        schedule(at: at)
        return .job(ended, created: false)
    }

    /// Forgets ended jobs beyond the limit, a few at a time where the limit was lowered.
    mutating func forgetSurplus(at: Timestamp) {
        for _ in 0..<8 {
            // Not before all that wait for it are judged by its end.
            guard ended.count > settings.limits.endedJobs, let first = ended.first, !isAwaited(first) else {
                return
            }
            emit(.jobForgotten(number: first), at: at)
        }
    }

    // MARK: Supply

    private mutating func putPool(_ spec: PoolSpec, at: Timestamp) -> Outcome {
        guard let slot = state.slot(named: spec.name) else { return addPool(spec, at: at) }
        let pool = state[slot]
        if pool.spec == spec { return .pool(slot, created: false) }
        if pool.spec.mayBecome(spec, layout: pool.layout) {
            emit(.poolPut(slot: slot, spec: spec), at: at)
            schedule(at: at)
            return .pool(slot, created: false)
        }
        if pool.jobs > 0 { return .refused(.poolInUse(name: spec.name, jobs: pool.jobs)) }
        if state.pools.count >= Bounds.poolSlots {
            return .refused(.limitReached(name: "poolSlots", limit: Bounds.poolSlots))
        }
        unreserve(pool: slot, at: at)
        emit(.poolDeleted(slot: slot), at: at)
        let replacement = PoolSlot(state.pools.count)
        emit(.poolPut(slot: replacement, spec: spec), at: at)
        // A node that was not ready stays so under its name, whatever else changed.
        let layout = state[replacement].layout
        for (node, nodeState) in pool.nodeStates.enumerated() where nodeState != .ready {
            guard let same = layout.node(named: pool.layout.name(ofNode: node)) else { continue }
            emit(.nodeChanged(slot: replacement, node: same, state: nodeState), at: at)
        }
        schedule(at: at)
        return .pool(replacement, created: false)
    }

    private mutating func addPool(_ spec: PoolSpec, at: Timestamp) -> Outcome {
        if state.pools.count >= Bounds.poolSlots {
            return .refused(.limitReached(name: "poolSlots", limit: Bounds.poolSlots))
        }
        let slot = PoolSlot(state.pools.count)
        emit(.poolPut(slot: slot, spec: spec), at: at)
        schedule(at: at)
        return .pool(slot, created: true)
    }

    private mutating func deletePool(_ name: String, at: Timestamp) -> Outcome {
        guard let slot = state.slot(named: name) else { return .refused(.poolNotFound(name: name)) }
        let pool = state[slot]
        if pool.jobs > 0 { return .refused(.poolInUse(name: name, jobs: pool.jobs)) }
        unreserve(pool: slot, at: at)
        emit(.poolDeleted(slot: slot), at: at)
        schedule(at: at)
        return .poolDeleted(name: name)
    }

    /// Nothing is kept in a pool that goes.
    private mutating func unreserve(pool slot: PoolSlot, at: Timestamp) {
        for claim in claims.all where claim.contains(pool: slot.index) {
            if case .job(let number) = claim.owner { emit(.jobUnreserved(number: number), at: at) }
        }
    }
}
