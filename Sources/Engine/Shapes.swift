// What jobs of one shape have in common. They fit or do not fit together, so each shape is tried once.

import Model
import Packing

/// Index of a shape in the queue's table.
typealias ShapeIndex = Int

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
    var count = 0
    /// Resolved when first needed and again after the pools changed; the same for one that may stand on kept nodes.
    var gang: Gang?
    var openGang: Gang?

    init(key: ShapeKey) {
        self.key = key
        isPatient = key.isPatient
    }
}
