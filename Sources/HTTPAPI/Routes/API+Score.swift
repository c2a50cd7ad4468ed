import ClusterCore
import Foundation
import Hummingbird
import Transport

extension API {
    /// The answer of `POST /v1/ryz/score`.
    private struct Scores: Encodable {
        var ids: [Int32]
        /// `[ids.count − 1]`
        var nextLogprob: [Float]
        /// `[ids.count][top]`
        var topIDs: [[Int32]]
        var topLogprobs: [[Float]]
        /// Null for a text of one token, which has nothing to predict.
        @Nullable var perplexity: Double?
        var logitsSHA256: String

        private enum CodingKeys: String, CodingKey {
            case ids, perplexity
            case nextLogprob = "next_logprob"
            case topIDs = "top_ids"
            case topLogprobs = "top_logprobs"
            case logitsSHA256 = "logits_sha256"
        }
    }

    private struct Tokens: Encodable {
        var ids: [Int32]
        /// Each token's text, with U+FFFD for bytes that are no character by themselves.
        var pieces: [String]
    }

    /// `POST /v1/ryz/score`: teacher-forced figures of a text, given as `text` or as `ids`.
    func score(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let fields = try await fields(of: request)
        try checkModel(fields)
        let top = try fields.integer("top", in: 0...64) ?? 0
        let chunk = try fields.integer("chunk", in: 1...65536) ?? 512
        let tokens = try scoredTokens(fields)
        guard tokens.count <= model.contextLength else {
            throw GenerationError.contextExceeded(
                promptTokenCount: tokens.count, maximumTokenCount: 0, contextLength: model.contextLength)
        }
        let scored = try await interruptions(context).withInterruption { [engine] in
            try await engine.score(tokens: tokens, topCount: top, chunk: chunk)
        }
        let logProbabilities = scored.nextLogProbabilities.map(\.jsonLogProbability)
        let sum = scored.nextLogProbabilities.reduce(0) { $0 + Double($1) }
        let perplexity = exp(-sum / Double(scored.nextLogProbabilities.count))
        return try response(
            Scores(
                ids: tokens, nextLogprob: logProbabilities,
                topIDs: scored.top.map { $0.map(\.token) },
                topLogprobs: scored.top.map { $0.map(\.logProbability.jsonLogProbability) },
                perplexity: perplexity.isFinite ? perplexity : nil,
                logitsSHA256: scored.logitsDigest.hexadecimal))
    }

    private func scoredTokens(_ fields: JSONFields) throws(APIError) -> [Int32] {
        let tokens: [Int32]
        switch (try fields.array("ids"), try fields.string("text")) {
        case (let nodes?, nil): tokens = try TokenArray.read(nodes, parameter: "ids", model: model)
        case (nil, let text?):
            tokens = codec.encode(text, parsesSpecialTokens: false, addsBeginningOfSequence: false)
        default: throw .invalid(parameter: "ids", problem: "either 'ids' or 'text' is required, and not both")
        }
        guard !tokens.isEmpty else {
            throw .invalid(parameter: "ids", problem: "there are no tokens to score; give at least one")
        }
        return tokens
    }

    /// `POST /v1/ryz/tokenize`: the token ids of `text`; special tokens are parsed if `special` is true.
    func tokenize(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let fields = try await fields(of: request)
        guard let text = try fields.string("text") else { throw fields.missing("text") }
        let special = try fields.bool("special") ?? false
        let tokens = codec.encode(text, parsesSpecialTokens: special, addsBeginningOfSequence: special)
        return try response(
            Tokens(ids: tokens, pieces: tokens.map { String(decoding: codec.piece(of: $0), as: UTF8.self) }))
    }
}
