// The bodies about jobs as values of the model: a submit, and a finish. Rules that span several fields are looked at only where
// these fields are right in themselves, so that no mistake follows from another.

public import JSON
public import Model

extension JobSpec {
    /// Reads a job. Its mistakes are the reader's.
    public init(_ reader: inout ObjectReader) {
        self.init(
            id: reader.optionalName("id") ?? "",
            name: reader.optionalString("name", maxBytes: Bounds.nameBytes) ?? "",
            tenant: reader.optionalParsed("tenant", Rule.tenant) { TenantPath.isValid($0) ? $0 : nil } ?? "default",
            priority: reader.optionalInteger("priority", in: 0...Bounds.priority) ?? 0,
            priorityClass: reader.optionalName("priorityClass") ?? "", workers: [])
        let before = reader.mistakeCount
        workers = WorkerGroup.groups(&reader)
        let afterWorkers = reader.mistakeCount
        accelerators = Accelerator.list(&reader)
        scaleBySpeed = reader.optionalBoolean("scaleBySpeed") ?? false
        let beforeScope = reader.mistakeCount
        scope = Scope(&reader)
        split = reader.optionalObject("split") { Split(&$0) }
        exclusive = reader.optionalWord("exclusive", Words.exclusives)
        let afterScope = reader.mistakeCount
        isPreemptible = reader.optionalBoolean("preemptible") ?? false
        usesSpares = reader.optionalBoolean("usesSpares") ?? false
        allow = reader.optionalObject("allow") { PlaceList(&$0) } ?? PlaceList()
        deny = reader.optionalObject("deny") { PlaceList(&$0) } ?? PlaceList()
        maxRuntimeSeconds = reader.optionalInteger("maxRuntimeSeconds", in: 1...Bounds.runtimeSeconds)
        labels = reader.labels()
        readGates(&reader)
        if afterScope == beforeScope {
            checkSplit(reader)
            if afterWorkers == before { checkGroups(&reader) }
        }
        checkFlags(reader)
        array = reader.optionalObject("array") { JobArray(&$0) }
        checkTaskIDs(reader)
    }

    private func checkTaskIDs(_ reader: borrowing ObjectReader) {
        guard let array, Self.taskID(array.count - 1, of: id).utf8.count > Bounds.nameBytes else { return }
        reader.mistake(
            .invalid, "id",
            "Shorten the id: those of the tasks are it, a dot and their index, in at most \(Bounds.nameBytes) bytes.")
    }

    private mutating func readGates(_ reader: inout ObjectReader) {
        hold = reader.optionalBoolean("hold") ?? false
        notBefore = reader.optionalMoment("notBefore")
        after = Dependency.list(&reader)
        maxWaitSeconds = reader.optionalInteger("maxWaitSeconds", in: 1...Bounds.runtimeSeconds)
        deadline = reader.optionalMoment("deadline")
        if !priorityClass.isEmpty && reader.has("priority") {
            reader.mistake(
                .invalid, "priorityClass",
                "Give either 'priority' or 'priorityClass': the class has a priority of its own."
            )
        }
        // What the present time makes impossible besides is told when the job is decided.
        if let deadline, let notBefore {
            let mistake = SubmitMistake.deadlineTooEarly(
                deadline: deadline, earliestEnd: earliestEnd(submittedAt: notBefore))
            if latestStart.map({ $0 < notBefore }) ?? false { reader.mistake(.invalid, "deadline", mistake.sentence) }
        }
    }

    private func checkSplit(_ reader: borrowing ObjectReader) {
        guard split != nil && scope.required < .region else { return }
        reader.mistake(
            .invalid, "scope",
            "Widen the scope to region, provider or fleet, or leave 'split' out: a gang within one \(scope.required.name) is in one pool."
        )
    }

    /// What a group asks for must be possible within the scope.
    private func checkGroups(_ reader: inout ObjectReader) {
        if workers.reduce(0, { $0 + $1.maxCount }) > Bounds.workersPerJob {
            reader.mistake(
                .outOfRange, "workers",
                "Ask for at most \(Bounds.workersPerJob) workers in all groups together, each counted with its most.")
        }
        guard let elements = reader.field("workers")?.array({ $0 }) else { return }
        for (group, element) in zip(workers, elements) {
            if let tier = group.segment?.tier, tier > scope.required {
                element.mistake(
                    .invalid,
                    "Widen 'scope' to \(tier.name), or give the segment a tier of at most \(scope.required.name): the whole gang is within one \(scope.required.name)."
                )
            }
            // Scaled by speed there may be fewer.
            if scaleBySpeed { continue }
            for (field, most, tier) in group.spread.limits where scope.required <= tier && group.count > most {
                element.mistake(
                    .invalid,
                    "Widen 'scope', or raise '\(field)' to \(group.count): the whole gang is within one \(scope.required.name)."
                )
            }
        }
    }

