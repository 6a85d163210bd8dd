// Jobs that wait, by shape. Jobs of equal shape fit or do not fit together, so each shape is tried once, by its first job.
// Knows no pool contents; the packer answers whether a shape fits.

import HeapModule
import Model
import Packing

/// What decides where a job may go: everything of its spec that the packer's answer depends on.
struct ShapeKey: Hashable {
    var workers: Int
    var demand: Demand
    var accelerators: [String]
    var scope: Scope
    var allow: PlaceList
    var deny: PlaceList

    init(_ spec: JobSpec) {
        // One group for now: the validation of a submit sees to it.
        let group = spec.workers[0]
        workers = group.count
        demand = group.demand
        accelerators = spec.accelerators
        scope = spec.scope
        allow = spec.allow
        deny = spec.deny
    }
}

/// A job's place in the queue: higher priority first, then earlier arrival. Smaller is earlier.
struct QueueKey: Hashable, Comparable {
    let value: UInt64

    init(priority: Int, number: JobNumber) {
        precondition(number.value < 1 << 48, "job numbers are used up")
        value = UInt64(Bounds.priority - priority) << 48 | number.value
    }

    init(_ job: Job) { self.init(priority: job.spec.priority, number: job.number) }

    var number: JobNumber { JobNumber(value & (1 << 48 - 1)) }

    static func < (left: QueueKey, right: QueueKey) -> Bool { left.value < right.value }
}

/// One shape, its waiting jobs and its resolved gang.
struct Shape {
    let key: ShapeKey
    /// May hold keys of jobs that no longer wait; `Queue.refreshFirst` drops those as they come up.
    fileprivate var waiting = Heap<QueueKey>()
    fileprivate(set) var count = 0
    /// Resolved when first needed and again after the pools changed.
    var gang: Gang?

    init(key: ShapeKey) { self.key = key }
}

/// The first waiting job of a shape.
struct First {
    let key: QueueKey
    let queuedAtPlacement: UInt64
}

/// Index of a shape in the queue's table.
typealias ShapeIndex = Int

/// Every job that waits.
struct Queue {
    /// Shapes without waiting jobs that are kept because the next job often has the same shape.
    static let idleShapes = 1024

    private var indexByKey: [ShapeKey: ShapeIndex] = [:]
    private(set) var shapes: [Shape?] = []
    /// By shape, for those with waiting jobs; true once `refreshFirst` was called after a change.
    private(set) var firsts: [First?] = []
    private var vacant: [ShapeIndex] = []
    private var idle = 0
    /// Distinct demands of shapes with waiting jobs, and how many shapes have each.
    private var demands: [Demand: Int] = [:]
    /// Shapes with waiting jobs.
    private(set) var busy = 0
    /// How often a demand came to the queue that no shape with waiting jobs had.
    private(set) var demandsCome: UInt64 = 0
    /// How often idle shapes were let go, so that their indexes may mean others.
    private(set) var drops: UInt64 = 0

    var distinctDemands: Int { demands.count }

    subscript(index: ShapeIndex) -> Shape {
        get {
            guard let shape = shapes[index] else { preconditionFailure("no shape has this index") }
            return shape
        }
        set { shapes[index] = newValue }
    }

    func contains(demand: Demand) -> Bool { demands[demand] != nil }

    func index(of key: ShapeKey) -> ShapeIndex? { indexByKey[key] }

    func count(_ index: ShapeIndex) -> Int { shapes[index]?.count ?? 0 }

    func gang(_ index: ShapeIndex) -> Gang? { shapes[index]?.gang }

    /// Adds a waiting job and returns its shape.
    @discardableResult
    mutating func insert(_ job: Job) -> ShapeIndex {
        let index = intern(ShapeKey(job.spec))
        if count(index) == 0 {
            idle -= 1
            busy += 1
            let demand = self[index].key.demand
            if demands[demand] == nil { demandsCome += 1 }
            demands[demand, default: 0] += 1
        }
        shapes[index]?.waiting.insert(QueueKey(job))
        shapes[index]?.count += 1
        return index
    }

    /// Takes note that `job` waits no more, and returns its shape. `isWaiting` tells whether the job of a key still waits.
    @discardableResult
    mutating func remove(_ job: Job, isWaiting: (QueueKey) -> Bool) -> ShapeIndex {
        guard let index = indexByKey[ShapeKey(job.spec)] else { preconditionFailure("a waiting job has no shape") }
        shapes[index]?.count -= 1
        if let head = shapes[index]?.waiting.min, head == QueueKey(job) { shapes[index]?.waiting.removeMin() }
        guard count(index) == 0 else {
            dropStaleKeys(index, isWaiting)
            return index
        }
        shapes[index]?.waiting = Heap()
        idle += 1
        busy -= 1
        let demand = self[index].key.demand
        if let left = demands[demand], left > 1 { demands[demand] = left - 1 } else { demands[demand] = nil }
        if idle > Self.idleShapes { dropIdle() }
        return index
    }

    /// Once more keys are stale than not: a job that was cancelled behind the first one leaves its key behind, and a
    /// first job that never leaves would let them gather without end.
    private mutating func dropStaleKeys(_ index: ShapeIndex, _ isWaiting: (QueueKey) -> Bool) {
        guard let shape = shapes[index], shape.waiting.count > 2 * shape.count + 64 else { return }
        shapes[index]?.waiting = Heap(Set(shape.waiting.unordered.filter(isWaiting)).sorted())
    }

    /// Finds the first waiting job of a shape again. `waitingJob` gives the job of a key while it waits.
    mutating func refreshFirst(_ index: ShapeIndex, waitingJob: (QueueKey) -> Job?) {
        while let key = shapes[index]?.waiting.min {
            if let job = waitingJob(key) {
                firsts[index] = First(key: key, queuedAtPlacement: job.life.queuedAtPlacement)
                return
            }
            shapes[index]?.waiting.removeMin()
        }
        firsts[index] = nil
    }

    private mutating func intern(_ key: ShapeKey) -> ShapeIndex {
        if let index = indexByKey[key] { return index }
        let index: ShapeIndex
        if let last = vacant.popLast() {
            index = last
            shapes[index] = Shape(key: key)
        } else {
            index = shapes.count
            shapes.append(Shape(key: key))
            firsts.append(nil)
        }
        indexByKey[key] = index
        idle += 1
        return index
    }

    private mutating func dropIdle() {
        drops += 1
        for (index, shape) in shapes.enumerated() {
            guard let shape, shape.count == 0 else { continue }
            indexByKey[shape.key] = nil
            shapes[index] = nil
            vacant.append(index)
        }
        idle = 0
    }
}
