import ClusterCore
import Transport

/// What a request's answer has to be: computed row by row, without stages, steps, caches or faults.
struct ReferenceAnswer {
    private let model: HashModel
    /// What a cache would hold of the last position, `[layer × head]`.
    private var cached: [UInt64]
    private var position = 0
    private var hidden: UInt64 = 0

    init(_ model: HashModel) {
        self.model = model
        cached = [UInt64](repeating: 0, count: model.layerCount * model.headCount)
    }

    /// The tokens that are to be generated, and how that ends.
    static func generation(_ request: GenerationRequest, _ model: HashModel) -> ([TokenChoice], FinishReason) {
        var answer = ReferenceAnswer(model)
        for token in request.promptTokens { answer.take(token) }
        var choices: [TokenChoice] = []
        while true {
            let choice = model.token(
                answer.hidden, position: answer.position - 1, request.sampling,
                promptLength: request.promptTokens.count)
            choices.append(choice)
            if request.stopTokens.contains(choice.token) { return (choices, .stop) }
            if choices.count == request.maximumTokenCount { return (choices, .length) }
            answer.take(choice.token)
        }
    }

    /// The figures of a text.
    static func score(_ request: ScoringRequest, _ model: HashModel) -> ScoredText {
        var answer = ReferenceAnswer(model)
        var text = ScoredText(nextLogProbabilities: [], top: [], logitsDigest: [])
        var digest: UInt64 = 0
        for (position, token) in request.tokens.enumerated() {
            answer.take(token)
            digest = HashModel.digest(digest, answer.hidden)
            text.top.append(HashModel.top(answer.hidden, count: request.topCount))
            guard position + 1 < request.tokens.count else { continue }
            let target = Int(request.tokens[position + 1])
            text.nextLogProbabilities.append(HashModel.logProbability(answer.hidden, -1 - target))
        }
        text.logitsDigest = HashModel.bytes(ofDigest: digest)
        return text
    }

    private mutating func take(_ token: Int32) {
        hidden = HashModel.embedding(token)
        for layer in 0..<model.layerCount {
            var sum: UInt64 = 0
            for head in 0..<model.headCount {
                let index = layer * model.headCount + head
                cached[index] = HashModel.part(layer: layer, head: head, hidden: hidden, cached: cached[index])
                sum &+= cached[index]
            }
            hidden &+= sum
        }
        position += 1
    }
}
