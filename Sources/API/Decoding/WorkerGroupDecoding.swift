// A worker group of a job's body as a value of the model.

import JSON
import Model

extension WorkerGroup {
    /// The groups of a job, whose names differ.
    static func groups(_ reader: inout ObjectReader) -> [WorkerGroup] {
        var names: Set<String> = []
        return reader.objects("workers", count: 1...Bounds.groupsPerJob) { reader in
            let before = reader.mistakeCount
            let group = WorkerGroup(&reader)
            if reader.mistakeCount == before && !names.insert(group.name).inserted {
                reader.mistake(
                    .duplicate, "name", "Give this group a name of its own: a group '\(group.name)' stands before it.")
            }
            return group
        }
    }

    private init(_ reader: inout ObjectReader) {
        let before = reader.mistakeCount
        let name = reader.optionalName("name") ?? "worker"
        let (count, maxCount) = Self.counts(&reader)
        self.init(
            name: name, count: count, maxCount: maxCount, demand: Demand(&reader),
            segment: reader.optionalObject("segment") { Segment(&$0) },
            spread: reader.optionalObject("spread") { Spread(&$0) } ?? .none)
        if reader.mistakeCount == before { check(reader) }
    }

    /// `count`, or `minCount` and `maxCount`.
    private static func counts(_ reader: inout ObjectReader) -> (Int, Int?) {
        let before = reader.mistakeCount
        let count = reader.optionalInteger("count", in: 1...Bounds.workersPerJob)
        let least = reader.optionalInteger("minCount", in: 1...Bounds.workersPerJob)
        let most = reader.optionalInteger("maxCount", in: 1...Bounds.workersPerJob)
        switch (count, least, most) {
        case (let count?, nil, nil): return (count, nil)
        case (nil, let least?, let most?):
            if most < least && reader.mistakeCount == before {
                reader.mistake(.outOfRange, "maxCount", "Give at least 'minCount', which is \(least), not \(most).")
            }
            return (least, max(least, most))
        case (nil, nil, nil):
            reader.mistake(
                .missing, "count",
                "Add the field \"count\"; it is required. A group that may grow has \"minCount\" and \"maxCount\" instead."
            )
        case (nil, _, nil):
            reader.mistake(.missing, "maxCount", "Add the field \"maxCount\": \"minCount\" goes with it.")
        case (nil, nil, _):
            reader.mistake(.missing, "minCount", "Add the field \"minCount\": \"maxCount\" goes with it.")
        case (_?, _, _):
            reader.mistake(.invalid, "count", "Give either \"count\", or \"minCount\" and \"maxCount\".")
        }
        return (1, nil)
    }

    /// What the fields of one group forbid each other.
    private func check(_ reader: borrowing ObjectReader) {
        guard let segment else { return }
        let counts = isElastic ? [("minCount", count), ("maxCount", maxCount)] : [("count", count)]
        for (field, count) in counts where count % segment.size != 0 {
            reader.mistake(
                .invalid, "segment",
                "Make '\(field)' a multiple of the segment's size: \(count) workers make no whole segments of \(segment.size)."
            )
        }
        for (field, most, tier) in spread.limits where segment.tier <= tier && segment.size > most {
            reader.mistake(
                .invalid, "segment",
                "Make the segment smaller or raise '\(field)' to \(segment.size): a segment is within one \(segment.tier.name)."
            )
        }
    }
}

extension Demand {
    fileprivate init(_ reader: inout ObjectReader) {
        let isShare = reader.has("gpuMilli")
        // Only a number that was read, for what was refused is 0 too.
        let hasNone = reader.field("gpus")?.value.int64 == 0
        self.init(
            gpus: isShare
                ? reader.optionalInteger("gpus", in: 0...Bounds.gpusPerNode) ?? 1
                : reader.integer("gpus", in: 0...Bounds.gpusPerNode),
            gpuMilli: reader.optionalInteger("gpuMilli", in: 1...1000) ?? 1000,
            cpuMillis: reader.optionalInteger("cpuMillis", in: 0...Bounds.cpuMillisPerNode),
            memoryMiB: reader.optionalInteger("memoryMiB", in: 0...Bounds.memoryMiBPerNode))
        if isShare && gpus != 1 && reader.field("gpus")?.value.int64 == Int64(gpus) {
            reader.mistake(
                .invalid, "gpuMilli", "Leave 'gpuMilli' out or ask for 1 GPU: a share is of one GPU.")
        }
        if hasNone && cpuMillis ?? 0 == 0 && memoryMiB ?? 0 == 0 {
            reader.mistake(
                .missing, "cpuMillis",
                "Say how many 'cpuMillis' or how much 'memoryMiB' a worker without GPUs needs; it cannot need nothing.")
        }
    }
}

extension Segment {
    fileprivate init(_ reader: inout ObjectReader) {
        self.init(
            size: reader.integer("size", in: 1...Bounds.workersPerJob),
            tier: reader.word("tier", Words.segmentTiers) ?? .node)
    }
}

extension Spread {
    fileprivate init(_ reader: inout ObjectReader) {
        self.init(
            workersPerNode: reader.optionalInteger("workersPerNode", in: 1...Bounds.workersPerJob),
            workersPerDomain: reader.optionalInteger("workersPerDomain", in: 1...Bounds.workersPerJob))
        if self == .none {
            reader.mistake(.missing, nil, "Give 'workersPerNode', 'workersPerDomain' or both.")
        }
    }
}
