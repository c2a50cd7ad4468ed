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
}
