// Jobs that wait, by shape, and those of a shape by tenant and priority. Jobs of equal shape fit or do not fit together, so each
// shape is tried once, by the job that is first among the lines. Knows no pool contents and no quota.

import HeapModule
import Model
import Packing

/// What decides where a job may go: everything of its spec that the packer's answer depends on.
struct ShapeKey: Hashable {
    var form: GangForm
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

/// A job's place by priority and arrival alone, which no time and no other job changes. Smaller is earlier.
struct ArrivalKey: Hashable, Comparable {
    let value: UInt64

    init(priority: Int, number: JobNumber) {
        precondition(number.value < 1 << 48, "job numbers are used up")
        value = UInt64(Bounds.priority - priority) << 48 | number.value
    }

    init(_ job: Job) { self.init(priority: job.life.priority, number: job.number) }

    var number: JobNumber { JobNumber(value & (1 << 48 - 1)) }
    var priority: Int { Bounds.priority - Int(value >> 48) }

    static func < (left: ArrivalKey, right: ArrivalKey) -> Bool { left.value < right.value }
}

/// One shape and its resolved gang.
struct Shape {
    let key: ShapeKey
    let isPatient: Bool
    /// Waiting jobs.
    fileprivate(set) var count = 0
    /// Resolved when first needed and again after the pools changed.
    var gang: Gang?

    init(key: ShapeKey) {
        self.key = key
        isPatient = key.isPatient
    }
}

/// The first waiting job of a line.
struct First {
    let number: JobNumber
    let submittedAt: Timestamp
    let queuedAtPlacement: UInt64

    init(_ job: Job) {
        number = job.number
        submittedAt = job.life.submittedAt
        queuedAtPlacement = job.life.queuedAtPlacement
    }
}

/// Waiting jobs of one shape, tenant and priority, in the order in which they came.
struct Line {
    /// Why the line is passed over.
    enum Pass {
        case none
        /// Its tenant may take no more of any pool that the shape may use, until that changes.
        case barred
        /// It found no place in the pools that its tenant may use now; others may use more. Until the shape is tried again.
        case missed
    }

    let tenant: TenantSlot
    let priority: Int
    /// May hold numbers of jobs that no longer wait, but not as the first one.
    fileprivate var waiting = Heap<JobNumber>()
    fileprivate(set) var count = 0
    fileprivate(set) var first: First
    var pass = Pass.none

    /// Of its first job.
    var arrival: ArrivalKey { ArrivalKey(priority: priority, number: first.number) }

    /// The first of its jobs that `isWanted`. Cost: nothing where that is the first of all, else the line.
    func first(of jobs: WaitingJobs, asking scope: Tier, where isWanted: (Job) -> Bool) -> Job? {
        if let job = jobs.job(first.number, asking: scope), isWanted(job) { return job }
        var best: Job?
        for number in waiting.unordered where best.map({ number < $0.number }) ?? true {
            if let job = jobs.job(number, asking: scope), isWanted(job) { best = job }
        }
        return best
    }

    fileprivate init(_ job: Job, _ tenant: TenantSlot) {
        self.tenant = tenant
        priority = job.life.priority
        first = First(job)
    }
}

/// The first job by arrival among lines.
struct Earliest {
    let key: ArrivalKey
    let tenant: TenantSlot
    let queuedAtPlacement: UInt64

    fileprivate init(_ line: Line) {
        key = line.arrival
        tenant = line.tenant
        queuedAtPlacement = line.first.queuedAtPlacement
    }
}

/// Index of a shape in the queue's table.
typealias ShapeIndex = Int

/// Every job that waits.
struct Queue {
    /// Shapes without waiting jobs that are kept because the next job often has the same shape.
    static let idleShapes = 1024

    private struct LineKey: Hashable {
        let shape: ShapeIndex
        let tenant: TenantSlot
        let priority: Int
    }

    private var indexByKey: [ShapeKey: ShapeIndex] = [:]
    private(set) var shapes: [Shape?] = []
    /// By shape. No line is empty.
    private(set) var lines: [[Line]] = []
    /// By shape, the first job by arrival of those whose tenants are not barred, and how long it has waited.
    private(set) var earliest: [Earliest?] = []
    private var lineByKey: [LineKey: Int] = [:]
    /// Shapes with lines that were missed.
    private(set) var withMisses = IndexSet()
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

    /// The place of a line among those of its shape.
    func line(_ shape: ShapeIndex, _ tenant: TenantSlot, _ priority: Int) -> Int? {
        lineByKey[LineKey(shape: shape, tenant: tenant, priority: priority)]
    }

