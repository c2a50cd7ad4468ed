public import Kernels
import Checkpoints
import Transport

/// Which of several layouts, kernels and kinds of prefetch a stage takes for products with one row of activations. All give
/// the same bits; with more rows, each layout has one kernel only.
public struct KernelChoice: Sendable {
    /// Where the rates come from.
    public enum Origin: Equatable, Sendable {
        /// There was one candidate for each shape only, or too little weight for a choice to matter.
        case nothingMeasured
        case measured
        /// From the file at `path`.
        case cached(path: String)
    }

    /// How ternary weights are laid out, as far as those that lie in tiles already leave it open.
    public private(set) var ternaryLayout: TernaryLayout
    /// What was measured against each other.
    public private(set) var rates: [KernelRate] = []
    public private(set) var origin = Origin.nothingMeasured
    /// Why measured rates could not be kept for the next time; nil if they were, or were not to be.
    public private(set) var cacheProblem: String?
    private var chosen: Set<KernelCandidate> = []
    private let forcedKernel: MatrixKernel?
    private let forcedPrefetch: Prefetch?
    /// Layouts that have kernels worth taking.
    private let candidates: [TileLayout]

    /// Measures nothing.
    init(
        ternaryLayout: TernaryLayout, kernel: MatrixKernel? = nil, prefetch: Prefetch? = nil,
        candidates: [TernaryLayout] = TernaryLayout.allCases
    ) {
        self.ternaryLayout = ternaryLayout
        self.candidates = candidates.map { TileLayout($0) }
        forcedKernel = kernel
        forcedPrefetch = prefetch
    }

    /// What the options ask for; where they leave a choice, and `layers` have so much weight that it matters, the fastest.
    init(
        model: ModelFile, layers: Range<Int>, options: StageOptions, compute: borrowing Compute
    ) throws(KernelError) {
        let layouts = TernaryLayout.candidates(on: compute.instructionSet)
        self.init(
            ternaryLayout: options.ternaryLayout ?? .preferred(on: compute.instructionSet), kernel: options.kernel,
            prefetch: options.prefetch, candidates: layouts)
        let ternary = options.ternaryLayout.map { [$0] } ?? layouts
        let shapes = Shape.all(
            of: model, layers: layers, ternary: ternary.map { TileLayout($0) }, usable: self.candidates,
            headPrecision: options.headPrecision
        )
        .filter { $0.candidates(options).count > 1 }
        let candidates = shapes.flatMap { $0.candidates(options) }
        var byteCount = layers.reduce(0) { $0 + model.layerByteCounts[$1] }
        if layers.upperBound == model.configuration.layerCount { byteCount += model.head.byteCount }
        guard byteCount >= options.leastMeasuredByteCount, !candidates.isEmpty else { return }
        let cache = options.tuningFolder.map { TuningCache(folder: $0) }
        let key = TuningCache.Key(
            cpu: Processor.modelName, instructionSet: compute.instructionSet, threadCount: compute.threadCount,
            candidates: candidates)
        if let cache, !options.measuresAgain, let rates = cache.rates(key) {
            self.rates = rates
            origin = .cached(path: cache.path(key))
        } else {
            rates = try compute.rates(of: candidates)
            origin = .measured
            do throws(OutputFileError) { try cache?.keep(rates, key) } catch { cacheProblem = error.description }
        }
        choose(for: shapes)
    }

    /// Whether products are computed with this candidate.
    public func isChosen(_ candidate: KernelCandidate) -> Bool { chosen.contains(candidate) }

    /// The layout in memory of what a file has in tiles of `stored`, or of ternary weights that it has in none.
    func layout(of stored: TileLayout?) -> TileLayout {
        let chosen = TileLayout(ternaryLayout)
        guard let stored else { return chosen }
        return stored.recodings.contains(chosen) ? chosen : stored.kept(among: candidates)
    }

    /// Has products of a matrix computed as was chosen for its layout and shape.
    func configure(_ matrix: inout PackedMatrix) {
        matrix.kernel = kernel(matrix.layout, columns: matrix.columns, groupColumns: matrix.groupColumns)
        matrix.prefetch = prefetch(matrix.layout, columns: matrix.columns, groupColumns: matrix.groupColumns)
    }

    /// The kernel for matrices of a layout and shape.
    func kernel(_ layout: TileLayout, columns: Int, groupColumns: Int?) -> MatrixKernel {
        forcedKernel ?? candidate(layout, columns, groupColumns)?.kernel ?? .lookUp
    }

    /// How their weights are asked for in advance.
    func prefetch(_ layout: TileLayout, columns: Int, groupColumns: Int?) -> Prefetch {
        forcedPrefetch ?? candidate(layout, columns, groupColumns)?.prefetch ?? .usual(for: layout)
    }

