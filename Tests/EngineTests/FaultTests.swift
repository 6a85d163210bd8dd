// A damaged or foreign journal is refused with the right error, and never trusted, whatever is in it.

import Engine
import Model
import TestKit
import Testing

@Suite struct FaultTests {
    /// A state with jobs of all kinds, and a transaction of each kind of fact after it.
    static func harness(_ seed: UInt64, steps: Int, percentArrays: Int = 10) -> EngineHarness {
        var settings = EngineSettings()
        settings.limits.endedJobs = 4
        settings.resizeIntervalSeconds = 10
        var harness = EngineHarness(settings: settings)
        var history = History(seed: seed)
        history.percentArrays = percentArrays
        for _ in 0..<steps { harness.run(history.command(harness.engine.state)) }
        return harness
    }

    // MARK: Damage

    static let numbers: [UInt64] = [0, 1, 2, 5, 127, 128, 1 << 20, 1 << 48, 1 << 63, .max]
    static let indexes = [Int.min, -1, 0, 1, 2, 3, 100, 4095, 4096, 1 << 32, .max]

    /// All facts that come of damaging one field of `fact`.
    static func damaged(_ fact: Fact) -> [Fact] {
        switch fact {
        case .poolPut(let slot, let spec):
            return indexes.map { .poolPut(slot: PoolSlot($0), spec: spec) }
                + damaged(spec).map { .poolPut(slot: slot, spec: $0) }
        case .poolDeleted: return indexes.map { .poolDeleted(slot: PoolSlot($0)) }
        case .nodeChanged(let slot, let node, let state):
            return indexes.map { .nodeChanged(slot: PoolSlot($0), node: node, state: state) }
                + indexes.map { .nodeChanged(slot: slot, node: $0, state: state) }
        case .jobSubmitted(let number, let spec):
            return numbers.map { .jobSubmitted(number: JobNumber($0), spec: spec) }
                + damaged(spec).map { .jobSubmitted(number: number, spec: $0) }
        case .jobPlaced(let number, let placement):
            return numbers.map { .jobPlaced(number: JobNumber($0), placement: placement) }
                + damaged(placement).map { .jobPlaced(number: number, placement: $0) }
        case .jobStarted: return numbers.map { .jobStarted(number: JobNumber($0)) }
        case .jobEnded(let number, let end, let cause, let message):
            return numbers.map { .jobEnded(number: JobNumber($0), end: end, cause: cause, message: message) }
                + JobEnd.allCases.map { .jobEnded(number: number, end: $0, cause: cause, message: message) }
                + EndCause.allCases.map { .jobEnded(number: number, end: end, cause: $0, message: message) }
        case .jobRequeued(_, let cause): return numbers.map { .jobRequeued(number: JobNumber($0), cause: cause) }
        case .jobForgotten: return numbers.map { .jobForgotten(number: JobNumber($0)) }
        case .tenantPut(let spec): return damaged(spec).map { .tenantPut(spec: $0) }
        case .tenantRemoved: return indexes.map { .tenantRemoved(slot: TenantSlot($0)) }
        case .fairShareSet: return indexes.map { .fairShareSet(FairSharePolicy(halfLifeSeconds: $0)) }
        case .jobHeld(let number):
            return numbers.map { .jobHeld(number: JobNumber($0)) } + [.jobReleased(number: number)]
        case .jobReleased(let number):
            return numbers.map { .jobReleased(number: JobNumber($0)) } + [.jobHeld(number: number)]
        case .jobOpened(let number):
            return numbers.map { .jobOpened(number: JobNumber($0)) } + [.jobStarted(number: number)]
        case .jobDependencyMet(let number, let dependency):
            return numbers.map { .jobDependencyMet(number: JobNumber($0), dependency: dependency) }
                + indexes.map { .jobDependencyMet(number: number, dependency: $0) }
        case .priorityClassPut(let spec): return damaged(spec).map { .priorityClassPut($0) }
        case .priorityClassDeleted: return ["", "nobody", "high"].map { .priorityClassDeleted(name: $0) }
        case .jobReserved(let number, let reservation):
            return numbers.map { .jobReserved(number: JobNumber($0), reservation: reservation) }
                + damaged(reservation.placement).map {
                    .jobReserved(
                        number: number,
                        reservation: Reservation(
                            cause: reservation.cause, madeAt: reservation.madeAt, movedAt: reservation.movedAt,
                            start: reservation.start, isAssumed: reservation.isAssumed, placement: $0))
                }
        case .jobUnreserved: return numbers.map { .jobUnreserved(number: JobNumber($0)) }
        case .jobSearchGivenUp: return numbers.map { .jobSearchGivenUp(number: JobNumber($0)) }
        case .jobArraySubmitted(let number, let spec):
            return numbers.map { .jobArraySubmitted(number: JobNumber($0), spec: spec) }
                + damaged(spec).map { .jobArraySubmitted(number: number, spec: $0) }
                + indexes.map { value in
                    var damaged = spec
                    damaged.array?.count = value
                    return .jobArraySubmitted(number: number, spec: damaged)
                }
        case .jobTurnCame: return numbers.map { .jobTurnCame(number: JobNumber($0)) }
        case .jobPreempting(let number, let eviction):
            func with(_ keeps: Placement) -> Fact {
                let changed = Eviction(by: eviction.by, kind: eviction.kind, deadline: eviction.deadline, keeps: keeps)
                return .jobPreempting(number: number, eviction: changed)
            }
            return numbers.map { .jobPreempting(number: JobNumber($0), eviction: eviction) }
                + (eviction.keeps.map(damaged) ?? []).map(with)
        case .jobSpared: return numbers.map { .jobSpared(number: JobNumber($0)) }
        case .jobShrunk: return numbers.map { .jobShrunk(number: JobNumber($0)) }
        case .jobCheckpointed: return numbers.map { .jobCheckpointed(number: JobNumber($0)) }
        case .jobRepairing(_, let until): return numbers.map { .jobRepairing(number: JobNumber($0), until: until) }
        case .jobRepaired(let number, let placement):
            return numbers.map { .jobRepaired(number: JobNumber($0), placement: placement) }
                + damaged(placement).map { .jobRepaired(number: number, placement: $0) }
        case .jobGrown(let number, let placement):
            return numbers.map { .jobGrown(number: JobNumber($0), placement: placement) }
                + damaged(placement).map { .jobGrown(number: number, placement: $0) }
        case .nodesChanged(let slot, let runs):
            return indexes.map { .nodesChanged(slot: PoolSlot($0), runs: runs) }
                + [.nodesChanged(slot: slot, runs: []), .nodesChanged(slot: slot, runs: runs + runs)]
                + damaged(runs).map { .nodesChanged(slot: slot, runs: $0) }
        }
    }

