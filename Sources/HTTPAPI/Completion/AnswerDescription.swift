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
    var bytes: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.nonConformingFloatEncodingStrategy = Self.floats
            return [UInt8](try encoder.encode(self))
        }
    }

    init(bytes: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        self = try decoder.decode(Self.self, from: Data(bytes))
    }

    /// Log-probabilities of an echoed prompt may be infinite.
    private static let floats = JSONEncoder.NonConformingFloatEncodingStrategy.convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")

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
