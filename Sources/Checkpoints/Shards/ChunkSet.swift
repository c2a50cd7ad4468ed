/// Some of the chunks of a manifest, which are counted through all its files in their order.
public struct ChunkSet: Equatable, Sendable {
    /// Of the whole manifest.
    public let chunkCount: Int
    /// A bit for each chunk, the lowest of a byte first; those behind the last chunk are 0.
    public private(set) var bytes: [UInt8]

    /// None of `chunkCount` chunks.
    public init(none chunkCount: Int) {
        self.chunkCount = chunkCount
        bytes = [UInt8](repeating: 0, count: Self.byteCount(for: chunkCount))
    }

    /// All of `chunkCount` chunks.
    public init(all chunkCount: Int) {
        self.chunkCount = chunkCount
        bytes = [UInt8](repeating: 0xFF, count: Self.byteCount(for: chunkCount))
        if chunkCount % 8 != 0 { bytes[bytes.count - 1] = UInt8(1 << (chunkCount % 8)) - 1 }
    }

    /// Takes over the bits; nil if they cannot be those of so many chunks.
    public init?(_ bytes: [UInt8], chunkCount: Int) {
        guard bytes.count == Self.byteCount(for: chunkCount) else { return nil }
        if chunkCount % 8 != 0, let last = bytes.last, last >> (chunkCount % 8) != 0 { return nil }
        self.chunkCount = chunkCount
        self.bytes = bytes
    }

    /// How many bytes hold the bits of so many chunks.
    public static func byteCount(for chunkCount: Int) -> Int { (chunkCount + 7) / 8 }

    /// How many chunks are among them.
    public var count: Int { bytes.reduce(0) { $0 + $1.nonzeroBitCount } }

    public func contains(_ position: Int) -> Bool {
        (0..<chunkCount).contains(position) && bytes[position / 8] >> (position % 8) & 1 == 1
    }

    public mutating func insert(_ position: Int) { bytes[position / 8] |= 1 << (position % 8) }

    public mutating func remove(_ position: Int) { bytes[position / 8] &= ~(1 << (position % 8)) }
}

extension ShardManifest {
    /// Of all files.
    public var chunkCount: Int { files.reduce(0) { $0 + $1.chunks.count } }

    /// Where the chunks of each file begin in a `ChunkSet`.
    public var firstPositions: [Int] {
        var next = 0
        return files.map { file in
            defer { next += file.chunks.count }
            return next
        }
    }
}
