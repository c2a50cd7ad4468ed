/// The body of `POST /v1/completions`, checked.
struct CompletionRequest: Sendable {
    enum Prompt: Sendable, Equatable {
        case text(String)
        case tokens([Int32])
    }

    /// At least one; the choices of the first prompt come first.
    var prompts: [Prompt]
    var common: SamplingFields
    /// Nil: as many as the context has room for. Zero only with `echo`: the prompt is scored and nothing generated.
    var maximumTokenCount: Int?
    /// Nil: no log-probabilities.
    var topLogProbabilityCount: Int?
    /// Whether the text of a choice begins with its prompt.
    var echoes: Bool
    var addsSpecialTokens: Bool

    init(
        _ fields: JSONFields, model: ServedModel, maximumChoiceCount: Int, maximumPromptCount: Int
    ) throws(APIError) {
        prompts = try Self.prompts(fields, model: model, maximumCount: maximumPromptCount)
        common = try SamplingFields(fields, model: model, maximumChoiceCount: maximumChoiceCount)
        echoes = try fields.bool("echo") ?? false
        addsSpecialTokens = try fields.bool("add_special_tokens") ?? true
        maximumTokenCount = try fields.integer("max_tokens", in: 0...Int.max)
        if maximumTokenCount == 0, !echoes {
            throw .invalid(
                parameter: "max_tokens", problem: "'max_tokens' is 0, but must be at least 1 unless 'echo' is true")
        }
        topLogProbabilityCount = try fields.integer("logprobs", in: 0...20)
        if let suffix = try fields.string("suffix"), !suffix.isEmpty {
            throw .unsupported(parameter: "suffix", problem: "'suffix' is not supported; put all text into 'prompt'")
        }
        if let bestOf = try fields.integer("best_of", in: 1...Int.max), bestOf != common.choiceCount {
            throw .unsupported(
                parameter: "best_of",
                problem: "'best_of' is \(bestOf), but must equal 'n', which is \(common.choiceCount)")
        }
    }

    private static func prompts(
        _ fields: JSONFields, model: ServedModel, maximumCount: Int
    ) throws(APIError) -> [Prompt] {
        guard let node = fields["prompt"] else { throw fields.missing("prompt") }
        let wanted = "must be a string, an array of strings, an array of token ids, or an array of such arrays"
        switch node.value {
        case .string(let text): return [.text(text)]
        case .array(let elements):
            guard let first = elements.first else {
                throw .invalid(parameter: "prompt", problem: "'prompt' is an empty array, but \(wanted)")
            }
            if first.value.wholeNumber != nil {
                return [.tokens(try TokenArray.read(elements, parameter: "prompt", model: model))]
            }
            guard elements.count <= maximumCount else {
                throw .invalid(
                    parameter: "prompt",
                    problem: "'prompt' has \(elements.count) prompts, but one request may have \(maximumCount)")
            }
            var prompts: [Prompt] = []
            for (index, element) in elements.enumerated() {
                switch element.value {
                case .string(let text): prompts.append(.text(text))
                case .array(let nodes):
                    let tokens = try TokenArray.read(nodes, parameter: "prompt[\(index)]", model: model)
                    prompts.append(.tokens(tokens))
                default:
                    throw .invalid(
                        parameter: "prompt",
                        problem: "'prompt[\(index)]' is \(element.value.kind), but 'prompt' \(wanted)")
                }
            }
            return prompts
        default: throw fields.mismatch("prompt", node, wanted)
        }
    }
}
