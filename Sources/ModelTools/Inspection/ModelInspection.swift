public import Checkpoints
import ClusterCore
import Inference
import Kernels
import Transport

/// What a model is, what its tensors take, and what each of some workers would hold of it.
public struct ModelInspection: Sendable, Equatable, Encodable {
    /// The file or folder.
    public var path: String
    /// `gguf`, `folder`, or `converted` for what `ryz model convert` writes.
    public var form: String
    /// SHA-256 by which workers tell whether they have the coordinator's model, in hexadecimal.
    public var digest: String
    /// Of the GGUF file or of the folder's weights: what workers compare besides the digest.
    public var byteCount: Int
    /// Weights of the model; a tied head is counted once.
    public var parameterCount: Int
    public var shape: Shape
    /// One for each type that tensors are stored in, largest first.
    public var types: [TypeTotal]
    public var workers: [WorkerPart]

    /// The numbers of a configuration.
    public struct Shape: Sendable, Equatable, Encodable {
        public var architecture: String
        public var name: String
        public var layerCount: Int
        public var hiddenSize: Int
        public var feedForwardSize: Int
        public var attentionHeadCount: Int
        public var keyValueHeadCount: Int
        public var headDimension: Int
        public var vocabularySize: Int
        public var contextLength: Int
        /// `silu` or `relu2`.
        public var activation: String
        public var normEpsilon: Float
        public var hasSubNorms: Bool
        public var hasTiedHead: Bool
        public var rope: Rope

        private enum CodingKeys: String, CodingKey {
            case architecture, name, activation, rope
            case layerCount = "layers"
            case hiddenSize = "hidden_size"
            case feedForwardSize = "feed_forward_size"
            case attentionHeadCount = "attention_heads"
            case keyValueHeadCount = "key_value_heads"
            case headDimension = "head_dimension"
            case vocabularySize = "vocabulary_size"
            case contextLength = "context_length"
            case normEpsilon = "norm_epsilon"
            case hasSubNorms = "sub_norms"
            case hasTiedHead = "tied_head"
        }
    }

    /// How positions turn queries and keys.
    public struct Rope: Sendable, Equatable, Encodable {
        public var base: Float
        public var rotatedDimension: Int
        /// `none`, `linear` or `frequency_factors`.
        public var scaling: String
        /// What angles are divided by; for linear scaling only.
        public var factor: Float?
        /// `interleaved` or `halves`.
        public var pairing: String

        private enum CodingKeys: String, CodingKey {
            case base, scaling, factor, pairing
            case rotatedDimension = "rotated_dimension"
        }
    }

    /// The tensors of one type together.
    public struct TypeTotal: Sendable, Equatable, Encodable {
        public var type: String
        public var tensorCount: Int
        public var weightCount: Int
        public var byteCount: Int

        public var bitsPerWeight: Double { 8 * Double(byteCount) / Double(max(weightCount, 1)) }

        private enum CodingKeys: String, CodingKey {
            case type
            case tensorCount = "tensors"
            case weightCount = "weights"
            case byteCount = "bytes"
            case bitsPerWeight = "bits_per_weight"
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(type, forKey: .type)
            try container.encode(tensorCount, forKey: .tensorCount)
            try container.encode(weightCount, forKey: .weightCount)
            try container.encode(byteCount, forKey: .byteCount)
            try container.encode(bitsPerWeight, forKey: .bitsPerWeight)
        }
    }

    /// What one worker of a pipeline would hold.
    public struct WorkerPart: Sendable, Equatable, Encodable {
        public var firstLayer: Int
        public var layerCount: Int
        /// Bytes that every token reads: the layers and, on the last worker, norm and head, as the file has them.
        public var weightsByteCount: Int
        /// Bytes of the token embeddings, on the first worker; they stay in the mapped file.
        public var embeddingByteCount: Int
        /// Bytes of keys and values for 1,000 tokens.
        public var keyValueByteCountPerThousandTokens: Int

        private enum CodingKeys: String, CodingKey {
            case firstLayer = "first_layer"
            case layerCount = "layers"
            case weightsByteCount = "weights_bytes"
            case embeddingByteCount = "embedding_bytes"
            case keyValueByteCountPerThousandTokens = "kv_bytes_per_1000_tokens"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case path, form, digest, shape, types, workers
        case byteCount = "bytes"
        case parameterCount = "parameters"
    }

