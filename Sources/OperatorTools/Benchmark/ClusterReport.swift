import Transport

/// What clients of several clusters measured.
public struct ClusterReport: Encodable, Sendable {
    /// One start of a cluster.
    public struct Round: Encodable, Sendable {
        /// Until all streams had their first token.
        public var firstTokenSeconds: Double
        /// Of all streams together, from their first token to their last.
        public var tokensPerSecond: Double
        /// What the planner said of the same, from what the cluster's workers had measured; nil if it was not asked.
        public var predictedTokensPerSecond: Double?

        public init(firstTokenSeconds: Double, tokensPerSecond: Double, predictedTokensPerSecond: Double? = nil) {
            (self.firstTokenSeconds, self.tokensPerSecond) = (firstTokenSeconds, tokensPerSecond)
            self.predictedTokensPerSecond = predictedTokensPerSecond
        }

        private enum CodingKeys: String, CodingKey {
            case firstTokenSeconds = "first_token_seconds"
            case tokensPerSecond = "tokens_per_second"
            case predictedTokensPerSecond = "predicted_tokens_per_second"
        }
    }

    /// A model as it was placed.
    public struct Placement: Encodable, Sendable {
        public var model: String
        /// Such as `2,1`.
        public var placement: String
        public var rounds: [Round] = []

        public init(model: String, placement: String) { (self.model, self.placement) = (model, placement) }

        /// Medians over the rounds.
        public var tokensPerSecond: Double { Median.of(rounds.map(\.tokensPerSecond)) }
        public var firstTokenSeconds: Double { Median.of(rounds.map(\.firstTokenSeconds)) }
        public var predictedTokensPerSecond: Double? {
            let predictions = rounds.compactMap(\.predictedTokensPerSecond)
            return predictions.isEmpty ? nil : Median.of(predictions)
        }

        /// By how much of what was measured the prediction is above it, or below.
        public var predictionError: Double? {
            predictedTokensPerSecond.map { ($0 - tokensPerSecond) / max(tokensPerSecond, .leastNormalMagnitude) }
        }
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

    /// A Markdown table, in which all placements of a model are compared with its first.
    public var text: String {
        let hasPredictions = placements.contains { $0.predictedTokensPerSecond != nil }
        var columns: [TextTable.Column] = [
            .init("model", .left), .init("placement", .left), .init("tok/s", .right), .init("of the first", .right),
            .init("first token", .right),
        ]
        if hasPredictions { columns += [.init("predicted", .right), .init("error", .right)] }
        let table = TextTable(
            columns: columns,
            rows: placements.map { placement in
                let reference = placements.first { $0.model == placement.model }?.tokensPerSecond ?? 0
                var row: [TextTable.Cell] = [
                    .init(placement.model), .init(placement.placement),
                    .init(Units.significant(placement.tokensPerSecond)),
                    .init(reference > 0 ? Units.percent(placement.tokensPerSecond, of: reference) : ""),
                    .init("\(Units.decimal(placement.firstTokenSeconds * 1000, places: 0)) ms"),
                ]
                if hasPredictions {
                    row.append(.init(placement.predictedTokensPerSecond.map { Units.significant($0) } ?? ""))
                    row.append(.init(placement.predictionError.map(Self.signedPercent) ?? ""))
                }
                return row
            })
        let streams = concurrency == 1 ? "one stream" : "\(concurrency) streams"
        let heading =
            "\(cpu.printable), \(streams), \(promptTokenCount) tokens of prompt, \(generatedTokenCount) generated"
        return ([heading, ""] + table.markdown + summary).joined(separator: "\n")
    }

    /// How far the predictions are from what was measured.
    private var summary: [String] {
        let errors = placements.compactMap(\.predictionError)
        guard let worst = errors.max(by: { abs($0) < abs($1) }) else { return [] }
        let median = Units.percent(Median.of(errors.map(abs)), of: 1)
        return [
            "", "\(errors.count) predictions: the median error is \(median), the worst \(Self.signedPercent(worst)).",
        ]
    }

    private static func signedPercent(_ share: Double) -> String {
        (share > 0 ? "+" : "") + Units.percent(share, of: 1)
    }
}
