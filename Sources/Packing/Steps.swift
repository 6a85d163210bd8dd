// What a search for a place cost, counted: for whoever must bound many of them.

extension Packer {
    /// What the last `find` cost, which was for this gang: the pools, and how often a gang of several groups or rules was laid
    /// out. The growth of an elastic gang is not counted.
    public func steps(ofLastFind gang: borrowing Gang) -> Int {
        gang.targets.count + (gang.isSimple ? 1 : max(1, Trial.mostLays - trial.lays))
    }
}
