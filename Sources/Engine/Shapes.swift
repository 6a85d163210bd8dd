// Jobs that wait, by shape, and those of a shape by tenant and priority. Jobs of equal shape fit or do not fit together, so each
// shape is tried once, by the job that is first among the lines. Knows no pool contents and no quota.

import DequeModule
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

/// One shape and its resolved gang.
struct Shape {
    let key: ShapeKey
    let isPatient: Bool
    /// Waiting jobs.
    fileprivate(set) var count = 0
    /// Resolved when first needed and again after the pools changed; the same for one that may stand on kept nodes.
    var gang: Gang?
    var openGang: Gang?

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

/// What the jobs of a line have in common besides their shape.
struct LineKind: Hashable {
    let tenant: TenantSlot
    let priority: Int
    /// How long they may run: see `RuntimeClass`.
    let runtime: RuntimeClass
}

/// Run-time limits in steps of half a doubling, so that jobs of nearly one length wait in one line.
struct RuntimeClass: Hashable, Comparable {
    let value: UInt8

    init(seconds: Int) {
        let seconds = max(1, seconds)
        let high = Int.bitWidth - 1 - seconds.leadingZeroBitCount
        let isUpperHalf = high > 0 && seconds >> (high - 1) & 1 == 1
        value = UInt8(2 * high + (isUpperHalf ? 1 : 0))
    }

    /// No job of the class is longer.
    var mostSeconds: Int { max(leastSeconds, RuntimeClass(value: value + 1).leastSeconds - 1) }

    private init(value: UInt8) { self.value = value }

    /// No job of the class is shorter.
    var leastSeconds: Int {
        let high = Int(value) / 2
        return value & 1 == 1 && high > 0 ? 3 << (high - 1) : 1 << high
    }

    static func < (left: RuntimeClass, right: RuntimeClass) -> Bool { left.value < right.value }
}

/// Waiting jobs of one shape, tenant, priority and length, in the order in which they came.
struct Line {
    /// Why the line is passed over.
    enum Pass {
        case none
        /// Its tenant may take no more of any pool that the shape may use, until that changes.
        case barred
        /// It found no place in the pools that its tenant may use now; others may use more. Until the shape is tried again.
        case missed
    }

    let kind: LineKind
    /// By rising number. May hold numbers of jobs that no longer wait, but not as the first one.
    fileprivate(set) var waiting: Deque<JobNumber> = []
    fileprivate(set) var count = 0
    fileprivate(set) var first: First
    var pass = Pass.none

    var tenant: TenantSlot { kind.tenant }
    var priority: Int { kind.priority }

    /// The first of its jobs that `isWanted`. Cost: those before it.
    func first(of jobs: WaitingJobs, asking scope: Tier, where isWanted: (Job) -> Bool) -> Job? {
        for number in waiting {
            // Some numbers are stale, and their jobs may wait elsewhere.
            if let job = jobs.job(number, asking: scope), isWanted(job) { return job }
        }
        return nil
    }

    fileprivate init(_ job: Job, _ kind: LineKind) {
        self.kind = kind
        first = First(job)
    }

    fileprivate mutating func insert(_ number: JobNumber) {
        var at = waiting.count
        // Few jobs come back before others that came later.
        while at > 0, waiting[at - 1] > number { at -= 1 }
        // One that came back may have left its number behind.
        if at > 0 && waiting[at - 1] == number { return }
        waiting.insert(number, at: at)
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
        let kind: LineKind
    }

    /// How long a job is taken to run that does not say.
    let assumedRuntimeSeconds: Int

    private var indexByKey: [ShapeKey: ShapeIndex] = [:]
    private(set) var shapes: [Shape?] = []
    /// By shape. No line is empty.
    private(set) var lines: [[Line]] = []
    /// By shape, those of its lines that are not barred.
    private(set) var unbarred: [LineSet] = []
    private var lineByKey: [LineKey: Int] = [:]
    /// Shapes with lines that were missed.
    private var withMisses = IndexSet()
    /// Those of them with lines whose tenants may use more of the pools some time.
    private(set) var partlyClosed = IndexSet()
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

    init(assumedRuntimeSeconds: Int) { self.assumedRuntimeSeconds = assumedRuntimeSeconds }

    var distinctDemands: Int { demands.count }

    /// Lines of all shapes. No line is empty, so it follows from the jobs that wait.
    var lineCount: Int { lineByKey.count }

