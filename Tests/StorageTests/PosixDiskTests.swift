// The real disk: a whole life of a data directory, and the lock between processes.

import Glibc
import Model
import Storage
import Testing

@Suite("The real disk")
struct PosixDiskTests {
    /// Runs `body` with a directory of its own, and removes it.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/berth-storage-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw StorageError.failed(reason: "mkdtemp") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            if let disk = try? PosixDisk(directory: path + "/data"), let names = try? disk.list() {
                for name in names { try? disk.remove(name) }
            }
            unsafe rmdir(path + "/data")
            unsafe rmdir(path)
        }
        try body(path + "/data")
    }

    @Test("a directory is created, written, recovered, retired and checked")
    func wholeLife() throws {
        try withDirectory { path in
            let options = smallOptions(segmentBytes: 4096)
            var history = History(seed: 11)
            for round in 0..<3 {
                let store = try history.recover(try PosixDisk(directory: path), options, "round \(round)")
                for _ in 0..<20 {
                    try history.append(to: store.journal, bytes: history.draw.chance(5) ? 6000 : 0)
                    try history.flush(store.journal)
                }
                let saved = try store.snapshots.write(history.image(after: history.acknowledged))
                try store.journal.retire(through: saved.retiresThrough).dispose()
            }
            let inspection = try Store.verify(directory: path)
            #expect(inspection.isSound && inspection.snapshots.count == 2, "\(inspection.problems)")
            var last: UInt64 = 0
            try Store.forEachTransaction(directory: path) {
                last = $0.lastRevision
                return true
            }
            #expect(last == history.nextRevision - 1)
        }
    }

    @Test("a second opener is told which process holds the lock, until the first is gone")
    func lockExcludes() throws {
        try withDirectory { path in
            do {
                let store = try Store.open(directory: path, smallOptions()).replay { _ in nil }
                let error = storageError { () throws(StorageError) in
                    _ = try Store.open(directory: path, smallOptions())
                }
                #expect(error == .locked(path: path + "/lock", pid: getpid()))
                #expect(error?.description.contains("process \(getpid())") == true)
                #expect(store.journal.nextRevision == 1)
            }
            _ = try Store.open(directory: path, smallOptions())
        }
    }

    @Test("errors of the system name the call, the path and the reason")
    func errorsAreReadable() {
        let error = storageError { () throws(StorageError) in _ = try Store.verify(directory: "/nowhere/at/all") }
        #expect(error == .system(operation: "statvfs", path: "/nowhere/at/all", errno: ENOENT))
        #expect(error?.description == "statvfs /nowhere/at/all: No such file or directory (errno 2)")
    }
}
