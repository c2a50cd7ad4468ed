/// The model that the server answers for.
public struct ServedModel: Sendable, Equatable {
    /// The name under which clients ask for it.
    public var id: String
    /// When it began to be served, in seconds since 1970.
    public var created: Int
    /// Longest sequence, prompt and output together, in tokens.
    public var contextLength: Int
    /// Token ids are below this.
    public var vocabularySize: Int
    public var ownedBy: String

    public init(id: String, created: Int, contextLength: Int, vocabularySize: Int, ownedBy: String) {
        self.id = id
        self.created = created
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.ownedBy = ownedBy
    }
}
