// Where log lines go: standard error, one line each, as text for people or JSON for programs.

import API
import JSON
public import Logging
import Model
import Synchronization

public struct LineLog: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level
    private let format: Configuration.Log.Format
    private let label: String

    public init(label: String, level: Logger.Level, format: Configuration.Log.Format) {
        self.label = label
        logLevel = level
        self.format = format
    }

    public static func logger(_ settings: Configuration.Log) -> Logger {
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .notice
        return Logger(label: "berth") { LineLog(label: $0, level: level, format: settings.format) }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let now = SystemClock.now()
        switch format {
        case .json:
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("at")
                writer.value(now.description)
                writer.key("level")
                writer.value(event.level.rawValue)
                writer.key("message")
                writer.value("\(event.message)")
                for (key, value) in all.sorted(by: { $0.key < $1.key }) {
                    writer.key(string: key)
                    writer.value("\(value)")
                }
            }
            writer.newLine()
            StandardError.write(writer.take())
        case .text:
            var line = "\(now) \(event.level.rawValue) \(event.message)"
            for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
            // A message with line breaks must not look like two.
            StandardError.write(Array((line.replacing("\n", with: " ") + "\n").utf8))
        }
    }
}
