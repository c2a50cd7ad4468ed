/// A tensor type by its id in GGUF files, whether or not this engine computes with it.
///
/// Source: `enum ggml_type` of ggml's `ggml.h`; id 36 as BitNet's converter uses it.
public struct GGMLType: Hashable, Sendable, CustomStringConvertible {
    /// The id as it stands in the file.
    public let id: UInt32

    public init(id: UInt32) { self.id = id }

    /// A row of `known`: values come in blocks of `blockSize`, each of `bytesPerBlock`; zeros where the layout is not
    /// one of plain blocks.
    private struct Row {
        let name: String
        let blockSize: Int
        let bytesPerBlock: Int
        init(_ name: String, _ blockSize: Int, _ bytesPerBlock: Int) {
            self.name = name
            self.blockSize = blockSize
            self.bytesPerBlock = bytesPerBlock
        }
    }

    private static let known: [UInt32: Row] = [
        0: Row("F32", 1, 4), 1: Row("F16", 1, 2), 2: Row("Q4_0", 32, 18), 3: Row("Q4_1", 32, 20),
        4: Row("Q4_2", 0, 0), 5: Row("Q4_3", 0, 0), 6: Row("Q5_0", 32, 22), 7: Row("Q5_1", 32, 24),
        8: Row("Q8_0", 32, 34), 9: Row("Q8_1", 32, 36), 10: Row("Q2_K", 256, 84), 11: Row("Q3_K", 256, 110),
        12: Row("Q4_K", 256, 144), 13: Row("Q5_K", 256, 176), 14: Row("Q6_K", 256, 210), 15: Row("Q8_K", 256, 292),
        16: Row("IQ2_XXS", 256, 66), 17: Row("IQ2_XS", 256, 74), 18: Row("IQ3_XXS", 256, 98),
        19: Row("IQ1_S", 256, 50), 20: Row("IQ4_NL", 32, 18), 21: Row("IQ3_S", 256, 110), 22: Row("IQ2_S", 256, 82),
        23: Row("IQ4_XS", 256, 136), 24: Row("I8", 1, 1), 25: Row("I16", 1, 2), 26: Row("I32", 1, 4),
        27: Row("I64", 1, 8), 28: Row("F64", 1, 8), 29: Row("IQ1_M", 256, 56), 30: Row("BF16", 1, 2),
        31: Row("Q4_0_4_4", 0, 0), 32: Row("Q4_0_4_8", 0, 0), 33: Row("Q4_0_8_8", 0, 0), 34: Row("TQ1_0", 256, 54),
        35: Row("TQ2_0", 256, 66), 36: Row("I2_S", 0, 0), 37: Row("IQ4_NL_4_8", 0, 0), 38: Row("IQ4_NL_8_8", 0, 0),
        39: Row("MXFP4", 32, 17), 40: Row("NVFP4", 0, 0),
    ]

    /// The name that model files and tools use, such as `Q6_K`; `number 99` for an id without one.
    public var name: String { Self.known[id]?.name ?? "number \(id)" }

    /// How many values share a block and how many bytes the block takes; nil if the type is not one of plain blocks.
    public var block: (valueCount: Int, byteCount: Int)? {
        guard let row = Self.known[id], row.blockSize > 0 else { return nil }
        return (row.blockSize, row.bytesPerBlock)
    }

    /// How many bytes rows of values take, `valueCount` in all; nil if the layout is not known here or rows of
    /// `rowLength` values are not whole blocks.
    func byteCount(valueCount: Int, rowLength: Int) -> Int? {
        guard let blockSize, rowLength % blockSize == 0 else { return nil }
        if let block { return valueCount / block.valueCount * block.byteCount }
        // Two-bit blocks, and behind all of them one scale in 32 bytes.
        return valueCount / 4 + 32
    }

    /// How many values a row comes in whole multiples of; nil if the layout is not known here.
    var blockSize: Int? { block?.valueCount ?? (name == "I2_S" ? 128 : nil) }

    public var description: String { name }
}
