// What the tests of the service share: folders with settings and fleets, a server in a folder, and a service in this process.

import API
import Engine
import Foundation
import Glibc
import HTTP
import JSON
import Model
import Storage
import Synchronization
import TestKit

@testable import Service

/// A folder with settings, fleet and data of one server.
final class Place {
    let folder = TemporaryFolder()
    var data: String

    init() { data = folder.path + "/data" }

    func write(_ name: String, _ text: String) throws -> String {
        let path = folder.path + "/" + name
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    /// Starts the server with `settings` (JSON) over small segments, and with the pools of `fleet`.
    func serve(
        _ settings: String = "{}", fleet: String? = Fleets.two, unawaitedPort: Int? = nil, _ more: [String] = []
    ) throws -> RunningBerth {
        var arguments = ["--config", try write("settings.json", settings)]
        if let fleet { arguments += ["--fleet", try write("fleet.json", fleet)] }
        return try RunningBerth(data: data, arguments: arguments + more, unawaitedPort: unawaitedPort)
    }
}

extension RunningBerth {
    var caller: Caller { Caller(port: port) }
}

enum Fleets {
    static func of(_ pools: [String]) -> String {
        #"{"providers":[{"name":"aws","regions":[{"name":"us-east-1"}]}],"pools":["# + pools.joined(separator: ",")
            + "]}"
    }

    static func pool(_ name: String, _ body: String) -> String { #"{"name":"\#(name)","# + body.dropFirst() }

    /// 128 GPUs of GB200 in domains of 16 and 64 of H100 in domains of 32.
    static let two = of([
        pool("east", Caller.pool(blocks: 2, domains: 4, nodes: 4, gpus: 4)),
        pool("west", Caller.pool(domains: 2, nodes: 4, gpus: 8, accelerator: "H100")),
    ])

    /// One pool of `nodes` nodes of four GPUs in one domain.
    static func one(nodes: Int) -> String { of([pool("pool", Caller.pool(nodes: nodes))]) }

    static func read(_ text: String) throws -> Fleet {
        let place = Place()
        return try Fleet.read(file: try place.write("fleet.json", text))
    }
}

enum Settings {
    /// Segments and reserve as small as they may be.
    static let smallDisk = #"{"storage":{"segmentMiB":1,"reserveMiB":1,"snapshotEveryMiB":1}}"#
}

/// A seed from BERTH_SEED or anew, printed.
func seed(_ name: String) -> SeededRandom {
    let seed = ProcessInfo.processInfo.environment["BERTH_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...999_999_999)
    print("\(name): BERTH_SEED=\(seed)")
    return SeededRandom(seed: seed)
}

/// Asks again and again until `condition` holds, for at most half a minute.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<3000 {
        if try condition() { return true }
        usleep(10_000)
    }
    return false
}

/// A service in this process on a disk in memory, so that the disk and the writer can be held or broken.
final class LocalService {
    let service: RunningService
    let disk: FaultyDisk

    init(
        _ configuration: Configuration = LocalService.small, disk: FaultyDisk = FaultyDisk(),
        fleet: String = Fleets.two,
        _ change: (inout StorageOptions) -> Void = { _ in }
    ) throws {
        self.disk = disk
        service = try RunningService(configuration, log: LineLog.logger(LocalService.small.log))
        _ = try service.recover(fleet: try Fleets.read(fleet)) { options throws(StorageError) in
            var options = options
            change(&options)
            return try Store.open(disk, options)
        }
    }

    static var small: Configuration {
        var configuration = Configuration()
        configuration.server.port = 0
        configuration.server.loops = 1
        configuration.server.drainTimeoutSeconds = 5
        configuration.storage.segmentMiB = 1
        configuration.storage.reserveMiB = 0
        configuration.log.level = .error
        return configuration
    }

    var caller: Caller { Caller(port: Int(service.port)) }
    var writer: Writer { service.backend!.writer }

    /// Holds the writer's queue until the result is opened; returns when it is held.
    func holdWriter() -> Gate {
        let gate = Gate()
        let held = DispatchSemaphore(value: 0)
        let entry = InboxEntry(answer: PendingAnswer(Responder { _ in })) { _ in
            held.signal()
            gate.wait()
            return HTTPResponse(204)
        }
        _ = writer.post(entry)
        held.wait()
        return gate
    }
}

/// Closed until it is opened.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }
    func wait() {
        semaphore.wait()
        semaphore.signal()
    }
}

/// Calls from threads of their own, and their replies in the order in which they were asked for.
final class Calls: Sendable {
    private let replies = Mutex<[Int: Reply]>([:])
    private let group = DispatchGroup()
    private let count = Mutex(0)

    func add(_ port: Int, _ call: @escaping @Sendable (Caller) throws -> Reply) {
        let index = count.withLock { count in
            defer { count += 1 }
            return count
        }
        group.enter()
        Thread.detachNewThread { [self] in
            if let reply = try? call(Caller(port: port)) { replies.withLock { $0[index] = reply } }
            group.leave()
        }
    }

    /// All replies; a call that failed has none.
    func wait() -> [Reply?] {
        group.wait()
        let count = count.withLock { $0 }
        return replies.withLock { replies in (0..<count).map { replies[$0] } }
    }
}