    /// Splits the layers over `workerCount` workers as the coordinator does where the operator gives no ranges.
    ///
    /// - Throws: `.planning` if the model has fewer layers than there are workers.
    public init(_ model: ModelFile, workerCount: Int) throws(ModelToolError) {
        path = model.path
        form =
            switch model.source {
            case .gguf: "gguf"
            case .folder: "folder"
            case .converted: "converted"
            }
        digest = model.headerDigest.hexadecimal
        byteCount = model.byteCount
        let matrices = model.layers.flatMap(\.all) + [model.tokenEmbedding, model.outputNorm]
        let all = model.head == model.tokenEmbedding ? matrices : matrices + [model.head]
        parameterCount = (model.hasTiedHead ? matrices : all).reduce(0) { $0 + $1.rows * $1.columns }
        shape = Shape(model)
        types = Self.totals(all)
        workers = try Self.parts(of: model, workerCount: workerCount)
    }

    private static func totals(_ tensors: [TensorDescription]) -> [TypeTotal] {
        var totals: [String: TypeTotal] = [:]
        for tensor in tensors {
            let name = tensor.storage
            var total = totals[name] ?? TypeTotal(type: name, tensorCount: 0, weightCount: 0, byteCount: 0)
            total.tensorCount += 1
            total.weightCount += tensor.rows * tensor.columns
            total.byteCount += tensor.byteCount
            totals[name] = total
        }
        return totals.values.sorted { ($1.byteCount, $0.type) < ($0.byteCount, $1.type) }
    }

    private static func parts(of model: ModelFile, workerCount: Int) throws(ModelToolError) -> [WorkerPart] {
        let split: LayerSplit
        do throws(PlanningError) {
            let layout = try ModelLayout(
                layerByteCounts: model.layerByteCounts.map(UInt64.init),
                embeddingByteCount: UInt64(model.embeddingByteCount), headByteCount: UInt64(model.headByteCount))
            split = try LayerSplit.balanced(layout, over: [Int](repeating: 1, count: workerCount))
        } catch {
            throw .planning(error.description)
        }
        let layerCount = model.configuration.layerCount
        let keyValues = 2 * model.configuration.keyValueSize * model.keyValuePrecision.byteCount
        return split.ranges.map { layers in
            let head = layers.upperBound == layerCount ? model.headByteCount : 0
            return WorkerPart(
                firstLayer: layers.lowerBound, layerCount: layers.count,
                weightsByteCount: layers.reduce(head) { $0 + model.layerByteCounts[$1] },
                embeddingByteCount: layers.lowerBound == 0 ? model.embeddingByteCount : 0,
                keyValueByteCountPerThousandTokens: 1000 * keyValues * layers.count)
        }
    }
}

extension ModelInspection.Shape {
    fileprivate init(_ model: ModelFile) {
        let configuration = model.configuration
        self.init(
            architecture: configuration.architecture, name: configuration.name, layerCount: configuration.layerCount,
            hiddenSize: configuration.hiddenSize, feedForwardSize: configuration.feedForwardSize,
            attentionHeadCount: configuration.attentionHeadCount, keyValueHeadCount: configuration.keyValueHeadCount,
            headDimension: configuration.headDimension, vocabularySize: configuration.vocabularySize,
            contextLength: configuration.contextLength,
            activation: configuration.activation == .silu ? "silu" : "relu2", normEpsilon: configuration.normEpsilon,
            hasSubNorms: configuration.hasSubNorms, hasTiedHead: model.hasTiedHead,
            rope: ModelInspection.Rope(configuration.rope))
    }
}

extension ModelInspection.Rope {
    fileprivate init(_ rope: RotaryEmbedding) {
        let (scaling, factor): (String, Float?) =
            switch rope.scaling {
            case .none: ("none", nil)
            case .linear(let factor): ("linear", factor)
            case .frequencyFactors: ("frequency_factors", nil)
            }
        self.init(
            base: rope.base, rotatedDimension: rope.rotatedDimension, scaling: scaling, factor: factor,
            pairing: rope.pairing == .halves ? "halves" : "interleaved")
    }
}

extension TensorDescription {
    /// How the tensor is stored, such as `Q4_1`, `t5 tiles of U8 (packed ternary)`, or `b2 tiles of F16, groups of 64`.
    fileprivate var storage: String {
        guard let tiles else { return type.name }
        let groups = tiles.groupColumns.map { ", groups of \($0)" } ?? ""
        return "\(tiles.layout.rawValue) tiles of \(type.name)\(groups)"
    }
}
