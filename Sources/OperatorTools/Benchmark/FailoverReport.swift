/// What clients got from clusters that lost a worker in the middle of each answer.
public struct FailoverReport: Sendable, Equatable {
    /// Answers of one cluster.
    public struct Row: Sendable, Equatable {
        public var placement: [Int]
        /// How workers were lost.
        public var strike: String
        public var streamCount = 0
        /// Streams that were complete before the loss had an effect.
        public var untouchedCount = 0
        public var differingCount = 0
        /// Seconds from the loss to the next piece of an answer, of the streams that felt it.
        public var pauses: [Double] = []

        public init(placement: [Int], strike: String) {
            self.placement = placement
            self.strike = strike
        }
    }

    public var rows: [Row] = []

    public init() {}

    public var differingCount: Int { rows.reduce(0) { $0 + $1.differingCount } }

    /// A Markdown table.
    public var text: String {
        let columns: [TextTable.Column] = [
            .init("placement"), .init("loss"), .init("streams", .right), .init("untouched", .right),
            .init("differ", .right), .init("median pause", .right), .init("worst pause", .right),
        ]
        let cells = rows.map { row -> [TextTable.Cell] in
            let sorted = row.pauses.sorted()
            func seconds(_ index: Int) -> String {
                sorted.indices.contains(index) ? "\(Units.decimal(sorted[index], places: 2)) s" : "–"
            }
            return [
                row.placement.map(String.init).joined(separator: ","), row.strike, "\(row.streamCount)",
                "\(row.untouchedCount)", "\(row.differingCount)", seconds(sorted.count / 2), seconds(sorted.count - 1),
            ].map { .init($0) }
        }
        return TextTable(columns: columns, rows: cells).markdown.joined(separator: "\n")
    }
}
