// The benchmark executable: one subcommand a benchmark, a table or JSON lines.

import ArgumentParser
import Bench

@main
struct BerthBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth-bench", abstract: "Measures Berth.", subcommands: [PackingCommand.self])
}

struct PackingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "packing", abstract: "The packing core alone.")

    mutating func run() throws { print(PackingBench.full.run()) }
}
