// The benchmark executable.
import ArgumentParser

@main
struct BerthBench: ParsableCommand {
    mutating func run() throws { print("berth-bench") }
}
