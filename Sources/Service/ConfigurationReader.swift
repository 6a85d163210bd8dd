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
    public init(_ reader: inout ObjectReader) {
        self.init()
        reader.optionalObject("server") { server in
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
        }
        reader.optionalObject("storage") { storage in
            storage.set(&self.storage.directory, "directory")
            storage.set(&self.storage.segmentMiB, "segmentMiB", 1...4096)
            storage.set(&self.storage.reserveMiB, "reserveMiB", 0...1 << 20)
            storage.set(&self.storage.snapshotEveryMiB, "snapshotEveryMiB", 1...1 << 20)
            if let flush = storage.optionalBoolean("flush") { self.storage.flush = flush }
        }
        reader.optionalObject("scheduler") { scheduler in
            scheduler.set(&self.scheduler.placementsPerCommand, "placementsPerCommand", 1...1_000_000)
            scheduler.set(&self.scheduler.batchSearchSteps, "batchSearchSteps", 0...10_000_000)
            scheduler.set(&self.scheduler.placementsBeforeReservation, "placementsBeforeReservation", 1...1_000_000_000)
            scheduler.set(&self.scheduler.reservations, "reservations", 0...1000)
            scheduler.set(&self.scheduler.reservationSeconds, "reservationSeconds", 1...86_400)
            scheduler.set(&self.scheduler.assumedRuntimeSeconds, "assumedRuntimeSeconds", 1...Bounds.runtimeSeconds)
            scheduler.set(&self.scheduler.agingSeconds, "agingSeconds", 0...Bounds.runtimeSeconds)
            scheduler.set(&self.scheduler.agingPoints, "agingPoints", 0...Bounds.priority)
            scheduler.set(&self.scheduler.preemptionGraceSeconds, "preemptionGraceSeconds", 0...86_400)
            scheduler.set(&self.scheduler.repairGraceSeconds, "repairGraceSeconds", 0...86_400)
            scheduler.set(&self.scheduler.resizeIntervalSeconds, "resizeIntervalSeconds", 0...86_400)
            scheduler.set(&self.scheduler.evictionsPerTenantAndHour, "evictionsPerTenantAndHour", 0...1_000_000_000)
            scheduler.set(&self.scheduler.preemptionsBeforeProtection, "preemptionsBeforeProtection", 0...1_000_000)
            scheduler.set(&self.scheduler.preemptionCandidates, "preemptionCandidates", 1...10_000_000)
            scheduler.set(
                &self.scheduler.preemptionReleasesPerCommand, "preemptionReleasesPerCommand", 1...1_000_000_000)
            scheduler.set(
                &self.scheduler.fairShareHalfLifeSeconds, "fairShareHalfLifeSeconds", Bounds.halfLifeSeconds)
            scheduler.set(&self.scheduler.inboxCapacity, "inboxCapacity", 1...1_000_000)
        }
        reader.optionalObject("limits") { limits in
            limits.set(&self.limits.liveJobs, "liveJobs", 1...100_000_000)
            limits.set(&self.limits.endedJobs, "endedJobs", 0...100_000_000)
            limits.set(&self.limits.queuedShapes, "queuedShapes", 1...10_000_000)
            limits.set(&self.limits.queuedDemands, "queuedDemands", 1...65_536)
            limits.set(&self.limits.tenants, "tenants", 1...1_000_000)
            limits.set(&self.limits.priorityClasses, "priorityClasses", 0...10_000)
            limits.set(&self.limits.batchLines, "batchLines", 1...10_000_000)
        }
        reader.optionalObject("log") { log in
            if let level = log.optionalChoice("level", of: Log.Level.self) { self.log.level = level }
            if let format = log.optionalChoice("format", of: Log.Format.self) { self.log.format = format }
        }
    }

    public static func read(file path: String) throws(FileFault) -> Configuration {
        try Files.decode(try Files.bytes(path), path) { Configuration(&$0) }
    }
}

extension ObjectReader {
    fileprivate mutating func set(_ setting: inout Int, _ name: StaticString, _ range: ClosedRange<Int>) {
        if let value = optionalInteger(name, in: range) { setting = value }
    }

    fileprivate mutating func set(_ setting: inout String, _ name: StaticString) {
        if let value = optionalString(name, minBytes: 1, maxBytes: 4096) { setting = value }
    }
}

extension Fleet {
    /// Reads a fleet file; node files that it names are found beside it.
    public static func read(file path: String) throws(FileFault) -> Fleet {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return try Files.decode(try Files.bytes(path), path) { reader in
            Fleet(&reader) { name throws(NodeFileFault) in
                let file = name.hasPrefix("/") || folder.isEmpty ? name : folder + "/" + name
                do throws(FileFault) { return try Files.bytes(file) } catch {
                    throw NodeFileFault(reason: error.lines.joined(separator: "; "))
                }
            }
        }
    }

    /// The fleet that is built in: Config/fleet.json.
    public static func builtIn() throws(FileFault) -> Fleet {
        try Files.decode(PackageResources.fleet_json, "the built-in fleet") { reader in
            Fleet(&reader) { _ throws(NodeFileFault) in throw NodeFileFault(reason: "the built-in fleet has no files") }
        }
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

    /// Decodes one object; each mistake becomes a line with its JSON pointer.
    static func decode<Value>(
        _ bytes: [UInt8], _ path: String, _ body: (inout ObjectReader) -> Value
    ) throws(FileFault) -> Value {
        do throws(JSONFailure) { return try decodeObject(bytes, body) } catch {
            if case .syntax(let fault) = error { throw FileFault(path: path, lines: ["\(fault)"]) }
            var lines = error.mistakes.map { "\($0.pointer.isEmpty ? "/" : $0.pointer): \($0.message)" }
            if error.leftOut > 0 { lines.append("and \(error.leftOut) more") }
            throw FileFault(path: path, lines: lines)
        }
    }
}
