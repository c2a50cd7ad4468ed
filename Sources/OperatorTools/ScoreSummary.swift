public import ClusterClient

/// The figures of a scored text in a few lines.
public enum ScoreSummary {
    /// - Parameter duration: how long it took, loading included.
    public static func text(_ answer: ScoreAnswer, duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
        var lines = ["tokens         \(answer.ids.count)"]
        if let perplexity = answer.perplexity {
            lines.append("perplexity     \(Units.decimal(perplexity, places: 4))")
        }
        let targets = answer.ids.dropFirst()
        if !targets.isEmpty, answer.topTokens.first?.isEmpty == false {
            let right = zip(targets, answer.topTokens).count { $0 == $1.first }
            lines.append("best is right  \(Units.percent(Double(right), of: Double(targets.count)))")
        }
        lines.append("time           \(Units.decimal(seconds, places: 1)) s")
        lines.append("logits_sha256  \(answer.logitsSHA256)")
        return lines.joined(separator: "\n")
    }

    /// How much one answer's perplexity differs from another's, in a line; nil if they have none.
    public static func comparison(_ answer: ScoreAnswer, with other: ScoreAnswer, on name: String) -> String? {
        guard let perplexity = answer.perplexity, let reference = other.perplexity, reference > 0 else { return nil }
        let difference = (perplexity / reference - 1) * 100
        let sign = difference < 0 ? "−" : "+"
        return "on \(name)  perplexity \(Units.decimal(reference, places: 4)); the difference is "
            + "\(sign)\(Units.decimal(abs(difference), places: 3)) %"
    }
}
