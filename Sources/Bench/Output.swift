// Reports as one table for people, and as JSON lines for programs.

import Foundation
import JSON

public enum Output {
    /// A line beside the report: what was skipped and why.
    public static func say(_ words: String) { FileHandle.standardError.write(Data((words + "\n").utf8)) }

    /// A line a figure: benchmark, figure, value, unit, goal.
    public static func table(_ reports: [Report]) -> String {
        var rows: [[String]] = [["benchmark", "figure", "value", "unit", "goal"]]
        for report in reports {
            for figure in report.figures {
                rows.append([report.benchmark, figure.name, text(figure.value), figure.unit, figure.goal ?? ""])
            }
            if report.hash != 0 { rows.append([report.benchmark, "hash", String(report.hash, radix: 16), "", ""]) }
        }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 2 ? space + cell : cell + space) + "  "
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// An object a figure, each on its line.
    public static func lines(_ reports: [Report]) -> String {
        var writer = JSONWriter()
        for report in reports {
            for figure in report.figures {
                writer.object { writer in
                    writer.key("benchmark")
                    writer.value(report.benchmark)
                    writer.key("name")
                    writer.value(figure.name)
                    writer.key("value")
                    writer.value(figure.value)
                    writer.key("unit")
                    writer.value(figure.unit)
                    writer.key("goal")
                    if let goal = figure.goal { writer.value(goal) } else { writer.null() }
                    writer.key("hash")
                    writer.value(String(report.hash, radix: 16))
                }
                writer.newLine()
            }
        }
        return String(decoding: writer.take(), as: UTF8.self)
    }

    /// Whole from 100 on, else with three decimals at most.
    private static func text(_ value: Double) -> String {
        if abs(value) >= 100 || value == value.rounded() { return String(Int64(value.rounded())) }
        let thousandths = Int64((abs(value) * 1000).rounded())
        let fraction = String(thousandths % 1000 + 1000).dropFirst()
        return (value < 0 ? "-" : "") + "\(thousandths / 1000).\(fraction)"
    }
}
