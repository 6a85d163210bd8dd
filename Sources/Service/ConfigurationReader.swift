// A configuration file as a Configuration, with every mistake of it; and the same for fleet files.

public import API
import Glibc
public import JSON
import Model

/// A file that could not be used: each line says what is wrong.
public struct FileFault: Error, Sendable, CustomStringConvertible {
    public var path: String
    public var lines: [String]

    public var description: String { lines.map { "\(path): \($0)" }.joined(separator: "\n") }
}

extension Configuration {
    /// Reads the settings a file gives; the others keep their defaults.
    public init(_ value: JSONValue, _ mistakes: Mistakes) {
        self.init()
        var fields = Fields(value, mistakes)
        if var server = fields.object("server") {
            server.set(&self.server.host, "host")
            server.set(&self.server.port, "port", 0...65535)
            server.set(&self.server.loops, "loops", 0...256)
            server.set(&self.server.maxConnections, "maxConnections", 1...1_000_000)
            server.set(&self.server.maxBodyBytes, "maxBodyBytes", 1024...1 << 30)
            server.set(&self.server.maxBatchBodyBytes, "maxBatchBodyBytes", 1024...1 << 30)
            server.set(&self.server.headTimeoutSeconds, "headTimeoutSeconds", 1...3600)
            server.set(&self.server.bodyTimeoutSeconds, "bodyTimeoutSeconds", 1...3600)
            server.set(&self.server.idleTimeoutSeconds, "idleTimeoutSeconds", 1...86_400)
            server.set(&self.server.writeTimeoutSeconds, "writeTimeoutSeconds", 1...3600)
            server.set(&self.server.drainPauseSeconds, "drainPauseSeconds", 0...600)
            server.set(&self.server.drainTimeoutSeconds, "drainTimeoutSeconds", 0...3600)
            server.finish()
        }
        if var storage = fields.object("storage") {
            storage.set(&self.storage.directory, "directory")
            storage.set(&self.storage.segmentMiB, "segmentMiB", 1...4096)
            storage.set(&self.storage.reserveMiB, "reserveMiB", 0...1 << 20)
            storage.set(&self.storage.snapshotEveryMiB, "snapshotEveryMiB", 1...1 << 20)
            if let flush = storage.boolean("flush") { self.storage.flush = flush }
            storage.finish()
        }
        if var scheduler = fields.object("scheduler") {
            scheduler.set(&self.scheduler.placementsPerCommand, "placementsPerCommand", 1...1_000_000)
            scheduler.set(&self.scheduler.placementsBeforeHold, "placementsBeforeHold", 1...1_000_000_000)
            scheduler.set(&self.scheduler.inboxCapacity, "inboxCapacity", 1...1_000_000)
            scheduler.finish()
        }
        if var limits = fields.object("limits") {
            limits.set(&self.limits.liveJobs, "liveJobs", 1...100_000_000)
            limits.set(&self.limits.endedJobs, "endedJobs", 0...100_000_000)
            limits.set(&self.limits.queuedShapes, "queuedShapes", 1...10_000_000)
            limits.set(&self.limits.queuedDemands, "queuedDemands", 1...65_536)
            limits.set(&self.limits.batchLines, "batchLines", 1...10_000_000)
            limits.finish()
        }
        if var log = fields.object("log") {
            if let level = log.word("level", Log.Level.allCases.map { ($0.rawValue, $0) }) { self.log.level = level }
            if let format = log.word("format", Log.Format.allCases.map { ($0.rawValue, $0) }) { self.log.format = format }
            log.finish()
        }
        fields.finish()
    }

    public static func read(file path: String) throws(FileFault) -> Configuration {
        let mistakes = Mistakes()
        let configuration = Configuration(try Files.document(path).root, mistakes)
        try Files.check(mistakes, path)
        return configuration
    }
}

extension Fields {
    fileprivate mutating func set(_ setting: inout Int, _ name: String, _ range: ClosedRange<Int>) {
        if let value = integer(name, in: range) { setting = value }
    }

    fileprivate mutating func set(_ setting: inout String, _ name: String) {
        if let value = string(name, maxBytes: 4096) { setting = value }
    }
}

extension Fleet {
    /// Reads a fleet file; node files that it names are found beside it.
    public static func read(file path: String) throws(FileFault) -> Fleet {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return try decode(try Files.document(path), path) { name in
            try Files.bytes(name.hasPrefix("/") || folder.isEmpty ? name : folder + "/" + name)
        }
    }

    /// The fleet that is built in: Config/fleet.json.
    public static func builtIn() throws(FileFault) -> Fleet {
        try decode(try Files.document(PackageResources.fleet_json, "the built-in fleet"), "the built-in fleet") { _ in [] }
    }

    private static func decode(
        _ document: JSONDocument, _ path: String, readNodes: @escaping (String) throws -> [UInt8]
    ) throws(FileFault) -> Fleet {
        let mistakes = Mistakes()
        let fleet = Fleet(document.root, mistakes, readNodes: readNodes)
        try Files.check(mistakes, path)
        guard let fleet else { throw FileFault(path: path, lines: ["the file has mistakes"]) }
        return fleet
    }
}

public enum Files {
    /// All bytes of a file.
    public static func bytes(_ path: String) throws(FileFault) -> [UInt8] {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fault(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw fault(path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private static func fault(_ path: String) -> FileFault {
        FileFault(path: path, lines: ["cannot be read: " + (unsafe String(cString: strerror(errno)))])
    }

    static func document(_ path: String) throws(FileFault) -> JSONDocument { try document(try bytes(path), path) }

    static func document(_ bytes: [UInt8], _ path: String) throws(FileFault) -> JSONDocument {
        do throws(JSONSyntaxError) { return try JSONDocument(bytes) } catch {
            throw FileFault(path: path, lines: [error.description])
        }
    }

    static func check(_ mistakes: Mistakes, _ path: String) throws(FileFault) {
        if mistakes.isEmpty { return }
        var lines = mistakes.list.map { "\($0.pointer.isEmpty ? "/" : $0.pointer) \($0.detail)" }
        if mistakes.leftOut > 0 { lines.append("and \(mistakes.leftOut) more") }
        throw FileFault(path: path, lines: lines)
    }
}