    /// Whether a place that is kept by a fact is given up, or another kept instead, by later ones.
    static func isUndone(_ fact: Fact, by later: ArraySlice<Fact>) -> Bool {
        guard case .jobReserved(let number, _) = fact else { return false }
        return later.contains { other in
            switch other {
            case .jobReserved(number, _), .jobUnreserved(number), .jobPlaced(number, _): true
            default: false
            }
        }
    }

    static func damaged(_ runs: [NodeStateRun]) -> [[NodeStateRun]] {
        runs.indices.flatMap { at in
            indexes.flatMap { value in
                var (moved, longer) = (runs, runs)
                moved[at].node = value
                longer[at].nodeCount = value
                return [moved, longer]
            }
        }
    }

    static func damaged(_ spec: PoolSpec) -> [PoolSpec] {
        var changes: [(inout PoolSpec) -> Void] = []
        for value in indexes {
            changes.append { $0.node.gpus = value }
            changes.append { $0.node.cpuMillis = value }
            changes.append { $0.node.memoryMiB = value }
            changes.append { $0.priceMicroUSDPerGPUHour = Int64(value) }
            changes.append { $0.sparesPerDomain = value }
            changes.append {
                $0.topology = .counts(blocks: 1, domainsPerBlock: 2, nodesPerDomain: 4, cliquesPerDomain: value)
            }
            changes.append { $0.topology = .counts(blocks: value, domainsPerBlock: 2, nodesPerDomain: 2) }
            changes.append { $0.topology = .counts(blocks: 1, domainsPerBlock: value, nodesPerDomain: value) }
            changes.append { $0.topology = .counts(blocks: value, domainsPerBlock: value, nodesPerDomain: value) }
        }
        let listing = NodeListing(name: "n", domain: "d", block: "b")
        changes.append { $0.topology = .nodes([]) }
        changes.append { $0.topology = .nodes([listing, listing]) }
        changes.append { $0.name = "alpha" }
        changes.append { $0.name = "bravo" }
        changes.append { $0.name = "" }
        changes.append {
            $0.topology = .nodes(
                (0...Bounds.nodesPerDomain).map { NodeListing(name: "\($0)", domain: "d", block: "b") })
        }
        return all(changes, of: spec)
    }

