// The bodies about jobs as values of the model: a submit, and a finish.

public import JSON
public import Model

extension JobSpec {
    /// Reads a job. Its mistakes are the reader's.
    public init(_ reader: inout ObjectReader) {
        self.init(
            id: reader.optionalName("id") ?? "",
            name: reader.optionalString("name", maxBytes: Bounds.nameBytes) ?? "",
            tenant: reader.optionalName("tenant") ?? "default",
            priority: reader.optionalInteger("priority", in: 0...Bounds.priority) ?? 0,
            workers: WorkerGroup.groups(&reader),
            accelerators: reader.names("accelerators"),
            scope: reader.optionalWord("scope", Words.scopes) ?? .pool,
            allow: reader.optionalObject("allow") { PlaceList(&$0) } ?? PlaceList(),
            deny: reader.optionalObject("deny") { PlaceList(&$0) } ?? PlaceList(),
            maxRuntimeSeconds: reader.optionalInteger("maxRuntimeSeconds", in: 1...Bounds.runtimeSeconds),
            labels: reader.labels())
    }
}

extension WorkerGroup {
    /// The one group that a job has.
    static func groups(_ reader: inout ObjectReader) -> [WorkerGroup] {
        let groups = reader.objects("workers") { WorkerGroup(&$0) }
        if groups.count != 1 && reader.has("workers") {
            reader.mistake(
                .outOfRange, "workers", "Give exactly one group of equal workers; there are \(groups.count).")
        }
        return groups
    }

    init(_ reader: inout ObjectReader) {
        self.init(
            name: reader.optionalName("name") ?? "worker",
            count: reader.integer("count", in: 1...Bounds.workersPerJob),
            demand: Demand(
                gpus: reader.integer("gpus", in: 1...Bounds.gpusPerNode),
                cpuMillis: reader.optionalInteger("cpuMillis", in: 0...Bounds.cpuMillisPerNode),
                memoryMiB: reader.optionalInteger("memoryMiB", in: 0...Bounds.memoryMiBPerNode)))
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

/// What names may be, as a sentence about what is expected and as a check.
enum Rule {
    static let name = "1 to 128 letters, digits, '.', '_' and '-' that begin with a letter or digit"
    static let nodeName = name + ", in parts separated by '/'"
    static let region = "a region's name, alone or behind its provider's name and '/'"

    /// `us-central1` or `google/us-central1`.
    static func isRegion(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { Names.isValid(String($0)) }
    }
}

extension ObjectReader {
    mutating func name(_ field: StaticString) -> String? { parsed(field, Rule.name) { Names.isValid($0) ? $0 : nil } }

    mutating func optionalName(_ field: StaticString) -> String? {
        optionalParsed(field, Rule.name) { Names.isValid($0) ? $0 : nil }
    }

    /// Names that differ from one another; none where the field is absent.
    mutating func names(
        _ field: StaticString, _ expected: String = Rule.name, maxBytes: Int = Bounds.nameBytes,
        _ isValid: (String) -> Bool = Names.isValid
    ) -> [String] {
        var seen: [String] = []
        return optionalArray(field, count: 0...Bounds.listEntries) { element in
            let name = element.parsed(expected, maxBytes: maxBytes) { isValid($0) ? $0 : nil } ?? ""
            if !name.isEmpty && seen.contains(name) {
                element.mistake(.duplicate, "Leave this '\(name)' out: it stands in the list before.")
            }
            seen.append(name)
            return name
        } ?? []
    }

    /// One of a closed set of words.
    mutating func word<Value>(_ field: StaticString, _ words: Words<Value>) -> Value? {
        parsed(field, words.expected) { words[$0] }
    }

    mutating func optionalWord<Value>(_ field: StaticString, _ words: Words<Value>) -> Value? {
        optionalParsed(field, words.expected) { words[$0] }
    }

    mutating func labels() -> [Label] {
        let entries =
            optionalStringMap(
                "labels", maxEntries: Bounds.labels, maxNameBytes: Bounds.nameBytes,
                maxValueBytes: Bounds.labelValueBytes) ?? []
        for (name, _) in entries where !Names.isValidNodeName(name) {
            mistake(.invalid, "labels", "Name the label '\(name)' with \(Rule.nodeName).")
        }
        return entries.map { Label(name: $0.0, value: $0.1) }
    }
}
