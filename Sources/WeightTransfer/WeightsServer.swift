public import Checkpoints
import Kernels
public import Logging
import Synchronization
public import Transport
public import ZeroMQ

/// Gives a model's files, a chunk at a time, to workers that have none of their own: on a thread and a socket of its own, so
/// that neither steps nor heartbeats wait for it.
///
/// What the files hold is hashed when it is first asked for, and kept for the next start.
public final class WeightsServer: Sendable {
    private let clusterID: String
    private let node: NodeID
    private let model: ModelFile
    private let manifestFolder: String?
    private let logger: Logger
    private let wake: WakeSignal
    private let isStopped = Atomic(false)
    private let counted = Mutex(DropCounters())

    /// - Parameters:
    ///   - node: under which name it answers.
    ///   - model: what it gives; its files stay mapped.
    ///   - manifestFolder: where manifests are kept; nil for nowhere.
    public init(
        node: NodeID, clusterID: String, model: ModelFile, manifestFolder: String?, logger: Logger
    ) throws(ZeroMQError) {
        self.node = node
        self.clusterID = clusterID
        self.model = model
        self.manifestFolder = manifestFolder
        self.logger = logger
        wake = try WakeSignal()
    }

    /// Frames that the socket refused.
    public var drops: DropCounters { counted.withLock(\.self) }

    /// Ends `run` soon. Any thread may call it.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        wake.signal()
    }

    /// Binds, and answers until `stop`; `started` hears of the endpoint or of what went wrong.
    public func run(
        binding endpoint: String, advertisedHost: String?, security: NodeSecurity?,
        started: (Result<String, ZeroMQError>) -> Void
    ) {
        let socket: WeightsServerSocket
        do throws(ZeroMQError) {
            socket = try WeightsServerSocket(
                binding: endpoint, clusterID: clusterID, advertisedHost: advertisedHost, security: security,
                wake: [wake])
        } catch {
            return started(.failure(error))
        }
        started(.success(socket.endpoint))
        var desk = WeightsDesk(model, manifestFolder: manifestFolder)
        do throws(LinkError) {
            while !isStopped.load(ordering: .relaxed) {
                let arrival = try socket.receive(timeout: desk.hasWork ? .zero : .seconds(1))
                if let arrival { answer(arrival.envelope, to: arrival.connection, socket, &desk) }
                hash(&desk)
                let drops = socket.drops
                counted.withLock { $0 = drops }
            }
        } catch {
            logger.error("weights are no longer served", metadata: ["problem": "\(error)"])
        }
    }

    private func hash(_ desk: inout WeightsDesk) {
        guard desk.hasWork else { return }
        do throws(OutputFileError) { try desk.work() } catch {
            logger.warning(
                "the model's manifest is not kept: the next start hashes its files again",
                metadata: ["problem": "\(error)"])
        }
        if !desk.hasWork { logger.info("the model's files have been hashed", metadata: ["path": "\(model.path)"]) }
    }

    private func answer(
        _ envelope: Envelope, to connection: ConnectionID, _ socket: WeightsServerSocket, _ desk: inout WeightsDesk
    ) {
        guard case .weightsRequest(let request) = envelope.body else {
            return socket.drop(from: connection.node, because: .unexpectedMessage)
        }
        let (result, bytes) = desk.answer(request.item)
        let reply = Envelope(
            clusterID: clusterID, epoch: envelope.epoch, sender: node,
            body: .weightsReply(WeightsReply(number: request.number, result: result)))
        do throws(LinkError) {
            try socket.send(reply, payload: bytes, to: connection)
        } catch {
            // It asks again, if it is still there.
            logger.debug(
                "weights not sent", metadata: ["node": "\(connection.node)", "problem": "\(error)"])
        }
    }
}

/// What a server of weights answers.
struct WeightsDesk {
    private let model: ModelFile
    private var maker: ManifestMaker
    private var isAsked = false
    private var content: [UInt8]?

    init(_ model: ModelFile, manifestFolder: String?) {
        self.model = model
        maker = ManifestMaker(model, folder: manifestFolder)
        content = maker.bytes.map(ShardManifest.content)
    }

    /// Whether somebody waits for the manifest.
    var hasWork: Bool { isAsked && content == nil }

    mutating func work() throws(OutputFileError) {
        defer { content = maker.bytes.map(ShardManifest.content) }
        try maker.advance()
    }

    /// The answer, and the bytes that ride behind it.
    mutating func answer(_ item: WeightsRequest.Item) -> (WeightsReply.Result, [UInt8]?) {
        switch item {
        case .content(let headerDigest):
            guard headerDigest == model.headerDigest else { return (Self.otherModel, nil) }
            return (content.map { .content($0) } ?? hashing(), nil)
        case .manifest(let content):
            guard self.content != nil, let bytes = maker.bytes else { return (hashing(), nil) }
            return content == self.content ? (.bytes, bytes) : (Self.otherModel, nil)
        case .chunk(let chunk):
            guard let content else { return (hashing(), nil) }
            guard chunk.content == content else { return (Self.otherModel, nil) }
            guard model.parts.indices.contains(chunk.file) else { return (Self.noChunk, nil) }
            let file = model.parts[chunk.file].file
            let start = chunk.index * ShardManifest.chunkByteCount
            guard start < file.byteCount else { return (Self.noChunk, nil) }
            let range = start..<min(start + ShardManifest.chunkByteCount, file.byteCount)
            defer { file.adviseDontNeed(range) }
            return (.bytes, file.bytes(in: range))
        }
    }

    /// What to say while the content is not known; from now on it is found out.
    private mutating func hashing() -> WeightsReply.Result {
        isAsked = true
        return .hashing(
            LoadingProgress(doneByteCount: UInt64(maker.hashedByteCount), byteCount: UInt64(maker.byteCount)))
    }

    private static let otherModel = WeightsReply.Result.problem(
        "it serves another model than the one that was assigned; wait until it has assigned this one")
    private static let noChunk = WeightsReply.Result.problem(
        "its model has no such chunk; install the same release on all machines")
}
