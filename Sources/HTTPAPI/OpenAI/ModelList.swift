/// A model in `GET /v1/models`.
struct ModelCard: Encodable, Sendable {
    var id: String
    var object = "model"
    var created: Int
    var ownedBy: String
    /// vLLM's name for the context length in tokens.
    var maxModelLen: Int

    private enum CodingKeys: String, CodingKey {
        case id, object, created
        case ownedBy = "owned_by"
        case maxModelLen = "max_model_len"
    }

    init(_ model: ServedModel) {
        id = model.id
        created = model.created
        ownedBy = model.ownedBy
        maxModelLen = model.contextLength
    }
}

/// The answer of `GET /v1/models`.
struct ModelList: Encodable, Sendable {
    var object = "list"
    var data: [ModelCard]
}
