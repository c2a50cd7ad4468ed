/// A model's speed on one node.
public struct ModelFigures: Encodable, Sendable {
    public var name: String
    /// Resident weights that every token reads.
    public var weightsByteCount: Int
    /// The layouts, kernels and prefetches that there were to choose from.
    public var candidates: [CandidateFigures]
    /// Where their rates come from: `measured`, or the path of the file that they were kept in.
    public var candidatesOrigin: String?
    /// From opening the file until the first token could be computed.
    public var loadSeconds: Double
    public var prefill: PhaseFigures
    /// From an empty context.
    public var decode: PhaseFigures

    public init(
        name: String, weightsByteCount: Int, candidates: [CandidateFigures], candidatesOrigin: String?,
        loadSeconds: Double, prefill: PhaseFigures, decode: PhaseFigures
    ) {
        (self.name, self.weightsByteCount, self.loadSeconds) = (name, weightsByteCount, loadSeconds)
        (self.candidates, self.candidatesOrigin) = (candidates, candidatesOrigin)
        (self.prefill, self.decode) = (prefill, decode)
    }

    private enum CodingKeys: String, CodingKey {
        case name, candidates, prefill, decode
        case weightsByteCount = "weights_bytes"
        case candidatesOrigin = "candidates_origin"
        case loadSeconds = "load_seconds"
    }
}

/// A layout, kernel and prefetch for products with one row of activations, as it was measured when the model was loaded.
public struct CandidateFigures: Encodable, Sendable {
    public var layout: String
    public var kernel: String
    public var prefetch: String
    public var columns: Int
    public var groupColumns: Int?
    public var multiplyAddsPerSecond: Double
    public var isChosen: Bool

    public init(
        layout: String, kernel: String, prefetch: String, columns: Int, groupColumns: Int?,
        multiplyAddsPerSecond: Double, isChosen: Bool
    ) {
        (self.layout, self.kernel, self.prefetch) = (layout, kernel, prefetch)
        (self.columns, self.groupColumns) = (columns, groupColumns)
        (self.multiplyAddsPerSecond, self.isChosen) = (multiplyAddsPerSecond, isChosen)
    }

    private enum CodingKeys: String, CodingKey {
        case layout, kernel, prefetch, columns
        case groupColumns = "group_columns"
        case multiplyAddsPerSecond = "multiply_adds_per_second"
        case isChosen = "chosen"
    }
}

/// How fast tokens went through a model, in rounds.
public struct PhaseFigures: Encodable, Sendable {
    /// One round: the peer's turn and ours, beside the roof that was measured in it.
    public struct Round: Encodable, Sendable {
        public var tokensPerSecond: Double
        /// Bytes, or multiply–adds, a second.
        public var roof: Double
        public var peerTokensPerSecond: Double?

        public init(tokensPerSecond: Double, roof: Double, peerTokensPerSecond: Double? = nil) {
            (self.tokensPerSecond, self.roof, self.peerTokensPerSecond) = (tokensPerSecond, roof, peerTokensPerSecond)
        }

        private enum CodingKeys: String, CodingKey {
            case roof
            case tokensPerSecond = "tokens_per_second"
            case peerTokensPerSecond = "peer_tokens_per_second"
        }
    }

    public var tokens: Int
    /// Bytes of weights that a token reads in decode; multiply–adds of the weight matrices for a token in prefill.
    /// Attention's own products are not counted.
    public var workPerToken: Double
    public var rounds: [Round] = []

    public init(tokens: Int, workPerToken: Double) {
        (self.tokens, self.workPerToken) = (tokens, workPerToken)
    }

    /// Medians over the rounds.
    public var tokensPerSecond: Double { Median.of(rounds.map(\.tokensPerSecond)) }
    public var workPerSecond: Double { workPerToken * tokensPerSecond }
    public var roof: Double { Median.of(rounds.map(\.roof)) }
    public var shareOfRoof: Double { Median.of(rounds.map { workPerToken * $0.tokensPerSecond / $0.roof }) }
    /// Nil without a peer.
    public var peerTokensPerSecond: Double? {
        let rates = rounds.compactMap(\.peerTokensPerSecond)
        return rates.isEmpty ? nil : Median.of(rates)
    }
    /// Ours by the peer's, round by round: what else the machine did met both.
    public var ratio: Double? {
        let ratios = rounds.compactMap { round in round.peerTokensPerSecond.map { round.tokensPerSecond / $0 } }
        return ratios.isEmpty ? nil : Median.of(ratios)
    }

    private enum CodingKeys: String, CodingKey {
        case tokens, rounds, roof, ratio
        case tokensPerSecond = "tokens_per_second"
        case workPerSecond = "work_per_second"
        case shareOfRoof = "share_of_roof"
        case peerTokensPerSecond = "peer_tokens_per_second"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tokens, forKey: .tokens)
        try container.encode(tokensPerSecond, forKey: .tokensPerSecond)
        try container.encode(workPerSecond, forKey: .workPerSecond)
        try container.encode(roof, forKey: .roof)
        try container.encode(shareOfRoof, forKey: .shareOfRoof)
        try container.encodeIfPresent(peerTokensPerSecond, forKey: .peerTokensPerSecond)
        try container.encodeIfPresent(ratio, forKey: .ratio)
        try container.encode(rounds, forKey: .rounds)
    }
}

/// The middle of several values.
public enum Median {
    /// The middle value, or the mean of the two in the middle; 0 of none.
    public static func of(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard let upper = sorted.dropFirst(sorted.count / 2).first else { return 0 }
        return sorted.count % 2 == 1 ? upper : (upper + sorted[sorted.count / 2 - 1]) / 2
    }
}
