// A job as the API shows it: what was asked for, where it stands, where it runs and what that costs, or why it waits.

import Engine
import JSON
import Model

extension JSONWriter {
    /// Without a string in between.
    mutating func value(_ moment: Timestamp, exactly: Bool = false) {
        var bytes = InlineArray<32, UInt8>(repeating: UInt8(ascii: "\""))
        var count = 1
        moment.write(exactly: exactly) {
            bytes[count] = $0
            count += 1
        }
        value(raw: bytes.span.extracting(0...count))
    }

    mutating func member(_ key: StaticString, _ value: String) {
        self.key(key)
        self.value(value)
    }

    mutating func member(_ key: StaticString, _ value: Int) {
        self.key(key)
        self.value(value)
    }

    mutating func member(_ key: StaticString, _ value: UInt64) {
        self.key(key)
        self.value(value)
    }

    mutating func member(_ key: StaticString, _ value: Bool) {
        self.key(key)
        self.value(value)
    }

    mutating func member(_ key: StaticString, _ moment: Timestamp?) {
        guard let moment else { return }
        self.key(key)
        value(moment)
    }

    /// A time that a caller gave, as it was given.
    mutating func member(_ key: StaticString, exactly moment: Timestamp) {
        self.key(key)
        value(moment, exactly: true)
    }

    mutating func member(_ key: StaticString, _ strings: [String]) {
        self.key(key)
        array { writer in for string in strings { writer.value(string) } }
    }

    mutating func member(_ key: StaticString, _ labels: [Label]) {
        self.key(key)
        object { writer in
            for label in labels {
                writer.key(string: label.name)
                writer.value(label.value)
            }
        }
    }
}

/// What the scheduler alone can say of a job that waits.
struct Waiting {
    let explanation: Explanation
    let start: StartReading

    /// Of each of some jobs that wait.
    static func of(_ jobs: [Job], _ desk: any Desk) -> [Waiting] {
        let explained = jobs.map { desk.explain($0) }
        let starts = desk.predictStarts(zip(jobs, explained).map { ($0, $1.couldEverFit) })
        return zip(explained, starts).map { Waiting(explanation: $0, start: $1) }
    }

    /// Nil for a job that does not wait.
    static func of(_ job: Job, _ desk: any Desk) -> Waiting? { job.state == .queued ? of([job], desk).first : nil }
}

extension JSONWriter {
    mutating func job(_ job: Job, in state: State, _ detail: PlacementDetail, waiting: Waiting? = nil) {
        object { writer in
            writer.member("id", job.id)
            writer.member("state", job.state.name)
            writer.member("revision", job.life.revision)
            writer.spec(job.spec, life: job.life)
            writer.task(job)
            writer.life(job.life)
            if let eviction = job.life.eviction { writer.eviction(eviction, in: state) }
            if let until = job.life.repairUntil { writer.repair(job, until: until, in: state) }
            if job.state == .queued && job.life.isGated { writer.gates(job.gates) }
            if let placement = job.life.placement { writer.placement(placement, of: job, in: state, detail) }
            if let waiting, job.state == .queued { writer.explanation(waiting.explanation, of: job) }
            writer.promise(job, in: state)
            if let start = waiting?.start, job.state == .queued { writer.prediction(start, of: job) }
        }
    }

    /// `life`: of a job that is known, for what its class gave it.
    mutating func spec(_ spec: JobSpec, life: JobLife? = nil) {
        if !spec.name.isEmpty { member("name", spec.name) }
        member("tenant", spec.tenant)
        member("priority", life?.priority ?? spec.priority)
        if !spec.priorityClass.isEmpty {
            member("priorityClass", spec.priorityClass)
            if let life {
                field("preemption", text: life.preemption.word)
                member("minRuntimeSeconds", life.minRuntimeSeconds)
            }
        }
        key("workers")
        array { writer in for group in spec.workers { writer.group(group) } }
        member("gpus", spec.gpuCount)
        if !spec.accelerators.isEmpty { accelerators(spec.accelerators) }
        if spec.scaleBySpeed { member("scaleBySpeed", true) }
        scope(spec.scope)
        if let split = spec.split {
            key("split")
            object { writer in
                writer.member("maxPools", split.maxPools)
                writer.member("minWorkersPerPool", split.minWorkersPerPool)
            }
        }
        if let exclusive = spec.exclusive { member("exclusive", exclusive.name) }
        if spec.isPreemptible { member("preemptible", true) }
        if spec.usesSpares { member("usesSpares", true) }
        if !spec.allow.isEmpty { places("allow", spec.allow) }
        if !spec.deny.isEmpty { places("deny", spec.deny) }
        if let seconds = spec.maxRuntimeSeconds { member("maxRuntimeSeconds", seconds) }
        if !spec.labels.isEmpty { member("labels", spec.labels) }
        gateSpec(spec)
    }

