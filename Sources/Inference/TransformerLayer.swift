import Checkpoints
import Kernels

/// One decoder layer of the Llama family (Touvron et al., 2023): attention with grouped queries (Ainslie et al., 2023)
/// and rotary positions, then a gated feed-forward network, each behind an RMS norm and added to the residual stream.
struct TransformerLayer: ~Copyable {
    let attentionNorm: Tensor  // [1 × hidden]
    let queryKeyValue: PackedMatrix  // [(query + 2 · keyValue) × hidden]
    let attentionOutput: PackedMatrix  // [hidden × query]
    let feedForwardNorm: Tensor  // [1 × hidden]
    let gate: PackedMatrix  // [feedForward × hidden]
    let up: PackedMatrix  // [feedForward × hidden]
    let down: PackedMatrix  // [hidden × feedForward]

    init(_ model: ModelFile, layer: Int) throws(KernelError) {
        let tensors = model.layers[layer]
        let segments = Segments(model.configuration)
        let attentionNorm = try model.vector(tensors.attentionNorm)
        let queryKeyValue = try model.packed(tensors.query, tensors.key, tensors.value)
        let attentionOutput = try model.packed(tensors.attentionOutput, segmentColumns: segments.attentionColumns)
        let feedForwardNorm = try model.vector(tensors.feedForwardNorm)
        let gate = try model.packed(tensors.gate)
        let up = try model.packed(tensors.up)
        let down = try model.packed(tensors.down, segmentColumns: segments.feedForwardColumns)
        self.attentionNorm = attentionNorm
        self.queryKeyValue = queryKeyValue
        self.attentionOutput = attentionOutput
        self.feedForwardNorm = feedForwardNorm
        self.gate = gate
        self.up = up
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
            layer: cacheLayer, plan: plan, into: &workspace.attended)
        compute.multiply(attentionOutput, workspace.attended, rows: rows, into: &workspace.hidden, adding: true)

        compute.normalise(
            workspace.hidden, rows: rows, weight: feedForwardNorm, epsilon: epsilon, into: &workspace.normed)
        compute.multiplySwiGLU(gate: gate, up: up, workspace.normed, rows: rows, into: &workspace.activated)
        compute.multiply(down, workspace.activated, rows: rows, into: &workspace.hidden, adding: true)
    }

    var byteCount: Int {
        queryKeyValue.byteCount + attentionOutput.byteCount + gate.byteCount + up.byteCount + down.byteCount
            + (attentionNorm.columns + feedForwardNorm.columns) * 4
    }
}

/// How the inner dimensions of the row-parallel matrices are cut. A segment's sum has one order; segments combine in
/// fixed point, so that whichever node holds a segment, the result is the same. They never depend on the topology.
struct Segments {
    /// Columns of one KV head's queries, as far as that is whole blocks; nil leaves one sum in order.
    let attentionColumns: Int?
    /// Whole feed-forward blocks.
    let feedForwardColumns: Int

    init(_ configuration: ModelConfiguration) {
        let group = configuration.querySize / configuration.keyValueHeadCount
        attentionColumns = group % WeightType.blockColumns == 0 ? group : nil
        feedForwardColumns = 256
    }
}
