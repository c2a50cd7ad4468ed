import ClusterCore

/// What one HTTP request has the engine do.
struct GenerationPlan: Codable, Sendable {
    /// The id in the answer, such as `chatcmpl-…`.
    var id: String
    /// Over all prompts.
    var promptTokenCount: Int
    /// In the order of their indices.
    var choices: [ChoicePlan]
}

/// One choice of the answer.
struct ChoicePlan: Codable, Sendable {
    /// Nil if nothing is to be generated, only the prompt echoed.
    var request: GenerationRequest?
    var options: ChoiceAssembler.Options
    /// What the choice begins with before anything is generated.
    var echo: ChoiceDelta?
}
