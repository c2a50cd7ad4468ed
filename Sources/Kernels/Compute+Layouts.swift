import CKernels

extension Compute {
    /// The ternary layout in which these threads get through most weights a second, one row of activations at a time.
    ///
    /// It is measured on weights that do not fit the caches, which takes about a tenth of a second; the layout changes
    /// no bit of the results.
    public func fastestTernaryLayout(columns: Int) throws(KernelError) -> TernaryLayout {
        var best = (layout: TernaryLayout.preferred(on: instructionSet), rate: 0.0)
        for layout in TernaryLayout.allCases {
            let rate = try ternaryRate(layout, columns: columns)
            if rate > best.rate { best = (layout, rate) }
        }
        return best.layout
    }

    /// Weights a second in products with one row of activations, from memory.
    public func ternaryRate(_ layout: TernaryLayout, columns: Int) throws(KernelError) -> Double {
        let tileByteCount = ryz_tile_bytes(layout.code, columns, 0)
        let tileCount = max(1, Self.measuredByteCount / tileByteCount)
        let memory = try WeightMemory(byteCount: tileCount * tileByteCount, purpose: "measuring layouts")
        // Any byte below 243 that is not of one nibble above 13 stands for weights; written, so that every page is really there.
        memory.base.initializeMemory(as: UInt8.self, repeating: 0x55, count: memory.byteCount)
        var input = try Activations(rows: 1, columns: columns, grouping: .rows)
        for column in 0..<columns { input.assign(row: 0, column: column, Float(column % 17) - 8) }
        quantise(&input, rows: 1)
        let output = try Tensor(rows: 1, columns: tileCount * 16)
        let matrix = ryz_matrix(
            tiles: UnsafeRawPointer(memory.base), layout: layout.code, rows: tileCount * 16, columns: columns,
            segment_blocks: 0, scale: 1, group_blocks: 0,
            look_up: true)
        var product = ryz_product(matrix: matrix, y: output.pointer(0), y_stride: output.columns, mode: RYZ_STORE)
        let clock = ContinuousClock()
        var shortest = Duration.seconds(3600)
        for _ in 0..<3 {
            shortest = min(shortest, clock.measure { ryz_multiply(raw, &product, 1, input.view(), 1) })
        }
        return Double(tileCount * 16 * columns) / (shortest / .seconds(1))
    }

    /// Which kernel gets through a matrix faster on these threads, one row of activations at a time. It changes no bit of
    /// the results. Weights should be more than the caches hold, as they will be.
    public func fastestKernel(for matrix: borrowing PackedMatrix) throws(KernelError) -> MatrixKernel {
        var input = try Activations(
            rows: 1, columns: matrix.columns, grouping: matrix.takesRowScales ? .rows : .blocks)
        for column in 0..<matrix.columns { input.assign(row: 0, column: column, Float(column % 17) - 8) }
        quantise(&input, rows: 1)
        let output = try Tensor(rows: 1, columns: (matrix.rows + 15) / 16 * 16)
        let clock = ContinuousClock()
        var best = (kernel: MatrixKernel.lookUp, time: Duration.seconds(3600))
        for kernel in MatrixKernel.allCases {
            for _ in 0..<3 {
                let time = clock.measure {
                    matrix.withProducts(
                        y: output.pointer(0), stride: output.columns, mode: RYZ_STORE, kernel: kernel
                    ) { products, count in ryz_multiply(raw, products, count, input.view(), 1) }
                }
                if time < best.time { best = (kernel, time) }
            }
        }
        return best.kernel
    }

    /// More than the last cache of most processors holds.
    private static var measuredByteCount: Int { 64 << 20 }
}
