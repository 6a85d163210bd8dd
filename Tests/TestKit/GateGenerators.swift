// Seeded draws of what keeps jobs from being tried: holds, times, other jobs' ends; and of priority classes.

import Engine
import Model

extension History {
    private static let classNames = ["high", "low", "other"]

    /// Holds, releases, and what becomes of priority classes.
    mutating func gateCommand(_ state: State) -> Command {
        switch pick(1...10) {
        case ...3: return .hold(id: someJob(state) { $0.isOpen })
        case ...7: return .release(id: someJob(state) { $0.life.isHeld })
        case ...9:
            return .putPriorityClass(
                PriorityClass(
                    name: pick(Self.classNames), value: pick([0, 5, 700, 1000]), preemption: pick([.never, .lower]),
                    minRuntimeSeconds: pick([0, 60]), description: pick(["", "for people"])))
        default: return .deletePriorityClass(name: pick(Self.classNames))
        }
    }

    /// A job of any form, with gates now and then.
    mutating func spec(id: String, _ state: State) -> JobSpec {
        var spec = spec(id: id)
        if !chance(percent: percentGated) { return spec }
        func later(_ seconds: Int) -> Timestamp { state.at.adding(seconds: seconds) }
        // One by itself, or each with a chance of its own.
        let only = chance(percent: 60) ? pick(0...5) : nil
        func has(_ gate: Int, _ random: inout History) -> Bool {
            only.map { $0 == gate } ?? random.chance(percent: 30)
        }
        if has(0, &self) { spec.hold = true }
        if has(1, &self) { spec.notBefore = later(pick([-10, 0, 1, 2, 5, 20])) }
        if has(2, &self) { addDependencies(to: &spec, state) }
        if has(3, &self) { spec.maxWaitSeconds = pick([1, 2, 5, 20, 60]) }
        if has(4, &self) {
            spec.deadline = later(pick([0, 3, 10, 40, 100]))
            spec.maxRuntimeSeconds = chance(percent: 60) ? pick([1, 5, 30]) : nil
        }
        if has(5, &self), !state.priorityClasses.isEmpty {
            spec.priority = 0
            spec.priorityClass = chance(percent: 5) ? "nobody" : pick(state.priorityClasses).spec.name
        }
        return spec
    }

    private mutating func addDependencies(to spec: inout JobSpec, _ state: State) {
        for _ in 0..<pick(1...3) {
            let id = chance(percent: 3) ? "nobody" : someJob(state) { !$0.state.hasEnded }
            if spec.after.contains(where: { $0.job == id }) { continue }
            spec.after.append(Dependency(job: id, condition: pick([.succeeded, .any])))
        }
    }

    /// The first job from a random number on that `isWanted`, or any.
    private mutating func someJob(_ state: State, _ isWanted: (Job) -> Bool) -> String {
        let start = JobNumber(UInt64(pick(0...Int(state.nextJobNumber))))
        let takesAny = chance(percent: 15)
        var found: Job?
        for from in [start, JobNumber(0)] where found == nil {
            state.jobs.forEach(after: from) { job in
                if takesAny || isWanted(job) { found = job }
                return found == nil
            }
        }
        return found?.id ?? "nobody"
    }
}
