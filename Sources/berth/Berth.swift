// The one executable.
import ArgumentParser

@main
struct Berth: ParsableCommand {
    mutating func run() throws { print("berth") }
}
