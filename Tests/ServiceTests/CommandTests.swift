// The commands beside `serve`: configuration, journal, trace.

import API
import Foundation
import JSON
import TestKit
import Testing

@testable import Service

@Suite struct CommandTests {
    @Test("Config/berth.json holds every setting with its default, and nothing else")
    func defaults() throws {
        let path = Programs.root.appendingPathComponent("Config/berth.json").path
        #expect(try Configuration.read(file: path) == Configuration())
        let file = try JSONDocument(Files.bytes(path)).root
        var settings: [String: [String: String]] = [:]
        for section in Mirror(reflecting: Configuration()).children {
            var values: [String: String] = [:]
            for setting in Mirror(reflecting: section.value).children {
                values[setting.label ?? ""] = "\(setting.value)"
            }
            settings[section.label ?? ""] = values
        }
        var written: [String: [String: String]] = [:]
        for section in file.members {
            var values: [String: String] = [:]
            for setting in section.value.members {
                values[setting.key] =
                    setting.value.string ?? setting.value.numberText ?? setting.value.boolean.map { "\($0)" } ?? "none"
            }
            written[section.key] = values
        }
        #expect(written == settings)
        // Each setting is read where the file says so: another value changes the configuration.
        for (section, values) in written {
            for (name, value) in values {
                let other = [
                    "host": #""localhost""#, "directory": #""elsewhere""#, "level": #""error""#, "format": #""json""#,
                    "flush": "false",
                ]
                let text = other[name] ?? "\(max(2, (Int(value) ?? 0) - 1))"
                let place = Place()
                let changed = try Configuration.read(
                    file: place.write("one.json", #"{"\#(section)":{"\#(name)":\#(text)}}"#))
                #expect(changed != Configuration(), "\(section).\(name)")
            }
        }
        let checked = try Programs.berth(["check-config", path])
        #expect(checked.status == 0)
        for fleet in ["fleet.json", "small-fleet.json"] {
            let path = Programs.root.appendingPathComponent("Config/" + fleet).path
            #expect(try Programs.berth(["check-config", "--fleet", path]).status == 0)
        }
        let builtIn = Programs.root.appendingPathComponent("Config/fleet.json").path
        #expect(try Fleet.builtIn().pools == Fleet.read(file: builtIn).pools)
    }

    @Test("A fleet may list its nodes in a file beside it; the file's mistakes are named by line")
    func nodesFile() throws {
        let place = Place()
        let pool =
            #"{"name":"listed","provider":"aws","region":"us-east-1","accelerator":"GB300","#
            + #""node":{"gpus":4,"cpuMillis":1000,"memoryMiB":1000},"nodesFile":"nodes.ndjson"}"#
        let nodes = (0..<6).map { #"{"name":"host-\#($0)","domain":"rack-\#($0 / 3)","block":"row"}"# }
        _ = try place.write("nodes.ndjson", nodes.joined(separator: "\n") + "\n")
        let server = try place.serve(fleet: Fleets.of([pool]))
        let listed = try server.caller.get("/v1/pools/listed/nodes").list("nodes")
        #expect(listed.map { $0["name"]?.string } == (0..<6).map { "host-\($0)" })
        #expect(listed.last?["domain"]?.string == "rack-1")
        #expect(try server.caller.post("/v1/nodes/listed/host-4:down").status == 200)
        let placed = try server.caller.post("/v1/jobs", Caller.job("a", workers: 3, gpus: 4, #","scope":"domain""#))
        #expect(placed.placedNodes.map { $0["domain"]?.string } == ["rack-0", "rack-0", "rack-0"])
        #expect(server.stop() == 0)
        // A restart with the same file changes nothing.
        let next = try place.serve(fleet: Fleets.of([pool]))
        #expect(try next.caller.get("/v1/jobs/a")["state"]?.string == "placed")
        #expect(next.stop() == 0)

        var bad = nodes
        bad[1] = "{"
        bad[3] = #"{"name":"host-3","domain":7,"block":"row"}"#
        bad[5] = #"{"name":"host 5","domain":"rack-1","block":"row","colour":"red"}"#
        _ = try place.write("nodes.ndjson", bad.joined(separator: "\n") + "\n")
        let checked = try Programs.berth(["check-config", "--fleet", place.folder.path + "/fleet.json"])
        #expect(checked.status == 65)
        for line in [2, 4, 6] { #expect(checked.errors.contains("line \(line)"), "line \(line) in \(checked.errors)") }

    }

    @Test(
        "Every line of journal dump is a fact, revisions follow one by one, and replaying them gives the server's counts"
    )
    func dump() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 4))
        let caller = server.caller
        _ = try caller.batch((0..<12).map { Caller.job("j\($0)", workers: 1, gpus: 2) })
        for number in 0..<6 { _ = try caller.post("/v1/jobs/j\(number):start") }
        for (number, result) in [(0, "succeeded"), (1, "failed")] {
            _ = try caller.post("/v1/jobs/j\(number):finish", #"{"result":"\#(result)"}"#)
        }
        _ = try caller.delete("/v1/jobs/j11")
        _ = try caller.post("/v1/nodes/pool/b00/d000/n03:down")
        let counts = try caller.get("/v1/fleet")
        server.killAtOnce()
        let dumped = try Programs.berth(["journal", "dump", "--data", place.data])
        #expect(dumped.status == 0)
        var states: [Int64: String] = [:]
        var revision: Int64 = 0
        for line in dumped.output.split(separator: "\n") {
            let fact = try JSONDocument(Array(line.utf8)).root
            revision += 1
            #expect(fact["revision"]?.int64 == revision)
            guard let number = fact["number"]?.int64 else { continue }
            switch fact["fact"]?.string {
            case "jobSubmitted", "jobRequeued": states[number] = "queued"
            case "jobPlaced": states[number] = "placed"
            case "jobStarted": states[number] = "running"
            case "jobEnded": states[number] = fact["end"]?.string
            case "jobReserved", "jobUnreserved", "jobSearchGivenUp": #expect(states[number] == "queued")
            default: Issue.record("\(line)")
            }
        }
        #expect(UInt64(revision) == counts.revision)
        for state in ["queued", "placed", "running", "succeeded", "failed", "cancelled"] {
            #expect(
                counts["jobsByState"]?[state]?.int64 == Int64(states.values.filter { $0 == state }.count), "\(state)")
        }
        let later = try Programs.berth(["journal", "dump", "--data", place.data, "--after", "\(revision - 1)"])
        #expect(later.output.split(separator: "\n").last == dumped.output.split(separator: "\n").last)
        #expect(try Programs.berth(["journal", "dump", "--data", place.folder.path + "/none"]).status != 0)
    }

    @Test("Version names what is linked, and help names the exit codes")
    func version() throws {
        let ended = try Programs.berth(["version"])
        #expect(ended.status == 0)
        #expect(ended.output.hasPrefix("berth \(Version.berth)\n"))
        #expect(try Programs.berth(["--help"]).output.contains("Exit codes"))
    }

    @Test("A small trace is replayed to its end, at once and in its own time")
    func smallTrace() throws {
        let place = Place()
        let server = try place.serve(fleet: Fleets.one(nodes: 4))
        let trace = try place.write(
            "trace.csv",
            """
            job,submit_seconds,workers,gpus_per_worker,gpus,runtime_seconds
            a,0,2,4,8,20
            b,1,4,4,16,10
            c,2,1,8,8,5
            d,3,1,1,1,0

            """)
        for pace in [["--asap"], ["--speed", "100"]] {
            let ended = try Programs.berth(["replay", "--trace", trace, "--url", server.url] + pace)
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.output.contains(/finished +4\n/), "\(ended.output)")
            #expect(ended.output.contains(/lost +0\n/), "\(ended.output)")
        }
        #expect(try server.caller.get("/v1/fleet")["jobsByState"]?["succeeded"]?.int64 == 8)
        #expect(try server.caller.get("/v1/fleet")["gpusAllocated"]?.int64 == 0)
        let large = try place.write(
            "large.csv", "job,submit_seconds,workers,gpus_per_worker,runtime_seconds\nx,0,9,4,1\n")
        let stuck = try Programs.berth(["replay", "--trace", large, "--url", server.url, "--asap"])
        #expect(stuck.status == 69)
        #expect(stuck.errors.contains("none runs"), "\(stuck.errors)")
        let wrong = try place.write(
            "wrong.csv", "job,submit_seconds,workers,gpus_per_worker,runtime_seconds\nx,0,0,4,1\n")
        let refused = try Programs.berth(["replay", "--trace", wrong, "--url", server.url])
        #expect(refused.status == 65)
        #expect(refused.errors.contains("line 2"), "\(refused.errors)")
        #expect(server.stop() == 0)
        #expect(try Programs.berth(["replay", "--trace", trace, "--url", server.url]).status == 69)
    }

    /// 319 training jobs of the Kalos cluster (Acme trace, CC-BY-4.0), where the file is there.
    static let kalos = Programs.root.deletingLastPathComponent().appendingPathComponent("shared/traces/kalos/kalos.csv")
        .path

    @Test(
        "The Kalos trace is replayed on the small fleet: all jobs finish and none is lost",
        .enabled(if: FileManager.default.fileExists(atPath: kalos), "needs ../shared/traces/kalos/kalos.csv"))
    func kalosTrace() throws {
        let place = Place()
        let fleet = Programs.root.appendingPathComponent("Config/small-fleet.json").path
        let server = try RunningBerth(data: place.data, arguments: ["--fleet", fleet])
        let ended = try Programs.berth(["replay", "--trace", Self.kalos, "--url", server.url, "--asap"])
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.output.contains(/jobs +319\n/), "\(ended.output)")
        #expect(ended.output.contains(/finished +319\n/), "\(ended.output)")
        #expect(ended.output.contains(/lost +0\n/), "\(ended.output)")
        #expect(try server.caller.get("/v1/fleet")["gpusAllocated"]?.int64 == 0)
        #expect(server.stop() == 0)
    }
}
