import JSON
import Transport

/// The fields that chat and plain completions have in common.
struct SamplingFields: Sendable {
    /// Without log-probabilities, which the two formats ask for differently. `seed` is that of the first choice.
    var sampling: SamplingParameters
    var choiceCount: Int
    var stopStrings: [[UInt8]]
    var stopTokens: [Int32]
    var ignoresEndOfGeneration: Bool
    var skipsSpecialTokens: Bool
    var streams: Bool
    var includesUsage: Bool

    /// - Parameter maximumChoiceCount: the largest `n`.
    init(_ fields: JSONFields, model: ServedModel, maximumChoiceCount: Int) throws(APIError) {
        sampling = SamplingParameters(
            temperature: Float(try fields.number("temperature", in: 0...100) ?? 1),
            topK: try Self.topK(fields),
            topP: try Self.positive("top_p", fields, upTo: 1) ?? 1,
            minP: Float(try fields.number("min_p", in: 0...1) ?? 0),
            repetitionPenalty: try Self.positive("repetition_penalty", fields, upTo: 100) ?? 1,
            frequencyPenalty: Float(try fields.number("frequency_penalty", in: -2...2) ?? 0),
            presencePenalty: Float(try fields.number("presence_penalty", in: -2...2) ?? 0),
            logitBias: try Self.logitBias(fields, model: model),
            seed: try Self.seed(fields))
        choiceCount = try fields.integer("n", in: 1...maximumChoiceCount) ?? 1
        stopStrings = try Self.stopStrings(fields)
        stopTokens = try Self.stopTokens(fields, model: model)
        ignoresEndOfGeneration = try fields.bool("ignore_eos") ?? false
        skipsSpecialTokens = try fields.bool("skip_special_tokens") ?? true
        streams = try fields.bool("stream") ?? false
        let streamOptions = try fields.object("stream_options")
        if streamOptions != nil, !streams {
            throw .invalid(
                parameter: "stream_options", problem: "'stream_options' is allowed only when 'stream' is true")
        }
        includesUsage = try streamOptions?.bool("include_usage") ?? false
        if try fields.integer("min_tokens", in: 0...Int.max) ?? 0 > 0 {
            throw .unsupported(
                parameter: "min_tokens",
                problem: "'min_tokens' is not supported; 'ignore_eos' with 'max_tokens' gives an exact length")
        }
        try Self.refuseStructuredOutput(fields)
    }

    /// The sampling parameters of choice `index`: its seed follows that of the choice before.
    func sampling(choice index: Int, topLogProbabilityCount: Int?) -> SamplingParameters {
        var parameters = sampling
        parameters.seed &+= UInt64(index)
        parameters.topLogProbabilityCount = topLogProbabilityCount
        return parameters
    }

    /// In OpenAI's sense off is absent, in vLLM's it is -1 or 0.
    private static func topK(_ fields: JSONFields) throws(APIError) -> Int {
        max(0, try fields.integer("top_k", in: -1...Int(Int32.max)) ?? 0)
    }

    private static func positive(
        _ field: String, _ fields: JSONFields, upTo limit: Double
    ) throws(APIError) -> Float? {
        guard let value = try fields.number(field, in: 0...limit) else { return nil }
        // A double above zero may round to a float of zero.
        guard Float(value) > 0 else {
            throw .invalid(parameter: field, problem: "'\(field)' is \(value), but must be more than 0")
        }
        return Float(value)
    }

    private static func seed(_ fields: JSONFields) throws(APIError) -> UInt64 {
        guard let node = fields["seed"] else { return UInt64.random(in: .min ... .max) }
        if let value = node.value.wholeNumber { return UInt64(bitPattern: Int64(value)) }
        if let value = UInt64(fields.document.text(of: node)) { return value }
        throw fields.mismatch("seed", node, "must be a whole number of 64 bits")
    }

    private static let maximumBiasCount = 1024

