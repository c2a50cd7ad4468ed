import Transport

/// What clients of several clusters measured.
public struct ClusterReport: Encodable, Sendable {
    /// One start of a cluster.
    public struct Round: Encodable, Sendable {
        /// Until all streams had their first token.
        public var firstTokenSeconds: Double
        /// Of all streams together, from their first token to their last.
        public var tokensPerSecond: Double

        public init(firstTokenSeconds: Double, tokensPerSecond: Double) {
            (self.firstTokenSeconds, self.tokensPerSecond) = (firstTokenSeconds, tokensPerSecond)
        }

        private enum CodingKeys: String, CodingKey {
            case firstTokenSeconds = "first_token_seconds"
            case tokensPerSecond = "tokens_per_second"
        }
    }

    public struct Placement: Encodable, Sendable {
        /// Such as `2,1`.
        public var placement: String
        public var rounds: [Round] = []

        public init(placement: String) { self.placement = placement }

        /// Medians over the rounds.
        public var tokensPerSecond: Double { Median.of(rounds.map(\.tokensPerSecond)) }
        public var firstTokenSeconds: Double { Median.of(rounds.map(\.firstTokenSeconds)) }
    }

    public var cpu: String
    /// Streams at a time.
    public var concurrency: Int
    public var promptTokenCount: Int
    public var generatedTokenCount: Int
    public var placements: [Placement]

    public init(
        cpu: String, concurrency: Int, promptTokenCount: Int, generatedTokenCount: Int, placements: [Placement]
    ) {
        (self.cpu, self.concurrency, self.placements) = (cpu, concurrency, placements)
        (self.promptTokenCount, self.generatedTokenCount) = (promptTokenCount, generatedTokenCount)
    }

    private enum CodingKeys: String, CodingKey {
        case cpu, concurrency, placements
        case promptTokenCount = "prompt_tokens"
        case generatedTokenCount = "generated_tokens"
    }

    /// A Markdown table, in which all are compared with the first.
    public var text: String {
        let reference = placements.first?.tokensPerSecond ?? 0
        let table = TextTable(
            columns: [
                .init("placement", .left), .init("tok/s", .right), .init("of the first", .right),
                .init("first token", .right),
            ],
            rows: placements.map { placement in
                [
                    .init(placement.placement), .init(Units.significant(placement.tokensPerSecond)),
                    .init(reference > 0 ? Units.percent(placement.tokensPerSecond, of: reference) : ""),
                    .init("\(Units.decimal(placement.firstTokenSeconds * 1000, places: 0)) ms"),
                ]
            })
        let streams = concurrency == 1 ? "one stream" : "\(concurrency) streams"
        let heading =
            "\(cpu.printable), \(streams), \(promptTokenCount) tokens of prompt, \(generatedTokenCount) generated"
        return ([heading, ""] + table.markdown).joined(separator: "\n")
    }
}
