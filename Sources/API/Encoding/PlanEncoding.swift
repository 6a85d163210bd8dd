// Plans as the API shows them: moves from place to place, what they lose and cost, what they win, and why there are no more.

import Engine
import JSON
import Model

extension JSONWriter {
    mutating func plan(_ plan: DefragmentPlan, in state: State) {
        object { writer in
            writer.basis(plan.basis)
            writer.key("moves")
            writer.array { writer in for move in plan.moves { writer.move(move, in: state) } }
            writer.key("totals")
            writer.object { writer in
                writer.member("moves", plan.moves.count)
                writer.field("gpuHoursLost", micros: plan.lost.microGPUHours)
                writer.field("costUSDPerHour", micros: plan.costMicroUSDPerHour)
                writer.member("domainsWon", plan.won.count)
                writer.member("domainsFreeBefore", plan.freeBefore)
            }
            writer.key("domainsWon")
            writer.domains(plan.won, in: state)
            writer.field("end", text: plan.end.word)
            writer.member("detail", plan.detail)
            writer.key("domainsNotWon")
            writer.array { writer in
                for obstacle in PlanObstacle.allCases where plan.notWon[Int(obstacle.rawValue)] > 0 {
                    writer.object { writer in
                        writer.field("reason", text: obstacle.word)
                        writer.member("domains", plan.notWon[Int(obstacle.rawValue)])
                        writer.member("detail", obstacle.sentence)
                    }
                }
            }
        }
    }

    mutating func plan(_ plan: EvacuationPlan, in state: State) {
        object { writer in
            writer.basis(plan.basis)
            writer.member("nodeCount", plan.nodes)
            writer.member("gpus", plan.gpus)
            writer.key("jobs")
            writer.array { writer in for job in plan.jobs { writer.evacuated(job, in: state) } }
            let totals = [plan.moving, plan.waiting, plan.notTried]
            let left = totals.reduce(0) { $0 + $1.jobs } - plan.jobs.count
            if left > 0 { writer.member("jobsLeftOut", left) }
            writer.key("totals")
            writer.object { writer in
                for (word, total) in zip(Self.outcomes, totals) {
                    writer.key(word)
                    writer.total(total)
                }
            }
            if plan.notTried.jobs > 0 {
                writer.member("detail", "The search gave up after \(plan.basis.maxSteps) steps. Empty less at a time.")
            }
            writer.key("queued")
            writer.object { writer in
                for tie in QueuedTie.allCases {
                    writer.key(tie.word)
                    writer.value(plan.queuedByTie[Int(tie.rawValue)])
                }
                writer.key("jobs")
                writer.array { writer in
                    for (job, tie) in plan.queued {
                        writer.object { writer in
                            writer.member("job", job.id)
                            writer.member("priority", job.life.priority)
                            writer.member("gpus", job.spec.gpuCount)
                            writer.field("tie", text: tie.word)
                        }
                    }
                }
            }
        }
    }

    private static let outcomes: [StaticString] = ["moves", "waits", "notTried"]

    private mutating func basis(_ basis: PlanBasis) {
        member("revision", basis.revision)
        member("at", basis.at)
        member("steps", basis.steps)
        member("maxSteps", basis.maxSteps)
    }

    private mutating func total(_ total: EvacuationTotal) {
        object { writer in
            writer.member("jobs", total.jobs)
            writer.member("gpuMilli", total.gpuMilli)
            writer.field("gpuHoursLost", micros: total.lost.microGPUHours)
            writer.field("costUSDPerHour", micros: total.costMicroUSDPerHour)
        }
    }

    private mutating func move(_ move: PlannedMove, in state: State) {
        guard let job = state.jobs[move.job] else { return }
        object { writer in
            writer.identity(of: job, move.from)
            writer.stop(move.lost, move.costMicroUSDPerHour)
            writer.place("from", move.from, in: state)
            writer.place("to", move.to, in: state)
            writer.key("domainsWon")
            writer.domains(move.won, in: state)
        }
    }

    private mutating func evacuated(_ evacuated: EvacuatedJob, in state: State) {
        guard let placement = evacuated.job.life.placement else { return }
        object { writer in
            writer.identity(of: evacuated.job, placement)
            let outcome = evacuated.outcome
            writer.field("outcome", text: Self.outcomes[outcome.index])
            writer.stop(evacuated.lost, evacuated.costMicroUSDPerHour)
            writer.place("from", placement, in: state)
            switch outcome {
            case .moves(let move): writer.place("to", move.to, in: state)
            case .waits(let explanation?): writer.explanation(explanation, of: evacuated.job)
            case .waits(nil), .notTried: break
            }
        }
    }

