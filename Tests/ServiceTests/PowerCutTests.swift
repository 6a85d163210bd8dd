// Power cuts on a real ext4: what was acknowledged was flushed, and so it is there.
// These need root, the right to mount, and xfsprogs; elsewhere they are skipped.

import Foundation
import Glibc
import TestKit
import Testing

@Suite(.enabled(if: Mounts.canCutPower, "needs root, mount, mkfs.ext4 and xfs_io (packages e2fsprogs, xfsprogs)"))
struct PowerCutTests {
    @Test("Everything acknowledged is there after the power was cut under load, five times")
    func powerCut() throws {
        let lost = try rounds(5, flush: true)
        #expect(lost == nil, "\(lost?.what ?? "")")
    }

    @Test("Without flushing the same test sees acknowledged work lost")
    func withoutFlushing() throws {
        let lost = try #require(try rounds(5, flush: false), "five power cuts lost nothing")
        print("without flushing, power cut number \(lost.round) lost: \(lost.what)")
    }

    /// Cuts the power so many times. The first round in which something acknowledged was not there, or nil.
    private func rounds(_ count: Int, flush: Bool) throws -> (round: Int, what: String)? {
        var random = seed("powerCut")
        let place = Place()
        let disk = try ImageDisk(place.folder, mebibytes: 512)
        place.data = disk.path + "/data"
        let settings =
            #"{"storage":{"segmentMiB":1,"reserveMiB":1,"snapshotEveryMiB":1,"flush":\#(flush)}}"#
        let ledger = Ledger()
        var server = try place.serve(settings)
        for round in 1...count {
            let load = Load(ledger, port: server.port, threads: 3, round: round, &random)
            load.waitForAnswers(random.pick(20...150))
            try disk.cutPower()
            // What is answered after the cut could not have been flushed: the answer must not be a success.
            usleep(UInt32(random.pick(0...50_000)))
            server.killAtOnce()
            load.wait()
            try disk.unmount()
            try disk.mount()
            do { server = try place.serve(settings) } catch { return (round, "\(error)") }
            let audit = try Audit(port: server.port, ledger.all)
            if !audit.faults.isEmpty {
                server.killAtOnce()
                return (round, audit.faults.joined(separator: "\n"))
            }
        }
        #expect(server.stop() == 0)
        return nil
    }
}
