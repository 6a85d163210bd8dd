// Which jobs stand on a node, and when those of a pool end by their limits. Follows from the jobs that hold capacity; a change
// costs the nodes of the job that changes, never the fleet.

import Model

/// Jobs by node, and by the time at which their limits end them.
struct Occupancy {
    /// A job on a node, in the list of that node.
    private struct Entry {
        var job: UInt64
        /// The next of the node or, in the list of vacant entries, of that; `none` at the end.
        var next: UInt32
    }

    private struct Pool {
        /// The first entry of each node, or `none`; grows with the nodes that were ever used.
        var heads: [UInt32] = []
        var ends = SortedBlocks<JobLimit>()
    }

    private static let none = UInt32.max

    private var pools: [Pool] = []
    private var entries: [Entry] = []
    private var vacant = Self.none

    /// The jobs on a node, each once, by rising number.
    func jobs(on node: Int, of pool: Int) -> [JobNumber] {
        guard pool < pools.count, node < pools[pool].heads.count else { return [] }
        var numbers: [UInt64] = []
        var at = pools[pool].heads[node]
        while at != Self.none {
            let entry = entries[Int(at)]
            if !numbers.contains(entry.job) { numbers.append(entry.job) }
            at = entry.next
        }
        return numbers.sorted().map { JobNumber($0) }
    }

    /// The jobs with a worker in a pool by the end of their limits.
    func ends(_ pool: Int) -> SortedBlocks<JobLimit> { pool < pools.count ? pools[pool].ends : SortedBlocks() }

    /// Forgets the nodes of a pool that is no more. Precondition: no job stands there.
    mutating func forget(pool: Int) {
        if pool < pools.count { pools[pool] = Pool() }
    }

    mutating func add(_ placement: Placement, of job: JobNumber, until end: Timestamp) {
        for (at, part) in placement.parts.enumerated() {
            let pool = part.pool.index
            while pools.count <= pool { pools.append(Pool()) }
            for run in placement.runRange(at) {
                let nodes = placement.runs[run].nodes
                if pools[pool].heads.count < nodes.upperBound {
                    let missing = nodes.upperBound - pools[pool].heads.count
                    pools[pool].heads.append(contentsOf: repeatElement(Self.none, count: missing))
                }
                for node in nodes {
                    pools[pool].heads[node] = makeEntry(Entry(job: job.value, next: pools[pool].heads[node]))
                }
            }
        }
        setEnd(of: job, placement, from: nil, to: end)
    }

    mutating func remove(_ placement: Placement, of job: JobNumber, until end: Timestamp) {
        for (at, part) in placement.parts.enumerated() {
            for run in placement.runRange(at) {
                for node in placement.runs[run].nodes { removeEntry(of: job, node, of: part.pool.index) }
            }
        }
        setEnd(of: job, placement, from: end, to: nil)
    }

    /// Takes note that the limit of a job ends at another time.
    mutating func setEnd(of job: JobNumber, _ placement: Placement, from old: Timestamp?, to new: Timestamp?) {
        placement.forEachPool { slot in
            if let old { pools[slot.index].ends.remove(JobLimit(end: old, job: job)) }
            if let new { pools[slot.index].ends.insert(JobLimit(end: new, job: job)) }
        }
    }

    private mutating func makeEntry(_ entry: Entry) -> UInt32 {
        if vacant == Self.none {
            entries.append(entry)
            return UInt32(entries.count - 1)
        }
        let at = vacant
        vacant = entries[Int(at)].next
        entries[Int(at)] = entry
        return at
    }

    private mutating func removeEntry(of job: JobNumber, _ node: Int, of pool: Int) {
        var before = Self.none
        var at = pools[pool].heads[node]
        while at != Self.none, entries[Int(at)].job != job.value { (before, at) = (at, entries[Int(at)].next) }
        precondition(at != Self.none, "a job leaves a node on which it is not")
        let next = entries[Int(at)].next
        if before == Self.none { pools[pool].heads[node] = next } else { entries[Int(before)].next = next }
        entries[Int(at)].next = vacant
        vacant = at
    }
}

/// When the limit of a job ends it.
struct JobLimit: Comparable {
    let end: Timestamp
    let job: JobNumber

    static func < (left: JobLimit, right: JobLimit) -> Bool { (left.end, left.job) < (right.end, right.job) }
}
