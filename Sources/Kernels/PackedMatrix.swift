import CKernels

/// Weights in the layout of the kernels: tiles of 16 rows, in the order in which threads read them. One or more
/// matrices of as many columns can be stacked, to be multiplied in one go.
public struct PackedMatrix: ~Copyable {
    private let plan: Plan
    private let memory: WeightMemory
    /// How products with a single row of activations are computed, for layouts that leave a choice; others ignore it.
    public var kernel = MatrixKernel.lookUp
    /// How products ask for the weights in advance; nil as is usual for the layout.
    public var prefetch: Prefetch?
    /// What quantising has cost, if the weights were quantised here.
    public let measuredLoss: QuantisationLoss?

    /// Packs `sources`, which have the same number of columns; all but the last have a multiple of 16 rows.
    ///
    /// With `segmentColumns` (a multiple of 32), the inner dimension is cut into segments of so many columns, whose sums
    /// are combined in fixed point: then parts of the sum may be computed by different nodes with the same result.
    public init(_ sources: [WeightSource], segmentColumns: Int? = nil) throws(KernelError) {
        let plan = try Plan(
            sources.map { Shape(name: $0.name, layout: $0.type.code, rows: $0.rows, columns: $0.columns) },
            segmentColumns: segmentColumns, grouping: .blocks)
        let memory = try plan.makeMemory()
        for (source, part) in zip(sources, plan.parts) {
            source.pack(into: memory.base + part.byteOffset)
        }
        self.plan = plan
        self.memory = memory
        measuredLoss = nil
    }

    /// Packs ternary matrices. Their products are exact integers until the scales come in, so they need no segments.
    public init(_ sources: [TernarySource], layout: TernaryLayout) throws(KernelError) {
        let plan = try Plan(
            sources.map {
                Shape(name: $0.name, layout: layout.code, rows: $0.rows, columns: $0.columns, scale: $0.scale)
            }, segmentColumns: nil, grouping: .rows)
        let memory = try plan.makeMemory()
        var weights = [Int8](repeating: 0, count: 16 * plan.columns)
        let tileByteCount = ryz_tile_bytes(layout.code, plan.columns, 0)
        for (source, part) in zip(sources, plan.parts) {
            for first in stride(from: 0, to: source.rows, by: 16) {
                let count = min(16, source.rows - first)
                try source.decode(rows: first, count: count, into: &weights)
                ryz_pack_ternary(
                    layout.code, weights, count, plan.columns,
                    memory.base + part.byteOffset + first / 16 * tileByteCount)
            }
            source.release()
        }
        self.plan = plan
        self.memory = memory
        measuredLoss = nil
    }

    /// Packs a matrix in eight bits with a scale for each row: what the language-model head is computed in.
    public init(eightBit source: WeightSource) throws(KernelError) {
        let plan = try Plan(
            [Shape(name: source.name, layout: RYZ_R8, rows: source.rows, columns: source.columns)],
            segmentColumns: nil, grouping: .blocks)
        let memory = try plan.makeMemory()
        var tile = try Tensor(rows: 16, columns: plan.columns)
        let tileByteCount = ryz_tile_bytes(RYZ_R8, plan.columns, 0)
        for first in stride(from: 0, to: plan.rows, by: 16) {
            let count = min(16, plan.rows - first)
            for row in 0..<count { source.decode(row: first + row, into: &tile, row: row) }
            ryz_pack_rows_8bit(tile.pointer(0), count, plan.columns, memory.base + first / 16 * tileByteCount)
        }
        source.release()
        self.plan = plan
        self.memory = memory
        measuredLoss = nil
    }

