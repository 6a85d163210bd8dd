// The arrays of one state by number and by id, as a value that readers may keep while the writer goes on. Counts follow from the
// tasks, but for those of tasks that were forgotten.

import HashTreeCollections
public import Model

/// The fixed part of an array.
public final class JobArrayInfo: Sendable {
    /// That of the first task comes next.
    public let number: JobNumber
    /// A task, but for its id, which is that of the array.
    public let spec: JobSpec
    public let array: JobArray
    let specDigest: UInt64

    init(number: JobNumber, spec: JobSpec, array: JobArray) {
        self.number = number
        self.spec = spec
        self.array = array
        specDigest = spec.digest
    }

    public func taskNumber(_ index: Int) -> JobNumber { JobNumber(number.value + 1 + UInt64(index)) }
    public var lastNumber: JobNumber { taskNumber(array.count - 1) }
}

/// An array as long as one of its tasks is remembered.
public struct JobArrayRecord: Sendable {
    public let info: JobArrayInfo
    /// Tasks in each state, by `JobState.rawValue`, with those that ended and were forgotten.
    public internal(set) var tasksByState = [Int](repeating: 0, count: JobState.allCases.count)
    /// Queued tasks whose turn has not come.
    public internal(set) var waitingForTurn = 0
    /// Tasks that ended and were forgotten, by `JobEnd.rawValue`.
    var forgotten = [Int](repeating: 0, count: JobEnd.allCases.count)
    /// The turn of no task before this one is yet to come.
    var nextTask = 0

    init(_ info: JobArrayInfo) { self.info = info }

    public func count(of state: JobState) -> Int { tasksByState[Int(state.rawValue)] }

    public var ended: Int { JobEnd.allCases.reduce(0) { $0 + count(of: $1.state) } }
    var forgottenTasks: Int { forgotten.reduce(0, +) }

    /// Tasks whose turn has come and that have not ended.
    public var inTurn: Int { tasksByState.reduce(0, +) - ended - waitingForTurn }

    /// Whether the turn of one more task comes.
    var hasTurn: Bool { waitingForTurn > 0 && inTurn < info.array.maxParallel }

    /// How the whole array ended: well if all its tasks did. Nil while one has not ended.
    public var end: JobEnd? {
        guard ended == info.array.count else { return nil }
        if count(of: .succeeded) == ended { return .succeeded }
        return count(of: .failed) > 0 ? .failed : .cancelled
    }

    /// The part of the state digest of this array.
    var digest: UInt64 {
        var digest = Digest(seed: 8)
        digest.add(info.number.value)
        digest.add(info.specDigest)
        for count in forgotten { digest.add(count) }
        return digest.value
    }
}

/// All arrays.
public struct ArrayTable: Sendable {
    private var records = TreeDictionary<JobNumber, JobArrayRecord>()
    private var numbers = TreeDictionary<String, JobNumber>()

    public var count: Int { records.count }

    public subscript(number: JobNumber) -> JobArrayRecord? { records[number] }
    public subscript(id: String) -> JobArrayRecord? { numbers[id].flatMap { records[$0] } }

    /// By rising number. Cost: all arrays.
    var inOrder: [JobArrayRecord] { records.values.sorted { $0.info.number < $1.info.number } }

    mutating func put(_ record: JobArrayRecord) {
        records[record.info.number] = record
        numbers[record.info.spec.id] = record.info.number
    }

    mutating func remove(_ record: JobArrayRecord) {
        records[record.info.number] = nil
        numbers[record.info.spec.id] = nil
    }

    /// Takes note of a task that came or went. Nothing for another job.
    mutating func count(_ task: Job, by change: Int) {
        guard task.spec.array != nil, let number = task.arrayNumber else { return }
        records[number]?.tasksByState[Int(task.state.rawValue)] += change
        if task.state == .queued && task.life.awaitsTurn { records[number]?.waitingForTurn += change }
    }

    mutating func noteTurn(of task: Job) {
        guard let number = task.arrayNumber, let index = task.taskIndex else { return }
        records[number]?.nextTask = index + 1
    }
}

extension State {
    /// A job or an array that others may wait for.
    struct Awaited {
        let number: JobNumber
        let id: String
        let isArray: Bool
        /// Once it ended.
        let end: JobState?
    }

    func awaited(_ id: String) -> Awaited? {
        if let job = jobs[id] { return Awaited(job) }
        return arrays[id].map { Awaited($0) }
    }

    func awaited(_ number: JobNumber) -> Awaited? {
        if let job = jobs[number] { return Awaited(job) }
        return arrays[number].map { Awaited($0) }
    }
}

extension State.Awaited {
    fileprivate init(_ job: Job) {
        self.init(number: job.number, id: job.id, isArray: false, end: job.state.hasEnded ? job.state : nil)
    }

    fileprivate init(_ record: JobArrayRecord) {
        self.init(number: record.info.number, id: record.info.spec.id, isArray: true, end: record.end?.state)
    }
}
