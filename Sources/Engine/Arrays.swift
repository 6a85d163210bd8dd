// Arrays of jobs: how their tasks come together, how the turns of those beyond `maxParallel` come, and how all end at once.
// A task has its turn from then on until it ends, whether it waits, holds capacity or went back to the queue.

import Model

/// The arrays of which the turn of one more task comes.
struct ArrayTurns {
    /// By rising number.
    private var due: [JobNumber] = []

    /// Of arrays whose next task is to have its turn, the one that came first.
    var next: JobNumber? { due.first }

    mutating func set(_ array: JobNumber, _ isDue: Bool) {
        let at = due.firstIndex { $0 >= array } ?? due.count
        let isThere = at < due.count && due[at] == array
        if isDue && !isThere { due.insert(array, at: at) }
        if !isDue && isThere { due.remove(at: at) }
    }
}

extension Engine {
    /// What is there under the id of a job or array that comes: itself, or another that has its id or that of one of its tasks.
    func known(_ spec: JobSpec) -> Outcome? {
        if spec.id.isEmpty { return nil }
        let taken = Outcome.refused(.idInUse(id: spec.id))
        if let job = state.jobs[spec.id] {
            return job.spec == spec && job.taskIndex == nil ? .job(job, created: false) : taken
        }
        if let record = state.arrays[spec.id] {
            return record.info.spec == spec ? .array(id: spec.id, created: false) : taken
        }
        return takenTask(of: spec, id: spec.id).map { .refused(.idInUse(id: $0)) }
    }

    /// The id of the first task that another job has.
    func takenTask(of spec: JobSpec, id: String) -> String? {
        guard let array = spec.array else { return nil }
        let index = (0..<array.count).first { state.jobs[JobSpec.taskID($0, of: id)] != nil }
        return index.map { JobSpec.taskID($0, of: id) }
    }

    /// Makes the tasks of an array. Cost: those of so many jobs.
    mutating func applyArray(_ number: JobNumber, _ spec: JobSpec, at: Timestamp) {
        guard let array = spec.array else { preconditionFailure("an array says how many tasks it has") }
        let info = JobArrayInfo(number: number, spec: spec, array: array)
        state.put(JobArrayRecord(info))
        state.nextJobNumber = info.lastNumber.value + 1
        var life = firstLife(of: spec, at: at)
        for index in 0..<array.count {
            life.awaitsTurn = index >= array.maxParallel
            let job = Job(number: info.taskNumber(index), spec: spec.task(index), life: life)
            state.insert(job)
            enterQueue(job)
            noteDemand(job.spec)
        }
    }

    /// Takes note of what a change of a task means for its array.
    mutating func noteTurns(of job: Job) {
        guard let number = job.arrayNumber, let record = state.arrays[number] else { return }
        turns.set(number, record.hasTurn)
        if record.end != nil { dependents.noteEnd(of: number) }
    }

    /// The first task of an array whose turn is yet to come.
    func nextTurn(of record: JobArrayRecord) -> JobNumber? {
        let index = (record.nextTask..<record.info.array.count).first { index in
            let job = state.jobs[record.info.taskNumber(index)]
            return job.map { $0.state == .queued && $0.life.awaitsTurn } ?? false
        }
        return index.map { record.info.taskNumber($0) }
    }

    mutating func giveTurn(_ array: JobNumber, at: Timestamp) {
        guard let record = state.arrays[array], let number = nextTurn(of: record) else {
            preconditionFailure("a turn comes for no task")
        }
        emit(.jobTurnCame(number: number), at: at)
    }

    /// Whether nothing may be forgotten of a job that ended, for others are to be judged by its end or that of its array.
    func isAwaited(_ number: JobNumber) -> Bool {
        if dependents.isAwaited(number) { return true }
        // With its last task an array is forgotten.
        guard let array = state.jobs[number]?.arrayNumber, let record = state.arrays[array] else { return false }
        return record.forgottenTasks + 1 == record.info.array.count && dependents.isAwaited(array)
    }

    /// Cancels all tasks that have not ended, those that wait for their turn first. Said again, nothing is left to do.
    mutating func cancelArray(_ id: String, at: Timestamp) -> Outcome {
        guard let record = state.arrays[id] else { return .refused(.arrayNotFound(id: id)) }
        for index in (0..<record.info.array.count).reversed() {
            guard let job = state.jobs[record.info.taskNumber(index)], !job.state.hasEnded else { continue }
            emit(.jobEnded(number: job.number, end: .cancelled, cause: .caller, message: ""), at: at)
        }
        for _ in 0..<record.info.array.count / 8 + 1 { forgetSurplus(at: at) }
        schedule(at: at)
        return .array(id: id, created: false)
    }

    // MARK: From a snapshot

    /// Puts an array of a snapshot in, before its tasks.
    mutating func restore(_ image: JobArrayImage, after last: JobNumber) -> String? {
        let id = image.spec.id
        guard let array = image.spec.array, image.number > last, image.number.value < 1 << 48 else {
            return "array \(id) is out of order"
        }
        if let fault = faultOfArray(image.spec, array, image.number) { return fault }
        guard image.forgotten.count == JobEnd.allCases.count,
            image.forgotten.allSatisfy({ 0..<array.count ~= $0 }), image.forgotten.reduce(0, +) < array.count
        else { return "array \(id) has forgotten more tasks than it had" }
        var record = JobArrayRecord(JobArrayInfo(number: image.number, spec: image.spec, array: array))
        record.forgotten = image.forgotten
        for end in JobEnd.allCases { record.tasksByState[Int(end.state.rawValue)] = image.forgotten[Int(end.rawValue)] }
        state.put(record)
        return nil
    }

    /// What keeps a task of a snapshot from being one.
    func faultOfTask(_ job: Job) -> String? {
        guard job.spec.array != nil else { return nil }
        guard let index = job.taskIndex, let number = job.arrayNumber, let record = state.arrays[number],
            0..<record.info.array.count ~= index, record.info.spec.task(index) == job.spec
        else { return "job \(job.id) is a task of no array" }
        return nil
    }

    /// What is wrong with the arrays of a snapshot once all its jobs are there. Takes note of the turns that come.
    mutating func settleRestoredArrays() -> String? {
        for record in state.arrays.inOrder {
            let id = record.info.spec.id
            if record.tasksByState.reduce(0, +) != record.info.array.count { return "array \(id) is not whole" }
            if record.inTurn > record.info.array.maxParallel { return "array \(id) has too many tasks at once" }
            if state.jobs[record.info.number] != nil || state.jobs[id] != nil { return "array \(id) is a job, too" }
            if record.info.lastNumber.value >= state.nextJobNumber { return "array \(id) is yet to come" }
            turns.set(record.info.number, record.hasTurn)
        }
        return nil
    }

    /// What keeps an array from being the one of `number`.
    func faultOfArray(_ spec: JobSpec, _ array: JobArray, _ number: JobNumber) -> String? {
        if let fault = fault(of: spec, number: number) { return fault }
        if number.value + UInt64(array.count) >= 1 << 48 { return "array \(spec.id) is out of range" }
        if let id = takenTask(of: spec, id: spec.id) { return "job \(id) is there already" }
        return nil
    }
}
