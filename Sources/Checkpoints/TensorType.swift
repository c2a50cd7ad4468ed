/// A tensor type that this engine computes with. The raw value is its id in GGUF files.
///
/// A further type is a further case here; its name and block layout are in `GGMLType`.
public enum TensorType: UInt32, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// IEEE binary32.
    case f32 = 0
    /// IEEE binary16.
    case f16 = 1
    /// bfloat16: the upper half of a binary32.
    case bf16 = 30
    /// Blocks of 32: a binary16 scale, 32 signed bytes; value = scale · q.
    case q8_0 = 8
    /// Blocks of 32: a binary16 scale, 16 bytes; the low nibbles are values 0–15, the high ones 16–31;
    /// value = scale · (q − 8).
    case q4_0 = 2
    /// Blocks of 32: binary16 scale and minimum, 16 bytes with nibbles as in `q4_0`; value = scale · q + minimum.
    case q4_1 = 3

    /// The same type among all that GGUF knows.
    public var ggml: GGMLType { GGMLType(id: rawValue) }

    /// The name that model files and tools use, such as `Q4_1`.
    public var name: String { ggml.name }

    /// How many values share a block; 1 for the floating-point types.
    public var blockSize: Int { ggml.block?.valueCount ?? 1 }

    /// How many bytes a block takes.
    public var bytesPerBlock: Int { ggml.block?.byteCount ?? 0 }

    /// Whether values stand on their own, without a shared scale.
    public var isFloatingPoint: Bool { blockSize == 1 }

    public var description: String { name }

    /// `F32, F16, …`, as error messages list it.
    static var supportedNames: String { allCases.map(\.name).joined(separator: ", ") }
}
