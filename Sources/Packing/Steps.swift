// What a search for a place cost, counted: for whoever must bound many of them.

extension Packer {
    /// Laying out one group costs about as much as looking at so many pools.
    private static let stepsPerGroup = 8

    /// What the last `find` cost, which was for this gang: the pools, and the groups each time that a gang of several groups or
    /// rules was laid out. The growth of an elastic gang is not counted.
    public func steps(ofLastFind gang: borrowing Gang) -> Int {
        if gang.isSimple { return 1 + gang.targets.count }
        let lays = max(1, Trial.mostLays - trial.lays)
        return gang.targets.count + lays * gang.form.groups.count * Self.stepsPerGroup
    }
}
