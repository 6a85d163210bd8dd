// A fact becomes a change of state, packer and queue. The one way the state ever changes, live and at recovery alike.

import DequeModule
public import Model
import Packing

/// Ended jobs by rising end.
struct EndedJobs {
    private var numbers: Deque<JobNumber> = []

    var count: Int { numbers.count }
    var first: JobNumber? { numbers.first }

    mutating func append(_ number: JobNumber) { numbers.append(number) }
    mutating func removeFirst() { numbers.removeFirst() }
}

extension Engine {
    mutating func apply(_ fact: Fact, at: Timestamp) {
        state.revision += 1
        state.at = at
        switch fact {
        case .poolPut(let slot, let spec): putPool(spec, at: slot)
        case .poolDeleted(let slot):
            state.deletePool(at: slot)
            packer.remove(pool: slot.index)
            triesAll = true
        case .nodeChanged(let slot, let node, let nodeState):
            state.setNode(node, of: slot, to: nodeState)
            packer.setSchedulable(pool: slot.index, node: node, nodeState == .ready)
            if nodeState == .ready { grown.insert(slot.index) }
        case .jobSubmitted(let number, let spec):
            let life = JobLife(
                state: .queued, revision: state.revision, submittedAt: at, queuedAt: at,
                queuedAtPlacement: state.placements)
            let job = Job(number: number, spec: spec, life: life)
            state.nextJobNumber = number.value + 1
            state.insert(job)
            queue.insert(job)
        case .jobPlaced(let number, let placement):
            state.placements += 1
            let job = change(number) { life in
                life.state = .placed
                life.placedAt = at
                life.placement = placement
            }
            queue.remove(job)
            packer.take(placement)
        case .jobStarted(let number):
            change(number) { life in
                life.state = .running
                life.startedAt = at
            }
        case .jobEnded(let number, let end, let message):
            let before = change(number) { life in
                life.state = end.state
                life.endedAt = at
                life.message = message
            }
            leave(before)
            ended.append(number)
        case .jobRequeued(let number, let cause):
            let before = change(number) { [placements = state.placements] life in
                life.state = .queued
                life.queuedAt = at
                life.queuedAtPlacement = placements
                life.placedAt = nil
                life.startedAt = nil
                life.placement = nil
                life.requeues += 1
                life.lastRequeue = cause
            }
            leave(before)
            if let job = state.jobs[number] { untried.insert(queue.insert(job)) }
            work.requeues += 1
        case .jobForgotten(let number):
            if let job = state.jobs[number] { state.remove(job) }
            precondition(ended.first == number, "jobs are forgotten in the order in which they ended")
            ended.removeFirst()
        }
    }

    private mutating func putPool(_ spec: PoolSpec, at slot: PoolSlot) {
        let known = slot.index < state.pools.count ? state.pools[slot.index].info : nil
        let layout = known.flatMap { $0.spec.topology == spec.topology ? $0.layout : nil } ?? PoolLayout(spec.topology)
        state.putPool(PoolInfo(spec: spec, layout: layout), at: slot)
        packer.put(pool: slot.index, layout: layout, shape: spec.node)
        triesAll = true
    }

    /// Changes a job's life and returns the job as it was before.
    @discardableResult
    private mutating func change(_ number: JobNumber, _ body: (inout JobLife) -> Void) -> Job {
        guard let job = state.jobs[number] else { preconditionFailure("a fact names a job that is not there") }
        var life = job.life
        life.revision = state.revision
        body(&life)
        state.replace(job, with: job.with(life))
        return job
    }

    /// A job that waited leaves the queue; one that held capacity gives it back.
    private mutating func leave(_ job: Job) {
        if job.state == .queued { queue.remove(job) }
        if job.state.holdsCapacity, let placement = job.life.placement {
            packer.give(placement)
            grown.insert(placement.pool.index)
        }
    }
}

// MARK: - Recovery

