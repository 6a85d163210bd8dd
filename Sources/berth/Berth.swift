// The one executable: which commands there are, and what their exit codes mean.

import ArgumentParser
import Service

@main
struct Berth: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berth",
        abstract: "Places AI training jobs across the GPU pools of many clouds.",
        discussion: """
            Exit codes: 0 all is well; 64 the command line is wrong; 65 a file or the data directory has mistakes or damage; \
            69 the server asked for could not be used; 71 the port or the disk could not be used; 74 the journal failed while \
            serving; 75 another process uses the data directory.
            """,
        version: Version.text,
        subcommands: [
            Serve.self, ReplayCommand.self, Simulate.self, CheckConfig.self, JournalCommand.self, VersionCommand.self,
        ],
        defaultSubcommand: nil)
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() { print(Version.text) }
}

/// Ends the process with a message and a code that a script can tell apart.
enum Exit {
    static func data(_ message: String) -> any Error { say(message, 65) }
    static func unavailable(_ message: String) -> any Error { say(message, 69) }
    static func system(_ message: String) -> any Error { say(message, 71) }
    static func locked(_ message: String) -> any Error { say(message, 75) }

    private static func say(_ message: String, _ code: Int32) -> any Error {
        Messages.error(message)
        return ExitCode(code)
    }
}
