import Kernels

/// Reads a GGUF file front to back. It allocates in proportion to what it has read, never to what a count promises.
struct GGUFReader {
    /// Real models have up to a few thousand of either; the limits bound what a hostile file can make us allocate.
    static let maximumKeyCount = 65_536
    static let maximumTensorCount = 65_536
    static let maximumKeyByteCount = 65_535  // The specification's own limit.
    static let maximumTensorNameByteCount = 255
    static let maximumNestingDepth = 4
    static let maximumAlignment = 65_536
    /// Of one tensor, so that sums of a few never overflow an Int.
    static let maximumDimension = 1 << 48

    let file: MappedFile
    /// The next byte to read.
    var offset = 0

    init(file: MappedFile) { self.file = file }

    struct Header {
        var version: Int
        var tensorCount: Int
        var keyCount: Int
    }

    mutating func readHeader() throws(CheckpointError) -> Header {
        let magic = try unsigned("header", "the magic number", UInt32.self)
        guard magic == 0x4655_4747 else { throw foreignFormat(magic) }
        let version = try unsigned("header", "the version", UInt32.self)
        if version != 0, version.byteSwapped <= 0xFFFF {
            throw unsupported(
                "header", at: 4, "the file is big-endian",
                "convert it for little-endian machines, the default of every converter")
        }
        guard version == 2 || version == 3 else {
            throw unsupported(
                "header", at: 4, "GGUF version \(version) is not supported; supported: 2, 3",
                "convert the model with a current converter")
        }
        let tensorCount = try count("header", "tensors", limit: Self.maximumTensorCount, minimumByteCount: 24)
        let keyCount = try count("header", "metadata keys", limit: Self.maximumKeyCount, minimumByteCount: 13)
        return Header(version: Int(version), tensorCount: tensorCount, keyCount: keyCount)
    }

    mutating func readMetadata(count: Int) throws(CheckpointError) -> Metadata {
        var keys: [String] = []
        var values: [String: MetadataValue] = [:]
        for index in 0..<count {
            let start = offset
            let place = "metadata key \(index + 1) of \(count)"
            let key = try name(place, limit: Self.maximumKeyByteCount)
            let type = try metadataType(key)
            let value = try readValue(key, type)
            guard values.updateValue(value, forKey: key) == nil else {
                throw malformed(key, at: start, "the key stands twice", "convert the model again")
            }
            keys.append(key)
        }
        return Metadata(path: file.path, keys: keys, values: values)
    }

    private mutating func readValue(_ key: String, _ type: MetadataType) throws(CheckpointError) -> MetadataValue {
        switch type {
        case .string:
            let range = try stringRange(key)
            return .string(file.repairedString(in: range) ?? "")
        case .array:
            return .array(try readArray(key, depth: 1))
        default:
            let start = offset
            try skip(key, "its value", UInt64(type.fixedByteCount ?? 0))
            guard let value = file.scalar(type, at: start) else { throw truncated(key, at: start, "its value") }
            return value
        }
    }

    private mutating func readArray(_ key: String, depth: Int) throws(CheckpointError) -> MetadataArray {
        let start = offset
        guard depth <= Self.maximumNestingDepth else {
            throw malformed(
                key, at: start, "arrays are nested more than \(Self.maximumNestingDepth) deep",
                "the file is damaged or not a model: fetch it again")
        }
        let elementType = try metadataType(key)
        let declared = try unsigned(key, "the array's length", UInt64.self)
        // A string takes at least its 8 bytes of length, an array its 12 of type and length.
        let smallest = elementType.fixedByteCount ?? (elementType == .string ? 8 : 12)
        let room = UInt64((file.byteCount - offset) / smallest)
        guard declared <= room else {
            throw malformed(
                key, at: start, "an array of \(declared) \(elementType) does not fit the rest of the file",
                "the file is cut short or damaged: fetch it again")
        }
        let count = Int(declared)
        let first = offset
        if let size = elementType.fixedByteCount {
            offset += count * size
        } else if elementType == .string {
            for _ in 0..<count { _ = try stringRange(key) }
        } else {
            for _ in 0..<count { _ = try readArray(key, depth: depth + 1) }
        }
        return MetadataArray(elementType: elementType, count: count, byteRange: first..<offset, file: file)
    }

    private mutating func metadataType(_ place: String) throws(CheckpointError) -> MetadataType {
        let start = offset
        let id = try unsigned(place, "its type", UInt32.self)
        guard let type = MetadataType(rawValue: id) else {
            throw malformed(
                place, at: start, "metadata type \(id) is not one of GGUF's (0 to 12)",
                "the file is damaged or from a newer format: fetch or convert it again")
        }
        return type
    }

    func alignment(from metadata: Metadata) throws(CheckpointError) -> Int {
        let key = "general.alignment"
        guard let alignment = try metadata.integer(key) else { return 32 }
        guard (8...Self.maximumAlignment).contains(alignment), alignment.nonzeroBitCount == 1 else {
            throw malformed(
                key, at: nil, "\(alignment) is not a power of two from 8 to \(Self.maximumAlignment)",
                "convert the model again")
        }
        return alignment
    }

    mutating func unsigned<T: FixedWidthInteger & BitwiseCopyable>(
        _ place: String, _ what: String, _ type: T.Type
    ) throws(CheckpointError) -> T {
        guard let value = file.integer(at: offset, as: type) else { throw truncated(place, at: offset, what) }
        offset += MemoryLayout<T>.size
        return value
    }

    /// A count of things that take at least `minimumByteCount` bytes each.
    private mutating func count(
        _ place: String, _ what: String, limit: Int, minimumByteCount: Int
    ) throws(CheckpointError) -> Int {
        let start = offset
        let count = try unsigned(place, "the number of \(what)", UInt64.self)
        guard count <= limit, Int(count) <= (file.byteCount - offset) / minimumByteCount else {
            let most = count <= limit ? "than fit the file" : "than the \(limit) that this program reads"
            throw malformed(
                place, at: start, "\(count) \(what) are more \(most)",
                "the file is cut short or damaged: fetch it again")
        }
        return Int(count)
    }

    /// A key or a tensor's name: UTF-8, not empty, at most `limit` bytes.
    mutating func name(_ place: String, limit: Int) throws(CheckpointError) -> String {
        let start = offset
        let range = try stringRange(place)
        guard (1...limit).contains(range.count), let name = file.string(in: range) else {
            throw malformed(
                place, at: start, "its name has \(range.count) bytes and is not 1 to \(limit) bytes of UTF-8",
                "the file is damaged: fetch it again")
        }
        return name
    }

    /// Steps over a length and that many bytes; where the bytes are.
    private mutating func stringRange(_ place: String) throws(CheckpointError) -> Range<Int> {
        let start = offset
        guard let length = file.integer(at: offset, as: UInt64.self) else {
            throw truncated(place, at: start, "the length of a string")
        }
        offset += 8
        guard length <= UInt64(file.byteCount - offset) else {
            throw malformed(
                place, at: start, "a string of \(length) bytes runs past the end of the file",
                "the file is cut short or damaged: fetch it again")
        }
        let first = offset
        offset += Int(length)
        return first..<offset
    }

    private mutating func skip(_ place: String, _ what: String, _ byteCount: UInt64) throws(CheckpointError) {
        guard byteCount <= UInt64(file.byteCount - offset) else { throw truncated(place, at: offset, what) }
        offset += Int(byteCount)
    }
}
