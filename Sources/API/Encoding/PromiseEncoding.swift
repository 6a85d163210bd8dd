// What a waiting job was promised, as the API shows it: when it starts at the latest, where, and on what that rests.

import Engine
import JSON
import Model

extension JSONWriter {
    mutating func promise(_ job: Job, in state: State) {
        member("searchGivenUpAt", job.life.searchGivenUpAt)
        guard let reservation = job.life.reservation else { return }
        key("reservation")
        object { writer in
            writer.field("cause", text: reservation.cause.word)
            writer.member("start", reservation.start)
            writer.member("firstStart", job.life.firstStart)
            writer.member("movedAt", reservation.movedAt)
            writer.member("soughtAt", reservation.madeAt)
            writer.field("basis", text: reservation.isAssumed ? "assumedLimits" : "limits")
            writer.member("gpus", (reservation.placement.gpuMilli + 999) / 1000)
            writer.member("nodeCount", reservation.placement.runs.reduce(0) { $0 + Int($1.nodeCount) })
            var pools: [String] = []
            reservation.placement.forEachPool { pools.append(state[$0].spec.name) }
            writer.member("pools", pools)
        }
    }
}
