// What is promised already while victims are sought: quota that those give back who leave and those take for whom they leave.

import Model
import Packing

extension Engine {
    /// What those hold that leave already, less what is kept for those that they leave for. Cost: these.
    func preemptionInFlight() -> TakenUse {
        var taken = TakenUse()
        for number in state.preemptors {
            guard let job = state.jobs[number], let place = job.keptPlace else { continue }
            taken.add(state.usage(of: place), -1, of: tenant(of: job), state.tenants)
        }
        forEachLeaving { slot, holds, keeps in
            taken.add(state.usage(of: holds), 1, of: slot, state.tenants)
            if let keeps { taken.add(state.usage(of: keeps), -1, of: slot, state.tenants) }
        }
        return taken
    }

    /// Counts for quotas what those hold that leave as given back (`sign` 1), or no more (-1).
    mutating func discountPreemption(_ sign: Int128) {
        if bars.quotas.isEmpty { return }
        var changes: [(TenantSlot, Placement, Placement?)] = []
        forEachLeaving { changes.append(($0, $1, $2)) }
        for (slot, holds, keeps) in changes {
            charge(holds, to: slot, -sign)
            if let keeps { charge(keeps, to: slot, sign) }
        }
    }

    private func forEachLeaving(_ body: (TenantSlot, _ holds: Placement, _ keeps: Placement?) -> Void) {
        for (_, jobs) in preemption.leaving {
            for number in jobs {
                guard let job = state.jobs[number], let holds = job.life.placement, let eviction = job.life.eviction
                else { continue }
                body(tenant(of: job), holds, eviction.keeps)
            }
        }
    }
}
