// File systems made for a test: one in memory of a given size, and one on an image that can lose its power.
// Both need root and the right to mount; `Mounts.areAllowed` tells.

import Foundation

public struct MachineFault: Error, CustomStringConvertible {
    public var description: String
}

public enum Mounts {
    /// Whether this process may mount: tried once, with a file system in memory.
    public static let areAllowed: Bool = {
        let folder = TemporaryFolder()
        guard Tools.path(of: "mount") != nil, let mount = try? MemoryDisk(folder, mebibytes: 1) else { return false }
        return (try? mount.unmount()) != nil
    }()

    /// Whether an ext4 image can be made, mounted and shut down here.
    public static let canCutPower: Bool = {
        guard areAllowed, ["mkfs.ext4", "xfs_io", "truncate"].allSatisfy({ Tools.path(of: $0) != nil }) else {
            return false
        }
        let folder = TemporaryFolder()
        guard let disk = try? ImageDisk(folder, mebibytes: 16), (try? disk.cutPower()) != nil else { return false }
        return (try? disk.unmount()) != nil
    }()

    static func run(_ tool: String, _ arguments: [String]) throws {
        guard let path = Tools.path(of: tool) else { throw MachineFault(description: "\(tool) is not installed") }
        let ended = try Programs.run(path, arguments)
        if ended.status != 0 { throw MachineFault(description: "\(tool) \(arguments): \(ended.errors)") }
    }

    /// A process that has just been killed may hold its files for a moment.
    static func unmount(_ path: String) throws {
        for _ in 0..<100 {
            if (try? run("umount", [path])) != nil { return }
            usleep(50_000)
        }
        try run("umount", [path])
    }
}

/// Programs of the system.
public enum Tools {
    public static func path(of tool: String) -> String? {
        ["/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"].map { $0 + tool }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    public static let haveCurl = FileManager.default.isExecutableFile(atPath: "/usr/bin/curl")
}

/// A file system in memory that holds so much and no more.
public final class MemoryDisk {
    public let path: String
    private var isMounted = false

    public init(_ folder: TemporaryFolder, mebibytes: Int) throws {
        path = folder.path + "/memory"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Mounts.run("mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m", "berth-test", path])
        isMounted = true
    }

    deinit { if isMounted { try? Mounts.unmount(path) } }

    public func unmount() throws {
        try Mounts.unmount(path)
        isMounted = false
    }

    /// Leaves no free byte. Freed by `empty`.
    public func fill() throws {
        let filler = path + "/filler"
        _ = FileManager.default.createFile(atPath: filler, contents: nil)
        guard let file = FileHandle(forWritingAtPath: filler) else { throw MachineFault(description: "no filler") }
        defer { try? file.close() }
        for size in [1 << 20, 4096] {
            let block = Data(count: size)
            while (try? file.write(contentsOf: block)) != nil {}
        }
    }

    public func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler") }
}

/// An ext4 file system on an image: what it has not flushed is lost when its power is cut.
public final class ImageDisk {
    public let path: String
    private let image: String
    private var isMounted = false

    public init(_ folder: TemporaryFolder, mebibytes: Int) throws {
        path = folder.path + "/disk"
        image = folder.path + "/image"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Mounts.run("truncate", ["-s", "\(mebibytes)M", image])
        try Mounts.run("mkfs.ext4", ["-q", image])
        try mount()
    }

    deinit { if isMounted { try? Mounts.unmount(path) } }

    public func mount() throws {
        try Mounts.run("mount", ["-o", "loop", image, path])
        isMounted = true
    }

    public func unmount() throws {
        try Mounts.unmount(path)
        isMounted = false
    }

    /// From now on nothing reaches the image, not even the file system's own log.
    public func cutPower() throws { try Mounts.run("xfs_io", ["-x", "-c", "shutdown", path]) }
}
