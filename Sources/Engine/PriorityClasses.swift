// Priority classes: which facts putting and deleting one leads to, and when that is refused. A change touches no job: jobs keep
// what their class said when they came.

import Model

extension Engine {
    mutating func putPriorityClass(_ spec: PriorityClass, at: Timestamp) -> Outcome {
        let known = state.priorityClass(named: spec.name)
        if known?.spec == spec { return .priorityClass(name: spec.name, created: false) }
        if known == nil && state.priorityClasses.count >= settings.limits.priorityClasses {
            return .refused(.limitReached(name: "limits.priorityClasses", limit: settings.limits.priorityClasses))
        }
        emit(.priorityClassPut(spec), at: at)
        return .priorityClass(name: spec.name, created: known == nil)
    }

    mutating func deletePriorityClass(_ name: String, at: Timestamp) -> Outcome {
        guard let known = state.priorityClass(named: name) else { return .refused(.priorityClassNotFound(name: name)) }
        if known.jobs > 0 { return .refused(.priorityClassInUse(name: name, jobs: known.jobs)) }
        emit(.priorityClassDeleted(name: name), at: at)
        return .priorityClassDeleted(name: name)
    }
}
