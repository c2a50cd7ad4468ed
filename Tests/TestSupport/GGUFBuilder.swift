/// Makes small GGUF files for tests.
public struct GGUFBuilder: Sendable {
    /// A metadata value with the type that it gets in the file.
    public indirect enum Value: Sendable {
        case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16), uint32(UInt32), int32(Int32), uint64(UInt64)
        case int64(Int64), float32(Float), float64(Double), boolean(Bool), string(String)
        case strings([String]), int32s([Int32]), uint32s([UInt32]), float32s([Float]), arrays([Value])

        var typeID: UInt32 {
            switch self {
            case .uint8: 0
            case .int8: 1
            case .uint16: 2
            case .int16: 3
            case .uint32: 4
            case .int32: 5
            case .float32: 6
            case .boolean: 7
            case .string: 8
            case .strings, .int32s, .uint32s, .float32s, .arrays: 9
            case .uint64: 10
            case .int64: 11
            case .float64: 12
            }
        }

        func write(to writer: inout ByteWriter) {
            switch self {
            case .uint8(let value): writer.integer(value)
            case .int8(let value): writer.integer(value)
            case .uint16(let value): writer.integer(value)
            case .int16(let value): writer.integer(value)
            case .uint32(let value): writer.integer(value)
            case .int32(let value): writer.integer(value)
            case .uint64(let value): writer.integer(value)
            case .int64(let value): writer.integer(value)
            case .float32(let value): writer.integer(value.bitPattern)
            case .float64(let value): writer.integer(value.bitPattern)
            case .boolean(let value): writer.integer(value ? UInt8(1) : 0)
            case .string(let text): writer.string(text)
            case .strings(let texts): Self.write(texts, typeID: 8, to: &writer) { $1.string($0) }
            case .int32s(let values): Self.write(values, typeID: 5, to: &writer) { $1.integer($0) }
            case .uint32s(let values): Self.write(values, typeID: 4, to: &writer) { $1.integer($0) }
            case .float32s(let values): Self.write(values, typeID: 6, to: &writer) { $1.integer($0.bitPattern) }
            case .arrays(let arrays): Self.write(arrays, typeID: 9, to: &writer) { $0.write(to: &$1) }
            }
        }

        private static func write<Element>(
            _ elements: [Element], typeID: UInt32, to writer: inout ByteWriter,
            _ body: (Element, inout ByteWriter) -> Void
        ) {
            writer.integer(typeID)
            writer.integer(UInt64(elements.count))
            for element in elements { body(element, &writer) }
        }
    }

    /// A tensor and its data.
    public struct Tensor: Sendable {
        public var name: String
        /// The size whose values are next to each other comes first.
        public var dimensions: [UInt64]
        /// The id of the type in GGUF files.
        public var typeID: UInt32
        public var data: [UInt8]
        /// Replaces the offset that the builder would give it.
        public var offset: UInt64?

        public init(name: String, dimensions: [UInt64], typeID: UInt32, data: [UInt8], offset: UInt64? = nil) {
            self.name = name
            self.dimensions = dimensions
            self.typeID = typeID
            self.data = data
            self.offset = offset
        }
    }

    public var version: UInt32 = 3
    public var alignment = 32
    /// In the order in which they are written.
    public var metadata: [(key: String, value: Value)] = []
    /// In the order in which they are written.
    public var tensors: [Tensor] = []

    public init() {}

    /// The value of the first entry called `key`. Setting replaces or adds it, nil removes it.
    public subscript(key: String) -> Value? {
        get { metadata.first { $0.key == key }?.value }
        set {
            let index = metadata.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): metadata[index].value = value
            case (let index?, nil): metadata.remove(at: index)
            case (nil, let value?): metadata.append((key, value))
            case (nil, nil): break
            }
        }
    }

    /// The tensor called `name`. Setting replaces or adds it, nil removes it.
    public subscript(tensor name: String) -> Tensor? {
        get { tensors.first { $0.name == name } }
        set {
            let index = tensors.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let tensor?): tensors[index] = tensor
            case (let index?, nil): tensors.remove(at: index)
            case (nil, let tensor?): tensors.append(tensor)
            case (nil, nil): break
            }
        }
    }

    /// The file's bytes.
    public func build() -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(Array("GGUF".utf8))
        writer.integer(version)
        writer.integer(UInt64(tensors.count))
        writer.integer(UInt64(metadata.count))
        for (key, value) in metadata {
            writer.string(key)
            writer.integer(value.typeID)
            value.write(to: &writer)
        }
        var offset: UInt64 = 0
        for tensor in tensors {
            writer.string(tensor.name)
            writer.integer(UInt32(tensor.dimensions.count))
            for size in tensor.dimensions { writer.integer(size) }
            writer.integer(tensor.typeID)
            writer.integer(tensor.offset ?? offset)
            offset += UInt64((tensor.data.count + alignment - 1) / alignment * alignment)
        }
        for tensor in tensors {
            writer.pad(to: alignment)
            writer.raw(tensor.data)
        }
        return writer.bytes
    }

    /// Writes the file into the temporary folder; it is removed when the result goes.
    public func write() throws -> TemporaryFile { try TemporaryFile(build(), suffix: ".gguf") }

    /// Writes the file, calls `body` with its path and removes it. What has been mapped by then stays readable.
    public func withFile<Result>(_ body: (String) throws -> Result) throws -> Result {
        let file = try write()
        return try withExtendedLifetime(file) { try body(file.path) }
    }
}
