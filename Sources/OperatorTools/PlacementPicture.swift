/// A drawing of who holds which part of a model: stages as boxes from left to right, their ranks stacked.
///
///     layers 0–9             layers 10–29
///     ┌──────────────────┐   ┌───────┐
///     │ big    heads 0–2 │ → │ small │
///     ├──────────────────┤   └───────┘
///     │ second heads 3–4 │
///     └──────────────────┘
public struct PlacementPicture: Sendable, Equatable {
    public struct Stage: Sendable, Equatable {
        public var layers: Range<Int>
        /// In order, at least one.
        public var ranks: [Rank]

        public init(layers: Range<Int>, ranks: [Rank]) {
            self.layers = layers
            self.ranks = ranks
        }
    }

    public struct Rank: Sendable, Equatable {
        /// The node's.
        public var name: String
        /// The KV heads that it holds; nil if that is not known. Shown where a stage has more ranks than one.
        public var heads: Range<Int>?

        public init(name: String, heads: Range<Int>? = nil) {
            self.name = name
            self.heads = heads
        }
    }

    public var stages: [Stage]

    public init(stages: [Stage]) { self.stages = stages }

    /// No longer name is shown in full.
    static let nameLimit = 24

    /// All lines, none longer than `width`: stages that find no room beside the others follow below.
    public func lines(width: Int) -> [String] {
        rows(width: width).flatMap { $0.lines }.map { line in
            let end = line.lastIndex { $0 != " " }.map(line.index(after:)) ?? line.startIndex
            return String(line[..<end].prefix(max(0, width)))
        }
    }

    private func rows(width: Int) -> [Row] {
        var rows: [Row] = []
        for (index, stage) in stages.enumerated() {
            let isLast = index + 1 == stages.count
            let box = PictureBox(stage, width: width - (isLast ? 0 : Row.end.count))
            let room = width - (isLast ? 0 : Row.end.count)
            if let last = rows.indices.last, rows[last].width + Row.gap.count + box.width <= room {
                rows[last].boxes.append(box)
            } else {
                if let last = rows.indices.last { rows[last].goesOn = true }
                rows.append(Row(boxes: [box]))
            }
        }
        return rows
    }
}

/// Boxes beside each other, with an arrow from each to the next.
private struct Row {
    static let gap = " → "
    static let end = " →"

    var boxes: [PictureBox]
    /// Whether another row follows.
    var goesOn = false

    var width: Int { boxes.reduce(0) { $0 + $1.width } + Self.gap.count * (boxes.count - 1) }

    var lines: [String] {
        let height = boxes.reduce(0) { max($0, $1.lines.count) }
        return (0..<height).map { index in
            let isArrowLine = index == PictureBox.firstRankLine
            let gap = isArrowLine ? Self.gap : String(repeating: " ", count: Self.gap.count)
            let line = boxes.map { $0.line(index) }.joined(separator: gap)
            return line + (isArrowLine && goesOn ? Self.end : "")
        }
    }
}

/// One stage: its layers, and a frame around its ranks.
private struct PictureBox {
    /// Below the title and the frame.
    static let firstRankLine = 2

    let lines: [String]
    let width: Int

    /// - Parameter width: what it has to fit into, by cutting names.
    init(_ stage: PlacementPicture.Stage, width limit: Int) {
        let title = (stage.layers.count == 1 ? "layer " : "layers ") + Units.inclusive(stage.layers)
        let heads = stage.ranks.map { rank in
            guard stage.ranks.count > 1, let heads = rank.heads else { return "" }
            return (heads.count == 1 ? " head " : " heads ") + Units.inclusive(heads)
        }
        let headsWidth = heads.reduce(0) { max($0, $1.count) }
        let frameWidth = 4
        let longestName = stage.ranks.reduce(0) { max($0, $1.name.count) }
        let nameWidth = max(
            1, min(longestName, PlacementPicture.nameLimit, limit - headsWidth - frameWidth))
        let inner = max(nameWidth + headsWidth, title.count - frameWidth)
        let rule = String(repeating: "─", count: inner + 2)
        let ranks = zip(stage.ranks, heads).map { rank, heads in
            let name = rank.name.count <= nameWidth ? rank.name : rank.name.prefix(nameWidth - 1) + "…"
            return "│ " + name.padded(to: inner - headsWidth) + heads.padded(to: headsWidth) + " │"
        }
        lines = [title, "┌\(rule)┐"] + ranks.joined(by: "├\(rule)┤") + ["└\(rule)┘"]
        width = inner + frameWidth
    }

    /// A line in full width; blanks below the last.
    func line(_ index: Int) -> String { (index < lines.count ? lines[index] : "").padded(to: width) }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension [String] {
    fileprivate func joined(by separator: String) -> [String] {
        enumerated().flatMap { index, line in index == 0 ? [line] : [separator, line] }
    }
}
