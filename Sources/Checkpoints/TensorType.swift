/// A tensor type that this engine computes with.
///
/// A further type of GGUF files is a further case here; its name and block layout are in `GGMLType`.
public enum TensorType: CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// IEEE binary32.
    case f32
    /// IEEE binary16.
    case f16
    /// bfloat16: the upper half of a binary32.
    case bf16
    /// Blocks of 32: a binary16 scale, 32 signed bytes; value = scale · q.
    case q8_0
    /// Blocks of 32: a binary16 scale, 16 bytes; the low nibbles are values 0–15, the high ones 16–31;
    /// value = scale · (q − 8).
    case q4_0
    /// Blocks of 32: binary16 scale and minimum, 16 bytes with nibbles as in `q4_0`; value = scale · q + minimum.
    case q4_1
    /// Ternary, blocks of 256 values of a row in 54 bytes: digits d, value = d − 1. Bytes 0–31 hold five digits each,
    /// the first digit of each byte for values 0–31, the second for 32–63, …; bytes 32–47 likewise values 160–239, 16 a
    /// digit; bytes 48–51 four digits each, values 240–255, 4 a digit; then a binary16 scale. Digit n of byte q is
    /// ((q · 3ⁿ mod 256) · 3) div 256, so that every byte is valid.
    case tq1_0
    /// Ternary, blocks of 256 values of a row in 66 bytes: two bits d, value = d − 1. Bytes 0–31 hold values 0–127: byte
    /// j values j, j + 32, j + 64 and j + 96 in its bits 0–1, 2–3, 4–5 and 6–7; bytes 32–63 likewise values 128–255;
    /// then a binary16 scale. d = 3 is no value.
    case tq2_0
    /// Ternary, blocks of 128 values of a row in 32 bytes: two bits d, value = d − 1; byte j holds values j, j + 32,
    /// j + 64 and j + 96 in its bits 6–7, 4–5, 2–3 and 0–1. d = 3 is no value. Behind all rows one binary32 scale, in 32
    /// bytes. This is how bitnet.cpp writes it for x86.
    case i2_s
    /// Ternary, as Hugging Face publishes it: two bits d, value = d − 1. Of [rows × columns] values the tensor has
    /// [rows ⁄ 4 × columns] bytes: byte row b holds rows b, b + rows ⁄ 4, b + 2 · rows ⁄ 4 and b + 3 · rows ⁄ 4 in bits
    /// 0–1, 2–3, 4–5 and 6–7. d = 3 is no value. The scale is a tensor of its own.
    case packedTernary
    /// Values as in `f32` that the model wants made ternary when they are loaded: divided by their mean
    /// magnitude, rounded and clamped.
    case ternaryF32
    /// As `ternaryF32`, of values as in `f16`.
    case ternaryF16
    /// As `ternaryF32`, of values as in `bf16`.
    case ternaryBF16

    /// The type that GGUF files call by this id; nil if this engine does not compute with it.
    public init?(ggml type: GGMLType) {
        guard let match = Self.allCases.first(where: { $0.ggml == type && !$0.isMadeTernary }) else { return nil }
        self = match
    }

    /// The type as it lies in the file, among all that GGUF knows; nil if GGUF files never have it.
    public var ggml: GGMLType? {
        switch self {
        case .f32, .ternaryF32: GGMLType(id: 0)
        case .f16, .ternaryF16: GGMLType(id: 1)
        case .q4_0: GGMLType(id: 2)
        case .q4_1: GGMLType(id: 3)
        case .q8_0: GGMLType(id: 8)
        case .bf16, .ternaryBF16: GGMLType(id: 30)
        case .tq1_0: GGMLType(id: 34)
        case .tq2_0: GGMLType(id: 35)
        case .i2_s: GGMLType(id: 36)
        case .packedTernary: nil
        }
    }

    /// The name that model files and tools use, such as `Q4_1`.
    public var name: String {
        switch self {
        case .packedTernary: "U8 (packed ternary)"
        case .ternaryF32, .ternaryF16, .ternaryBF16: "\(ggml?.name ?? "") (made ternary)"
        default: ggml?.name ?? ""
        }
    }

    /// How many values of a row share a block; 1 where values stand on their own.
    public var blockSize: Int { ggml?.block?.valueCount ?? 1 }

    /// How many bytes a block takes; for `packedTernary`, where four rows share a byte, 0.
    public var bytesPerBlock: Int { ggml?.block?.byteCount ?? 0 }

    /// Whether the file holds the values themselves and they are computed with as they are.
    public var isFloatingPoint: Bool { self == .f32 || self == .f16 || self == .bf16 }

    /// Whether the weights are −1, 0 and 1 times one scale for the whole tensor.
    public var isTernary: Bool {
        switch self {
        case .tq1_0, .tq2_0, .i2_s, .packedTernary, .ternaryF32, .ternaryF16, .ternaryBF16: true
        case .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1: false
        }
    }

    /// Whether the file holds floating-point values that are made ternary when they are loaded.
    public var isMadeTernary: Bool { self == .ternaryF32 || self == .ternaryF16 || self == .ternaryBF16 }

    public var description: String { name }

    /// `F32, F16, …`, as error messages about GGUF files list it.
    static var supportedNames: String {
        allCases.filter { !$0.isMadeTernary }.compactMap { $0.ggml?.name }.joined(separator: ", ")
    }
}
