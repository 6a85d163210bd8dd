// When what predictions rest on changed last. No part of the state: a restart knows no more than that nothing moved since its
// snapshot, and journals are gone through as live.

import Model

/// Since when the capacity of each pool, and the queue of each shape, are what they are.
struct Moves {
    /// Of what is not noted.
    private var begin: Timestamp
    private var pools: [Timestamp] = []
    private var shapes: [Timestamp] = []

    init(since begin: Timestamp) { self.begin = begin }

    func pool(_ index: Int) -> Timestamp { index < pools.count ? pools[index] : begin }

    /// When a job left the queue of a shape, or came back to it.
    func queue(_ shape: ShapeIndex) -> Timestamp { shape < shapes.count ? shapes[shape] : begin }

    /// Takes note that capacity of a pool is taken, given back, kept, let go, or was changed.
    mutating func notePool(_ index: Int, at: Timestamp) {
        while pools.count <= index { pools.append(begin) }
        pools[index] = at
    }

    mutating func note(_ placement: Placement, at: Timestamp) {
        placement.forEachPool { notePool($0.index, at: at) }
    }

    mutating func noteQueue(_ shape: ShapeIndex, at: Timestamp) {
        while shapes.count <= shape { shapes.append(begin) }
        shapes[shape] = at
    }
}

/// What was predicted first of jobs that wait, for as many as are remembered.
struct FirstPredictions {
    private var ranges: [JobNumber: StartRange] = [:]

    mutating func note(_ range: StartRange, of number: JobNumber) {
        if ranges.count < Bounds.predictionsRemembered && ranges[number] == nil { ranges[number] = range }
    }

    mutating func take(_ number: JobNumber) -> StartRange? { ranges.isEmpty ? nil : ranges.removeValue(forKey: number) }
}

/// Starts for which a reader was told a range before, by where they fell.
public struct PredictedStarts: Hashable, Sendable {
    /// Whoever says that a job has ended says it a moment later.
    public static let slackSeconds = 1

    public private(set) var before: UInt64 = 0
    public private(set) var within: UInt64 = 0
    public private(set) var after: UInt64 = 0

    mutating func note(_ range: StartRange, started: Timestamp) {
        if started.adding(seconds: Self.slackSeconds) < range.earliest {
            before += 1
        } else if started > range.latest.adding(seconds: Self.slackSeconds) {
            after += 1
        } else {
            within += 1
        }
    }
}