    /// Passes a line over, or no more, because of its tenant.
    mutating func setBarred(_ line: Int, of shape: ShapeIndex, _ isBarred: Bool) {
        lines[shape][line].pass = isBarred ? .barred : .none
        if isBarred {
            if earliest[shape]?.key == lines[shape][line].arrival { refreshEarliest(shape) }
        } else {
            noteEarliest(shape, line)
        }
    }

    private mutating func noteEarliest(_ shape: ShapeIndex, _ line: Int) {
        let line = lines[shape][line]
        if line.pass == .barred { return }
        if earliest[shape].map({ line.arrival < $0.key }) ?? true { earliest[shape] = Earliest(line) }
    }

    /// Cost: the lines of the shape.
    private mutating func refreshEarliest(_ shape: ShapeIndex) {
        earliest[shape] = lines[shape].lazy.filter { $0.pass != .barred }.min { $0.arrival < $1.arrival }
            .map { Earliest($0) }
    }

    /// Passes a line over until its shape is tried again, and with it, where `all` is true, those that came later.
    mutating func miss(_ line: Int, of shape: ShapeIndex, all: Bool) {
        let arrival = lines[shape][line].arrival
        withMisses.insert(shape)
        for at in lines[shape].indices where lines[shape][at].pass == .none {
            if at == line || all && lines[shape][at].arrival > arrival { lines[shape][at].pass = .missed }
        }
    }

    /// Takes back what was missed of a shape that is to be tried again.
    mutating func forgetMisses(of shape: ShapeIndex) {
        guard withMisses.contains(shape) else { return }
        withMisses.remove(shape)
        for line in lines[shape].indices where lines[shape][line].pass == .missed { lines[shape][line].pass = .none }
    }

    /// Adds a waiting job that asks for `scope` and returns its shape.
    mutating func insert(_ job: Job, of tenant: TenantSlot, asking scope: Tier) -> ShapeIndex {
        let index = intern(ShapeKey(job.spec, asking: scope))
        if count(index) == 0 {
            idle -= 1
            busy += 1
            for demand in self[index].key.demands {
                if demands[demand] == nil { demandsCome += 1 }
                demands[demand, default: 0] += 1
            }
        }
        shapes[index]?.count += 1
        let key = LineKey(shape: index, tenant: tenant, priority: job.life.priority)
        let at = lineByKey[key] ?? lines[index].count
        if at == lines[index].count {
            lines[index].append(Line(job, tenant))
            lineByKey[key] = at
        }
        defer { noteEarliest(index, at) }
        lines[index][at].waiting.insert(job.number)
        lines[index][at].count += 1
        if job.number < lines[index][at].first.number { lines[index][at].first = First(job) }
        return index
    }

    /// Takes note that `job`, which asked for `scope`, does so no more, and returns its shape.
    mutating func remove(_ job: Job, of tenant: TenantSlot, asking scope: Tier, among waiting: WaitingJobs)
        -> ShapeIndex
    {
        guard let index = indexByKey[ShapeKey(job.spec, asking: scope)],
            let at = lineByKey[LineKey(shape: index, tenant: tenant, priority: job.life.priority)]
        else { preconditionFailure("a waiting job has no line") }
        shapes[index]?.count -= 1
        lines[index][at].count -= 1
        if lines[index][at].count == 0 {
            removeLine(at, of: index)
        } else {
            refresh(&lines[index][at], without: job.number) { waiting.job($0, asking: scope) }
        }
        if earliest[index]?.key.number == job.number { refreshEarliest(index) }
        guard count(index) == 0 else { return index }
        idle += 1
        busy -= 1
        for demand in self[index].key.demands {
            if let left = demands[demand], left > 1 { demands[demand] = left - 1 } else { demands[demand] = nil }
        }
        if idle > Self.idleShapes { dropIdle() }
        return index
    }

    private mutating func removeLine(_ at: Int, of shape: ShapeIndex) {
        func key(_ line: Line) -> LineKey { LineKey(shape: shape, tenant: line.tenant, priority: line.priority) }
        lineByKey[key(lines[shape][at])] = nil
        let last = lines[shape].removeLast()
        if at < lines[shape].count {
            lines[shape][at] = last
            lineByKey[key(last)] = at
        }
    }

    /// Finds the first job of a line again after one left. Once more numbers are stale than not they are let go: a job that was
    /// cancelled behind the first one leaves its number behind, and a first job that never leaves would let them gather without
    /// end.
    private func refresh(_ line: inout Line, without number: JobNumber, _ job: (JobNumber) -> Job?) {
        if line.first.number == number {
            while let next = line.waiting.min {
                if next != number, let job = job(next) {
                    line.first = First(job)
                    break
                }
                line.waiting.removeMin()
            }
        }
        guard line.waiting.count > 2 * line.count + 64 else { return }
        line.waiting = Heap(Set(line.waiting.unordered.filter { job($0) != nil }).sorted())
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
            lines.append([])
            earliest.append(nil)
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
