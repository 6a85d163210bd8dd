// The body of a submit as a JobSpec, with every mistake of it.

public import JSON
public import Model

extension JobSpec {
    /// Reads a job. Nil where the body has mistakes, which are then in `mistakes`.
    public init?(_ value: JSONValue, at pointer: Pointer = .root, _ mistakes: Mistakes) {
        let before = mistakes.list.count
        var fields = Fields(value, at: pointer, mistakes)
        let id = fields.name("id")
        let name = fields.string("name", maxBytes: Bounds.nameBytes)
        let tenant = fields.name("tenant")
        let priority = fields.integer("priority", in: 0...Bounds.priority)
        var groups: [WorkerGroup] = []
        if let workers = fields.array("workers", required: true) {
            if workers.count == 1 {
                groups = workers.compactMap { WorkerGroup($0.value, at: $0.pointer, mistakes) }
            } else {
                mistakes.add(
                    fields.pointer("workers"), .outOfRange,
                    "has \(workers.count) groups; a job has exactly one group of equal workers")
            }
        }
        let accelerators = fields.strings("accelerators", maxCount: Bounds.listEntries, check: Rule.name)
        let scope = fields.word("scope", Scope.allCases.map { ($0.tier.name, $0) })
        let allow = PlaceList(fields.object("allow"))
        let deny = PlaceList(fields.object("deny"))
        let maxRuntimeSeconds = fields.integer("maxRuntimeSeconds", in: 1...Bounds.runtimeSeconds)
        let labels = fields.labels()
        fields.finish()
        guard mistakes.list.count == before, mistakes.leftOut == 0 else { return nil }
        self.init(
            id: id ?? "", name: name ?? "", tenant: tenant ?? "default", priority: priority ?? 0, workers: groups,
            accelerators: accelerators ?? [], scope: scope ?? .pool, allow: allow, deny: deny,
            maxRuntimeSeconds: maxRuntimeSeconds, labels: labels)
    }
}

extension WorkerGroup {
    init?(_ value: JSONValue, at pointer: Pointer, _ mistakes: Mistakes) {
        var fields = Fields(value, at: pointer, mistakes)
        let name = fields.name("name")
        let count = fields.integer("count", in: 1...Bounds.workersPerJob, required: true)
        let gpus = fields.integer("gpus", in: 1...Bounds.gpusPerNode, required: true)
        let cpuMillis = fields.integer("cpuMillis", in: 0...Bounds.cpuMillisPerNode)
        let memoryMiB = fields.integer("memoryMiB", in: 0...Bounds.memoryMiBPerNode)
        fields.finish()
        guard let count, let gpus else { return nil }
        self.init(
            name: name ?? "worker", count: count, demand: Demand(gpus: gpus, cpuMillis: cpuMillis, memoryMiB: memoryMiB)
        )
    }
}

extension PlaceList {
    init(_ fields: Fields?) {
        guard var fields else {
            self.init()
            return
        }
        let providers = fields.strings("providers", maxCount: Bounds.listEntries, check: Rule.name)
        let regions = fields.strings("regions", maxCount: Bounds.listEntries, maxBytes: 257, check: Rule.region)
        let pools = fields.strings("pools", maxCount: Bounds.listEntries, check: Rule.name)
        fields.finish()
        // The lists are sets: in one order, equal ones make equal jobs.
        self.init(
            providers: (providers ?? []).sorted(), regions: (regions ?? []).sorted(), pools: (pools ?? []).sorted())
    }
}

/// The body of a finish.
struct Finish {
    var end: JobEnd
    var message: String

    init?(_ value: JSONValue, _ mistakes: Mistakes) {
        var fields = Fields(value, mistakes)
        let end = fields.word("result", [("succeeded", JobEnd.succeeded), ("failed", JobEnd.failed)], required: true)
        let message = fields.string("message", maxBytes: Bounds.messageBytes)
        fields.finish()
        guard let end, mistakes.isEmpty else { return nil }
        self.end = end
        self.message = message ?? ""
    }
}

/// Checks of single values, each nil or a sentence of what is wrong.
enum Rule {
    static let nameRule =
        "must be 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit"

    static func name(_ text: String) -> String? { Names.isValid(text) ? nil : nameRule }

    static func nodeName(_ text: String) -> String? {
        Names.isValidNodeName(text) ? nil : nameRule + ", in parts separated by '/'"
    }

    /// A region's name, alone or behind its provider's: `us-central1`, `google/us-central1`.
    static func region(_ text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { Names.isValid(String($0)) }
            ? nil : "must be a region's name, or a provider's name, '/' and a region's name"
    }

    static func label(_ text: String) -> String? { nodeName(text).map { "the label's name " + $0 } }
}

extension Fields {
    mutating func name(_ name: String, required isRequired: Bool = false) -> String? {
        guard let text = string(name, required: isRequired, maxBytes: Bounds.nameBytes) else { return nil }
        if let fault = Rule.name(text) {
            mistakes.add(pointer(name), .invalid, fault)
            return nil
        }
        return text
    }

    mutating func labels() -> [Label] {
        let entries = stringMap(
            "labels", maxCount: Bounds.labels, maxBytes: Bounds.labelValueBytes, check: Rule.label)
        return (entries ?? []).map { Label(name: $0.name, value: $0.value) }
    }
}
