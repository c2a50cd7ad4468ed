import CKernels

/// A way to compute products with one row of activations: what is measured against others.
public struct KernelCandidate: Hashable, Sendable {
    public var layout: TileLayout
    public var columns: Int
    /// Columns that share a scale and a minimum; nil for layouts without groups.
    public var groupColumns: Int?
    public var kernel: MatrixKernel

    public init(layout: TileLayout, columns: Int, groupColumns: Int? = nil, kernel: MatrixKernel) {
        (self.layout, self.columns, self.groupColumns, self.kernel) = (layout, columns, groupColumns, kernel)
    }
}

/// How fast a candidate is.
public struct KernelRate: Equatable, Sendable {
    public var candidate: KernelCandidate
    /// Weights a second, from memory; one multiply–add each.
    public var weightsPerSecond: Double

    public init(candidate: KernelCandidate, weightsPerSecond: Double) {
        (self.candidate, self.weightsPerSecond) = (candidate, weightsPerSecond)
    }
}

extension TileLayout {
    /// The kernels that products with one row of activations can take: more than one where sums can be looked up.
    public var kernels: [MatrixKernel] { self == .l3 || hasGroups ? MatrixKernel.allCases : [.multiplyAdd] }
}

extension Compute {
    /// How fast these threads get through the weights of each candidate, one row of activations at a time.
    ///
    /// It is measured on weights that do not fit the caches, some ten milliseconds for each, in rounds, so that what else
    /// the machine does meets all of them alike; what is chosen by it changes no bit of the results.
    public func rates(of candidates: [KernelCandidate]) throws(KernelError) -> [KernelRate] {
        let byteCounts = try candidates.map { (candidate) throws(KernelError) in
            let byteCount = candidate.layout.byteCount(
                rows: 16, columns: candidate.columns, groupColumns: candidate.groupColumns)
            guard let byteCount else {
                throw .shape("\(candidate.columns) columns have no tiles \(candidate.layout.rawValue)")
            }
            return byteCount
        }
        let memory = try WeightMemory(
            byteCount: max(Self.measuredByteCount, byteCounts.max() ?? 0), purpose: "measuring kernels")
        // In all layouts it stands for finite weights. Written, so that every page is really there.
        memory.base.initializeMemory(as: UInt8.self, repeating: 0x55, count: memory.byteCount)
        var rates = candidates.map { KernelRate(candidate: $0, weightsPerSecond: 0) }
        for _ in 0..<Self.rounds {
            for index in rates.indices {
                let rate = try rate(of: candidates[index], tileByteCount: byteCounts[index], memory)
                rates[index].weightsPerSecond = max(rates[index].weightsPerSecond, rate)
            }
        }
        return rates
    }

    private func rate(
        of candidate: KernelCandidate, tileByteCount: Int, _ memory: WeightMemory
    ) throws(KernelError) -> Double {
        let columns = candidate.columns
        let rows = memory.byteCount / tileByteCount * 16
        var input = try Activations(
            rows: 1, columns: columns, grouping: candidate.layout.isTernary ? .rows : .blocks)
        for column in 0..<columns { input.assign(row: 0, column: column, Float(column % 17) - 8) }
        quantise(&input, rows: 1)
        let output = try Tensor(rows: 1, columns: rows)
        let matrix = ryz_matrix(
            tiles: UnsafeRawPointer(memory.base), layout: candidate.layout.code, rows: rows, columns: columns,
            segment_blocks: 0, scale: 1, group_blocks: (candidate.groupColumns ?? 0) / 32,
            look_up: candidate.kernel == .lookUp)
        var product = ryz_product(matrix: matrix, y: output.pointer(0), y_stride: output.columns, mode: RYZ_STORE)
        let time = ContinuousClock().measure { ryz_multiply(raw, &product, 1, input.view(), 1) }
        return Double(rows * columns) / max(time / .seconds(1), 1e-9)
    }

    /// More than the last cache of most processors holds.
    private static var measuredByteCount: Int { 64 << 20 }
    private static var rounds: Int { 4 }
}
