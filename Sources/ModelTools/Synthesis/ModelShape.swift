/// The shape of a published ternary model, for writing one of the same shape with random weights.
public struct ModelShape: Sendable, Equatable {
    /// BitNet b1.58 has squared ReLU and sub-norms, and its scales multiply; Llama has neither, and its scales divide.
    public enum Family: Sendable, Equatable {
        case bitNet
        case llama
    }

    public var name: String
    public var family: Family
    public var hiddenSize: Int
    public var layerCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headDimension: Int
    public var feedForwardSize: Int
    public var vocabularySize: Int
    public var contextLength: Int
    public var ropeBase: Double
    public var normEpsilon: Double
    public var tiesHead: Bool

    public init(
        name: String, family: Family, hiddenSize: Int, layerCount: Int, headCount: Int, keyValueHeadCount: Int,
        headDimension: Int, feedForwardSize: Int, vocabularySize: Int, contextLength: Int, ropeBase: Double,
        normEpsilon: Double, tiesHead: Bool
    ) {
        self.name = name
        self.family = family
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.feedForwardSize = feedForwardSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.ropeBase = ropeBase
        self.normEpsilon = normEpsilon
        self.tiesHead = tiesHead
    }

    /// Vocabularies that a synthetic tokeniser can be made for: 256 bytes and the special tokens at least.
    public static let vocabularySizes = 512...1_048_576

    /// The models of which the shape is known here, by name.
    public static let known: [ModelShape] = [
        ModelShape(
            name: "bitnet-2b-4t", family: .bitNet, hiddenSize: 2560, layerCount: 30, headCount: 20,
            keyValueHeadCount: 5, headDimension: 128, feedForwardSize: 6912, vocabularySize: 128_256,
            contextLength: 4096, ropeBase: 500_000, normEpsilon: 1e-5, tiesHead: true),
        .falcon3("1b", hiddenSize: 2048, layerCount: 18, headCount: 8, feedForwardSize: 8192),
        .falcon3("3b", hiddenSize: 3072, layerCount: 22, headCount: 12, feedForwardSize: 9216),
        .falcon3("7b", hiddenSize: 3072, layerCount: 28, headCount: 12, feedForwardSize: 23_040),
        .falcon3("10b", hiddenSize: 3072, layerCount: 40, headCount: 12, feedForwardSize: 23_040),
        ModelShape(
            name: "llama3-8b", family: .llama, hiddenSize: 4096, layerCount: 32, headCount: 32, keyValueHeadCount: 8,
            headDimension: 128, feedForwardSize: 14_336, vocabularySize: 128_256, contextLength: 8192,
            ropeBase: 500_000, normEpsilon: 1e-5, tiesHead: false),
    ]

    private static func falcon3(
        _ size: String, hiddenSize: Int, layerCount: Int, headCount: Int, feedForwardSize: Int
    ) -> ModelShape {
        ModelShape(
            name: "falcon3-\(size)", family: .llama, hiddenSize: hiddenSize, layerCount: layerCount,
            headCount: headCount, keyValueHeadCount: 4, headDimension: 256, feedForwardSize: feedForwardSize,
            vocabularySize: 131_072, contextLength: 32_768, ropeBase: 1_000_042, normEpsilon: 1e-6, tiesHead: false)
    }
}
