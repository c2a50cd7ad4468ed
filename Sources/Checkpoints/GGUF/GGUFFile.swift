import Kernels

/// A GGUF file (version 2 or 3, little endian) whose form has been checked: what it says of itself and where its
/// tensors are. Whether they make up a model that this engine runs is for `ModelFile` to say.
///
/// Source: the GGUF specification, docs/gguf.md of ggml.
public struct GGUFFile: Sendable {
    /// The mapped file.
    public let file: MappedFile
    /// 2 or 3.
    public let version: Int
    /// Everything the file says of itself.
    public let metadata: Metadata
    /// In the order of the file.
    public let tensors: [GGUFTensor]
    /// Tensor data begins at a multiple of this many bytes, as does each tensor within it.
    public let alignment: Int
    /// Bytes before the tensor data, padding included.
    public let headerByteCount: Int
    /// Where keys and values are, in bytes from the start of the file.
    public let metadataByteRange: Range<Int>

    /// Maps and checks the file at `path`. Throws `.unreadable`, `.malformed` or `.unsupported`.
    public init(path: String) throws(CheckpointError) {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .unreadable(error) }
        try self.init(file: file)
    }

    /// Checks a mapped file. Throws `.malformed` or `.unsupported`.
    public init(file: MappedFile) throws(CheckpointError) {
        var reader = GGUFReader(file: file)
        let header = try reader.readHeader()
        let start = reader.offset
        metadata = try reader.readMetadata(count: header.keyCount)
        metadataByteRange = start..<reader.offset
        alignment = try reader.alignment(from: metadata)
        (tensors, headerByteCount) = try reader.readTensors(count: header.tensorCount, alignment: alignment)
        version = header.version
        self.file = file
    }
}

/// A tensor as a GGUF file lists it.
public struct GGUFTensor: Sendable, Equatable {
    /// Such as `blk.0.attn_q.weight`.
    public let name: String
    /// Supported or not.
    public let type: GGMLType
    /// 1 to 4 sizes, each at least 1, the first being the one whose values are next to each other.
    public let dimensions: [Int]
    /// Where its data begins, in bytes from the start of the file.
    public let byteOffset: Int
    /// How many bytes it takes; nil if the type's layout is not known here.
    public let byteCount: Int?
    /// Where the file lists it, for error messages.
    let entryByteOffset: Int
}

/// A GGUF file's keys and values.
public struct Metadata: Sendable {
    /// The file's path, for error messages.
    public let path: String
    /// In the order of the file.
    public let keys: [String]
    let values: [String: MetadataValue]

    /// The value of `key`, of whatever type.
    public subscript(key: String) -> MetadataValue? { values[key] }

    /// The string at `key`; nil if there is none. Throws `.inconsistent` if it is of another type.
    public func string(_ key: String) throws(CheckpointError) -> String? {
        switch values[key] {
        case nil: return nil
        case .string(let text): return text
        case let other?: throw mismatch(key, other, expected: "a string")
        }
    }

    /// The integer at `key`; nil if there is none. Throws `.inconsistent` if it is of another type or does not fit an Int.
    public func integer(_ key: String) throws(CheckpointError) -> Int? {
        switch values[key] {
        case nil: return nil
        case .unsigned(let value)? where Int(exactly: value) != nil: return Int(value)
        case .signed(let value): return Int(value)
        case let other?: throw mismatch(key, other, expected: "an integer below 2^63")
        }
    }

    /// The float at `key`; nil if there is none. Throws `.inconsistent` if it is of another type.
    public func float(_ key: String) throws(CheckpointError) -> Double? {
        switch values[key] {
        case nil: return nil
        case .float(let value): return value
        case let other?: throw mismatch(key, other, expected: "a float")
        }
    }

    /// The boolean at `key`; nil if there is none. Throws `.inconsistent` if it is of another type.
    public func boolean(_ key: String) throws(CheckpointError) -> Bool? {
        switch values[key] {
        case nil: return nil
        case .boolean(let value): return value
        case let other?: throw mismatch(key, other, expected: "a boolean")
        }
    }

    /// The array at `key`; nil if there is none. Throws `.inconsistent` if it is of another type.
    public func array(_ key: String) throws(CheckpointError) -> MetadataArray? {
        switch values[key] {
        case nil: return nil
        case .array(let value): return value
        case let other?: throw mismatch(key, other, expected: "an array")
        }
    }

    private func mismatch(_ key: String, _ value: MetadataValue, expected: String) -> CheckpointError {
        .inconsistent(
            path: path,
            [
                CheckpointProblem(
                    place: key, problem: "is \(value.typeName), not \(expected)",
                    remedy: "convert the model again with a current converter")
            ])
    }
}
