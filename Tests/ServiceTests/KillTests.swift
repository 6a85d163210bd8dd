// SIGKILL under load: whatever was acknowledged is there afterwards, whole, and everything still adds up.

import API
import Engine
import Foundation
import Glibc
import Model
import Storage
import TestKit
import Testing

@testable import Service

@Suite struct KillTests {
    @Test(
        "Killed twenty times at random moments under load, the server keeps all it acknowledged and nothing half done")
    func killUnderLoad() throws {
        var random = seed("killUnderLoad")
        let place = Place()
        let ledger = Ledger()
        var server = try place.serve(Settings.smallDisk)
        for round in 1...20 {
            let load = Load(ledger, port: server.port, threads: 4, round: round, &random)
            load.waitForAnswers(random.pick(1...60))
            usleep(UInt32(random.pick(0...20_000)))
            server.killAtOnce()
            load.wait()
            try check(place, round)
            server = try place.serve(Settings.smallDisk)
            let audit = try Audit(port: server.port, ledger.all)
            #expect(audit.faults.isEmpty, "round \(round): \(audit.faults.joined(separator: "\n"))")
            if !audit.faults.isEmpty { break }
        }
        #expect(ledger.all.count > 20)
        #expect(server.stop() == 0)
    }

    /// Recovers a copy of the data in this process: digests agree at each transaction, and the engine's indexes are true.
    private func check(_ place: Place, _ round: Int) throws {
        let copy = place.folder.path + "/copy"
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: place.data, toPath: copy)
        let report = try JournalReport.verify(copy)
        #expect(report.isSound, "round \(round): \(report.text)")
        let recovery = try Store.open(directory: copy)
        var engine = recovery.image.revision == 0 ? Engine() : try Engine(image: recovery.image)
        var fault: String?
        _ = try recovery.replay { transaction in
            do throws(ReplayError) {
                try engine.replay(transaction)
                return nil
            } catch {
                fault = error.description
                return fault
            }
        }
        #expect(fault == nil, "round \(round)")
        #expect(engine.firstFault() == nil, "round \(round)")
        let again = try Engine(image: engine.state.image)
        #expect(again.state.digest == engine.state.digest)
        #expect(again.capacityDigest() == engine.capacityDigest(), "round \(round)")
    }
}
