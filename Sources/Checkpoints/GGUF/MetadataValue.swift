import Kernels

/// A value of a GGUF file's metadata. Integers and floats of all widths are widened.
public enum MetadataValue: Sendable {
    /// UINT8, UINT16, UINT32 or UINT64.
    case unsigned(UInt64)
    /// INT8, INT16, INT32 or INT64.
    case signed(Int64)
    /// FLOAT32 or FLOAT64.
    case float(Double)
    /// BOOL.
    case boolean(Bool)
    /// STRING; what is not UTF-8 has been replaced by U+FFFD.
    case string(String)
    /// ARRAY, read from the mapped file when asked for.
    case array(MetadataArray)

    /// The type's name, for error messages.
    public var typeName: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .string: "a string"
        case .array(let array): "an array of \(array.count) \(array.elementType)"
        }
    }
}

/// The type of a metadata value, by its id in the file. Source: `enum gguf_type` of ggml's GGUF specification.
public enum MetadataType: UInt32, Sendable, CustomStringConvertible {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, boolean, string, array, uint64, int64, float64

    /// Bytes of one value; nil for strings and arrays, whose values differ in size.
    public var fixedByteCount: Int? {
        switch self {
        case .uint8, .int8, .boolean: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    public var description: String {
        switch self {
        case .uint8: "UINT8"
        case .int8: "INT8"
        case .uint16: "UINT16"
        case .int16: "INT16"
        case .uint32: "UINT32"
        case .int32: "INT32"
        case .float32: "FLOAT32"
        case .boolean: "BOOL"
        case .string: "STRING"
        case .array: "ARRAY"
        case .uint64: "UINT64"
        case .int64: "INT64"
        case .float64: "FLOAT64"
        }
    }
}

/// An array of a GGUF file's metadata. It stays in the mapped file; its bounds were checked when the file was read.
public struct MetadataArray: Sendable {
    /// The type of every element.
    public let elementType: MetadataType
    /// The number of elements.
    public let count: Int
    /// Where the elements are in the file.
    public let byteRange: Range<Int>
    let file: MappedFile

    /// Element `index` of an array of numbers or booleans; nil for other arrays and beyond the end.
    public subscript(index: Int) -> MetadataValue? {
        guard let size = elementType.fixedByteCount, index >= 0, index < count else { return nil }
        return file.scalar(elementType, at: byteRange.lowerBound + index * size)
    }

    /// All elements of an array of integers; nil if it is of another type or one of them does not fit an Int.
    public func integers() -> [Int]? {
        var result: [Int] = []
        result.reserveCapacity(elementType.fixedByteCount == nil ? 0 : count)
        for index in 0..<count {
            switch self[index] {
            case .unsigned(let value):
                guard let integer = Int(exactly: value) else { return nil }
                result.append(integer)
            case .signed(let value): result.append(Int(value))
            default: return nil
            }
        }
        return result
    }

    /// All elements of an array of floats; nil if it is of another type.
    public func floats() -> [Double]? {
        guard elementType == .float32 || elementType == .float64 else { return nil }
        return (0..<count).compactMap { if case .float(let value) = self[$0] { value } else { nil } }
    }

    /// All elements of an array of strings, one after the other; nil if it is of another type.
    public var strings: MetadataStrings? {
        elementType == .string ? MetadataStrings(count: count, byteRange: byteRange, file: file) : nil
    }

    /// All elements of an array of arrays, one after the other; nil if it is of another type.
    public func arrays() -> [MetadataArray]? {
        guard elementType == .array else { return nil }
        var result: [MetadataArray] = []
        var offset = byteRange.lowerBound
        for _ in 0..<count {
            guard let array = file.nestedArray(at: offset) else { return nil }
            result.append(array)
            offset = array.byteRange.upperBound
        }
        return result
    }
}

/// The strings of a metadata array, found one after the other in the mapped file; nothing is copied until asked for.
public struct MetadataStrings: Sequence, Sendable {
    /// The number of strings.
    public let count: Int
    let byteRange: Range<Int>
    let file: MappedFile

    public var underestimatedCount: Int { count }

    /// Where each string's bytes are in the file.
    public struct Iterator: IteratorProtocol {
        var offset: Int
        var remaining: Int
        let file: MappedFile

        public mutating func next() -> Range<Int>? {
            guard remaining > 0, let length = file.integer(at: offset, as: UInt64.self) else { return nil }
            remaining -= 1
            let start = offset + 8
            offset = start + Int(length)
            return start..<offset
        }
    }

    public func makeIterator() -> Iterator {
        Iterator(offset: byteRange.lowerBound, remaining: count, file: file)
    }

    /// All bytes of the strings, end to end, and where each begins; one more offset than strings, the last being the end.
    public func packedBytes() -> (bytes: [UInt8], offsets: [Int]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Swift.max(0, byteRange.count - 8 * count))
        var offsets: [Int] = [0]
        offsets.reserveCapacity(count + 1)
        for range in self {
            file.withBytes(in: range) { span in
                for index in span.indices { bytes.append(span[index]) }
            }
            offsets.append(bytes.count)
        }
        return (bytes, offsets)
    }

    /// All strings, with U+FFFD for what is not UTF-8.
    public func texts() -> [String] {
        compactMap { file.repairedString(in: $0) }
    }
}

extension MappedFile {
    /// The number or boolean at `offset`; nil outside the file and for strings and arrays.
    func scalar(_ type: MetadataType, at offset: Int) -> MetadataValue? {
        switch type {
        case .uint8: integer(at: offset, as: UInt8.self).map { .unsigned(UInt64($0)) }
        case .uint16: integer(at: offset, as: UInt16.self).map { .unsigned(UInt64($0)) }
        case .uint32: integer(at: offset, as: UInt32.self).map { .unsigned(UInt64($0)) }
        case .uint64: integer(at: offset, as: UInt64.self).map { .unsigned($0) }
        case .int8: integer(at: offset, as: Int8.self).map { .signed(Int64($0)) }
        case .int16: integer(at: offset, as: Int16.self).map { .signed(Int64($0)) }
        case .int32: integer(at: offset, as: Int32.self).map { .signed(Int64($0)) }
        case .int64: integer(at: offset, as: Int64.self).map { .signed($0) }
        case .float32: integer(at: offset, as: UInt32.self).map { .float(Double(Float(bitPattern: $0))) }
        case .float64: integer(at: offset, as: UInt64.self).map { .float(Double(bitPattern: $0)) }
        case .boolean: integer(at: offset, as: UInt8.self).map { .boolean($0 != 0) }
        case .string, .array: nil
        }
    }

    /// The array whose element type and count stand at `offset`, in a file whose bounds have been checked.
    func nestedArray(at offset: Int) -> MetadataArray? {
        guard let typeID = integer(at: offset, as: UInt32.self), let type = MetadataType(rawValue: typeID),
            let count = integer(at: offset + 4, as: UInt64.self)
        else { return nil }
        let start = offset + 12
        var end = start
        if let size = type.fixedByteCount {
            end += Int(count) * size
        } else {
            for _ in 0..<count {
                if type == .string {
                    guard let length = integer(at: end, as: UInt64.self) else { return nil }
                    end += 8 + Int(length)
                } else {
                    guard let array = nestedArray(at: end) else { return nil }
                    end = array.byteRange.upperBound
                }
            }
        }
        return MetadataArray(elementType: type, count: Int(count), byteRange: start..<end, file: self)
    }
}
