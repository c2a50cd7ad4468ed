/// Lines of aligned columns.
struct TextTable {
    enum Alignment {
        case left, right
    }

    struct Column {
        var title: String
        var alignment: Alignment
        /// How narrow it may be cut when the table is too wide; nil if it may not.
        var minimumWidth: Int?

        init(_ title: String, _ alignment: Alignment = .left, minimumWidth: Int? = nil) {
            self.title = title
            self.alignment = alignment
            self.minimumWidth = minimumWidth
        }
    }

    struct Cell {
        var text: String
        var style: TextStyle?

        init(_ text: String, style: TextStyle? = nil) {
            self.text = text
            self.style = style
        }
    }

    static let gap = "  "

    var columns: [Column]
    var rows: [[Cell]]

    /// The title line and one line for each row. Columns that may be cut share what goes beyond `width`, the widest first.
    func lines(width: Int, isColoured: Bool) -> [String] {
        let widths = columnWidths(total: width)
        let header = columns.map { Cell($0.title, style: .dim) }
        return ([header] + rows).map { row in
            let cells = row.enumerated().map { index, cell in
                let text = Self.cut(cell.text, to: widths[index])
                let styled = isColoured ? (cell.style?.apply(to: text) ?? text) : text
                let padding = String(repeating: " ", count: widths[index] - text.count)
                if columns[index].alignment == .right { return padding + styled }
                return index + 1 == row.count ? styled : styled + padding
            }
            return cells.joined(separator: Self.gap)
        }
    }

    /// As a Markdown table, whose columns are aligned in the source as well.
    var markdown: [String] {
        let widths = columnWidths(total: .max).map { max($0, 2) }
        func line(_ texts: [String]) -> String {
            let cells = texts.enumerated().map { index, text in
                let padding = String(repeating: " ", count: widths[index] - text.count)
                return columns[index].alignment == .right ? padding + text : text + padding
            }
            return "| " + cells.joined(separator: " | ") + " |"
        }
        let rule = columns.indices.map { index in
            let dashes = String(repeating: "-", count: widths[index] - 1)
            return columns[index].alignment == .right ? dashes + ":" : dashes + "-"
        }
        return [line(columns.map(\.title)), line(rule)] + rows.map { line($0.map(\.text)) }
    }

    private func columnWidths(total: Int) -> [Int] {
        var widths = columns.enumerated().map { index, column in
            rows.reduce(column.title.count) { max($0, $1[index].text.count) }
        }
        var excess = widths.reduce(0, +) + Self.gap.count * max(0, columns.count - 1) - total
        while excess > 0 {
            let candidates = columns.indices.filter { widths[$0] > columns[$0].minimumWidth ?? .max }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    private static func cut(_ text: String, to width: Int) -> String {
        text.count <= width ? text : text.prefix(width - 1) + "…"
    }
}

/// Emphasis on a terminal (ECMA-48, section 8.3.117).
enum TextStyle: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"

    func apply(to text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}
