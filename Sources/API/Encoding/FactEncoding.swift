// Facts as JSON, one object each: what `berth journal dump` prints.

public import JSON
public import Model

extension JSONWriter {
    /// One fact with its revision and time.
    public mutating func fact(_ fact: Fact, revision: UInt64, at: Timestamp) {
        object { writer in
            writer.member("revision", revision)
            writer.member("at", at)
            switch fact {
            case .poolPut(let slot, let spec):
                writer.member("fact", "poolPut")
                writer.member("slot", slot.index)
                writer.key("pool")
                writer.spec(spec)
            case .poolDeleted(let slot):
                writer.member("fact", "poolDeleted")
                writer.member("slot", slot.index)
            case .nodeChanged(let slot, let node, let state):
                writer.member("fact", "nodeChanged")
                writer.member("slot", slot.index)
                writer.member("node", node)
                writer.member("state", "\(state)")
            case .jobSubmitted(let number, let spec):
                writer.member("fact", "jobSubmitted")
                writer.member("number", number.value)
                writer.member("id", spec.id)
                writer.key("job")
                writer.object { $0.spec(spec) }
            case .jobPlaced(let number, let placement):
                writer.member("fact", "jobPlaced")
                writer.member("number", number.value)
                writer.key("placement")
                writer.parts(placement)
            case .jobStarted(let number):
                writer.member("fact", "jobStarted")
                writer.member("number", number.value)
            case .jobEnded(let number, let end, let cause, let message):
                writer.member("fact", "jobEnded")
                writer.member("number", number.value)
                writer.member("end", "\(end)")
                writer.field("endCause", text: cause.word)
                if !message.isEmpty { writer.member("message", message) }
            case .jobRequeued(let number, let cause):
                writer.member("fact", "jobRequeued")
                writer.member("number", number.value)
                writer.field("cause", text: cause.word)
            case .jobForgotten(let number):
                writer.member("fact", "jobForgotten")
                writer.member("number", number.value)
            case .tenantPut(let spec):
                writer.member("fact", "tenantPut")
                writer.key("tenant")
                writer.object { $0.spec(spec) }
            case .tenantRemoved(let slot):
                writer.member("fact", "tenantRemoved")
                writer.member("slot", slot.index)
            case .fairShareSet(let policy):
                writer.member("fact", "fairShareSet")
                writer.member("halfLifeSeconds", policy.halfLifeSeconds)
            case .jobHeld(let number):
                writer.member("fact", "jobHeld")
                writer.member("number", number.value)
            case .jobReleased(let number):
                writer.member("fact", "jobReleased")
                writer.member("number", number.value)
            case .jobOpened(let number):
                writer.member("fact", "jobOpened")
                writer.member("number", number.value)
            case .jobDependencyMet(let number, let dependency):
                writer.member("fact", "jobDependencyMet")
                writer.member("number", number.value)
                writer.member("dependency", dependency)
            case .priorityClassPut(let spec):
                writer.member("fact", "priorityClassPut")
                writer.member("name", spec.name)
                writer.priorityClassValues(spec)
            case .priorityClassDeleted(let name):
                writer.member("fact", "priorityClassDeleted")
                writer.member("name", name)
            case .jobReserved(let number, let reservation):
                writer.member("fact", "jobReserved")
                writer.member("number", number.value)
                writer.field("cause", text: reservation.cause.word)
                writer.member("start", reservation.start)
                writer.member("isAssumed", reservation.isAssumed)
                writer.key("placement")
                writer.parts(reservation.placement)
            case .jobUnreserved(let number):
                writer.member("fact", "jobUnreserved")
                writer.member("number", number.value)
            case .jobSearchGivenUp(let number):
                writer.member("fact", "jobSearchGivenUp")
                writer.member("number", number.value)
            case .jobArraySubmitted(let number, let spec):
                writer.member("fact", "jobArraySubmitted")
                writer.member("number", number.value)
                writer.member("id", spec.id)
                writer.member("count", spec.array?.count ?? 0)
                writer.member("maxParallel", spec.array?.maxParallel ?? 0)
                writer.key("job")
                writer.object { $0.spec(spec) }
            case .jobTurnCame(let number):
                writer.member("fact", "jobTurnCame")
                writer.member("number", number.value)
            case .jobPreempting(let number, let eviction):
                writer.member("fact", "jobPreempting")
                writer.member("number", number.value)
                writer.member("preemptedBy", eviction.by.value)
                writer.field("kind", text: eviction.kind.word)
                writer.member("deadlineAt", eviction.deadline)
                if let keeps = eviction.keeps {
                    writer.key("keeps")
                    writer.parts(keeps)
                }
            case .jobSpared(let number):
                writer.member("fact", "jobSpared")
                writer.member("number", number.value)
            case .jobShrunk(let number):
                writer.member("fact", "jobShrunk")
                writer.member("number", number.value)
            case .jobCheckpointed(let number):
                writer.member("fact", "jobCheckpointed")
                writer.member("number", number.value)
            case .jobRepairing(let number, let until):
                writer.member("fact", "jobRepairing")
                writer.member("number", number.value)
                writer.member("until", until)
            case .jobRepaired(let number, let placement):
                writer.member("fact", "jobRepaired")
                writer.member("number", number.value)
                writer.key("placement")
                writer.parts(placement)
            case .jobGrown(let number, let placement):
                writer.member("fact", "jobGrown")
                writer.member("number", number.value)
                writer.key("placement")
                writer.parts(placement)
            case .nodesChanged(let slot, let runs):
                writer.member("fact", "nodesChanged")
                writer.member("slot", slot.index)
                writer.key("runs")
                writer.array { writer in
                    for run in runs {
                        writer.object { writer in
                            writer.member("node", run.node)
                            writer.member("nodeCount", run.nodeCount)
                            writer.member("state", "\(run.state)")
                        }
                    }
                }
            }
        }
    }

