// The commands besides `serve`: replaying a trace, checking a configuration, looking into a journal.

import ArgumentParser
import Service

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Drives a running server with a trace of jobs.")

    @Option(help: "CSV with the columns job, submit_seconds, workers, gpus_per_worker, runtime_seconds.")
    var trace: String
    @Option(help: "Where the server listens.")
    var url = "http://127.0.0.1:8080"
    @Option(help: "Seconds of the trace for each second of ours.")
    var speed: Double?
    @Flag(help: "Submit every job at once, in the trace's order, and let time jump from finish to finish.")
    var asap = false
    @Option(help: "Accelerators that the jobs ask for, in order of preference, separated by commas; default: any.")
    var accelerators = ""
    @Option(help: "Most GPUs of a worker; larger workers of the trace are split. Default: the fleet's smallest node.")
    var gpusPerWorker: Int?

    func validate() throws {
        if asap && speed != nil { throw ValidationError("--asap and --speed exclude each other.") }
        if let speed, !(0.001...1e9).contains(speed) { throw ValidationError("--speed must be from 0.001 to 1e9.") }
        if let gpusPerWorker, gpusPerWorker < 1 { throw ValidationError("--gpus-per-worker must be at least 1.") }
    }

    func run() throws {
        let jobs: Trace
        do throws(FileFault) { jobs = try Trace.read(file: trace) } catch { throw Exit.data(error.description) }
        do throws(ReplayFault) {
            let replay = try Replay(
                jobs, url: url, pace: asap ? .asSoonAsPossible : .speed(speed ?? 1),
                accelerators: accelerators.split(separator: ",").map(String.init), gpusPerWorker: gpusPerWorker)
            Messages.write(try replay.run())
        } catch {
            throw Exit.unavailable(error.description)
        }
    }
}

struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Prints all mistakes of a configuration file, with JSON pointers.")

    @Argument(help: "Settings, as Config/berth.json has them.")
    var file: String
    @Flag(help: "The file is a fleet, as Config/fleet.json.")
    var fleet = false

    func run() throws {
        do throws(FileFault) { Messages.say(try ConfigurationCheck.check(file, isFleet: fleet)) } catch {
            throw Exit.data(error.description)
        }
    }
}

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Looks into a data directory.", subcommands: [Verify.self, Dump.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads every snapshot and record and tells of damage.")

        @Option(help: "Data directory.")
        var data = "./berth-data"

        func run() throws {
            let report: JournalReport
            do throws(JournalFault) { report = try JournalReport.verify(data) } catch {
                throw Exit.system(error.description)
            }
            Messages.write(report.text)
            if !report.isSound { throw ExitCode(65) }
        }
    }

    struct Dump: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints every fact of the journal, one JSON object a line.")

        @Option(help: "Data directory.")
        var data = "./berth-data"
        @Option(help: "Only facts after this revision.")
        var after: UInt64 = 0

        func run() throws {
            do throws(JournalFault) { try JournalReport.dump(data, after: after) } catch {
                throw Exit.data(error.description)
            }
        }
    }
}
