// Looking into a data directory from outside: a check of all of it, and its facts as NDJSON.

import API
import JSON
import Model
import Storage

public struct JournalFault: Error, CustomStringConvertible {
    public let description: String
}

public struct JournalReport: Sendable {
    public let text: String
    public let isSound: Bool

    public static func verify(_ directory: String) throws(JournalFault) -> JournalReport {
        let found: Inspection
        do throws(StorageError) { found = try Store.verify(directory: directory) } catch {
            throw JournalFault(description: error.description)
        }
        var text = ""
        for file in found.snapshots {
            text += "snapshot \(file.path): revision \(file.lastRevision), \(file.records) items, \(file.bytes) bytes\n"
        }
        for file in found.segments {
            text += "segment \(file.path): \(file.records) records"
            text += file.records > 0 ? ", revisions \(file.firstRevision) to \(file.lastRevision)\n" : "\n"
        }
        if let cut = found.tornTail {
            text +=
                "torn tail \(cut.file): \(cut.bytes) bytes at byte \(cut.offset), never acknowledged; the next start cuts them\n"
        }
        for problem in found.problems { text += "damage \(problem)\n" }
        text += found.isSound ? "sound: \(found.records) records\n" : "damaged: \(found.problems.count) problems\n"
        return JournalReport(text: text, isSound: found.isSound)
    }

    /// Prints the facts after `revision` to standard output. Reads from the start: the revision may lie within a transaction.
    public static func dump(_ directory: String, after revision: UInt64) throws(JournalFault) {
        do throws(StorageError) {
            try Store.forEachTransaction(directory: directory) { transaction in
                if transaction.lastRevision <= revision { return true }
                var writer = JSONWriter()
                for (index, fact) in transaction.facts.enumerated() {
                    let own = transaction.firstRevision + UInt64(index)
                    if own <= revision { continue }
                    writer.fact(fact, revision: own, at: transaction.at)
                    writer.newLine()
                }
                StandardOutput.write(writer.take())
                return true
            }
        } catch {
            throw JournalFault(description: error.description)
        }
    }
}

public enum ConfigurationCheck {
    /// A sentence where the file is well.
    public static func check(_ path: String, isFleet: Bool) throws(FileFault) -> String {
        if isFleet {
            let fleet = try Fleet.read(file: path)
            let gpus = fleet.pools.reduce(0) { $0 + $1.gpuCount }
            return "\(path) is well: \(fleet.pools.count) pools, \(gpus) GPUs"
        }
        _ = try Configuration.read(file: path)
        return "\(path) is well"
    }
}

/// What commands tell their user.
public enum Messages {
    public static func say(_ line: String) { StandardOutput.write(line + "\n") }
    public static func write(_ text: String) { StandardOutput.write(text) }
    public static func error(_ line: String) { StandardError.write(Array(("berth: " + line + "\n").utf8)) }
}

extension Configuration.Server {
    /// The host as it stands in a URL.
    public var urlHost: String { host.contains(":") ? "[\(host)]" : host }
}
