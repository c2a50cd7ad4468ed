import Crypto
import Transport

/// What a model's files hold, chunk by chunk: names, sizes, and the SHA-256 of each chunk.
///
/// Its own SHA-256 is the name of the model's *content*. As text it has a line `ryz-shards 1 CHUNK-BYTES`, then for each
/// file a line `BYTES NAME` and for each chunk of it one with the digest in hexadecimal, and ` open` behind it if the chunk
/// is needed to open the model.
public struct ShardManifest: Equatable, Sendable {
    public struct File: Equatable, Sendable {
        /// Of a file in the model's folder: no path.
        public var name: String
        public var byteCount: Int
        /// In the order of the chunks.
        public var chunks: [Chunk]
    }

    public struct Chunk: Equatable, Sendable {
        /// SHA-256.
        public var digest: [UInt8]
        /// Whether the model cannot be opened without it.
        public var isNeededToOpen: Bool
    }

    /// Bytes in every chunk but the last one of a file.
    public static let chunkByteCount = 1 << 20
    /// As many as a model of 300 GB has.
    public static let maximumByteCount = 32 << 20
    private static let maximumFileCount = 2048
    private static let title = "ryz-shards 1 \(chunkByteCount)"

    public var files: [File]

    public init(files: [File]) { self.files = files }

    /// The manifest as text.
    public var bytes: [UInt8] {
        var text = Array((Self.title + "\n").utf8)
        for file in files {
            text += Array("\(file.byteCount) \(file.name)\n".utf8)
            for chunk in file.chunks {
                text += chunk.digest.hexadecimal.utf8
                text += chunk.isNeededToOpen ? Array(" open\n".utf8) : [UInt8(ascii: "\n")]
            }
        }
        return text
    }

    /// The SHA-256 of a manifest's text.
    public static func content(of bytes: [UInt8]) -> [UInt8] { bytes.sha256 }

    /// Reads a manifest; nil if it is none that `bytes` could have written.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumByteCount, bytes.last == UInt8(ascii: "\n") else { return nil }
        var lines = bytes.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        guard lines.popFirst().map({ $0.elementsEqual(Self.title.utf8) }) == true else { return nil }
        files = []
        while let line = lines.popFirst() {
            guard files.count < Self.maximumFileCount, let text = String(validating: line, as: UTF8.self) else {
                return nil
            }
            let fields = text.split(separator: " ", maxSplits: 1)
            guard fields.count == 2, let byteCount = Int(fields[0]), byteCount > 0, Self.isPlain(fields[1]) else {
                return nil
            }
            let chunkCount = Self.chunkCount(ofFileOf: byteCount)
            guard chunkCount <= lines.count else { return nil }
            var file = File(name: String(fields[1]), byteCount: byteCount, chunks: [])
            for _ in 0..<chunkCount {
                guard let chunk = lines.popFirst().flatMap(Chunk.init) else { return nil }
                file.chunks.append(chunk)
            }
            files.append(file)
        }
        guard !files.isEmpty, Set(files.map(\.name)).count == files.count else { return nil }
    }

    /// How many chunks a file has.
    public static func chunkCount(ofFileOf byteCount: Int) -> Int { (byteCount - 1) / chunkByteCount + 1 }

    /// Where a chunk lies in its file.
    public func byteRange(file: Int, chunk: Int) -> Range<Int> {
        let start = chunk * Self.chunkByteCount
        return start..<min(start + Self.chunkByteCount, files[file].byteCount)
    }

    /// Whether a name can only be that of a file in the model's folder.
    private static func isPlain(_ name: some StringProtocol) -> Bool {
        (1...255).contains(name.utf8.count) && !name.hasPrefix(".") && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            && !name.contains("/")
    }
}

extension ShardManifest.Chunk {
    fileprivate init?(_ line: ArraySlice<UInt8>) {
        let digits = line.prefix(64)
        guard let digest = [UInt8](hexadecimal: digits), digest.count == 32 else { return nil }
        let rest = line.dropFirst(64)
        guard rest.isEmpty || rest.elementsEqual(" open".utf8) else { return nil }
        self.init(digest: digest, isNeededToOpen: !rest.isEmpty)
    }
}

extension [UInt8] {
    /// The 32 bytes of its SHA-256 (FIPS 180-4).
    public var sha256: [UInt8] { Array(SHA256.hash(data: self)) }
}
