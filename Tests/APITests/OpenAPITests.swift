// The OpenAPI file agrees with the code: its routes, words and bounds.

import API
import Engine
import Foundation
import HTTP
import JSON
import Model
import Testing

@Suite struct OpenAPITests {
    private let file = OpenAPIFile.shared

    @Test func `the service serves the file byte for byte`() throws {
        let answer = try APICaller().get("/openapi.json")
        #expect(answer.status == 200)
        #expect(answer.text == file.text)
        #expect(file.root["openapi"].string?.hasPrefix("3.1") == true)
    }

    @Test func `every route stands in the file, and every path and method of the file is a route`() {
        var inFile: Set<String> = []
        for path in file.root["paths"].keys {
            for method in file.root["paths"][path].keys { inFile.insert(method.uppercased() + " " + path) }
        }
        let inTable = RouteTable.rows.map { $0.method.name + " " + OpenAPIFile.path(of: $0.pattern) }
        #expect(inFile == Set(inTable))
        #expect(inTable.count == Set(inTable).count)
        for row in RouteTable.rows {
            let operation = file.root["paths"][OpenAPIFile.path(of: row.pattern)][row.method.name.lowercased()]
            #expect(operation["operationId"].string == row.operation.rawValue)
        }
    }

    @Test func `every reference of the file leads somewhere`() throws {
        var count = 0
        func look(_ value: JSON) {
            if let reference = value["$ref"].string {
                count += 1
                #expect(file.resolve(value).isThere, "\(reference)")
            }
            for name in value.keys { look(value[name]) }
            for element in value.array { look(element) }
        }
        look(file.root)
        #expect(count > 200)
    }

    private func words(_ schema: JSON) -> [String] { schema["enum"].array.compactMap(\.string) }

    @Test func `closed sets of words are the same in the file and in the code`() {
        let types = words(file.schema("Problem")["properties"]["type"])
        #expect(types == ProblemType.allCases.map { "urn:berth:problem:" + $0.rawValue })
        #expect(words(file.schema("LineProblem")["properties"]["type"]) == types)
        #expect(words(file.schema("BlockReason")) == BlockReason.allCases.map { "\($0)" } + ["noPools"])
        #expect(words(file.schema("NoStart")) == NoStart.allCases.map { "\($0)" })
        let outlooks = words(file.schema("DeadlineOutlook")["properties"]["outlook"])
        #expect(outlooks == DeadlineOutlook.allCases.map { "\($0)" })
        #expect(words(file.schema("GateKind")) == GateKind.allCases.map { "\($0)" })
        #expect(words(file.schema("EndCause")) == EndCause.allCases.map { "\($0)" })
        #expect(words(file.schema("PreemptionPolicy")) == PreemptionPolicy.allCases.map { "\($0)" })
        #expect(words(file.schema("PreemptionKind")) == PreemptionKind.allCases.map { "\($0)" })
        #expect(words(file.schema("DependencyCondition")) == DependencyCondition.allCases.map { "\($0)" })
        #expect(words(file.schema("PlanEnd")) == PlanEnd.allCases.map { "\($0)" })
        #expect(words(file.schema("PlanObstacle")) == PlanObstacle.allCases.map { "\($0)" })
        #expect(words(file.schema("QueuedTie")) == QueuedTie.allCases.map { "\($0)" })
        #expect(words(file.schema("JobState")) == JobState.allCases.map(\.name))
        #expect(words(file.schema("RequeueCause")) == RequeueCause.allCases.map { "\($0)" })
        #expect(words(file.schema("Billing")) == Billing.allCases.map { "\($0)" })
        #expect(words(file.schema("Purchase")) == Purchase.allCases.map { "\($0)" })
        #expect(words(file.schema("Tier")) == Tier.allCases.map(\.name))
        #expect(Set(words(file.schema("NodeState"))) == Set(NodeState.allCases.map(\.name)))
        let codes = Mistake.Code.allCases.filter { $0 != .syntax }.map(\.rawValue)
        #expect(words(file.schema("Mistake")["properties"]["code"]) == codes)
    }

