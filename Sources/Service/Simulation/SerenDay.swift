// A made-up day with the mix of sizes and durations of a real cluster: Seren, of the Acme trace (Shanghai AI Lab, 2023,
// CC-BY-4.0). Integers and a seeded generator only, so that a seed gives the same day on every machine.

import Model

extension Trace {
    /// `jobs` jobs that come over one day, each at any moment, of `serenTeams` tenants of which some have many more than others. Size and
    /// duration are drawn apart from each other, along the straight lines between the quantiles that are published.
    public static func serenDay(jobs: Int, seed: UInt64) -> Trace {
        var draws = Draws(seed: seed)
        return Trace(
            jobs: (0..<jobs).map { number in
                let gpus = SerenMix.gpus(draws.millionth())
                return TraceJob(
                    name: "seren-\(number)", submitSeconds: draws.below(86_400), workers: max(1, gpus / 8),
                    gpusPerWorker: min(gpus, 8), runtimeSeconds: SerenMix.seconds(draws.millionth()),
                    tenant: "team-\(draws.below(1 + draws.below(serenTeams)))")
            })
    }

    static let serenTeams = 16
}

private enum SerenMix {
    /// Millionths of the jobs with at most so many GPUs. The last size is that of whole nodes.
    private static let sizes: [(millionths: Int, gpus: Int)] = [
        (540_000, 1), (654_000, 2), (679_000, 4), (967_000, 8), (979_000, 16), (988_000, 32), (993_000, 64),
        (996_000, 128), (997_000, 256), (998_000, 512), (1_000_000, 1016),
    ]
    /// Millionths of the jobs that run for at most so long. Of the longest is only known that they are beyond the last but one; a day
    /// stands for them.
    private static let durations: [(millionths: Int, seconds: Int)] = [
        (0, 1), (250_000, 18), (500_000, 134), (750_000, 413), (900_000, 1352), (950_000, 3269), (990_000, 27_500),
        (1_000_000, 86_400),
    ]

    /// Up to one node of 8 GPUs a size of the table, beyond that whole nodes.
    static func gpus(_ millionth: Int) -> Int {
        let at = sizes.firstIndex { millionth < $0.millionths } ?? sizes.count - 1
        if sizes[at].gpus <= 8 { return sizes[at].gpus }
        let (from, to) = (sizes[at - 1], sizes[at])
        let nodes = (to.gpus - from.gpus) / 8
        return from.gpus + 8 * (1 + nodes * (millionth - from.millionths) / (to.millionths - from.millionths))
    }

    static func seconds(_ millionth: Int) -> Int {
        let at = max(1, durations.firstIndex { millionth < $0.millionths } ?? durations.count - 1)
        let (from, to) = (durations[at - 1], durations[at])
        return from.seconds
            + (to.seconds - from.seconds) * (millionth - from.millionths) / (to.millionths - from.millionths)
    }
}

/// A small seeded generator. Source: Sebastiano Vigna, splitmix64 (2015).
private struct Draws {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// 0..<count. The bias of the remainder is below one in 2^40 for counts below 2^24.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func millionth() -> Int { below(1_000_000) }
}
