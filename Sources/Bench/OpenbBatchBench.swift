// The pods of an openb stream as one batch that is known at once: how much of the cluster the best order and a bounded search
// fill. The same core and the same fleet as the stream that arrives pod by pod.

import Model
import Packing

/// A run over one stream, all of it at once.
public struct OpenbBatchBench: Sendable {
    /// Holds `nodes.jsonl` and `arrivals.jsonl`.
    public var folder: String
    /// Of the search.
    public var steps: Int

    public init(folder: String, steps: Int = 200_000) {
        self.folder = folder
        self.steps = steps
    }

    public func run() throws -> Report {
        let stream = try Stream(folder: folder)
        var fleet = StreamFleet(stream.nodes)
        var mix = DemandMix()
        for pod in stream.pods { mix.note(MixEntry(pod)) }
        fleet.tell(&mix, freeMilli: stream.gpuMilli)
        var kinds: [StreamPod.Kind: Int] = [:]
        var gangs: [Gang] = []
        var requests: [Int] = []
        for pod in stream.pods {
            if kinds[pod.kind] == nil {
                kinds[pod.kind] = gangs.count
                gangs.append(fleet.gang(of: pod))
            }
            requests.append(kinds[pod.kind] ?? 0)
        }
        let begin = threadNanosecondsNow()
        let places = fleet.packer.plan(gangs, requests: requests, steps: steps)
        let nanoseconds = threadNanosecondsNow() - begin
        var allocated = 0
        var left = 0
        var digest = Digest(seed: 0)
        for (at, place) in places.enumerated() {
            guard let place else {
                left += 1
                continue
            }
            precondition(fleet.packer.canTake(place), "a planned place is not free")
            fleet.packer.take(place)
            allocated += stream.pods[at].demand.totalMilli
            digest.add(Int(place.runs[0].node) << 8 | place.parts[0].pool.index)
        }
        return Report(
            benchmark: "openb batched",
            figures: [
                Figure(
                    "allocation", Double(allocated) / Double(stream.gpuMilli) * 100, "%", goal: "at least 98.3"),
                Figure("podsLeftOut", Double(left), "pods"),
                Figure("seconds", Double(nanoseconds) / 1e9, "s"),
            ], hash: digest.value)
    }
}
