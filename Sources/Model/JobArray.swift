// Arrays of jobs: many equal jobs, the tasks, that come in one command and of which only some may run at once. A task is a job
// like any other. Its id is that of its array, a dot, and its index; its number follows from that of the array.

/// How many tasks an array has, and how many of them may be placed or running at once.
public struct JobArray: Hashable, Sendable {
    public var count: Int
    public var maxParallel: Int

    public init(count: Int, maxParallel: Int? = nil) {
        self.count = count
        self.maxParallel = maxParallel ?? count
    }
}

extension JobSpec {
    /// The task at `index` of the array that this asks for.
    public func task(_ index: Int) -> JobSpec {
        var task = self
        task.id = Self.taskID(index, of: id)
        return task
    }

    public static func taskID(_ index: Int, of array: String) -> String { array + ".\(index)" }

    /// Of a task.
    fileprivate var task: (array: Substring, index: Int)? {
        guard array != nil, let dot = id.utf8.lastIndex(of: UInt8(ascii: ".")),
            let index = Int(id[id.index(after: dot)...])
        else { return nil }
        return (id[..<dot], index)
    }
}

extension Job {
    /// Its index in its array; nil for a job that is no task.
    public var taskIndex: Int? { spec.task?.index }

    /// The id of its array.
    public var arrayID: String? { spec.task.map { String($0.array) } }

    /// The number of its array, which came just before that of the first task.
    public var arrayNumber: JobNumber? {
        guard let index = taskIndex, index >= 0, UInt64(index) < number.value else { return nil }
        return JobNumber(number.value - 1 - UInt64(index))
    }
}
