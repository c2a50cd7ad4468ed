import JSON
public import Kernels

/// A SafeTensors file whose form has been checked: which tensors it has and where they are.
///
/// Source: the format's description in the README of Hugging Face's safetensors: eight bytes of header length, the
/// header (JSON), and the tensors' data, which fills the rest of the file without overlaps and gaps.
public struct SafeTensorsFile: Sendable {
    /// As many as the format's own reader takes.
    static let maximumHeaderByteCount = 100_000_000
    /// Real models have up to a few thousand in one file; the limit bounds what a hostile header can make us allocate.
    static let maximumTensorCount = 65_536
    static let maximumNameByteCount = 1024
    static let maximumDimensionCount = 8

    /// The mapped file.
    public let file: MappedFile
    /// In the order of their data.
    public let tensors: [SafeTensor]
    /// What the header says of the file as a whole, as far as it is text.
    public let metadata: [String: String]
    /// Bytes before the tensor data.
    public let headerByteCount: Int

    /// Maps and checks the file at `path`. Throws `.unreadable`, `.malformed` or `.inconsistent`.
    public init(path: String) throws(CheckpointError) {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .unreadable(error) }
        try self.init(file: file)
    }

    /// Checks a mapped file. Throws `.malformed`, or `.inconsistent` with everything that is wrong with its tensors.
    public init(file: MappedFile) throws(CheckpointError) {
        var reader = SafeTensorsReader(file: file)
        self.file = file
        (tensors, metadata, headerByteCount) = try reader.read()
    }

    /// The tensor called `name`; nil if the file has none.
    public func tensor(named name: String) -> SafeTensor? { tensors.first { $0.name == name } }
}

/// A tensor as a SafeTensors file lists it.
public struct SafeTensor: Sendable, Equatable {
    /// Such as `model.layers.0.self_attn.q_proj.weight`.
    public let name: String
    /// Such as `BF16` or `U8`.
    public let type: String
    /// The last dimension is the one whose values are next to each other; none for a single value.
    public let shape: [Int]
    /// Where the data is, in bytes from the start of the file.
    public let byteRange: Range<Int>
}
