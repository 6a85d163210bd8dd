// The body that puts a priority class.

import JSON
import Model

extension PriorityClass {
    init(_ reader: inout ObjectReader, named name: String) {
        self.init(
            name: name, value: reader.integer("value", in: 0...Bounds.priority),
            preemption: reader.optionalWord("preemption", Words.preemptions) ?? .lower,
            minRuntimeSeconds: reader.optionalInteger("minRuntimeSeconds", in: 0...Bounds.runtimeSeconds) ?? 0,
            description: reader.optionalString("description", maxBytes: Bounds.messageBytes) ?? "")
    }
}
