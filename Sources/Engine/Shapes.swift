// Jobs that wait, by shape. Jobs of equal shape fit or do not fit together, so each shape is tried once, by its first job.
// Knows no pool contents; the packer answers whether a shape fits.

import HeapModule
import Model
import Packing

/// What decides where a job may go: everything of its spec that the packer's answer depends on.
struct ShapeKey: Hashable {
    let form: GangForm
    let accelerators: [Accelerator]
    let allow: PlaceList
    let deny: PlaceList

    /// `scope`: the tier that the job asks for now.
    init(_ spec: JobSpec, asking scope: Tier) {
        form = GangForm(spec, scope: scope)
        accelerators = spec.accelerators
        allow = spec.allow
        deny = spec.deny
    }

    /// Each once.
    var demands: [Demand] {
        var demands: [Demand] = []
        for group in form.groups where !demands.contains(group.demand) { demands.append(group.demand) }
        return demands
    }

    /// Whether jobs of this shape wait for a tier that they prefer and will settle for a larger one.
    var isPatient: Bool { form.scope == form.preferred }
}

/// A job's place in the queue: higher priority first, then earlier arrival. Smaller is earlier.
struct QueueKey: Hashable, Comparable {
    let value: UInt64

    init(priority: Int, number: JobNumber) {
        precondition(number.value < 1 << 48, "job numbers are used up")
        value = UInt64(Bounds.priority - priority) << 48 | number.value
    }

    init(_ job: Job) { self.init(priority: job.life.priority, number: job.number) }

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

    /// Whether a shape with waiting jobs has the demand.
    func has(_ demand: Demand) -> Bool { demands[demand] != nil }

    func index(of key: ShapeKey) -> ShapeIndex? { indexByKey[key] }

    func count(_ index: ShapeIndex) -> Int { shapes[index]?.count ?? 0 }

    func gang(_ index: ShapeIndex) -> Gang? { shapes[index]?.gang }

    /// Adds a waiting job that asks for `scope` and returns its shape.
    mutating func insert(_ job: Job, asking scope: Tier) -> ShapeIndex {
        let index = intern(ShapeKey(job.spec, asking: scope))
        if count(index) == 0 {
            idle -= 1
            busy += 1
            for demand in self[index].key.demands {
                if demands[demand] == nil { demandsCome += 1 }
                demands[demand, default: 0] += 1
            }
        }
        shapes[index]?.waiting.insert(QueueKey(job))
        shapes[index]?.count += 1
        return index
    }

    /// Takes note that `job`, which asked for `scope`, does so no more, and returns its shape.
    mutating func remove(_ job: Job, asking scope: Tier, among waiting: WaitingJobs) -> ShapeIndex {
        guard let index = indexByKey[ShapeKey(job.spec, asking: scope)] else {
            preconditionFailure("a waiting job has no shape")
        }
        shapes[index]?.count -= 1
        if let head = shapes[index]?.waiting.min, head == QueueKey(job) { shapes[index]?.waiting.removeMin() }
        guard count(index) == 0 else {
            dropStaleKeys(index) { waiting.job($0, asking: scope) != nil }
            return index
        }
        shapes[index]?.waiting = Heap()
        idle += 1
        busy -= 1
        for demand in self[index].key.demands {
            if let left = demands[demand], left > 1 { demands[demand] = left - 1 } else { demands[demand] = nil }
        }
        if idle > Self.idleShapes { dropIdle() }
        return index
    }

    /// Once more keys are stale than not: a job that was cancelled behind the first one leaves its key behind, and a
    /// first job that never leaves would let them gather without end.
    private mutating func dropStaleKeys(_ index: ShapeIndex, isWaiting: (QueueKey) -> Bool) {
        guard let shape = shapes[index], shape.waiting.count > 2 * shape.count + 64 else { return }
        shapes[index]?.waiting = Heap(Set(shape.waiting.unordered.filter(isWaiting)).sorted())
    }

    /// Finds the first waiting job of a shape again.
    mutating func refreshFirst(_ index: ShapeIndex, among waiting: WaitingJobs) {
        guard let scope = shapes[index]?.key.form.scope else { return }
        while let key = shapes[index]?.waiting.min {
            if let job = waiting.job(key, asking: scope) {
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