    private mutating func group(_ group: WorkerGroup) {
        object { writer in
            writer.member("name", group.name)
            if group.isElastic {
                writer.member("minCount", group.count)
                writer.member("maxCount", group.maxCount)
            } else {
                writer.member("count", group.count)
            }
            let demand = group.demand
            writer.member("gpus", demand.gpus)
            if demand.gpuMilli < 1000 { writer.member("gpuMilli", demand.gpuMilli) }
            if let cpuMillis = demand.cpuMillis { writer.member("cpuMillis", cpuMillis) }
            if let memoryMiB = demand.memoryMiB { writer.member("memoryMiB", memoryMiB) }
            if let segment = group.segment {
                writer.key("segment")
                writer.object { writer in
                    writer.member("size", segment.size)
                    writer.member("tier", segment.tier.name)
                }
            }
            let spread = group.spread
            if spread == .none { return }
            writer.key("spread")
            writer.object { writer in
                if let most = spread.workersPerNode { writer.member("workersPerNode", most) }
                if let most = spread.workersPerDomain { writer.member("workersPerDomain", most) }
            }
        }
    }

    private mutating func accelerators(_ accelerators: [Accelerator]) {
        key("accelerators")
        array { writer in
            for accelerator in accelerators {
                if accelerator.speedMilli == 1000 {
                    writer.value(accelerator.model)
                    continue
                }
                writer.object { writer in
                    writer.member("model", accelerator.model)
                    writer.member("speedMilli", accelerator.speedMilli)
                }
            }
        }
    }

    private mutating func scope(_ scope: Scope) {
        guard let preferred = scope.preferred else { return member("scope", scope.required.name) }
        key("scope")
        object { writer in
            writer.member("required", scope.required.name)
            writer.member("preferred", preferred.name)
            writer.member("patienceSeconds", scope.patienceSeconds)
        }
    }

    private mutating func places(_ name: StaticString, _ list: PlaceList) {
        key(name)
        object { writer in
            if !list.providers.isEmpty { writer.member("providers", list.providers) }
            if !list.regions.isEmpty { writer.member("regions", list.regions) }
            if !list.pools.isEmpty { writer.member("pools", list.pools) }
        }
    }

    /// What the job lost, and until when others are sought.
    private mutating func repair(_ job: Job, until: Timestamp, in state: State) {
        key("repair")
        object { writer in
            writer.member("until", until)
            guard let placement = job.life.placement else { return }
            writer.member("lostWorkers", state.lostWorkers(of: placement))
            writer.key("lostNodes")
            writer.array { writer in
                var last: (PoolSlot, Int)?
                state.forEachLostNode(of: placement) { slot, node, _ in
                    if let last, last == (slot, node) { return }
                    last = (slot, node)
                    writer.value(state[slot].spec.name + "/" + state[slot].layout.name(ofNode: node))
                }
            }
        }
    }

    /// For whom the job must leave, or give up workers, and until when.
    private mutating func eviction(_ eviction: Eviction, in state: State) {
        if let preemptor = state.jobs[eviction.by] { member("preemptedBy", preemptor.id) }
        field("preemptionKind", text: eviction.kind.word)
        member("deadlineAt", eviction.deadline)
        if let keeps = eviction.keeps { member("keepsWorkers", keeps.workerCount) }
    }

    private mutating func life(_ life: JobLife) {
        member("submittedAt", life.submittedAt)
        if life.requeues > 0 {
            member("queuedAt", life.queuedAt)
            member("requeues", life.requeues)
        }
        if let cause = life.lastRequeue { field("lastRequeue", text: cause.word) }
        if life.preemptions > 0 { member("preemptions", life.preemptions) }
        if life.repairs > 0 { member("repairs", life.repairs) }
        if let resizedAt = life.resizedAt { member("resizedAt", resizedAt) }
        member("placedAt", life.placedAt)
        member("startedAt", life.startedAt)
        member("checkpointedAt", life.checkpointedAt)
        member("endedAt", life.endedAt)
        if let cause = life.endCause { field("endCause", text: cause.word) }
        if !life.message.isEmpty { member("message", life.message) }
    }
}
