// Jobs that come together: registered one by one, placed by one plan of the packer for those of each priority.
// What the plan leaves out is tried and waits like any other job.

import Model
import Packing

extension Engine {
    mutating func submitBatch(_ specs: [JobSpec], at: Timestamp) -> Outcome {
        // Jobs that were left for later come first; where some still are, there is no plan.
        if hasPlacementWork || !state.isSettled { schedule(at: at) }
        let mayPlan = !hasPlacementWork && settings.order == .full && settings.overtaking
        var created: [JobNumber] = []
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(specs.count)
        for spec in specs {
            let outcome = register(spec, at: at)
            if case .job(let job, created: true) = outcome { created.append(job.number) }
            outcomes.append(outcome)
        }
        if mayPlan { placeByPlan(created, at: at) }
        if !created.isEmpty { schedule(at: at) }
        return .batch(
            outcomes.map { outcome in
                guard case .job(let job, let created) = outcome, let latest = state.jobs[job.number] else {
                    return outcome
                }
                return .job(latest, created: created)
            })
    }

    /// Places new jobs whose shapes no older job waits with: an older one of equal shape found no place, so they find none.
    private mutating func placeByPlan(_ numbers: [JobNumber], at: Timestamp) {
        trimIndexes()
        bars.refresh(state, at: at)
        guard let tenant = numbers.first.flatMap({ state.jobs[$0]?.spec.tenant }) else { return }
        var byPriority: [(priority: Int, jobs: [Job])] = []
        for number in numbers {
            guard let job = state.jobs[number], job.isOpen,
                let shape = queue.index(of: ShapeKey(job.spec, asking: job.spec.scope.first)), untried.contains(shape)
            else { continue }
            // The plan knows no shares, quotas or other rules of tenants.
            if bars.hasRules || job.spec.tenant != tenant { return }
            if let known = byPriority.firstIndex(where: { $0.priority == job.life.priority }) {
                byPriority[known].jobs.append(job)
            } else {
                byPriority.append((job.life.priority, [job]))
            }
        }
        byPriority.sort { $0.priority > $1.priority }
        var runs = Self.runsPerCommand
        for (_, jobs) in byPriority { plan(jobs, &runs, at: at) }
    }

    /// Places jobs of one priority together; of equal ones the earlier come first.
    private mutating func plan(_ jobs: [Job], _ runs: inout Int, at: Timestamp) {
        var shapes: [ShapeIndex] = []
        var gangs: [Gang] = []
        var requests: [Int] = []
        for job in jobs {
            guard let shape = queue.index(of: ShapeKey(job.spec, asking: job.spec.scope.first)) else { return }
            if let known = shapes.firstIndex(of: shape) {
                requests.append(known)
            } else {
                requests.append(shapes.count)
                shapes.append(shape)
                gangs.append(gang(of: shape))
            }
        }
        work.tries += UInt64(shapes.count)
        let places = packer.plan(gangs, requests: requests, steps: settings.batchSearchSteps)
        var waiting = shapes.indices.map { shape in jobs.indices.filter { requests[$0] == shape }.map { jobs[$0] } }
        for shape in waiting.indices { waiting[shape].reverse() }
        for (request, place) in places.enumerated() {
            guard let place, runs > 0, let job = waiting[requests[request]].popLast() else { continue }
            runs -= place.runs.count
            emit(.jobPlaced(number: job.number, placement: place), at: at)
            work.placements += 1
        }
    }
}
