// Seeded draws of every stored type, with odd values as well as usual ones, and a small history to write and recover.

import Model
import Storage
import TestKit
import Testing

/// Source: SplitMix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct Draw: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
    mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

    mutating func number() -> Int {
        switch below(6) {
        case 0: Int(truncatingIfNeeded: next())
        case 1: [Int.min, Int.max, -1, 127, 128, 16_383, 16_384][below(7)]
        default: below(1000)
        }
    }

    mutating func text() -> String {
        switch below(6) {
        case 0: ""
        case 1: String(repeating: "x", count: below(400))
        case 2: ["Zürich", "e\u{301}", "\u{E9}", "日本", "👩‍🚀", "a\u{0}b"][below(6)]
        default: "job-\(below(10_000))"
        }
    }

    mutating func list<Value>(_ most: Int = 4, _ draw: (inout Draw) -> Value) -> [Value] {
        (0..<below(most + 1)).map { _ in draw(&self) }
    }

    mutating func choice<Value: CaseIterable>(_ type: Value.Type) -> Value {
        Array(type.allCases)[below(type.allCases.count)]
    }

    mutating func moment() -> Timestamp {
        Timestamp(nanoseconds: chance(8) ? Int64(number()) : 1_795_000_000_000_000_000 + Int64(below(1 << 40)))
    }

    mutating func labels() -> [Label] { list { Label(name: $0.text(), value: $0.text()) } }

    mutating func flag() -> Bool { chance(2) }

    mutating func maybe<Value>(_ draw: (inout Draw) -> Value) -> Value? { chance(2) ? nil : draw(&self) }

    mutating func demand() -> Demand {
        Demand(
            gpus: number(), gpuMilli: chance(2) ? 1000 : number(), cpuMillis: maybe { $0.number() },
            memoryMiB: maybe { $0.number() })
    }

    private mutating func group() -> WorkerGroup {
        WorkerGroup(
            name: text(), count: number(), maxCount: maybe { $0.number() }, demand: demand(),
            segment: maybe { Segment(size: $0.number(), tier: $0.choice(Tier.self)) },
            spread: Spread(workersPerNode: maybe { $0.number() }, workersPerDomain: maybe { $0.number() }))
    }

    mutating func jobSpec() -> JobSpec {
        JobSpec(
            id: text(), name: text(), tenant: text(), priority: number(), priorityClass: text(),
            workers: list { $0.group() },
            accelerators: list { Accelerator($0.text(), speedMilli: $0.chance(2) ? 1000 : $0.number()) },
            scaleBySpeed: flag(),
            scope: Scope(
                choice(Tier.self), preferred: maybe { $0.choice(Tier.self) }, patienceSeconds: number()),
            split: maybe { Split(maxPools: $0.number(), minWorkersPerPool: $0.number()) },
            exclusive: maybe { $0.choice(Tier.self) }, isPreemptible: flag(), usesSpares: flag(), allow: places(),
            deny: places(), maxRuntimeSeconds: maybe { $0.number() }, labels: labels(), hold: flag(),
            notBefore: maybe { $0.moment() },
            after: list { Dependency(job: $0.text(), condition: $0.choice(DependencyCondition.self)) },
            maxWaitSeconds: maybe { $0.number() }, deadline: maybe { $0.moment() },
            array: maybe { JobArray(count: $0.number(), maxParallel: $0.number()) })
    }

    mutating func priorityClass() -> PriorityClass {
        PriorityClass(
            name: text(), value: number(), preemption: choice(PreemptionPolicy.self), minRuntimeSeconds: number(),
            description: text())
    }

    private mutating func places() -> PlaceList {
        chance(2)
            ? PlaceList()
            : PlaceList(
                providers: list { $0.text() }, regions: list { $0.text() }, pools: list { $0.text() })
    }

    mutating func poolSpec() -> PoolSpec {
        let topology: Topology =
            chance(2)
            ? .counts(
                blocks: number(), domainsPerBlock: number(), nodesPerDomain: number(), cliquesPerDomain: number())
            : .nodes(
                list(40) {
                    NodeListing(
                        name: $0.text(), domain: "d\($0.below(3))", clique: ["", "c0", "c1"][$0.below(3)],
                        block: ["\u{E9}", "e\u{301}"][$0.below(2)], reservation: ["", "cb-1"][$0.below(2)])
                })
        return PoolSpec(
            name: text(), provider: text(), region: text(), accelerator: text(), instanceType: text(),
            node: NodeShape(gpus: number(), cpuMillis: number(), memoryMiB: number()), topology: topology,
            allowsGPUShares: flag(), sparesPerDomain: number(), reservation: text(),
            purchase: choice(Purchase.self), billing: choice(Billing.self),
            priceMicroUSDPerGPUHour: Int64(number()), labels: labels())
    }

    mutating func placement() -> Placement {
        var placement = Placement(
            tier: choice(Tier.self), exclusive: maybe { $0.choice(Tier.self) },
            cost: PlacementCost(
                price: Int64(number()), fragmentation: Int64(number()), topology: Int64(number())))
        var node: UInt32 = 0
        for _ in 0..<below(4) {
            placement.runs += list(10) { draw in
                if draw.chance(3) { node = UInt32(truncatingIfNeeded: draw.next()) }
                let count = UInt16(draw.below(3) == 0 ? draw.below(65_536) : 1)
                defer { node = node &+ UInt32(count) }
                return NodeRun(
                    node: node, nodeCount: count,
                    gpuMask: draw.chance(3) ? UInt16(truncatingIfNeeded: draw.next()) : 0xFF,
                    workers: draw.chance(3) ? UInt16(truncatingIfNeeded: draw.next()) : 1)
            }
            let need = WorkerNeed(
                gpus: number(), gpuMilli: chance(2) ? 1000 : number(), cpuMillis: number(), memoryMiB: number())
            placement.parts.append(
                PlacementPart(
                    group: number(), pool: PoolSlot(number()), need: need, runEnd: placement.runs.count))
        }
        return placement
    }

    mutating func mix() -> DemandMix {
        DemandMix(
            entries: mixEntries(), arrivals: next(), step: next(), inUse: mixEntries(), version: next(),
            nextVersionAt: next(), pricedFreeMilli: number())
    }

    private mutating func mixEntries() -> [MixEntry] {
        list(20) {
            var entry = MixEntry(
                demand: $0.demand(), workers: $0.number(), tier: $0.choice(Tier.self),
                accelerators: $0.list { $0.text() }, weight: $0.next())
            entry.scarcity = $0.next()
            return entry
        }
    }

    mutating func tenantSpec() -> TenantSpec {
        TenantSpec(
            path: text(), weight: number(),
            quotas: list(5) { draw in
                Quota(
                    // No accelerator has an empty name.
                    unit: draw.chance(3) ? .microUSDPerHour : .gpuMilli(accelerator: "a" + draw.text()),
                    nominal: Int64(draw.number()), borrowLimit: draw.maybe { Int64($0.number()) },
                    lendLimit: draw.maybe { Int64($0.number()) }, from: draw.maybe { $0.moment() },
                    until: draw.maybe { $0.moment() })
            },
            budget: maybe { draw in
                Budget(
                    gpuHours: draw.maybe { Int64($0.number()) }, microUSD: draw.maybe { Int64($0.number()) },
                    isHard: draw.flag())
            },
            maxQueuedJobs: maybe { $0.number() }, maxRunningJobs: maybe { $0.number() },
            residency: list { $0.text() }, denyProviders: list { $0.text() }, labels: labels())
    }

    private mutating func wide() -> UInt128 { UInt128(next()) << 64 | UInt128(next()) }

    mutating func tenant() -> TenantImage {
        var meter = Meter(at: moment())
        for kind in 0..<3 {
            meter.remembered[kind] = Int128(truncatingIfNeeded: wide())
            meter.area[kind] = Int128(truncatingIfNeeded: wide())
        }
        meter.month = Month(index: Int64(number()))
        meter.gpuMilliNanoseconds = wide()
        meter.priceNanoseconds = wide()
        return TenantImage(
            path: text(), spec: maybe { $0.tenantSpec() }, meter: meter,
            evictions: EvictionCount(hour: Int64(number()), count: number()))
    }

    /// The kinds of facts, by number; `FactTag` counts them.
    mutating func fact(kind: Int) -> Fact {
        let number = JobNumber(next() >> UInt64(below(64)))
        let slot = PoolSlot(self.number())
        return switch kind {
        case 0: .poolPut(slot: slot, spec: poolSpec())
        case 1: .poolDeleted(slot: slot)
        case 2: .nodeChanged(slot: slot, node: self.number(), state: choice(NodeState.self))
        case 3: .jobSubmitted(number: number, spec: jobSpec())
        case 4: .jobPlaced(number: number, placement: placement())
        case 5: .jobStarted(number: number)
        case 6: .jobEnded(number: number, end: choice(JobEnd.self), cause: choice(EndCause.self), message: text())
        case 7: .jobRequeued(number: number, cause: choice(RequeueCause.self))
        case 8: .jobForgotten(number: number)
        case 9: .jobHeld(number: number)
        case 10: .jobReleased(number: number)
        case 11: .jobOpened(number: number)
        case 12: .jobDependencyMet(number: number, dependency: self.number())
        case 13: .priorityClassPut(priorityClass())
        case 14: .priorityClassDeleted(name: text())
        case 15: .tenantPut(spec: tenantSpec())
        case 16: .tenantRemoved(slot: TenantSlot(self.number()))
        case 17: .fairShareSet(FairSharePolicy(halfLifeSeconds: self.number()))
        case 18: .jobReserved(number: number, reservation: reservation())
        case 19: .jobUnreserved(number: number)
        case 20: .jobSearchGivenUp(number: number)
        case 21: .jobArraySubmitted(number: number, spec: jobSpec())
        case 22: .jobTurnCame(number: number)
        case 23: .jobPreempting(number: number, eviction: eviction())
        case 24: .jobSpared(number: number)
        case 25: .jobShrunk(number: number)
        case 26: .jobCheckpointed(number: number)
        case 27: .nodesChanged(slot: slot, runs: nodeStateRuns())
        case 28: .jobRepairing(number: number, until: moment())
        case 29: .jobRepaired(number: number, placement: placement())
        default: .jobGrown(number: number, placement: placement())
        }
    }

    private mutating func nodeStateRuns() -> [NodeStateRun] {
        (0..<below(5)).map { _ in NodeStateRun(node: number(), nodeCount: number(), state: choice(NodeState.self)) }
    }

    mutating func transaction(firstRevision: UInt64, mostFacts: Int = 4) -> Transaction {
        Transaction(
            firstRevision: firstRevision, at: moment(),
            facts: (0..<1 + below(mostFacts)).map { _ in
                let kind = below(31)
                return fact(kind: kind)
            }, stateDigest: next())
    }

    mutating func reservation() -> Reservation {
        Reservation(
            cause: choice(ReservationCause.self), madeAt: moment(), movedAt: moment(), start: moment(),
            isAssumed: flag(), placement: placement())
    }

    mutating func eviction() -> Eviction {
        Eviction(
            by: JobNumber(next() >> 16), kind: choice(PreemptionKind.self), deadline: moment(),
            keeps: maybe { $0.placement() })
    }

    mutating func life() -> JobLife {
        var life = JobLife(
            state: choice(JobState.self), revision: next(), submittedAt: moment(), queuedAt: moment(),
            queuedAtPlacement: next())
        if chance(2) { life.placedAt = moment() }
        if chance(2) { life.startedAt = moment() }
        if chance(2) { life.endedAt = moment() }
        life.requeues = number()
        life.lastRequeue = chance(2) ? nil : choice(RequeueCause.self)
        life.placement = chance(2) ? nil : placement()
        life.message = text()
        life.openedAt = moment()
        life.endCause = maybe { $0.choice(EndCause.self) }
        life.priority = number()
        life.preemption = choice(PreemptionPolicy.self)
        life.minRuntimeSeconds = number()
        life.isHeld = flag()
        life.isEarly = flag()
        life.unmet = chance(2) ? 0 : next()
        life.awaitsTurn = flag()
        life.reservation = maybe { $0.reservation() }
        life.searchGivenUpAt = maybe { $0.moment() }
        life.firstStart = maybe { $0.moment() }
        life.preemptions = number()
        life.checkpointedAt = maybe { $0.moment() }
        life.eviction = maybe { $0.eviction() }
        life.repairUntil = maybe { $0.moment() }
        life.repairs = number()
        life.resizedAt = maybe { $0.moment() }
        return life
    }

    mutating func image(jobs: Int) -> StateImage {
        var image = StateImage()
        image.revision = UInt64(1 + below(1 << 40))
        image.at = moment()
        image.nextJobNumber = next()
        image.placements = next()
        image.isSettled = flag()
        image.searchedAt = moment()
        image.digest = next()
        image.mix = mix()
        image.fairShare.halfLifeSeconds = number()
        image.tenants = list(6) { draw in draw.maybe { $0.tenant() } }
        image.priorityClasses = list { PriorityClassImage(spec: $0.priorityClass(), revision: $0.next()) }
        image.pools = list(6) { draw in
            PoolImage(
                spec: draw.poolSpec(), isDeleted: draw.chance(3), revision: draw.next(),
                unready: draw.list(20) { ($0.number(), $0.choice(NodeState.self)) })
        }
        image.arrays = list { draw in
            JobArrayImage(
                number: JobNumber(draw.next()), spec: draw.jobSpec(), forgotten: draw.list { $0.number() })
        }
        var number: UInt64 = 0
        image.jobs = (0..<jobs).map { _ in
            number += UInt64(1 + below(3))
            return Job(number: JobNumber(number), spec: jobSpec(), life: life())
        }
        return image
    }
}

/// Two images are the same when they print the same: jobs are objects, and tuples are not Hashable.
func describe(_ image: StateImage) -> String {
    let pools = image.pools.map { "\($0.spec) \($0.isDeleted) \($0.unready)" }
    let jobs = image.jobs.map { "\($0.number) \($0.spec) \($0.life) \($0.specDigest)" }
    return
        "\(image.revision) \(image.at.nanoseconds) \(image.nextJobNumber) \(image.placements) \(image.isSettled) \(image.searchedAt) \(image.digest)\n"
        + "\(image.mix) \(image.priorityClasses) \(image.arrays)\n\(image.fairShare)\n\(image.tenants)\n"
        + (pools + jobs).joined(separator: "\n")
}