    private mutating func spec(_ spec: PoolSpec) {
        object { writer in
            writer.member("name", spec.name)
            writer.member("provider", spec.provider)
            writer.member("region", spec.region)
            writer.member("accelerator", spec.accelerator)
            writer.member("instanceType", spec.instanceType)
            writer.member("nodes", spec.topology.nodeCount)
            writer.member("gpusPerNode", spec.node.gpus)
            writer.field("purchase", text: spec.purchase.word)
            writer.field("billing", text: spec.billing.word)
            writer.member("priceUSDPerGPUHour", decimalString(micros: spec.priceMicroUSDPerGPUHour))
            writer.member("allowsGPUShares", spec.allowsGPUShares)
            writer.member("sparesPerDomain", spec.sparesPerDomain)
            if !spec.reservation.isEmpty { writer.member("reservation", spec.reservation) }
        }
    }

    /// Parts by index of their group and pool, and nodes by index in their pool, as runs of neighbours: `[first node, nodes,
    /// mask of GPUs on each, workers on each]`.
    private mutating func parts(_ placement: Placement) {
        object { writer in
            writer.member("tier", placement.tier.name)
            if let exclusive = placement.exclusive { writer.member("exclusive", exclusive.name) }
            writer.cost(placement.cost)
            writer.key("parts")
            writer.array { writer in for index in placement.parts.indices { writer.part(index, of: placement) } }
        }
    }

    private mutating func part(_ index: Int, of placement: Placement) {
        object { writer in
            let part = placement.parts[index]
            writer.member("group", part.group)
            writer.member("slot", part.pool.index)
            writer.member("gpusPerWorker", part.need.gpus)
            if part.need.isShare { writer.member("gpuMilliPerWorker", part.need.gpuMilli) }
            writer.member("cpuMillisPerWorker", part.need.cpuMillis)
            writer.member("memoryMiBPerWorker", part.need.memoryMiB)
            writer.key("runs")
            writer.array { writer in
                for run in placement.runs[placement.runRange(index)] {
                    writer.array { writer in
                        writer.value(Int(run.node))
                        writer.value(Int(run.nodeCount))
                        writer.value(Int(run.gpuMask))
                        writer.value(Int(run.workers))
                    }
                }
            }
        }
    }
}