    static func damaged(_ spec: PriorityClass) -> [PriorityClass] {
        var changes: [(inout PriorityClass) -> Void] = [
            { $0.name = "" }, { $0.name = "a b" }, { $0.name = "other" },
            { $0.preemption = $0.preemption == .lower ? .never : .lower }, { $0.description += "!" },
            { $0.description = String(repeating: "d", count: Bounds.messageBytes + 1) },
        ]
        for value in indexes {
            changes.append { $0.value = value }
            changes.append { $0.minRuntimeSeconds = value }
        }
        return all(changes, of: spec)
    }

    static func damaged(_ spec: JobSpec) -> [JobSpec] {
        var changes: [(inout JobSpec) -> Void] = []
        for value in indexes {
            changes.append { $0.maxRuntimeSeconds = value }
            changes.append { $0.maxWaitSeconds = value }
            changes.append { $0.notBefore = Timestamp(nanoseconds: Int64(value)) }
            changes.append { $0.deadline = Timestamp(nanoseconds: Int64(value)) }
            changes.append { $0.priority = value }
            changes.append { $0.workers[0].count = value }
            changes.append { $0.workers[0].demand.gpus = value }
            changes.append { $0.workers[0].demand.cpuMillis = value }
            changes.append { $0.workers[0].demand.memoryMiB = value }
            changes.append { $0.workers[0].maxCount = value }
            changes.append { $0.workers[0].demand.gpuMilli = value }
            changes.append { $0.workers[0].segment = Segment(size: value, tier: .node) }
            changes.append { $0.workers[0].spread = Spread(workersPerNode: value) }
            changes.append { $0.workers[0].spread = Spread(workersPerDomain: value) }
            changes.append { $0.split = Split(maxPools: value) }
            changes.append { $0.split = Split(maxPools: 2, minWorkersPerPool: value) }
            changes.append { $0.accelerators = [Accelerator("h100", speedMilli: value)] }
            changes.append { $0.scope.patienceSeconds = value }
        }
        for tier in Tier.allCases {
            changes.append { $0.scope.required = tier }
            changes.append { $0.scope.preferred = tier }
            changes.append { $0.exclusive = tier }
            changes.append { $0.workers[0].segment = Segment(size: 1, tier: tier) }
        }
        changes.append { $0.hold.toggle() }
        changes.append { $0.priorityClass = "nobody" }
        changes.append { $0.priorityClass = "high" }
        changes.append { $0.after.append(Dependency(job: "nobody")) }
        changes.append { $0.after.append(Dependency(job: $0.id)) }
        changes.append { $0.after = (0...Bounds.dependencies).map { Dependency(job: "j\($0)") } }
        changes.append { $0.after = [Dependency(job: "j1"), Dependency(job: "j1")] }
        changes.append { $0.usesSpares.toggle() }
        changes.append { $0.scaleBySpeed.toggle() }
        changes.append { $0.id = "" }
        changes.append { $0.id = "j1" }
        changes.append { $0.tenant = "" }
        changes.append { $0.tenant = "a//b" }
        changes.append { $0.tenant = "lab/vision/a" }
        changes.append { $0.workers = [] }
        changes.append { $0.workers.append($0.workers[0]) }
        return all(changes, of: spec)
    }

    static func damaged(_ spec: TenantSpec) -> [TenantSpec] {
        var changes: [(inout TenantSpec) -> Void] = []
        for value in indexes {
            changes.append { $0.weight = value }
            changes.append { $0.maxQueuedJobs = value }
            changes.append { $0.maxRunningJobs = value }
            changes.append { $0.quotas = [Quota(unit: .microUSDPerHour, nominal: Int64(value))] }
            changes.append { $0.quotas = [Quota(unit: .microUSDPerHour, nominal: 1, borrowLimit: Int64(value))] }
            changes.append {
                $0.quotas = [Quota(unit: .gpuMilli(accelerator: "h100"), nominal: 1, lendLimit: Int64(value))]
            }
            changes.append { $0.budget = Budget(gpuHours: Int64(value)) }
            changes.append { $0.budget = Budget(microUSD: Int64(value), isHard: true) }
        }
        for path in ["", "/", "a//b", "a/", "/a", "a/b/c/d/e/f/g", String(repeating: "a", count: 129), "lab/neu"] {
            changes.append { $0.path = path }
        }
        changes.append { $0.quotas = Array(repeating: Quota(unit: .microUSDPerHour, nominal: 1), count: 65) }
        return all(changes, of: spec)
    }

