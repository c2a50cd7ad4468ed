import CKernels

/// Weights in the layout of the kernels: tiles of 16 rows, block after block of 32 columns, in the order in which
/// threads read them. One or more matrices of as many columns can be stacked, to be multiplied in one go.
public struct PackedMatrix: ~Copyable {
    /// Rows of all stacked matrices together.
    public let rows: Int
    public let columns: Int
    private let memory: Memory
    private let segmentBlocks: Int
    /// First row and tile address of each stacked matrix.
    private let parts: [Part]

    private struct Part {
        let type: WeightType
        let firstRow: Int
        let rows: Int
        let byteOffset: Int
    }

    /// Packs `sources`, which have the same number of columns; all but the last have a multiple of 16 rows.
    ///
    /// With `segmentColumns` (a multiple of 32), the inner dimension is cut into segments of so many columns, whose sums
    /// are combined in fixed point: then parts of the sum may be computed by different nodes with the same result.
    public init(_ sources: [WeightSource], segmentColumns: Int? = nil) throws(KernelError) {
        let columns = sources.first?.columns ?? 0
        guard !sources.isEmpty, sources.count <= 8, sources.allSatisfy({ $0.columns == columns }),
            sources.dropLast().allSatisfy({ $0.rows % 16 == 0 }), (segmentColumns ?? 32) % 32 == 0
        else {
            throw .shape("\(sources.map(\.name).joined(separator: ", ")): shapes that cannot be stacked")
        }
        var parts: [Part] = []
        var (rows, byteCount) = (0, 0)
        for source in sources {
            parts.append(Part(type: source.type, firstRow: rows, rows: source.rows, byteOffset: byteCount))
            rows += source.rows
            byteCount += (source.rows + 15) / 16 * (columns / 32) * ryz_tile_block_bytes(source.type.code)
        }
        let memory = try Memory(byteCount: byteCount, purpose: sources[0].name)
        for (source, part) in zip(sources, parts) {
            ryz_pack(
                source.type.code, source.base, columns, 0, source.rows, 0, columns / 32, memory.base + part.byteOffset)
            // The packed copy is what runs; the file's pages need not stay in this process.
            source.file.adviseDontNeed(source.byteOffset..<source.byteOffset + source.byteCount)
        }
        self.rows = rows
        self.columns = columns
        self.memory = memory
        self.parts = parts
        segmentBlocks = (segmentColumns ?? 0) / 32
    }

    /// Resident size.
    public var byteCount: Int { memory.byteCount }

    /// The only part, for operations on single matrices.
    var matrix: ryz_matrix {
        precondition(parts.count == 1)
        return matrix(parts[0])
    }

    /// Calls `body` with the products of all parts with the same activations; `y` is row 0 of the output.
    func withProducts(
        y: UnsafeMutablePointer<Float>, stride: Int, mode: ryz_output_mode,
        _ body: (UnsafePointer<ryz_product>, Int) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: ryz_product.self, capacity: parts.count) { products in
            for (index, part) in parts.enumerated() {
                products[index] = ryz_product(matrix: matrix(part), y: y + part.firstRow, y_stride: stride, mode: mode)
            }
            body(UnsafePointer(products.baseAddress!), parts.count)
        }
    }

    private func matrix(_ part: Part) -> ryz_matrix {
        ryz_matrix(
            tiles: UnsafeRawPointer(memory.base + part.byteOffset), type: part.type.code, rows: part.rows,
            columns: columns, segment_blocks: segmentBlocks)
    }
}