    private static func logitBias(_ fields: JSONFields, model: ServedModel) throws(APIError) -> [LogitBias] {
        guard let node = fields["logit_bias"] else { return [] }
        guard case .object(let members) = node.value else {
            throw fields.mismatch("logit_bias", node, "must be an object that maps token ids to numbers")
        }
        guard members.count <= maximumBiasCount else {
            throw .invalid(
                parameter: "logit_bias",
                problem: "'logit_bias' has \(members.count) entries, but may have \(maximumBiasCount)")
        }
        let biases = try JSONFields(node, of: fields.document, at: "logit_bias")
        var byToken: [Int32: Float] = [:]
        for member in members {
            guard let token = Int32(member.key), (0..<model.vocabularySize).contains(Int(token)) else {
                throw .invalid(
                    parameter: "logit_bias",
                    problem: "'logit_bias' has the key '\(member.key.prefix(40))', "
                        + "but keys must be token ids from 0 to \(model.vocabularySize - 1)")
            }
            if let bias = try biases.number(member.key, in: -100...100) { byToken[token] = Float(bias) }
        }
        return byToken.sorted { $0.key < $1.key }.map { LogitBias(token: $0.key, bias: $0.value) }
    }

    private static let maximumStopCount = 4
    private static let maximumStopByteCount = 1024

    private static func stopStrings(_ fields: JSONFields) throws(APIError) -> [[UInt8]] {
        guard let node = fields["stop"] else { return [] }
        let strings: [String]
        switch node.value {
        case .string(let text): strings = [text]
        case .array(let nodes):
            var texts: [String] = []
            for (index, element) in nodes.enumerated() {
                guard case .string(let text) = element.value else {
                    throw .invalid(
                        parameter: "stop", problem: "'stop[\(index)]' is \(element.value.kind), but must be a string")
                }
                texts.append(text)
            }
            strings = texts
        default: throw fields.mismatch("stop", node, "must be a string or an array of strings")
        }
        guard strings.count <= maximumStopCount else {
            throw .invalid(
                parameter: "stop",
                problem: "'stop' has \(strings.count) strings, but may have \(maximumStopCount)")
        }
        for text in strings where text.isEmpty || text.utf8.count > maximumStopByteCount {
            throw .invalid(
                parameter: "stop",
                problem: "'stop' has a string of \(text.utf8.count) bytes, but must have 1 to \(maximumStopByteCount)")
        }
        return strings.map { Array($0.utf8) }
    }

    private static let maximumStopTokenCount = 256

    private static func stopTokens(_ fields: JSONFields, model: ServedModel) throws(APIError) -> [Int32] {
        guard let nodes = try fields.array("stop_token_ids") else { return [] }
        guard nodes.count <= maximumStopTokenCount else {
            throw .invalid(
                parameter: "stop_token_ids",
                problem: "'stop_token_ids' has \(nodes.count) entries, but may have \(maximumStopTokenCount)")
        }
        return try TokenArray.read(nodes, parameter: "stop_token_ids", model: model)
    }

    private static func refuseStructuredOutput(_ fields: JSONFields) throws(APIError) {
        guard let format = try fields.object("response_format") else { return }
        guard let type = try format.string("type") else { throw format.missing("type") }
        guard type == "text" else {
            throw .unsupported(
                parameter: "response_format",
                problem: "'response_format' of type '\(type.prefix(40))' is not supported; only 'text' is")
        }
    }
}

/// Reads arrays of token ids.
enum TokenArray {
    static func read(_ nodes: [JSONNode], parameter: String, model: ServedModel) throws(APIError) -> [Int32] {
        var tokens: [Int32] = []
        tokens.reserveCapacity(nodes.count)
        for (index, node) in nodes.enumerated() {
            guard let token = node.value.wholeNumber else {
                throw .invalid(
                    parameter: parameter,
                    problem: "'\(parameter)[\(index)]' is \(node.value.kind), but must be a token id")
            }
            guard (0..<model.vocabularySize).contains(token) else {
                throw .invalid(
                    parameter: parameter,
                    problem:
                        "'\(parameter)[\(index)]' is \(token), but token ids go from 0 to \(model.vocabularySize - 1)"
                )
            }
            tokens.append(Int32(token))
        }
        return tokens
    }
}