    static func damaged(_ placement: Placement) -> [Placement] {
        var changes: [(inout Placement) -> Void] = []
        for value in indexes {
            changes.append { $0.parts[0].pool = PoolSlot(value) }
            changes.append { $0.parts[$0.parts.count - 1].pool = PoolSlot(value) }
            changes.append { $0.parts[0].group = value }
            changes.append { $0.parts[$0.parts.count - 1].group = value }
            changes.append { $0.parts[0].runEnd = value }
            changes.append { $0.parts[$0.parts.count - 1].runEnd = value }
            changes.append { $0.parts[0].need.gpus = value }
            changes.append { $0.parts[0].need.gpuMilli = value }
            changes.append { $0.parts[0].need.cpuMillis = value }
            changes.append { $0.parts[0].need.memoryMiB = value }
            changes.append { $0.cost.price = Int64(value) }
            changes.append { $0.cost.fragmentation = Int64(value) }
            changes.append { $0.cost.topology = Int64(value) }
        }
        for value in [UInt16(0), 1, 2, 3, 8, 16, 0x5555, 0x8000, .max] {
            changes.append { $0.runs[0].nodeCount = value }
            changes.append { $0.runs[0].gpuMask = value }
            changes.append { $0.runs[0].workers = value }
            changes.append { $0.runs[$0.runs.count - 1].gpuMask ^= value }
            changes.append { $0.runs[$0.runs.count - 1].workers ^= value }
        }
        for value in [UInt32(0), 1, 5, 1 << 20, 1 << 31, .max] {
            changes.append { $0.runs[0].node = value }
            changes.append { $0.runs[$0.runs.count - 1].node &+= value }
        }
        for tier in Tier.allCases {
            changes.append { $0.tier = tier }
            changes.append { $0.exclusive = tier }
        }
        changes.append { $0.exclusive = nil }
        changes.append { $0.runs = [] }
        changes.append { $0.parts = [] }
        changes.append { $0.parts.append($0.parts[0]) }
        changes.append { $0.parts.removeLast() }
        changes.append { $0.runs.append($0.runs[0]) }
        changes.append { $0.addRuns([NodeRun](repeating: $0.runs[0], count: 70_000)) }
        changes.append { $0.runs.removeLast() }
        changes.append { $0.addRuns([NodeRun(node: 0, nodeCount: .max, gpuMask: .max, workers: .max)]) }
        changes.append { $0.addRuns([NodeRun(node: .max, nodeCount: .max, gpuMask: 1, workers: 1)]) }
        return all(changes, of: placement)
    }

    static func all<Value: Hashable>(_ changes: [(inout Value) -> Void], of value: Value) -> [Value] {
        changes.map { change in
            var changed = value
            change(&changed)
            return changed
        }.filter { $0 != value }
    }

    @Test("No damage to any field of any fact is accepted, and none traps", arguments: 1...3)
    func damage(seed: UInt64) throws {
        let settings = Self.harness(seed, steps: 0).engine.settings
        var harness = Self.harness(seed &+ 40, steps: 60)
        var history = History(seed: seed &+ 41)
        history.percentPlaces = 15
        var kinds: Set<String> = []
        var refusals = 0
        for _ in 0..<140 {
            let image = harness.engine.state.image
            let before = harness.transactions.count
            harness.run(history.command(harness.engine.state))
            guard harness.transactions.count > before else { continue }
            let transaction = harness.transactions[before]
            for (at, fact) in transaction.facts.enumerated() {
                let kind = String(String(describing: fact).prefix { $0 != "(" })
                // What comes to nothing in the same transaction leaves no trace by which its damage could be told.
                if Self.isUndone(fact, by: transaction.facts[(at + 1)...]) { continue }
                // Each kind a few times is enough, for each needs an engine for each damage.
                guard kinds.insert("\(kind) \(kinds.count { $0.hasPrefix(kind) } % 2)").inserted else { continue }
                for damaged in Self.damaged(fact) where damaged != fact {
                    var wrong = transaction
                    wrong.facts[at] = damaged
                    refusals += 1
                    var engine = try Engine(image: image, settings: settings)
                    do throws(ReplayError) {
                        try engine.replay(wrong)
                        Issue.record("seed \(seed): \(damaged) was accepted")
                    } catch {
                        if case .revisionGap = error { Issue.record("\(error)") }
                    }
                }
            }
        }
        #expect(refusals > 300, "seed \(seed)")
        #expect(kinds.count >= 6, "seed \(seed): \(kinds)")
    }