    /// Takes matrices that are packed already. They must all be ternary, or none of them.
    public init(_ sources: [TileSource], segmentColumns: Int? = nil) throws(KernelError) {
        let isTernary = sources.contains { $0.layout.isTernary }
        guard sources.allSatisfy({ $0.layout.isTernary == isTernary }) else {
            throw .shape("\(sources.map(\.name).joined(separator: ", ")): only some of them are ternary")
        }
        let plan = try Plan(
            sources.map {
                Shape(
                    name: $0.name, layout: $0.layout.code, rows: $0.rows, columns: $0.columns, scale: $0.scale,
                    groupColumns: $0.groupColumns ?? 0)
            }, segmentColumns: segmentColumns, grouping: isTernary ? .rows : .blocks)
        let memory = try plan.makeMemory()
        for (source, part) in zip(sources, plan.parts) { try source.copy(to: memory.base + part.byteOffset) }
        self.plan = plan
        self.memory = memory
        measuredLoss = nil
    }

    /// Quantises `sources`. Otherwise as `init(_:segmentColumns:)`.
    ///
    /// Scales and minimums are those of least squares over the weights, found by alternation from several ranges. It
    /// takes some 30 ns a weight. Groups are counted from a row's first column.
    public init(
        quantising sources: [WeightSource], to planes: BitPlanes, segmentColumns: Int? = nil
    ) throws(KernelError) {
        let layout = planes.layout.code
        let groupBlocks = planes.groupColumns / 32
        let plan = try Plan(
            sources.map {
                Shape(
                    name: $0.name, layout: layout, rows: $0.rows, columns: $0.columns,
                    groupColumns: planes.groupColumns)
            }, segmentColumns: segmentColumns, grouping: .blocks)
        let memory = try plan.makeMemory()
        var rows = try Tensor(rows: 16, columns: plan.columns)
        let tileByteCount = ryz_tile_bytes(layout, plan.columns, groupBlocks)
        var total = QuantisationLoss()
        for (source, part) in zip(sources, plan.parts) {
            for first in stride(from: 0, to: source.rows, by: 16) {
                let count = min(16, source.rows - first)
                for row in 0..<count { source.decode(row: first + row, into: &rows, row: row) }
                let loss = ryz_pack_groups(
                    layout, groupBlocks, rows.pointer(0), count, plan.columns,
                    memory.base + part.byteOffset + first / 16 * tileByteCount)
                guard loss.squared_weights.isFinite else {
                    throw .shape("\(source.name): a weight of rows \(first) to \(first + count - 1) is not finite")
                }
                total += QuantisationLoss(squaredError: loss.squared_error, squaredWeights: loss.squared_weights)
            }
            source.release()
        }
        self.plan = plan
        self.memory = memory
        measuredLoss = total
    }

    /// Appends the tiles of all parts to a file.
    public borrowing func write(to file: inout OutputFile) throws(OutputFileError) {
        try file.write(RawSpan(_unsafeStart: UnsafeRawPointer(memory.base), byteCount: memory.byteCount))
    }

    /// Rows of all stacked matrices together.
    public var rows: Int { plan.rows }
    public var columns: Int { plan.columns }
    /// The layout of its tiles; if matrices are stacked, of those of the first.
    public var layout: TileLayout { TileLayout(plan.parts[0].layout) }
    /// Columns that share a scale and a minimum; nil in layouts without groups.
    public var groupColumns: Int? { layout.hasGroups ? plan.parts[0].groupBlocks * WeightType.blockColumns : nil }
    /// Resident size.
    public var byteCount: Int { memory.byteCount }

    /// Whether activations are quantised in the groups that these weights need.
    func takes(_ activations: borrowing Activations) -> Bool {
        switch activations.grouping {
        case .blocks: plan.grouping == .blocks
        case .rows, .segments: plan.grouping == .rows
        }
    }

    var hasSegments: Bool { plan.segmentBlocks > 0 }

    /// The float32 values that the weights of a row stand for, of the only part; nil unless it is in bit planes.
    func decodedRow(_ row: Int) -> [Float]? {
        let matrix = matrix
        guard matrix.group_blocks > 0 else { return nil }
        precondition((0..<rows).contains(row))
        let tile = matrix.tiles + row / 16 * ryz_tile_bytes(matrix.layout, columns, matrix.group_blocks)
        return [Float](unsafeUninitializedCapacity: columns) { values, count in
            ryz_decode_groups(matrix.layout, matrix.group_blocks, tile, columns, row % 16, values.baseAddress!)
            count = columns
        }
    }

