// Whatever a body holds: never a 5xx, and no change without a 2xx. Seeds are in the names of the cases.

import API
import Engine
import Foundation
import HTTP
import Model
import TestKit
import Testing

@Suite struct GarbageTests {
    private static let job =
        "{\"id\":\"a\",\"tenant\":\"t\",\"priority\":5,\"workers\":[{\"name\":\"w\",\"count\":2,\"gpus\":4,\"cpuMillis\":1000}],"
        + "\"accelerators\":[\"GB200\"],\"scope\":\"block\",\"allow\":{\"regions\":[\"aws/us-east-1\"]},\"labels\":{\"x\":\"y\"}}"
    private static let gang =
        "{\"workers\":[{\"name\":\"w\",\"minCount\":2,\"maxCount\":4,\"gpus\":1,\"gpuMilli\":500,\"segment\":{\"size\":2,"
        + "\"tier\":\"node\"},\"spread\":{\"workersPerNode\":2,\"workersPerDomain\":8}},{\"name\":\"c\",\"count\":1,\"gpus\":0,"
        + "\"cpuMillis\":5}],\"accelerators\":[\"GB200\",{\"model\":\"H200\",\"speedMilli\":900}],\"scaleBySpeed\":true,\"scope\":"
        + "{\"required\":\"region\",\"preferred\":\"block\",\"patienceSeconds\":9},\"split\":{\"maxPools\":2,\"minWorkersPerPool\":1},"
        + "\"exclusive\":\"domain\",\"preemptible\":true,\"usesSpares\":true}"
    private static let mixed =
        "{\"name\":\"m\",\"provider\":\"aws\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":9,\"memoryMiB\":9},"
        + "\"allowsGPUShares\":true,\"sparesPerDomain\":0,\"reservation\":\"c\",\"nodes\":[{\"name\":\"n1\",\"domain\":\"d\",\"clique\":\"e\","
        + "\"reservation\":\"g\"},{\"name\":\"n2\",\"accelerator\":\"y\",\"instanceType\":\"z\",\"node\":{\"gpus\":2,\"cpuMillis\":1,\"memoryMiB\":1}}]}"
    private static let pool =
        "{\"provider\":\"aws\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":9,\"memoryMiB\":9},"
        + "\"topology\":{\"blocks\":1,\"domainsPerBlock\":2,\"nodesPerDomain\":4,\"cliquesPerDomain\":2},\"sparesPerDomain\":1,\"priceUSDPerGPUHour\":\"1.25\"}"
    private static let listed =
        "{\"provider\":\"aws\",\"region\":\"r\",\"accelerator\":\"x\",\"node\":{\"gpus\":4,\"cpuMillis\":9,\"memoryMiB\":9},"
        + "\"nodes\":[{\"name\":\"n1\",\"domain\":\"d\",\"block\":\"b\"},{\"name\":\"n2\"}]}"
    private static let bodies: [(HTTPMethod, String, String, String)] = [
        (.post, "/v1/jobs", "application/json", job), (.post, "/v1/jobs", "application/json", gang),
        (.post, "/v1/pools:load", "application/json", mixed), (.put, "/v1/pools/q", "application/json", pool),
        (.put, "/v1/pools/q", "application/json", listed),
        (.post, "/v1/jobs/r:finish", "application/json", "{\"result\":\"failed\",\"message\":\"m\"}"),
        (
            .post, "/v1/plans:defragment", "application/json",
            "{\"pools\":[\"p\"],\"maxMoves\":3,\"maxGPUHoursLost\":7,\"wholeDomains\":2,\"onlyPreemptible\":true}"
        ), (.post, "/v1/plans:evacuate", "application/json", "{\"domains\":[\"p/b00/d000\"],\"provider\":\"aws\"}"),
        (.post, "/v1/jobs:batch", "application/x-ndjson", job + "\n" + job + "\r\n\n" + job),
    ]

