/// A worker asks for something of the model's files: the coordinator, or another worker.
///
/// What is in the files has a name, their *content*: the SHA-256 (32 bytes) of the manifest, which lists the files with the
/// SHA-256 of each chunk. So whoever knows the content can check all that comes.
public struct WeightsRequest: Equatable, Sendable {
    public enum Item: Equatable, Sendable {
        /// The content of the model whose header has this digest (see `ModelFileReference`).
        case content(headerDigest: [UInt8])
        /// The manifest of a content.
        case manifest(content: [UInt8])
        case chunk(WeightsChunk)
        /// Which chunks of a content are there: a bit for each, in the order of the manifest, the lowest first.
        case holdings(content: [UInt8])
    }

    /// Comes back in the reply.
    public var number: UInt64
    public var item: Item

    public init(number: UInt64, item: Item) {
        self.number = number
        self.item = item
    }
}

/// One chunk of one of the files that a manifest lists.
public struct WeightsChunk: Hashable, Sendable {
    public var content: [UInt8]
    /// Position in the manifest's list of files.
    public var file: Int
    /// Position in the file, in chunks.
    public var index: Int

    public init(content: [UInt8], file: Int, index: Int) {
        self.content = content
        self.file = file
        self.index = index
    }
}

/// A worker says what it has of a model's files for other workers: whenever a coordinator takes it in, and when that has
/// changed.
public struct WeightsOffer: Equatable, Sendable {
    /// Where it serves them; empty if it does not.
    public var endpoint: String
    /// Of the model (see `ModelFileReference`); empty if it has nothing of any.
    public var headerDigest: [UInt8]
    public var heldByteCount: UInt64

    public init(endpoint: String, headerDigest: [UInt8] = [], heldByteCount: UInt64 = 0) {
        self.endpoint = endpoint
        self.headerDigest = headerDigest
        self.heldByteCount = heldByteCount
    }
}

/// The coordinator tells a worker who has weights besides itself, in the place of those that it named before.
public struct WeightsSources: Equatable, Sendable {
    /// Nodes that one can name.
    public static let limit = 16

    /// Their endpoints are those where they serve weights.
    public var peers: [Peer]

    public init(peers: [Peer]) { self.peers = peers }
}

/// What became of a request.
public struct WeightsReply: Equatable, Sendable {
    public enum Result: Equatable, Sendable {
        case content([UInt8])
        /// The bytes that were asked for ride behind it as one raw frame.
        case bytes
        /// The content is not known before all has been hashed: ask again.
        case hashing(LoadingProgress)
        /// Place, problem and remedy, for people.
        case problem(String)
    }

    public var number: UInt64
    public var result: Result

    public init(number: UInt64, result: Result) {
        self.number = number
        self.result = result
    }
}

/// How far a node is with the bytes of a model's files.
public struct LoadingProgress: Equatable, Sendable {
    /// At most `byteCount`.
    public var doneByteCount: UInt64
    public var byteCount: UInt64

    public init(doneByteCount: UInt64, byteCount: UInt64) {
        self.doneByteCount = doneByteCount
        self.byteCount = byteCount
    }
}