    /// What was chosen for that shape; where it was not measured, as the columns that a rank has, for another of the same layout.
    private func candidate(_ layout: TileLayout, _ columns: Int, _ groupColumns: Int?) -> KernelCandidate? {
        let alike = rates.map(\.candidate).filter {
            ($0.layout, $0.groupColumns) == (layout, groupColumns) && isChosen($0)
        }
        return alike.first { $0.columns == columns } ?? alike.first
    }

    /// One layout for all matrices, as far as it is free, so that a token takes the least time; then the fastest kernel and
    /// prefetch for each shape. All as `Preference` has it.
    private mutating func choose(for shapes: [Shape]) {
        let choices = (0..<(shapes.map(\.layouts.count).max() ?? 0)).map { index in
            zip(shapes, shapes.map { $0.layouts[min(index, $0.layouts.count - 1)] })
        }
        let best = Preference.best(of: choices) {
            $0.reduce(0) { $0 + $1.0.byteCount($1.1) }
        } seconds: {
            $0.reduce(0) { $0 + Double($1.0.weightCount) / (fastest($1.1, $1.0)?.weightsPerSecond ?? 1) }
        }
        guard let best else { return }
        chosen = Set(best.compactMap { fastest($1, $0)?.candidate })
        if let layout = best.first(where: { $0.0.layouts.count > 1 })?.1 {
            ternaryLayout = TernaryLayout.allCases.first { TileLayout($0) == layout } ?? ternaryLayout
        }
    }

    private func fastest(_ layout: TileLayout, _ shape: Shape) -> KernelRate? {
        Preference.fastest(
            rates.filter {
                $0.candidate.layout == layout && $0.candidate.columns == shape.columns
                    && $0.candidate.groupColumns == shape.groupColumns
            })
    }
}

/// Matrices of as many columns that can be in the same layouts.
private struct Shape {
    var layouts: [TileLayout]
    var columns: Int
    var groupColumns: Int?
    var weightCount = 0

    /// In a layout.
    func byteCount(_ layout: TileLayout) -> Double {
        let tile = layout.byteCount(rows: 16, columns: columns, groupColumns: groupColumns) ?? 0
        return Double(tile) * Double(weightCount) / Double(16 * columns)
    }

    /// Those of the layers, and of the head behind the last one, in the order in which they come first.
    ///
    /// - Parameters:
    ///   - ternary: the layouts that the options leave for ternary weights.
    ///   - usable: those that this processor has kernels for.
    static func all(
        of model: ModelFile, layers: Range<Int>, ternary: [TileLayout], usable: [TileLayout],
        headPrecision: HeadPrecision
    ) -> [Shape] {
        var shapes: [Shape] = []
        func add(_ tensor: TensorDescription, _ layouts: [TileLayout]) {
            let shape = Shape(layouts: layouts, columns: tensor.columns, groupColumns: tensor.tiles?.groupColumns)
            let index =
                shapes.firstIndex {
                    ($0.layouts, $0.columns, $0.groupColumns) == (shape.layouts, shape.columns, shape.groupColumns)
                } ?? shapes.endIndex
            if index == shapes.endIndex { shapes.append(shape) }
            shapes[index].weightCount += tensor.rows * tensor.columns
        }
        for tensor in layers.flatMap({ model.layers[$0].all }) where tensor.rows > 1 {
            if let stored = tensor.packedLayout {
                let free = ternary.filter(stored.recodings.contains)
                add(tensor, free.isEmpty ? [stored.kept(among: usable)] : free)
            } else if tensor.type.isTernary {
                add(tensor, ternary)
            }
        }
        if layers.upperBound == model.configuration.layerCount {
            let isReduced = headPrecision.reduces(model.head, ofTernaryModel: model.isTernary)
            if let layout = model.head.tiles == nil && isReduced ? .r8 : model.head.packedLayout {
                add(model.head, [layout])
            }
        }
        return shapes
    }

    /// The ways to compute its products that the options leave.
    func candidates(_ options: StageOptions) -> [KernelCandidate] {
        layouts.flatMap {
            KernelCandidate.all(
                $0, columns: columns, groupColumns: groupColumns, kernel: options.kernel, prefetch: options.prefetch)
        }
    }
}

extension TensorDescription {
    /// The tiles that it is in, or that its type is packed in; nil for ternary weights that are in none, which are free.
    fileprivate var packedLayout: TileLayout? { tiles?.layout ?? type.weightType.map { TileLayout($0) } }
}

extension TileLayout {
    /// What tiles of this layout in a file stay in, where none of their recodings is wanted: it, if that can be computed with.
    fileprivate func kept(among usable: [TileLayout]) -> TileLayout {
        usable.contains(self) ? self : recodings.first(where: usable.contains) ?? self
    }
}