    /// One to three small changes of the bytes, or a new text of bytes that JSON uses.
    private func mutate(_ body: String, _ random: inout Random) -> [UInt8] {
        let alphabet = Array("{}[]\",:0123456789.-+eEtrufalsn\\ \n\r\t\u{0}\u{7F}".utf8) + [0x80, 0xC3, 0xED, 0xFF]
        if random.below(6) == 0 { return (0..<random.below(80)).map { _ in alphabet[random.below(alphabet.count)] } }
        var bytes = Array(body.utf8)
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let at = random.below(bytes.count)
            switch random.below(7) {
            case 0: bytes[at] = alphabet[random.below(alphabet.count)]
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(alphabet[random.below(alphabet.count)], at: at)
            case 3: bytes.removeSubrange(at..<min(bytes.count, at + random.below(12)))
            case 4:
                bytes.insert(
                    contentsOf: bytes[at..<min(bytes.count, at + random.below(20))], at: random.below(bytes.count))
            case 5: bytes.removeLast(bytes.count - at)
            default: bytes.swapAt(at, random.below(bytes.count))
            }
        }
        return bytes
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `bytes changed at random are never a 5xx and change nothing unless they are taken`(seed: UInt64) throws {
        var random = Random(seed: seed)
        let caller = try APICaller(pools: "p")
        try caller.submit("r")
        try caller.call(.post, "/v1/jobs/r:start")
        for _ in 0..<100 {
            let (method, target, type, body) = Self.bodies[random.below(Self.bodies.count)]
            try send(caller, method, target, mutate(body, &random), type, "seed \(seed)")
        }
        #expect(caller.backend.fault == nil)
    }

    /// A value put in the place of another, so that the text stays JSON.
    private func replace(_ any: Any, at: inout Int, with other: Any) -> Any {
        at -= 1
        if at == -1 { return other }
        if let object = any as? [String: Any] {
            var changed: [String: Any] = [:]
            for key in object.keys.sorted() { changed[key] = replace(object[key] ?? NSNull(), at: &at, with: other) }
            return changed
        }
        if let array = any as? [Any] { return array.map { replace($0, at: &at, with: other) } }
        return any
    }

    @Test func `any value in the place of any other is refused at its place or taken`() throws {
        let strange: [Any] = [
            NSNull(), true, false, 0, -1, 1, 16, 1.5, 1_048_576, Int.max, Int.min, 1e300, "", "a", "é", "a/b", "0",
            "-1",
            String(repeating: "x", count: 300), [Any](), [NSNull()], [[String: Any]()], [1, 2, 3], ["a", "a"],
            [String: Any](), ["a": 1], ["gpus": 1, "count": 1], Array(repeating: "q", count: 100),
        ]
        var tried = 0
        func fresh() throws -> APICaller {
            let caller = try APICaller(pools: "p")
            try caller.submit("r")
            try caller.call(.post, "/v1/jobs/r:start")
            return caller
        }
        var caller = try fresh()
        for (method, target, type, body) in Self.bodies.dropLast() {
            let good = try JSONSerialization.jsonObject(with: Data(body.utf8))
            for value in strange {
                var place = 0
                while true {
                    var at = place
                    let changed = replace(good, at: &at, with: value)
                    if at >= 0 { break }
                    place += 1
                    let bytes = try JSONSerialization.data(withJSONObject: changed, options: [.fragmentsAllowed])
                    let answer = try send(caller, method, target, Array(bytes), type, "\(changed)")
                    // What is refused leaves everything as it was.
                    if answer.status < 300 { caller = try fresh() }
                    if answer.status == 422 {
                        #expect(!answer.mistakes.isEmpty)
                        // Every pointer leads into the body, or names what is missing there.
                        for mistake in answer.json["errors"].array {
                            #expect(mistake["pointer"].string.map { $0.isEmpty || $0.hasPrefix("/") } == true)
                        }
                    }
                    tried += 1
                }
            }
        }
        #expect(tried > 1000)
    }

    @discardableResult
    private func send(
        _ caller: APICaller, _ method: HTTPMethod, _ target: String, _ bytes: [UInt8], _ type: String, _ what: String
    ) throws -> Answered {
        let digest = caller.backend.view.digest
        let answer = try caller.call(method, target, bytes: bytes, type: type)
        let shown = String(decoding: bytes, as: UTF8.self)
        #expect(answer.status < 500, "\(what): \(target) \(shown)")
        let isChanged = caller.backend.view.digest != digest
        if isChanged { #expect(answer.status < 300, "\(what): \(target) \(shown)") }
        // What the service takes, the file takes too. Some bodies may be left out.
        if answer.status < 300, !bytes.isEmpty, target != "/v1/jobs:batch" {
            let schemas = [
                "/v1/jobs/r:finish": "FinishRequest", "/v1/jobs": "JobRequest", "/v1/pools:load": "PoolLoadRequest",
                "/v1/plans:defragment": "DefragmentRequest", "/v1/plans:evacuate": "EvacuateRequest",
            ]
            let schema = OpenAPIFile.shared.schema(schemas[target] ?? "PoolRequest")
            let faults = OpenAPIFile.shared.faults(try JSON(parsing: Data(bytes)), schema, "")
            #expect(faults.isEmpty, "\(shown): \(faults)")
        }
        return answer
    }
}