extension Engine {
    /// An engine with the state of a snapshot.
    public init(image: StateImage, settings: EngineSettings = EngineSettings()) throws(ReplayError) {
        self.init(settings: settings)
        for (index, pool) in image.pools.enumerated() {
            let slot = PoolSlot(index)
            putPool(pool.spec, at: slot)
            for (node, nodeState) in pool.unready {
                state.setNode(node, of: slot, to: nodeState)
                packer.setSchedulable(pool: index, node: node, false)
            }
            if pool.isDeleted {
                state.deletePool(at: slot)
                packer.remove(pool: index)
            }
        }
        var endings: [(revision: UInt64, number: JobNumber)] = []
        for job in image.jobs {
            state.insert(job)
            switch job.state {
            case .queued: queue.insert(job)
            case .placed, .running: if let placement = job.life.placement { packer.take(placement) }
            case .succeeded, .failed, .cancelled: endings.append((job.life.revision, job.number))
            }
        }
        endings.sort { $0.revision < $1.revision }
        for (_, number) in endings { ended.append(number) }
        state.restore(
            revision: image.revision, at: image.at, nextJobNumber: image.nextJobNumber, placements: image.placements)
        triesAll = true
        guard state.digest == image.digest else { throw .digestMismatch(revision: image.revision) }
    }

    /// Applies one transaction of the journal and checks that the state came out as it was live.
    public mutating func replay(_ transaction: Transaction) throws(ReplayError) {
        guard transaction.firstRevision == state.revision + 1 else {
            throw .revisionGap(expected: state.revision + 1, found: transaction.firstRevision)
        }
        for fact in transaction.facts {
            if let fault = fault(of: fact) { throw .impossibleFact(revision: state.revision + 1, fault) }
            apply(fact, at: transaction.at)
        }
        guard state.digest == transaction.stateDigest else { throw .digestMismatch(revision: state.revision) }
    }

    /// Why `fact` cannot be applied now, so that a foreign or damaged journal is refused and does not trap.
    private func fault(of fact: Fact) -> String? {
        func job(_ number: JobNumber, _ allowed: JobState...) -> String? {
            guard let job = state.jobs[number] else { return "there is no job number \(number.value)" }
            return allowed.contains(job.state) ? nil : "job \(job.id) is \(job.state.name)"
        }
        func pool(_ slot: PoolSlot) -> String? {
            slot.index < state.pools.count && !state.pools[slot.index].isDeleted
                ? nil : "there is no pool at slot \(slot.index)"
        }
        switch fact {
        case .poolPut(let slot, _): return slot.index == state.pools.count ? nil : pool(slot)
        case .poolDeleted(let slot): return pool(slot)
        case .nodeChanged(let slot, let node, _):
            return pool(slot)
                ?? (node < state.pools[slot.index].nodeStates.count ? nil : "node \(node) is not in its pool")
        case .jobSubmitted(let number, let spec):
            if number.value < state.nextJobNumber { return "job number \(number.value) was used before" }
            if spec.workers.count != 1 { return "job \(spec.id) has \(spec.workers.count) worker groups" }
            return state.jobs[spec.id] == nil ? nil : "job \(spec.id) is there already"
        case .jobPlaced(let number, let placement):
            if let fault = job(number, .queued) ?? pool(placement.pool) { return fault }
            return packer.canTake(placement) ? nil : "the place of job number \(number.value) is not free"
        case .jobStarted(let number): return job(number, .placed)
        case .jobEnded(let number, _, _): return job(number, .queued, .placed, .running)
        case .jobRequeued(let number, _): return job(number, .placed, .running)
        case .jobForgotten(let number):
            return ended.first == number ? nil : "job number \(number.value) is not next to go"
        }
    }
}

extension State {
    fileprivate mutating func restore(revision: UInt64, at: Timestamp, nextJobNumber: UInt64, placements: UInt64) {
        self.revision = revision
        self.at = at
        self.nextJobNumber = nextJobNumber
        self.placements = placements
        for index in pools.indices { pools[index].revision = revision }
    }
}
