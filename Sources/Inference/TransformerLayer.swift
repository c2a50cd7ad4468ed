import Checkpoints
import Collectives
import Kernels
import Transport

/// One decoder layer of the Llama family (Touvron et al., 2023): attention with grouped queries (Ainslie et al., 2023)
/// and rotary positions, then a gated feed-forward network, each behind an RMS norm and added to the residual stream.
/// BitNet b1.58 (Ma et al., 2024) has a further norm before each of the two projections back into the stream.
///
/// A rank holds some heads and feed-forward blocks of it: their rows of the first matrices, and their columns of the two
/// that lead back into the stream, whose products the ranks add up. See docs/parallelism.md.
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

    init(_ weights: WeightPreparation, layer: Int, ranges: RankRanges) throws(KernelError) {
        let model = weights.model
        let tensors = model.layers[layer]
        let segments = Segments(model.configuration)
        let attentionNorm = try model.vector(tensors.attentionNorm)
        let queryKeyValue = try weights.packed(
            MatrixPart(tensors.query, rows: ranges.query), MatrixPart(tensors.key, rows: ranges.keyValue),
            MatrixPart(tensors.value, rows: ranges.keyValue))
        let attentionSubNorm = try model.subNorm(tensors.attentionSubNorm, columns: ranges.query)
        let attentionOutput = try weights.packed(
            MatrixPart(tensors.attentionOutput, columns: ranges.query), segmentColumns: segments.attentionColumns)
        let feedForwardNorm = try model.vector(tensors.feedForwardNorm)
        let gate = try weights.packed(MatrixPart(tensors.gate, rows: ranges.feedForward))
        let up = try weights.packed(MatrixPart(tensors.up, rows: ranges.feedForward))
        let feedForwardSubNorm = try model.subNorm(tensors.feedForwardSubNorm, columns: ranges.feedForward)
        let down = try weights.packed(
            MatrixPart(tensors.down, columns: ranges.feedForward), segmentColumns: Segments.feedForwardColumns)
        self.attentionNorm = attentionNorm
        self.queryKeyValue = queryKeyValue
        self.attentionSubNorm = attentionSubNorm
        self.attentionOutput = attentionOutput
        self.feedForwardNorm = feedForwardNorm
        self.gate = gate
        self.up = up
        self.feedForwardSubNorm = feedForwardSubNorm
        self.down = down
    }

    /// Adds this layer to the residual stream in `workspace.hidden`, for all rows of the plan.
    ///
    /// - Parameter foreseeNext: tells `compute` of the first product behind this layer.
    func forward(
        _ workspace: inout Workspace, compute: borrowing Compute, group: RankGroup, cache: borrowing KeyValueCache,
        cacheLayer: Int, plan: borrowing AttentionPlan, foreseeNext: () -> Void
    ) throws(ExchangeError) {
        let rows = plan.rowCount
        let heads = workspace.queryHeadCount
        let epsilon = workspace.normEpsilon

        compute.normalise(
            workspace.hidden, rows: rows, weight: attentionNorm, epsilon: epsilon, into: &workspace.normed)
        compute.foresee(attentionOutput)
        compute.multiply(queryKeyValue, workspace.normed, rows: rows, into: &workspace.queryKeyValue)
        compute.rotateAndStore(
            &workspace.queryKeyValue, queryHeadCount: heads, rotary: workspace.rotary, cache: cache, layer: cacheLayer,
            plan: plan)
        compute.attend(
            workspace.queryKeyValue, queryHeadCount: heads, scale: workspace.attentionScale, cache: cache,
            layer: cacheLayer, plan: plan, into: &workspace.attended)
        compute.foresee(gate: gate, up: up)
        try workspace.projection.add(
            attentionOutput, times: &workspace.attended, normalisedBy: attentionSubNorm,
            in: workspace.attentionSegments, rows: rows, epsilon: epsilon, to: &workspace.hidden, compute: compute,
            group: group)

        compute.normalise(
            workspace.hidden, rows: rows, weight: feedForwardNorm, epsilon: epsilon, into: &workspace.normed)
        compute.foresee(down)
        compute.multiplyGated(
            workspace.gateActivation, gate: gate, up: up, workspace.normed, rows: rows, into: &workspace.activated)
        foreseeNext()
        try workspace.projection.add(
            down, times: &workspace.activated, normalisedBy: feedForwardSubNorm, in: workspace.feedForwardSegments,
            rows: rows, epsilon: epsilon, to: &workspace.hidden, compute: compute, group: group)
    }

    /// Tells of this layer's first product.
    func foresee(by compute: borrowing Compute) { compute.foresee(queryKeyValue) }

    var byteCount: Int {
        let norms = attentionNorm.columns + feedForwardNorm.columns
        return queryKeyValue.byteCount + attentionOutput.byteCount + gate.byteCount + up.byteCount + down.byteCount
            + (norms + columns(attentionSubNorm) + columns(feedForwardSubNorm)) * 4
    }

    private func columns(_ norm: borrowing Tensor?) -> Int {
        switch norm {
        case .none: 0
        case .some(let norm): norm.columns
        }
    }
}

/// How the inner dimensions of the row-parallel matrices are cut. A segment's sum has one order; segments combine in
/// fixed point, so that whichever node holds a segment, the result is the same. They never depend on the topology.
struct Segments {
    /// Columns of one KV head's queries, as far as that is whole blocks; nil leaves one sum in order.
    let attentionColumns: Int?
    /// Whole feed-forward blocks.
    static let feedForwardColumns = RankShare.feedForwardBlockColumns

    init(_ configuration: ModelConfiguration) {
        let group = configuration.querySize / configuration.keyValueHeadCount
        attentionColumns = group % WeightType.blockColumns == 0 ? group : nil
    }
}

extension ModelFile {
    /// Some columns of the weight of a norm that only some models have.
    fileprivate func subNorm(_ tensor: TensorDescription?, columns: Range<Int>) throws(KernelError) -> Tensor? {
        guard let tensor else { return nil }
        return try vector(tensor, columns: columns)
    }
}
