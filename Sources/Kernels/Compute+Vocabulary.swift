import CKernels
import Crypto

/// The maximum, the normaliser and the best token of one row of logits.
public struct LogitSummary: Sendable {
    public let maximum: Float
    /// ln Σ exp(logit), summed in fixed chunks of 512 in one order.
    public let logSumExp: Double
    /// The lowest index of the maximum.
    public let best: Int32

    /// ln of the probability of a token with this logit.
    public func logProbability(ofLogit logit: Float) -> Float { Float(Double(logit) - logSumExp) }
}

extension Compute {
    /// Summarises the first `count` logits of a row.
    public func summarise(_ logits: borrowing Tensor, row: Int, count: Int) -> LogitSummary {
        precondition(count > 0 && count <= logits.columns)
        let summary = ryz_summarise_logits(raw, logits.pointer(row), count)
        return LogitSummary(maximum: summary.maximum, logSumExp: summary.log_sum_exp, best: summary.best)
    }

    /// The indices of the `k` largest of the first `count` logits, best first, the lower index first on ties.
    public func topIndices(_ logits: borrowing Tensor, row: Int, count: Int, k: Int) -> [Int32] {
        precondition(count > 0 && count <= logits.columns && k >= 0)
        let size = min(k, count)
        return [Int32](unsafeUninitializedCapacity: size) { buffer, initialised in
            initialised = size == 0 ? 0 : ryz_top_k(logits.pointer(row), count, size, buffer.baseAddress)
        }
    }

    /// weights[i] = exp((logits[i] − maximum) · scale) for the first `count` entries of row 0 of `weights`.
    public func weigh(
        _ logits: borrowing Tensor, row: Int, count: Int, maximum: Float, scale: Float, into weights: inout Tensor
    ) {
        precondition(count > 0 && count <= logits.columns && count <= weights.columns)
        ryz_exp_scaled(raw, logits.pointer(row), maximum, scale, weights.pointer(0), count)
    }
}

extension Tensor {
    /// The first of `count` values of a row that is infinite or not a number; nil if there is none.
    public func firstNotFinite(row: Int, count: Int) -> Int? {
        precondition(count >= 0 && count <= columns)
        let index = ryz_first_not_finite(pointer(row), count)
        return index < count ? index : nil
    }

    /// The sum of the first `count` values of a row of weights, in one order.
    public func weightSum(row: Int, count: Int) -> Double {
        precondition(count <= columns)
        return ryz_sum_weights(pointer(row), count)
    }

    /// The first index at which the running sum of a row of weights exceeds `target`, in [0, sum).
    public func pick(row: Int, count: Int, target: Double) -> Int32 {
        precondition(count > 0 && count <= columns)
        return ryz_pick_weight(pointer(row), count, target)
    }
}

/// SHA-256 over the float32 bits of rows of logits.
public struct LogitsDigest {
    private var hash = SHA256()

    public init() {}

    /// Adds the first `count` values of a row.
    public mutating func append(_ logits: borrowing Tensor, row: Int, count: Int) {
        precondition(count <= logits.columns)
        hash.update(bufferPointer: UnsafeRawBufferPointer(start: logits.pointer(row), count: count * 4))
    }

    /// The digest of all rows so far; 32 bytes.
    public var bytes: [UInt8] { Array(hash.finalize()) }
}