    @Test("Facts of another time are refused or lead to another digest, and never trap", arguments: 1...6)
    func foreignFacts(seed: UInt64) throws {
        let harness = Self.harness(seed &+ 80, steps: 150)
        let foreign = Self.harness(seed &+ 81, steps: 150)
        let image = harness.engine.state.image
        for facts in [foreign.transactions, harness.transactions].map({ $0.flatMap(\.facts) }) {
            for fact in facts {
                var engine = try Engine(image: image, settings: harness.engine.settings)
                let transaction = Transaction(
                    firstRevision: image.revision + 1, at: image.at, facts: [fact], stateDigest: image.digest)
                #expect(throws: ReplayError.self, "seed \(seed) \(fact)") { try engine.replay(transaction) }
            }
        }
    }

    @Test("Damaged images are refused and never trap", arguments: 1...2)
    func damagedImages(seed: UInt64) throws {
        let harness = Self.harness(seed &+ 120, steps: 120, percentArrays: 0)
        let image = harness.engine.state.image
        _ = try Engine(image: image)
        func expectRefused(_ comment: String, _ change: (inout StateImage) -> Void) {
            var changed = image
            change(&changed)
            #expect(throws: ReplayError.self, "seed \(seed) \(comment)") { _ = try Engine(image: changed) }
        }
        for (at, pool) in image.pools.enumerated().prefix(2) {
            for spec in Self.damaged(pool.spec) { expectRefused("\(spec)") { $0.pools[at].spec = spec } }
            for node in Self.indexes where !(0...3 ~= node) {
                expectRefused("node \(node)") { $0.pools[at].unready.append((node: node, state: .down)) }
            }
            expectRefused("deleted") { $0.pools[at].isDeleted.toggle() }
        }
        for (at, job) in image.jobs.enumerated().prefix(6) {
            func changed(_ spec: JobSpec, _ life: JobLife) -> Job { Job(number: job.number, spec: spec, life: life) }
            for spec in Self.damaged(job.spec) { expectRefused("\(spec)") { $0.jobs[at] = changed(spec, job.life) } }
            for number in Self.numbers where number != job.number.value {
                let other = Job(number: JobNumber(number), spec: job.spec, life: job.life)
                expectRefused("number \(number)") { $0.jobs[at] = other }
            }
            for state in JobState.allCases where state != job.state {
                var life = job.life
                life.state = state
                expectRefused("\(job.state) as \(state)") { $0.jobs[at] = changed(job.spec, life) }
            }
            let lives: [(inout JobLife) -> Void] = [
                { $0.isHeld.toggle() }, { $0.isEarly.toggle() }, { $0.unmet ^= 1 }, { $0.unmet ^= 1 << 63 },
                { $0.priority += 1 }, { $0.priority = -1 }, { $0.priority = 1001 }, { $0.minRuntimeSeconds = -1 },
                { $0.preemption = $0.preemption == .lower ? .never : .lower }, { $0.endCause = nil },
                { $0.endCause = .caller }, { $0.endCause = .maxWait }, { $0.openedAt.nanoseconds += 1 },
            ]
            for life in Self.all(lives, of: job.life) {
                expectRefused("\(life)") { $0.jobs[at] = changed(job.spec, life) }
            }
            guard let placement = job.life.placement else { continue }
            for placement in Self.damaged(placement) {
                var life = job.life
                life.placement = placement
                expectRefused("\(placement)") { $0.jobs[at] = changed(job.spec, life) }
            }
        }
        for (at, tenant) in image.tenants.enumerated() {
            guard let tenant else { continue }
            expectRefused("path") { $0.tenants[at]?.path = "no//where" }
            expectRefused("gone") { $0.tenants[at] = nil }
            expectRefused("twice") { $0.tenants.append(tenant) }
            for spec in tenant.spec.map(Self.damaged) ?? [] { expectRefused("\(spec)") { $0.tenants[at]?.spec = spec } }
            for value in [Int128.min, -1, 1 << 90, .max] {
                expectRefused("\(value)") { $0.tenants[at]?.meter.remembered[0] = value }
                expectRefused("\(value)") { $0.tenants[at]?.meter.area[2] = value }
            }
            for value in [Int64.min, .max] {
                expectRefused("\(value)") { $0.tenants[at]?.meter.settledAt.nanoseconds = value }
            }
        }
        for value in Self.indexes { expectRefused("\(value)") { $0.fairShare.halfLifeSeconds = value } }
        for (at, known) in image.priorityClasses.enumerated() {
            for spec in Self.damaged(known.spec) { expectRefused("\(spec)") { $0.priorityClasses[at].spec = spec } }
            expectRefused("class twice") { $0.priorityClasses.append($0.priorityClasses[at]) }
        }
        expectRefused("no classes") { $0.priorityClasses = [] }
        expectRefused("twice") { $0.jobs.append($0.jobs[0]) }
        expectRefused("next number") { $0.nextJobNumber = 1 }
    }