    /// The only part, for operations on single matrices.
    var matrix: ryz_matrix {
        precondition(plan.parts.count == 1)
        return matrix(plan.parts[0])
    }

    /// Calls `body` with the products of all parts with the same activations; `y` is row 0 of the output, nil if nothing is
    /// to be computed.
    func withProducts(
        y: UnsafeMutableRawPointer?, stride: Int, elementByteCount: Int = 4, mode: ryz_output_mode,
        _ body: (UnsafePointer<ryz_product>, Int) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: ryz_product.self, capacity: plan.parts.count) { products in
            for (index, part) in plan.parts.enumerated() {
                products[index] = ryz_product(
                    matrix: matrix(part), y: y.map { $0 + part.firstRow * elementByteCount }, y_stride: stride,
                    mode: mode)
            }
            body(UnsafePointer(products.baseAddress!), plan.parts.count)
        }
    }

    private func matrix(_ part: Part) -> ryz_matrix {
        ryz_matrix(
            tiles: UnsafeRawPointer(memory.base + part.byteOffset), layout: part.layout, rows: part.rows,
            columns: columns, segment_blocks: plan.segmentBlocks, scale: part.scale,
            group_blocks: part.groupBlocks, look_up: kernel == .lookUp,
            prefetch: prefetch?.code ?? ryz_usual_prefetch(part.layout))
    }
}

/// How the product of a matrix with one row of activations is computed, where the layout leaves a choice: that of
/// ternary triples, and bit planes. Both give the same bits; which is faster depends on the processor.
public enum MatrixKernel: String, CaseIterable, Sendable {
    /// Weights are unpacked, multiplied and added.
    case multiplyAdd = "multiply"
    /// Sums of a few activations are looked up in tables (T-MAC: Wei et al., 2024).
    case lookUp = "lookup"
}

/// One of the matrices to be stacked.
private struct Shape {
    var name: String
    var layout: ryz_layout
    var rows: Int
    var columns: Int
    var scale: Float = 1
    /// Columns that share scale and minimum; 0 in layouts that have no such groups.
    var groupColumns = 0
}

/// One of the stacked matrices.
private struct Part {
    let layout: ryz_layout
    let firstRow: Int
    let rows: Int
    let byteOffset: Int
    let scale: Float
    /// Blocks that share scale and minimum; 0 in layouts that have no such groups.
    let groupBlocks: Int
}

/// Where stacked matrices lie.
private struct Plan {
    let name: String
    let rows: Int
    let columns: Int
    let segmentBlocks: Int
    let grouping: Activations.Grouping
    let parts: [Part]
    let byteCount: Int

    init(_ shapes: [Shape], segmentColumns: Int?, grouping: Activations.Grouping) throws(KernelError) {
        let columns = shapes.first?.columns ?? 0
        guard !shapes.isEmpty, shapes.count <= 8, shapes.allSatisfy({ $0.columns == columns }),
            shapes.dropLast().allSatisfy({ $0.rows % 16 == 0 }), (segmentColumns ?? 32) % 32 == 0
        else {
            throw .shape("\(shapes.map(\.name).joined(separator: ", ")): shapes that cannot be stacked")
        }
        var parts: [Part] = []
        var (rows, byteCount) = (0, 0)
        for shape in shapes {
            parts.append(
                Part(
                    layout: shape.layout, firstRow: rows, rows: shape.rows, byteOffset: byteCount, scale: shape.scale,
                    groupBlocks: shape.groupColumns / 32))
            rows += shape.rows
            byteCount += (shape.rows + 15) / 16 * ryz_tile_bytes(shape.layout, columns, shape.groupColumns / 32)
        }
        name = shapes[0].name
        self.rows = rows
        self.columns = columns
        self.parts = parts
        self.byteCount = byteCount
        self.grouping = grouping
        segmentBlocks = (segmentColumns ?? 0) / 32
    }

    func makeMemory() throws(KernelError) -> WeightMemory { try WeightMemory(byteCount: byteCount, purpose: name) }
}
