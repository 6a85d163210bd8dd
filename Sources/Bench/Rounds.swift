// Repeated measurements of one thing, and the folder a benchmark may fill.

import Dispatch
import Glibc

/// The values of one figure over the rounds of a run.
struct Rounds {
    private var values: [Double] = []

    mutating func add(_ value: Double) { values.append(value) }

    var median: Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    /// The median as a figure, and the least and the largest round beside it.
    func figures(_ name: String, _ unit: String, goal: String? = nil) -> [Figure] {
        let median = Figure(name, median, unit, goal: goal)
        guard values.count > 1, let least = values.min(), let largest = values.max() else { return [median] }
        return [median, Figure(name + "Least", least, unit), Figure(name + "Largest", largest, unit)]
    }
}

/// Why a benchmark gave up.
public struct BenchFault: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// A folder of its own inside `parent`, which goes with what is in it when its owner goes.
final class BenchFolder {
    let path: String

    init(in parent: String?) throws(BenchFault) {
        let base = parent ?? "/tmp"
        path = base + "/berth-bench-\(getpid())-\(nanosecondsNow())"
        if unsafe mkdir(path, 0o755) != 0 { throw BenchFault("The folder \(path) cannot be made (errno \(errno)).") }
    }

    deinit { Self.remove(path) }

    /// Data directories hold files and no folders.
    private static func remove(_ path: String) {
        for name in names(in: path) where unsafe unlink(path + "/" + name) != 0 { remove(path + "/" + name) }
        _ = unsafe rmdir(path)
    }

    private static func names(in path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { _ = unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}

/// Processor time of the whole process, all threads, in nanoseconds.
func processNanosecondsNow() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