    @Test(
        "A place that names a node twice, one that is cordoned, and a tier that is not so are refused for what they are"
    )
    func subtlePlaces() throws {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", domains: 2, nodes: 4)))
        harness.run(.changeNode(pool: "p", node: "b00/d000/n03", action: .cordon))
        let image = harness.engine.state.image
        harness.submit("a", workers: 3, scope: .block)
        let transaction = try #require(harness.transactions.last)
        guard case .jobPlaced(let number, let placement) = transaction.facts[1] else { return }
        func refusal(_ tier: Tier, _ runs: [NodeRun]) throws -> ReplayError? {
            var wrong = transaction
            var other = placement
            other.tier = tier
            other.runs = runs
            other.parts[0].runEnd = runs.count
            wrong.facts[1] = .jobPlaced(number: number, placement: other)
            var engine = try Engine(image: image)
            do throws(ReplayError) {
                try engine.replay(wrong)
                return nil
            } catch {
                return error
            }
        }
        func run(_ node: UInt32, _ nodes: UInt16) -> NodeRun {
            NodeRun(node: node, nodeCount: nodes, gpuMask: 255, workers: 1)
        }
        #expect(try refusal(.domain, [run(0, 3)]) == nil)
        let revision = transaction.lastRevision
        for (tier, runs, words) in [
            (Tier.domain, [run(0, 2), run(1, 1)], "job a has a GPU twice"),
            (.domain, [run(1, 1), run(0, 2)], "job a has a GPU twice"),
            (.domain, [run(1, 3)], "node 3 accepts no work"),
            (.block, [run(0, 3)], "job a is spread over a domain"),
            (.domain, [run(2, 1), run(4, 2)], "job a is spread over a block"),
            (.domain, [run(0, 2)], "job a has 2 of 3 workers"),
        ] {
            let found = try refusal(tier, runs)
            #expect(found == .impossibleFact(revision: revision, words))
        }
    }

    @Test("A gap, a wrong digest, a time that goes back and an impossible fact are each named")
    func errors() throws {
        let harness = Self.harness(7, steps: 80)
        func refusal(_ change: (inout [Transaction]) -> Void) -> ReplayError? {
            var transactions = harness.transactions
            change(&transactions)
            var engine = Engine(settings: harness.engine.settings)
            do throws(ReplayError) {
                for transaction in transactions { try engine.replay(transaction) }
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal { _ in } == nil)
        let third = harness.transactions[2]
        let fourth = harness.transactions[3]
        #expect(
            refusal { $0.remove(at: 2) }
                == .revisionGap(expected: third.firstRevision, found: fourth.firstRevision))
        #expect(
            refusal { $0.insert(third, at: 3) }
                == .revisionGap(expected: fourth.firstRevision, found: third.firstRevision))
        #expect(refusal { $0[2].stateDigest ^= 1 } == .digestMismatch(revision: third.lastRevision))
        guard
            case .impossibleFact(third.firstRevision, _)? = refusal({
                $0[2].facts[0] = .jobStarted(number: JobNumber(99))
            })
        else {
            Issue.record("an impossible fact was accepted")
            return
        }
        guard case .impossibleFact(third.firstRevision, _)? = refusal({ $0[2].at = Timestamp(nanoseconds: 0) }) else {
            Issue.record("time went back")
            return
        }
    }
}

extension Placement {
    /// Adds runs to the last part.
    fileprivate mutating func addRuns(_ more: [NodeRun]) {
        runs += more
        parts[parts.count - 1].runEnd = runs.count
    }
}
