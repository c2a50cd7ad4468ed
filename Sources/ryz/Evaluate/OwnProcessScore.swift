import Checkpoints
import ClusterClient
import Inference

/// Scoring without a cluster: the whole model as one stage in this process.
enum OwnProcessScore {
    /// Scores `tokens` in chunks of the options' rows.
    static func score(
        _ tokens: [Int32], model: ModelFile, options: StageOptions, top: Int, progress: (Int) -> Void
    ) throws -> ScoreAnswer {
        let stage = try Stage(model: model, layers: 0..<model.configuration.layerCount, options: options)
        var pipeline = try Pipeline([stage])
        let score = try pipeline.score(tokens, chunk: options.maximumStepRowCount, topCount: top, progress: progress)
        return ScoreAnswer(
            ids: tokens, nextLogProbabilities: score.targetLogProbabilities,
            topTokens: score.top.map { $0.map(\.token) },
            topLogProbabilities: score.top.map { $0.map(\.logProbability) }, logitsDigest: score.logitsDigest)
    }
}
