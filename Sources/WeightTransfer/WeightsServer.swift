import Kernels
public import Logging
import Synchronization
public import Transport
public import ZeroMQ

/// Gives what is on a shelf, a chunk at a time, to workers that have not all that they need of a model: on a thread and a
/// socket of its own, so that neither steps nor heartbeats wait for it. The coordinator has one, and each worker.
public final class WeightsServer: Sendable {
    private let clusterID: String
    private let node: NodeID
    private let shelf: WeightsShelf
    private let logger: Logger
    private let wake: WakeSignal
    private let isStopped = Atomic(false)
    private let counted = Mutex(DropCounters())

    /// - Parameters:
    ///   - node: under which name it answers.
    ///   - shelf: what it gives.
    public init(node: NodeID, clusterID: String, shelf: WeightsShelf, logger: Logger) throws(ZeroMQError) {
        self.node = node
        self.clusterID = clusterID
        self.shelf = shelf
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
        do throws(LinkError) {
            while !isStopped.load(ordering: .relaxed) {
                let arrival = try socket.receive(timeout: shelf.hasWork ? .zero : .seconds(1))
                if let arrival { answer(arrival.envelope, to: arrival.connection, socket) }
                findOut()
                let drops = socket.drops
                counted.withLock { $0 = drops }
            }
        } catch {
            logger.error("weights are no longer served", metadata: ["problem": "\(error)"])
        }
    }

    private func findOut() {
        guard shelf.hasWork else { return }
        do throws(OutputFileError) {
            if try shelf.work() { logger.info("what there is of the model's files is known") }
        } catch {
            logger.warning(
                "the model's manifest is not kept: the next start hashes its files again",
                metadata: ["problem": "\(error)"])
        }
    }

    private func answer(_ envelope: Envelope, to connection: ConnectionID, _ socket: WeightsServerSocket) {
        guard case .weightsRequest(let request) = envelope.body else {
            return socket.drop(from: connection.node, because: .unexpectedMessage)
        }
        let (result, bytes) = shelf.answer(request.item)
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