    private func checkFlags(_ reader: borrowing ObjectReader) {
        if scaleBySpeed && !reader.has("accelerators") {
            reader.mistake(
                .missing, "accelerators",
                "List the accelerators with a 'speedMilli' each, or leave 'scaleBySpeed' out: without them all are equally fast."
            )
        }
        if usesSpares && !isPreemptible {
            reader.mistake(
                .invalid, "usesSpares",
                "Add \"preemptible\": true, or leave 'usesSpares' out: what stands on spare nodes must give way when others fail."
            )
        }
    }
}

extension Spread {
    /// What is given: the field, its value and the tier it is about.
    var limits: [(field: String, most: Int, tier: Tier)] {
        var limits: [(String, Int, Tier)] = []
        if let workersPerNode { limits.append(("spread.workersPerNode", workersPerNode, .node)) }
        if let workersPerDomain { limits.append(("spread.workersPerDomain", workersPerDomain, .domain)) }
        return limits
    }
}

extension Dependency {
    /// Objects only: what a bare name would wait for is easily taken for something else.
    static func list(_ reader: inout ObjectReader) -> [Dependency] {
        var seen: Set<String> = []
        return reader.optionalArray("after", count: 0...Bounds.dependencies) { element in
            let dependency = element.object { Dependency(&$0) }
            if !dependency.job.isEmpty && !seen.insert(dependency.job).inserted {
                element.mistake(.duplicate, "Leave this '\(dependency.job)' out: it stands in the list before.")
            }
            return dependency
        } ?? []
    }

    private init(_ reader: inout ObjectReader) {
        self.init(
            job: reader.name("job") ?? "", condition: reader.optionalWord("condition", Words.conditions) ?? .succeeded)
    }
}

extension Accelerator {
    /// Each a model's name, or an object of model and speed.
    static func list(_ reader: inout ObjectReader) -> [Accelerator] {
        var seen: Set<String> = []
        return reader.optionalArray("accelerators", count: 0...Bounds.listEntries) { element in
            let accelerator =
                element.value.kind == .object
                ? element.object { Accelerator(&$0) }
                : Accelerator(
                    element.parsed(Rule.name, maxBytes: Bounds.nameBytes) { Names.isValid($0) ? $0 : nil } ?? "")
            if !accelerator.model.isEmpty && !seen.insert(accelerator.model).inserted {
                element.mistake(.duplicate, "Leave this '\(accelerator.model)' out: it stands in the list before.")
            }
            return accelerator
        } ?? []
    }

    private init(_ reader: inout ObjectReader) {
        self.init(
            reader.name("model") ?? "",
            speedMilli: reader.optionalInteger("speedMilli", in: Bounds.speedMilli) ?? 1000)
    }
}

extension Scope {
    /// The job's `scope`: a tier's name, or an object. Where it says no tier, one pool, or the fleet for a job with `split`.
    fileprivate init(_ job: inout ObjectReader) {
        let usual: Tier = job.has("split") ? .fleet : .pool
        guard let field = job.field("scope") else {
            self.init(usual)
            return
        }
        if field.value.kind == .object {
            self = field.object { Scope(&$0, usual) }
        } else {
            self.init(field.parsed(Words.tiers.expected) { Words.tiers[$0] } ?? usual)
        }
    }

    private init(_ reader: inout ObjectReader, _ usual: Tier) {
        self.init(
            reader.optionalWord("required", Words.tiers) ?? usual,
            preferred: reader.optionalWord("preferred", Words.tiers),
            patienceSeconds: reader.optionalInteger("patienceSeconds", in: 0...Bounds.patienceSeconds) ?? 0)
        if let preferred, preferred >= required {
            reader.mistake(
                .invalid, "preferred",
                "Prefer a smaller tier than the one required, \(required.name), or leave 'preferred' out.")
        }
        if patienceSeconds > 0 && !reader.has("preferred") {
            reader.mistake(
                .invalid, "patienceSeconds",
                "Say for what the job waits with 'preferred', or leave 'patienceSeconds' out.")
        }
    }
}

extension Split {
    fileprivate init(_ reader: inout ObjectReader) {
        self.init(
            maxPools: reader.integer("maxPools", in: 2...Bounds.poolsPerSplit),
            minWorkersPerPool: reader.optionalInteger("minWorkersPerPool", in: 1...Bounds.workersPerJob) ?? 1)
    }
}

extension PlaceList {
    init(_ reader: inout ObjectReader) {
        // The lists are sets: in one order, equal ones make equal jobs.
        self.init(
            providers: reader.names("providers").sorted(),
            regions: reader.names("regions", Rule.region, maxBytes: 2 * Bounds.nameBytes + 1, Rule.isRegion).sorted(),
            pools: reader.names("pools").sorted())
    }
}

/// The body of a finish.
struct Finish: Sendable {
    var end: JobEnd
    var message: String

    init(_ reader: inout ObjectReader) {
        end = reader.word("result", Words.ends) ?? .failed
        message = reader.optionalString("message", maxBytes: Bounds.messageBytes) ?? ""
    }
}

extension JobArray {
    fileprivate init(_ reader: inout ObjectReader) {
        let count = reader.integer("count", in: 1...Bounds.tasksPerArray)
        self.init(count: count, maxParallel: reader.optionalInteger("maxParallel", in: 1...Bounds.tasksPerArray))
    }
}