    @Test func `every problem type has an example with its own status and title`() {
        var seen: Set<String> = []
        func look(_ value: JSON) {
            if let type = value["type"].string, value["title"].isThere, value["detail"].isThere,
                let known = ProblemType.allCases.first(where: { type == "urn:berth:problem:" + $0.rawValue }),
                value["instance"].isThere
            {
                seen.insert(known.rawValue)
                #expect(value["status"].int == Int(known.status.code), "\(type)")
                #expect(value["title"].string == known.title)
            }
            for name in value.keys { look(value[name]) }
            for element in value.array { look(element) }
        }
        look(file.root["paths"])
        look(file.root["components"]["responses"])
        look(file.root["components"]["examples"])
        #expect(seen == Set(ProblemType.allCases.map(\.rawValue)))
    }

    @Test func `bounds of the file are the bounds of the model`() {
        func bounds(_ schema: String, _ field: String) -> [Int?] {
            let property = file.schema(schema)["properties"][field]
            return [property["minimum"].int, property["maximum"].int]
        }
        for group in ["WorkerGroupRequest", "WorkerGroup"] {
            #expect(bounds(group, "count") == [1, Bounds.workersPerJob])
            #expect(bounds(group, "minCount") == [1, Bounds.workersPerJob])
            #expect(bounds(group, "maxCount") == [1, Bounds.workersPerJob])
            #expect(bounds(group, "gpus") == [0, Bounds.gpusPerNode])
            #expect(bounds(group, "gpuMilli") == [1, 1000])
            #expect(bounds(group, "cpuMillis") == [0, Bounds.cpuMillisPerNode])
            #expect(bounds(group, "memoryMiB") == [0, Bounds.memoryMiBPerNode])
        }
        #expect(bounds("JobRequest", "priority") == [0, Bounds.priority])
        #expect(bounds("JobRequest", "maxRuntimeSeconds") == [1, Bounds.runtimeSeconds])
        for job in ["JobRequest", "Job"] {
            #expect(bounds(job, "maxWaitSeconds") == [1, Bounds.runtimeSeconds])
            #expect(file.schema(job)["properties"]["after"]["maxItems"].int == Bounds.dependencies)
        }
        #expect(bounds("Job", "minRuntimeSeconds") == [0, Bounds.runtimeSeconds])
        for known in ["PriorityClassRequest", "PriorityClass"] {
            #expect(bounds(known, "value") == [0, Bounds.priority])
            #expect(bounds(known, "minRuntimeSeconds") == [0, Bounds.runtimeSeconds])
            #expect(file.schema(known)["properties"]["description"]["maxLength"].int == Bounds.messageBytes)
        }
        #expect(file.schema("Gate")["properties"]["jobs"]["maxItems"].int == Bounds.dependencies)
        #expect(bounds("NodeShape", "gpus") == [1, Bounds.gpusPerNode])
        #expect(bounds("NodeShape", "cpuMillis") == [0, Bounds.cpuMillisPerNode])
        #expect(bounds("NodeShape", "memoryMiB") == [0, Bounds.memoryMiBPerNode])
        #expect(bounds("Topology", "blocks") == [1, Bounds.nodesPerPool])
        #expect(bounds("Topology", "domainsPerBlock") == [1, Bounds.nodesPerPool])
        #expect(bounds("Topology", "nodesPerDomain") == [1, Bounds.nodesPerDomain])
        #expect(bounds("Topology", "cliquesPerDomain") == [1, Bounds.nodesPerDomain])
        for pool in ["PoolRequest", "PoolLoadRequest"] {
            #expect(bounds(pool, "sparesPerDomain") == [0, Bounds.nodesPerDomain])
        }
        #expect(bounds("Segment", "size") == [1, Bounds.workersPerJob])
        #expect(bounds("Spread", "workersPerNode") == [1, Bounds.workersPerJob])
        #expect(bounds("Spread", "workersPerDomain") == [1, Bounds.workersPerJob])
        #expect(bounds("Split", "maxPools") == [2, Bounds.poolsPerSplit])
        #expect(bounds("Split", "minWorkersPerPool") == [1, Bounds.workersPerJob])
        #expect(bounds("Accelerator", "speedMilli") == [Bounds.speedMilli.lowerBound, Bounds.speedMilli.upperBound])
        let patience = file.schema("Scope")["oneOf"][1]["properties"]["patienceSeconds"]
        #expect(patience["maximum"].int == Bounds.patienceSeconds)
        #expect(file.schema("JobRequest")["properties"]["workers"]["maxItems"].int == Bounds.groupsPerJob)
        #expect(file.schema("Placement")["properties"]["pools"]["maxItems"].int == Bounds.poolsPerSplit)
        #expect(
            file.schema("Placement")["properties"]["parts"]["maxItems"].int == Bounds.groupsPerJob
                * Bounds.poolsPerSplit)
        #expect(bounds("DefragmentRequest", "maxMoves") == [1, Bounds.planMoves])
        #expect(bounds("DefragmentRequest", "maxGPUHoursLost") == [0, Int(Bounds.budgetGPUHours)])
        #expect(bounds("DefragmentRequest", "wholeDomains") == [1, Bounds.nodesPerPool])
        #expect(file.schema("DefragmentPlan")["properties"]["moves"]["maxItems"].int == Bounds.planMoves)
        #expect(bounds("EvacuateRequest", "limit") == [1, Bounds.planJobs])
        #expect(file.schema("EvacuateRequest")["properties"]["domains"]["maxItems"].int == Bounds.planDomains)
        for plan in ["DefragmentRequest", "EvacuateRequest"] {
            #expect(file.schema(plan)["properties"]["pools"]["maxItems"].int == Bounds.listEntries)
        }
        #expect(bounds("TenantRequest", "weight") == [1, Bounds.tenantWeight])
        #expect(file.schema("TenantRequest")["properties"]["quota"]["maxItems"].int == Bounds.quotasPerTenant)
        #expect(bounds("Quota", "nominalGPUs") == [0, Int(Bounds.quotaAmount / 1000)])
        #expect(bounds("Budget", "gpuHoursPerMonth") == [0, Int(Bounds.budgetGPUHours)])
        #expect(file.schema("TenantPath")["maxLength"].int == Bounds.nameBytes)
        #expect(file.schema("Name")["maxLength"].int == Bounds.nameBytes)
        #expect(file.schema("NodeName")["maxLength"].int == Bounds.nameBytes)
        #expect(file.schema("RegionName")["maxLength"].int == 2 * Bounds.nameBytes + 1)
        #expect(file.schema("JobRequest")["properties"]["name"]["maxLength"].int == Bounds.nameBytes)
        #expect(file.schema("FinishRequest")["properties"]["message"]["maxLength"].int == Bounds.messageBytes)
        #expect(file.schema("Labels")["maxProperties"].int == Bounds.labels)
        #expect(file.schema("Labels")["additionalProperties"]["maxLength"].int == Bounds.labelValueBytes)
        for list in ["providers", "regions", "pools"] {
            #expect(file.schema("PlaceList")["properties"][list]["maxItems"].int == Bounds.listEntries)
        }
        #expect(file.schema("JobRequest")["properties"]["accelerators"]["maxItems"].int == Bounds.listEntries)
        #expect(file.schema("PoolRequest")["properties"]["nodes"]["maxItems"].int == Bounds.nodesPerPool)
        #expect(file.schema("PoolList")["properties"]["pools"]["maxItems"].int == Bounds.poolSlots)
        let price = file.schema("PriceUSD")["description"].string ?? ""
        #expect(price.contains("from 0 to \(Bounds.priceMicroUSDPerGPUHour / 1_000_000)."))
    }

    @Test func `the examples of bodies are taken by the service`() throws {
        let caller = try APICaller()
        for (method, path, target) in [
            (HTTPMethod.put, "/v1/priority-classes/{name}", "/v1/priority-classes/urgent"),
            (.put, "/v1/pools/{name}", "/v1/pools/aws-use1-gb200"), (.post, "/v1/jobs", "/v1/jobs"),
            (.post, "/v1/pools:load", "/v1/pools:load"),
            (.post, "/v1/plans:defragment", "/v1/plans:defragment"),
            (.post, "/v1/plans:evacuate", "/v1/plans:evacuate"),
        ] {
            let examples = file.root["paths"][path][method.name.lowercased()]["requestBody"]["content"][
                "application/json"][
                    "examples"]
            #expect(!examples.keys.isEmpty)
            for name in examples.keys {
                let answer = try caller.call(method, target, examples[name]["value"].description)
                #expect(answer.status < 300, "\(answer.text)")
            }
        }
    }
}
