import Checkpoints
import ClusterClient
import Inference
import Kernels

/// Scoring without a cluster: the whole model as one stage in this process.
enum OwnProcessScore {
    static func score(
        _ tokens: [Int32], model: ModelFile, threadCount: Int, contextLength: Int, chunk: Int, top: Int,
        progress: (Int) -> Void
    ) throws -> ScoreAnswer {
        let rows = min(chunk, tokens.count)
        let stage = try Stage(
            model: model, layers: 0..<model.configuration.layerCount,
            options: StageOptions(
                threadCount: threadCount, cpus: ThreadOptions.processors(threadCount: threadCount),
                instructionSet: try .selected(), contextLength: contextLength, keyValueTokenCapacity: contextLength,
                maximumStepRowCount: rows))
        var pipeline = try Pipeline([stage])
        let score = try pipeline.score(tokens, chunk: rows, topCount: top, progress: progress)
        return ScoreAnswer(
            ids: tokens, nextLogProbabilities: score.targetLogProbabilities,
            topTokens: score.top.map { $0.map(\.token) },
            topLogProbabilities: score.top.map { $0.map(\.logProbability) }, logitsDigest: score.logitsDigest)
    }
}