    private mutating func identity(of job: Job, _ placement: Placement) {
        member("job", job.id)
        member("tenant", job.spec.tenant)
        member("priority", job.life.priority)
        member("preemptible", job.spec.isPreemptible)
        member("gpus", (placement.gpuMilli + 999) / 1000)
        member("gpuMilli", placement.gpuMilli)
    }

    private mutating func stop(_ lost: GPUTime, _ cost: Int64) {
        field("gpuHoursLost", micros: lost.microGPUHours)
        field("costUSDPerHour", micros: cost)
    }

    private mutating func domains(_ domains: [DomainPlace], in state: State) {
        array { writer in
            for place in domains {
                let pool = state[place.pool]
                writer.object { writer in
                    writer.domain(place.domain, of: pool)
                    let nodes = pool.layout.domainStart[place.domain + 1] - pool.layout.domainStart[place.domain]
                    writer.member("gpus", (Int(nodes) - pool.spec.sparesPerDomain) * pool.spec.node.gpus)
                }
            }
        }
    }

    private mutating func domain(_ domain: Int, of pool: PoolRecord) {
        member("pool", pool.spec.name)
        member("domain", pool.layout.name(ofDomain: domain))
        if let clique = pool.layout.cliqueName(ofDomain: domain) { member("clique", clique) }
    }

    /// A place as runs of neighbouring nodes of one domain.
    private mutating func place(_ key: StaticString, _ placement: Placement, in state: State) {
        self.key(key)
        object { writer in
            let extent = placement.extent(of: placement.parts.indices, in: state)
            writer.member("tier", placement.tier.name)
            writer.member("pools", placement.slots.map { state[$0].spec.name })
            writer.member("nodeCount", extent.nodes)
            writer.member("domainCount", extent.domains)
            writer.key("runs")
            writer.array { writer in
                for stretch in placement.stretches(in: state) {
                    let pool = state[stretch.pool]
                    writer.object { writer in
                        writer.domain(stretch.domain, of: pool)
                        writer.member("firstNode", pool.layout.name(ofNode: stretch.nodes.lowerBound))
                        writer.member("lastNode", pool.layout.name(ofNode: stretch.nodes.upperBound - 1))
                        writer.member("nodeCount", stretch.nodes.count)
                        writer.member("gpuMilli", stretch.gpuMilli)
                    }
                }
            }
        }
    }
}

/// Neighbouring nodes of one domain, with all that a gang holds there.
private struct Stretch {
    var pool: PoolSlot
    var domain: Int
    var nodes: Range<Int>
    var gpuMilli: Int
}

extension Placement {
    /// In the order of pools and nodes, without overlap.
    fileprivate func stretches(in state: State) -> [Stretch] {
        var pieces: [Stretch] = []
        for (at, part) in parts.enumerated() {
            let layout = state[part.pool].layout
            for run in runs[runRange(at)] {
                var node = run.nodes.lowerBound
                while node < run.nodes.upperBound {
                    let domain = layout.domain(ofNode: node)
                    let end = min(run.nodes.upperBound, Int(layout.domainStart[domain + 1]))
                    pieces.append(
                        Stretch(
                            pool: part.pool, domain: domain, nodes: node..<end,
                            gpuMilli: (end - node) * Int(run.workers) * part.need.totalMilli))
                    node = end
                }
            }
        }
        pieces.sort { ($0.pool, $0.nodes.lowerBound) < ($1.pool, $1.nodes.lowerBound) }
        var merged: [Stretch] = []
        for piece in pieces {
            guard let last = merged.last, last.pool == piece.pool, last.domain == piece.domain,
                piece.nodes.lowerBound <= last.nodes.upperBound
            else {
                merged.append(piece)
                continue
            }
            let end = max(last.nodes.upperBound, piece.nodes.upperBound)
            merged[merged.count - 1].nodes = last.nodes.lowerBound..<end
            merged[merged.count - 1].gpuMilli += piece.gpuMilli
        }
        return merged
    }
}

extension EvacuationOutcome {
    fileprivate var index: Int {
        switch self {
        case .moves: 0
        case .waits: 1
        case .notTried: 2
        }
    }
}
