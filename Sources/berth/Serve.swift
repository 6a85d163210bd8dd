// `berth serve`: settings from file and flags, a running service, and its end by signal.

import API
import ArgumentParser
import Dispatch
import Glibc
import Service
import Storage
import Synchronization

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serves the API until SIGTERM or SIGINT.")

    @Option(help: "Settings; the built-in ones are those of Config/berth.json.")
    var config: String?
    @Option(help: "Pools to put at the start; default: the built-in fleet, where the data directory has no pools yet.")
    var fleet: String?
    @Option(help: "Data directory.")
    var data: String?
    @Option(help: "Address to listen on.")
    var host: String?
    @Option(help: "Port; 0 picks a free one and prints it.")
    var port: Int?

    func run() throws {
        var settings = Configuration()
        let chosen: Fleet?
        do throws(FileFault) {
            if let config { settings = try Configuration.read(file: config) }
            chosen = try fleet.map { path throws(FileFault) in try Fleet.read(file: path) }
        } catch {
            throw Exit.data(error.description)
        }
        if let data { settings.storage.directory = data }
        if let host { settings.server.host = host }
        if let port {
            guard (0...65535).contains(port) else {
                throw ValidationError("--port is \(port); it must be from 0 to 65535.")
            }
            settings.server.port = port
        }
        let signals = Signals()
        let log = LineLog.logger(settings.log)
        let code: Int32
        do throws(StartFault) {
            let service = try RunningService(settings, log: log)
            _ = try service.recover(fleet: chosen)
            Messages.say("berth \(Version.berth) listens on http://\(settings.server.urlHost):\(service.port)")
            signals.wait()
            code = service.stop()
        } catch {
            switch error {
            case .http: throw Exit.system(error.description)
            case .storage(.locked): throw Exit.locked(error.description)
            case .storage(.damaged), .storage(.unsupportedVersion), .fleet: throw Exit.data(error.description)
            case .storage: throw Exit.system(error.description)
            }
        }
        if code != 0 { throw ExitCode(code) }
    }
}

/// SIGTERM and SIGINT as something to wait for. A second one ends the process at once.
private final class Signals {
    private let arrived = DispatchSemaphore(value: 0)
    private var sources: [any DispatchSourceSignal] = []

    init() {
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue.global())
            let seen = Seen()
            source.setEventHandler { [arrived] in
                if seen.isSecond() { _exit(130) }
                arrived.signal()
            }
            source.resume()
            sources.append(source)
        }
    }

    func wait() { arrived.wait() }

    private final class Seen: Sendable {
        private let count = Atomic(0)

        func isSecond() -> Bool { count.add(1, ordering: .relaxed).newValue > 1 }
    }
}
