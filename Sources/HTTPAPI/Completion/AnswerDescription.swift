import Foundation

/// All that is needed to write an answer, at once or again: a stream that a client has lost is written from it.
struct AnswerDescription: Codable, Sendable {
    enum Form: String, Codable {
        case chat, text
    }

    var form: Form
    var identity: AnswerIdentity
    var reportsLogProbabilities: Bool
    var includesUsage: Bool
    var plan: GenerationPlan

    /// How it is written.
    func format(_ codec: any TextCodec) -> any CompletionFormat {
        switch form {
        case .chat: ChatFormat(identity: identity, reportsLogProbabilities: reportsLogProbabilities, codec: codec)
        case .text: TextFormat(identity: identity, reportsLogProbabilities: reportsLogProbabilities, codec: codec)
        }
    }

    /// JSON.
    var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    init(text: String) throws {
        let decoder = JSONDecoder()
        // Log-probabilities of an echoed prompt may be infinite.
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        self = try decoder.decode(Self.self, from: Data(text.utf8))
    }

    init(
        form: Form, identity: AnswerIdentity, reportsLogProbabilities: Bool, includesUsage: Bool, plan: GenerationPlan
    ) {
        self.form = form
        self.identity = identity
        self.reportsLogProbabilities = reportsLogProbabilities
        self.includesUsage = includesUsage
        self.plan = plan
    }
}
