// The jobs that benchmarks send and decide: each with its own id, all with the same 600 bytes around it.

import API
import JSON
import Model

/// Bodies of jobs as a lab's scripts write them.
enum Bodies {
    static let jobBytes = 600

    /// A job as JSON of exactly `jobBytes` bytes; without more said, of one GPU on any node.
    static func job(
        _ id: String, workers: Int = 1, gpus: Int = 1, scope: Tier = .node, pools: [String] = []
    ) -> [UInt8] {
        var allow = ""
        if !pools.isEmpty { allow = ",\"allow\":{\"pools\":[\"" + pools.joined(separator: "\",\"") + "\"]}" }
        var text =
            "{\"id\":\"\(id)\",\"name\":\"pretrain-atlas-7b\",\"tenant\":\"research\",\"priority\":100,"
            + "\"workers\":[{\"name\":\"trainer\",\"count\":\(workers),\"gpus\":\(gpus),"
            + "\"cpuMillis\":\(1000 * gpus),\"memoryMiB\":\(2048 * gpus)}],"
            + "\"scope\":\"\(scope.name)\"\(allow),\"maxRuntimeSeconds\":86400,\"labels\":{\"project\":\"atlas\","
            + "\"team\":\"language\",\"owner\":\"research@lab.example\",\"checkpoint\":\"s3://lab-atlas/checkpoints\","
            + "\"dataset\":\"web-2026-03-deduplicated\",\"experiment\":\"ablation-of-attention-17\","
            + "\"note\":\""
        let end = "\"}}"
        text += String(repeating: "x", count: max(0, jobBytes - text.utf8.count - end.utf8.count)) + end
        return Array(text.utf8)
    }

    /// The same job as the engine is told of it: read from its body, so that its strings take the memory they take there.
    static func spec(_ id: String, workers: Int = 1, gpus: Int = 1, scope: Tier = .node) throws -> JobSpec {
        try decodeObject(job(id, workers: workers, gpus: gpus, scope: scope)) { JobSpec(&$0) }
    }

    /// NVL72 pools: nodes of four GPUs, eighteen in a domain.
    static func pool(_ name: String, blocks: Int, domainsPerBlock: Int) -> PoolSpec {
        PoolSpec(
            name: name, provider: "aws", region: "us-east-1", accelerator: "GB200", instanceType: "p6e-gb200.36xlarge",
            node: NodeShape(gpus: 4, cpuMillis: 144_000, memoryMiB: 983_040),
            topology: .counts(blocks: blocks, domainsPerBlock: domainsPerBlock, nodesPerDomain: 18),
            purchase: .committed, priceMicroUSDPerGPUHour: 6_900_000)
    }
}
