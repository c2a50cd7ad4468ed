import Inference
import Kernels

/// What quantising a model's layers has cost, by kind of matrix.
public struct ConversionLoss: Sendable, Equatable {
    /// All layers' matrices of one kind together.
    public struct Kind: Sendable, Equatable {
        /// Such as `down`.
        public var name: String
        public var bits: Int
        /// Columns that share a scale and a minimum: fewer than asked for where segments need it.
        public var groupColumns: Int
        public var weightCount: Int
        /// The root mean square of the errors, relative to that of the weights.
        public var relative: Double
    }

    private var totals: [LayerMatrix: Total] = [:]

    private struct Total: Equatable {
        var bits: Int
        var groupColumns: Int
        var weightCount = 0
        var loss = QuantisationLoss()
    }

    /// Adds what a matrix has lost, if it was quantised.
    mutating func add(_ loss: QuantisationLoss?, of entry: TilePlan.Entry) {
        guard let loss, let matrix = entry.matrix, let tiles = entry.record.tiles, let bits = tiles.layout.planeBits
        else {
            return
        }
        totals[matrix, default: Total(bits: bits, groupColumns: tiles.groupColumns ?? 0)].loss += loss
        totals[matrix]?.weightCount += entry.tensor.rows * entry.tensor.columns
    }

    /// In the order of computation; none if nothing was quantised.
    public var kinds: [Kind] {
        LayerMatrix.allCases.compactMap { matrix in
            totals[matrix].map {
                Kind(
                    name: matrix.rawValue, bits: $0.bits, groupColumns: $0.groupColumns, weightCount: $0.weightCount,
                    relative: $0.loss.relative)
            }
        }
    }

    /// The root mean square of all errors, relative to that of all weights.
    public var relative: Double {
        LayerMatrix.allCases.reduce(into: QuantisationLoss()) { sum, matrix in
            if let total = totals[matrix] { sum += total.loss }
        }.relative
    }
}
