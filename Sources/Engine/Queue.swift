// Jobs that wait, by shape, and those of a shape by tenant, priority and length. A shape is tried by the job that is first among
// its lines. Knows no pool contents and no quota.

import DequeModule
import Model
import Packing

/// Every job that waits.
struct Queue {
    /// Shapes without waiting jobs that are kept because the next job often has the same shape.
    static let idleShapes = 1024

    private struct LineKey: Hashable {
        let shape: ShapeIndex
        let kind: LineKind
    }

    /// What of a shape's lines is passed over together, so that to pass a thousand over costs no more than one.
    private struct Misses {
        /// Those of jobs as long or longer, but those for whose first jobs a place is kept.
        var from: RuntimeClass?
        /// No line is shorter.
        var shortest = RuntimeClass.longest
        /// Lines for whose first jobs a place is kept.
        var kept = 0

        var isAll: Bool { kept == 0 && from.map { $0 <= shortest } ?? false }

        func contains(_ head: LineHead) -> Bool {
            from.map { $0 <= head.runtime && !head.marks.contains(.kept) } ?? false
        }
    }

    /// How long a job is taken to run that does not say.
    let assumedRuntimeSeconds: Int

    private var indexByKey: [ShapeKey: ShapeIndex] = [:]
    private(set) var shapes: [Shape?] = []
    /// By shape. No line is empty.
    private(set) var lines: [[Line]] = []
    /// Of each of them.
    private(set) var heads: [[LineHead]] = []
    /// By shape.
    private var misses: [Misses] = []
    /// By shape, how often something changed of which line is its first that may be tried.
    private(set) var changes: [UInt64] = []
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
            heads[shape][line].marks.insert(.barred)
        }
        changes[shape] &+= 1
    }

    /// Passes a line over no more.
    mutating func unbar(_ line: Int, of shape: ShapeIndex) {
        heads[shape][line].marks.subtract(.passedOver)
        changes[shape] &+= 1
    }

    /// Passes a line over until its shape is tried again. `isPartlyClosed`: whether its tenant may not use some of the pools now.
    mutating func miss(_ line: Int, of shape: ShapeIndex, isPartlyClosed: Bool) {
        withMisses.insert(shape)
        if isPartlyClosed { partlyClosed.insert(shape) }
        heads[shape][line].marks.insert(.missed)
        changes[shape] &+= 1
    }

    /// Passes a line over, and all lines of its shape with jobs as long or longer but those for whose first jobs a place is kept.
    mutating func missAll(from line: Int, of shape: ShapeIndex) {
        let head = heads[shape][line]
        if head.marks.contains(.kept) { miss(line, of: shape, isPartlyClosed: false) }
        misses[shape].from = min(misses[shape].from ?? head.runtime, head.runtime)
        changes[shape] &+= 1
    }

    /// Whether a line may be tried.
    func isOpen(_ line: Int, of shape: ShapeIndex) -> Bool {
        heads[shape][line].marks.isDisjoint(with: .passedOver) && !misses[shape].contains(heads[shape][line])
    }

    /// Calls `body` with each line of a shape that may be tried. Cost: the lines; nothing where all were missed.
    func forEachOpen(of shape: ShapeIndex, _ body: (Int, LineHead) -> Void) {
        let misses = misses[shape]
        if misses.isAll { return }
        let heads = heads[shape]
        for (line, head) in heads.enumerated() {
            if head.marks.isDisjoint(with: .passedOver) && !misses.contains(head) { body(line, head) }
        }
    }

    /// Takes note that a place is kept for a waiting job, or no more. `job`: as it is now.
    mutating func noteKept(_ job: Job, of tenant: TenantSlot, asking scope: Tier) {
        guard let shape = indexByKey[ShapeKey(job.spec, asking: scope)], let line = line(shape, kind(of: job, tenant)),
            lines[shape][line].first.number == job.number
        else { return }
        setFirst(job, of: line, shape)
    }

    private mutating func setFirst(_ job: Job, of line: Int, _ shape: ShapeIndex) {
        misses[shape].kept -= heads[shape][line].marks.contains(.kept) ? 1 : 0
        heads[shape][line].setFirst(job)
        misses[shape].kept += heads[shape][line].marks.contains(.kept) ? 1 : 0
        changes[shape] &+= 1
    }

    /// Whether some jobs of a shape are no longer than so many seconds.
    func hasLine(_ shape: ShapeIndex, noLongerThan seconds: Int) -> Bool {
        heads[shape].contains { $0.runtime.leastSeconds <= seconds }
    }

    /// Takes back what was missed of a shape that is to be tried again.
    mutating func forgetMisses(of shape: ShapeIndex) {
        if misses[shape].from != nil {
            misses[shape].from = nil
            changes[shape] &+= 1
        }
        guard withMisses.contains(shape) else { return }
        changes[shape] &+= 1
        withMisses.remove(shape)
        partlyClosed.remove(shape)
        for line in heads[shape].indices { heads[shape][line].marks.remove(.missed) }
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
            lines[index].append(Line(job))
            heads[index].append(LineHead(kind))
            misses[index].shortest = min(misses[index].shortest, kind.runtime)
            lineByKey[key] = at
        }
        if lines[index][at].insert(job) { setFirst(job, of: at, index) }
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
        let first = lines[index][at].remove(job.number) { waiting.job($0, asking: scope) }
        if let first { setFirst(first, of: at, index) }
        if lines[index][at].count == 0 { removeLine(at, of: index) }
        guard count(index) == 0 else { return index }
        misses[index] = Misses()
        idle += 1
        busy -= 1
        for demand in self[index].key.demands {
            if let left = demands[demand], left > 1 { demands[demand] = left - 1 } else { demands[demand] = nil }
        }
        if idle > Self.idleShapes { dropIdle() }
        return index
    }

    private mutating func removeLine(_ at: Int, of shape: ShapeIndex) {
        lineByKey[LineKey(shape: shape, kind: heads[shape][at].kind)] = nil
        misses[shape].kept -= heads[shape][at].marks.contains(.kept) ? 1 : 0
        changes[shape] &+= 1
        let (last, lastHead) = (lines[shape].removeLast(), heads[shape].removeLast())
        if at < lines[shape].count {
            lines[shape][at] = last
            heads[shape][at] = lastHead
            lineByKey[LineKey(shape: shape, kind: lastHead.kind)] = at
        }
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
            heads.append([])
            misses.append(Misses())
            changes.append(0)
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
