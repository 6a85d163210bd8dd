// The real binary, started on a free port in a temporary folder, and curl to talk to it. Ended by process id.
// Knows no internals of the service: what it sees is what a user sees.

public import Foundation

/// A program's end: what it printed and how it left.
public struct Ended: Sendable {
    public var status: Int32
    public var output: String
    public var errors: String
}

/// A folder that goes when its owner goes.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() {
        path = NSTemporaryDirectory() + "berth-test-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

public struct ServerDidNotStart: Error, CustomStringConvertible {
    public var description: String
}

public enum Programs {
    /// The folder of the built products, beside the test bundle.
    public static var products: URL {
        for bundle in Bundle.allBundles where bundle.bundlePath.hasSuffix(".xctest") {
            return bundle.bundleURL.deletingLastPathComponent()
        }
        return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    }

    /// The root of the package.
    public static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Runs a program to its end, which it must find by itself within two minutes, or it is killed.
    public static func run(_ program: String, _ arguments: [String], input: Data? = nil, folder: String? = nil) throws
        -> Ended
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let scratch = TemporaryFolder()
        let outPath = scratch.path + "/out"
        let errPath = scratch.path + "/err"
        _ = FileManager.default.createFile(atPath: outPath, contents: nil)
        _ = FileManager.default.createFile(atPath: errPath, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: outPath)
        process.standardError = FileHandle(forWritingAtPath: errPath)
        if let input {
            let inPath = scratch.path + "/in"
            _ = FileManager.default.createFile(atPath: inPath, contents: input)
            process.standardInput = FileHandle(forReadingAtPath: inPath)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        let late = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(120), execute: late)
        process.waitUntilExit()
        late.cancel()
        func text(_ path: String) -> String {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }
        return Ended(status: process.terminationStatus, output: text(outPath), errors: text(errPath))
    }

    public static func berth(_ arguments: [String], input: Data? = nil, folder: String? = nil) throws -> Ended {
        try run(products.appendingPathComponent("berth").path, arguments, input: input, folder: folder)
    }
}

/// An answer as curl saw it.
public struct CurlAnswer: Sendable {
    public var status: Int
    public var fields: [String: String]
    public var body: String

    /// The body as JSON, for tests that look into it.
    public var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
    }
}

/// A running `berth serve`.
public final class RunningBerth {
    public let process: Process
    public private(set) var port = 0
    public let data: String
    private let errorsPath: String

    /// Starts the service and waits until it says where it listens. With an `unawaitedPort` it is not waited for: what it answers
    /// while it recovers can be seen.
    public init(
        data: String, arguments: [String] = [], environment: [String: String] = [:], unawaitedPort: Int? = nil
    ) throws {
        self.data = data
        process = Process()
        process.executableURL = Programs.products.appendingPathComponent("berth")
        process.arguments =
            ["serve", "--host", "127.0.0.1", "--port", "\(unawaitedPort ?? 0)", "--data", data] + arguments
        port = unawaitedPort ?? 0
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        errorsPath = NSTemporaryDirectory() + "berth-test-stderr-" + UUID().uuidString
        _ = FileManager.default.createFile(atPath: errorsPath, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: errorsPath)
        let outPath = errorsPath + ".out"
        _ = FileManager.default.createFile(atPath: outPath, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: outPath)
        defer { try? FileManager.default.removeItem(atPath: outPath) }
        try process.run()
        let deadline = Date().addingTimeInterval(60)
        while port == 0 {
            let said = String(decoding: FileManager.default.contents(atPath: outPath) ?? Data(), as: UTF8.self)
            if let range = said.range(of: "http://127.0.0.1:"), said[range.upperBound...].contains(where: \.isNewline) {
                port = Int(said[range.upperBound...].prefix { $0.isNumber }) ?? 0
            }
            if !process.isRunning || Date() > deadline {
                process.terminate()
                throw ServerDidNotStart(description: "berth did not start: \(errors)")
            }
            usleep(5_000)
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: errorsPath)
    }

    /// What it wrote to standard error so far.
    public var errors: String {
        String(decoding: FileManager.default.contents(atPath: errorsPath) ?? Data(), as: UTF8.self)
    }

    public var url: String { "http://127.0.0.1:\(port)" }

    /// SIGTERM, and the status it ends with.
    @discardableResult
    public func stop() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// SIGKILL: nothing of the process has a chance to tidy up.
    public func killAtOnce() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// One request by curl.
    public func curl(_ method: String, _ path: String, body: String? = nil, _ more: [String] = []) throws -> CurlAnswer
    {
        var arguments = ["-sS", "-i", "--max-time", "30", "--path-as-is"]
        if method == "HEAD" { arguments.append("-I") } else { arguments += ["-X", method] }
        if body != nil {
            arguments += ["--data-binary", "@-", "-H", "Content-Type: application/json", "-H", "Expect:"]
        }
        let ended = try Programs.run(
            "/usr/bin/curl", arguments + more + [url + path], input: body.map { Data($0.utf8) })
        guard ended.status == 0 else { throw ServerDidNotStart(description: "curl: \(ended.errors) \(errors)") }
        let parts = ended.output.components(separatedBy: "\r\n\r\n")
        let head = parts[0].components(separatedBy: "\r\n")
        var fields: [String: String] = [:]
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        let status = head[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return CurlAnswer(status: status, fields: fields, body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }
}
