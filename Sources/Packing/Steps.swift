// What a search for a place cost, counted: for whoever must bound many of them.

extension Packer {
    /// So many units of the work on layouts cost about as much as looking at a pool.
    private static let workPerStep: UInt64 = 8

    /// What a `find` for this gang cost that began when `layoutWork` was so much: the pools, and the layouts of a gang of several
    /// groups or rules.
    public func steps(ofFind gang: borrowing Gang, since workBefore: UInt64) -> Int {
        1 + gang.targets.count + Int((layoutWork - workBefore) / Self.workPerStep)
    }
}
