import Checkpoints
import Kernels
import Transport

/// The buffers of one step, made once for the largest step.
struct Workspace: ~Copyable {
    var hidden: Tensor  // [rows × hidden], the residual stream
    var normed: Activations  // [rows × hidden]
    var queryKeyValue: Tensor  // [rows × (query + 2 · keyValue)], of this rank
    var attended: Activations  // [rows × query]
    var activated: Activations  // [rows × feedForward]
    var projection: Projection
    let attentionSegments: NormSegments
    let feedForwardSegments: NormSegments
    let rotary: RotaryTable
    let attentionScale: Float
    let gateActivation: GateActivation
    let normEpsilon: Float
    /// Of this rank.
    let queryHeadCount: Int

    /// - Parameter grid: of activations in front of the projections; nil unless the layers' weights are ternary.
    init(
        _ configuration: ModelConfiguration, ranges: RankRanges, isAlone: Bool, grid: ActivationGrid?, rows: Int,
        contextLength: Int
    ) throws(KernelError) {
        let grouping: Activations.Grouping = grid == nil ? .blocks : .rows
        // Heads whose segments are no whole blocks cannot be shared by ranks, and are rounded as rows.
        func projected(_ segmentColumns: Int?) -> Activations.Grouping {
            grid == .segment ? segmentColumns.map { .segments(columns: $0) } ?? .rows : grouping
        }
        let segments = Segments(configuration)
        let hidden = try Tensor(rows: rows, columns: configuration.hiddenSize)
        let normed = try Activations(rows: rows, columns: configuration.hiddenSize, grouping: grouping)
        let queryKeyValue = try Tensor(rows: rows, columns: ranges.queryKeyValueCount)
        let attended = try Activations(
            rows: rows, columns: ranges.query.count, grouping: projected(segments.attentionColumns))
        let activated = try Activations(
            rows: rows, columns: ranges.feedForward.count, grouping: projected(Segments.feedForwardColumns))
        let parts = configuration.rankParts
        let projection = try Projection(
            grid == .exact ? .exact : .fixedPoint, rows: rows, hiddenSize: configuration.hiddenSize,
            segmentCount: configuration.hasSubNorms ? max(parts.keyValueHeadCount, parts.feedForwardBlockCount) : 0,
            isAlone: isAlone)
        let rotary = try RotaryTable(configuration.rope, positions: contextLength)
        // IEEE square root and division: the same everywhere.
        attentionScale = 1 / Float(configuration.headDimension).squareRoot()
        gateActivation =
            switch configuration.activation {
            case .silu: .silu
            case .squaredReLU: .squaredReLU
            }
        normEpsilon = configuration.normEpsilon
        queryHeadCount = ranges.queryHeads.count
        attentionSegments = NormSegments(
            columns: configuration.querySize / configuration.keyValueHeadCount, count: parts.keyValueHeadCount,
            normColumns: configuration.querySize, held: ranges.keyValueHeads)
        feedForwardSegments = NormSegments(
            columns: Segments.feedForwardColumns, count: parts.feedForwardBlockCount,
            normColumns: configuration.feedForwardSize, held: ranges.feedForwardBlocks)
        self.projection = projection
        self.hidden = hidden
        self.normed = normed
        self.queryKeyValue = queryKeyValue
        self.attended = attended
        self.activated = activated
        self.rotary = rotary
    }
}

extension RotaryTable {
    /// The table of a model's rotary embedding.
    init(_ rope: RotaryEmbedding, positions: Int) throws(KernelError) {
        var (positionScale, factors): (Double, [Float]?) = (1, nil)
        switch rope.scaling {
        case .none: break
        case .linear(let factor): positionScale = 1 / Double(factor)
        case .frequencyFactors(let values): factors = values
        }
        let pairsHalves =
            switch rope.pairing {
            case .halves: true
            case .interleaved: false
            }
        try self.init(
            base: Double(rope.base), positionScale: positionScale, rotatedDimension: rope.rotatedDimension,
            frequencyFactors: factors, pairsHalves: pairsHalves, positions: positions)
    }
}
