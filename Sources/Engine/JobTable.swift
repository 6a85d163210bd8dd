// All jobs by number and by id, as a value that readers may keep while the writer goes on: a copy shares everything
// with the original and a change copies one leaf of the table and one path of the id map.

import HashTreeCollections
public import Model

/// The jobs of one state. Copying is constant time; changing one job copies at most a leaf.
public struct JobTable: Sendable {
    static let leafSize = 128
    /// Leaf k holds the jobs numbered k * leafSize..<(k + 1) * leafSize; a leaf without jobs is empty.
    private var leaves: [[Job?]] = []
    private var numbers = TreeDictionary<String, JobNumber>()

    public init() {}

    public var count: Int { numbers.count }

    /// Constant time.
    public subscript(number: JobNumber) -> Job? {
        let (leaf, at) = Self.place(number)
        guard leaf < leaves.count, !leaves[leaf].isEmpty else { return nil }
        return leaves[leaf][at]
    }

    /// O(log count).
    public subscript(id: String) -> Job? { numbers[id].flatMap { self[$0] } }

    /// The jobs with a number above `number`, by rising number, as far as `body` asks for more by returning true.
    public func forEach(after number: JobNumber = JobNumber(0), _ body: (Job) -> Bool) {
        var (leaf, at) = Self.place(JobNumber(number.value + 1))
        while leaf < leaves.count {
            let jobs = leaves[leaf]
            while at < jobs.count {
                if let job = jobs[at], !body(job) { return }
                at += 1
            }
            leaf += 1
            at = 0
        }
    }

    mutating func put(_ job: Job) {
        let (leaf, at) = Self.place(job.number)
        while leaves.count <= leaf { leaves.append([]) }
        if leaves[leaf].isEmpty { leaves[leaf] = [Job?](repeating: nil, count: Self.leafSize) }
        if leaves[leaf][at] == nil { numbers[job.id] = job.number }
        leaves[leaf][at] = job
    }

    mutating func remove(_ job: Job) {
        let (leaf, at) = Self.place(job.number)
        leaves[leaf][at] = nil
        numbers[job.id] = nil
        if leaves[leaf].allSatisfy({ $0 == nil }) { leaves[leaf] = [] }
    }

    private static func place(_ number: JobNumber) -> (leaf: Int, at: Int) {
        let position = Int(number.value)
        return (position / leafSize, position % leafSize)
    }
}
