import CKernels

/// Keys and values of a range of layers, in blocks of 256 positions that sequences take as they grow.
///
/// In a block, for each layer and KV head: keys `[position / 16][head dimension][16]`, values
/// `[position][head dimension]`. Memory is touched only when a block is first written.
public struct KeyValueCache: ~Copyable {
    /// How exactly keys and values are kept.
    public enum Precision: Sendable {
        case float16
        /// For models whose activations are rounded to few steps right after attention: there, what float16 drops turns
        /// whole steps over.
        case float32

        /// Bytes of one value.
        public var byteCount: Int { self == .float16 ? 2 : 4 }
    }

    /// Positions of a block.
    public static let blockPositions = Int(RYZ_KEY_BLOCK)

    public let blockCount: Int
    public let layerCount: Int
    public let headCount: Int
    public let headDimension: Int
    public let precision: Precision
    private let memory: Memory

    /// `headDimension` is a multiple of 16.
    public init(
        blockCount: Int, layerCount: Int, headCount: Int, headDimension: Int, precision: Precision = .float16
    ) throws(KernelError) {
        guard headDimension % 16 == 0, headDimension > 0 else {
            throw .shape("head dimension \(headDimension); the kernels need a multiple of 16")
        }
        let layerByteCount = headCount * headDimension * Self.blockPositions * 2 * precision.byteCount
        memory = try Memory(byteCount: blockCount * layerCount * layerByteCount, purpose: "the KV cache")
        self.precision = precision
        self.blockCount = blockCount
        self.layerCount = layerCount
        self.headCount = headCount
        self.headDimension = headDimension
    }

    /// Bytes of one layer in one block.
    private var layerStride: Int { headCount * headDimension * Self.blockPositions * 2 * precision.byteCount }

    func layer(_ index: Int) -> ryz_kv_layer {
        precondition((0..<layerCount).contains(index))
        return ryz_kv_layer(
            base: memory.base.assumingMemoryBound(to: UInt8.self) + index * layerStride,
            width: precision.byteCount, block_stride: layerCount * layerStride, head_count: headCount,
            head_dimension: headDimension)
    }
}

/// Which rows of a batch belong to which sequence, and where the sequence's keys and values lie. Made once per step.
public struct AttentionPlan: ~Copyable {
    /// Consecutive tokens of one sequence.
    public struct Slice {
        public var rowCount: Int
        public var startPosition: Int
        /// Block numbers in the cache, for positions 0, 256, …; enough for the last row.
        public var blocks: [UInt32]

        public init(rowCount: Int, startPosition: Int, blocks: [UInt32]) {
            self.rowCount = rowCount
            self.startPosition = startPosition
            self.blocks = blocks
        }
    }

    public let rowCount: Int
    /// One after the highest position.
    public let endPosition: Int
    let spans: UnsafeMutableBufferPointer<ryz_attention_span>
    private let blocks: UnsafeMutableBufferPointer<UInt32>
    private let highestBlock: UInt32

    /// The slices follow each other in the batch. Throws if a slice has fewer blocks than its positions need.
    public init(_ slices: [Slice]) throws(KernelError) {
        guard
            slices.allSatisfy({ slice in
                slice.rowCount > 0 && slice.startPosition >= 0
                    && slice.blocks.count * KeyValueCache.blockPositions >= slice.startPosition + slice.rowCount
            })
        else { throw .shape("an attention plan whose slices have fewer KV blocks than positions") }
        let spans = UnsafeMutableBufferPointer<ryz_attention_span>.allocate(capacity: slices.count)
        let blocks = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: slices.reduce(0) { $0 + $1.blocks.count })
        var (row, block, end) = (0, 0, 0)
        for (index, slice) in slices.enumerated() {
            spans.initializeElement(
                at: index,
                to: ryz_attention_span(
                    first_row: row, row_count: slice.rowCount, start_position: slice.startPosition,
                    blocks: UnsafePointer(blocks.baseAddress! + block)))
            for number in slice.blocks {
                blocks.initializeElement(at: block, to: number)
                block += 1
            }
            row += slice.rowCount
            end = max(end, slice.startPosition + slice.rowCount)
        }
        rowCount = row
        endPosition = end
        highestBlock = blocks.max() ?? 0
        self.spans = spans
        self.blocks = blocks
    }

    deinit {
        spans.deallocate()
        blocks.deallocate()
    }

    func fits(_ cache: borrowing KeyValueCache) -> Bool { Int(highestBlock) < cache.blockCount }
}

/// Cosines and sines of rotary position embeddings (Su et al., 2021) for all positions of a context.
public struct RotaryTable: ~Copyable {
    public let positions: Int
    public let rotatedDimension: Int
    private let isHalves: Bool
    private let memory: Memory

    /// - Parameters:
    ///   - base: θ of the frequencies θ^(−2 i / rotatedDimension).
    ///   - positionScale: what positions are multiplied by (1 / factor in linear scaling).
    ///   - frequencyFactors: `[rotatedDimension / 2]` divisors of the frequencies, or nil.
    ///   - pairsHalves: rotate (i, i + rotatedDimension / 2) instead of (2 i, 2 i + 1).
    public init(
        base: Double, positionScale: Double, rotatedDimension: Int, frequencyFactors: [Float]?, pairsHalves: Bool,
        positions: Int
    ) throws(KernelError) {
        guard rotatedDimension > 0, rotatedDimension % 2 == 0, base > 0, positions > 0,
            frequencyFactors.map({ $0.count == rotatedDimension / 2 }) ?? true
        else { throw .shape("rotary embedding of \(rotatedDimension) dimensions with base \(base)") }
        let size = positions * rotatedDimension / 2
        memory = try Memory(byteCount: size * 8, purpose: "the rotary table")
        self.positions = positions
        self.rotatedDimension = rotatedDimension
        isHalves = pairsHalves
        let table = memory.floats()
        if let frequencyFactors {
            ryz_rope_table(base, positionScale, rotatedDimension, frequencyFactors, positions, table, table + size)
        } else {
            ryz_rope_table(base, positionScale, rotatedDimension, nil, positions, table, table + size)
        }
    }

    var view: ryz_rope {
        let table = memory.floats()
        return ryz_rope(
            cosines: table, sines: table + positions * rotatedDimension / 2, rotated: rotatedDimension, halves: isHalves
        )
    }
}