    func kind(of job: Job, _ tenant: TenantSlot) -> LineKind {
        LineKind(
            tenant: tenant, priority: job.life.priority,
            runtime: RuntimeClass(seconds: job.spec.maxRuntimeSeconds ?? assumedRuntimeSeconds))
    }

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
    func line(_ shape: ShapeIndex, _ kind: LineKind) -> Int? { lineByKey[LineKey(shape: shape, kind: kind)] }

    /// Passes lines over because of their tenants.
    mutating func bar(_ barred: [Int], of shape: ShapeIndex) {
        for line in barred {
            lines[shape][line].pass = .barred
            unbarred[shape].remove(line)
        }
    }

    /// Passes a line over no more.
    mutating func unbar(_ line: Int, of shape: ShapeIndex) {
        lines[shape][line].pass = .none
        unbarred[shape].insert(line)
    }

    /// Passes a line over until its shape is tried again, and with it, where `all` is true, those of jobs as long or longer
    /// whose first jobs `counts` does not except. `isPartlyClosed`: whether its tenant may not use some of the pools now.
    mutating func miss(
        _ line: Int, of shape: ShapeIndex, isPartlyClosed: Bool, all: Bool = false,
        counts: (JobNumber) -> Bool = { _ in true }
    ) {
        let runtime = lines[shape][line].kind.runtime
        withMisses.insert(shape)
        if isPartlyClosed { partlyClosed.insert(shape) }
        if lines[shape][line].pass == .none { lines[shape][line].pass = .missed }
        if !all { return }
        for at in unbarred[shape].all where lines[shape][at].pass == .none {
            let isAsLong = lines[shape][at].kind.runtime >= runtime
            if isAsLong && counts(lines[shape][at].first.number) { lines[shape][at].pass = .missed }
        }
    }

    /// Whether some jobs of a shape are no longer than so many seconds.
    func hasLine(_ shape: ShapeIndex, noLongerThan seconds: Int) -> Bool {
        lines[shape].contains { $0.kind.runtime.leastSeconds <= seconds }
    }

    /// Takes back what was missed of a shape that is to be tried again.
    mutating func forgetMisses(of shape: ShapeIndex) {
        guard withMisses.contains(shape) else { return }
        withMisses.remove(shape)
        partlyClosed.remove(shape)
        for line in unbarred[shape].all { lines[shape][line].pass = .none }
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
        let kind = kind(of: job, tenant)
        let key = LineKey(shape: index, kind: kind)
        let at = lineByKey[key] ?? lines[index].count
        if at == lines[index].count {
            lines[index].append(Line(job, kind))
            lineByKey[key] = at
            unbarred[index].insert(at)
        }
        lines[index][at].insert(job.number)
        lines[index][at].count += 1
        if job.number < lines[index][at].first.number { lines[index][at].first = First(job) }
        return index
    }

    /// Takes note that `job`, which asked for `scope`, does so no more, and returns its shape.
    mutating func remove(_ job: Job, of tenant: TenantSlot, asking scope: Tier, among waiting: WaitingJobs)
        -> ShapeIndex
    {
        guard let index = indexByKey[ShapeKey(job.spec, asking: scope)],
            let at = line(index, kind(of: job, tenant))
        else { preconditionFailure("a waiting job has no line") }
        shapes[index]?.count -= 1
        lines[index][at].count -= 1
        if lines[index][at].count == 0 {
            removeLine(at, of: index)
        } else {
            refresh(&lines[index][at], without: job.number) { waiting.job($0, asking: scope) }
        }
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
        func key(_ line: Line) -> LineKey { LineKey(shape: shape, kind: line.kind) }
        lineByKey[key(lines[shape][at])] = nil
        unbarred[shape].remove(at)
        let last = lines[shape].removeLast()
        if at < lines[shape].count {
            unbarred[shape].rename(lines[shape].count, to: at)
            lines[shape][at] = last
            lineByKey[key(last)] = at
        }
    }

    /// Finds the first job of a line again after one left. Once more numbers are stale than not they are let go: a job that was
    /// cancelled behind the first one leaves its number behind, and a first job that never leaves would let them gather without
    /// end.
    private func refresh(_ line: inout Line, without number: JobNumber, _ job: (JobNumber) -> Job?) {
        if line.first.number == number {
            while let next = line.waiting.first {
                if next != number, let job = job(next) {
                    line.first = First(job)
                    break
                }
                line.waiting.removeFirst()
            }
        }
        guard line.waiting.count > 2 * line.count + 64 else { return }
        line.waiting = Deque(line.waiting.filter { job($0) != nil })
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
            unbarred.append(LineSet())
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
