// All jobs by number and by id, as a value that readers may keep while the writer goes on: a copy shares everything
// with the original and a change copies one path of the table and one of the id map.

import HashTreeCollections
public import Model

/// The jobs of one state. Copying is constant time. Changing a job that a copy shares copies its leaf, its branch and
/// the root: 128 jobs, 128 leaves, and one entry for every 16384 jobs that ever were.
public struct JobTable: Sendable {
    static let leafSize = 128
    static let leavesPerBranch = 128
    private typealias Leaf = [Job?]
    private typealias Branch = [Leaf]
    /// Jobs by number: branch, leaf, place. A leaf or branch without jobs is empty.
    private var branches: [Branch] = []
    private var numbers = TreeDictionary<String, JobNumber>()

    public init() {}

    public var count: Int { numbers.count }

    /// Constant time.
    public subscript(number: JobNumber) -> Job? {
        guard let (branch, leaf, at) = place(number), !branches[branch].isEmpty, !branches[branch][leaf].isEmpty else {
            return nil
        }
        return branches[branch][leaf][at]
    }

    /// O(log count).
    public subscript(id: String) -> Job? { numbers[id].flatMap { self[$0] } }

    /// The jobs with a number above `number`, by rising number, as far as `body` asks for more by returning true.
    public func forEach(after number: JobNumber = JobNumber(0), _ body: (Job) -> Bool) {
        guard number.value < .max, var (branch, leaf, at) = place(JobNumber(number.value + 1)) else { return }
        while branch < branches.count {
            let leaves = branches[branch]
            while leaf < leaves.count {
                let jobs = leaves[leaf]
                while at < jobs.count {
                    if let job = jobs[at], !body(job) { return }
                    at += 1
                }
                leaf += 1
                at = 0
            }
            branch += 1
            leaf = 0
            at = 0
        }
    }

    mutating func put(_ job: Job) {
        let position = Int(job.number.value)
        let needed = position / (Self.leafSize * Self.leavesPerBranch) + 1
        while branches.count < needed { branches.append([]) }
        guard let (branch, leaf, at) = place(job.number) else {
            preconditionFailure("the table was just made to hold it")
        }
        if branches[branch].isEmpty { branches[branch] = Branch(repeating: [], count: Self.leavesPerBranch) }
        if branches[branch][leaf].isEmpty { branches[branch][leaf] = Leaf(repeating: nil, count: Self.leafSize) }
        if branches[branch][leaf][at] == nil { numbers[job.id] = job.number }
        branches[branch][leaf][at] = job
    }

    mutating func remove(_ job: Job) {
        guard let (branch, leaf, at) = place(job.number), self[job.number] != nil else { return }
        branches[branch][leaf][at] = nil
        numbers[job.id] = nil
        if branches[branch][leaf].allSatisfy({ $0 == nil }) { branches[branch][leaf] = [] }
        if branches[branch].allSatisfy(\.isEmpty) { branches[branch] = [] }
    }

    /// Where a number stands, or nil beyond the table.
    private func place(_ number: JobNumber) -> (branch: Int, leaf: Int, at: Int)? {
        guard number.value < UInt64(branches.count * Self.leafSize * Self.leavesPerBranch) else { return nil }
        let position = Int(number.value)
        let leaf = position / Self.leafSize
        return (leaf / Self.leavesPerBranch, leaf % Self.leavesPerBranch, position % Self.leafSize)
    }
}
