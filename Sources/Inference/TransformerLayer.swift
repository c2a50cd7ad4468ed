import Checkpoints
import Kernels

/// One decoder layer of the Llama family (Touvron et al., 2023): attention with grouped queries (Ainslie et al., 2023)
/// and rotary positions, then a gated feed-forward network, each behind an RMS norm and added to the residual stream.
/// BitNet b1.58 (Ma et al., 2024) has a further norm before each of the two projections back into the stream.
struct TransformerLayer: ~Copyable {
    let attentionNorm: Tensor  // [1 × hidden]
    let queryKeyValue: PackedMatrix  // [(query + 2 · keyValue) × hidden]
    let attentionSubNorm: Tensor?  // [1 × query]
    let attentionOutput: PackedMatrix  // [hidden × query]
    let feedForwardNorm: Tensor  // [1 × hidden]
    let gate: PackedMatrix  // [feedForward × hidden]
    let up: PackedMatrix  // [feedForward × hidden]
    let feedForwardSubNorm: Tensor?  // [1 × feedForward]
    let down: PackedMatrix  // [hidden × feedForward]
    /// Weights of all norms.
    private let normColumns: Int

    init(_ weights: WeightPreparation, layer: Int) throws(KernelError) {
        let model = weights.model
        let tensors = model.layers[layer]
        let segments = Segments(model.configuration)
        let attentionNorm = try model.vector(tensors.attentionNorm)
        let queryKeyValue = try weights.packed(tensors.query, tensors.key, tensors.value)
        let attentionSubNorm = try model.subNorm(tensors.attentionSubNorm)
        let attentionOutput = try weights.packed(tensors.attentionOutput, segmentColumns: segments.attentionColumns)
        let feedForwardNorm = try model.vector(tensors.feedForwardNorm)
        let gate = try weights.packed(tensors.gate)
        let up = try weights.packed(tensors.up)
        let feedForwardSubNorm = try model.subNorm(tensors.feedForwardSubNorm)
        let down = try weights.packed(tensors.down, segmentColumns: Segments.feedForwardColumns)
        self.attentionNorm = attentionNorm
        self.queryKeyValue = queryKeyValue
        self.attentionSubNorm = attentionSubNorm
        self.attentionOutput = attentionOutput
        self.feedForwardNorm = feedForwardNorm
        self.gate = gate
        self.up = up
        self.feedForwardSubNorm = feedForwardSubNorm
        normColumns =
            2 * model.configuration.hiddenSize + (tensors.attentionSubNorm?.columns ?? 0)
            + (tensors.feedForwardSubNorm?.columns ?? 0)
        self.down = down
    }

    /// Adds this layer to the residual stream in `workspace.hidden`, for all rows of the plan.
    func forward(
        _ workspace: inout Workspace, compute: borrowing Compute, configuration: ModelConfiguration,
        cache: borrowing KeyValueCache, cacheLayer: Int, plan: borrowing AttentionPlan
    ) {
        let rows = plan.rowCount
        let heads = configuration.attentionHeadCount
        let epsilon = configuration.normEpsilon

        compute.normalise(
            workspace.hidden, rows: rows, weight: attentionNorm, epsilon: epsilon, into: &workspace.normed)
        compute.multiply(queryKeyValue, workspace.normed, rows: rows, into: &workspace.queryKeyValue)
        compute.rotateAndStore(
            &workspace.queryKeyValue, queryHeadCount: heads, rotary: workspace.rotary, cache: cache, layer: cacheLayer,
            plan: plan)
        compute.attend(
            workspace.queryKeyValue, queryHeadCount: heads, scale: workspace.attentionScale, cache: cache,
            layer: cacheLayer, plan: plan, into: &workspace.attended, quantising: !configuration.hasSubNorms)
        normaliseIfAny(
            attentionSubNorm, &workspace.attended, rows: rows,
            segmentColumns: configuration.querySize / configuration.keyValueHeadCount, compute: compute,
            epsilon: epsilon)
        compute.multiply(attentionOutput, workspace.attended, rows: rows, into: &workspace.hidden, adding: true)

        compute.normalise(
            workspace.hidden, rows: rows, weight: feedForwardNorm, epsilon: epsilon, into: &workspace.normed)
        compute.multiplyGated(
            workspace.gateActivation, gate: gate, up: up, workspace.normed, rows: rows, into: &workspace.activated,
            quantising: !configuration.hasSubNorms)
        normaliseIfAny(
            feedForwardSubNorm, &workspace.activated, rows: rows, segmentColumns: Segments.feedForwardColumns,
            compute: compute, epsilon: epsilon)
        compute.multiply(down, workspace.activated, rows: rows, into: &workspace.hidden, adding: true)
    }

    private func normaliseIfAny(
        _ weight: borrowing Tensor?, _ activations: inout Activations, rows: Int, segmentColumns: Int,
        compute: borrowing Compute, epsilon: Float
    ) {
        switch weight {
        case .none: return
        case .some(let weight):
            compute.normalise(
                &activations, rows: rows, weight: weight, segmentColumns: segmentColumns, epsilon: epsilon)
        }
    }

    var byteCount: Int {
        queryKeyValue.byteCount + attentionOutput.byteCount + gate.byteCount + up.byteCount + down.byteCount
            + normColumns * 4
    }
}

/// How the inner dimensions of the row-parallel matrices are cut. A segment's sum has one order; segments combine in
/// fixed point, so that whichever node holds a segment, the result is the same. They never depend on the topology.
struct Segments {
    /// Columns of one KV head's queries, as far as that is whole blocks; nil leaves one sum in order.
    let attentionColumns: Int?
    /// Whole feed-forward blocks.
    static let feedForwardColumns = 256

    init(_ configuration: ModelConfiguration) {
        let group = configuration.querySize / configuration.keyValueHeadCount
        attentionColumns = group % WeightType.blockColumns == 0 ? group : nil
    }
}

extension ModelFile {
    /// The weight of a norm that only some models have.
    fileprivate func subNorm(_ tensor: TensorDescription?) throws(KernelError) -> Tensor? {
        guard let tensor else { return nil }
        return try vector(tensor)
    }
}
