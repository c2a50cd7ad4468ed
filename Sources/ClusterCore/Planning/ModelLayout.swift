/// How many bytes of weights each part of a model has in memory: what a split of its layers is balanced by.
public struct ModelLayout: Sendable, Equatable {
    /// One for each layer, at least one.
    public let layerByteCounts: [UInt64]
    /// The token embedding, held by the first stage. It costs memory there, but hardly any time: a token reads one row.
    public let embeddingByteCount: UInt64
    /// The final norm and the head, held by the last stage and read in full for every token.
    public let headByteCount: UInt64

    /// - Throws: `PlanningError.noLayers`, or `.tooLarge` when the bytes add up to more than 2⁶² .
    public init(
        layerByteCounts: [UInt64], embeddingByteCount: UInt64, headByteCount: UInt64
    ) throws(PlanningError) {
        guard !layerByteCounts.isEmpty else { throw .noLayers }
        var sum: UInt64 = 0
        for count in layerByteCounts + [embeddingByteCount, headByteCount] {
            let (next, overflow) = sum.addingReportingOverflow(count)
            guard !overflow, next <= 1 << 62 else { throw .tooLarge }
            sum = next
        }
        self.layerByteCounts = layerByteCounts
        self.embeddingByteCount = embeddingByteCount
        self.headByteCount = headByteCount
    }

    public var layerCount: Int { layerByteCounts.count }
}

/// Why layers could not be split.
public enum PlanningError: Error, Equatable, Sendable {
    /// A model without layers.
    case noLayers
    /// Byte counts that no file can have.
    case tooLarge
    /// More stages than layers, or none.
    case stageCount(Int, layerCount: Int)
    /// Numbers of ranks that do not fit the model or the workers.
    case shape(String)
    /// Ranges from the configuration that do not cover the model's layers one after the other.
    case ranges(String)
}

extension PlanningError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noLayers: "the model has no layers"
        case .tooLarge: "the model's byte counts add up to more than 2^62; its file is damaged"
        case .stageCount(let stageCount, let layerCount):
            "\(layerCount) layers cannot be split over \(stageCount) stages; use 1 to \(layerCount)"
        case .shape(let problem), .ranges(let problem): problem
        }
    }
}
